//! `GET /openapi.json`: the description of all this in OpenAPI 3.1. It is written by hand; the tests below and those
//! against the running server keep it true.

use crate::http::ledger_pool::Lease;
use crate::http::question::Question;
use crate::http::response::Response;

const DOCUMENT: &str = include_str!("openapi.json");

pub fn answer(question: &Question, _: &mut Lease) -> anyhow::Result<Response> {
    super::answer_with_text(question, DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::finding::FindingKind;
    use crate::http::route::{Audience, ROUTES};
    use crate::ledger::read::days::DayState;
    use crate::metric::Metric;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// What a `$ref` stands for, or the value itself.
    fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(pointer) => {
                let found = document.pointer(pointer.strip_prefix('#').unwrap());
                found.unwrap_or_else(|| panic!("{pointer} points at nothing"))
            }
            None => value,
        }
    }

    fn every_reference(value: &Value, visit: &mut dyn FnMut(&Value)) {
        match value {
            Value::Object(members) => {
                if members.contains_key("$ref") {
                    visit(value);
                }
                members
                    .values()
                    .for_each(|value| every_reference(value, visit));
            }
            Value::Array(values) => values
                .iter()
                .for_each(|value| every_reference(value, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_endpoint_is_described_and_no_other() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let described: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
        let served = ROUTES.iter().map(|route| route.pattern);
        assert_eq!(described, served.collect());
    }

    #[test]
    fn every_parameter_and_form_is_described() {
        let document = document();
        for route in &ROUTES {
            let operation = &document["paths"][route.pattern]["get"];
            let parameters = operation["parameters"].as_array().unwrap();
            let names = parameters
                .iter()
                .map(|parameter| resolved(&document, parameter))
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap());
            let path = route.pattern;
            assert_eq!(names.collect::<Vec<_>>(), route.parameters, "{path}");
            let forms = operation["responses"]["200"]["content"]
                .as_object()
                .unwrap();
            let served = route.formats.iter().map(|(_, name)| *name);
            if !route.formats.is_empty() {
                let described: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
                assert_eq!(described, served.collect(), "{path}");
            }
            let is_open = operation["security"] == serde_json::json!([]);
            assert_eq!(is_open, route.audience == Audience::Anyone, "{path}");
        }
    }

    #[test]
    fn what_is_listed_is_what_there_is() {
        let document = document();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        every_reference(&document, &mut |value| {
            resolved(&document, value);
        });
        let schemas = &document["components"]["schemas"];
        let metrics = schemas["MetricName"]["anyOf"][0]["enum"]
            .as_array()
            .unwrap();
        let listed: BTreeSet<&str> = metrics.iter().map(|name| name.as_str().unwrap()).collect();
        let known: Vec<Metric> = (1..=31)
            .map(|number| Metric::of_usage_type(Some(number)).0)
            .filter(|metric| !matches!(metric, Metric::UsageType(_)))
            .chain([Metric::OsUsage, Metric::UntypedUsage])
            .collect();
        let names: Vec<_> = known.iter().map(|metric| metric.name()).collect();
        assert_eq!(listed, names.iter().map(|name| &**name).collect());
        let states: Vec<&str> = [
            DayState::Missing,
            DayState::Refused,
            DayState::Differing,
            DayState::Open,
            DayState::Sealed,
            DayState::Closed,
        ]
        .map(DayState::name)
        .to_vec();
        let listed = &schemas["DayFacts"]["properties"]["state"]["enum"];
        assert_eq!(*listed, serde_json::json!(states));
        let kinds = &document["components"]["parameters"]["finding_kind"]["schema"]["enum"];
        let known = FindingKind::ALL.map(FindingKind::name);
        assert_eq!(*kinds, serde_json::json!(known));
    }
}
