//! What waits for somebody: findings and corrections of some days, as lists of sentences. A page shows the first of
//! them and where all are.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::links;
use super::shell::{formats, name, quantity};
use crate::day::DayRange;
use crate::http::v1::context::Context;
use crate::ledger::read::Page;
use crate::ledger::read::corrections::{CorrectionFilter, StoredCorrection, list_corrections};
use crate::ledger::read::findings::{FindingFilter, StoredFinding, list_findings};
use crate::ledger::read::selection::Selection;
use crate::month::Month;

/// Sentences of a list, and how many of them are there at first sight.
const MOST: usize = 25;
const FIRST: usize = 5;

/// Whose entries are listed; without ids everybody's, and what is nobody's.
pub struct Concerned {
    ids: Option<BTreeSet<i64>>,
    hidden: Option<String>,
}

impl Concerned {
    pub fn of(selection: Option<&Selection>) -> anyhow::Result<Concerned> {
        Ok(Concerned {
            ids: selection.map(Selection::ids),
            hidden: match selection {
                Some(selection) => selection.hidden_days()?,
                None => None,
            },
        })
    }

    /// As filters of lists take it.
    pub fn ids(&self) -> Option<&BTreeSet<i64>> {
        self.ids.as_ref()
    }

    pub fn hidden(&self) -> Option<&str> {
        self.hidden.as_deref()
    }
}

/// One more than is shown, to see whether there are more.
fn page() -> Page {
    Page {
        limit: u32::try_from(MOST + 1).ok(),
        offset: 0,
    }
}

/// Findings of some days that nobody has acknowledged.
pub fn findings(
    context: &Context,
    range: DayRange,
    concerned: &Concerned,
) -> anyhow::Result<Vec<StoredFinding>> {
    let filter = FindingFilter {
        range: Some(range),
        accounts: concerned.ids.as_ref(),
        hidden: concerned.hidden.as_deref(),
        ..FindingFilter::default()
    };
    list_findings(context.snapshot, filter, page())
}

/// Corrections of some days; of one kind, if one is given.
pub fn corrections(
    context: &Context,
    range: DayRange,
    concerned: &Concerned,
    kind: Option<&str>,
) -> anyhow::Result<Vec<StoredCorrection>> {
    let filter = CorrectionFilter {
        range: Some(range),
        kind,
        accounts: concerned.ids.as_ref(),
        hidden: concerned.hidden.as_deref(),
        ..CorrectionFilter::default()
    };
    list_corrections(context.snapshot, filter, page())
}

/// `list` is one longer than what is shown if there are more.
fn sentences<T>(list: &[T], address: &str, sentence: impl Fn(&T) -> Markup) -> Markup {
    html! {
        @let (first, rest) = list.split_at(list.len().min(FIRST));
        ul { @for one in first { li { (sentence(one)) } } }
        @if !rest.is_empty() {
            @let rest = &rest[..rest.len().min(MOST - FIRST)];
            details {
                summary { (rest.len()) " more" }
                ul { @for one in rest { li { (sentence(one)) } } }
            }
        }
        p.links {
            @if list.len() > MOST { "There are still more. " }
            "All of them: " (formats(address))
        }
    }
}

pub fn show_findings(list: &[StoredFinding], root: &str, month: Month, address: &str) -> Markup {
    sentences(list, address, |finding| {
        html! {
            (finding.day) " " strong { (name(&finding.kind)) } ": " (finding.detail)
            @if let Some(resource) = &finding.resource_name { ", " (resource) }
            @if let Some(metric) = &finding.metric { ", " (name(metric)) }
            @if let Some(uuid) = &finding.account_uuid {
                ", account "
                a href=(links::account(root, uuid, month)) {
                    (finding.account_name.as_deref().unwrap_or(uuid))
                }
            }
        }
    })
}

pub fn show_corrections(
    list: &[StoredCorrection],
    root: &str,
    month: Month,
    address: &str,
) -> Markup {
    let value = |number: Option<f64>, unit: &str| match number {
        Some(number) => quantity(number, unit),
        None => "nothing".to_owned(),
    };
    sentences(list, address, |one| {
        html! {
            (one.day) " " strong { (one.kind) } ": " (name(&one.metric))
            @if let Some(resource) = &one.resource_name { " of " (resource) }
            " from " (value(one.old_quantity, &one.unit)) " to " (value(one.new_quantity, &one.unit))
            ", account "
            a href=(links::account(root, &one.account_uuid, month)) { (one.account_name) }
            ", found " (one.corrected_at)
            @if let Some(at) = &one.acknowledged_at { ", acknowledged " (at) }
        }
    })
}
