//! `GET /usage/{uuid}`: what one account used in a range of days. The keys of the answer are a contract with billing
//! systems; the misspelled `responeType` is one of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ledger_pool::Lease;
use super::question::Question;
use super::refusal::error;
use super::response::{REVALIDATE, Response};
use crate::day::{Day, DayRange};
use crate::ledger::read::AccountUsage;

pub const PARAMETERS: [&str; 2] = ["start", "end"];

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

pub fn answer(question: &Question, ledger: &mut Lease) -> anyhow::Result<Response> {
    let (uuid, query) = (&question.arguments[0], question.request.head.query());
    let range = match asked_range(query, question.yesterday, question.max_days) {
        Ok(range) => range,
        Err(message) => return Ok(error(400, &message)),
    };
    let usage = ledger
        .reader()?
        .account_usage(uuid, range, &question.user.scope)?;
    Ok(match usage {
        Some(usage) => written(range, &usage),
        None => error(404, &format!("no account or project has the uuid {uuid}")),
    })
}

fn written(range: DayRange, usage: &AccountUsage) -> Response {
    let mut lists: BTreeMap<&str, Vec<(&str, f64)>> = LISTS.map(|key| (key, Vec::new())).into();
    for total in &usage.totals {
        // A metric per resource without a list here gets a new one, so that nothing is left out.
        let (key, name) = match &total.resource_uuid {
            Some(uuid) => (total.metric.as_str(), uuid),
            None => ("usage", &total.metric),
        };
        lists.entry(key).or_default().push((name, total.quantity));
    }
    let complete = usage.unfinished.is_complete();
    let mut values: BTreeMap<&str, String> = [
        ("start", json!(range.first().to_string())),
        ("end", json!(range.last().to_string())),
        ("responeType", json!("usageResponse")),
        ("responseType", json!("usageResponse")),
        ("timezone", json!(usage.zones.of(range.last()).name())),
        ("complete", json!(complete)),
        ("open_days", json!(dates(&usage.unfinished.open_days))),
        ("missing_days", json!(dates(&usage.unfinished.missing_days))),
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
    let body = format!("{{{}}}\n", members.join(","));
    Response::of("application/json", 200, body.into_bytes()).with(REVALIDATE.0, REVALIDATE.1)
}

/// Parameters other than `start` and `end` are ignored, as the old server did.
fn asked_range(query: &str, yesterday: Day, max_days: i64) -> Result<DayRange, String> {
    let start = parameter(query, "start")?;
    let first = start.unwrap_or(yesterday);
    let last = parameter(query, "end")?.unwrap_or(first);
    let range = DayRange::new(first, last).map_err(|err| match start {
        Some(_) => err.to_string(),
        None => format!("{err} (yesterday, as no start is given)"),
    })?;
    let count = range.count_days();
    if count > max_days {
        return Err(format!(
            "{first} to {last} is {count} days: ask for at most {max_days} at a time"
        ));
    }
    Ok(range)
}

/// A day of the query; none if the parameter is not there.
fn parameter(query: &str, name: &str) -> Result<Option<Day>, String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let Some((_, text)) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(format!("{name} is given more than once"));
    }
    let day = text.parse().map_err(|err| format!("{name}: {err}"))?;
    Ok(Some(day))
}

fn dates(days: &[Day]) -> Vec<String> {
    days.iter().map(Day::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::read::Total;
    use crate::ledger::read::Unfinished;
    use crate::zone::Zone;

    fn total(metric: &str, resource_uuid: Option<&str>, quantity: f64) -> Total {
        Total {
            metric: metric.to_owned(),
            resource_uuid: resource_uuid.map(str::to_owned),
            quantity,
        }
    }

    fn text(response: Response) -> String {
        String::from_utf8(response.body).unwrap()
    }

    fn range() -> DayRange {
        DayRange::new("2013-04-01".parse().unwrap(), "2013-04-03".parse().unwrap()).unwrap()
    }

    #[test]
    fn an_account_with_no_usage_has_empty_lists() {
        let none = AccountUsage {
            zones: Zone::parse("GMT").unwrap().into(),
            totals: vec![],
            unfinished: Unfinished {
                open_days: vec!["2013-04-02".parse().unwrap()],
                missing_days: vec!["2013-04-03".parse().unwrap()],
            },
        };
        assert_eq!(
            text(written(range(), &none)),
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
            unfinished: Unfinished::default(),
        };
        let body = text(written(range(), &some));
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

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[track_caller]
    fn asks(query: &str, first: &str, last: &str) {
        let range = DayRange::new(day(first), day(last)).unwrap();
        let asked = asked_range(query, day("2013-06-04"), 3660);
        assert_eq!(asked, Ok(range), "{query}");
    }

    #[test]
    fn both_days_are_taken_as_written() {
        for query in [
            "start=2013-04-01&end=2013-04-30",
            "end=2013-04-30&start=2013-04-01",
            "st%61rt=2013%2D04-01&end=2013-04-30",
            // Unknown parameters are ignored.
            "_=1&start=2013-04-01&end=2013-04-30&verbose",
        ] {
            asks(query, "2013-04-01", "2013-04-30");
        }
    }

    #[test]
    fn without_a_start_it_is_yesterday_and_without_an_end_one_day() {
        asks("", "2013-06-04", "2013-06-04");
        asks("start=2013-04-01", "2013-04-01", "2013-04-01");
        asks("end=2013-06-05", "2013-06-04", "2013-06-05");
    }

    #[test]
    fn a_bad_range_is_refused_by_name() {
        asks(
            "start=2010-01-01&end=2020-01-08",
            "2010-01-01",
            "2020-01-08",
        );
        for (query, message) in [
            (
                "start=2010-01-01&end=2020-01-09",
                "2010-01-01 to 2020-01-09 is 3661 days: ask for at most 3660 at a time",
            ),
            (
                "start=2013-02-30",
                "start: 2013-02-30 is not a day of the calendar",
            ),
            (
                "end=1.4.2013",
                "end: \"1.4.2013\" is not a day: write YYYY-MM-DD",
            ),
            ("start=", "start: \"\" is not a day: write YYYY-MM-DD"),
            ("start", "start: \"\" is not a day: write YYYY-MM-DD"),
            (
                "start=2013-04-30&end=2013-04-01",
                "the end 2013-04-01 is before the start 2013-04-30",
            ),
            (
                "end=2013-04-01",
                "the end 2013-04-01 is before the start 2013-06-04 (yesterday, as no start is given)",
            ),
            (
                "start=2013-04-01&start=2013-04-01",
                "start is given more than once",
            ),
            ("end=2013-04-01&end=x", "end is given more than once"),
        ] {
            let refused = asked_range(query, day("2013-06-04"), 3660);
            assert_eq!(refused, Err(message.to_owned()), "{query}");
        }
    }
}
