//! Rows that CloudStack's own usage server wrote (4.11.3, 4.22 and 4.23, on a clock of the tests), with the truth of the
//! events beside them: late events, events that were stuck and repaired, outages, changes of the clocks.
//!
//! `truth.json`: `days` is what the events come to by arithmetic, never what the rows say. `lost_upstream` was used and never
//! written; it is taken off `days` already. `wrong_upstream` is what the rows say too much, and nobody can know: with it
//! or without it, a figure is right. `tolerance_hours` is what the server glues to another day's window.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::cloudstack::{Cloud, Version, unix_seconds};

/// Day, account, metric, uuid of what the metric is kept per (empty: nothing).
type Figures = BTreeMap<(String, String, String, String), f64>;

/// One story.
struct Story {
    name: String,
    truth: Value,
    /// Statements for the main and the usage database, without the rows of `cloud_usage` and `usage_job`.
    main: String,
    /// Each row of `cloud_usage` as a statement, with its id and window, in the order of ids.
    rows: Vec<(Written, String)>,
    /// Each finished row of `usage_job` as a statement, with its range, in the order of ids.
    jobs: Vec<(Job, String)>,
}

/// What tells to which run a row belongs.
struct Written {
    id: u64,
    account: u64,
    snapshot: bool,
    window: (String, String),
}

struct Job {
    start: i64,
    /// Its last second.
    end: i64,
    success: bool,
}

/// What can be told without `usage_job`.
#[derive(Clone, Copy, PartialEq)]
enum Jobs {
    Readable,
    Unreadable,
}

impl Story {
    fn read(name: &str) -> Story {
        let folder = folder().join(name);
        let text = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a story");
        let sql = text("rows.sql");
        let (main, usage) = sql
            .split_once("-- cloud_usage\n")
            .expect("rows of both databases");
        let (mut rows, mut jobs) = (Vec::new(), Vec::new());
        for (columns, values) in inserts(usage) {
            let table = columns.split(' ').next().expect("a table");
            let statement = format!("insert into {columns} values {values}");
            let fields = fields(&values);
            let named: BTreeMap<&str, &str> = columns[table.len()..]
                .trim_matches([' ', '(', ')'])
                .split(',')
                .zip(fields.iter().map(String::as_str))
                .collect();
            let number = |name: &str| named[name].parse::<u64>().expect("a number");
            if table == "cloud_usage" {
                let written = Written {
                    id: number("id"),
                    account: number("account_id"),
                    snapshot: matches!(named["usage_type"], "25" | "27"),
                    window: (named["start_date"].to_owned(), named["end_date"].to_owned()),
                };
                rows.push((written, statement));
            } else if named["end_millis"] != "0" {
                let job = Job {
                    start: i64::try_from(number("start_millis") / 1000).unwrap(),
                    end: i64::try_from(number("end_millis") / 1000).unwrap(),
                    success: named["success"] == "1",
                };
                jobs.push((job, statement));
            }
        }
        rows.sort_by_key(|(row, _)| row.id);
        Story {
            name: name.to_owned(),
            truth: serde_json::from_str(&text("truth.json")).expect("JSON"),
            main: main.to_owned(),
            rows,
            jobs,
        }
    }

    fn cloud(&self, from: fn(Version) -> Cloud, jobs: Jobs) -> Cloud {
        let release = self.truth["release"].as_str().expect("a release");
        let version = match release {
            "4.11.3" => Version::V4_7,
            "4.22.0" => Version::V4_19_1,
            "4.23.0" => Version::V4_22_1,
            other => panic!("release {other}"),
        };
        let cloud = from(version);
        let zone = self.truth["timezone"].as_str().expect("a zone");
        cloud.configure(zone, "[import]\nreread = update\n");
        for table in ["domain", "data_center"] {
            cloud.main(&format!("delete from {table}"));
        }
        for (columns, values) in inserts(&self.main) {
            cloud.main(&format!("insert into {columns} values {values}"));
        }
        if jobs == Jobs::Unreadable {
            cloud.usage("drop table usage_job");
        }
        cloud.run(&["initdb"]).exits(0);
        cloud
    }

    /// How many rows each finished job had written by its end.
    fn rows_by_job(&self) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut next = 0;
        let jobs: Vec<&Job> = self.jobs.iter().map(|(job, _)| job).collect();
        for (number, job) in jobs.iter().enumerate() {
            if !job.success {
                ends.push(next);
                continue;
            }
            let next_start = jobs[number + 1..].iter().find(|job| job.success);
            let mut last_window = None;
            let mut accounts: Vec<u64> = Vec::new();
            while let Some((row, _)) = self.rows.get(next) {
                let end = unix_seconds(&row.window.1);
                let start = unix_seconds(&row.window.0);
                if !row.snapshot {
                    let left = last_window.as_ref().is_some_and(|last| *last != row.window);
                    // The next run may begin with this very window: then with an account that was done with.
                    let same = next_start.is_some_and(|next| next.start == start);
                    let returns =
                        accounts.last() != Some(&row.account) && accounts.contains(&row.account);
                    if left || (last_window.is_some() && same && returns) {
                        break;
                    }
                    if end == job.end {
                        last_window = Some(row.window.clone());
                        accounts.push(row.account);
                    }
                }
                next += 1;
            }
            ends.push(next);
        }
        ends
    }

    fn wanted(&self) -> Figures {
        let mut wanted = Figures::new();
        for (day, accounts) in self.truth["days"].as_object().expect("days") {
            for (account, metrics) in accounts.as_object().expect("accounts") {
                for (metric, figure) in metrics.as_object().expect("metrics") {
                    let mut add = |resource: &str, figure: &Value| {
                        let key = [day, account, metric, resource].map(str::to_owned);
                        let [day, account, metric, resource] = key;
                        let quantity = figure.as_f64().expect("a figure");
                        wanted.insert((day, account, metric, resource), quantity);
                    };
                    match figure.as_object() {
                        Some(resources) => resources.iter().for_each(|(uuid, q)| add(uuid, q)),
                        None => add("", figure),
                    }
                }
            }
        }
        wanted
    }

    /// Every figure of the ledger that is not the truth.
    fn wrong(&self, cloud: &Cloud) -> Vec<String> {
        let wanted = self.wanted();
        let days: Vec<&String> = self.truth["days"]
            .as_object()
            .expect("days")
            .keys()
            .collect();
        let mut found = Figures::new();
        for line in cloud.ledger(
            "select day, account_name, metric, coalesce(resource_uuid, ''), quantity from daily_usage",
        ) {
            let fields: Vec<&str> = line.split(" | ").collect();
            let [day, account, metric, resource, quantity] = fields[..] else {
                panic!("{line}")
            };
            if days.iter().any(|known| *known == day) {
                let [day, account, metric, resource] =
                    [day, account, metric, resource].map(str::to_owned);
                found.insert((day, account, metric, resource), quantity.parse().unwrap());
            }
        }
        let mut wrong = Vec::new();
        let keys: std::collections::BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
        for key in keys {
            let [wanted, found] = [&wanted, &found].map(|of| of.get(key).copied().unwrap_or(0.0));
            let off = found - wanted;
            let near = |off: f64| off.abs() <= self.tolerance(&key.2) + 1e-6 * wanted.abs();
            if !near(off) && !near(off - self.wrong_upstream(key)) {
                wrong.push(format!("{key:?}: {found}, and {wanted} is right"));
            }
        }
        wrong
    }

    /// In the metric's unit; no volume of a story is larger than 100 GiB.
    fn tolerance(&self, metric: &str) -> f64 {
        let hours = self.truth["tolerance_hours"].as_f64().unwrap_or(0.000_01);
        match metric.ends_with("byte_hours") {
            true => hours * 100.0 * 1_073_741_824.0,
            false => hours,
        }
    }

    fn wrong_upstream(
        &self,
        (day, account, metric, resource): &(String, String, String, String),
    ) -> f64 {
        let all = self.truth["wrong_upstream"].as_array();
        let amounts = all.into_iter().flatten().filter(|wrong| {
            wrong["day"] == *day
                && wrong["account"] == *account
                && wrong["metric"] == *metric
                && wrong["resource"].as_str().unwrap_or_default() == resource
        });
        amounts
            .map(|wrong| wrong["amount"].as_f64().expect("an amount"))
            .sum()
    }

    fn period(&self) -> (String, String) {
        let days = self.truth["days"].as_object().expect("days");
        let day = |day: Option<&String>| day.expect("a day").clone();
        (day(days.keys().min()), day(days.keys().max()))
    }

    /// Everything is there, and is imported by one command.
    fn at_once(&self, from: fn(Version) -> Cloud, jobs: Jobs) -> (Cloud, Vec<String>) {
        let cloud = self.cloud(from, jobs);
        for (_, statement) in &self.rows {
            cloud.usage(statement);
        }
        if jobs == Jobs::Readable {
            self.jobs
                .iter()
                .for_each(|(_, statement)| cloud.usage(statement));
        }
        let (first, last) = self.period();
        cloud.run(&["import", "-s", &first, "-e", &last]).exits(0);
        let wrong = self.wrong(&cloud);
        (cloud, wrong)
    }

    /// Once after each run of the usage server, as cron does.
    fn day_by_day(&self, jobs: Jobs) -> Vec<String> {
        let cloud = self.cloud(Cloud::in_sqlite, jobs);
        self.follow(&cloud, jobs, &mut |_| ());
        // The last days may not be finished.
        let (first, last) = self.period();
        cloud.run(&["import", "-s", &first, "-e", &last]).exits(0);
        self.wrong(&cloud)
    }

    /// Imports after each run of the usage server; `after` gets the number of the run.
    fn follow(&self, cloud: &Cloud, jobs: Jobs, after: &mut dyn FnMut(usize)) {
        let mut written = 0;
        for (number, rows) in self.rows_by_job().into_iter().enumerate() {
            for (_, statement) in &self.rows[written..rows] {
                cloud.usage(statement);
            }
            written = rows;
            if jobs == Jobs::Readable {
                cloud.usage(&self.jobs[number].1);
            }
            cloud.run(&["import"]).exits(0);
            after(number + 1);
        }
        assert_eq!(written, self.rows.len(), "{}", self.name);
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/real")
}

fn stories() -> Vec<Story> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("stories")
        .map(|entry| entry.expect("a story").file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 19);
    names.iter().map(|name| Story::read(name)).collect()
}

/// Table with columns, and values in brackets, of each row of plain inserts.
fn inserts(sql: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut columns = String::new();
    for line in sql.lines() {
        match line.strip_prefix("insert into ") {
            Some(head) => columns = head.strip_suffix(" values").expect("values").to_owned(),
            None if line.starts_with('(') => {
                let values = line.trim_end_matches([',', ';']).to_owned();
                rows.push((columns.clone(), values));
            }
            None => {}
        }
    }
    rows
}

/// The fields of `(1,'a, b',null)`, without quotes.
fn fields(values: &str) -> Vec<String> {
    let inside = &values[1..values.len() - 1];
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in inside.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("a field").push(letter),
        }
    }
    fields
}

#[track_caller]
fn all_right(what: &str, wrong: Vec<(String, Vec<String>)>) {
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(name, wrong)| format!("{name}:\n  {}", wrong.join("\n  ")))
        .collect();
    assert!(wrong.is_empty(), "{what}\n{}", wrong.join("\n"));
}

#[test]
fn imported_at_once_and_again_every_story_is_the_truth() {
    let mut wrong = Vec::new();
    for story in stories() {
        let (cloud, at_once) = story.at_once(Cloud::in_sqlite, Jobs::Readable);
        let (first, last) = story.period();
        let period = format!("{first}..{last}");
        cloud.run(&["verify", &period]).exits(0);
        cloud
            .run(&["import", "-f", "-s", &first, "-e", &last])
            .exits(0);
        assert_eq!(
            cloud.ledger("select * from corrections"),
            Vec::<String>::new()
        );
        for account in cloud.ledger("select uuid from accounts where name in ('alice', 'bob')") {
            cloud.run(&["explain", &account, &period]).exits(0);
        }
        wrong.push((story.name.clone(), at_once));
        wrong.push((story.name.clone(), story.wrong(&cloud)));
    }
    all_right("at once", wrong);
}

#[test]
fn from_mariadb_every_story_is_the_truth() {
    let wrong = stories().into_iter().map(|story| {
        let (_, wrong) = story.at_once(Cloud::in_mariadb, Jobs::Readable);
        (story.name, wrong)
    });
    all_right("from MariaDB", wrong.collect());
}

#[test]
fn imported_day_by_day_every_story_is_the_truth() {
    let wrong = stories().into_iter().map(|story| {
        let wrong = story.day_by_day(Jobs::Readable);
        (story.name, wrong)
    });
    all_right("day by day", wrong.collect());
}

#[test]
fn without_usage_job_every_story_is_the_truth_as_well() {
    let wrong = stories().into_iter().map(|story| {
        let (_, wrong) = story.at_once(Cloud::in_sqlite, Jobs::Unreadable);
        (story.name, wrong)
    });
    all_right("without usage_job", wrong.collect());
}

/// An event of 9 June cannot be processed from the third run on; the fifth finds it repaired, and the sixth goes beyond it.
/// Without any setting, the days since then are taken over, and none of them can be sealed meanwhile.
#[test]
fn days_since_a_stuck_event_are_provisional_until_a_run_has_gone_beyond_it() {
    let story = Story::read("08-stuck-repaired");
    let cloud = story.cloud(Cloud::in_sqlite, Jobs::Readable);
    cloud.configure("GMT", "");
    let provisional = "select group_concat(day) from days where provisional";
    story.follow(&cloud, Jobs::Readable, &mut |run| {
        let days = match run {
            1..=2 => "null",
            3 => "2026-06-09,2026-06-10",
            4 => "2026-06-09,2026-06-10,2026-06-11",
            5 => "2026-06-09,2026-06-10,2026-06-11,2026-06-12",
            _ => "null",
        };
        assert_eq!(cloud.ledger(provisional), [days], "run {run}");
        if run == 4 {
            cloud.run(&["verify", "2026-06-08..2026-06-11"]).exits(0);
            let status = cloud.run(&["status", "--month", "2026-06"]);
            let said = "source: the newest run went back to 2026-06-09: days since then are provisional until another goes on from it";
            assert!(status.stdout.contains(said), "{status}");
            let refused = cloud.run(&["seal", "2026-06-08..2026-06-09"]).exits(1);
            assert_eq!(
                refused.stderr,
                "rbc-usage: provisional, as the newest run of the usage server went back to them or before: 2026-06-09\nrbc-usage: nothing is sealed; --anyway seals the days that are closed\n"
            );
        }
    });
    assert_eq!(story.wrong(&cloud), Vec::<String>::new());
    let rewritten = cloud.ledger("select day, detail from findings where kind = 'rewritten'");
    assert_eq!(rewritten.len(), 3, "{rewritten:?}");
    assert_eq!(
        rewritten[1],
        "2026-06-10 | usage_job 5 wrote the time since 2026-06-09T06:00:00Z again: vm_allocated +24 hours, \
         ip_address_allocated +48 -24 hours, primary_byte_hours +206158430208 -515396075520 byte-hours, \
         secondary_byte_hours -206158430208 byte-hours, security_group -24 hours, load_balancer_policy -24 hours, \
         port_forwarding_rule +24 hours, network_offering -24 hours"
    );
    let old = cloud.ledger(
        "select day, metric, old_quantity, new_quantity from corrections \
         where day = '2026-06-10' and account_name = 'bob' and metric = 'primary_byte_hours'",
    );
    assert_eq!(old.len(), 1, "{old:?}");
    cloud.run(&["verify", "2026-06-08..2026-06-13"]).exits(0);
    cloud.run(&["seal", "2026-06-08..2026-06-13"]).exits(0);
}
