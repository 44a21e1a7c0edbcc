//! `make bench BENCH=history`: what age costs. A ledger of ten years is made of a month of M by SQL, sorted, and both
//! are asked the same: each figure is the time that the old one takes over the time that the young one takes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use fixtures::large_cloud::{BenchCloud, Size, account_uuid};
use fixtures::server::Server;
use rbc_usage::day::DayRange;
use rbc_usage::{ledger, scope};

use crate::{median, timed};

/// Each figure is the median of this many.
const ROUNDS: usize = 9;

/// Account-months, and scrapes of `/metrics`, in a round.
const READS: u32 = 500;
const SCRAPES: usize = 200;

/// The day that is imported, and one of the month before it.
const NEW_DAY: &str = "2013-07-01";
const DAY: &str = "2013-06-15";

/// A ledger, and the program that works on it.
struct Age<'a> {
    cloud: &'a BenchCloud<'a>,
    path: PathBuf,
}

pub fn run(cloud: &BenchCloud) {
    let sandbox = &cloud.cloud.sandbox;
    let young = Age::of(cloud, "usage.db");
    young.time(&["import", "-s", "2013-06-01", "-e", "2013-06-30"]);
    let old = Age::of(cloud, "old.db");
    std::fs::copy(&young.path, &old.path).expect("copy the ledger");
    let began = Instant::now();
    let records = age(&old.path);
    println!(
        "history: {records} records, {:.1} GB, made in {:.0} s; as ratios to a ledger of one month",
        std::fs::metadata(&old.path).expect("the ledger").len() as f64 / 1e9,
        began.elapsed().as_secs_f64()
    );
    for age in [&young, &old] {
        // What is read for the first time comes from the disk.
        age.time(&["verify", DAY]);
    }
    let [young, old] = [&young, &old];
    compare("import of a day", || {
        [young, old].map(|age| {
            forget(&age.path, NEW_DAY);
            age.time(&["import", "-s", NEW_DAY])
        })
    });
    for (what, words) in [
        ("its re-import", &["import", "-s", NEW_DAY] as &[&str]),
        ("verify of a day", &["verify", DAY]),
        ("status --month", &["status", "--month", "2013-06"]),
    ] {
        compare(what, || [young, old].map(|age| age.time(words)));
    }
    compare("an account's month", || {
        [young, old].map(|age| read_months(&age.path))
    });
    let servers = [young, old].map(|age| {
        let mut serve = age.command(&["serve"]);
        Server::of(serve.env("RBC_USAGE_SERVER__BIND", "127.0.0.1:0"))
    });
    compare("/metrics", || servers.each_ref().map(scrape));
    drop(servers);
    std::fs::remove_file(sandbox.path("old.db")).expect("remove the ledger");
}

/// Prints the ratio of what the second takes to what the first takes, asked in turn.
fn compare(what: &str, mut times: impl FnMut() -> [Duration; 2]) {
    let rounds: Vec<[Duration; 2]> = (0..ROUNDS).map(|_| times()).collect();
    let [young, old] = [0, 1].map(|age| median(rounds.iter().map(|times| times[age]).collect()));
    println!(
        "      {what:<20} {:.2}   {:>9.3} ms, {:>9.3} ms in the young one",
        old / young,
        old * 1e3,
        young * 1e3
    );
}

impl<'a> Age<'a> {
    fn of(cloud: &'a BenchCloud<'a>, name: &str) -> Age<'a> {
        let path = cloud.cloud.sandbox.path(name);
        Age { cloud, path }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.cloud.cloud.sandbox.command(words);
        let uri = format!("sqlite:///{}", self.path.display());
        command.env("RBC_USAGE_MAIN__RBC_USAGE_URI", uri);
        command
    }

    /// Runs the program to its end.
    fn time(&self, words: &[&str]) -> Duration {
        let mut command = self.command(words);
        command.stderr(Stdio::null());
        timed(command)
    }
}

fn read_months(path: &Path) -> Duration {
    let mut reader = ledger::read::Reader::open(&path.into()).expect("open the ledger");
    let [first, last] = ["2013-06-01", "2013-06-29"].map(|day| day.parse().expect("a day"));
    let range = DayRange::new(first, last).expect("a range");
    let began = Instant::now();
    for number in 0..READS {
        let account = account_uuid(1 + number * 7919 % Size::M.accounts());
        let usage = reader.account_usage(&account, range, &scope::Scope::All);
        let usage = usage.expect("read the ledger").expect("the account");
        assert!(!usage.totals.is_empty());
    }
    began.elapsed() / READS
}

fn scrape(server: &Server) -> Duration {
    let began = Instant::now();
    for _ in 0..SCRAPES {
        assert_eq!(server.get("/metrics").status, 200);
    }
    // A number of scrapes fits 32 bits.
    began.elapsed() / SCRAPES as u32
}

/// Takes a day out of a ledger, so that it can be imported once more.
fn forget(path: &Path, day: &str) {
    let ledger = Connection::open(path).expect("open the ledger");
    let sql = FORGET.replace("DAY", day);
    ledger.execute_batch(&sql).expect("forget the day");
}

const FORGET: &str = "
    delete from stored_records where day = 'DAY';
    delete from stored_lines
    where id in (
      select l.id from account_days x
      cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
      where x.day = 'DAY');
    delete from account_days where day = 'DAY';
    delete from stored_digests where day = 'DAY';
    delete from stored_findings where day = 'DAY';
    delete from stored_days where day = 'DAY';";

/// Puts ten years before the month that a ledger holds. Answers how many records there are now.
fn age(path: &Path) -> i64 {
    let ledger = Connection::open(path).expect("open the ledger");
    ledger.execute_batch(TEN_YEARS).expect("fill the ledger");
    let sql = "select sum(records) from stored_days";
    ledger
        .query_row(sql, [], |row| row.get(0))
        .expect("a number of records")
}

/// A day of the years before has the records of the same day of the month that is there: so all months of one length
/// have the same sums. Each has its digests, two findings, a correction, an import, and ten VMs that were new then.
const TEN_YEARS: &str = "
    pragma journal_mode = off;
    pragma synchronous = off;
    pragma foreign_keys = off;
    pragma temp_store = memory;
    pragma cache_size = -262144;
    begin;
    create temp table calendar (day text primary key, month text, model text) without rowid;
    insert into calendar
      with recursive days (day) as (
        select '2003-07-01' union all select date(day, '+1 day') from days where day < '2013-06-30')
      select day, substr(day, 1, 7), '2013-06-' || min(substr(day, 9), '30') from days;
    create temp table month_of_records as select * from stored_records;
    create index temp.month_of_records_by_day on month_of_records (day, account_id, metric_id, resource_id, quantity);
    delete from stored_records;
    insert into stored_records (account_id, day, metric_id, resource_id, quantity)
      select r.account_id, c.day, r.metric_id, r.resource_id, r.quantity
      from calendar c
      cross join month_of_records r on r.day = c.model
      order by c.day, r.account_id, r.metric_id, r.resource_id;
    insert into stored_days (day, state, source_rows, replayed_rows, imported_at, fingerprint, verified_at, sealed_at,
                             records, accounts)
      select c.day, d.state, d.source_rows, d.replayed_rows, c.day || 'T00:20:00Z', '0 rows, ids 0 to 0, sum 0',
             c.day || 'T01:20:00Z', c.day || 'T02:20:00Z', d.records, d.accounts
      from calendar c
      join stored_days d on d.day = c.model
      where c.month < '2013-06';
    update stored_days set lines_per = 'resource';
    create temp table places (day text, account_id integer, model_line integer, first_line integer, line_count integer,
                              sku_sums text, primary key (day, account_id)) without rowid;
    insert into places
      select c.day, x.account_id, x.first_line,
             (select max(id) from stored_lines) + 1 + sum(x.line_count) over (order by c.day, x.account_id) - x.line_count, x.line_count,
             x.sku_sums
      from calendar c
      join account_days x on x.day = c.model
      where c.month < '2013-06';
    insert into stored_lines (id, sku_id, resource_id, quantity)
      select p.first_line + l.id - p.model_line, l.sku_id, l.resource_id, l.quantity
      from places p
      cross join stored_lines l on l.id between p.model_line and p.model_line + p.line_count - 1
      order by p.day, p.account_id;
    insert into account_days (account_id, day, first_line, line_count, sku_sums)
      select account_id, day, first_line, line_count, sku_sums from places order by day, account_id;
    insert into stored_digests (day, usage_type, source_rows, digest)
      select c.day, d.usage_type, d.source_rows, d.digest
      from calendar c
      join stored_digests d on d.day = c.model
      where c.month < '2013-06';
    insert into acknowledgements
      select day, 'unresolved', 0, 0, 'vm:12', 'as ever', 'seen', day || 'T03:20:00Z' from calendar where month < '2013-06';
    insert into stored_findings (day, kind, resource, detail)
      select day, 'unresolved', 'vm:12', 'as ever' from calendar where month < '2013-06'
      union all
      select day, 'replayed_rows', null, '2 rows' from calendar where month < '2010-01';
    update stored_findings set acknowledged = 1 where kind = 'unresolved' and detail = 'as ever';
    insert into stored_corrections (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at)
      select c.day, 1 + c.rank % 1000, 1, 0, 1, 2, c.day || 'T04:20:00Z'
      from (select day, month, row_number() over (order by day) as rank from calendar) c
      where month < '2013-06';
    insert into imports (started_at, finished_at, outcome, seconds, days, source_rows, records_added, records_overwritten)
      select day || 'T00:20:00Z', day || 'T00:20:01Z', 'done', 1, 1, 39000, 20000, 0 from calendar where month < '2013-06';
    insert into vm_guest_oses (vm_id, since_day, guest_os_id)
      select 1000000 + 10 * c.rank + v.n, c.day, 1
      from (select day, row_number() over (order by day) as rank from calendar where month < '2013-06') c
      cross join (select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
                  union all select 5 union all select 6 union all select 7 union all select 8 union all select 9) v;
    create temp table model_sums (days, account_id, metric_id, resource_id, quantity);
    insert into model_sums
      select l.days, r.account_id, r.metric_id, r.resource_id, sum(r.quantity)
      from (select 28 as days union all select 29 union all select 30 union all select 31) l
      cross join (select 1 as n union all select 2) twice
      join month_of_records r
        on iif(twice.n = 1, r.day <= '2013-06-' || l.days, l.days = 31 and r.day = '2013-06-30')
      group by 1, 2, 3, 4;
    insert or ignore into month_sums (account_id, month, metric_id, resource_id, quantity)
      select s.account_id, m.month, s.metric_id, s.resource_id, s.quantity
      from (select month, count(*) as days from calendar group by month) m
      join model_sums s on s.days = m.days
      order by s.account_id, m.month, s.metric_id, s.resource_id;
    create temp table model_sku_sums (days, account_id, sku_id, quantity);
    insert into model_sku_sums
      select m.days, x.account_id, l.sku_id, sum(l.quantity)
      from (select 28 as days union all select 29 union all select 30 union all select 31) m
      cross join (select 1 as n union all select 2) twice
      join account_days x
        on iif(twice.n = 1, x.day between '2013-06-01' and '2013-06-' || m.days, m.days = 31 and x.day = '2013-06-30')
      cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
      group by 1, 2, 3;
    insert or ignore into month_sku_sums (account_id, month, sku_id, quantity)
      select s.account_id, m.month, s.sku_id, s.quantity
      from (select month, count(*) as days from calendar group by month) m
      join model_sku_sums s on s.days = m.days
      order by s.account_id, m.month, s.sku_id;
    insert or ignore into summed_months select distinct month from calendar;
    commit;
    pragma journal_mode = wal;";
