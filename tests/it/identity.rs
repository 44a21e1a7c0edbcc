//! An account is its uuid: whose usage is whose when an id of CloudStack's comes to mean another account, when an account
//! gets another id, and when two have one uuid. And what an account was called on a day, and where it belonged.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::import::refuses;

const RUNNING: &str = "select day, account_uuid, account_name, quantity from daily_usage \
                       where metric = 'vm_running' order by 1, 2";

const WHERE: &str =
    "select distinct day, account_name, domain_path, domain_uuid from daily_lines order by 1, 2";

/// Domains /acme/ and /retail/, alice in the one and bob in the other, an empty ledger.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.domain(2, "acme-uuid", "/acme/");
    cloud.domain(3, "retail-uuid", "/retail/");
    cloud.main("update domain set parent = 1 where id <> 1");
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.main("update account set domain_id = id");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "Debian 12");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    cloud.run(&["initdb"]).exits(0);
    cloud
}

/// A VM of an account's that ran for some hours of a day.
fn vm(day: &str, account_id: u64, domain_id: u64, hours: f64) -> UsageRow {
    UsageRow {
        domain_id,
        raw_usage: hours,
        ..UsageRow::of_vm(day, 1, account_id, 1000 + account_id, 5)
    }
}

fn finished(cloud: &Cloud, day: &str) {
    cloud.finished_until(&format!("{day} 23:59:59"));
}

/// What is said on stderr of accounts.
fn about_accounts(stderr: &str) -> Vec<&str> {
    let lines = stderr.lines();
    lines.filter(|line| line.contains("account ")).collect()
}

/// A cloud where id 50 was carol's on the first of June, and is dave's after `cloud` came back from a backup.
fn given_again() -> Cloud {
    let cloud = cloud();
    cloud.account(50, "carol-uuid", "carol");
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0), vm("2013-06-01", 50, 2, 7.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    cloud.main(
        "update account set uuid = 'dave-uuid', account_name = 'dave', domain_id = 3 where id = 50",
    );
    cloud
}

#[test]
fn an_id_that_is_given_again_is_another_account_from_then_on() {
    let cloud = given_again();
    cloud.add_usage(&[vm("2013-06-02", 2, 2, 24.0), vm("2013-06-02", 50, 3, 5.0)]);
    finished(&cloud, "2013-06-02");
    let run = cloud.run(&["import"]).exits(1);
    assert_eq!(
        about_accounts(&run.stderr),
        [
            "rbc-usage: account id 50 was carol (carol-uuid) until 2013-06-01 and is dave (dave-uuid) since 2013-06-02"
        ]
    );
    let usage = [
        "2013-06-01 | alice-uuid | alice | 24",
        "2013-06-01 | carol-uuid | carol | 7",
        "2013-06-02 | alice-uuid | alice | 24",
        "2013-06-02 | dave-uuid | dave | 5",
    ];
    assert_eq!(cloud.ledger(RUNNING), usage);
    // A closed day that is read again keeps the account it had, whatever is asked for.
    cloud.run(&["verify"]).exits(0);
    let again = cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"])
        .exits(0);
    assert_eq!(about_accounts(&again.stderr), [""; 0]);
    cloud
        .run(&["verify", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
    assert_eq!(cloud.ledger(RUNNING), usage);
    assert_eq!(cloud.ledger("select * from corrections"), [""; 0]);
    let explained = cloud
        .run(&["explain", "carol", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
    assert!(explained.stdout.contains("2013-06-01"), "{explained}");
    assert!(!explained.stdout.contains("\n2013-06-02"), "{explained}");
}

#[test]
fn an_id_that_is_given_again_is_a_finding_until_it_is_acknowledged() {
    let cloud = given_again();
    cloud.add_usage(&[vm("2013-06-02", 50, 3, 5.0)]);
    finished(&cloud, "2013-06-02");
    let told = "account id 50 was carol (carol-uuid) until 2013-06-01 and is dave (dave-uuid) since 2013-06-02";
    let run = cloud.run(&["import", "--quiet"]).exits(1);
    assert!(run.stderr.contains(told), "{run}");
    // Of no account: carol's and dave's users read nothing about each other.
    let findings =
        "select day, account_uuid, detail from findings where kind = 'account_id_changed'";
    let found = [format!("2013-06-02 | null | {told}")];
    assert_eq!(cloud.ledger(findings), found);
    let problems = |cloud: &Cloud| {
        let check = cloud.run(&[
            "status",
            "--check",
            "2013-06-01..2013-06-02",
            "--format",
            "csv",
        ]);
        let lines = check.stdout.lines().map(str::to_owned);
        lines
            .filter(|line| line.starts_with("account_id_changed"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        problems(&cloud),
        [format!(
            "account_id_changed,2013-06-02,{told}: rbc-usage findings ack 1 --reason TEXT,"
        )]
    );
    // It is news once, and stays whatever becomes of the day.
    cloud.run(&["import", "--quiet"]).exits(0).complains("");
    cloud.add_usage(&[vm("2013-06-02", 50, 3, 2.0)]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(cloud.ledger(findings), found);
    cloud
        .run(&["findings", "ack", "1", "--reason", "restored"])
        .exits(0);
    assert_eq!(problems(&cloud), [""; 0]);
}

#[test]
fn an_open_day_goes_to_the_new_account() {
    let cloud = given_again();
    cloud.main("update account set uuid = 'carol-uuid', account_name = 'carol', domain_id = 2 where id = 50");
    cloud.add_usage(&[vm("2013-06-02", 50, 2, 3.0)]);
    cloud.run(&["import", "-s", "2013-06-02"]);
    assert_eq!(
        cloud.ledger("select day from days where state = 'open'"),
        ["2013-06-02"]
    );
    cloud.main(
        "update account set uuid = 'dave-uuid', account_name = 'dave', domain_id = 3 where id = 50",
    );
    cloud.add_usage(&[vm("2013-06-03", 50, 3, 5.0)]);
    finished(&cloud, "2013-06-03");
    cloud.run(&["import"]).exits(1);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice-uuid | alice | 24",
            "2013-06-01 | carol-uuid | carol | 7",
            "2013-06-02 | dave-uuid | dave | 3",
            "2013-06-03 | dave-uuid | dave | 5",
        ]
    );
}

#[test]
fn an_account_that_gets_another_id_stays_one_account() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    cloud.main("update account set id = 102 where id = 2");
    // The second day has rows under both ids.
    cloud.add_usage(&[vm("2013-06-02", 2, 2, 6.0), vm("2013-06-02", 102, 2, 18.0)]);
    finished(&cloud, "2013-06-02");
    let run = cloud.run(&["import"]).exits(1);
    assert_eq!(
        about_accounts(&run.stderr),
        [
            "rbc-usage: account alice (alice-uuid) has the account id 102 now, as well as 2 before: it stays one account"
        ]
    );
    let usage = [
        "2013-06-01 | alice-uuid | alice | 24",
        "2013-06-02 | alice-uuid | alice | 24",
    ];
    assert_eq!(cloud.ledger(RUNNING), usage);
    let lines = "select day, quantity from daily_lines where metric = 'vm_running' order by 1, 2";
    assert_eq!(
        cloud.ledger(lines),
        ["2013-06-01 | 24", "2013-06-02 | 6", "2013-06-02 | 18"]
    );
    cloud.run(&["verify"]).exits(0);
    let explained = cloud
        .run(&["explain", "alice", "2013-06-02", "vm_running"])
        .exits(0);
    assert!(explained.stdout.contains("equal"), "{explained}");
}

#[test]
fn two_accounts_with_one_uuid_are_kept_apart() {
    let cloud = cloud();
    cloud.main(
        "create table copy as select * from account; drop table account; alter table copy rename to account;
         insert into account (id, account_name, uuid, type, domain_id)
         values (21, 'twin1', 'twin-uuid', 0, 2), (22, 'twin2', 'twin-uuid', 0, 3)",
    );
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[vm(day, 21, 2, 24.0), vm(day, 22, 3, 7.0)]);
        finished(&cloud, day);
        cloud.run(&["import"]).exits(0);
    }
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | account:22 | twin2 | 7",
            "2013-06-01 | twin-uuid | twin1 | 24",
            "2013-06-02 | account:22 | twin2 | 7",
            "2013-06-02 | twin-uuid | twin1 | 24",
        ]
    );
    let findings =
        "select day, account_uuid, resource, detail from findings where resource like 'account:%'";
    let detail = "account:22 | account:22 | cloud has the accounts 21 and 22 under one uuid: this one is kept as account:22";
    assert_eq!(
        cloud.ledger(findings),
        [
            format!("2013-06-01 | {detail}"),
            format!("2013-06-02 | {detail}")
        ]
    );
    cloud.run(&["verify"]).exits(0);
    // Also when one of them is removed.
    cloud.main("update account set removed = '2013-06-03 00:00:00' where id = 22");
    cloud.add_usage(&[vm("2013-06-03", 21, 2, 24.0), vm("2013-06-03", 22, 3, 1.0)]);
    finished(&cloud, "2013-06-03");
    cloud.run(&["import"]).exits(0);
    let third = cloud.ledger(&RUNNING.replace("where", "where day = '2013-06-03' and"));
    assert_eq!(
        third,
        [
            "2013-06-03 | account:22 | twin2 | 1",
            "2013-06-03 | twin-uuid | twin1 | 24"
        ]
    );
}

#[test]
fn a_sealed_month_keeps_names_and_domains() {
    let cloud = cloud();
    cloud.domain(50, "shop-uuid", "/retail/shop/");
    cloud.main("update domain set parent = 3 where id = 50; update account set domain_id = 50 where id = 2");
    for day in 1..=30 {
        cloud.add_usage(&[vm(&format!("2013-06-{day:02}"), 2, 50, 24.0)]);
    }
    finished(&cloud, "2013-06-30");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", "2013-06"]).exits(0);
    let june = cloud.ledger(WHERE);
    assert_eq!(june[0], "2013-06-01 | alice | /retail/shop/ | shop-uuid");
    assert_eq!(june.len(), 30);

    cloud.main(
        "update domain set parent = 2, path = '/acme/shop/' where id = 50;
         update account set account_name = 'alice-gmbh' where id = 2",
    );
    cloud.add_usage(&[vm("2013-07-01", 2, 50, 24.0)]);
    finished(&cloud, "2013-07-01");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["import", "--month", "2013-06", "-f"]).exits(0);
    cloud.run(&["verify", "--month", "2013-06"]).exits(0);
    let mut expected = june;
    expected.push("2013-07-01 | alice-gmbh | /acme/shop/ | shop-uuid".to_owned());
    assert_eq!(cloud.ledger(WHERE), expected);
    let names = "select min(day), max(day), account_name, domain_path from daily_usage group by 3, 4 order by 1";
    assert_eq!(
        cloud.ledger(names),
        [
            "2013-06-01 | 2013-06-30 | alice | /retail/shop/",
            "2013-07-01 | 2013-07-01 | alice-gmbh | /acme/shop/",
        ]
    );
    let lineages = "select lineage from stored_domains order by id";
    let root = "d0000000-0000-4000-8000-000000000001";
    assert_eq!(
        cloud.ledger(lineages),
        [
            format!("/{root}/retail-uuid/shop-uuid/"),
            format!("/{root}/acme-uuid/shop-uuid/")
        ]
    );
}

#[test]
fn a_project_that_is_renamed_keeps_its_name_in_the_months_before() {
    let cloud = cloud();
    cloud.project(60, "prj-account-uuid", "prj-uuid", "web");
    cloud.add_usage(&[vm("2013-06-30", 60, 1, 24.0)]);
    finished(&cloud, "2013-06-30");
    cloud.run(&["import"]).exits(0);
    cloud.main("update projects set name = 'shop' where id = 60");
    cloud.add_usage(&[vm("2013-07-01", 60, 1, 24.0)]);
    finished(&cloud, "2013-07-01");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-30", "-f"]).exits(0);
    let report = |day: &str, more: &[&str]| {
        let words = ["report", day, "--metric", "vm_running", "--format", "csv"];
        let run = cloud.run(&[&words, more].concat()).exits(0).stdout;
        let row = run.lines().nth(1).unwrap_or_default().to_owned();
        (row.contains("web"), row.contains("shop"))
    };
    let [by_project, by_account] = [["--by", "project"], ["--by", "account"]];
    assert_eq!(report("2013-06-30", &by_project), (true, false));
    assert_eq!(report("2013-07-01", &by_project), (false, true));
    assert_eq!(report("2013-06-30..2013-07-01", &by_project), (false, true));
    // Either name finds it, whatever the days.
    assert!(report("2013-06-30", &[by_account, ["--account", "shop"]].concat()).0);
    assert!(report("2013-07-01", &[by_account, ["--account", "web"]].concat()).1);
}

#[test]
fn a_closed_day_keeps_its_names_when_it_is_imported_by_force() {
    let cloud = cloud();
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[vm(day, 2, 2, 24.0)]);
        finished(&cloud, day);
    }
    cloud.run(&["import"]).exits(0);
    let before = cloud.ledger(WHERE);
    cloud.main("update account set account_name = 'new', domain_id = 3 where id = 2; update domain set path = '/x/' where id = 2");
    // Another account's first row on this day comes late.
    cloud.add_usage(&[vm("2013-06-01", 3, 3, 1.0)]);
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"])
        .exits(0);
    let mut expected = before;
    expected.insert(1, "2013-06-01 | bob | /retail/ | retail-uuid".to_owned());
    assert_eq!(cloud.ledger(WHERE), expected);
}

#[test]
fn an_open_day_takes_the_names_of_now() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0), vm("2013-06-02", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"]);
    cloud.main("update account set account_name = 'new' where id = 2");
    finished(&cloud, "2013-06-02");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(WHERE),
        [
            "2013-06-01 | alice | /acme/ | acme-uuid",
            "2013-06-02 | new | /acme/ | acme-uuid"
        ]
    );
}

#[test]
fn a_domain_that_cannot_be_read_has_a_stand_in() {
    let cloud = cloud();
    cloud.main("alter table domain rename to hidden");
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(WHERE),
        ["2013-06-01 | alice | null | domain:2"]
    );
    cloud.main("alter table hidden rename to domain");
    cloud.add_usage(&[vm("2013-06-02", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-02");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(WHERE),
        [
            "2013-06-01 | alice | null | domain:2",
            "2013-06-02 | alice | /acme/ | acme-uuid"
        ]
    );
}

#[test]
fn a_lineage_that_becomes_known_is_filled_in() {
    let cloud = cloud();
    cloud.main("update domain set parent = 99 where id = 2");
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    let domains = "select id, uuid, path, lineage from stored_domains";
    assert_eq!(cloud.ledger(domains), ["1 | acme-uuid | /acme/ | "]);
    cloud.main("update domain set parent = 1 where id = 2");
    cloud.add_usage(&[vm("2013-06-02", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-02");
    cloud.run(&["import"]).exits(0);
    let root = "d0000000-0000-4000-8000-000000000001";
    assert_eq!(
        cloud.ledger(domains),
        [format!("1 | acme-uuid | /acme/ | /{root}/acme-uuid/")]
    );
}

#[test]
fn another_cloudstack_is_refused_by_its_root_domain() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    let root = "d0000000-0000-4000-8000-000000000001";
    assert_eq!(cloud.ledger("select cloud_uuid from ledgers"), [root]);
    let before = cloud.ledger(RUNNING);
    // All its ids are new to the ledger.
    cloud.main("update domain set uuid = 'other-root' where id = 1; update account set id = id + 1000, uuid = uuid || '2'");
    cloud.add_usage(&[vm("2013-06-02", 1002, 2, 24.0)]);
    finished(&cloud, "2013-06-02");
    let both = [
        "another CloudStack",
        root,
        "other-root",
        "a ledger for each",
    ];
    refuses(cloud.run(&["import"]), &both);
    refuses(cloud.run(&["verify"]), &both);
    let check = cloud.run(&["check"]).exits(2);
    assert!(
        check.stdout.contains("this is another CloudStack"),
        "{check}"
    );
    assert_eq!(cloud.ledger(RUNNING), before);
}

#[test]
fn where_domains_cannot_be_read_accounts_tell_another_cloudstack() {
    let cloud = cloud();
    cloud.main("alter table domain rename to hidden");
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    // One of two that differs is an id that was given again.
    cloud.main("update account set uuid = 'eve-uuid' where id = 2");
    cloud.add_usage(&[vm("2013-06-02", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-02");
    cloud.run(&["import"]).exits(1);
    cloud.main("update account set uuid = uuid || '2'");
    let run = cloud.run(&["import"]);
    assert!(!run.stderr.contains("UNIQUE"), "{run}");
    let run = run.exits(2);
    let last = run.stderr.lines().last().unwrap();
    assert!(
        last.contains("this is another CloudStack: none of the 2 accounts whose ids the ledger knows has the same uuid"),
        "{run}"
    );
}

#[test]
fn a_ledger_without_days_is_of_no_cloudstack_yet() {
    let cloud = cloud();
    cloud.run(&["import"]);
    assert_eq!(cloud.ledger("select count(*) from days"), ["0"]);
    cloud.main("update domain set uuid = 'other-root' where id = 1");
    cloud.add_usage(&[vm("2013-06-01", 2, 2, 24.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger("select cloud_uuid from ledgers"),
        ["other-root"]
    );
}

#[test]
fn of_an_account_that_was_made_anew_the_one_that_is_there_has_the_name() {
    let cloud = cloud();
    cloud.main(
        "create table copy as select * from account; drop table account; alter table copy rename to account;
         insert into account (id, account_name, uuid, type, domain_id, removed)
         values (41, 'erin-old', 'erin-uuid', 0, 2, '2013-06-01 12:00:00'), (42, 'erin', 'erin-uuid', 0, 2, null)",
    );
    cloud.add_usage(&[vm("2013-06-01", 41, 2, 12.0), vm("2013-06-01", 42, 2, 11.0)]);
    finished(&cloud, "2013-06-01");
    cloud.run(&["import"]).exits(1);
    assert_eq!(
        cloud.ledger(RUNNING),
        ["2013-06-01 | erin-uuid | erin | 23"]
    );
}
