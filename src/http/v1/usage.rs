//! `GET /v1/…/usage`: totals of one account, of every account, of a domain with all that is in it.

use super::problem::Problem;
use super::render::{PeriodFacts, period_facts};
use super::{Answer, Asking, Refusal, accounts, render};
use crate::day::DayRange;
use crate::ledger::read::Page;
use crate::ledger::read::accounts::{Account, AccountFilter, domain_path, list_accounts};
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, Question, TooManySums, list_totals,
};
use crate::output::{self, Document, Value};
use crate::view;
use crate::view::figures::ServerRows;

pub const PARAMETERS: [&str; 7] = [
    "start",
    "end",
    "month",
    "granularity",
    "metric",
    "require",
    "format",
];

pub const PARAMETERS_OF_ALL: [&str; 10] = [
    "start",
    "end",
    "month",
    "granularity",
    "metric",
    "require",
    "format",
    "domain",
    "limit",
    "cursor",
];

/// Accounts times months, or days where days are told apart, that are added up at once where accounts are told apart.
const PORTION: i64 = 1_000;

/// Sums that one portion may take: the figures of as many are some 200 MiB.
const MOST_SUMS: usize = 1_000_000;

/// Rows that are written at once, so that an answer is never held twice.
const PIECE: usize = 1_000;

/// An answer beyond this is refused: it waits in memory until its client has read it.
const LONGEST_BODY: usize = 64 << 20;

/// What all three are asked, checked.
struct Asked {
    range: DayRange,
    granularity: Granularity,
    metrics: Vec<String>,
}

pub fn of_account(asking: &Asking, uuid: &str) -> Result<Answer, Refusal> {
    let asked = Asked::read(asking)?;
    let account = asking.find_account(uuid)?;
    let mut period = asked.period(asking)?;
    period.facts.extend(view::accounts::facts(&account));
    let account = std::slice::from_ref(&account);
    written(asking, &asked, period, None, account, false)
}

pub fn of_domain(asking: &Asking, path: &str) -> Result<Answer, Refusal> {
    let asked = Asked::read(asking)?;
    let path = domain_path(path);
    let visible = asking.visible_ids()?;
    let filter = AccountFilter {
        domain: Some(&path),
        only: visible.as_ref(),
        ..AccountFilter::default()
    };
    let found = list_accounts(asking.snapshot, filter, Page::default())?;
    if found.is_empty() {
        return Err(accounts::no_domain(&path).into());
    }
    render::check_work(found.len(), asked.range)?;
    let mut period = asked.period(asking)?;
    period.facts.push(("domain_path", Value::Text(path)));
    let count = Value::Count(found.len() as u64);
    period.facts.push(("accounts", count));
    written(asking, &asked, period, None, &found, false)
}

pub fn of_all(asking: &Asking) -> Result<Answer, Refusal> {
    let asked = Asked::read(asking)?;
    let limit = asking.query.limit()?;
    let visible = asking.visible_ids()?;
    accounts::check_domain(asking, visible.as_ref())?;
    let mut period = asked.period(asking)?;
    let (accounts, next) = accounts::page(asking, visible.as_ref(), limit)?;
    render::check_work(accounts.len(), asked.range)?;
    period
        .facts
        .push(("next_cursor", Value::text(next.clone())));
    written(asking, &asked, period, next, &accounts, true)
}

impl Asked {
    fn read(asking: &Asking) -> Result<Asked, Problem> {
        let query = asking.query;
        // Looked at here, so that a wrong word is told before anything is looked for.
        query.requires_complete()?;
        Ok(Asked {
            range: query.period(asking.terms.max_days)?,
            granularity: query.granularity()?,
            metrics: query.metrics()?,
        })
    }

    /// The state of the days, unless a complete answer is asked for and there is none.
    fn period(&self, asking: &Asking) -> Result<PeriodFacts, Refusal> {
        let mut period = period_facts(asking, self.range)?;
        period.check_requirement(asking)?;
        let granularity = match self.granularity {
            Granularity::Total => "total",
            Granularity::Month => "month",
            Granularity::Day => "day",
        };
        let fact = Value::Text(granularity.to_owned());
        period.facts.push(("granularity", fact));
        Ok(period)
    }

    fn figures<'a>(
        &'a self,
        asking: &Asking<'a>,
        accounts: &'a [Account],
        by_account: bool,
    ) -> Result<Vec<Figure<'a>>, Refusal> {
        let question = Question {
            accounts,
            range: self.range,
            metrics: &self.metrics,
            by: Dimensions {
                account: by_account,
                resource: true,
                time: self.granularity,
                ..Dimensions::default()
            },
            zones: &asking.state.zones,
            most_sums: MOST_SUMS,
        };
        list_totals(asking.snapshot, &question).map_err(|err| match err.downcast_ref() {
            Some(TooManySums) => {
                let why = format!("more than {MOST_SUMS} sums have to be added up for the answer");
                too_much(&why, by_account).into()
            }
            None => err.into(),
        })
    }

    fn accounts_at_once(&self) -> anyhow::Result<usize> {
        let days = self.range.count_days();
        let stretches = match self.granularity {
            // Totals are added up from their months.
            Granularity::Total | Granularity::Month => days / 28 + 2,
            Granularity::Day => days,
        };
        Ok(usize::try_from((PORTION / stretches).max(1))?)
    }
}

/// The answer, refused if it gets too long. Beside its text, a portion of the accounts is held at a time, if they are
/// told apart, and a piece of the rows.
fn written(
    asking: &Asking,
    asked: &Asked,
    mut period: PeriodFacts,
    next: Option<String>,
    accounts: &[Account],
    by_account: bool,
) -> Result<Answer, Refusal> {
    let at_once = if by_account {
        asked.accounts_at_once()?
    } else {
        accounts.len()
    };
    let view = ServerRows::of(by_account, asked.granularity);
    let head = Document {
        facts: std::mem::take(&mut period.facts),
        rows_name: "usage",
        columns: view.columns(),
        ..Document::default()
    };
    let mut body = Vec::new();
    output::write_head(&head, asking.format, &mut body)?;
    let mut first = true;
    for portion in accounts.chunks(at_once) {
        for piece in asked.figures(asking, portion, by_account)?.chunks(PIECE) {
            let rows: Vec<Vec<Value>> = piece.iter().map(|figure| view.row(figure)).collect();
            output::write_rows(&head.columns, &rows, first, asking.format, &mut body)?;
            first = false;
            if body.len() > LONGEST_BODY {
                let why = format!("the answer is longer than {} MiB", LONGEST_BODY >> 20);
                return Err(too_much(&why, by_account).into());
            }
        }
    }
    output::write_end(first, asking.format, &mut body)?;
    Ok(Answer {
        headers: render::headers(asking, Some(period), next),
        body,
    })
}

/// What to ask for instead.
fn too_much(why: &str, by_account: bool) -> Problem {
    let (parameter, accounts) = if by_account {
        ("limit", "fewer accounts at a time by limit, for ")
    } else {
        ("end", "")
    };
    let detail = format!("{why}: ask for {accounts}fewer days or metrics, or for totals");
    Problem::of_parameter(parameter, detail)
}
