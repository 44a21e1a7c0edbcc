//! `rbc-usage statement`: what the sample costs, with the arithmetic beside it; which price counts; what is wrong with a
//! price file; pending corrections.

use crate::demo::{CONFIG, fresh, imported};
use crate::golden::is_golden;
use crate::sandbox::{Run, Sandbox};

const HEADER: &str = "valid_from,metric,zone,offering,domain,account,unit,price,currency\n";

/// Two prices for Classic Small, the second from the middle of the month on.
const PRICES: &str = "\
,vm_running,,,,,hour,0.05,EUR
,vm_running,,Classic Small,,,hour,0.015,EUR
2026-10-15,vm_running,,Classic Small,,,hour,0.02,EUR
,primary_byte_hours,,,,,GiB-month,0.08,EUR
,primary_byte_hours,,Gold disk,,,GiB-month,0.2,EUR
,network_bytes_sent,,,,,GB,0.01,EUR
";

/// A statement of October by the rows of a file with a name of its own.
fn statement_in(sandbox: &Sandbox, file: &str, rows: &str, words: &[&str]) -> Run {
    sandbox.write(file, &format!("{HEADER}{rows}"));
    let october = ["--month", "2026-10", "--prices", file];
    sandbox.run(&[&["statement"], &CONFIG[..], &october, words].concat())
}

fn statement(file: &str, rows: &str, words: &[&str]) -> Run {
    statement_in(imported(), file, rows, words)
}

const AURORA: [&str; 2] = ["--account", "aurora"];

/// The columns of CSV that a person reads, of the lines that have a text in them.
fn lines_with(csv: &str, text: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let wanted = [
        "start",
        "end",
        "resource_name",
        "quantity",
        "unit",
        "price",
        "amount",
        "currency",
    ];
    let places = wanted.map(|name| names.iter().position(|one| *one == name).unwrap());
    lines
        .filter(|line| line.contains(text))
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            places.map(|place| fields[place]).join(" ")
        })
        .collect()
}

/// October has 31 days and, because the clocks go back on the 25th, 745 hours.
#[test]
fn a_statement_is_what_one_gets_by_hand() {
    let csv = [&AURORA[..], &["--format", "csv"]].concat();
    let run = statement("hand.csv", PRICES, &csv).exits(0);
    let of = |text: &str| lines_with(&run.stdout, text);
    // app-09 ran all the month. 14 days × 24 h = 336 h × 0.015 = 5.04; then 16 × 24 h + 25 h = 409 h × 0.02 = 8.18.
    assert_eq!(
        of(",app-09,"),
        [
            "2026-10-01 2026-10-14 app-09 336.0 hour 0.015 5.04 EUR",
            "2026-10-15 2026-10-31 app-09 409.0 hour 0.02 8.18 EUR",
        ]
    );
    // 745 h × 0.05 = 37.25
    assert_eq!(
        of(",db-02,"),
        ["2026-10-01 2026-10-31 db-02 745.0 hour 0.05 37.25 EUR"]
    );
    // cache-04 was Small for 9 days and 12 hours, 228 h, × 0.05 = 11.40; then Medium: 745 h - 228 h = 517 h, × 0.05 = 25.85.
    assert_eq!(
        of(",cache-04,"),
        [
            "2026-10-01 2026-10-31 cache-04 517.0 hour 0.05 25.85 EUR",
            "2026-10-01 2026-10-31 cache-04 228.0 hour 0.05 11.40 EUR",
        ]
    );
    // Without a disk offering: 20 GiB all the month × 0.08 = 1.60. With one: 100 × 0.2 = 20.00.
    assert_eq!(
        of(",ROOT-3001,"),
        ["2026-10-01 2026-10-31 ROOT-3001 20.0 GiB-month 0.08 1.60 EUR"]
    );
    assert_eq!(
        of(",DATA-3004,"),
        ["2026-10-01 2026-10-31 DATA-3004 100.0 GiB-month 0.2 20.00 EUR"]
    );
    // 1,136,308,298,271.x bytes are 1136.308298 GB, × 0.01 = 11.36308298.
    assert_eq!(
        of(",network_bytes_sent,"),
        ["2026-10-01 2026-10-31 aurora-net 1136.308298 GB 0.01 11.36 EUR"]
    );
    // The total is the sum of the amounts as they are rounded.
    let cents = |amount: &str| amount.replace('.', "").parse::<u64>().unwrap();
    let amounts = of("EUR")
        .iter()
        .map(|line| cents(line.split(' ').nth(6).unwrap()))
        .sum::<u64>();
    assert_eq!(amounts, 58_233);
    assert!(
        run.stderr.starts_with("rbc-usage: total: 582.33 EUR\n"),
        "{run}"
    );
}

#[test]
fn a_statement_for_people_and_programs() {
    let small = ["--account", "kiosk-online"];
    let run = statement("forms.csv", PRICES, &small)
        .exits(0)
        .complains("");
    assert_eq!(run.stdout, include_str!("golden/statement.txt"));
    let words = ["statement", "--month", "2026-10", "--prices", "forms.csv"];
    let words = [&words, &CONFIG[..], &small].concat();
    let narrow = imported().run_at(80, &words).exits(0);
    is_golden("narrow/statement.txt", &narrow.stdout);
    let json = [&small[..], &["--format", "json"]].concat();
    let run = statement("forms.csv", PRICES, &json).exits(0).complains("");
    assert_eq!(run.stdout, include_str!("golden/statement.json"));
    let csv = [&small[..], &["--format", "csv"]].concat();
    let run = statement("forms.csv", PRICES, &csv).exits(0);
    assert_eq!(run.stdout, include_str!("golden/statement.csv"));
}

#[test]
fn all_accounts_make_what_each_makes() {
    let run = statement("all.csv", PRICES, &["--all", "--format", "json"]).exits(0);
    let all: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let cents = |amount: &serde_json::Value| {
        let digits = amount.as_str().unwrap().replace('.', "");
        digits.parse::<u64>().unwrap()
    };
    let by_account = all["account_totals"].as_array().unwrap();
    assert_eq!(by_account.len(), 20);
    let sum: u64 = by_account.iter().map(|one| cents(&one["amount"])).sum();
    assert_eq!(cents(&all["totals"][0]["amount"]), sum);
    let aurora = by_account
        .iter()
        .find(|one| one["account_name"] == "aurora");
    assert_eq!(aurora.unwrap()["amount"], "582.33");
    // A domain has some of them.
    let words = ["--domain", "/nordic/shops/", "--format", "json"];
    let run = statement("all.csv", PRICES, &words).exits(0);
    let shops: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let shops = shops["account_totals"].as_array().unwrap();
    assert!(!shops.is_empty() && shops.len() < by_account.len());
    assert!(shops.iter().all(|one| by_account.contains(one)));
}

#[test]
fn currencies_are_summed_each_for_itself() {
    let rows = ",vm_running,,,,,month-730,36.5,SEK\n,vpn_user,,,,,hour,0.5,JPY\n";
    let run = statement("currencies.csv", rows, &AURORA).exits(0);
    // 745 h / 730 × 36.5 = 1.020548 (rounded) × 36.5 = 37.250002, so 37.25.
    assert!(
        run.stdout
            .contains("  1.020548  month-730   36.5   37.25  SEK\n"),
        "{run}"
    );
    // 745 h × 0.5 = 372.5, and there are no halves of a yen.
    assert!(
        run.stdout
            .contains("       745  hour         0.5     373  JPY\n"),
        "{run}"
    );
    let total = |currency: &str| {
        let mut lines = run
            .stdout
            .lines()
            .filter(|line| line.starts_with("total: "));
        lines.any(|line| line.ends_with(currency))
    };
    assert!(total("JPY") && total("SEK"), "{run}");
}

#[test]
fn hours_times_size_have_prices_as_well() {
    let rows = ",vm_running_vcpu_hours,,,,,vCPU-hour,0.01,EUR\n\
                ,vm_running_memory_byte_hours,,,,,GiB-hour,0.004,EUR\n";
    let csv = [&AURORA[..], &["--format", "csv"]].concat();
    let run = statement("derived.csv", rows, &csv).exits(0);
    // app-03 is a Large: 745 h × 8 GiB = 5960 × 0.004 = 23.84, and 745 h × 4 vCPUs = 2980 × 0.01 = 29.80.
    assert_eq!(
        lines_with(&run.stdout, ",app-03,"),
        [
            "2026-10-01 2026-10-31 app-03 5960.0 GiB-hour 0.004 23.84 EUR",
            "2026-10-01 2026-10-31 app-03 2980.0 vCPU-hour 0.01 29.80 EUR",
        ]
    );
    // What they follow from is priced by them.
    let not_priced = run.stderr.lines().find(|line| line.contains("not priced"));
    assert!(!not_priced.unwrap().contains("vm_running"), "{run}");
}

#[test]
fn what_has_no_price_is_named() {
    let rows =
        ",vm_running,,Large,,,hour,0.09,EUR\n2026-10-20,vm_running,,Medium,,,hour,0.05,EUR\n";
    let run = statement("gaps.csv", rows, &AURORA).exits(1).complains("");
    for line in [
        "no price for vm_running of Classic Small in sto1 from 2026-10-01 on: add a row to gaps.csv (1 line)\n",
        "no price for vm_running of Medium in sto1 from 2026-10-01 on: add a row to gaps.csv (6 lines)\n",
        "not priced, because no row of gaps.csv names them: ",
        "2026-10-01  2026-10-19  vm_running  Medium         sto1  db-02              –  –         –       –  –         price\n",
        "2026-10-20  2026-10-31  vm_running  Medium         sto1  db-02            289  hour   0.05   14.45  EUR       –\n",
    ] {
        assert!(run.stdout.contains(line), "{line}{run}");
    }
    // The price 0 is a price.
    let free = format!("{rows},vm_running,,,,,hour,0,EUR\n");
    let run = statement("free.csv", &free, &AURORA).exits(0);
    assert!(run.stdout.contains("  hour      0    0.00  EUR\n"), "{run}");
    // Days that are not there make it unfinished, whatever the prices.
    let november = [
        "--config",
        "demo/cloudusage.cfg",
        "--month",
        "2026-11",
        "--prices",
        "free.csv",
    ];
    let run = imported()
        .run(&[&["statement"], &november[..], &AURORA].concat())
        .exits(1);
    assert!(
        run.stdout
            .starts_with("2026-11, Europe/Stockholm, 720 hours, not complete\n"),
        "{run}"
    );
    assert!(
        run.stdout.contains("\nmissing in the ledger: 2026-11-03"),
        "{run}"
    );
}

#[test]
fn the_most_specific_price_counts() {
    let rows = "\
,vm_running,,,,,hour,1,EUR
,vm_running,sto1,,,,hour,2,EUR
,vm_running,,Small,,,hour,3,EUR
,vm_running,,,/nordic/,,hour,4,EUR
,vm_running,,,,aurora,hour,5,EUR
";
    let price_of = |file: &str, rows: &str, account: &str| {
        let words = ["--account", account, "--format", "csv"];
        let run = statement(file, rows, &words).exits(0);
        let lines = lines_with(&run.stdout, ",vm_running,Small,");
        let line = lines.first().expect("a VM").clone();
        line.split(' ').nth(5).unwrap().to_owned()
    };
    let lines: Vec<&str> = rows.split_inclusive('\n').collect();
    let (mut prices, mut rows) = (Vec::new(), String::new());
    for line in lines {
        rows.push_str(line);
        prices.push(price_of("specific.csv", &rows, "aurora"));
    }
    assert_eq!(prices, ["1.0", "2.0", "3.0", "4.0", "5.0"]);
    // Domains below are included, and the innermost goes first.
    assert_eq!(price_of("specific.csv", &rows, "maple-toys"), "4.0");
    rows.push_str(",vm_running,,,/nordic/shops/,,hour,6,EUR\n");
    assert_eq!(price_of("specific.csv", &rows, "maple-toys"), "6.0");
    assert_eq!(price_of("specific.csv", &rows, "granite-it"), "4.0");
}

#[test]
fn a_price_file_that_is_wrong_is_refused_with_its_lines() {
    let rows = ",vm_runing,,,,,hour,1,EUR\n,vm_running,,,,,GiB,1,EUR\n";
    statement("wrong.csv", rows, &AURORA).exits(2).complains(
        "rbc-usage: wrong.csv:2: no metric is called \"vm_runing\": did you mean vm_running or \
         vm_running_vcpu_hours?\n\
         rbc-usage: wrong.csv:3: GiB is a unit of bytes, and vm_running is in hours: write one of hour, month, \
         month-730\n",
    );
    // Two names of one offering, found by its uuid and its name.
    let rows = ",vm_running,,Small,,,hour,1,EUR\n,vm_running,,4779534e-fb14-491e-88cf-fcad6ce25989,,,hour,1,EUR\n";
    statement("twins.csv", rows, &AURORA).exits(2).complains(
        "rbc-usage: twins.csv:2 and twins.csv:3 both have a price for vm_running of \
         5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61 on 2026-10-01, and neither is more specific: leave one out, or let one \
         name more\n",
    );
    // A row for what is not there yet is no error, but people learn of it.
    let rows = ",vm_running,,,,,hour,1,EUR\n,vm_running,,Smal,,,hour,1,EUR\n";
    let run = statement("unknown.csv", rows, &AURORA).exits(0);
    let note = "unknown.csv:3: the ledger has no service offering \"Smal\" yet: the row counts for nothing\n";
    assert!(run.stdout.ends_with(note), "{run}");
    imported()
        .run(&[&["statement"], &CONFIG[..], &["--month", "2026-10", "--all"]].concat())
        .exits(2)
        .complains(
            "rbc-usage: there are no prices: name a price file with file in [prices], or with --prices\n",
        );
    let none = ["--month", "2026-10", "--all", "--prices", "nowhere.csv"];
    imported()
        .run(&[&["statement"], &CONFIG[..], &none].concat())
        .exits(2)
        .complains(
            "rbc-usage: price file nowhere.csv: there is none: write it, or change file in [prices]\n",
        );
}

#[test]
fn the_configuration_names_the_price_file_and_a_month_may_be_sealed() {
    let sandbox = fresh();
    let file = sandbox.path("demo/cloudusage.cfg");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{config}\n[prices]\nfile = prices.csv\n")).unwrap();
    sandbox.write("demo/prices.csv", &format!("{HEADER}{PRICES}"));
    let words = ["statement", "--month", "2026-10", "--account", "aurora"];
    let run = sandbox.run(&[&words[..], &CONFIG].concat()).exits(0);
    assert!(
        run.stdout
            .starts_with("2026-10, Europe/Stockholm, 745 hours, complete, not sealed\n"),
        "{run}"
    );
    assert!(
        run.stdout
            .contains("\nnot sealed, so that imports may change them: 2026-10-01..2026-10-31\n"),
        "{run}"
    );
    let run = sandbox.run(&[&["seal", "2026-10", "--anyway"], &CONFIG[..]].concat());
    run.exits(0);
    let run = sandbox.run(&[&words[..], &CONFIG].concat()).exits(0);
    assert!(
        run.stdout
            .starts_with("2026-10, Europe/Stockholm, 745 hours, complete and sealed\n"),
        "{run}"
    );
    assert!(!run.stdout.contains("not sealed"), "{run}");
}

/// Ten hours less on September 27, of VM app-03, and of something that no line is known of; one found in October itself.
#[test]
fn pending_corrections_have_the_price_of_their_day() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_corrections (id, day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind, acknowledged_at, reason)
               select t.id, t.day, a.id, m.id, o.id, 100, t.new, '2026-10-20T10:00:00Z', t.kind, t.at, t.at
               from stored_accounts a, metrics m, stored_resources o,
                 (select 901 as id, '2026-09-27' as day, 90 as new, 'pending' as kind, null as at
                  union all select 902, '2026-09-28', 70, 'pending', null
                  union all select 903, '2026-09-28', 60, 'pending', 'x'
                  union all select 904, '2026-09-28', 50, 'overwritten', null
                  union all select 905, '2026-10-02', 40, 'pending', null) t
               where a.name = 'aurora' and m.name = 'vm_running' and o.name = 'Large' and o.kind = 'service_offering';
             insert into correction_lines (correction_id, sku_id, resource_id, old_quantity, new_quantity)
               select 901, l.sku_id, l.resource_id, 24, 14
               from stored_lines l join stored_resources u on u.id = l.resource_id
               join skus k on k.id = l.sku_id join metrics m on m.id = k.metric_id
               where u.name = 'app-03' and u.kind = 'vm' and m.name = 'vm_running' limit 1",
        )
        .unwrap();
    // 10 h × 0.08 = 0.80 until the 27th; 30 h × 0.10 = 3.00 on the 28th.
    let rows = "\
,vm_running,,,,,hour,0.05,EUR
2026-09-01,vm_running,,Large,,,hour,0.08,EUR
2026-09-28,vm_running,,Large,,,hour,0.10,EUR
";
    let csv = [&AURORA[..], &["--format", "csv"]].concat();
    let run = statement_in(&sandbox, "corrections.csv", rows, &csv).exits(0);
    let lines = lines_with(&run.stdout, ",2026-09-");
    assert_eq!(
        lines,
        [
            "2026-09-27 2026-09-27 app-03 -10.0 hour 0.08 -0.80 EUR",
            "2026-09-28 2026-09-28  -30.0 hour 0.10 -3.00 EUR",
        ]
    );
    let own =
        "rbc-usage: left to the next statement: 1 line of pending corrections of this month\n";
    assert!(run.stderr.contains(own), "{run}");
    let table = statement_in(&sandbox, "corrections.csv", rows, &AURORA).exits(0);
    assert!(
        table
            .stdout
            .contains("correction  from        to          metric"),
        "{table}"
    );
}

/// aurora comes below /nordic/shops/ on October 11: db-02 ran 10 × 24 h = 240 h × 0.05 = 12.00 before, and then 745 h -
/// 240 h = 505 h × 0.06 = 30.30. The price of the zone that changes on the 21st has no part in it.
#[test]
fn the_domain_of_each_day_has_its_price() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into account_states (account_id, since_day, name, domain_id)
               select a.id, '2026-10-11', a.name, d.id from stored_accounts a, stored_domains d
               where a.name = 'aurora' and d.path = '/nordic/shops/'",
        )
        .unwrap();
    let rows = "\
,vm_running,,,/nordic/,,hour,0.05,EUR
,vm_running,,,/nordic/shops/,,hour,0.06,EUR
2026-10-21,vm_running,sto1,,,,hour,1,EUR
";
    let csv = [&AURORA[..], &["--format", "csv"]].concat();
    let run = statement_in(&sandbox, "moved.csv", rows, &csv).exits(0);
    assert_eq!(
        lines_with(&run.stdout, ",db-02,"),
        [
            "2026-10-01 2026-10-10 db-02 240.0 hour 0.05 12.00 EUR",
            "2026-10-11 2026-10-31 db-02 505.0 hour 0.06 30.30 EUR",
        ]
    );
    // A statement of the domain has the days in it alone.
    let words = ["--domain", "/nordic/shops/", "--format", "csv"];
    let run = statement_in(&sandbox, "moved.csv", rows, &words).exits(0);
    let lines: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.contains(",db-02,"))
        .collect();
    let of_aurora = lines.iter().filter(|line| line.starts_with("aurora,"));
    let of_aurora: Vec<&&str> = of_aurora.collect();
    assert_eq!(of_aurora.len(), 1, "{lines:?}");
    assert!(
        of_aurora[0].contains(",2026-10-11,2026-10-31,"),
        "{of_aurora:?}"
    );
    assert!(
        of_aurora[0].contains(",505.0,hour,0.06,30.30,EUR,"),
        "{of_aurora:?}"
    );
}
