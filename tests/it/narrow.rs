//! Tables on a terminal: no line is longer than the terminal, whatever customers call things, and what there is no room
//! for is named.

use unicode_width::UnicodeWidthStr;

use crate::demo::{CONFIG, fresh, imported};
use crate::sandbox::Run;

/// Every list of the sample, but for what is sealed and removed in it.
const LISTS: &[&str] = &[
    "check --quick",
    "corrections",
    "explain aurora 2026-10-14",
    "explain aurora 2026-10-01..2026-10-03 primary_byte_hours",
    "explain aurora 2026-10-14 vm_running app-03",
    "findings",
    "report --month 2026-10",
    "report --month 2026-10 --by domain,account,zone,resource",
    "report --month 2026-10 --by account,sku,day --top 3",
    "report --month 2026-10 --by account,project,offering --chart --top 3",
    "report -s 2026-01-01 -e 2026-11-02 --chart --top 1",
    "statement --month 2026-10 --all --prices narrow.csv",
    "status",
    "status --days",
    "verify 2026-10-30",
    "verify 2026-10-30 --wide --columns day,detail",
];

const PRICES: &str = "\
valid_from,metric,offering,unit,price,currency
,vm_running,,hour,0.05,EUR
,primary_byte_hours,,GiB-month,0.08,EUR
";

/// Latin, accents of their own, two places a character, right to left, what a terminal obeys, and no blank anywhere.
const NAMES: [&str; 5] = [
    "A name with blanks that goes on and on, as names of customers sometimes do, up to the hundredth character",
    "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
    "日本語の名前がとても長くて一行には収まらないので途中で切らなければならない場合もあるのです",
    "اسم طويل جدا لا يتسع له السطر في نافذة ضيقة مهما حاول المرء",
    "\u{1b}[31m\u{202e}\u{1b}[2J\u{7}no-blank-anywhere-no-blank-anywhere-no-blank-anywhere-no-blank-anywhere",
];

fn all_fit(run: &Run, columns: usize) {
    for line in run.stdout.lines() {
        assert!(
            line.width() <= columns,
            "{} of {columns}: {run}",
            line.width()
        );
        assert!(!line.contains(char::is_control), "{run}");
    }
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let sandbox = imported();
    sandbox.write("narrow.csv", PRICES);
    for columns in [80, 100, 60] {
        for list in LISTS {
            let words: Vec<&str> = list.split(' ').collect();
            let run = sandbox.run_at(columns, &[&words, &CONFIG[..]].concat());
            assert_ne!(run.code, Some(2), "{run}");
            if !list.contains("--wide") {
                all_fit(&run, columns);
            }
        }
    }
}

/// As accounts and as resources, in the ledger and in the source, where half of the figures differ.
#[test]
fn nor_with_any_names() {
    let sandbox = fresh();
    sandbox.write("narrow.csv", PRICES);
    let open = |name: &str| rusqlite::Connection::open(sandbox.path(name)).unwrap();
    let (ledger, cloud) = (open("demo/usage.db"), open("demo/cloud.db"));
    for (place, name) in NAMES.iter().enumerate() {
        let of = format!("id % {} = {place}", NAMES.len());
        for sql in [
            format!("update stored_accounts set name = ?1 || id where {of}"),
            format!("update account_states set name = ?1 || account_id where account_{of}"),
            format!("update stored_resources set name = ?1 || id where {of}"),
        ] {
            ledger.execute(&sql, [name]).unwrap();
        }
        let sql = format!("update vm_instance set name = ?1 || id where {of}");
        cloud.execute(&sql, [name]).unwrap();
    }
    let usage = "update cloud_usage set raw_usage = raw_usage / 2 where id % 2 = 0";
    open("demo/cloud_usage.db").execute(usage, []).unwrap();
    sandbox.run(&[&["import", "2026-10-30"], &CONFIG[..]].concat());
    for list in LISTS.iter().filter(|list| !list.contains("--wide")) {
        let list = list.replace("aurora", "5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61");
        let list = list.replace("app-03", "vm:3003");
        let words: Vec<&str> = list.split(' ').collect();
        let run = sandbox.run_at(80, &[&words, &CONFIG[..]].concat());
        assert_ne!(run.code, Some(2), "{run}");
        all_fit(&run, 80);
    }
}

/// Without a terminal and COLUMNS nothing is left out: what reads a pipe or a file gets the same whatever the window.
#[test]
fn files_and_pipes_get_all() {
    let sandbox = imported();
    let explain = [
        &["explain", "aurora", "2026-10-14", "vm_running"],
        &CONFIG[..],
    ]
    .concat();
    let all = sandbox.run(&explain).exits(0);
    assert!(!all.stdout.contains("left out"), "{all}");
    assert!(all.stdout.lines().any(|line| line.width() > 150), "{all}");
    let wide = sandbox.run_at(80, &[&explain[..], &["--wide"]].concat());
    assert_eq!(wide.stdout, all.stdout);
    for odd in ["", "0", "many"] {
        let run = Run::of(sandbox.command(&explain).env("COLUMNS", odd));
        assert_eq!(run.stdout, all.stdout);
    }
    let json = [&explain[..], &["--format", "json"]].concat();
    assert_eq!(sandbox.run_at(20, &json).stdout, sandbox.run(&json).stdout);
}

#[test]
fn columns_are_chosen_by_name_or_heading() {
    let sandbox = imported();
    let report = |words: &[&str]| {
        let report = ["report", "--month", "2026-10", "--metric", "vpn_user"];
        sandbox.run_at(80, &[&report, &CONFIG[..], words].concat())
    };
    let run = report(&[
        "--columns",
        "quantity,account,account_uuid",
        "--account",
        "aurora",
    ]);
    assert_eq!(
        run.exits(0).stdout,
        "\
2026-10-01 to 2026-10-31, Europe/Stockholm, 745 hours

    quantity  account  account_uuid
745.00 hours  aurora   5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61
"
    );
    let run = report(&["--columns", "quantity,accuont"]).exits(2);
    assert_eq!(
        run.stderr,
        "rbc-usage: --columns: there is no column \"accuont\"; there are account_name, account_uuid, domain_path, \
         domain_uuid, project_name, project_uuid, metric, quantity, unit, gib_months\n"
    );
    report(&["--columns", "account,account_name"])
        .exits(2)
        .complains("rbc-usage: --columns names account_name twice\n");
    report(&["--columns", "account", "--format", "csv"])
        .exits(2)
        .complains("rbc-usage: --columns is for tables: other formats have all columns\n");
}

/// What writes to the ledger looks at its words first.
#[test]
fn a_wrong_column_changes_nothing() {
    let sandbox = imported();
    for line in [
        "verify --columns stroed",
        "prune --columns moth --before 2026-10",
        "rezone --columns dya --from 2026-10-20 GMT",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let run = sandbox.run(&[&words, &CONFIG[..]].concat()).exits(2);
        let says = "rbc-usage: --columns: there is no column ";
        assert!(run.stderr.starts_with(says), "{run}");
    }
}

/// A window of 30 columns has room for nothing but the start of a name.
#[test]
fn what_stays_is_cut_and_named() {
    let report = [
        "report", "--month", "2026-10", "--metric", "vpn_user", "--top", "1",
    ];
    let run = imported()
        .run_at(30, &[&report, &CONFIG[..]].concat())
        .exits(0);
    assert_eq!(
        run.stdout,
        "\
2026-10-01 to 2026-10-31,
  Europe/Stockholm, 745 hours

account  metric       quantity
aurora   vpn_us…  745.00 hours

cut: metric (--wide shows all)
"
    );
}
