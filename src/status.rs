//! What needs a look, from what the ledger and the usage server say. Pure: a list of problems, each one line that
//! names its day.

use std::collections::BTreeMap;

use crate::day::Day;
use crate::instant::Utc;
use crate::ledger::read::days::{DayFacts, DayState};
use crate::ledger::read::state::ImportRun;
use crate::plural::plural;
use crate::source::{Events, SourceProgress};
use crate::zones::Zones;

/// One thing that needs a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusProblem {
    pub kind: ProblemKind,
    /// The first day it is about, if it is about days.
    pub day: Option<Day>,
    /// The last one, where days follow one another.
    pub last_day: Option<Day>,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The source cannot be read.
    SourceUnreachable,
    /// The usage server has finished nothing for twice as long as its windows are.
    SourceBehind,
    /// It claims to have finished what has not passed yet.
    SourceAhead,
    /// It writes old days again and again.
    SourceStuck,
    /// Its windows are those of another zone than the ledger's days.
    WrongZone,
    /// It has not made use of an event from before where it says it is.
    EventUnprocessed,
    /// Finished by the usage server and not in the ledger.
    DayMissing,
    /// Finished by the usage server and still open in the ledger.
    DayOpen,
    DayRefused,
    DayDiffering,
    /// Whose usage is whose has changed with an id, and nobody has acknowledged it.
    AccountIdChanged,
    /// A sealed day withholds differences that nobody has charged or credited.
    CorrectionsDue,
    ImportFailed,
    /// Begun long ago and never ended.
    ImportUnfinished,
}

/// How many seconds the usage server's clock may be ahead before status reports it.
pub const CLOCKS_DIFFER: i64 = 300;

/// How long an import may run before it counts as dead.
const LONGEST_IMPORT: i64 = 86_400;

impl ProblemKind {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::SourceUnreachable => "source_unreachable",
            ProblemKind::SourceBehind => "source_behind",
            ProblemKind::SourceAhead => "source_ahead",
            ProblemKind::SourceStuck => "source_stuck",
            ProblemKind::WrongZone => "wrong_zone",
            ProblemKind::EventUnprocessed => "event_unprocessed",
            ProblemKind::DayMissing => "day_missing",
            ProblemKind::DayOpen => "day_open",
            ProblemKind::DayRefused => "day_refused",
            ProblemKind::DayDiffering => "day_differing",
            ProblemKind::AccountIdChanged => "account_id_changed",
            ProblemKind::CorrectionsDue => "corrections_due",
            ProblemKind::ImportFailed => "import_failed",
            ProblemKind::ImportUnfinished => "import_unfinished",
        }
    }
}

/// What the usage server says of itself. `now` is in seconds since 1970 UTC.
pub fn source_problems(
    progress: &SourceProgress,
    zones: &Zones,
    now: i64,
) -> anyhow::Result<Vec<StatusProblem>> {
    let mut problems = Vec::new();
    let mut add = |kind, day, detail| {
        problems.push(StatusProblem {
            kind,
            day,
            last_day: None,
            detail,
        });
    };
    let finished = progress.watermark.map(|watermark| watermark.finished_until);
    match finished {
        None => add(
            ProblemKind::SourceBehind,
            None,
            match progress.newest_row {
                None => "CloudStack's usage server has never finished anything".to_owned(),
                Some(instant) => without_jobs(instant)?,
            },
        ),
        Some(instant) if instant > now + CLOCKS_DIFFER => {
            let detail = format!(
                "the usage server says that usage is finished until {}, which has not passed: one of the clocks is \
                 wrong; days that have not ended are not closed",
                Utc::at(instant)?
            );
            add(ProblemKind::SourceAhead, None, detail);
        }
        Some(instant) if now - instant > 2 * progress.range_seconds => {
            let day = finished_day(instant, zones)?;
            let detail = format!(
                "CloudStack's usage server has finished nothing after {day}: is it running?"
            );
            add(ProblemKind::SourceBehind, Some(day.next()), detail);
        }
        Some(_) => {}
    }
    if let Some(since) = progress.stuck_since {
        let day = zones.day_at(since)?;
        let detail = format!(
            "the newest usage jobs all start on {day}: every run writes the days since then again"
        );
        add(ProblemKind::SourceStuck, Some(day), detail);
    }
    if let (Events::Oldest(made), Some(finished)) = (progress.events, finished)
        && made < finished
    {
        let day = zones.day_at(made)?;
        let detail = format!(
            "a usage event of {day} is unprocessed, older than what the usage server says it has finished"
        );
        add(ProblemKind::EventUnprocessed, Some(day), detail);
    }
    Ok(problems)
}

/// Why no day can be closed: there are usage rows up to an instant, but no job that says how far they are finished.
pub fn without_jobs(newest_row: i64) -> anyhow::Result<String> {
    Ok(format!(
        "cloud_usage.usage_job holds no successful job, although usage rows exist up to {}: no day can be closed until \
         CloudStack's usage server has finished a run; see that it runs",
        Utc::at(newest_row - 1)?
    ))
}

/// The last local day that was over at an instant.
pub fn finished_day(instant: i64, zones: &Zones) -> anyhow::Result<Day> {
    Ok(zones.day_at(instant)?.previous())
}

/// Why an import left a day as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDay {
    pub reason: String,
    pub acknowledged: bool,
}

/// That an account's id has come to mean something else, as the ledger's findings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountIdChange {
    pub day: Day,
    pub id: i64,
    pub detail: String,
}

/// Those that nobody has acknowledged.
pub fn account_id_problems<'a>(
    changes: &'a [AccountIdChange],
    program: &'a dyn Fn(&str) -> String,
) -> impl Iterator<Item = StatusProblem> {
    changes.iter().map(|change| StatusProblem {
        kind: ProblemKind::AccountIdChanged,
        day: Some(change.day),
        last_day: None,
        detail: format!(
            "{}: {} ack {} --reason TEXT",
            change.detail,
            program("findings"),
            change.id
        ),
    })
}

/// What messages about days need besides the facts of the days.
pub struct DayWords<'a> {
    /// Days that imports refused, even if the ledger does not have them.
    pub refusals: &'a BTreeMap<Day, RefusedDay>,
    /// Makes the command line that a message suggests.
    pub program: &'a dyn Fn(&str) -> String,
}

/// Whether nobody needs to look at a day: it is final, with no finding and no pending correction but acknowledged ones.
pub fn is_plain(facts: &DayFacts) -> bool {
    let is_final = matches!(facts.state, DayState::Closed | DayState::Sealed);
    let findings = facts.findings - facts.acknowledged;
    is_final && !facts.provisional && findings == 0 && facts.due_corrections == 0
}

/// What is wrong with days. Those that the source has not finished are not our affair; without a word from it, days
/// before today are. A refusal is reported instead of its consequence: that the day is missing, or open.
pub fn day_problems(
    days: &[DayFacts],
    words: &DayWords,
    finished: Option<Day>,
    today: Day,
) -> Vec<StatusProblem> {
    let is_over = |day: Day| day < today && finished.is_none_or(|finished| day <= finished);
    let is_refused = |day: Day| words.refusals.contains_key(&day);
    let is_missing = |facts: &DayFacts| {
        facts.state == DayState::Missing && is_over(facts.day) && !is_refused(facts.day)
    };
    let problem = |facts: &DayFacts| {
        let day = facts.day;
        let (kind, detail) = match facts.state {
            DayState::Open if is_over(day) && !is_refused(day) => (
                ProblemKind::DayOpen,
                match finished {
                    Some(_) => "open, and over: the next import finishes it".to_owned(),
                    None => "open, and over by the clock: an import finishes it once CloudStack says that it has"
                        .to_owned(),
                },
            ),
            DayState::Differing => (
                ProblemKind::DayDiffering,
                match facts.differing {
                    1 => "a value is not what the source says".to_owned(),
                    many => format!("{many} values are not what the source says"),
                },
            ),
            DayState::Missing
            | DayState::Refused
            | DayState::Open
            | DayState::Sealed
            | DayState::Closed => return None,
        };
        Some(StatusProblem {
            kind,
            day: Some(day),
            last_day: None,
            detail,
        })
    };
    let of_days = days
        .chunk_by(|one, next| is_missing(one) && is_missing(next))
        .filter_map(|run| match run {
            [first, .., last] => Some(missing(first.day, last.day, words)),
            [one] if is_missing(one) => Some(missing(one.day, one.day, words)),
            [one] => problem(one),
            [] => None,
        });
    let mut problems: Vec<StatusProblem> = of_days.chain(refused_days(words)).collect();
    problems.sort_by_key(|problem| problem.day);
    problems.extend(
        days.iter()
            .filter_map(|facts| corrections_due(facts, words)),
    );
    problems
}

fn refused_days(words: &DayWords) -> impl Iterator<Item = StatusProblem> {
    let open = words.refusals.iter();
    let open = open.filter(|(_, refusal)| !refusal.acknowledged);
    open.map(|(day, refusal)| StatusProblem {
        kind: ProblemKind::DayRefused,
        day: Some(*day),
        last_day: None,
        detail: refusal.reason.clone(),
    })
}

fn corrections_due(facts: &DayFacts, words: &DayWords) -> Option<StatusProblem> {
    let day = facts.day;
    (facts.due_corrections > 0).then(|| StatusProblem {
        kind: ProblemKind::CorrectionsDue,
        day: Some(day),
        last_day: None,
        detail: format!(
            "{} to be charged or credited: {} --pending {day}",
            plural(facts.due_corrections, "correction"),
            (words.program)("corrections")
        ),
    })
}

/// Days that follow one another and are not in the ledger.
fn missing(first: Day, last: Day, words: &DayWords) -> StatusProblem {
    let import = (words.program)("import");
    let (last_day, detail) = if first == last {
        (None, format!("not imported: {import} -s {first}"))
    } else {
        let detail = format!("not imported up to {last}: {import} -s {first} -e {last}");
        (Some(last), detail)
    };
    StatusProblem {
        kind: ProblemKind::DayMissing,
        day: Some(first),
        last_day,
        detail,
    }
}

/// What became of the last import; `started` is when it began, in seconds since 1970 UTC like `now`.
pub fn import_problem(run: &ImportRun, started: i64, now: i64) -> Option<StatusProblem> {
    let problem = |kind, detail| {
        Some(StatusProblem {
            kind,
            day: None,
            last_day: None,
            detail,
        })
    };
    match (run.outcome.as_deref(), &run.error) {
        (Some("error"), Some(error)) => problem(
            ProblemKind::ImportFailed,
            format!("the import of {} ended with: {error}", run.started_at),
        ),
        (None, _) if now - started > LONGEST_IMPORT => problem(
            ProblemKind::ImportUnfinished,
            format!("the import of {} has not ended", run.started_at),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
