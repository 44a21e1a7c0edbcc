//! What waits for somebody: findings and corrections of some days, as lists of sentences. A page shows the first of
//! them and where all are.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::links;
use super::shell::{formats, name, quantity};
use crate::http::v1::context::Context;
use crate::ledger::read::Page;
use crate::ledger::read::corrections::{CorrectionFilter, StoredCorrection, list_corrections};
use crate::ledger::read::findings::{FindingFilter, StoredFinding, list_findings};
use crate::ledger::read::selection::Selection;
use crate::month::Month;

/// Sentences of a list.
const MOST: usize = 20;

/// Whose: `None`: everybody's, and what is nobody's.
pub struct Whose {
    ids: Option<BTreeSet<i64>>,
    hidden: Option<String>,
}

impl Whose {
    pub fn of(selection: Option<&Selection>) -> anyhow::Result<Whose> {
        Ok(Whose {
            ids: selection.map(Selection::ids),
            hidden: match selection {
                Some(selection) => selection.hidden_days()?,
                None => None,
            },
        })
    }
}

/// One more than is shown, to see whether there are more.
fn page() -> Page {
    Page {
        limit: u32::try_from(MOST + 1).ok(),
        offset: 0,
    }
}

/// Findings of a month that nobody has acknowledged.
pub fn findings(
    context: &Context,
    month: Month,
    whose: &Whose,
) -> anyhow::Result<Vec<StoredFinding>> {
    let filter = FindingFilter {
        range: Some(month.days()),
        accounts: whose.ids.as_ref(),
        hidden: whose.hidden.as_deref(),
        ..FindingFilter::default()
    };
    list_findings(context.snapshot, filter, page())
}

/// Corrections of a month; of one kind, if one is given.
pub fn corrections(
    context: &Context,
    month: Month,
    whose: &Whose,
    kind: Option<&str>,
) -> anyhow::Result<Vec<StoredCorrection>> {
    let filter = CorrectionFilter {
        range: Some(month.days()),
        kind,
        accounts: whose.ids.as_ref(),
        hidden: whose.hidden.as_deref(),
        ..CorrectionFilter::default()
    };
    list_corrections(context.snapshot, filter, page())
}

/// `list` is one longer than what is shown if there are more.
fn sentences<T>(list: &[T], address: &str, sentence: impl Fn(&T) -> Markup) -> Markup {
    html! {
        ul { @for one in list.iter().take(MOST) { li { (sentence(one)) } } }
        p.links {
            @if list.len() > MOST { "There are more. " }
            "All of them: " (formats(address))
        }
    }
}

pub fn show_findings(list: &[StoredFinding], root: &str, month: Month, address: &str) -> Markup {
    sentences(list, address, |finding| {
        html! {
            (finding.day) " " strong { (name(&finding.kind)) } ": " (finding.detail)
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
