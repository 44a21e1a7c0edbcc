//! `rbc-usage report`: totals of the sample, whose days are worked out in `sample`.

use crate::demo::{CONFIG, fresh, imported};
use crate::golden::is_golden;
use crate::sandbox::Run;

const OCTOBER: [&str; 2] = ["--month", "2026-10"];

fn report(words: &[&str]) -> Run {
    imported().run(&[&["report"], &CONFIG[..], words].concat())
}

fn october(words: &[&str]) -> String {
    report(&[&OCTOBER[..], words].concat())
        .exits(0)
        .complains("")
        .stdout
}

/// The same on a terminal of 80 columns.
fn narrow(words: &[&str]) -> String {
    let words = [&["report"], &CONFIG[..], &OCTOBER, words].concat();
    imported().run_at(80, &words).exits(0).stdout
}

#[test]
fn an_account_and_month_for_people() {
    let table = october(&["--account", "aurora"]);
    assert_eq!(table, include_str!("golden/report.txt"));
    let eighty = narrow(&["--account", "aurora"]);
    is_golden("narrow/report.txt", &eighty);
    // A uuid does as well as a name; a part of a name does not.
    let by_uuid = october(&["--account", "5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61"]);
    assert_eq!(by_uuid, table);
    report(&["--account", "auro"])
        .exits(2)
        .complains("rbc-usage: no account or project is called \"auro\": did you mean aurora?\n");
}

#[test]
fn programs_get_json_and_csv() {
    let words = [
        "--domain",
        "nordic/shops",
        "--by",
        "domain,month,offering",
        "--metric",
        "os_usage",
    ];
    let json = october(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(json, include_str!("golden/report.json"));
    let csv = october(&[&words[..], &["--format", "csv"]].concat());
    assert_eq!(csv, include_str!("golden/report.csv"));
}

#[test]
fn resources_and_skus_for_people_and_programs() {
    let words = [
        "--account",
        "aurora",
        "--by",
        "vm,sku",
        "--metric",
        "vm_running,vm_running_vcpu_hours",
        "--top",
        "3",
    ];
    assert_eq!(october(&words), include_str!("golden/report-sku.txt"));
    is_golden("narrow/report-sku.txt", &narrow(&words));
    let json = october(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(json, include_str!("golden/report-sku.json"));
    let csv = october(&[&words[..], &["--format", "csv"]].concat());
    assert_eq!(csv, include_str!("golden/report-sku.csv"));
}

/// 980 GiB over all 25 hours of the day.
#[test]
fn a_row_of_one_day_says_what_was_held_on_that_day() {
    let words = ["2026-10-25", "--account", "aurora", "--by", "day"];
    let metric = [
        "--metric",
        "primary_byte_hours,vm_running",
        "--format",
        "csv",
    ];
    let csv = report(&[&words[..], &metric].concat()).exits(0).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "day,metric,quantity,unit,gib_months,gib_held");
    assert!(
        lines[1].starts_with("2026-10-25,primary_byte_hours,"),
        "{csv}"
    );
    assert!(lines[1].ends_with(",980.0"), "{csv}");
    assert!(lines[2].ends_with(",hours,,"), "{csv}");
}

/// See `sample::one_account_and_day_adds_up_as_worked_out_by_hand`: 980 GiB over the day's 25 hours, of a month of 745.
#[test]
fn the_day_of_25_hours_adds_up_as_worked_out_by_hand() {
    let words = [
        "2026-10-25",
        "--account",
        "aurora",
        "--by",
        "metric,offering",
        "--format",
        "csv",
        "--metric",
        "vm_running,vm_allocated,primary_byte_hours",
    ];
    let csv = report(&words).exits(0).stdout;
    let rows: Vec<Vec<&str>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let figures: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row[0], row[1], row[4]))
        .collect();
    assert_eq!(
        figures,
        [
            &format!("primary_byte_hours  {}.0", 980_i64 * 25 * (1 << 30)),
            "vm_allocated Classic Small 25.0",
            "vm_allocated Large 50.0",
            "vm_allocated Medium 125.0",
            "vm_allocated Small 100.0",
            "vm_running Classic Small 25.0",
            "vm_running Large 50.0",
            "vm_running Medium 100.0",
            "vm_running Small 75.0",
        ]
    );
    let gib_months: f64 = rows[0][6].parse().unwrap();
    assert_eq!(gib_months, 980.0 * 25.0 / 745.0);
    assert_eq!(rows[1][6], "");
}

/// In the program's own output, for every account and metric: what a spreadsheet would add up.
#[test]
fn months_add_up_to_the_total() {
    let sums = |by: &str| -> std::collections::BTreeMap<String, Vec<f64>> {
        let words = [
            "-s",
            "2026-09-25",
            "-e",
            "2026-11-02",
            "--by",
            by,
            "--format",
            "csv",
        ];
        let csv = report(&words).exits(0).complains("").stdout;
        let mut sums = std::collections::BTreeMap::new();
        let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let names = lines.next().unwrap();
        let place = |name: &str| names.iter().position(|one| *one == name).unwrap();
        for row in lines {
            let key = format!("{} {}", row[place("account_uuid")], row[place("metric")]);
            let quantity: f64 = row[place("quantity")].parse().unwrap();
            sums.entry(key).or_insert_with(Vec::new).push(quantity);
        }
        sums
    };
    let (totals, months) = (sums("account"), sums("account,month"));
    assert!(totals.len() > 300);
    assert_eq!(totals.len(), months.len());
    for (key, total) in totals {
        assert_eq!(total, [exact_sum(&months[&key])], "{key}");
    }
}

/// Of up to three numbers: what plain addition loses of each is added at the end.
fn exact_sum(numbers: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for number in numbers {
        let next = sum + number;
        lost += if sum.abs() > number.abs() {
            (sum - next) + number
        } else {
            (number - next) + sum
        };
        sum = next;
    }
    sum + lost
}

#[test]
fn the_largest_of_each_metric_come_first() {
    let words = [
        "--metric",
        "vm_running,primary_byte_hours",
        "--top",
        "2",
        "--chart",
    ];
    assert_eq!(october(&words), include_str!("golden/report-top.txt"));
    is_golden("narrow/report-top.txt", &narrow(&words));
}

#[test]
fn a_period_with_missing_days_is_not_final() {
    let words = [
        "2026-11-02..2026-11-05",
        "--metric",
        "vpn_user",
        "--by",
        "day",
    ];
    let run = report(&words).exits(1).complains("");
    let note = "\n\nmissing in the ledger: 2026-11-03..2026-11-05\n";
    assert!(run.stdout.ends_with(note), "{run}");
    report(&[&words[..], &["--format", "csv"]].concat())
        .exits(1)
        .complains("rbc-usage: missing in the ledger: 2026-11-03..2026-11-05\n");
}

#[test]
fn the_shape_of_focus() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    // Found on the evening of October 25, when that is already so in GMT; the other one on the day before.
    ledger
        .execute_batch(
            "insert into stored_corrections (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind)
               select '2026-09-27', a.id, m.id, 0, 500, 400, t.at, 'pending'
               from stored_accounts a, metrics m, (select '2026-10-25T22:59:59Z' as at union all select '2026-10-24T21:59:59Z') t
               where a.name = 'aurora' and m.name = 'vpn_user'",
        )
        .unwrap();
    let words = [
        "2026-10-25",
        "--format",
        "focus",
        "--account",
        "aurora",
        "--metric",
        "vm_running,vm_running_vcpu_hours,primary_byte_hours,ip_address_allocated,vpn_user",
    ];
    let run = sandbox.run(&[&["report"], &CONFIG[..], &words].concat());
    assert_eq!(
        run.exits(0).complains("").stdout,
        include_str!("golden/focus.csv")
    );
}

#[test]
fn what_cannot_be_reported_is_refused() {
    for (words, complaint) in [
        (
            &["--metric", "vm"][..],
            "rbc-usage: no metric is called \"vm\"\n",
        ),
        (
            &["--metric", "usage_type_1"],
            "rbc-usage: usage_type_1 is kept as vm_running\n",
        ),
        (
            &["--domain", "/nobody"],
            "rbc-usage: no domain has the uuid or path \"/nobody\"\n",
        ),
        (
            &["--domain", "/nordci"],
            "rbc-usage: no domain has the uuid or path \"/nordci\": did you mean /nordic/, /nordic/shops/ or /nordic/shops/lab/?\n",
        ),
        (
            &["--domain", ""],
            "rbc-usage: --domain is empty: the path of the root is /\n",
        ),
        (
            &["--by", "day", "--chart"],
            "rbc-usage: --chart is for totals of all days: leave day and month out of --by\n",
        ),
        (
            &["--format", "csv", "--chart"],
            "rbc-usage: --chart is for tables\n",
        ),
        (&["--by", "day,day"], "rbc-usage: --by names day twice\n"),
        (
            &["--by", "vm,sku,volume"],
            "rbc-usage: --by names the resource twice, with vm and volume: leave one of them out\n",
        ),
        (
            &["--by", "offering,sku"],
            "rbc-usage: --by names the offering twice, with offering and sku: leave one of them out\n",
        ),
        (
            &["--zone", "sto"],
            "rbc-usage: no zone is called \"sto\": did you mean sto1?\n",
        ),
        (
            &["--resource", "app"],
            "rbc-usage: nothing that was used is called \"app\": give a name, a uuid, or kind and id such as vm:12\n",
        ),
        (
            &["--format", "focus", "--by", "day"],
            "rbc-usage: --format focus has a row for each account, resource, SKU and day: leave out --by and --top\n",
        ),
        (
            &["--format", "focus", "--top", "3"],
            "rbc-usage: --format focus has a row for each account, resource, SKU and day: leave out --by and --top\n",
        ),
    ] {
        report(words).exits(2).complains(complaint);
    }
    let run = report(&["--by", "week"]).exits(2);
    assert!(
        run.stderr
            .contains("\"week\" is no dimension: write some of account, domain"),
        "{run}"
    );
}

#[test]
fn one_name_of_two_accounts_is_ambiguous() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    let sql = "insert into stored_accounts (id, uuid, name) values (99999, 'other-uuid', 'aurora')";
    ledger.execute(sql, []).unwrap();
    sandbox
        .run(&[&["report"], &CONFIG[..], &["--account", "aurora"]].concat())
        .exits(2)
        .complains(
            "rbc-usage: 2 accounts are called \"aurora\", give a uuid: 5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61 (/nordic/), other-uuid\n",
        );
}

/// Names are unique within a domain only, and a removed account's name is free again.
#[test]
fn accounts_of_one_name_are_told_apart() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    let add = |id: i64, uuid: &str, domain: &str| {
        ledger
            .execute_batch(&format!(
                "insert into stored_accounts (id, uuid, name, domain_path) values ({id}, '{uuid}', 'aurora', '{domain}');
                 insert or ignore into stored_domains values (99999, 'other-domain', '{domain}', '');
                 insert into account_states (account_id, since_day, name, domain_id) values ({id}, '1970-01-01', 'aurora', 99999);
                 insert into stored_records
                   select {id}, '2026-10-02', id, 0, 10 from metrics where name = 'network_bytes_sent';
                 delete from summed_months;"
            ))
            .unwrap();
    };
    let table = || {
        let words = ["--month", "2026-10", "--metric", "network_bytes_sent"];
        let run = sandbox.run(&[&["report"], &CONFIG[..], &words].concat());
        let lines = run.stdout.lines();
        let of_name =
            lines.filter(|line| line.starts_with("aurora") || line.starts_with("account"));
        let words = of_name.map(|line| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        });
        words.collect::<Vec<_>>()
    };
    assert_eq!(table(), ["account metric", "aurora network_bytes_sent"]);
    add(99999, "other-uuid", "/other/");
    assert_eq!(
        table(),
        ["account domain", "aurora /nordic/", "aurora /other/"]
    );
    add(99998, "third-uuid", "/other/");
    assert_eq!(
        table(),
        [
            "account uuid",
            "aurora 5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61",
            "aurora other-uuid",
            "aurora third-uuid"
        ]
    );
}

/// A name that turns the rest of its line around or paints it is shown to people as it is written. Programs get the name.
#[test]
fn characters_that_a_terminal_obeys_are_escaped_for_people_alone() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    let sql = "select id from stored_accounts where name = 'pine-staging'";
    let pine: i64 = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
    let october = |name: &str, format: &str| {
        let sql = "update account_states set name = ? where account_id = ?";
        ledger.execute(sql, (name, pine)).unwrap();
        let words = ["--month", "2026-10", "--format", format];
        let run = sandbox.run(&[&["report"], &CONFIG[..], &words].concat());
        run.exits(0).stdout
    };
    for (name, shown) in [
        ("\u{202e}gnp.exe", "\\u202egnp.exe"),
        ("\u{1b}[31mred", "\\u001b[31mred"),
    ] {
        let table = october(name, "table");
        assert!(table.contains(&format!("\n{shown} ")), "{table}");
        assert!(!table.contains(name), "{table}");
        let csv = october(name, "csv");
        assert!(csv.contains(name) && !csv.contains(shown), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&october(name, "json")).unwrap();
        let rows = json["usage"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["account_name"] == name), "{json}");
    }
    // Findings, and what goes to stderr.
    for table in ["stored_accounts", "account_states"] {
        let sql = format!("update {table} set name = 'a\u{202e}b'");
        ledger.execute(&sql, []).unwrap();
    }
    let findings = sandbox.run(&[&["findings"], &CONFIG[..]].concat());
    assert!(findings.stdout.contains("a\\u202eb"), "{findings}");
    assert!(!findings.stdout.contains('\u{202e}'), "{findings}");
    let words = ["report", "--month", "2026-10", "--account", "\u{202e}x"];
    let refused = sandbox.run(&[&words[..], &CONFIG[..]].concat()).exits(2);
    assert!(!refused.stderr.contains('\u{202e}'), "{refused}");
    assert!(
        refused.stderr.contains("u202ex") || refused.stderr.contains("u{202e}x"),
        "{refused}"
    );
}

/// From October 11th on, aurora is in another domain that has got the path /nordic/ of its first one.
#[test]
fn an_account_that_moved_counts_for_either_domain() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_domains values (99999, 'later-uuid', '/nordic/', '/root/later-uuid/');
             insert into account_states (account_id, since_day, name, domain_id)
               select id, '2026-10-11', 'aurora-two', 99999 from stored_accounts where name = 'aurora';",
        )
        .unwrap();
    let hours = |days: &str| -> f64 {
        let sql = format!(
            "select sum(quantity) from daily_usage u join stored_accounts a on a.uuid = u.account_uuid
             where a.name = 'aurora' and metric = 'vm_running' and day between {days}"
        );
        ledger.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let before = hours("'2026-10-01' and '2026-10-10'");
    let after = hours("'2026-10-11' and '2026-10-31'");
    assert!(before > 0.0 && after > 0.0);
    let rows = |more: &[&str]| -> Vec<serde_json::Value> {
        let words = [
            "--month",
            "2026-10",
            "--metric",
            "vm_running",
            "--format",
            "json",
        ];
        let run = sandbox.run(&[&["report"], &CONFIG[..], &words, more].concat());
        let json: serde_json::Value = serde_json::from_str(&run.exits(0).stdout).unwrap();
        json["usage"].as_array().unwrap().clone()
    };
    let near = |row: &serde_json::Value, hours: f64| {
        (row["quantity"].as_f64().unwrap() - hours).abs() < 1e-6
    };
    let moved = rows(&["--account", "aurora", "--by", "domain"]);
    assert_eq!(moved.len(), 2, "{moved:?}");
    for row in &moved {
        assert_eq!(row["domain_path"], "/nordic/");
        let later = row["domain_uuid"] == "later-uuid";
        assert!(near(row, if later { after } else { before }), "{row}");
    }
    // One row for one account, under its newest name and domain within the month.
    let one = rows(&["--account", "aurora"]);
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["account_name"], "aurora-two");
    assert_eq!(one[0]["domain_uuid"], "later-uuid");
    assert!(near(&one[0], before + after), "{one:?}");
    let within = rows(&["--domain", "/nordic/"]);
    assert_eq!(within.len(), 1);
    assert!(near(&within[0], after), "{within:?}");

    let words = [
        "--month",
        "2026-10",
        "--metric",
        "vm_running",
        "--domain",
        "/nordic/",
    ];
    let table = sandbox.run(&[&["report"], &CONFIG[..], &words].concat());
    assert!(
        table
            .stdout
            .contains("/nordic/ means the domain later-uuid; it was the path of "),
        "{table}"
    );
    // People are shown which is which.
    let words = [
        "--month",
        "2026-10",
        "--metric",
        "vm_running",
        "--by",
        "domain",
    ];
    let table = sandbox.run(&[&["report"], &CONFIG[..], &words].concat());
    let heading = table.stdout.lines().nth(2).unwrap();
    assert!(
        heading.starts_with("domain ") && heading.contains(" uuid "),
        "{table}"
    );
    assert!(table.stdout.contains("later-uuid"), "{table}");

    // A row of FOCUS has the domain of its day.
    let sql = "update stored_domains set path = '/later/' where id = 99999";
    ledger.execute(sql, []).unwrap();
    let words = [
        "--month",
        "2026-10",
        "--metric",
        "vm_running",
        "--account",
        "aurora",
    ];
    let focus = sandbox.run(&[&["report"], &CONFIG[..], &words, &["--format", "focus"]].concat());
    let rows: Vec<String> = focus
        .exits(0)
        .stdout
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect();
    assert!(rows.len() >= 31);
    for row in &rows {
        let early = (1..=10).any(|day| row.contains(&format!(" on 2026-10-{day:02},")));
        let path = if early { "/nordic/" } else { "/later/" };
        assert!(row.contains(&format!("\"\"{path}\"\"")), "{path} in {row}");
        assert!(row.contains(",aurora-two,"), "{row}");
    }
}
