//! `make bench`: what an import costs, as ratios to baselines measured in the same run, on a private MariaDB
//! server. Prints and judges nothing. `BENCH=L` puts the size that takes minutes to build beside the one before it, `BENCH=report` measures
//! reports alone, `BENCH=lines` questions about lines, `BENCH=server` the server, with `OLD=PROGRAM` beside another version of itself,
//! `BENCH=pages` the pages for a browser, `BENCH=history` what a ledger of ten years costs,
//! `BENCH=engines` one in a file beside those on servers.
//!
//! The baselines are what anybody has: the `mariadb` client letting the server do the sums, and the same
//! client fetching the very rows that the importer reads and throwing them away.

mod engines;
mod history;
mod lines;
mod pages;
mod server;
mod versions;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::large_cloud::{BenchCloud, Size, account_uuid};
use fixtures::{mariadb, sandbox};
use rbc_usage::{day, ledger, scope, zone, zones};

/// Each figure is the median of this many.
const ROUNDS: usize = 3;

/// Account-months read from the ledger.
const READS: u32 = 2000;

/// What one run of the program took.
struct Cost {
    time: Duration,
    /// The most memory it held, in megabytes.
    peak: f64,
}

fn main() {
    if std::env::var("BENCH").is_ok_and(|part| part == "report") {
        return report_a_year();
    }
    let database = mariadb::Server::start_with(&["--innodb-buffer-pool-size=8G"]);
    if std::env::var("BENCH").is_ok_and(|part| part == "server") {
        let cloud = BenchCloud::build(&database, Size::M);
        run("import", &cloud, Size::M);
        if let Ok(old) = std::env::var("OLD") {
            return versions::run(&cloud, Size::M, &old);
        }
        read_account_months(&cloud, Size::M);
        server::run(&cloud, Size::M);
        return;
    }
    if std::env::var("BENCH").is_ok_and(|part| part == "lines") {
        let cloud = BenchCloud::build(&database, Size::M);
        run("import", &cloud, Size::M);
        return lines::run(&cloud);
    }
    if std::env::var("BENCH").is_ok_and(|part| part == "pages") {
        let cloud = BenchCloud::build(&database, Size::M);
        run("import", &cloud, Size::M);
        return pages::run(&cloud);
    }
    if std::env::var("BENCH").is_ok_and(|part| part == "L") {
        return compare_large(&database);
    }
    if std::env::var("BENCH").is_ok_and(|part| part == "engines") {
        return engines::run(&BenchCloud::build(&database, Size::M));
    }
    if std::env::var("BENCH").is_ok_and(|part| part == "history") {
        return history::run(&BenchCloud::build(&database, Size::M));
    }
    println!(
        "size   rows      import    a: group by  b: fetch   import/a  import/b  re-import/import  verify/import  peak MB"
    );
    for size in [Size::S, Size::M] {
        let cloud = BenchCloud::build(&database, size);
        let [mut group_by, mut fetch, mut first, mut again, mut verified] =
            [const { Vec::new() }; 5];
        let mut peak = 0f64;
        for _ in 0..ROUNDS {
            group_by.push(timed(cloud.client(GROUP_BY)));
            fetch.push(timed(cloud.client(FETCH)));
            cloud.forget_ledger();
            for (command, times) in [
                ("import", &mut first),
                ("import", &mut again),
                ("verify", &mut verified),
            ] {
                let cost = run(command, &cloud, size);
                times.push(cost.time);
                peak = peak.max(cost.peak);
            }
        }
        let [group_by, fetch, first, again, verified] =
            [group_by, fetch, first, again, verified].map(median);
        println!(
            "{:<5} {:>9} {:>7.2} s {:>12.2} s {:>8.2} s {:>10.2} {:>9.2} {:>17.2} {:>14.2} {:>8.0}",
            size.name(),
            cloud.rows,
            first,
            group_by,
            fetch,
            first / group_by,
            first / fetch,
            again / first,
            verified / first,
            peak
        );
        println!("      per row: {:.2} µs", first * 1e6 / cloud.rows as f64);
        if matches!(size, Size::M) {
            read_account_months(&cloud, size);
            lines::run(&cloud);
            pages::run(&cloud);
            report_a_year();
            server::run(&cloud, size);
        }
    }
}

/// The size that takes minutes to build, beside the one before it.
fn compare_large(database: &mariadb::Server) {
    let mut of_a_row = Vec::new();
    for size in [Size::M, Size::L] {
        let cloud = BenchCloud::build(database, size);
        let (mut fetch, mut first) = (Vec::new(), Vec::new());
        let mut peak = 0f64;
        for _ in 0..ROUNDS {
            fetch.push(timed(cloud.client(FETCH)));
            cloud.forget_ledger();
            let cost = run("import", &cloud, size);
            first.push(cost.time);
            peak = peak.max(cost.peak);
        }
        let [fetch, first] = [fetch, first].map(median);
        let row = first * 1e6 / cloud.rows as f64;
        println!(
            "{}: {} rows, import {first:.2} s, {:.2} x fetch, {row:.2} µs a row, peak {peak:.0} MB",
            size.name(),
            cloud.rows,
            first / fetch,
        );
        of_a_row.push(row);
        read_account_months(&cloud, size);
    }
    println!("a row of L / a row of M: {:.2}", of_a_row[1] / of_a_row[0]);
}

const GROUP_BY: &str = "select account_id, date(start_date), usage_type, offering_id, sum(raw_usage), \
     sum(raw_usage * size) from cloud_usage \
     group by account_id, date(start_date), usage_type, offering_id";

/// A yardstick that stays as it is, so that the ratios of different versions compare: what version 1.0.0 fetched of the
/// month, all texts included. The importer asks for fewer texts, and gains nothing: its writes take longer.
const FETCH: &str = "select id, zone_id, account_id, usage_type, raw_usage, vm_instance_id, offering_id, \
     template_id, usage_id, type, size, network_id, description, start_date, end_date, virtual_size, cpu_speed, \
     cpu_cores, memory, state, is_hidden, case when usage_type = 28 then usage_display end \
     from cloud_usage where end_date >= '2013-06-01' and end_date < '2013-08-01'";

fn timed(mut command: Command) -> Duration {
    let began = Instant::now();
    let status = command
        .stdout(Stdio::null())
        .status()
        .expect("start the client");
    assert!(status.success(), "{command:?}");
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// The middle one and one of the longest, in words.
fn shown(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.3} ms, p99 {:.3} ms", at(0.5), at(0.99))
}

/// Runs an import or the like of the whole month, and looks at its memory while it runs.
fn run(command: &str, cloud: &BenchCloud, size: Size) -> Cost {
    run_with(command, cloud, size, &[])
}

/// The same, with more words behind it.
fn run_with(command: &str, cloud: &BenchCloud, size: Size, more: &[&str]) -> Cost {
    let last = format!("2013-06-{:02}", size.days().min(30));
    let last = if size.days() == 31 {
        "2013-07-01"
    } else {
        &last
    };
    let mut command = cloud
        .cloud
        .sandbox
        .command(&[&[command, "-s", "2013-06-01", "-e", last], more].concat());
    let began = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .expect("start the program");
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0f64;
    loop {
        if let Some(status) = child.try_wait().expect("wait for the program") {
            assert!(status.success(), "{command:?}");
            return Cost {
                time: began.elapsed(),
                peak,
            };
        }
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let high_water = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            high_water.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One account's month after the other, as a worker of the server reads them: the whole month, which the import has
/// added up, and all but its first day, which it has not.
fn read_account_months(cloud: &BenchCloud, size: Size) {
    let path = cloud.cloud.sandbox.path("usage.db");
    let mut reader = ledger::read::Reader::open(&(&path).into()).expect("open the ledger");
    for (what, first) in [("month", "2013-06-01"), ("29 days of it", "2013-06-02")] {
        let [first, last] = [first, "2013-06-30"].map(|day| day.parse().expect("a day"));
        let range = day::DayRange::new(first, last).expect("a range");
        let mut times = Vec::new();
        for number in 0..READS {
            let account = account_uuid(1 + number * 7919 % size.accounts());
            let began = Instant::now();
            let usage = reader.account_usage(&account, range, &scope::Scope::All);
            times.push(began.elapsed());
            let usage = usage.expect("read the ledger").expect("the account");
            assert!(!usage.totals.is_empty());
        }
        println!(
            "      one account's {what} from the ledger: {}",
            shown(times)
        );
    }
}

/// A year of 1,000 accounts with 20 records a day: totals by account, against what SQLite alone takes to group the
/// same records.
fn report_a_year() {
    let sandbox = sandbox::Sandbox::new();
    sandbox.write(
        "cloudusage.cfg",
        "[main]\ncloud_usage_uri = sqlite:///no.db\ncloud_uri = sqlite:///no.db\nrbc_usage_uri = sqlite:///usage.db\n",
    );
    sandbox.run(&["initdb"]).exits(0);
    let path = sandbox.path("usage.db");
    let ledger = rusqlite::Connection::open(&path).expect("open the ledger");
    ledger.execute_batch(YEAR).expect("fill the ledger");
    let mut reader = ledger::read::Reader::open(&(&path).into()).expect("open the ledger");
    let [first, last] = ["2013-01-01", "2013-12-31"].map(|day| day.parse().expect("a day"));
    let range = day::DayRange::new(first, last).expect("a range");
    let zones = zones::Zones::from(zone::Zone::parse("GMT").expect("a zone"));
    let grouped = |ledger: &rusqlite::Connection| {
        let mut statement = ledger.prepare(YEAR_BY_ACCOUNT).expect("a query");
        let rows = statement.query_map([], |row| row.get::<_, f64>(2));
        let totals = rows.expect("totals").map(|row| row.expect("a total"));
        totals.filter(|sum| *sum > 0.0).count()
    };
    let mut reported = || {
        let figures = reader.read(|snapshot| {
            let accounts = ledger::read::accounts::list_accounts(
                snapshot,
                Default::default(),
                Default::default(),
            )?;
            let question = ledger::read::totals::TotalsQuery {
                accounts: &accounts,
                stretches: None,
                range,
                only: ledger::read::totals::LineChoice::default(),
                metrics: &[],
                by: ledger::read::totals::Dimensions {
                    account: true,
                    ..Default::default()
                },
                zones: &zones,
                most_sums: usize::MAX,
            };
            Ok(ledger::read::totals::list_totals(snapshot, &question)?.len())
        });
        figures.expect("totals")
    };
    let seconds = |act: &mut dyn FnMut() -> usize| {
        let times = [(); ROUNDS].map(|()| {
            let began = Instant::now();
            assert_eq!(act(), 10_000);
            began.elapsed()
        });
        median(times.to_vec())
    };
    let bare = seconds(&mut || grouped(&ledger));
    let days = seconds(&mut reported);
    let mut writer = ledger::Ledger::open(&(&path).into(), "GMT", false).expect("open the ledger");
    let began = Instant::now();
    writer.sum_months().expect("sums of months");
    let summing = began.elapsed().as_secs_f64();
    let months = seconds(&mut reported);
    println!(
        "      a year by account, 7,300,000 records: bare group by {bare:.2} s; from days {days:.2} s, ratio {:.2}; \
         from months {months:.2} s, ratio {:.2}; to add up twelve months {summing:.2} s",
        days / bare,
        months / bare
    );
}

const YEAR: &str = "
    pragma synchronous = off;
    begin;
    create temp table numbers as
      with recursive counted (value) as (select 1 union all select value + 1 from counted where value < 1000)
      select value from counted;
    insert into metrics select value, 'usage_type_' || (value + 100), 'hours', null from numbers where value <= 10;
    insert into stored_resources select value, 'service_offering', value, 'r' || value, 'r' || value from numbers where value <= 2;
    insert into stored_accounts (id, uuid, name) select value, 'a' || value, 'a' || value from numbers;
    insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
      select date('2012-12-31', '+' || value || ' days'), 'closed', 1, 0, '2014-01-01T00:00:00Z' from numbers where value <= 365;
    insert into stored_records
      select a.id, d.day, m.id, r.id, 1 + (a.id * 7919 + m.id * 31) % 997 / 3.0
      from stored_accounts a cross join stored_days d cross join metrics m cross join stored_resources r on r.id > 0;
    commit;";

const YEAR_BY_ACCOUNT: &str = "select account_id, metric_id, sum(quantity) from stored_records
    where day between '2013-01-01' and '2013-12-31' group by account_id, metric_id";
