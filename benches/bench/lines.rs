//! What lines take on the disk, and what questions about them cost: an account's month by SKU, one VM's month, the month
//! of an account with 500 VMs.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use fixtures::large_cloud::BenchCloud;
use rbc_usage::day::DayRange;
use rbc_usage::ledger::read::Reader;
use rbc_usage::ledger::read::accounts::find_accounts;
use rbc_usage::ledger::read::totals::{Dimensions, LineChoice, TotalsQuery, list_totals};
use rbc_usage::zone::Zone;
use rbc_usage::zones::Zones;

/// Questions of each kind.
const READS: usize = 1000;

/// A question about an account's days of June of 2013.
struct Question {
    account: String,
    last: &'static str,
    by: Dimensions,
    /// Only this VM, by its id in the ledger.
    vm: Option<i64>,
}

pub fn run(cloud: &BenchCloud) {
    let path = cloud.cloud.sandbox.path("usage.db");
    let ledger = Connection::open(&path).expect("open the ledger");
    let number = |sql: &str| -> f64 { ledger.query_row(sql, [], |row| row.get(0)).expect(sql) };
    let (lines, bytes) = (number(LINES), number(BYTES));
    println!("      {lines:.0} lines of {:.1} bytes", bytes / lines);
    let mut statement = ledger.prepare(VMS).expect("a query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let vms: Vec<(String, i64)> = rows.expect("VMs").map(|row| row.expect("a VM")).collect();
    let by_sku = Dimensions {
        sku: true,
        ..Dimensions::default()
    };
    let by_resource = Dimensions {
        resource: true,
        ..Dimensions::default()
    };
    let mut reader = Reader::open(&(&path).into()).expect("open the ledger");
    let mut report = |what: &str, question: &dyn Fn(usize) -> Question| {
        let mut times: Vec<Duration> = (0..READS)
            .map(|round| ask(&mut reader, &question(round)))
            .collect();
        times.sort();
        let [half, most] = [50, 99].map(|percent| times[READS * percent / 100].as_secs_f64() * 1e3);
        println!("      {what} from the ledger: p50 {half:.3} ms, p99 {most:.3} ms");
    };
    let of_account = |round: usize, last, by| {
        let (account, vm) = &vms[round * 7919 % vms.len()];
        let question = Question {
            account: account.clone(),
            last,
            by,
            vm: None,
        };
        (question, *vm)
    };
    report("one account's month by SKU", &|round| {
        of_account(round, "2013-06-30", by_sku).0
    });
    report("one account's 29 days by SKU", &|round| {
        of_account(round, "2013-06-29", by_sku).0
    });
    report("one VM's month", &|round| {
        let (question, vm) = of_account(round, "2013-06-30", by_resource);
        Question {
            vm: Some(vm),
            ..question
        }
    });
    ledger.execute_batch(ADD_LARGE).expect("add an account");
    report("a month of 500 VMs", &|_| Question {
        account: "large".to_owned(),
        last: "2013-06-30",
        by: by_resource,
        vm: None,
    });
}

fn ask(reader: &mut Reader, question: &Question) -> Duration {
    let [first, last] = ["2013-06-01", question.last].map(|day| day.parse().expect("a day"));
    let range = DayRange::new(first, last).expect("a range");
    let zones = Zones::from(Zone::parse("GMT").expect("a zone"));
    let vm: Vec<i64> = question.vm.into_iter().collect();
    let began = Instant::now();
    let figures = reader.read(|snapshot| {
        let accounts = find_accounts(snapshot, &question.account)?;
        let question = TotalsQuery {
            accounts: &accounts,
            stretches: None,
            range,
            metrics: &[],
            only: LineChoice {
                resources: question.vm.is_some().then_some(vm.as_slice()),
                ..LineChoice::default()
            },
            by: question.by,
            zones: &zones,
            most_sums: usize::MAX,
        };
        Ok(list_totals(snapshot, &question)?.len())
    });
    let took = began.elapsed();
    assert!(figures.expect("figures") > 0);
    took
}

const LINES: &str = "select cast(count(*) as real) from stored_lines";

const BYTES: &str = "select cast(sum(pgsize) as real) from dbstat where name in \
     ('stored_lines', 'account_days', 'skus', 'sqlite_autoindex_skus_1')";

/// A VM of each account.
const VMS: &str = "select a.uuid, min(l.resource_id)
    from account_days x
    join stored_accounts a on a.id = x.account_id
    join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
    join stored_resources u on u.id = l.resource_id and u.kind = 'vm'
    where x.day = '2013-06-15'
    group by 1
    order by 1";

/// With two lines a day of each VM: it ran, and it was allocated.
const ADD_LARGE: &str = "
    begin;
    insert into stored_accounts (id, uuid, name) values (1000000, 'large', 'large');
    insert into account_states (account_id, since_day, name) values (1000000, '0001-01-01', 'large');
    create temp table numbers as
      with recursive counted (value) as (select 1 union all select value + 1 from counted where value < 1000)
      select value from counted;
    insert into stored_resources (kind, source_id, uuid, name)
      select 'vm', 10000000 + value, 'large-' || value, 'large-' || value from numbers where value <= 500;
    create temp table ends as select max(id) as line from stored_lines;
    create temp table pieces as
      select day, (select line from ends) + 1 + 1000 * (row_number() over (order by day) - 1) as first_line
      from stored_days where day between '2013-06-01' and '2013-06-30';
    create temp table priced as
      select min(k.id) as sku_id from skus k join metrics m on m.id = k.metric_id and m.name = 'vm_running'
      union all
      select min(k.id) from skus k join metrics m on m.id = k.metric_id and m.name = 'vm_allocated';
    insert into stored_lines (id, sku_id, resource_id, quantity)
      select p.first_line + row_number() over (partition by p.day order by k.sku_id, u.id) - 1, k.sku_id, u.id, 24.0
      from pieces p
      cross join priced k
      cross join stored_resources u on u.uuid between 'large-' and 'large-9999'
      order by 1;
    insert into account_days (account_id, day, first_line, line_count, sku_sums)
      select 1000000, day, first_line, 1000,
             (select group_concat(sku_id || ':12000.0', ' ') from (select sku_id from priced order by sku_id))
      from pieces;
    commit;";
