//! Random clouds against the real program: a simulated usage server turns their lives into rows, the program
//! imports these, and the ledger must equal what the lives say by direct arithmetic over the local days.
//!
//! Each scenario runs with a few fixed seeds, the first of them from MariaDB, the others from SQLite files.
//! `RBC_USAGE_SEEDS=200` runs more of them; a failure names its scenario and seed.

use crate::cloudstack::{self, Version};
use crate::simulator::cloud::{Cloud, Stuck};
use crate::simulator::oracle::{differences, expected, expected_lines};
use crate::simulator::server::Server;
use crate::simulator::windows::Window;
use crate::simulator::zones::{GMT, KOLKATA, LocalDay, NEW_YORK, STOCKHOLM, Zone};
use crate::simulator::{DAY, HOUR, MINUTE, SECOND, store};

/// A moment: so many milliseconds before the midnight that begins the day of this number, counted from 0.
#[derive(Clone, Copy, Debug)]
struct Before {
    day: usize,
    by: i64,
}

/// A history of the usage server. The days are local, and 2025's.
#[derive(Debug)]
struct Scenario {
    zone: &'static Zone,
    first: &'static str,
    days: i64,
    /// Length of a window: the aggregation range.
    piece: i64,
    /// Hours from the beginning between which the usage server is down.
    down: &'static [(i64, i64)],
    /// Events that the usage server learns of only on the day of the second number.
    late: Vec<(Before, usize)>,
    /// Events that it can never process.
    stuck: Vec<Before>,
    /// Events between two moments that it processes only on the day of this number.
    repaired: Option<(Before, Before, usize)>,
    version: Version,
}

const DAILY: Scenario = Scenario {
    zone: &GMT,
    first: "2025-06-10",
    days: 6,
    piece: DAY,
    down: &[],
    late: Vec::new(),
    stuck: Vec::new(),
    repaired: None,
    version: Version::V4_19_1,
};

const MIDDAY: i64 = 12 * HOUR;

fn hourly() -> Scenario {
    Scenario {
        days: 3,
        piece: HOUR,
        ..DAILY
    }
}

fn before(day: usize, by: i64) -> Before {
    Before { day, by }
}

/// The same scenario in a zone, from a local day on.
fn in_zone(scenario: Scenario, zone: &'static Zone, first: &'static str) -> Scenario {
    Scenario {
        zone,
        first,
        ..scenario
    }
}

impl Scenario {
    /// Imports the history that a seed gives and compares the ledger with the lives.
    fn check(&self, seed: u64, from: cloudstack::Cloud) {
        let days = self.zone.days(self.first, self.days);
        let mut cloud = Cloud::random(seed, whole(&days));
        self.disturb(&mut cloud, &days);
        let per_vm_volumes = self.version >= Version::V4_22_1;
        let mut server = Server::new(&cloud, self.piece, days[0].begins, per_vm_volumes);
        for end in self.ends(&days) {
            server.run(end);
        }
        store::write(&from, &cloud, &server);
        from.configure(self.zone.name, "");
        from.run(&["initdb"]).exits(0);
        let last = &days.last().expect("a day").day;
        let run = from.run(&["import", "-s", self.first, "-e", last]).exits(0);
        let differ = differences(
            &expected(&cloud, &server.runs, &days),
            &store::ledger(&from),
            self.blurred_seconds(),
        );
        assert!(
            differ.is_empty(),
            "seed {seed} of {self:?}: {} figures differ\n{}\n{run}",
            differ.len(),
            differ[..differ.len().min(20)].join("\n"),
        );
        let differ = differences(
            &expected_lines(&cloud, &server.runs, &days),
            &store::lines(&from),
            self.blurred_seconds(),
        );
        assert!(
            differ.is_empty(),
            "seed {seed} of {self:?}: {} lines differ\n{}\n{run}",
            differ.len(),
            differ[..differ.len().min(20)].join("\n"),
        );
        let differ = store::records_beside_their_lines(&from);
        assert!(differ.is_empty(), "seed {seed} of {self:?}: {differ:?}");
        self.prove(seed, &from, last);
    }

    /// What was imported is what a second reading gives, and every figure of an account is the sum of its rows.
    fn prove(&self, seed: u64, from: &cloudstack::Cloud, last: &str) {
        let run = from.run(&["verify", "--format", "csv"]).exits(0);
        assert_eq!(
            run.stdout.lines().count(),
            1,
            "seed {seed} of {self:?}: {run}"
        );
        let period = format!("{}..{last}", self.first);
        from.run(&["import", "-s", self.first, "-e", last]).exits(0);
        for account in from.ledger("select uuid from accounts order by uuid limit 2") {
            from.run(&["explain", &account, &period]).exits(0);
        }
    }

    /// Imports after each of the usage server's runs that finishes a day, taking over what changes of earlier
    /// days. In the end the ledger is the same as if all had been imported at once.
    fn follow(&self, seed: u64) {
        let days = self.zone.days(self.first, self.days);
        let mut cloud = Cloud::random(seed, whole(&days));
        self.disturb(&mut cloud, &days);
        let per_vm_volumes = self.version >= Version::V4_22_1;
        let mut server = Server::new(&cloud, self.piece, days[0].begins, per_vm_volumes);
        let into = cloudstack::Cloud::in_sqlite(self.version);
        store::write_names(&into, &cloud);
        into.configure(self.zone.name, "[import]\nreread = update\n");
        into.run(&["initdb"]).exits(0);
        let (mut rows, mut runs, mut finished) = (0, 0, 0);
        for end in self.ends(&days) {
            server.run(end);
            store::write_runs(&into, &server, rows, runs);
            (rows, runs) = (server.rows.len(), server.runs.len());
            let closed = days.iter().filter(|day| day.ends <= end + 1).count();
            if closed > finished {
                into.run(&["import"]).exits(0);
                finished = closed;
            }
        }
        let differ = differences(
            &expected(&cloud, &server.runs, &days),
            &store::ledger(&into),
            self.blurred_seconds(),
        );
        assert!(
            differ.is_empty(),
            "seed {seed} of {self:?}, day by day: {} figures differ\n{}",
            differ.len(),
            differ[..differ.len().min(20)].join("\n"),
        );
        let period = format!("{}..{}", self.first, days[days.len() - 1].day);
        into.run(&["verify", &period]).exits(0);
    }

    /// How much of a life may be on another day than its window tells: what a late event makes the usage server glue to the
    /// next day, and the second in which windows meet whose ends are those of the job's runs.
    fn blurred_seconds(&self) -> f64 {
        if self.piece != DAY && self.piece != HOUR {
            return 1.0;
        }
        let late = self.late.iter().map(|(at, _)| at).chain(&self.stuck);
        let glued = late
            .filter(|at| (1..=MINUTE).contains(&at.by))
            .map(|at| at.by);
        f64::from(i32::try_from(glued.max().unwrap_or(0)).unwrap()) / 1000.0
    }

    fn disturb(&self, cloud: &mut Cloud, days: &[LocalDay]) {
        let instant = |at: &Before| days[at.day].begins - at.by;
        for (account, (at, known)) in (2..).zip(&self.late) {
            let reported = days[*known].begins + 5 * MINUTE;
            cloud.begin_late(account, instant(at), reported);
            // What a later run adds to a row is seen only where it writes the whole window again.
            if at.by == 0 {
                cloud.second_card_late(account, instant(at), reported);
            }
        }
        cloud.stuck = self
            .stuck
            .iter()
            .map(|at| Stuck {
                oldest: instant(at),
                repaired: i64::MAX,
            })
            .collect();
        if let Some((oldest, failing, day)) = &self.repaired {
            let repaired = days[*day].begins + 5 * MINUTE;
            cloud.stick(instant(oldest), instant(failing), repaired);
        }
    }

    /// The last millisecond of each run's range.
    fn ends(&self, days: &[LocalDay]) -> Vec<i64> {
        let Window { start, end } = whole(days);
        let ends: Vec<i64> = if self.piece == DAY {
            days.iter().map(|day| day.ends - 1).collect()
        } else if self.piece == HOUR {
            (1..=(end + 1 - start) / HOUR)
                .map(|hour| start + hour * HOUR - 1)
                .collect()
        } else {
            // Any other range ends when the job happens to run, here a few seconds later each time.
            let late = 7 * SECOND;
            (1..=(end - start) / self.piece + 1)
                .map(|n| start + n * (self.piece + late) + SECOND / 2)
                .collect()
        };
        let is_down = |at: i64| {
            let mut hours = self.down.iter().map(|(from, to)| from * HOUR..to * HOUR);
            hours.any(|down| down.contains(&(at - start)))
        };
        ends.into_iter().filter(|at| !is_down(*at)).collect()
    }
}

fn whole(days: &[LocalDay]) -> Window {
    Window {
        start: days[0].begins,
        end: days.last().expect("a day").ends - 1,
    }
}

/// Every scenario with every seed.
#[track_caller]
fn agree(scenarios: &[Scenario]) {
    let seeds = std::env::var("RBC_USAGE_SEEDS").map_or(2, |n| n.parse().expect("a number"));
    for scenario in scenarios {
        for seed in 1..=seeds {
            let from = match seed {
                1 => cloudstack::Cloud::in_mariadb(scenario.version),
                _ => cloudstack::Cloud::in_sqlite(scenario.version),
            };
            scenario.check(seed, from);
            // Many small imports; the reading from MariaDB is shown above.
            if seed > 1 {
                scenario.follow(seed);
            }
        }
    }
}

#[test]
fn days_around_the_change_to_summer_time() {
    agree(&[
        in_zone(DAILY, &GMT, "2025-03-28"),
        in_zone(DAILY, &STOCKHOLM, "2025-03-28"),
        in_zone(DAILY, &NEW_YORK, "2025-03-06"),
        in_zone(DAILY, &KOLKATA, "2025-03-28"),
    ]);
}

#[test]
fn days_around_the_change_to_winter_time() {
    agree(&[
        in_zone(DAILY, &GMT, "2025-10-24"),
        in_zone(DAILY, &STOCKHOLM, "2025-10-24"),
        in_zone(DAILY, &NEW_YORK, "2025-10-31"),
        in_zone(DAILY, &KOLKATA, "2025-10-24"),
    ]);
}

#[test]
fn hourly_windows() {
    agree(&[
        in_zone(hourly(), &STOCKHOLM, "2025-03-29"),
        in_zone(hourly(), &NEW_YORK, "2025-11-01"),
        in_zone(hourly(), &KOLKATA, "2025-06-10"),
    ]);
}

/// After an outage the windows are still whole days, but those before a change of the clocks are an hour
/// off and span midnights.
#[test]
fn the_usage_server_was_down_for_days() {
    let down = |zone, first, down| Scenario {
        down,
        ..in_zone(DAILY, zone, first)
    };
    agree(&[
        down(&GMT, "2025-06-10", &[(30, 110)]),
        // The change is in the first, a middle, the last day of the backlog.
        down(&STOCKHOLM, "2025-03-29", &[(30, 100)]),
        down(&STOCKHOLM, "2025-10-24", &[(30, 100)]),
        down(&NEW_YORK, "2025-03-06", &[(30, 90)]),
        down(&NEW_YORK, "2025-10-31", &[(30, 70)]),
        Scenario {
            down: &[(5, 11), (20, 30)],
            ..in_zone(hourly(), &STOCKHOLM, "2025-10-25")
        },
    ]);
}

#[test]
fn windows_of_ten_hours() {
    let ten_hours = |zone, first| Scenario {
        piece: 600 * MINUTE,
        ..in_zone(DAILY, zone, first)
    };
    agree(&[
        ten_hours(&GMT, "2025-06-10"),
        ten_hours(&NEW_YORK, "2025-10-31"),
    ]);
}

/// Two seconds are glued to the next day's row; ten minutes make a row of their own that lies inside the row of its
/// day; from days ago, whole days are written again.
#[test]
fn an_event_arrived_late() {
    let late = |zone, first, late| Scenario {
        late,
        ..in_zone(DAILY, zone, first)
    };
    let two_seconds = (before(3, 2 * SECOND), 3);
    let ten_minutes = (before(3, 10 * MINUTE), 3);
    let two_days = (before(3, MIDDAY), 4);
    agree(&[
        late(&GMT, "2025-06-10", vec![two_seconds]),
        late(&GMT, "2025-06-10", vec![ten_minutes]),
        late(&STOCKHOLM, "2025-06-10", vec![two_seconds]),
        late(&STOCKHOLM, "2025-06-10", vec![ten_minutes]),
        late(&NEW_YORK, "2025-06-10", vec![two_days]),
        late(&GMT, "2025-06-10", vec![(before(2, 0), 4)]),
        Scenario {
            late: vec![ten_minutes, two_seconds],
            days: 4,
            ..in_zone(hourly(), &KOLKATA, "2025-06-10")
        },
    ]);
}

#[test]
fn every_run_goes_back_to_an_event_it_cannot_process() {
    let stuck = |zone, first, stuck| Scenario {
        stuck,
        ..in_zone(DAILY, zone, first)
    };
    agree(&[
        stuck(&GMT, "2025-06-10", vec![before(2, MIDDAY)]),
        stuck(&STOCKHOLM, "2025-06-10", vec![before(2, 2 * SECOND)]),
        stuck(&KOLKATA, "2025-06-10", vec![before(1, 10 * MINUTE)]),
        Scenario {
            days: 1,
            stuck: vec![before(0, -(9 * HOUR + 20 * MINUTE))],
            ..in_zone(hourly(), &STOCKHOLM, "2025-06-10")
        },
    ]);
}

/// What ended among the events that could not be processed is written on and on, until a run after the repair has no
/// row of it; what began has none before.
#[test]
fn events_were_stuck_and_repaired() {
    let repaired = |zone, first, from, to, day| Scenario {
        days: 8,
        repaired: Some((from, to, day)),
        ..in_zone(DAILY, zone, first)
    };
    let (morning, noon) = (before(3, 18 * HOUR), before(3, MIDDAY));
    agree(&[
        repaired(
            &GMT,
            "2025-06-10",
            before(3, 20 * HOUR),
            before(3, 6 * HOUR),
            6,
        ),
        repaired(
            &STOCKHOLM,
            "2025-06-10",
            before(3, 23 * HOUR),
            before(3, HOUR),
            7,
        ),
        repaired(&NEW_YORK, "2025-06-10", morning, noon, 4),
        // From midnight on: the next run begins with the very window that the one before it ended with.
        repaired(&KOLKATA, "2025-06-10", before(3, 0), before(4, MIDDAY), 6),
        Scenario {
            days: 2,
            repaired: Some((
                before(0, -(9 * HOUR + 20 * MINUTE)),
                before(0, -(14 * HOUR)),
                1,
            )),
            ..in_zone(hourly(), &STOCKHOLM, "2025-06-10")
        },
        Scenario {
            stuck: vec![before(7, MIDDAY)],
            ..repaired(
                &GMT,
                "2025-06-10",
                before(2, 20 * HOUR),
                before(2, 4 * HOUR),
                5,
            )
        },
    ]);
}

#[test]
fn all_at_once() {
    agree(&[Scenario {
        days: 9,
        down: &[(50, 100)],
        late: vec![(before(2, 10 * MINUTE), 2), (before(6, 2 * SECOND), 6)],
        stuck: vec![before(5, MIDDAY)],
        ..in_zone(DAILY, &STOCKHOLM, "2025-06-10")
    }]);
}

/// From 4.22.1 on an attached volume has a second row, which names its VM and must not be counted.
#[test]
fn volumes_have_a_row_for_each_vm_too() {
    let newest = |zone, first| Scenario {
        version: Version::V4_22_1,
        stuck: vec![before(5, MIDDAY)],
        ..in_zone(DAILY, zone, first)
    };
    agree(&[
        newest(&STOCKHOLM, "2025-06-10"),
        newest(&NEW_YORK, "2025-10-31"),
    ]);
}
