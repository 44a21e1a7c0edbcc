//! What goes back to a client: a status and a JSON body. The keys of the usage answer are a contract
//! with billing systems; the misspelled `responeType` is one of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::v1;
use crate::day::{Day, DayRange};
use crate::ledger::read::AccountUsage;

/// The lists that are in every answer, empty or not: all metrics per account, then each metric per resource.
const LISTS: [&str; 7] = [
    "usage",
    "backup_byte_hours",
    "ip_address_allocated",
    "network_offering",
    "os_usage",
    "vm_allocated",
    "vm_running",
];

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    /// All but those that `frame` adds. Plain ASCII, and nothing as a client sent it: they are written as they
    /// are, line feeds and all.
    pub headers: Vec<(&'static str, String)>,
    /// With a line feed at the end for people with a shell.
    pub body: Vec<u8>,
}

/// 200: what an account used in a range of days.
pub fn usage(range: DayRange, usage: &AccountUsage) -> Reply {
    let mut lists: BTreeMap<&str, Vec<(&str, f64)>> = LISTS.map(|key| (key, Vec::new())).into();
    for total in &usage.totals {
        // A metric per resource that is not among the lists gets one of its own: nothing is left out.
        let (key, name) = match &total.resource_uuid {
            Some(uuid) => (total.metric.as_str(), uuid),
            None => ("usage", &total.metric),
        };
        lists.entry(key).or_default().push((name, total.quantity));
    }
    let complete = usage.open_days.is_empty() && usage.missing_days.is_empty();
    let mut values: BTreeMap<&str, String> = [
        ("start", json!(range.first().to_string())),
        ("end", json!(range.last().to_string())),
        ("responeType", json!("usageResponse")),
        ("responseType", json!("usageResponse")),
        ("timezone", json!(usage.zones.of(range.last()).name())),
        ("complete", json!(complete)),
        ("open_days", json!(dates(&usage.open_days))),
        ("missing_days", json!(dates(&usage.missing_days))),
    ]
    .map(|(key, value)| (key, value.to_string()))
    .into();
    for (key, list) in lists {
        let text = serde_json::to_string(&list).expect("strings and numbers have a JSON text");
        values.insert(key, text);
    }
    // As one `Value`, an answer would be copied twice, string by string.
    let members = values
        .iter()
        .map(|(key, text)| format!("{}:{text}", Value::from(*key)));
    let members: Vec<String> = members.collect();
    json_text(200, format!("{{{}}}\n", members.join(",")))
}

/// Any status but 200. A 405 names what is allowed.
pub fn error(status: u16, message: &str) -> Reply {
    let body = json!({"responseType": "errorResponse", "message": message});
    let mut reply = json(status, &body);
    if status == 405 {
        reply.headers.push(("Allow", "GET, HEAD".to_owned()));
    }
    reply
}

/// The same for any target: under `/v1` errors have a shape of their own.
pub fn refusal(target: &str, status: u16, message: &str) -> Reply {
    if v1::owns(target) {
        v1::Problem::new(status, message).reply()
    } else {
        error(status, message)
    }
}

/// A reply in JSON.
pub fn json(status: u16, body: &Value) -> Reply {
    json_text(status, format!("{body}\n"))
}

fn json_text(status: u16, body: String) -> Reply {
    Reply {
        status,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: body.into_bytes(),
    }
}

fn dates(days: &[Day]) -> Vec<String> {
    days.iter().map(Day::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::read::Total;
    use crate::zone::Zone;

    fn total(metric: &str, resource_uuid: Option<&str>, quantity: f64) -> Total {
        Total {
            metric: metric.to_owned(),
            resource_uuid: resource_uuid.map(str::to_owned),
            quantity,
        }
    }

    fn text(reply: Reply) -> String {
        String::from_utf8(reply.body).unwrap()
    }

    fn range() -> DayRange {
        DayRange::new("2013-04-01".parse().unwrap(), "2013-04-03".parse().unwrap()).unwrap()
    }

    #[test]
    fn an_account_with_no_usage_has_empty_lists() {
        let none = AccountUsage {
            zones: Zone::parse("GMT").unwrap().into(),
            totals: vec![],
            open_days: vec!["2013-04-02".parse().unwrap()],
            missing_days: vec!["2013-04-03".parse().unwrap()],
        };
        assert_eq!(
            text(usage(range(), &none)),
            concat!(
                r#"{"backup_byte_hours":[],"complete":false,"end":"2013-04-03","ip_address_allocated":[],"#,
                r#""missing_days":["2013-04-03"],"network_offering":[],"open_days":["2013-04-02"],"os_usage":[],"#,
                r#""responeType":"usageResponse","responseType":"usageResponse","start":"2013-04-01","#,
                r#""timezone":"GMT","usage":[],"vm_allocated":[],"vm_running":[]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_metric_nobody_foresaw_is_answered_too() {
        let some = AccountUsage {
            zones: Zone::parse("Europe/Stockholm").unwrap().into(),
            totals: vec![
                total("gpu_hours", Some("a"), 1.5),
                total("gpu_hours", Some("b"), 24.0),
                total("usage_type_99", None, 3.0),
            ],
            open_days: vec![],
            missing_days: vec![],
        };
        let body = text(usage(range(), &some));
        assert!(
            body.contains(r#""gpu_hours":[["a",1.5],["b",24.0]]"#),
            "{body}"
        );
        assert!(
            body.contains(r#""usage":[["usage_type_99",3.0]]"#),
            "{body}"
        );
        assert!(body.contains(r#""complete":true"#), "{body}");
    }

    #[test]
    fn an_error_quotes_what_the_client_sent() {
        assert_eq!(
            text(error(404, "no \"\u{1}\u{7f}é\"")),
            "{\"message\":\"no \\\"\\u0001\u{7f}é\\\"\",\"responseType\":\"errorResponse\"}\n"
        );
    }
}
