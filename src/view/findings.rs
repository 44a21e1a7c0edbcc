//! How findings are listed.

use super::{Cell, id, text};
use crate::finding::FindingKind;
use crate::ledger::read::findings::StoredFinding;
use crate::output::{Column, Value};

/// In `rbc-usage findings`.
pub const FOR_COMMANDS: &[Cell<StoredFinding>] = &[
    ID,
    DAY,
    KIND,
    ACCOUNT_NAME,
    ACCOUNT_UUID,
    METRIC,
    RESOURCE,
    DETAIL,
    UPSTREAM,
    ACKNOWLEDGED_AT,
    REASON,
    RESOURCE_NAME,
];

/// In `/v1/findings`.
pub const FOR_SERVER: &[Cell<StoredFinding>] = &[
    ID,
    DAY,
    KIND,
    ACCOUNT_UUID,
    ACCOUNT_NAME,
    METRIC,
    RESOURCE,
    DETAIL,
    ACKNOWLEDGED_AT,
    REASON,
    RESOURCE_NAME,
];

type FindingCell = Cell<StoredFinding>;

const ID: FindingCell = (Column::shown("id", "id").key(), |finding| id(finding.id));
const DAY: FindingCell = (Column::shown("day", "day").key(), |finding| {
    Value::Text(finding.day.to_string())
});
const KIND: FindingCell = (Column::shown("kind", "kind").key().kept(), |finding| {
    Value::Text(finding.kind.clone())
});
const ACCOUNT_NAME: FindingCell = (Column::shown("account_name", "account"), |finding| {
    text(&finding.account_name)
});
const ACCOUNT_UUID: FindingCell = (Column::hidden("account_uuid"), |finding| {
    text(&finding.account_uuid)
});
const METRIC: FindingCell = (
    Column::shown("metric", "metric").detail().kept(),
    |finding| text(&finding.metric),
);
const RESOURCE: FindingCell = (Column::shown("resource", "resource"), |finding| {
    text(&finding.resource)
});
const RESOURCE_NAME: FindingCell = (Column::shown("resource_name", "name").detail(), |finding| {
    text(&finding.resource_name)
});
const DETAIL: FindingCell = (
    Column::shown("detail", "detail").key().folded(),
    |finding| Value::Text(finding.detail.clone()),
);
const UPSTREAM: FindingCell = (Column::shown("upstream", "see").detail(), |finding| {
    let kind = FindingKind::of_name(&finding.kind).ok();
    Value::text(kind.and_then(|kind| kind.upstream(finding.metric.as_deref())))
});
const ACKNOWLEDGED_AT: FindingCell = (
    Column::shown("acknowledged_at", "acknowledged").detail(),
    |finding| text(&finding.acknowledged_at),
);
const REASON: FindingCell = (
    Column::shown("reason", "reason").detail().folded(),
    |finding| text(&finding.reason),
);
