//! What an account, or something of an account's, used of each metric in a month: a picture of its days stacked by SKU,
//! and the table that has the same figures, in which days that are alike share a row.

use std::collections::BTreeMap;
use std::rc::Rc;

use maud::{Markup, html};

use super::days::ShownDay;
use super::plot::{self, MOST_SERIES, Series};
use super::shell::{name, quantity};
use crate::http::refusal::Rejection;
use crate::http::v1::context::Context;
use crate::http::v1::usage::{MOST_SUMS, figures_of};
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{
    Dimensions, Figure, LineChoice, MetricFacts, ResourceFacts, TotalsQuery,
};
use crate::month::Month;
use crate::output::Unit;
use crate::sku::VmSize;
use crate::sum::CompensatedSum;

/// Figures of a month.
pub fn read<'a>(
    context: &'a Context,
    selection: &'a Selection,
    month: Month,
    only: LineChoice<'a>,
    by: Dimensions,
) -> Result<Vec<Figure<'a>>, Rejection> {
    let question = TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range: month.days(),
        metrics: &[],
        only,
        by,
        zones: &context.state.zones,
        most_sums: MOST_SUMS,
    };
    figures_of(context, &question)
}

/// What tells SKUs of a metric apart: offering, zone, size.
type SkuKey<'a> = (Option<&'a str>, Option<&'a str>, VmSize);

fn key<'a>(figure: &'a Figure) -> SkuKey<'a> {
    let uuid = |facts: &'a Option<Rc<ResourceFacts>>| facts.as_ref().map(|one| one.uuid.as_str());
    (uuid(&figure.offering), uuid(&figure.zone), figure.size)
}

fn label(figure: &Figure) -> String {
    let named = [&figure.offering, &figure.zone].into_iter().flatten();
    let mut parts: Vec<String> = named.map(|one| one.name.clone()).collect();
    let size = figure.size;
    parts.extend(size.vcpus.map(|number| format!("{number} vCPU")));
    parts.extend(size.mhz.map(|number| format!("{number} MHz")));
    parts.extend(size.memory_mib.map(|number| format!("{number} MiB")));
    match parts.is_empty() {
        true => "not told apart".to_owned(),
        false => parts.join(", "),
    }
}

/// One metric in a month.
pub struct UsedMetric {
    pub facts: Rc<MetricFacts>,
    pub total: f64,
    /// By SKU, from the largest; the smallest of many are one.
    pub series: Vec<Series>,
}

/// A month by metric and SKU, of figures of days that are grouped by SKU.
pub fn list_metrics(figures: &[Figure], month: Month) -> Vec<UsedMetric> {
    let length = month.days().days().count();
    let mut metrics: BTreeMap<&str, (Rc<MetricFacts>, BTreeMap<SkuKey, Series>)> = BTreeMap::new();
    for figure in figures {
        let Some(day) = figure.day else { continue };
        let (_, skus) = metrics
            .entry(&figure.metric.name)
            .or_insert_with(|| (Rc::clone(&figure.metric), BTreeMap::new()));
        let series = skus.entry(key(figure)).or_insert_with(|| Series {
            label: label(figure),
            heights: vec![0.0; length],
        });
        series.heights[usize::from(day.day_of_month()) - 1] += figure.quantity;
    }
    let metrics = metrics.into_values().map(|(facts, skus)| UsedMetric {
        total: sum(skus.values().flat_map(|one| &one.heights)),
        facts,
        series: largest(skus.into_values().collect()),
    });
    metrics.collect()
}

fn sum<'a>(numbers: impl Iterator<Item = &'a f64>) -> f64 {
    let mut sum = CompensatedSum::default();
    for number in numbers {
        sum.add(*number);
    }
    sum.value()
}

/// The largest SKUs, and the rest as one.
fn largest(mut skus: Vec<Series>) -> Vec<Series> {
    skus.sort_by(|one, other| sum(other.heights.iter()).total_cmp(&sum(one.heights.iter())));
    if skus.len() <= MOST_SERIES + 1 {
        return skus;
    }
    let small = skus.split_off(MOST_SERIES);
    let days = 0..small[0].heights.len();
    let heights = days.map(|day| sum(small.iter().map(|one| &one.heights[day])));
    skus.push(Series {
        label: format!("{} others", small.len()),
        heights: heights.collect(),
    });
    skus
}

/// Whether the table of the days is there at first sight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Folded,
    Unfolded,
}

impl UsedMetric {
    pub fn shown(&self, days: &[ShownDay], table: Table) -> Markup {
        let MetricFacts {
            name: metric, unit, ..
        } = &*self.facts;
        let pale: Vec<bool> = days.iter().map(ShownDay::is_unfinished).collect();
        let highest = plot::highest(&self.series, days.len());
        html! {
            article {
                h3 { (name(metric)) }
                p {
                    strong { (quantity(self.total, unit)) } " in all, at most " (quantity(highest, unit)) " on a day"
                    @if let [only] = &self.series[..] { "; " (only.label) }
                }
                (plot::bars(&format!("{metric} by day"), &self.series, &pale))
                p.axis aria-hidden="true" { span { "1" } span { (days.len()) } }
                @if self.series.len() > 1 { (self.by_sku()) }
                details open[table == Table::Unfolded] {
                    summary { "Day by day" span.hidden { " of " (metric) } }
                    (self.by_day(days))
                }
            }
        }
    }

    fn by_sku(&self) -> Markup {
        html! {
            table.skus {
                thead { tr { th scope="col" { "SKU" } th scope="col" { "Quantity" } } }
                tbody { @for (place, one) in self.series.iter().enumerate() { tr {
                    th scope="row" { (plot::swatch(place)) (place + 1) ": " (one.label) }
                    td { (quantity(sum(one.heights.iter()), &self.facts.unit)) }
                } } }
            }
        }
    }

    fn by_day(&self, days: &[ShownDay]) -> Markup {
        let unit = &self.facts.unit;
        let words = column_unit(unit);
        let heading = words.clone().unwrap_or_else(|| "Quantity".to_owned());
        let several = self.series.len() > 1;
        let table = html! {
            table.days {
                thead { tr {
                    th scope="col" { "Day" }
                    @if several {
                        @for place in 1..=self.series.len() { th scope="col" { "SKU " (place) } }
                    } @else {
                        th scope="col" { (heading) }
                    }
                } }
                // Their headings are those of rows without being told so: they are the first of each.
                tbody { @for row in self.rows(days) { tr {
                    th { (row.days) }
                    @for cell in row.cells { td { (cell) } }
                } } }
            }
        };
        let said = format!("{} by day and SKU", self.facts.name);
        html! {
            @if several {
                @if let Some(words) = words { p.note { "In " (words) ", on each of the days." } }
                // It may be wider than a telephone; what can be moved has to be reached by the keyboard.
                div.scroll role="region" aria-label=(said) tabindex="0" { (table) }
            } @else { (table) }
        }
    }

    fn rows(&self, days: &[ShownDay]) -> Vec<AlikeDays> {
        let mut rows: Vec<(usize, usize, Vec<String>, Option<&str>)> = Vec::new();
        for (place, day) in days.iter().enumerate() {
            let cells = self.series.iter();
            let cells: Vec<String> = cells
                .map(|one| cell(one.heights[place], &self.facts.unit))
                .collect();
            let state = day.is_unfinished().then(|| day.word());
            match rows.last_mut() {
                Some((_, last, had, of)) if (&*had, *of) == (&cells, state) => *last = place,
                Some(_) | None => rows.push((place, place, cells, state)),
            }
        }
        let rows = rows.into_iter().map(|(first, last, cells, state)| {
            let mut days = (first + 1).to_string();
            if last > first {
                days += &format!("–{}", last + 1);
            }
            if let Some(state) = state {
                days += &format!(" ({state})");
            }
            AlikeDays { days, cells }
        });
        rows.collect()
    }
}

/// Days of a month that are alike.
struct AlikeDays {
    days: String,
    cells: Vec<String>,
}

/// The unit that all figures of a column have; `None`: each has its own.
fn column_unit(unit: &str) -> Option<String> {
    if Unit::of_name(unit) == Unit::Bytes {
        return None;
    }
    let shown = quantity(0.0, unit);
    shown.split_once(' ').map(|(_, words)| words.to_owned())
}

/// A figure below the name of its unit.
fn cell(number: f64, unit: &str) -> String {
    if number == 0.0 {
        return "–".to_owned();
    }
    let shown = quantity(number, unit);
    let number = column_unit(unit).and_then(|words| {
        let number = shown.strip_suffix(&words)?;
        Some(number.trim_end().to_owned())
    });
    number.unwrap_or(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(label: &str, heights: &[f64]) -> Series {
        Series {
            label: label.to_owned(),
            heights: heights.to_vec(),
        }
    }

    #[test]
    fn figures_stand_below_their_unit() {
        assert_eq!(cell(24.0, "hours"), "24.00");
        assert_eq!(cell(0.001, "hours"), "<0.01");
        assert_eq!(cell(0.0, "hours"), "–");
        assert_eq!(cell(1536.0, "bytes"), "1.50 KiB");
        assert_eq!(cell(7.0, "as stored"), "7.00");
        assert_eq!(column_unit("byte-hours").as_deref(), Some("GiB-hours"));
    }

    /// Of nine SKUs the two smallest are one: 1 + 2 on the first day, 0 + 1 on the second.
    #[test]
    fn the_smallest_skus_are_one() {
        let mut skus: Vec<Series> = (3..10)
            .map(|size| series(&size.to_string(), &[f64::from(size), 9.0]))
            .collect();
        skus.insert(2, series("one", &[1.0, 0.0]));
        skus.insert(5, series("two", &[2.0, 1.0]));
        let shown = largest(skus);
        let labels: Vec<&str> = shown.iter().map(|one| one.label.as_str()).collect();
        assert_eq!(labels, ["9", "8", "7", "6", "5", "4", "3", "2 others"]);
        assert_eq!(shown[7].heights, [3.0, 1.0]);
    }
}
