//! Windows by hand: which zone they are of, and which prove nothing.

use super::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn zones(name: &str) -> Zones {
    Zones::from(Zone::parse(name).unwrap())
}

/// `YYYY-MM-DD HH:MM` to the same, both GMT.
fn window(text: &str, rows: u64) -> Window {
    let instant = |text: &str| {
        let (date, time) = text.split_once(' ').unwrap();
        let (hours, minutes) = time.split_once(':').unwrap();
        let number = |text: &str| text.parse::<i64>().unwrap();
        day(date).days_since_1970() * DAY_SECONDS + number(hours) * 3600 + number(minutes) * 60
    };
    let (start, end) = text.split_once(" to ").unwrap();
    Window {
        start: instant(start),
        end: instant(end),
        rows,
    }
}

/// Windows one after another, all of one length.
fn run_of(from: &str, minutes: i64, count: i64) -> Vec<Window> {
    let first = window(&format!("{from} to {from}"), 1).start;
    let at = |number: i64| first + number * minutes * 60;
    (0..count)
        .map(|number| Window {
            start: at(number),
            end: at(number + 1),
            rows: 3,
        })
        .collect()
}

fn offset(windows: &[Window], date: &str, name: &str) -> Option<i64> {
    misfit(windows, day(date), &zones(name)).map(|misfit| misfit.offset / 60)
}

#[test]
fn daily_windows_of_another_zone_are_told_with_their_offset_and_zones() {
    let stockholm = run_of("2026-06-01 22:00", 1440, 10);
    let told = misfit(&stockholm, day("2026-06-05"), &zones("GMT")).unwrap();
    assert_eq!(
        told.to_string(),
        "CloudStack's windows begin 2 hours before midnight of GMT (6 of 6 rows), as in Europe/Berlin, \
         Europe/Stockholm, Europe/Amsterdam, Europe/Paris, Europe/Zurich; write its usage.aggregation.timezone, \
         such as main.timezone = Europe/Berlin"
    );
    let named = told.clone().preferring(Some("Europe/Stockholm"));
    assert_eq!(named.likeliest(), "Europe/Stockholm");
    let unusual = told.clone().preferring(Some("Europe/Oslo"));
    assert_eq!(unusual.likeliest(), "Europe/Oslo");
    let none = told.preferring(Some("America/New_York"));
    assert_eq!(none.likeliest(), "Europe/Berlin");
    for (name, expected) in [
        ("Europe/Berlin", None),
        ("Europe/London", Some(-60)),
        ("Asia/Kolkata", Some(210)),
        ("America/New_York", Some(-360)),
    ] {
        assert_eq!(offset(&stockholm, "2026-06-05", name), expected, "{name}");
    }
}

#[test]
fn the_first_and_the_last_day_of_the_windows_say_the_same() {
    let stockholm = run_of("2026-06-01 22:00", 1440, 10);
    for date in ["2026-06-01", "2026-06-11"] {
        assert_eq!(offset(&stockholm, date, "GMT"), Some(-120), "{date}");
    }
    // Nothing touches these.
    assert_eq!(offset(&stockholm, "2026-05-31", "GMT"), None);
    assert_eq!(offset(&[], "2026-06-05", "GMT"), None);
}

#[test]
fn a_zone_that_no_name_is_known_of_is_named_by_its_offset() {
    let odd = run_of("2026-06-01 10:15", 1440, 4);
    let told = misfit(&odd, day("2026-06-03"), &zones("GMT")).unwrap();
    assert_eq!((told.offset, told.likeliest()), (615 * 60, "GMT-10:15"));
    assert!(Zone::parse(told.likeliest()).is_ok());
}

#[test]
fn hourly_windows_prove_what_is_no_whole_hour() {
    let hourly = run_of("2026-06-01 22:00", 60, 100);
    assert_eq!(offset(&hourly, "2026-06-03", "GMT"), None);
    assert_eq!(offset(&hourly, "2026-06-03", "Asia/Kolkata"), Some(30));
    assert_eq!(offset(&hourly, "2026-06-03", "Asia/Kathmandu"), Some(-15));
}

#[test]
fn windows_that_end_when_the_job_runs_say_nothing() {
    for minutes in [720, 600, 480, 1000, 2880, 1430, 90] {
        let windows = run_of("2026-06-01 00:15", minutes, 60);
        for date in ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04"] {
            assert_eq!(offset(&windows, date, "GMT"), None, "{minutes} {date}");
        }
    }
}

#[test]
fn what_is_glued_to_a_window_or_shares_a_second_fits() {
    let mut glued = run_of("2026-06-01 00:00", 1440, 4);
    for window in &mut glued {
        window.start -= 60;
    }
    let mut touching = run_of("2026-06-01 00:00", 5, 2000);
    for window in &mut touching {
        window.end += 1;
    }
    let mut off = run_of("2026-06-01 22:00", 1440, 4);
    off[1].start -= 60;
    off[2].end += 1;
    for date in ["2026-06-01", "2026-06-02", "2026-06-03"] {
        assert_eq!(offset(&glued, date, "GMT"), None);
        assert_eq!(offset(&touching, date, "GMT"), None);
    }
    assert_eq!(offset(&off, "2026-06-03", "GMT"), Some(-120));
}

/// As a usage server writes it whose event was stuck since half past midnight of the 9th.
#[test]
fn a_piece_that_ends_with_the_windows_around_it_says_the_same() {
    let windows = [
        window("2026-06-08 00:00 to 2026-06-09 00:00", 7),
        window("2026-06-09 00:00 to 2026-06-10 00:00", 9),
        window("2026-06-09 00:30 to 2026-06-10 00:00", 30),
        window("2026-06-10 00:00 to 2026-06-11 00:00", 27),
    ];
    for date in ["2026-06-09", "2026-06-10"] {
        assert_eq!(offset(&windows, date, "Asia/Tokyo"), Some(540), "{date}");
        assert_eq!(offset(&windows, date, "GMT"), None, "{date}");
    }
    // Alone it may be of any range.
    assert_eq!(offset(&windows[2..3], "2026-06-09", "Asia/Tokyo"), None);
}

#[test]
fn a_few_rows_among_many_are_no_proof() {
    let mut windows = run_of("2026-06-01 00:00", 1440, 4);
    windows.push(window("2026-06-01 22:00 to 2026-06-02 22:00", 3));
    windows.push(window("2026-06-02 22:00 to 2026-06-03 22:00", 3));
    // Half of them are not most.
    assert_eq!(offset(&windows, "2026-06-02", "GMT"), None);
    windows[4].rows = 4;
    windows[5].rows = 4;
    assert_eq!(offset(&windows, "2026-06-02", "GMT"), Some(-120));
}

#[test]
fn the_day_on_which_cloudstack_was_set_to_another_zone_fits() {
    let windows = [
        window("2026-06-10 00:00 to 2026-06-11 00:00", 1),
        window("2026-06-11 00:00 to 2026-06-11 22:00", 1),
        window("2026-06-11 22:00 to 2026-06-12 22:00", 1),
        window("2026-06-12 22:00 to 2026-06-13 22:00", 1),
    ];
    assert_eq!(offset(&windows[1..3], "2026-06-11", "GMT"), None);
    assert_eq!(offset(&windows[2..], "2026-06-12", "GMT"), Some(-120));
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let since = day("2026-06-12");
    let begins = berlin.midnight(since);
    let moved = zones("GMT").with(crate::zones::ZoneChange {
        since,
        zone: berlin.clone(),
        begins,
    });
    let moved = moved.unwrap();
    assert_eq!(misfit(&windows[1..3], day("2026-06-11"), &moved), None);
    assert_eq!(misfit(&windows[2..], day("2026-06-12"), &moved), None);
    // Where the day before stays as it was, the first day begins at no midnight.
    let kept = zones("GMT").with(crate::zones::ZoneChange {
        since,
        zone: berlin,
        begins: begins + 7200,
    });
    assert_eq!(misfit(&windows[2..3], since, &kept.unwrap()), None);
}

#[test]
fn a_backlog_over_a_clock_change_fits() {
    // Stockholm's clock goes back on 2026-10-25: pieces of 24 hours, cut from the end of the 28th, begin an hour late
    // on all days before.
    let autumn = run_of("2026-10-10 23:00", 1440, 18);
    for date in [
        "2026-10-11",
        "2026-10-12",
        "2026-10-24",
        "2026-10-25",
        "2026-10-26",
    ] {
        assert_eq!(offset(&autumn, date, "Europe/Stockholm"), None, "{date}");
    }
    let spring = run_of("2026-03-10 22:00", 1440, 22);
    for date in ["2026-03-12", "2026-03-28", "2026-03-29", "2026-03-30"] {
        assert_eq!(offset(&spring, date, "Europe/Stockholm"), None, "{date}");
    }
    // The other way round it is none, nor two months before.
    assert_eq!(
        offset(
            &run_of("2026-10-10 21:00", 1440, 9),
            "2026-10-15",
            "Europe/Stockholm"
        ),
        Some(-60)
    );
    assert_eq!(
        offset(
            &run_of("2026-08-10 23:00", 1440, 9),
            "2026-08-15",
            "Europe/Stockholm"
        ),
        Some(60)
    );
}

#[test]
fn rows_are_counted_by_their_windows_at_the_midnights() {
    let rows = [
        (-100, 500),
        (500, 86_000),
        (-100, 500),
        (86_000, 90_000),
        (-100, 500),
    ];
    let bounds = DayBounds {
        start: 0,
        end: DAY_SECONDS,
    };
    let found: Vec<(i64, u64)> = windows_of(rows.into_iter(), bounds)
        .iter()
        .map(|window| (window.start, window.rows))
        .collect();
    assert_eq!(found, [(-100, 3), (86_000, 1)]);
}
