//! `GET /v1/accounts/{uuid}/statement`: what a month of one account costs, by the operator's prices.

use super::context::{Body, Context};
use super::render::{self, ListWriter, period_facts};
use crate::http::refusal::{Problem, Rejection};
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::select_one;
use crate::ledger::read::totals::TooManySums;
use crate::month::Month;
use crate::output::Value;
use crate::scope::Scope;
use crate::statement::{Corrections, Standing, Statement, StatementQuery, draw_up, find_standing};
use crate::view;

pub const PARAMETERS: [&str; 3] = ["month", "require", "format"];

/// Lines that are read at once.
const MOST_LINES: usize = 100_000;

/// Lines that are written at a time.
const PIECE: usize = 1_000;

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    context.query.requires_complete()?;
    let Some(range) = context.query.optional_period(context.max_days)? else {
        let detail = "which month? give month=YYYY-MM";
        return Err(Problem::of_parameter("month", detail).into());
    };
    let month = Month::of(range.first());
    let drawn = draw(context, month)?;
    let mut period = period_facts(context, range)?;
    period.check_requirement(context)?;
    let DrawnStatement {
        statement,
        standing,
        account,
    } = &drawn;
    let mut facts = vec![("month", Value::Text(month.to_string()))];
    facts.append(&mut period.facts);
    facts.extend(view::accounts::facts(account));
    let mut head = statement.document(String::new(), facts, standing, "")?;
    // They are the totals.
    head.facts.retain(|(name, _)| *name != "account_totals");
    let mut list = ListWriter::begin(context, head)?;
    for lines in statement.lines.chunks(PIECE) {
        if let Some(why) = list.add(Statement::rows(lines))? {
            return Err(longer(&why).into());
        }
    }
    let body = list.finish()?;
    Ok(Body {
        headers: render::headers(context, Some(period), None),
        bytes: body,
    })
}

/// A statement of one account's month, as the user may see it.
pub struct DrawnStatement {
    pub statement: Statement,
    pub standing: Standing,
    /// As it was on the last of its days in the month, or else of its days.
    pub account: Account,
}

/// Draws up the statement of the account that the path names.
pub fn draw(context: &Context, month: Month) -> Result<DrawnStatement, Rejection> {
    let seen = context.find_account(context.argument)?;
    let Some(prices) = context.prices else {
        return Err(Problem::new(404, "this server has no prices").into());
    };
    let account = seen.account.clone();
    let selection = select_one(context.snapshot, seen)?;
    let question = StatementQuery {
        prices,
        month,
        selection: &selection,
        zones: &context.state.zones,
        most_lines: MOST_LINES,
        corrections: Corrections::Due,
    };
    let drawn = draw_up(context.snapshot, &question).map_err(too_much)?;
    let mut statement = drawn.map_err(|wrong| not_applicable(context, &wrong))?;
    if *context.scope != Scope::All {
        // The price file names others as well.
        statement.unknown_names.clear();
    }
    let mut in_month = selection.clone();
    in_month.cut(month.days());
    Ok(DrawnStatement {
        statement,
        standing: find_standing(context.snapshot, month)?,
        account: in_month.accounts.first().unwrap_or(&account).clone(),
    })
}

fn too_much(err: anyhow::Error) -> Rejection {
    match err.downcast_ref::<TooManySums>() {
        Some(_) => longer("the account has more lines than one answer takes").into(),
        None => err.into(),
    }
}

fn longer(why: &str) -> Problem {
    Problem::new(400, format!("{why}: rbc-usage statement prints it"))
}

/// A name in the price file means several things. Who may not see all accounts does not learn which.
fn not_applicable(context: &Context, wrong: &str) -> Problem {
    Problem::new(
        503,
        match context.scope {
            Scope::All => format!("the price file cannot be applied: {wrong}"),
            Scope::Only(_) => "the price file cannot be applied".to_owned(),
        },
    )
}
