//! Windows that meet, where nothing tells of runs but the rows: the same one twice, one inside another, across each
//! other, over midnight.

use super::*;

#[test]
fn of_a_replayed_window_the_newest_row_counts() {
    // A late event made the second run see 20 hours instead of 24.
    let vm = |id, hours| UsageRow {
        usage_id: 1,
        offering_id: 3,
        ..row(id, 2, hours)
    };
    let usage = day_of(vec![vm(5, 20.0), vm(1, 24.0)]);
    assert_eq!(figures(&usage), [(7, "vm_allocated".into(), 3, 20.0)]);
    assert_eq!(usage.replayed_rows, 1);
    assert_eq!(kinds(&usage), ["replayed_rows", "rewritten"]);
    assert_eq!(
        usage.findings[0].detail,
        "1 row of usage type 2 not counted: a later run covered the time"
    );
}

#[test]
fn of_a_replayed_bucket_or_backup_the_oldest_row_counts() {
    let bucket = |id, bytes| UsageRow {
        usage_id: 1,
        ..row(id, 29, bytes)
    };
    assert_eq!(
        figures(&day_of(vec![bucket(9, 500.0), bucket(2, 100.0)])),
        [(7, "bucket_byte_hours".into(), 0, 2400.0)]
    );
    let backup = |id, size| UsageRow {
        usage_id: 1,
        offering_id: 8,
        particulars: Particulars::Size(size),
        ..row(id, 28, 24.0)
    };
    assert_eq!(
        figures(&day_of(vec![backup(9, 500), backup(2, 100)])),
        [(7, "backup_byte_hours".into(), 8, 2400.0)]
    );
}

#[test]
fn rows_that_may_repeat_are_collapsed_only_when_their_raw_values_are_equal() {
    // A network in two states for 10 and 14 hours of one window, and all of it replayed.
    let network = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 30, hours)
    };
    let usage = day_of(vec![
        network(1, 10.0),
        network(2, 14.0),
        network(3, 10.0),
        network(4, 14.0),
    ]);
    assert_eq!(figures(&usage), [(7, "network".into(), 0, 24.0)]);
    assert_eq!(usage.replayed_rows, 2);
}

#[test]
fn a_short_window_inside_another_takes_its_place_and_one_on_its_own_counts() {
    // A late event half an hour before midnight: an extra row for every resource. Volume 2 has only that.
    let late = |id, usage_id| UsageRow {
        usage_id,
        particulars: Particulars::Size(1),
        start: DAY.end - 1800,
        ..row(id, 6, 0.5)
    };
    let whole = UsageRow {
        usage_id: 1,
        particulars: Particulars::Size(1),
        ..row(1, 6, 24.0)
    };
    let usage = day_of(vec![whole.clone(), late(2, 1), late(3, 2)]);
    assert_eq!(figures(&usage), [(7, "primary_byte_hours".into(), 0, 24.5)]);
    assert_eq!(
        usage.findings[0].detail,
        "1 row of usage type 6 counted up to the start of a later run"
    );
    // Ids in the other order are nobody's run: the inner one repeats the outer one.
    let usage = day_of(vec![late(1, 1), UsageRow { id: 2, ..whole }]);
    assert_eq!(figures(&usage), [(7, "primary_byte_hours".into(), 0, 24.0)]);
}

#[test]
fn windows_across_each_other_are_counted_once() {
    // A replay across a clock change is cut an hour off: 1 to 1 o'clock instead of midnight to midnight.
    let shifted = |id, from: i64| UsageRow {
        start: TENTH + from * 3600,
        end: TENTH + (from + 24) * 3600,
        ..row(id, 10, 24.0)
    };
    let usage = day_of(vec![row(1, 10, 20.0), shifted(2, -23), shifted(3, 1)]);
    assert_eq!(figures(&usage), [(7, "security_group".into(), 0, 24.0)]);
    assert_eq!((usage.source_rows, usage.replayed_rows), (3, 1));
    // The other way round the shifted ones are the earlier run's.
    let usage = day_of(vec![row(3, 10, 20.0), shifted(1, -23), shifted(2, 1)]);
    assert_eq!(figures(&usage)[0].3, 20.0);
    assert_eq!(
        usage.findings[0].detail,
        "2 rows of usage type 10 counted only beside other rows, whose windows overlap"
    );
    // Without a row of the day itself the two share it.
    let usage = day_of(vec![shifted(2, -23), shifted(3, 1)]);
    assert_eq!(figures(&usage)[0].3, 24.0);
    let ten_hours = |id, from: i64| UsageRow {
        raw_usage: 10.0,
        end: TENTH + (from + 10) * 3600,
        ..shifted(id, from)
    };
    // 0 to 10, 10 to 20, and again 5 to 15 and 15 to 25 by a later run: 24 hours are 24 hours.
    let usage = day_of(vec![
        ten_hours(1, 0),
        ten_hours(2, 10),
        ten_hours(3, 5),
        ten_hours(4, 15),
    ]);
    assert_eq!(figures(&usage)[0].3, 24.0);
}

#[test]
fn a_replay_over_the_change_to_summer_time_counts_once() {
    // Stockholm, 2025. An event of the 28th at 12:00 could not be processed, so the run of the 30th cut its
    // pieces of 24 hours from there on, shifted by one hour against the rows of the 28th and 29th.
    let stockholm = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    let midnight = |day: &str| stockholm.midnight(day.parse().unwrap());
    let hour = 3600;
    let end = midnight("2025-03-31");
    let vm = |id, from, until, hours| UsageRow {
        usage_id: 1,
        offering_id: 3,
        start: from,
        end: until,
        ..row(id, 2, hours)
    };
    let rows = identified(vec![
        vm(1, midnight("2025-03-28"), midnight("2025-03-29"), 24.0),
        vm(2, midnight("2025-03-29"), midnight("2025-03-30"), 24.0),
        vm(3, midnight("2025-03-28") + 12 * hour, end - 48 * hour, 11.0),
        vm(4, end - 48 * hour, end - 24 * hour, 24.0),
        vm(5, end - 24 * hour, end, 24.0),
    ]);
    let hours_of = |day: &str| {
        let bounds = DayBounds {
            start: midnight(day),
            end: midnight(&day.parse::<crate::day::Day>().unwrap().next().to_string()),
        };
        // As the source gives them: the rows whose windows touch the day.
        let touches = |row: &&UsageRow| row.start < bounds.end && row.end > bounds.start;
        let mut touching: Vec<UsageRow> = rows.iter().filter(touches).cloned().collect();
        let rewinds = Rewinds::of(&Runs::default(), &mut touching);
        aggregate(
            &mut touching,
            &rewinds,
            bounds,
            &stockholm,
            &Removals::default(),
            &|_, _| 0,
        )
        .unwrap()
    };
    let days = ["2025-03-28", "2025-03-29", "2025-03-30"].map(hours_of);
    assert_eq!(
        days.each_ref().map(|day| day.records[0].quantity),
        [24.0, 24.0, 23.0]
    );
    assert_eq!(days.each_ref().map(|day| day.replayed_rows), [0, 1, 0]);
    assert_eq!(
        days[0].findings[0].detail,
        "1 row of usage type 2 counted up to the start of a later run"
    );
}

#[test]
fn windows_over_midnight_are_shared_and_reported() {
    // 18:00 of the 9th to 06:00 of the 10th: half of 12 hours; and 1,000 bytes, which were read at its end.
    let half = |id, usage_type, raw| UsageRow {
        start: TENTH - 21_600,
        end: TENTH + 21_600,
        ..row(id, usage_type, raw)
    };
    let usage = day_of(vec![half(1, 10, 12.0), half(2, 4, 1000.0)]);
    assert_eq!(
        figures(&usage),
        [
            (7, "network_bytes_sent".into(), 0, 1000.0),
            (7, "security_group".into(), 0, 6.0)
        ]
    );
    assert_eq!(
        usage.findings[0].detail,
        "1 row across midnight, shared by elapsed time"
    );
}

#[test]
fn a_window_that_starts_seconds_early_is_wholly_the_days() {
    let glued = UsageRow {
        usage_id: 1,
        offering_id: 3,
        start: TENTH - 2,
        ..row(1, 2, 24.000555)
    };
    let usage = day_of(vec![glued]);
    assert_eq!(figures(&usage), [(7, "vm_allocated".into(), 3, 24.000555)]);
    assert_eq!(kinds(&usage), Vec::<&str>::new());
}
