//! How status is shown: the calendar, the days, and the facts.

use super::overview::{NOTHING_TO_IMPORT, Overview};
use crate::day::{Day, DayRange, in_ranges};
use crate::instant::Utc;
use crate::ledger::read::days::{DayFacts, DayState};
use crate::output::calendar::{self, Mark};
use crate::output::{Column, Document, Style, Tone, Unit, Value};
use crate::plural::plural;
use crate::source::Events;
use crate::source::WatermarkKind;
use crate::status::{StatusProblem, finished_day, is_plain, without_jobs};
use crate::view;
use crate::view::days::{DayRow, FOR_COMMANDS, tone};

pub fn check_document(problems: &[StatusProblem]) -> Document {
    let row = |problem: &StatusProblem| {
        vec![
            Value::State(problem.kind.name(), Tone::Bad),
            Value::text(problem.day.map(|day| day.to_string())),
            Value::Text(problem.detail.clone()),
            Value::text(problem.last_day.map(|day| day.to_string())),
        ]
    };
    Document {
        rows_name: "problems",
        columns: vec![
            Column::shown("kind", "what").key().kept(),
            Column::shown("day", "day").key(),
            Column::shown("detail", "detail").key().folded(),
            Column::hidden("last_day"),
        ],
        rows: problems.iter().map(row).collect(),
        ..Document::default()
    }
}

/// Which days have a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedDays {
    All,
    NotPlain,
}

pub fn status_document(
    overview: &Overview,
    listed: ListedDays,
    style: &Style,
) -> anyhow::Result<Document> {
    let marks: Vec<(Day, Mark)> = overview
        .days
        .iter()
        .map(|facts| (facts.day, mark(facts.state)))
        .collect();
    let picture = if marks.is_empty() {
        Vec::new()
    } else {
        calendar::draw(&marks, style.table.colour)
    };
    let is_listed = |facts: &&DayFacts| listed == ListedDays::All || !is_plain(facts);
    let days = overview.days.iter().filter(is_listed).map(|facts| {
        let counts = facts.state != DayState::Missing;
        DayRow::of(facts.clone(), &overview.state.zones, counts)
    });
    let days: Vec<DayRow> = days.collect::<anyhow::Result<_>>()?;
    let plain = overview.days.len() - days.len();
    let mut below = Vec::new();
    if plain > 0 {
        let days_are = if plain == 1 { "day is" } else { "days are" };
        below.push(format!(
            "{plain} {days_are} closed or sealed, with nothing to look at: --days lists all"
        ));
    }
    below.extend(notes(overview)?);
    Ok(Document {
        title: title(overview),
        picture,
        facts: facts(overview)?,
        rows_name: "days",
        columns: view::columns(FOR_COMMANDS),
        rows: view::rows(FOR_COMMANDS, &days),
        notes: below,
    })
}

fn title(overview: &Overview) -> String {
    let Some(range) = overview.range else {
        return match overview.lacks_jobs() {
            true => NOTHING_TO_IMPORT.to_owned(),
            false => "the ledger is empty: rbc-usage import".to_owned(),
        };
    };
    let counts: Vec<String> = [
        DayState::Closed,
        DayState::Sealed,
        DayState::Open,
        DayState::Missing,
        DayState::Refused,
        DayState::Differing,
    ]
    .iter()
    .filter_map(|state| {
        let count = overview.days.iter().filter(|facts| facts.state == *state);
        let count = count.count();
        (count > 0).then(|| format!("{count} {}", state.name()))
    })
    .collect();
    format!(
        "{} to {}, {}: {}",
        range.first(),
        range.last(),
        overview.state.zones.name(),
        counts.join(", ")
    )
}

fn mark(state: DayState) -> Mark {
    let symbol = match state {
        DayState::Closed => '#',
        DayState::Sealed => 'S',
        DayState::Open => 'o',
        DayState::Missing => '-',
        DayState::Refused => '!',
        DayState::Differing => '~',
    };
    Mark {
        symbol,
        meaning: state.name(),
        tone: tone(state),
    }
}

fn facts(overview: &Overview) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let day = |day: Option<Day>| Value::text(day.map(|day| day.to_string()));
    let state = &overview.state;
    let mut facts = vec![
        ("start", day(overview.range.map(DayRange::first))),
        ("end", day(overview.range.map(DayRange::last))),
        ("timezone", Value::Text(state.zones.name().to_owned())),
        ("complete", Value::Truth(overview.complete)),
        ("first_day", day(state.days.map(DayRange::first))),
        ("newest_closed_day", day(state.newest_closed_day)),
        ("refused_days", refused_days(overview)),
        ("revision", Value::Count(state.revision)),
    ];
    facts.extend(source_facts(overview)?);
    let run = state.last_import.as_ref();
    let text = |text: Option<&String>| Value::text(text.map(String::as_str));
    let seconds = run.and_then(|run| run.seconds);
    let count = |count: Option<u64>| count.map_or(Value::Nothing, Value::Count);
    facts.extend([
        (
            "last_import_started_at",
            text(run.map(|run| &run.started_at)),
        ),
        (
            "last_import_finished_at",
            text(run.and_then(|run| run.finished_at.as_ref())),
        ),
        (
            "last_import_outcome",
            text(run.and_then(|run| run.outcome.as_ref())),
        ),
        (
            "last_import_seconds",
            seconds.map_or(Value::Nothing, |seconds| {
                Value::Quantity(seconds, Unit::Seconds)
            }),
        ),
        ("last_import_days", count(run.and_then(|run| run.days))),
        (
            "last_import_source_rows",
            count(run.and_then(|run| run.source_rows)),
        ),
        (
            "last_import_error",
            text(run.and_then(|run| run.error.as_ref())),
        ),
    ]);
    Ok(facts)
}

/// Days that imports refused and nobody has acknowledged, even if the ledger does not have them.
fn refused_days(overview: &Overview) -> Value {
    let open = overview.refusals.iter();
    let open = open.filter(|(_, refusal)| !refusal.acknowledged);
    Value::List(open.map(|(day, _)| day.to_string()).collect())
}

fn source_facts(overview: &Overview) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let progress = overview.source.as_ref().ok();
    let watermark = progress.and_then(|progress| progress.watermark);
    let time = |instant: Option<i64>| -> anyhow::Result<Value> {
        Ok(Value::text(
            instant
                .map(|unix| Ok::<_, anyhow::Error>(Utc::at(unix)?.to_string()))
                .transpose()?,
        ))
    };
    let finished = watermark.map(|watermark| watermark.finished_until);
    let finished_day = finished.map(|instant| finished_day(instant, &overview.state.zones));
    let oldest_event = match progress.map(|progress| progress.events) {
        Some(Events::Oldest(made)) => Some(made),
        Some(Events::Unreadable | Events::AllProcessed) | None => None,
    };
    let reported_by = watermark.map(|watermark| match watermark.kind {
        WatermarkKind::Job => "usage_job",
        WatermarkKind::NewestRow => "newest_row",
    });
    Ok(vec![
        ("source_reachable", Value::Truth(progress.is_some())),
        (
            "source_error",
            Value::text(overview.source.as_ref().err().map(|err| format!("{err:#}"))),
        ),
        (
            "source_finished_day",
            Value::text(finished_day.transpose()?.map(|day| day.to_string())),
        ),
        ("source_finished_until", time(finished)?),
        ("source_finished_told_by", Value::text(reported_by)),
        (
            "source_stuck_since",
            time(progress.and_then(|progress| progress.stuck_since))?,
        ),
        ("source_oldest_unprocessed_event", time(oldest_event)?),
        (
            "wrong_zone_since",
            Value::text(
                overview
                    .advice
                    .as_ref()
                    .map(|(advice, _)| advice.from.to_string()),
            ),
        ),
    ])
}

/// Sentences below the table, for people.
fn notes(overview: &Overview) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    if let Some(future) = overview.future {
        let days: Vec<Day> = future.days().collect();
        notes.push(format!("not begun: {}", in_ranges(&days)));
    }
    for change in overview.state.zones.changes() {
        let (since, zone) = (change.since, change.zone.name());
        notes.push(format!("from {since} on days are those of {zone}"));
    }
    if let Some((advice, detail)) = &overview.advice {
        notes.push(format!("wrong zone since {}: {detail}", advice.from));
    }
    for (day, refusal) in &overview.refusals {
        if !refusal.acknowledged {
            notes.push(format!("refused: {day}: {}", refusal.reason));
        }
    }
    match &overview.source {
        Err(err) => notes.push(format!("source: cannot be reached: {err:#}")),
        Ok(progress) => {
            notes.push(match progress.watermark {
                None => match progress.newest_row {
                    None => "source: CloudStack's usage server has finished nothing yet".to_owned(),
                    Some(newest) => format!("source: {}", without_jobs(newest)?),
                },
                Some(watermark) => {
                    let day = finished_day(watermark.finished_until, &overview.state.zones)?;
                    format!(
                        "source: finished {day}{}{}",
                        match watermark.kind {
                            WatermarkKind::Job => "",
                            WatermarkKind::NewestRow =>
                                ", by its newest row, as usage_job cannot be read",
                        },
                        match day < overview.today {
                            true => "",
                            false => ", it says, which is not over: one of the clocks is wrong",
                        }
                    )
                }
            });
            if let Some(since) = progress.stuck_since {
                notes.push(format!(
                    "source: the usage server is stuck and writes all days since {} again and again",
                    overview.state.zones.day_at(since)?
                ));
            }
            if let Some(since) = progress.provisional_since {
                notes.push(format!(
                    "source: the newest run went back to {}: days since then are provisional until another goes on from it",
                    overview.state.zones.day_at(since)?
                ));
            }
            match progress.events {
                Events::Oldest(made) => notes.push(format!(
                    "source: the oldest unprocessed usage event is of {}",
                    Utc::at(made)?
                )),
                Events::Unreadable | Events::AllProcessed => {}
            }
        }
    }
    if let Some(run) = &overview.state.last_import {
        let outcome = match run.outcome.as_deref() {
            Some("done") => "done",
            Some("needs_a_look") => "done, needs a look",
            Some(_) => "ended with an error",
            None => "not ended",
        };
        let days = run
            .days
            .map_or(String::new(), |days| format!(", {}", plural(days, "day")));
        let error = run
            .error
            .as_deref()
            .map_or(String::new(), |error| format!(": {error}"));
        notes.push(format!(
            "last import: {}, {outcome}{days}{error}",
            run.started_at
        ));
    }
    Ok(notes)
}
