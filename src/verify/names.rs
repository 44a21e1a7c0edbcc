//! Accounts and resources whose uuid or name in `cloud` is not the one that the ledger holds.

use std::collections::{BTreeSet, HashMap};

use super::difference::{Difference, Kind, Name, about_day};
use crate::day::Day;
use crate::finding::FindingKind;
use crate::ledger::Ledger;
use crate::ledger::day::NewFinding;
use crate::ledger::naming::{AccountRef, NameChange};
use crate::ledger::verification::DayFigures;
use crate::metric::Metric;

/// Accounts and resources of a day that `cloud` knows otherwise now, and the findings that come of it. What was only
/// renamed is reported once.
pub fn names_that_differ(
    day: Day,
    ledger: &Ledger,
    stored: &DayFigures,
    reported: &mut BTreeSet<String>,
) -> (Vec<Difference>, Vec<NewFinding>) {
    let mut differences = Vec::new();
    let mut remapped = Vec::new();
    let accounts: BTreeSet<i64> = stored.figures.iter().map(|f| f.account_id).collect();
    for id in accounts {
        let (uuid, name, naming) = ledger.account_naming(AccountRef::Stored(id));
        let account = Some(Name { uuid, name });
        if let Some((kind, detail)) = in_words(naming) {
            if kind == Kind::Remapped {
                remapped.push(remapped_finding(Some(id), None, None, &detail));
            }
            differences.push(Difference {
                account,
                ..about_day(day, kind, detail)
            });
        }
    }
    let mut resources: HashMap<i64, Metric> = HashMap::new();
    for figure in &stored.figures {
        let metric = resources.entry(figure.resource_id).or_insert(figure.metric);
        *metric = figure.metric.min(*metric);
    }
    let mut resources: Vec<(i64, Metric)> = resources.into_iter().collect();
    resources.sort_unstable();
    for (resource_id, metric) in resources {
        let Some((uuid, name, naming)) = ledger.resource_naming(resource_id) else {
            continue;
        };
        if let Some((kind, detail)) = in_words(naming) {
            if kind == Kind::Remapped {
                let resource = Some(uuid.clone());
                remapped.push(remapped_finding(None, Some(metric), resource, &detail));
            }
            differences.push(Difference {
                metric: Some(metric),
                resource: Some(Name { uuid, name }),
                ..about_day(day, kind, detail)
            });
        }
    }
    differences.retain(|difference| {
        let who = (
            &difference.account,
            &difference.resource,
            &difference.detail,
        );
        difference.kind != Kind::Renamed || reported.insert(format!("{who:?}"))
    });
    (differences, remapped)
}

fn remapped_finding(
    account_id: Option<i64>,
    metric: Option<Metric>,
    resource: Option<String>,
    detail: &str,
) -> NewFinding {
    NewFinding {
        kind: FindingKind::Remapped,
        account_id,
        metric,
        resource,
        detail: detail.to_owned(),
    }
}

fn in_words(naming: NameChange) -> Option<(Kind, String)> {
    match naming {
        NameChange::Same => None,
        NameChange::Renamed { stored, now } => Some((
            Kind::Renamed,
            format!("stored as {stored:?}, cloud now says {now:?}"),
        )),
        NameChange::Remapped { stored, now } => Some((
            Kind::Remapped,
            format!("stored as {stored}, cloud now says {now}"),
        )),
    }
}
