//! A statement as HTML for people who print it: account by account its lines, what they make, and what one should know
//! about them. The server shows it, and the command writes it to a file.

use std::collections::BTreeMap;

use anyhow::Context;
use maud::{Markup, html};
use rust_decimal::Decimal;

use super::lines::{LineCharge, Statement, StatementLine};
use crate::html::{month_name, name};
use crate::month::Month;
use crate::output::unit::with_thousands;
use crate::prices::Currency;

/// What stands on a statement beside its lines.
pub struct StatementFrame<'a> {
    pub month: Month,
    /// Of the month's last day.
    pub timezone: &'a str,
    /// The real hours of the month.
    pub hours: f64,
    /// Whether figures may still change, in words.
    pub state: &'a str,
    /// What one should know, a sentence each.
    pub notes: &'a [String],
}

impl Statement {
    /// Without the head of a document.
    pub fn page(&self, frame: &StatementFrame) -> anyhow::Result<Markup> {
        let accounts = self
            .lines
            .chunk_by(|one, other| one.account.uuid == other.account.uuid);
        let accounts: Vec<&[StatementLine]> = accounts.collect();
        let tables: Vec<Markup> = accounts
            .iter()
            .map(|lines| account(lines, frame.month))
            .collect::<anyhow::Result<_>>()?;
        let month = frame.month;
        let all = sums(&self.lines)?;
        Ok(html! {
            h1 { "Statement " small { (month_name(month)) } }
            p {
                (month.days().first()) " to " (month.days().last()) ", " (frame.hours) " hours, " (frame.timezone)
                ". The figures are " strong { (frame.state) } "."
            }
            @if tables.is_empty() { p { "Nothing that has a price was used in this month." } }
            @for table in &tables { (table) }
            @if tables.len() > 1 {
                section {
                    h2 { "All accounts" }
                    dl.sums { @for (currency, amount) in &all {
                        dt { "Total" } dd { (with_thousands(&amount.to_string())) " " (currency) }
                    } }
                }
            }
            @if !frame.notes.is_empty() {
                section {
                    h2 { "Notes" }
                    ul { @for note in frame.notes { li { (note) } } }
                }
            }
        })
    }
}

/// What lines make in each currency.
fn sums(lines: &[StatementLine]) -> anyhow::Result<BTreeMap<Currency, Decimal>> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let LineCharge::Priced(amount) = &line.charge else {
            continue;
        };
        let currency = amount.currency;
        let sum = sums
            .entry(currency)
            .or_insert_with(|| currency.round(Decimal::ZERO));
        let total = sum.checked_add(amount.amount);
        *sum = total.context("the total is too large a number")?;
    }
    Ok(sums)
}

/// The lines of one account; there is at least one.
fn account(lines: &[StatementLine], month: Month) -> anyhow::Result<Markup> {
    let account = &lines[0].account;
    let sums = sums(lines)?;
    Ok(html! {
        section.account {
            h2 { (account.project_name.as_deref().unwrap_or(&account.name)) }
            dl {
                dt { "Account" } dd { (account.name) " " code { (account.uuid) } }
                @if let Some(uuid) = &account.project_uuid { dt { "Project" } dd { code { (uuid) } } }
                @if let Some(path) = &account.domain_path { dt { "Domain" } dd { (path) } }
            }
            table.lines {
                thead { tr {
                    th scope="col" { "What" }
                    th scope="col" { "Quantity" }
                    th scope="col" { "Price" }
                    th scope="col" { "Amount" }
                } }
                tbody { @for line in lines { tr { (what(line, month)) (charge(line)) } } }
                tfoot { @for (currency, amount) in &sums { tr {
                    th scope="row" colspan="3" { "Total" }
                    td { strong { (with_thousands(&amount.to_string())) " " (currency) } }
                } } }
            }
        }
    })
}

fn what(line: &StatementLine, month: Month) -> Markup {
    let sku = &line.sku;
    let named = [&sku.offering, &sku.zone].into_iter().flatten();
    let mut parts: Vec<String> = named.map(|one| one.name.clone()).collect();
    parts.extend(sku.size.vcpus.map(|number| format!("{number} vCPU")));
    parts.extend(sku.size.mhz.map(|number| format!("{number} MHz")));
    parts.extend(sku.size.memory_mib.map(|number| format!("{number} MiB")));
    if line.days != month.days() {
        parts.push(match line.days.count_days() {
            1 => line.days.first().to_string(),
            _ => format!("{} to {}", line.days.first(), line.days.last()),
        });
    }
    if let Some(id) = line.correction_id {
        parts.push(format!("correction {id}"));
    }
    html! {
        th scope="row" {
            @if let Some(resource) = &line.resource { (resource.name) ", " }
            (name(&line.metric))
            @if !parts.is_empty() { br; small { (parts.join(", ")) } }
        }
    }
}

fn charge(line: &StatementLine) -> Markup {
    let missing = match &line.charge {
        LineCharge::Priced(amount) => {
            return html! {
                td { (with_thousands(&amount.units.to_string())) " " (amount.unit) }
                td { (amount.price) }
                td { (with_thousands(&amount.amount.to_string())) " " (amount.currency) }
            };
        }
        LineCharge::NoPrice => "no price",
        LineCharge::NoSize => "the size is not known",
    };
    html! { td { "–" } td { strong.bad { (missing) } } td { "–" } }
}
