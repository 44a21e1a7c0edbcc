//! `status --check` for people and for monitoring: what Nagios and Icinga take from a plugin. The first line has the
//! state, the figures that are found behind its bar are perfdata; what needs a look is listed below.

use std::io::Write;
use std::process::ExitCode;

use super::document::check_document;
use super::overview::Overview;
use crate::causes;
use crate::instant::Utc;
use crate::ledger::read::days::{DayFacts, DayState};
use crate::output::{Style, write};
use crate::plural::plural;
use crate::printable::printable;
use crate::status::StatusProblem;

/// The state in one line, and a table of what needs a look.
pub fn write_answer(
    overview: &Overview,
    problems: &[StatusProblem],
    now: i64,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let state = if problems.is_empty() {
        format!("OK - {}", all_is_well(overview, now)?)
    } else {
        format!("WARNING - {}", kinds(problems))
    };
    let figures = figures(overview, problems.len(), now)?;
    writeln!(out, "{} | {figures}", without_bars(&state))?;
    let mut table = Vec::new();
    write(&check_document(problems), style, &mut table)?;
    out.write_all(without_bars(&String::from_utf8(table)?).as_bytes())?;
    Ok(())
}

/// The question could not be answered.
pub fn write_error(err: &anyhow::Error, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let text = causes::in_one_line(err);
    let mut lines = text.lines().map(|line| without_bars(&printable(line)));
    writeln!(out, "CRITICAL - {}", lines.next().unwrap_or_default())?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(ExitCode::from(2))
}

/// Behind a bar Nagios expects perfdata, on every line.
fn without_bars(text: &str) -> String {
    text.replace('|', "/")
}

fn all_is_well(overview: &Overview, now: i64) -> anyhow::Result<String> {
    let is_final = |facts: &&DayFacts| matches!(facts.state, DayState::Closed | DayState::Sealed);
    let closed = overview.days.iter().filter(is_final).count();
    let mut parts = vec![format!("{} closed", plural(closed, "day"))];
    parts.extend(
        overview
            .state
            .newest_closed_day
            .map(|day| format!("newest {day}")),
    );
    parts.extend(import_age(overview, now)?.map(|age| format!("imported {} ago", rough(age))));
    Ok(parts.join(", "))
}

/// `2 day_missing, 1 wrong_zone`, in the order of the table.
fn kinds(problems: &[StatusProblem]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for problem in problems {
        let name = problem.kind.name();
        match counts.iter_mut().find(|(kind, _)| *kind == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// Perfdata: `label=value[unit][;warning]`. Seconds are the only unit of time that the guidelines for plugins know. A
/// threshold of 0 stands where any more is a problem. What is not known is left out.
fn figures(overview: &Overview, problems: usize, now: i64) -> anyhow::Result<String> {
    let state = &overview.state;
    let newest = state.newest_closed_day;
    let age = newest.map(|day| now - state.zones.midnight(day));
    let sum = |count: fn(&DayFacts) -> u64| overview.days.iter().map(count).sum::<u64>();
    let pending = sum(|facts| facts.due_corrections);
    let findings = sum(|facts| facts.findings - facts.acknowledged);
    let mut figures = Vec::new();
    figures.extend(age.map(|age| format!("age={age}s")));
    figures.extend(import_age(overview, now)?.map(|age| format!("import_age={age}s")));
    figures.push(format!("problems={problems};0"));
    figures.push(format!("pending={pending};0"));
    figures.push(format!("findings={findings}"));
    Ok(figures.join(" "))
}

/// Seconds since the last import ended; `None` while one runs, or if there was none.
fn import_age(overview: &Overview, now: i64) -> anyhow::Result<Option<i64>> {
    let run = overview.state.last_import.as_ref();
    let finished = run.and_then(|run| run.finished_at.as_ref());
    let finished = finished.map(|text| text.parse::<Utc>()).transpose()?;
    Ok(finished.map(|finished| now - finished.unix()))
}

/// A time in the largest unit that there are two of.
fn rough(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        172_800.. => plural(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ProblemKind;

    #[test]
    fn a_time_is_rounded_down_to_its_largest_unit() {
        let cases = [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (10_800, "3 h"),
            (172_799, "47 h"),
            (259_200, "3 days"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(rough(seconds), expected);
        }
    }

    #[test]
    fn kinds_are_counted_in_the_order_of_the_table() {
        let problem = |kind| StatusProblem {
            kind,
            day: None,
            last_day: None,
            detail: String::new(),
        };
        let problems = [
            ProblemKind::WrongZone,
            ProblemKind::DayMissing,
            ProblemKind::DayOpen,
            ProblemKind::DayMissing,
        ];
        assert_eq!(
            kinds(&problems.map(problem)),
            "1 wrong_zone, 2 day_missing, 1 day_open"
        );
    }

    #[test]
    fn an_error_of_several_lines_begins_with_the_state_and_has_no_bar() {
        let mut out = Vec::new();
        write_error(&anyhow::anyhow!("a.cfg: x|y\na.cfg: z"), &mut out).unwrap();
        assert_eq!(out, b"CRITICAL - a.cfg: x/y\na.cfg: z\n");
    }
}
