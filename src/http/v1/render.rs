//! How answers are written: documents as JSON or CSV, the facts about a period, links to next pages.

use super::context::{Body, Context};
use crate::day::{Day, DayRange};
use crate::http::refusal::Problem;
use crate::instant::Utc;
use crate::ledger::read::Unfinished;
use crate::ledger::read::days::{find_as_of, list_days_without_resources};
use crate::output::{self, Document, Style, Unit, Value};
use crate::plural::plural;

/// Days times accounts of one question: a year of a thousand accounts. It bounds the time that one answer takes.
const MOST_ACCOUNT_DAYS: i64 = 400_000;

/// A longer link is left out: clients limit the heads of answers, and the cursor is in the body as well.
const LONGEST_LINK: usize = 4096;

/// Facts about the days of an answer, whatever it lists.
pub struct PeriodFacts {
    pub facts: Vec<(&'static str, Value)>,
    unfinished: Unfinished,
    /// The same for clients that do not read the body, and for CSV, which has no place for it.
    headers: Vec<(&'static str, String)>,
}

/// Reads the facts about the days of a range.
pub fn period_facts(context: &Context, range: DayRange) -> anyhow::Result<PeriodFacts> {
    let unfinished = context.snapshot.list_unfinished(range)?;
    let as_of = find_as_of(context.snapshot, range)?;
    let zones = &context.state.zones;
    let complete = unfinished.is_complete();
    let timezone = zones.of(range.last()).name();
    let (start, end) = zones.bounds(range);
    let (starts_at, ends_at) = (Utc::at(start)?.to_string(), Utc::at(end)?.to_string());
    let hours = zones.hours(range);
    let mut headers = vec![
        ("Rbc-Complete", complete.to_string()),
        ("Rbc-Open-Days", unfinished.open_days.len().to_string()),
        (
            "Rbc-Missing-Days",
            unfinished.missing_days.len().to_string(),
        ),
        ("Rbc-Timezone", timezone.to_owned()),
        ("Rbc-Period", format!("{starts_at}/{ends_at}")),
        ("Rbc-Hours", hours.to_string()),
    ];
    headers.extend(as_of.clone().map(|as_of| ("Rbc-As-Of", as_of)));
    let facts = vec![
        ("start", Value::Text(range.first().to_string())),
        ("end", Value::Text(range.last().to_string())),
        ("starts_at", Value::Text(starts_at)),
        ("ends_at", Value::Text(ends_at)),
        ("hours", Value::Quantity(hours, Unit::Hours)),
        ("timezone", Value::Text(timezone.to_owned())),
        ("complete", Value::Truth(complete)),
        ("open_days", dates(&unfinished.open_days)),
        ("missing_days", dates(&unfinished.missing_days)),
        ("as_of", Value::text(as_of)),
    ];
    Ok(PeriodFacts {
        facts,
        unfinished,
        headers,
    })
}

/// The days whose figures have no resource, because their lines do not tell resources apart.
pub fn days_without_resources(
    context: &Context,
    range: DayRange,
) -> anyhow::Result<(&'static str, Value)> {
    let days = list_days_without_resources(context.snapshot, range)?;
    Ok(("days_without_resources", dates(&days)))
}

impl PeriodFacts {
    /// 409 with the days in question, if `require=complete` was asked for and they are not all closed.
    pub fn check_requirement(&self, context: &Context) -> Result<(), Problem> {
        let Unfinished {
            open_days,
            missing_days,
        } = &self.unfinished;
        let (open, missing) = (open_days.len(), missing_days.len());
        if !context.query.requires_complete()? || open + missing == 0 {
            return Ok(());
        }
        let open = plural(open, "day");
        let detail = format!("the figures are not final: {open} open, {missing} missing");
        let list = |days: &[Day]| days.iter().map(Day::to_string).collect::<Vec<_>>().into();
        Err(Problem::new(409, detail)
            .with("open_days", list(open_days))
            .with("missing_days", list(missing_days)))
    }
}

/// Writes a document whose rows are complete.
pub fn answer(
    context: &Context,
    period: Option<PeriodFacts>,
    next: Option<String>,
    document: &Document,
) -> anyhow::Result<Body> {
    let mut body = Vec::new();
    let style = Style {
        format: context.format,
        colour: false,
    };
    output::write(document, style, &mut body)?;
    Ok(Body {
        headers: headers(context, period, next),
        bytes: body,
    })
}

/// The headers about the period and the next page.
pub fn headers(
    context: &Context,
    period: Option<PeriodFacts>,
    next: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut headers = period.map_or_else(Vec::new, |period| period.headers);
    let link = next.map(|cursor| link(context, &cursor));
    headers.extend(
        link.filter(|link| link.len() <= LONGEST_LINK)
            .map(|link| ("Link", link)),
    );
    headers
}

/// The link to the next page, relative to the requested address, because a proxy may serve it under another path. It is
/// encoded as a whole, so no text from a client can end the line or the address.
fn link(context: &Context, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs = context
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| name != "cursor");
    query.extend_pairs(pairs);
    query.append_pair("cursor", cursor);
    format!("<?{}>; rel=\"next\"", query.finish())
}

/// Refuses a question that would take too long to answer.
pub fn check_work(accounts: usize, range: DayRange) -> Result<(), Problem> {
    let days = range.count_days();
    let work = i64::try_from(accounts)
        .unwrap_or(i64::MAX)
        .saturating_mul(days);
    if work <= MOST_ACCOUNT_DAYS {
        return Ok(());
    }
    let detail = format!(
        "{accounts} accounts and {days} days are more than one answer takes, which is {MOST_ACCOUNT_DAYS} days of \
         accounts: ask for fewer days or accounts at a time"
    );
    Err(Problem::of_parameter("end", detail))
}

/// Cuts a list that was read with one row more than its page has; returns the cursor for the rest, if there is any.
pub fn cut<T>(
    list: &mut Vec<T>,
    limit: Option<u32>,
    cursor: impl Fn(&T) -> String,
) -> Option<String> {
    let limit = usize::try_from(limit?).ok()?;
    if list.len() <= limit {
        return None;
    }
    list.truncate(limit);
    list.last().map(cursor)
}

fn dates(days: &[Day]) -> Value {
    Value::List(days.iter().map(Day::to_string).collect())
}
