//! `GET /v1/version`: which program answers, and from what.

use serde_json::json;

use super::context::{Body, Context};
use crate::http::refusal::Rejection;
use crate::ledger::SCHEMA_VERSION;

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let state = context.state;
    let date = |day: Option<crate::day::Day>| day.map(|day| day.to_string());
    let body = json!({
        "name": "rbc-usage",
        "version": env!("CARGO_PKG_VERSION"),
        "api": "v1",
        "schema": SCHEMA_VERSION,
        "timezone": state.zones.name(),
        "revision": state.revision,
        "first_day": date(state.days.map(|days| days.first())),
        "last_day": date(state.days.map(|days| days.last())),
        "newest_closed_day": date(state.newest_closed_day),
    });
    Ok(Body {
        headers: Vec::new(),
        bytes: format!("{body}\n").into_bytes(),
    })
}
