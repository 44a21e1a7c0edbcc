//! `GET /v1/…/usage`: totals of one account, of every account, of a domain with all that is in it.

use super::context::{Body, Context};
use super::render::{ListWriter, PeriodFacts, period_facts};
use super::{accounts, render};
use crate::day::DayRange;
use crate::http::refusal::Problem;
use crate::http::refusal::Rejection;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::{Selection, select_one};
use crate::ledger::read::stretches::Stretches;
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, LineChoice, TooManySums, TotalsQuery, list_totals,
};
use crate::output::{Document, Value};
use crate::view;
use crate::view::figures::{FigureGroup, ServerRows};

pub const PARAMETERS_OF_ALL: [&str; 11] = [
    "start",
    "end",
    "month",
    "granularity",
    "group",
    "metric",
    "require",
    "format",
    "domain",
    "limit",
    "cursor",
];

/// What `group` takes.
const GROUPS: [&str; 5] = [
    "offering",
    "sku",
    "resource",
    "sku,resource",
    "resource,sku",
];

/// All but those that choose accounts.
pub const PARAMETERS: &[&str] = PARAMETERS_OF_ALL.split_at(8).0;

/// Accounts times months (or days, if the answer is by day) that are added up at once if the answer is by account.
const PORTION: i64 = 1_000;

/// Sums that one portion may have; their figures take some 200 MiB.
pub const MOST_SUMS: usize = 1_000_000;

/// Rows that are written at a time, so that an answer is never held twice.
const PIECE: usize = 1_000;

/// The parameters that all three have, checked.
struct UsageQuery {
    range: DayRange,
    granularity: Granularity,
    group: FigureGroup,
    metrics: Vec<String>,
}

pub fn of_account(context: &Context) -> Result<Body, Rejection> {
    let asked = UsageQuery::read(context)?;
    let seen = context.find_account(context.argument)?;
    let account = seen.account.clone();
    let mut selection = select_one(context.snapshot, seen)?;
    selection.cut(asked.range);
    let mut period = asked.period(context)?;
    // One that has no day here is as it was on the last that there is.
    let account = selection.accounts.first().unwrap_or(&account);
    period.facts.extend(view::accounts::facts(account));
    written(context, &asked, period, None, &selection, false)
}

pub fn of_domain(context: &Context) -> Result<Body, Rejection> {
    let asked = UsageQuery::read(context)?;
    let (found, mut selection) = context.find_domain(context.argument)?;
    selection.cut(asked.range);
    render::check_work(selection.accounts.len(), asked.range)?;
    let mut period = asked.period(context)?;
    let path = found.path_among(selection.domains_newest_first());
    let count = Value::Count(selection.accounts.len() as u64);
    period.facts.extend([
        ("domain_uuid", Value::text(found.uuid.as_deref())),
        ("domain_path", Value::text(path)),
        ("accounts", count),
    ]);
    written(context, &asked, period, None, &selection, false)
}

pub fn of_all(context: &Context) -> Result<Body, Rejection> {
    let asked = UsageQuery::read(context)?;
    let limit = context.query.limit()?;
    let chosen = accounts::chosen(context, accounts::Membership::Ever)?;
    let mut period = asked.period(context)?;
    let (accounts, next) = accounts::page(context, chosen.as_ref(), limit)?;
    render::check_work(accounts.len(), asked.range)?;
    let mut selection = match chosen {
        Some(chosen) => chosen.only(accounts),
        None => Selection::whole(context.snapshot, accounts)?,
    };
    selection.cut(asked.range);
    period
        .facts
        .push(("next_cursor", Value::text(next.clone())));
    written(context, &asked, period, next, &selection, true)
}

impl UsageQuery {
    fn read(context: &Context) -> Result<UsageQuery, Problem> {
        let query = context.query;
        // Checked here, so that a wrong value is reported before anything is read.
        query.requires_complete()?;
        Ok(UsageQuery {
            range: query.period(context.max_days)?,
            granularity: query.granularity()?,
            group: match query.word("group", &GROUPS)? {
                Some(1) => FigureGroup::Sku,
                Some(2) => FigureGroup::Resource,
                Some(3 | 4) => FigureGroup::SkuAndResource,
                _ => FigureGroup::Offering,
            },
            metrics: query.metrics()?,
        })
    }

    /// The state of the days; an error if a complete answer is required and there is none.
    fn period(&self, context: &Context) -> Result<PeriodFacts, Rejection> {
        let mut period = period_facts(context, self.range)?;
        period.check_requirement(context)?;
        let granularity = match self.granularity {
            Granularity::Total => "total",
            Granularity::Month => "month",
            Granularity::Day => "day",
        };
        let fact = Value::Text(granularity.to_owned());
        period.facts.push(("granularity", fact));
        if matches!(
            self.group,
            FigureGroup::Resource | FigureGroup::SkuAndResource
        ) {
            let without = render::days_without_resources(context, self.range)?;
            period.facts.push(without);
        }
        Ok(period)
    }

    fn figures<'a>(
        &'a self,
        context: &Context<'a>,
        accounts: &'a [Account],
        stretches: &'a Stretches,
        by_account: bool,
    ) -> Result<Vec<Figure<'a>>, Rejection> {
        let question = TotalsQuery {
            accounts,
            stretches: Some(stretches),
            range: self.range,
            metrics: &self.metrics,
            only: LineChoice::default(),
            by: Dimensions {
                account: by_account,
                offering: self.group == FigureGroup::Offering,
                sku: matches!(self.group, FigureGroup::Sku | FigureGroup::SkuAndResource),
                resource: matches!(
                    self.group,
                    FigureGroup::Resource | FigureGroup::SkuAndResource
                ),
                time: self.granularity,
                ..Dimensions::default()
            },
            zones: &context.state.zones,
            most_sums: MOST_SUMS,
        };
        figures_of(context, &question)
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

/// The figures of a question, which is refused if there are too many sums.
pub fn figures_of<'a>(
    context: &Context,
    question: &TotalsQuery<'a>,
) -> Result<Vec<Figure<'a>>, Rejection> {
    list_totals(context.snapshot, question).map_err(|err| match err.downcast_ref() {
        Some(TooManySums) => {
            let why = format!("more than {MOST_SUMS} sums have to be added up for the answer");
            too_much(&why, question.by.account).into()
        }
        None => err.into(),
    })
}

/// Writes the answer, and refuses it if it gets too long. Apart from its text, memory holds one portion of the accounts
/// (if the answer is by account) and one piece of the rows at a time.
fn written(
    context: &Context,
    asked: &UsageQuery,
    mut period: PeriodFacts,
    next: Option<String>,
    selection: &Selection,
    by_account: bool,
) -> Result<Body, Rejection> {
    let Selection {
        accounts,
        stretches,
    } = selection;
    let at_once = if by_account {
        asked.accounts_at_once()?
    } else {
        accounts.len().max(1)
    };
    let view = ServerRows::of(by_account, asked.granularity, asked.group);
    let head = Document {
        facts: std::mem::take(&mut period.facts),
        rows_name: "usage",
        columns: view.columns(),
        ..Document::default()
    };
    let mut list = ListWriter::begin(context, head)?;
    for portion in accounts.chunks(at_once) {
        let figures = asked.figures(context, portion, stretches, by_account)?;
        for piece in figures.chunks(PIECE) {
            let rows = piece.iter().map(|figure| view.row(figure)).collect();
            if let Some(why) = list.add(rows)? {
                return Err(too_much(&why, by_account).into());
            }
        }
    }
    let body = list.finish()?;
    Ok(Body {
        headers: render::headers(context, Some(period), next),
        bytes: body,
    })
}

/// Refuses a question, and suggests what to ask for instead.
fn too_much(why: &str, by_account: bool) -> Problem {
    let (parameter, accounts) = if by_account {
        ("limit", "fewer accounts at a time by limit, for ")
    } else {
        ("end", "")
    };
    let detail = format!("{why}: ask for {accounts}fewer days or metrics, or for totals");
    Problem::of_parameter(parameter, detail)
}
