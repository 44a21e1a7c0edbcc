//! What needs a look, and what does not.

use super::*;
use crate::source::Watermark;
use crate::source::WatermarkKind;
use crate::zone::Zone;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn zones() -> Zones {
    Zones::from(Zone::parse("Europe/Stockholm").unwrap())
}

/// Of Stockholm's midnight that ends a day.
fn end_of(text: &str) -> i64 {
    zones().midnight(day(text).next())
}

fn progress(finished: &str) -> SourceProgress {
    SourceProgress {
        watermark: Some(Watermark {
            finished_until: end_of(finished),
            kind: WatermarkKind::Job,
        }),
        range_seconds: 86_400,
        ..SourceProgress::default()
    }
}

fn told(progress: &SourceProgress, now: i64) -> Vec<String> {
    let problems = source_problems(progress, &zones(), now).unwrap();
    let line = |problem: &StatusProblem| {
        let day = problem.day.map_or("-".to_owned(), |day| day.to_string());
        format!("{} {day} {}", problem.kind.name(), problem.detail)
    };
    problems.iter().map(line).collect()
}

#[test]
fn a_usage_server_is_late_after_two_days() {
    let two_days_later = end_of("2013-06-10") + 2 * 86_400;
    assert_eq!(told(&progress("2013-06-10"), two_days_later), [""; 0]);
    assert_eq!(
        told(&progress("2013-06-10"), two_days_later + 1),
        [
            "source_behind 2013-06-11 CloudStack's usage server has finished nothing after 2013-06-10: is it running?"
        ]
    );
    let never = SourceProgress::default();
    assert_eq!(
        told(&never, 0),
        ["source_behind - CloudStack's usage server has never finished anything"]
    );
}

#[test]
fn a_stuck_usage_server_and_an_old_event_are_named_by_their_days() {
    let mut stuck = progress("2013-06-10");
    stuck.stuck_since = Some(end_of("2013-06-02"));
    stuck.events = Events::Oldest(end_of("2013-06-02") + 60);
    assert_eq!(
        told(&stuck, end_of("2013-06-11")),
        [
            "source_stuck 2013-06-03 the newest usage jobs all start on 2013-06-03: every run writes the days \
             since then again",
            "event_unprocessed 2013-06-03 a usage event of 2013-06-03 is unprocessed, older than what the usage \
             server says it has finished"
        ]
    );
    // One that waits for the next run is no problem.
    let mut waiting = progress("2013-06-10");
    waiting.events = Events::Oldest(end_of("2013-06-10") + 60);
    assert_eq!(told(&waiting, end_of("2013-06-11")), [""; 0]);
}

#[test]
fn days_that_are_not_over_are_no_problem() {
    let facts = |text: &str, state| DayFacts {
        day: day(text),
        state,
        records: 0,
        accounts: 0,
        source_rows: 0,
        replayed_rows: 0,
        findings: 0,
        acknowledged: 0,
        differing: 2,
        pending_corrections: 0,
        due_corrections: 0,
        provisional: false,
        imported_at: None,
        verified_at: None,
        sealed_at: None,
    };
    let days = [
        facts("2013-06-01", DayState::Closed),
        facts("2013-06-02", DayState::Differing),
        facts("2013-06-03", DayState::Refused),
        facts("2013-06-04", DayState::Sealed),
        facts("2013-06-05", DayState::Missing),
        facts("2013-06-06", DayState::Open),
        facts("2013-06-07", DayState::Missing),
    ];
    let refusal = RefusedDay {
        reason: "no rows".to_owned(),
        acknowledged: false,
    };
    let words = DayWords {
        refusals: &BTreeMap::from([(day("2013-06-03"), refusal)]),
        program: &|command| format!("rbc-usage {command}"),
    };
    let told = |finished: Option<&str>, today: &str| -> Vec<String> {
        day_problems(&days, &words, finished.map(day), day(today))
            .iter()
            .map(|problem| format!("{} {}", problem.day.unwrap(), problem.kind.name()))
            .collect()
    };
    let always = ["2013-06-02 day_differing", "2013-06-03 day_refused"];
    let with = |more: &[&str]| -> Vec<String> {
        let all = always.iter().chain(more);
        all.map(|line| (*line).to_owned()).collect()
    };
    assert_eq!(told(Some("2013-06-04"), "2013-06-08"), with(&[]));
    assert_eq!(
        told(Some("2013-06-06"), "2013-06-08"),
        with(&["2013-06-05 day_missing", "2013-06-06 day_open"])
    );
    assert_eq!(told(None, "2013-06-06"), with(&["2013-06-05 day_missing"]));
    let gone = ["2013-06-05", "2013-06-06", "2013-06-07"];
    let gone = gone.map(|text| facts(text, DayState::Missing));
    let words = DayWords {
        refusals: &BTreeMap::new(),
        ..words
    };
    let problems = day_problems(&gone, &words, Some(day("2013-06-06")), day("2013-06-08"));
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].last_day, Some(day("2013-06-06")));
    assert_eq!(
        problems[0].detail,
        "not imported up to 2013-06-06: rbc-usage import -s 2013-06-05 -e 2013-06-06"
    );
}

#[test]
fn an_import_that_failed_or_never_ended_is_a_problem() {
    let run = |outcome: Option<&str>| ImportRun {
        started_at: "2013-06-02T00:20:00Z".to_owned(),
        finished_at: None,
        outcome: outcome.map(str::to_owned),
        seconds: None,
        days: None,
        source_rows: None,
        records_added: None,
        records_overwritten: None,
        error: outcome.map(|_| "read cloud_usage: gone".to_owned()),
    };
    let detail = |outcome, now| import_problem(&run(outcome), 0, now).map(|one| one.detail);
    assert_eq!(detail(Some("done"), 0), None);
    assert_eq!(
        detail(Some("error"), 0).unwrap(),
        "the import of 2013-06-02T00:20:00Z ended with: read cloud_usage: gone"
    );
    assert_eq!(detail(None, 86_400), None);
    assert_eq!(
        detail(None, 86_401).unwrap(),
        "the import of 2013-06-02T00:20:00Z has not ended"
    );
}
