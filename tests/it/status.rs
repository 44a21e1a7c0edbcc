//! `rbc-usage status`: days, the source's progress and what needs a look.

use crate::cloudstack::{Cloud, NEWEST, UsageRow, unix_seconds};
use crate::golden::is_golden;
use crate::mariadb;
use crate::seal::sealed;

/// Seven days of one kind each and a source that has finished them.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.finished_until("2013-06-06 23:59:59");
    cloud.edit_ledger(
        "insert into metrics values (1, 'vm_running', 'hours', 'service_offering');
         insert into stored_resources (id, kind, source_id, uuid, name) values (1, 'service_offering', 5, 'small-uuid', 'Small');
         insert into stored_accounts (id, uuid, name) values (2, 'a-2', 'alice'), (3, 'a-3', 'bob');
         insert into stored_days (day, state, source_rows, replayed_rows, imported_at, verified_at, sealed_at) values
           ('2013-05-31', 'closed', 1234567, 2, '2013-06-02T00:20:00Z', '2013-06-03T00:20:00Z', '2013-06-04T00:20:00Z'),
           ('2013-06-02', 'closed', 3, 0, '2013-06-04T00:20:00Z', null, null),
           ('2013-06-03', 'closed', 3, 0, '2013-06-05T00:20:00Z', null, null),
           ('2013-06-04', 'closed', 3, 0, '2013-06-06T00:20:00Z', null, null),
           ('2013-06-05', 'open', 1, 0, '2013-06-06T12:20:00Z', null, null);
         insert into stored_records values (2, '2013-05-31', 1, 0, 1), (2, '2013-05-31', 1, 1, 1),
           (3, '2013-05-31', 1, 1, 1), (3, '2013-06-04', 1, 1, 1);
         update stored_days set records = 3, accounts = 2 where day = '2013-05-31';
         update stored_days set records = 1, accounts = 1 where day = '2013-06-04';
         insert into stored_findings (day, kind, account_id, metric_id, resource, detail) values
           ('2013-06-02', 'differs_from_source', 2, 1, 'small-uuid', 'stored 1, the source says 2'),
           ('2013-06-04', 'differs_from_source', 3, 1, 'small-uuid', 'stored 1, the source says 3');
         insert into stored_refusals (day, id, reason, source_gone, since, last_seen, acknowledged_at, acknowledged_because) values
           ('2013-06-03', 9, 'no rows', 1, '2013-06-05T00:20:00Z', '2013-06-05T00:20:00Z', null, null);
         insert into acknowledgements
           (day, kind, account_id, metric_id, resource, detail, reason, acknowledged_at) values
           ('2013-06-04', 'differs_from_source', 3, 1, 'small-uuid', 'stored 1, the source says 3', 'credited', '2013-06-07T00:00:00Z');
         insert into imports values (1, '2013-06-06T12:20:00Z', '2013-06-06T12:20:01Z', 'needs_a_look', 1.5, 1, 1, 1, 0, null);
         update ledgers set revision = 17",
    );
    cloud
}

const PERIOD: [&str; 2] = ["status", "2013-05-31..2013-06-06"];

fn status(cloud: &Cloud, words: &[&str]) -> String {
    let run = cloud.run(&[&PERIOD[..], words].concat());
    run.exits(0).complains("").stdout
}

#[test]
fn people_see_a_calendar_and_the_days_that_are_not_plain() {
    let cloud = cloud();
    is_golden("status.txt", &status(&cloud, &[]));
    is_golden("status-days.txt", &status(&cloud, &["--days"]));
    for (option, golden) in [
        (&[][..], "narrow/status.txt"),
        (&["--days"], "narrow/status-days.txt"),
    ] {
        let run = cloud.run_at(80, &[&PERIOD[..], option].concat()).exits(0);
        is_golden(golden, &run.stdout);
    }
    // The 31st of May is sealed, and the finding of the 4th of June is acknowledged.
    let plain = cloud.run(&["status", "2013-06-04"]).exits(0);
    let below = "\n2013-06     #\n# closed\n\n1 day is closed or sealed, with nothing to look at: --days lists all\n";
    assert!(plain.stdout.contains(below), "{plain}");
    cloud.run(&["status", "--days", "--check"]).exits(2);
}

#[test]
fn programs_get_json_and_csv() {
    let cloud = cloud();
    let json = status(&cloud, &["--format", "json"]);
    assert_eq!(json, include_str!("golden/status.json"));
    let csv = status(&cloud, &["--format", "csv"]);
    assert_eq!(csv, include_str!("golden/status.csv"));
}

#[test]
fn a_check_tells_what_needs_a_look_and_nothing_else() {
    let cloud = cloud();
    let run = cloud.run(&["status", "2013-05-31..2013-06-06", "--check"]);
    let run = run.exits(1).complains("");
    let narrow = cloud.run_at(80, &["status", "2013-05-31..2013-06-06", "--check"]);
    let (_, table) = narrow.stdout.split_once('\n').expect("a line");
    is_golden("narrow/status-check.txt", table);
    // The newest closed day began at 1370304000 and the last import ended at 1370521201. Of the findings one is
    // acknowledged; the refusal is another.
    let (line, table) = run.stdout.split_once('\n').expect("a line");
    let (state, perfdata) = line.split_once(" | ").expect("perfdata");
    assert_eq!(
        state,
        "WARNING - 1 source_behind, 2 day_missing, 1 day_differing, 1 day_refused, 1 day_open"
    );
    let figures: Vec<(&str, &str)> = perfdata
        .split(' ')
        .map(|figure| figure.split_once('=').expect(figure))
        .collect();
    assert_eq!(
        figures[2..],
        [("problems", "6;0"), ("pending", "0;0"), ("findings", "2")]
    );
    let seconds = |figure: (&str, &str), label: &str| -> i64 {
        assert_eq!(figure.0, label);
        figure.1.strip_suffix('s').unwrap().parse().unwrap()
    };
    let between = seconds(figures[0], "age") - seconds(figures[1], "import_age");
    assert_eq!(between, 1_370_521_201 - 1_370_304_000);
    assert_eq!(
        table,
        "\
what           day         detail
source_behind  2013-06-07  CloudStack's usage server has finished nothing after 2013-06-06: is it running?
day_missing    2013-06-01  not imported: rbc-usage import -s 2013-06-01
day_differing  2013-06-02  a value is not what the source says
day_refused    2013-06-03  no rows
day_open       2013-06-05  open, and over: the next import finishes it
day_missing    2013-06-06  not imported: rbc-usage import -s 2013-06-06
"
    );
}

#[test]
fn a_refused_day_says_why_it_was_refused() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[UsageRow::of_day(day, 10, 2, 1)]);
    }
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    cloud.usage("update cloud_usage set start_date = '2013-06-09 00:00:00' where id = 2");
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(1);
    let check = || {
        let words = ["status", "2013-06-02", "--check", "--format", "csv"];
        cloud.run(&words).exits(1).stdout
    };
    let line = "\nday_refused,2013-06-02,cloud_usage row 2: the window ends before it starts,\n";
    assert!(check().contains(line), "{}", check());
    cloud
        .run(&["findings", "ack", "1", "--reason", "known"])
        .exits(0);
    assert!(!check().contains("day_refused"), "{}", check());
}

/// A day that the source has not finished is not complete for being refused, and all commands agree on that.
#[test]
fn an_open_day_that_is_refused_is_not_complete() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[UsageRow::of_day(day, 10, 2, 1)]);
    }
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"]);
    cloud.usage("update cloud_usage set start_date = '2013-06-09 00:00:00' where id = 2");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    for command in ["status", "report"] {
        let run = cloud.run(&[command, "2013-06-02", "--format", "json"]);
        assert!(run.stdout.contains("\"complete\": false"), "{run}");
    }
    let days = cloud.run(&["status", "2013-06-02", "--format", "csv"]);
    assert!(days.stdout.contains("\n2013-06-02,refused,"), "{days}");
}

/// The newest finished day is years after the ledger's, and no import has a reason to complain.
#[test]
fn a_check_is_one_line_while_all_is_well() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let empty = cloud
        .run(&["status", "--check", "--format", "csv"])
        .exits(1);
    assert_eq!(
        empty.stdout,
        "kind,day,detail,last_day\n\
         source_behind,,CloudStack's usage server has never finished anything,\n\
         day_missing,,the ledger is empty: rbc-usage import,\n"
    );
    let run = cloud.run(&["status"]).exits(0);
    assert!(
        run.stdout
            .starts_with("the ledger is empty: rbc-usage import\n"),
        "{run}"
    );

    let yesterday = time::UtcDateTime::now().date().previous_day().unwrap();
    cloud.account(2, "alice-uuid", "alice");
    cloud.add_usage(&[UsageRow::of_day(&yesterday.to_string(), 30, 2, 1)]);
    cloud.finished_until(&format!("{yesterday} 23:59:59"));
    cloud.run(&["import"]).exits(0);
    let run = cloud.run(&["status", "--check"]).exits(0).complains("");
    let start = format!("OK - 1 day closed, newest {yesterday}, imported ");
    assert!(run.stdout.starts_with(&start), "{run}");
    assert!(
        run.stdout
            .ends_with("s problems=0;0 pending=0;0 findings=0\n"),
        "{run}"
    );
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    let run = cloud
        .run(&["status", "--check", "--format", "json"])
        .exits(0);
    assert_eq!(run.stdout, "{\n  \"problems\": []\n}\n");
    for format in ["table", "json", "csv"] {
        let words = ["status", "--check", "--quiet", "--format", format];
        let run = cloud.run(&words).exits(0).complains("");
        assert_eq!(run.stdout, "");
    }
}

/// A plugin is heard on stdout; programs that read CSV or JSON find errors where they always were.
#[test]
fn a_check_that_cannot_answer_is_critical() {
    let sandbox = crate::sandbox::Sandbox::new();
    let error = "configuration a|b.cfg: No such file or directory (os error 2)\n";
    let words = ["status", "--check", "--quiet", "--config", "a|b.cfg"];
    let run = sandbox.run(&words).exits(2).complains("");
    assert_eq!(
        run.stdout,
        format!("CRITICAL - {}", error.replace('|', "/"))
    );
    let run = sandbox.run(&[&words[..], &["--format", "csv"]].concat());
    let run = run.exits(2).complains(&format!("rbc-usage: {error}"));
    assert_eq!(run.stdout, "");
}

#[test]
fn a_failed_import_needs_a_look() {
    let cloud = cloud();
    cloud.edit_ledger(
        "insert into imports (started_at, outcome, error)
         values ('2013-06-07T00:20:00Z', 'error', 'read cloud_usage: gone')",
    );
    let run = cloud.run(&["status", "2013-05-31", "--check"]).exits(1);
    let line = "import_failed  –           the import of 2013-06-07T00:20:00Z ended with: read cloud_usage: gone\n";
    assert!(run.stdout.contains(line), "{run}");
    cloud.edit_ledger("update imports set outcome = null, error = null");
    let run = cloud.run(&["status", "2013-05-31", "--check"]).exits(1);
    let line = "import_unfinished  –           the import of 2013-06-07T00:20:00Z has not ended\n";
    assert!(run.stdout.contains(line), "{run}");
}

#[test]
fn a_stuck_usage_server_is_recognised_in_mariadb() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    for (id, day) in [(1, "2013-06-08"), (2, "2013-06-09"), (3, "2013-06-10")] {
        cloud.usage(&format!(
            "insert into usage_job (id, start_millis, end_millis, success, heartbeat)
             values ({id}, {}000, {}999, 1, '{day} 23:59:59')",
            unix_seconds("2013-06-03 00:00:00"),
            unix_seconds(&format!("{day} 23:59:59"))
        ));
    }
    cloud.usage(
        "insert into usage_event (id, type, account_id, created, zone_id, processed) values
           (1, 'VM.START', 2, '2013-06-01 10:00:00', 1, 1), (2, 'VM.START', 2, '2013-06-03 10:00:00', 1, 0)",
    );
    let check = || {
        let run = cloud.run(&["status", "2013-06-01", "--check", "--format", "csv"]);
        run.exits(1).complains("").stdout
    };
    let stuck = "kind,day,detail,last_day\n\
        source_behind,2013-06-11,CloudStack's usage server has finished nothing after 2013-06-10: is it running?,\n\
        source_stuck,2013-06-03,the newest usage jobs all start on 2013-06-03: every run writes the days since then again,\n";
    let missing = "day_missing,2013-06-01,not imported: rbc-usage import -s 2013-06-01,\n";
    // The importer's user may not read the events.
    assert_eq!(check(), format!("{stuck}{missing}"));
    cloud.usage(&format!(
        "grant select (created, processed) on usage_event to {}@'%'",
        cloud.user
    ));
    let event = "event_unprocessed,2013-06-03,\"a usage event of 2013-06-03 is unprocessed, older than what the \
                 usage server says it has finished\",\n";
    assert_eq!(check(), format!("{stuck}{event}{missing}"));
    let run = cloud.run(&["status", "2013-06-01"]).exits(0);
    assert!(
        run.stdout.ends_with(
            "\nsource: finished 2013-06-10\n\
             source: the usage server is stuck and writes all days since 2013-06-03 again and again\n\
             source: the newest run went back to 2013-06-03: days since then are provisional until another goes on from it\n\
             source: the oldest unprocessed usage event is of 2013-06-03T10:00:00Z\n"
        ),
        "{run}"
    );
}

#[test]
fn without_its_source_the_ledger_is_still_shown() {
    let mut cloud = cloud();
    let port = mariadb::free_port();
    cloud.usage_uri = format!("mysql://nobody:secret@127.0.0.1:{port}/cloud_usage");
    cloud.configure("GMT", "");
    let words = [&PERIOD[..], &["--days"]].concat();
    let run = cloud.run(&words).exits(1).complains("");
    assert!(
        run.stdout
            .contains("2013-05-31  sealed           3         2  1,234,567"),
        "{run}"
    );
    assert!(
        run.stdout
            .contains("\nsource: cannot be reached: open cloud_usage: "),
        "{run}"
    );
    assert!(!run.stdout.contains("secret"), "{run}");
    let run = cloud.run(&["status", "2013-05-31", "--check"]).exits(1);
    assert!(
        run.stdout
            .contains("\nsource_unreachable  open cloud_usage: "),
        "{run}"
    );
    let run = cloud
        .run(&["status", "2013-05-31", "--format", "json"])
        .exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["source_reachable"], false);
    assert_eq!(answer["days"][0]["state"], "sealed");
}

/// Commands that others name have the configuration those were given, so that they are of the same ledger.
#[test]
fn commands_that_lead_on_are_of_the_same_configuration() {
    let cloud = sealed();
    std::fs::rename(
        cloud.sandbox.path("cloudusage.cfg"),
        cloud.sandbox.path("my cloud.cfg"),
    )
    .unwrap();
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.finished_until("2013-06-03 23:59:59");
    let run = |words: &[&str]| cloud.run(&[words, &["--config", "my cloud.cfg"]].concat());
    run(&["import", "-s", "2013-06-02"]).exits(1);
    let check = run(&["status", "2013-06-02..2013-06-03", "--check"]).exits(1);
    for line in [
        "not imported: rbc-usage import --config 'my cloud.cfg' -s 2013-06-03\n",
        "charged or credited: rbc-usage corrections --config 'my cloud.cfg' --pending 2013-06-02\n",
    ] {
        assert!(check.stdout.contains(line), "{check}");
    }
    let report = run(&["report", "2013-06-02"]).exits(0);
    let line =
        "see rbc-usage corrections --config 'my cloud.cfg' --pending 2013-06-02..2013-06-02\n";
    assert!(report.stdout.ends_with(line), "{report}");
    let unseal = run(&["unseal", "2013-06-02"]).exits(0);
    let line = "taken over by rbc-usage import --config 'my cloud.cfg' -s 2013-06-02 -f\n";
    assert!(unseal.stdout.ends_with(line), "{unseal}");
}
