//! Runs that wrote the day again, as `usage_job` tells of them.

mod kinds;

use super::*;
use crate::aggregate::runs::Rewind;

const HOUR: i64 = 3600;

/// A run from row 100 on that covers the day since an hour of it; all of the day was covered before.
fn run_since(hour: i64) -> Runs {
    Runs {
        known: true,
        rewinds: vec![Rewind {
            first_id: 100,
            since: TENTH + hour * HOUR,
            covered_until: DAY.end,
            job: Some(5),
        }],
        ..Runs::default()
    }
}

/// A row of that run.
fn again(id: u64, since: i64, row: UsageRow) -> UsageRow {
    UsageRow {
        id,
        start: TENTH + since * HOUR,
        ..row
    }
}

fn day_with(runs: &Runs, rows: Vec<UsageRow>) -> DayUsage {
    let removals = Removals::default();
    let zone = Zones::from(Zone::parse("GMT").unwrap());
    let mut rows = identified(rows);
    let rewinds = Rewinds::of(runs, &mut rows);
    aggregate(&mut rows, &rewinds, DAY, &zone, &removals, &|_, _| 50).unwrap()
}

fn quantities(usage: &DayUsage) -> Vec<f64> {
    usage.records.iter().map(|record| record.quantity).collect()
}

#[test]
fn what_the_later_run_says_nothing_of_was_used_before_its_start_only() {
    let rule = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 11, hours)
    };
    // All day by the first run; gone when the second one starts, at 6.
    let usage = day_with(&run_since(6), vec![rule(1, 24.0)]);
    assert_eq!(quantities(&usage), [6.0]);
    assert_eq!(kinds(&usage), ["replayed_rows", "rewritten"]);
    assert_eq!(
        usage.findings[1].detail,
        "usage_job 5 wrote the time since 2013-06-10T06:00:00Z again: load_balancer_policy -18 hours"
    );
    // Of 4 hours by the first run and none by the second, all were before 6.
    assert_eq!(
        quantities(&day_with(&run_since(6), vec![rule(1, 4.0)])),
        [4.0]
    );
    // All of it is the second run's: nothing is left, and the row is void.
    let usage = day_with(&run_since(0), vec![rule(1, 24.0)]);
    assert_eq!((quantities(&usage), usage.replayed_rows), (vec![], 1));
}

#[test]
fn hours_before_a_later_run_are_those_that_it_does_not_say() {
    let rule = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 11, hours)
    };
    // `docs/days.md` has these in a table.
    for (first, second, sum) in [
        // Used all the time.
        (24.0, 18.0, 24.0),
        // Made at 20 o'clock.
        (4.0, 4.0, 4.0),
        // Stopped at 10, which only the second run knows: 6 before, and 4.
        (24.0, 4.0, 10.0),
        // Stopped right at 6: the second run has a millisecond of it.
        (20.0, 2.7777778655035945e-7, 2.0),
        // Made at 4 and stopped at 7, which only the second run knows: 2 before, and 1.
        (20.0, 1.0, 3.0),
        // Used from 1 to 3, and again from 10 on, which only the second run knows: 2 before, and 14.
        (2.0, 14.0, 16.0),
    ] {
        let usage = day_with(
            &run_since(6),
            vec![rule(1, first), again(100, 6, rule(100, second))],
        );
        let found = quantities(&usage)[0];
        assert!((found - sum).abs() < 1e-6, "{first} and {second}: {found}");
    }
}

#[test]
fn each_later_run_cuts_what_the_ones_before_it_have_left() {
    let rule = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 11, hours)
    };
    let run = |first_id, hour| Rewind {
        first_id,
        ..run_since(hour).rewinds[0]
    };
    let runs = |rewinds: Vec<Rewind>| Runs {
        known: true,
        rewinds,
        ..Runs::default()
    };
    // From 2 on, and again from 8 to 24, as the first run says that starts at 6; the repaired one knows of an end at 9.
    let usage = day_with(
        &runs(vec![run(50, 6), run(100, 6)]),
        vec![
            rule(1, 20.0),
            again(50, 6, rule(50, 16.0)),
            again(60, 6, rule(60, 16.0)),
            again(100, 6, rule(100, 1.0)),
        ],
    );
    assert_eq!(quantities(&usage), [5.0]);
    // From 0 to 3 and from 9 on; the end at 20 came late, and then a run since 10 that says the same.
    let usage = day_with(
        &runs(vec![run(50, 20), run(100, 10)]),
        vec![
            rule(1, 18.0),
            again(50, 20, rule(50, 2.7777778655035945e-7)),
            again(100, 10, rule(100, 10.0)),
        ],
    );
    let found = quantities(&usage)[0];
    assert!((found - 14.0).abs() < 1e-6, "{found}");
}

#[test]
fn counters_of_windows_that_share_a_second_are_each_counted() {
    let counter = |id, from: i64, to: i64| UsageRow {
        usage_id: 1,
        // Ends with second 59, and the next starts with it.
        start: TENTH + from * HOUR - i64::from(from > 0),
        end: TENTH + to * HOUR,
        ..row(id, 4, 100.0)
    };
    let usage = day_with(
        &run_since(15),
        vec![
            counter(1, 0, 6),
            counter(2, 6, 12),
            counter(3, 12, 18),
            again(100, 15, counter(100, 12, 18)),
            counter(101, 18, 24),
        ],
    );
    assert_eq!(quantities(&usage), [400.0]);
}

#[test]
fn a_late_start_is_told_as_well() {
    let rule = |id, hours| UsageRow {
        usage_id: id,
        ..row(id, 11, hours)
    };
    let new = again(101, 10, rule(101, 14.0));
    let usage = day_with(
        &run_since(10),
        vec![
            rule(1, 24.0),
            again(
                100,
                10,
                UsageRow {
                    id: 100,
                    ..rule(1, 14.0)
                },
            ),
            new,
        ],
    );
    assert_eq!(quantities(&usage), [38.0]);
    let rewritten = usage
        .findings
        .iter()
        .find(|finding| finding.kind.name() == "rewritten");
    assert_eq!(
        rewritten.map(|finding| finding.detail.as_str()),
        Some(
            "usage_job 5 wrote the time since 2013-06-10T10:00:00Z again: load_balancer_policy +14 hours"
        )
    );
}

#[test]
fn a_run_that_begins_with_the_window_before_it_is_told_by_its_return() {
    let rule = |id, account_id, usage_id| UsageRow {
        account_id,
        usage_id,
        ..row(id, 11, 24.0)
    };
    let runs = Runs {
        known: true,
        same_windows: vec![crate::aggregate::runs::SameWindow {
            from_id: 1,
            before_id: 100,
            since: TENTH,
            covered_until: DAY.end,
            job: 5,
        }],
        ..Runs::default()
    };
    // Accounts 1 and 2, then again: what account 1 had given up has no row.
    let usage = day_with(
        &runs,
        vec![
            rule(1, 1, 1),
            rule(2, 1, 2),
            rule(3, 2, 3),
            rule(4, 1, 2),
            rule(5, 2, 3),
        ],
    );
    assert_eq!(
        figures(&usage),
        [
            (1, "load_balancer_policy".into(), 0, 24.0),
            (2, "load_balancer_policy".into(), 0, 24.0)
        ]
    );
}

#[test]
fn rows_merged_by_hand_void_nothing() {
    let rule = |id, usage_id| UsageRow {
        usage_id,
        ..row(id, 11, 24.0)
    };
    // Without `usage_job`: one row of three again is no run.
    let unknown = Runs::default();
    let usage = day_with(
        &unknown,
        vec![rule(1, 1), rule(2, 2), rule(3, 3), rule(9, 1)],
    );
    assert_eq!((quantities(&usage), usage.replayed_rows), (vec![72.0], 1));
    let disordered = Runs {
        known: true,
        disordered: vec![8],
        ..Runs::default()
    };
    let usage = day_with(&disordered, vec![rule(1, 1)]);
    assert_eq!(
        (quantities(&usage), kinds(&usage)),
        (vec![24.0], vec!["runs_disordered"])
    );
}
