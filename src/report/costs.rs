//! FOCUS with costs: each day's charges with their share of what the month's statement makes of them, and corrections by
//! their lines, because derived metrics have prices as well and no corrections of their own.

use std::collections::BTreeMap;

use super::focus::{self, Found, RowContext};
use crate::day::DayRange;
use crate::ledger::read::Snapshot;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{TotalsQuery, list_totals};
use crate::month::{Month, months_of};
use crate::output::{Document, Value};
use crate::prices::PriceList;
use crate::statement::{Corrections, Costing, Statement, StatementQuery, draw_up};

pub struct CostQuery<'a> {
    pub prices: &'a PriceList,
    /// Days of which charges are listed.
    pub range: DayRange,
    /// Of the days of all months that the range touches, by account, SKU, resource and day.
    pub figures: TotalsQuery<'a>,
    /// Whose; with all days of theirs.
    pub selection: &'a Selection,
    pub context: RowContext<'a>,
    /// Those found in the range.
    pub corrections: &'a [Found],
}

/// Charges with costs.
pub struct CostedCharges {
    /// Its notes are about prices.
    pub document: Document,
    /// Whether each line of a metric with a price has one.
    pub all_priced: bool,
}

/// What is wrong with the price file comes in words.
pub fn find_costs(
    snapshot: &Snapshot,
    question: &CostQuery,
) -> anyhow::Result<Result<CostedCharges, String>> {
    let costing = Costing::of(
        snapshot,
        question.prices,
        question.context.zones,
        question.selection,
    )?;
    let costing = match costing {
        Ok(costing) => costing,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut statements: BTreeMap<Month, Statement> = BTreeMap::new();
    for (month, _) in months_of(question.range) {
        match draw_up_month(snapshot, question, month)? {
            Ok(statement) => statements.insert(month, statement),
            Err(wrong) => return Ok(Err(wrong)),
        };
    }
    let figures = list_totals(snapshot, &question.figures)?;
    let costs = match costing.of_figures(&statements, &figures)? {
        Ok(costs) => costs,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (figure, cost) in figures.iter().zip(&costs) {
        let wanted = figure.day.is_some_and(|day| question.range.contains(day));
        if let Some(row) = focus::figure_row(figure, question.context)?.filter(|_| wanted) {
            rows.push(focus::with_cost(row, cost)?);
        }
    }
    for one in question.corrections {
        let (correction, found) = one;
        let (selection, context) = (question.selection, question.context);
        let statement = statements.get(&Month::of(*found));
        let lines = statement.map_or(&[][..], |statement| &statement.lines);
        for line in lines {
            if line.correction_id != Some(correction.id) {
                continue;
            }
            let row = focus::line_row(line, *found, selection, context)?;
            if let Some(row) = row {
                rows.push(focus::with_cost(row, &costing.of_correction(line)?)?);
            }
        }
        if !question.prices.has(&correction.metric)
            && is_asked(question, &correction.metric)
            && let Some(row) = focus::correction_row(one, selection, context)?
        {
            rows.push(focus::with_cost(row, &costing.nothing())?);
        }
    }
    let notes = statements
        .iter()
        .flat_map(|(month, statement)| statement.shortcomings(*month, &question.prices.file));
    Ok(Ok(CostedCharges {
        document: Document {
            rows_name: "charges",
            columns: focus::columns_with_costs(),
            rows,
            notes: notes.collect(),
            ..Document::default()
        },
        all_priced: statements
            .values()
            .all(|statement| statement.count_incomplete() == 0),
    }))
}

/// With the corrections that were found in the month.
fn draw_up_month(
    snapshot: &Snapshot,
    question: &CostQuery,
    month: Month,
) -> anyhow::Result<Result<Statement, String>> {
    let found = question.corrections.iter();
    let found = found.filter(|(_, found)| Month::of(*found) == month);
    let ids: Vec<i64> = found.map(|(correction, _)| correction.id).collect();
    let query = StatementQuery {
        prices: question.prices,
        month,
        selection: question.selection,
        zones: question.context.zones,
        most_lines: usize::MAX,
        corrections: Corrections::These(&ids),
    };
    Ok(draw_up(snapshot, &query)?.map(|mut statement| {
        statement
            .lines
            .retain(|line| is_asked(question, &line.metric));
        let unpriced = &mut statement.unpriced_metrics;
        unpriced.retain(|metric| is_asked(question, metric));
        statement
    }))
}

fn is_asked(question: &CostQuery, metric: &str) -> bool {
    let metrics = question.figures.metrics;
    metrics.is_empty() || metrics.iter().any(|one| one == metric)
}
