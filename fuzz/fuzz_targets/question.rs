//! What a target asks for, under `/usage` and under `/v1`: days, ranges, months and parameters. Nothing panics, and no
//! range is longer than it may be.

#![no_main]

#[path = "../../src"]
#[allow(dead_code, unused_imports)]
mod program {
    pub mod aggregate;
    pub mod config;
    pub mod corrections;
    pub mod day;
    pub mod finding;
    pub mod ledger;
    pub mod metric;
    pub mod output;
    pub mod period;
    pub mod row;
    pub mod scope;
    pub mod source;
    pub mod words;
    pub mod zone;
}
#[path = "../../src/http"]
#[allow(dead_code, unused_imports)]
mod http {
    pub mod reply;
    pub mod route;
    pub mod v1;
}
use program::*;

use http::route::{place, route};
use http::v1::query::{Query, count_days};
use libfuzzer_sys::fuzz_target;
use tiny_http::Method;

const MOST: i64 = 3660;

const KNOWN: [&str; 9] = [
    "start",
    "end",
    "month",
    "metric",
    "limit",
    "granularity",
    "require",
    "format",
    "cursor",
];

fuzz_target!(|text: &str| {
    let yesterday = "2013-06-04".parse().unwrap();
    for target in [
        text.to_owned(),
        format!("/usage/u?{text}"),
        format!("/v1/usage?{text}"),
    ] {
        let _ = place(&target);
        if let Ok(question) = route(&Method::Get, &target, yesterday, MOST) {
            assert!(
                (1..=MOST).contains(&count_days(question.range)),
                "{target:?}"
            );
        }
    }
    if let Ok(query) = Query::parse(text, &KNOWN) {
        if let Ok(Some(range)) = query.optional_period(MOST) {
            assert!((1..=MOST).contains(&count_days(range)), "{text:?}");
        }
        let _ = (
            query.granularity(),
            query.metrics(),
            query.requires_complete(),
        );
        if let Ok(Some(limit)) = query.limit() {
            assert!((1..=1000).contains(&limit));
        }
    }
    if let Ok(day) = text.parse::<day::Day>() {
        assert_eq!(day.to_string(), text);
        assert_eq!(day.next().previous(), day);
    }
    if let Ok(month) = text.parse::<period::Month>() {
        assert!((28..=31).contains(&count_days(month.days())), "{text:?}");
    }
});
