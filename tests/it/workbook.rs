//! `--format xlsx`, read again by another library: the same as in JSON, numbers as numbers, days as days, and no name a
//! formula.

use std::io::Cursor;
use std::process::Command;

use calamine::{Data, DataType, Range, Reader, Xlsx};
use serde_json::Value;

use crate::demo::{CONFIG, fresh, imported};
use crate::sandbox::{Run, Sandbox, program};
use crate::server::Server;

/// Gold disks have a price of their own, in another currency.
const PRICES: &str = "\
valid_from,metric,offering,unit,price,currency
,vm_running,,hour,0.05,EUR
2026-10-15,vm_running,Classic Small,hour,0.02,EUR
,primary_byte_hours,,GiB-month,0.08,EUR
,primary_byte_hours,Gold disk,GiB-month,2,SEK
";

type Workbook = Xlsx<Cursor<Vec<u8>>>;

fn bytes(sandbox: &Sandbox, words: &[&str]) -> Vec<u8> {
    let words = [words, &CONFIG, &["--format", "xlsx"]].concat();
    let output = sandbox.command(&words).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    output.stdout
}

fn workbook(sandbox: &Sandbox, words: &[&str]) -> Workbook {
    Xlsx::new(Cursor::new(bytes(sandbox, words))).unwrap()
}

fn json(sandbox: &Sandbox, words: &[&str]) -> Value {
    let words = [words, &CONFIG, &["--format", "json"]].concat();
    serde_json::from_str(&sandbox.run(&words).exits(0).stdout).unwrap()
}

fn headings(sheet: &Range<Data>) -> Vec<String> {
    let first = sheet.rows().next().unwrap();
    first.iter().map(ToString::to_string).collect()
}

/// The column of a sheet whose heading is a name of JSON, perhaps with a unit.
fn place(sheet: &Range<Data>, name: &str) -> usize {
    let words = name.replace('_', " ");
    let is = |heading: &String| heading.split(" (").next() == Some(&words);
    let found = headings(sheet).iter().position(is);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", headings(sheet)))
}

/// A cell as JSON writes it. Decimals are texts in JSON.
fn agrees(cell: &Data, value: &Value) -> bool {
    match (cell, value) {
        (Data::Empty, value) => value.is_null(),
        (Data::Float(number), Value::String(digits)) => digits.parse() == Ok(*number),
        // The reader of JSON may miss the last bit.
        (Data::Float(number), value) => value
            .as_f64()
            .is_some_and(|other| (number - other).abs() <= f64::EPSILON * number.abs()),
        (Data::Bool(truth), value) => value.as_bool() == Some(*truth),
        (Data::DateTime(moment), Value::String(text)) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let day = format!("{year}-{month:02}-{day:02}");
            let time = format!("{day}T{hour:02}:{minute:02}:{second:02}Z");
            *text == time || (*text == day && time.ends_with("T00:00:00Z"))
        }
        (Data::String(text), value) => value.as_str() == Some(text),
        _ => false,
    }
}

/// How many cells of rows are numbers and how many are times, all of them as JSON has them.
fn compare(sheet: &Range<Data>, rows: &Value, leave_out: &[&str]) -> (usize, usize) {
    let rows = rows.as_array().unwrap();
    assert_eq!(sheet.rows().count(), rows.len() + 1);
    let mut cells = Vec::new();
    for (row, expected) in sheet.rows().skip(1).zip(rows) {
        let expected = expected.as_object().unwrap();
        for (name, value) in expected {
            if leave_out.contains(&name.as_str()) {
                continue;
            }
            let cell = row[place(sheet, name)].clone();
            assert!(agrees(&cell, value), "{name}: {cell:?} is not {value}");
            cells.push(cell);
        }
    }
    let numbers = cells.iter().filter(|cell| cell.is_float()).count();
    let times = cells.iter().filter(|cell| cell.is_datetime()).count();
    (numbers, times)
}

fn facts(workbook: &mut Workbook) -> Vec<(String, Data)> {
    let sheet = workbook.worksheet_range("facts").unwrap();
    let fact = |row: &[Data]| (row[0].to_string(), row[1].clone());
    sheet.rows().skip(1).map(fact).collect()
}

/// app-09 ran 336 h until October 14th, × 0.05 = 16.80, and 16 × 24 h + 25 h = 409 h then, × 0.02 = 8.18.
#[test]
fn a_statement_has_its_totals_lines_notes_and_facts() {
    let words = ["statement", "--month", "2026-10", "--account", "aurora"];
    imported().write("workbook.csv", PRICES);
    let words = [&words[..], &["--prices", "workbook.csv"]].concat();
    let first = bytes(imported(), &words);
    let mut book: Workbook = Xlsx::new(Cursor::new(first.clone())).unwrap();
    let sheets = ["totals", "account totals", "lines", "notes", "facts"];
    assert_eq!(book.sheet_names(), sheets);
    let json = json(imported(), &words);
    let lines = book.worksheet_range("lines").unwrap();
    let (numbers, times) = compare(&lines, &json["lines"], &[]);
    assert_eq!(times, 2 * json["lines"].as_array().unwrap().len());
    assert!(numbers > 4 * json["lines"].as_array().unwrap().len());
    let (resource, quantity) = (place(&lines, "resource_name"), place(&lines, "quantity"));
    let (price, amount) = (place(&lines, "price"), place(&lines, "amount"));
    let of_app: Vec<[f64; 3]> = lines
        .rows()
        .filter(|row| row[resource] == "app-09")
        .map(|row| [quantity, price, amount].map(|at| row[at].as_f64().unwrap()))
        .collect();
    assert_eq!(of_app, [[336.0, 0.05, 16.80], [409.0, 0.02, 8.18]]);
    let totals = book.worksheet_range("totals").unwrap();
    assert_eq!(headings(&totals), ["currency", "amount"]);
    compare(&totals, &json["totals"], &[]);
    let totals = book.worksheet_range("account totals").unwrap();
    compare(&totals, &json["account_totals"], &[]);
    let facts = facts(&mut book);
    let fact = |name: &str| &facts.iter().find(|(one, _)| one == name).unwrap().1;
    assert_eq!(*fact("timezone"), "Europe/Stockholm");
    assert_eq!(*fact("hours"), 745.0);
    assert_eq!(*fact("complete"), Data::Bool(true));
    assert_eq!(*fact("sealed"), Data::Bool(false));
    assert!(agrees(fact("start"), &Value::from("2026-10-01")));
    assert!(agrees(fact("month"), &Value::from("2026-10-01")));
    let notes = book.worksheet_range("notes").unwrap();
    assert!(
        notes
            .rows()
            .any(|row| row[0].to_string().starts_with("not sealed"))
    );
    assert_eq!(first, bytes(imported(), &words));
}

#[test]
fn reports_corrections_and_explanations_are_as_in_json() {
    let october = ["report", "--month", "2026-10"];
    let by = [&october[..], &["--by", "vm,sku,day", "--account", "aurora"]].concat();
    let running = [&october[..], &["--metric", "vm_running"]].concat();
    for words in [&october[..], &by, &running] {
        let sheet = workbook(imported(), words)
            .worksheet_range("usage")
            .unwrap();
        let (numbers, _) = compare(&sheet, &json(imported(), words)["usage"], &[]);
        assert!(numbers > 0);
        let hours = headings(&sheet).contains(&"quantity (hours)".to_owned());
        assert_eq!(hours, words == running, "{:?}", headings(&sheet));
    }
    let words = ["explain", "aurora", "2026-10-14", "vm_running"];
    let sheet = workbook(imported(), &words)
        .worksheet_range("lines")
        .unwrap();
    let (_, times) = compare(&sheet, &json(imported(), &words)["lines"], &[]);
    assert!(times > 0);
    assert!(headings(&sheet).contains(&"start date (UTC)".to_owned()));
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    let correction = "insert into stored_corrections (id, day, account_id, metric_id, resource_id, old_quantity, \
         new_quantity, corrected_at, kind) \
         select 901, '2026-09-27', a.id, m.id, o.id, 100, 90.5, '2026-10-20T10:00:59Z', 'pending' \
         from stored_accounts a, metrics m, stored_resources o \
         where a.name = 'aurora' and m.name = 'vm_running' and o.name = 'Large' and o.kind = 'service_offering'";
    ledger.execute(correction, []).unwrap();
    let sheet = workbook(&sandbox, &["corrections"])
        .worksheet_range("corrections")
        .unwrap();
    // A list in one cell.
    let json = json(&sandbox, &["corrections"]);
    assert_eq!(compare(&sheet, &json["corrections"], &["lines"]), (5, 2));
    let delta = sheet.rows().nth(1).unwrap()[place(&sheet, "delta")].clone();
    assert_eq!(delta, -9.5);
}

#[test]
fn a_name_is_never_a_formula() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    let words = ["report", "--month", "2026-10", "--account", "aurora"];
    let uuid = json(&sandbox, &words)["usage"][0]["account_uuid"].clone();
    let sql = "update account_states set name = ? \
               where account_id = (select id from stored_accounts where uuid = ?)";
    for (name, shown) in [
        ("=1+1", "=1+1"),
        ("+1", "+1"),
        ("-1", "-1"),
        ("@SUM(A1)", "@SUM(A1)"),
        ("{=1+1}", "{=1+1}"),
        ("2026-10-01", "2026-10-01"),
        ("0123", "0123"),
        ("_x0041_", "_x0041_"),
        ("http://a.invalid/", "http://a.invalid/"),
        ("\u{202e}a", "\\u202ea"),
        ("\u{1}a", "\\u0001a"),
    ] {
        assert_eq!(
            ledger.execute(sql, (name, uuid.as_str().unwrap())).unwrap(),
            1
        );
        let words = [
            "report",
            "--month",
            "2026-10",
            "--account",
            uuid.as_str().unwrap(),
        ];
        let mut book = workbook(&sandbox, &words);
        let sheet = book.worksheet_range("usage").unwrap();
        let first = sheet.rows().nth(1).unwrap()[place(&sheet, "account_name")].clone();
        assert_eq!(first, Data::String(shown.to_owned()));
        assert!(book.worksheet_formula("usage").unwrap().is_empty());
    }
}

/// What the server sends is what JSON has, for lists that it writes at once and for those in pieces.
#[test]
fn the_server_answers_with_workbooks() {
    let sandbox = imported();
    let mut serve = sandbox.command(&[&["serve", "--bind", "127.0.0.1:0"], &CONFIG[..]].concat());
    let server = Server::of(&mut serve);
    let account = "5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61";
    for (target, sheet) in [
        ("/v1/accounts?limit=1000".to_owned(), "accounts"),
        (
            format!("/v1/accounts/{account}/usage?month=2026-10&granularity=day&group=sku"),
            "usage",
        ),
    ] {
        let rows: Value = serde_json::from_str(&server.get(&target).body).unwrap();
        let address = format!("http://{}{target}&format=xlsx", server.address);
        let asked = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--noproxy",
                "*",
                &address,
            ])
            .output()
            .expect("run curl");
        assert!(asked.status.success(), "{asked:?}");
        let mut workbook: Workbook = Xlsx::new(Cursor::new(asked.stdout)).unwrap();
        let read = workbook.worksheet_range(sheet).unwrap();
        compare(&read, &rows[sheet], &[]);
    }
    let head = server.ask("HEAD", "/v1/accounts?format=xlsx");
    assert_eq!(
        head.header("content-type"),
        Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    );
    assert_eq!(
        head.header("content-disposition"),
        Some("attachment; filename=\"rbc-usage.xlsx\"")
    );
}

#[test]
fn a_workbook_is_refused_where_it_makes_no_sense() {
    let words = [&["verify", "2026-10-01", "--format", "xlsx"], &CONFIG[..]].concat();
    let refused = imported().run(&words).exits(2);
    assert!(
        refused
            .stderr
            .contains("[possible values: table, json, csv]"),
        "{refused}"
    );
    let config = imported().path("demo/cloudusage.cfg");
    let command = format!(
        "{} report --config {} --format xlsx",
        program(),
        config.display()
    );
    let refused = Run::of(Command::new("script").args(["-qec", &command, "/dev/null"])).exits(2);
    let says = "a terminal cannot show a workbook: add > file.xlsx";
    assert!(refused.stdout.contains(says), "{refused}");
    assert!(!refused.stdout.contains("PK"), "{refused}");
}
