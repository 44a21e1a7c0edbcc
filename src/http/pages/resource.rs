//! `GET /accounts/{uuid}/resources/{uuid}`: the days of a month of one VM, volume, address … of an account: in words, as
//! far as the ledger knows why, and as pictures with tables. What has not been used looks like what is not there.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::account::{called, who};
use super::days::{ShownDay, list, standing};
use super::links;
use super::months::{chosen, neighbours};
use super::plot::Series;
use super::shell::{HtmlPage, body, formats, month_name, name, scope_note};
use super::used::{Table, UsedMetric, list_metrics, read};
use super::waiting::{Concerned, corrections, show_corrections};
use crate::day::{Day, in_ranges};
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::ledger::read::resources::find_resources;
use crate::ledger::read::selection::select_one;
use crate::ledger::read::totals::{Dimensions, Granularity, LineChoice};
use crate::metric::GIB;

pub const PARAMETERS: [&str; 1] = ["month"];

const ROOT: &str = "../../../";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let seen = context.find_account(context.argument)?;
    let account = seen.account.clone();
    let mut selection = select_one(context.snapshot, seen)?;
    selection.cut(month.days());
    let account = selection.accounts.first().unwrap_or(&account);
    let days = list(context, month)?;
    let ids = find_resources(context.snapshot, context.second)?.unwrap_or_default();
    let only = LineChoice {
        resources: Some(&ids),
        ..LineChoice::default()
    };
    let by = Dimensions {
        sku: true,
        resource: true,
        time: Granularity::Day,
        ..Dimensions::default()
    };
    let figures = read(context, &selection, month, only, by)?;
    let facts = figures.iter().rev().find_map(|one| one.resource.clone());
    let metrics = list_metrics(&figures, month);
    let concerned = Concerned::of(Some(&selection))?;
    let mut corrected = corrections(context, month.days(), &concerned, None)?;
    corrected.retain(|one| {
        let mut lines = one.lines.lines.iter();
        lines.any(|line| line.resource_uuid.as_deref() == Some(context.second))
    });
    let uuid = links::encoded(context.argument);
    let title = facts.as_ref().map_or(context.second, |one| &one.name);
    let of_account = format!("{ROOT}v1/accounts/{uuid}/usage?month={month}");
    let content = html! {
        h1 { (title) " " small { (month_name(month)) } }
        (neighbours(context, month))
        dl {
            @if let Some(facts) = &facts {
                dt { (name(&facts.kind)) } dd { code { (facts.uuid) } }
            }
        }
        (who(account, month, ROOT))
        (scope_note(context))
        p { (standing(&days)) }
        @if metrics.is_empty() {
            p { "Nothing that is called like this was used by " (called(account)) " in this month." }
        } @else {
            section {
                h2 { "Which days, and why" }
                (in_words(context, &metrics, &days))
                p {
                    "The ledger has days. Which hours of a day these are, and the source rows that say so, are printed by"
                }
                pre { code { "rbc-usage explain " (account.uuid) " " (month) " METRIC " (context.second) } }
            }
            section {
                h2 { "Usage" }
                @for metric in &metrics { (metric.shown(&days, Table::Unfolded)) }
                p.links {
                    "All resources of the account, by day and SKU: "
                    (formats(&format!("{of_account}&granularity=day&group=sku,resource")))
                }
            }
            section {
                h2 { "Corrections" }
                @if corrected.is_empty() { p { "None of which it is known that they are about this." } } @else {
                    (show_corrections(&corrected, ROOT, month,
                        &format!("{ROOT}v1/corrections?account={uuid}&month={month}")))
                }
            }
        }
    };
    let page = HtmlPage {
        title: &format!("{title}, {}", month_name(month)),
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}

/// What each day had, for those metrics whose figures mean a time: hours, and what was held over hours.
fn in_words(context: &Context, metrics: &[UsedMetric], days: &[ShownDay]) -> Markup {
    let hours: Vec<f64> = days
        .iter()
        .map(|day| context.state.zones.hours(day.day.into()))
        .collect();
    html! {
        ul {
            @for metric in metrics {
                @let words: fn(f64, f64) -> String = match metric.facts.unit.as_str() {
                    "hours" => of_hours,
                    "byte-hours" => held,
                    _ => continue,
                };
                @for one in &metric.series { li {
                    strong { (name(&metric.facts.name)) } " (" (one.label) "): "
                    (sentence(one, days, &hours, words)) "."
                } }
            }
        }
    }
}

fn of_hours(quantity: f64, hours: f64) -> String {
    // As many digits as are shown.
    match (quantity - hours).abs() < 0.005 {
        true => "all hours".to_owned(),
        false => format!("{quantity:.2} of {hours} hours"),
    }
}

fn held(quantity: f64, hours: f64) -> String {
    format!("{:.2} GiB held on average", quantity / GIB / hours)
}

/// `all hours on 2026-10-01..2026-10-14; 7.50 of 24 hours on 2026-10-15; nothing on 2026-10-16..2026-10-31`
fn sentence(
    series: &Series,
    days: &[ShownDay],
    hours: &[f64],
    words: fn(f64, f64) -> String,
) -> String {
    // In the order of the first day of each.
    let mut parts: BTreeMap<String, Vec<Day>> = BTreeMap::new();
    for ((day, hours), height) in days.iter().zip(hours).zip(&series.heights) {
        let state = day.is_unfinished().then(|| format!(" ({})", day.word()));
        let said = match *height > 0.0 {
            true => words(*height, *hours),
            false => "nothing".to_owned(),
        };
        let said = said + &state.unwrap_or_default();
        parts.entry(said).or_default().push(day.day);
    }
    let mut parts: Vec<(String, Vec<Day>)> = parts.into_iter().collect();
    parts.sort_by_key(|(_, days)| days.first().copied());
    let all = days.len();
    let parts = parts
        .into_iter()
        .map(|(said, days)| match days.len() == all {
            true => format!("{said} on each day"),
            false => format!("{said} on {}", in_ranges(&days)),
        });
    parts.collect::<Vec<String>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::read::days::DayState;

    /// The third day has 25 hours; the last has not ended.
    #[test]
    fn days_are_told_in_words() {
        let day = |number: u8, state| ShownDay {
            day: format!("2026-10-{number:02}").parse().unwrap(),
            state,
        };
        let closed = Some(DayState::Closed);
        let days = [
            day(23, closed),
            day(24, closed),
            day(25, closed),
            day(26, closed),
            day(27, None),
        ];
        let hours = [24.0, 24.0, 25.0, 24.0, 24.0];
        let series = Series {
            label: String::new(),
            heights: vec![24.0, 7.5, 25.0, 0.0, 0.0],
        };
        assert_eq!(
            sentence(&series, &days, &hours, of_hours),
            "all hours on 2026-10-23, 2026-10-25; 7.50 of 24 hours on 2026-10-24; nothing on 2026-10-26; \
             nothing (to come) on 2026-10-27"
        );
        let whole = [&days[0], &days[1]].map(|day| ShownDay { ..*day });
        let series = Series {
            label: String::new(),
            heights: vec![24.0, 24.0],
        };
        assert_eq!(
            sentence(&series, &whole, &hours[..2], of_hours),
            "all hours on each day"
        );
        assert_eq!(held(25.0 * 20.0 * GIB, 25.0), "20.00 GiB held on average");
    }
}
