//! How answers are written: documents as JSON, CSV or workbooks, the facts about a period, links to next pages.

use super::context::{Body, Context};
use crate::day::{Day, DayRange};
use crate::http::refusal::Problem;
use crate::instant::Utc;
use crate::ledger::read::Unfinished;
use crate::ledger::read::days::{find_as_of, list_days_without_resources};
use crate::output::{self, Document, Format, Style, Unit, Value};
use crate::plural::plural;

/// Days times accounts of one question: a year of a thousand accounts. It bounds the time that one answer takes.
const MOST_ACCOUNT_DAYS: i64 = 400_000;

/// An answer beyond this is refused: it waits in memory until its client has read it.
pub const LONGEST_BODY: usize = 64 << 20;

/// Rows of a workbook, which is made of all of them at once.
pub const MOST_WORKBOOK_ROWS: usize = 50_000;

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

/// A list that is written a piece at a time, so that it is never held twice. A workbook is made of all of its rows at the
/// end.
pub struct ListWriter<'a> {
    context: &'a Context<'a>,
    head: Document,
    body: Vec<u8>,
    /// Of a workbook.
    rows: Vec<Vec<Value>>,
    is_first: bool,
}

impl<'a> ListWriter<'a> {
    /// `head` has no rows.
    pub fn begin(context: &'a Context<'a>, head: Document) -> anyhow::Result<ListWriter<'a>> {
        let mut body = Vec::new();
        if context.format != Format::Xlsx {
            output::write_head(&head, context.format, &mut body)?;
        }
        Ok(ListWriter {
            context,
            head,
            body,
            rows: Vec::new(),
            is_first: true,
        })
    }

    /// Adds rows; returns, in words, why the answer is too long, if it is.
    pub fn add(&mut self, rows: Vec<Vec<Value>>) -> anyhow::Result<Option<String>> {
        if self.context.format == Format::Xlsx {
            self.rows.extend(rows);
            let is_full = self.rows.len() > MOST_WORKBOOK_ROWS;
            return Ok(is_full.then(|| format!("a workbook has at most {MOST_WORKBOOK_ROWS} rows")));
        }
        let (columns, format) = (&self.head.columns, self.context.format);
        output::write_rows(columns, &rows, self.is_first, format, &mut self.body)?;
        self.is_first = false;
        self.context.make_room(self.body.len())?;
        let is_full = self.body.len() > LONGEST_BODY;
        Ok(is_full.then(|| format!("the answer is longer than {} MiB", LONGEST_BODY >> 20)))
    }

    pub fn finish(self) -> anyhow::Result<Vec<u8>> {
        let (mut body, format) = (self.body, self.context.format);
        if format == Format::Xlsx {
            let document = Document {
                rows: self.rows,
                ..self.head
            };
            write(&document, format, &mut body)?;
            self.context.make_room(body.len())?;
        } else {
            output::write_end(self.is_first, format, &mut body)?;
        }
        Ok(body)
    }
}

fn write(document: &Document, format: Format, body: &mut Vec<u8>) -> anyhow::Result<()> {
    output::write(document, &Style::plain(format), body)
}

/// Writes a document whose rows are complete.
pub fn answer(
    context: &Context,
    period: Option<PeriodFacts>,
    next: Option<String>,
    document: &Document,
) -> anyhow::Result<Body> {
    let mut body = Vec::new();
    write(document, context.format, &mut body)?;
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
