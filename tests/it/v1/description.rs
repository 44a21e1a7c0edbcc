//! The description in `/openapi.json` against the running server: every status it tells of, every key and column.
//! Paths and parameters are compared where they are defined; schemathesis does the rest (`make api-test`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ask_with, json, priced, vm};
use crate::server::Server;

/// A question for each path.
fn target(path: &str) -> String {
    let days = "start=2013-06-01&end=2013-06-03";
    match path {
        "/v1/usage" | "/v1/days" => format!("{path}?{days}"),
        "/usage/{uuid}" => format!("/usage/alice-uuid?{days}"),
        "/v1/accounts/{uuid}/usage" => format!("/v1/accounts/alice-uuid/usage?{days}"),
        "/v1/accounts/{uuid}/resources" => format!("/v1/accounts/alice-uuid/resources?{days}"),
        "/v1/accounts/{uuid}/statement" => {
            "/v1/accounts/alice-uuid/statement?month=2013-06".to_owned()
        }
        "/v1/domains/{path}/usage" => format!("/v1/domains/%2F/usage?{days}"),
        other => other.to_owned(),
    }
}

#[test]
fn every_status_that_is_described_is_answered() {
    let cloud = priced();
    let server = Server::start(&cloud.sandbox);
    let description = json(&server.get("/openapi.json"));
    for (path, item) in description["paths"].as_object().unwrap() {
        let target = target(path);
        let separator = if target.contains('?') { '&' } else { '?' };
        let with = |more: &str| format!("{target}{separator}{more}");
        for status in item["get"]["responses"].as_object().unwrap().keys() {
            let answer = match status.as_str() {
                "200" => server.get(&target),
                "304" => ask_with(&server, "GET", &target, &["If-None-Match: *"]),
                "400" if path == "/usage/{uuid}" => server.get(&with("start=x")),
                "400" => server.get(&with("unknown=1")),
                // Shown where a user is limited.
                "404" if path == "/metrics" => continue,
                "404" if target.contains("alice") => server.get(&target.replace("alice", "eve")),
                "404" if target.contains("%2F") => server.get(&target.replace("%2F", "eve")),
                "404" if path.contains("usage") || path.contains("accounts") => {
                    server.get(&with("domain=eve"))
                }
                "404" => server.get(&with("account=eve")),
                "406" => ask_with(&server, "GET", &target, &["Accept: image/png"]),
                "409" => server.get(&with("require=complete")),
                // Shown where the ledger is taken away, and where users are asked for passwords.
                "503" | "401" => continue,

                other => panic!("{path} describes {other}, and nothing here shows it"),
            };
            assert_eq!(answer.status.to_string(), *status, "{path}: {answer:?}");
        }
    }
}

/// The schema itself, wherever it is written down.
fn schema<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(pointer) => description.pointer(&pointer[1..]).unwrap(),
        None => value,
    }
}

/// Insists that an object has all the keys that are required, and none that are not described.
fn check(description: &Value, schema_value: &Value, value: &Value, place: &str) {
    let schema = schema(description, schema_value);
    match value {
        Value::Object(members) => {
            let properties = schema["properties"].as_object();
            let properties = properties.unwrap_or_else(|| panic!("{place} is an object"));
            for key in schema["required"].as_array().unwrap() {
                assert!(
                    members.contains_key(key.as_str().unwrap()),
                    "{place} lacks {key}"
                );
            }
            for (key, value) in members {
                let described = properties.get(key);
                let described =
                    described.unwrap_or_else(|| panic!("{place}.{key} is not described"));
                check(description, described, value, &format!("{place}.{key}"));
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                let items = match &schema["prefixItems"][number] {
                    Value::Null => &schema["items"],
                    first => first,
                };
                check(description, items, value, place);
            }
        }
        Value::Null => assert!(names_type(schema, "null"), "{place} is null"),
        Value::Bool(_) => assert!(names_type(schema, "boolean"), "{place}: {value}"),
        Value::Number(number) => {
            let whole = names_type(schema, "integer") && number.is_u64();
            assert!(whole || names_type(schema, "number"), "{place}: {value}");
        }
        Value::String(_) => assert!(names_type(schema, "string"), "{place}: {value}"),
    }
}

fn names_type(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    }
}

#[test]
fn every_key_column_and_header_is_described() {
    let cloud = priced();
    cloud.add_usage(&[vm("2013-06-02", 2, 11, 5, 22.0)]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    let description = json(&server.get("/openapi.json"));
    for (path, item) in description["paths"].as_object().unwrap() {
        if path == "/openapi.json" || path == "/metrics" {
            continue;
        }
        let response = &item["get"]["responses"]["200"];
        let schema_value = &response["content"]["application/json"]["schema"];
        for more in ["", "granularity=day", "granularity=month"] {
            let described = item["get"]["parameters"].to_string();
            if !more.is_empty() && !described.contains("granularity") {
                continue;
            }
            let target = format!(
                "{}{}{more}",
                target(path),
                if more.is_empty() { "" } else { "&" }
            );
            let answer = server.get(&target);
            check(&description, schema_value, &json(&answer), path);
            for (name, header) in response["headers"].as_object().into_iter().flatten() {
                let header = schema(&description, header);
                let sent = answer.header(&name.to_lowercase()).is_some();
                assert!(
                    sent || header["required"] != true,
                    "{path} does not send {name}"
                );
            }
            if response["content"]["text/csv"].is_null() {
                continue;
            }
            let csv = ask_with(&server, "GET", &target, &["Accept: text/csv"]);
            let columns: BTreeSet<String> = csv
                .body
                .lines()
                .next()
                .unwrap()
                .split(',')
                .map(str::to_owned)
                .collect();
            let list = json(&answer);
            let rows = list.as_object().unwrap().values().find_map(|value| {
                let rows = value.as_array()?;
                rows.first().filter(|row| row.is_object())
            });
            let rows = rows.unwrap_or_else(|| panic!("{path} has no rows: {list}"));
            let keys: BTreeSet<String> = rows.as_object().unwrap().keys().cloned().collect();
            assert_eq!(columns, keys, "{path}");
        }
    }
}
