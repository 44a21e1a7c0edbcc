//! What an import leaves behind when it is stopped: killed, cut off from its source, kept from writing,
//! or met by another import. Each day must be wholly old or wholly new, and the next import completes it.

mod connection;
mod lease;
mod proof;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::import::refuses;
use crate::mariadb::{self, Server};
use crate::sandbox::{Run, program};

const FIRST: &str = "2013-06-01";
const LAST: &str = "2013-06-10";
pub const RANGE: [&str; 5] = ["import", "-s", FIRST, "-e", LAST];

/// One line a day: its records and their sum.
const DAY_SUMS: &str = "select d.day, count(u.day), coalesce(sum(u.quantity), 0) from days d
                        left join daily_usage u on u.day = d.day group by d.day order by d.day";

/// Ten finished days of some accounts' virtual machines, and an empty ledger.
pub fn furnish(cloud: &Cloud, accounts: u64) {
    for account in 2..2 + accounts {
        cloud.account(
            account,
            &format!("uuid-{account}"),
            &format!("name-{account}"),
        );
    }
    cloud.service_offering(5, "small-uuid", "small");
    for day in 1..=10 {
        let day = format!("2013-06-{day:02}");
        let vm = |number| UsageRow::of_vm(&day, 2, 2 + number % accounts, number, 5);
        let rows: Vec<UsageRow> = (0..accounts * 5).map(vm).collect();
        cloud.add_usage(&rows);
    }
    cloud.finished_until("2013-06-10 23:59:59");
    cloud.run(&["initdb"]).exits(0);
}

/// What `DAY_SUMS` says of a day imported whole: five VMs an account for so many hours each.
fn whole(day: u32, accounts: u64, hours: u64) -> String {
    format!("2013-06-{day:02} | {accounts} | {}", accounts * 5 * hours)
}

/// An import running beside the test; killed when the test ends.
pub struct Background(Child);

impl Background {
    pub fn start(cloud: &Cloud, words: &[&str]) -> Background {
        let mut command = cloud.sandbox.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Background(command.spawn().expect("start the program"))
    }

    pub fn kill(&mut self) {
        self.0.kill().expect("kill the program");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.pid());
        Run::of(Command::new("sh").args(["-c", &kill])).exits(0);
    }

    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Run {
        let mut run = Run {
            command: "an import in the background".to_owned(),
            code: None,
            stdout: String::new(),
            stderr: String::new(),
        };
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        out.unwrap().read_to_string(&mut run.stdout).unwrap();
        err.unwrap().read_to_string(&mut run.stderr).unwrap();
        run.code = self.0.wait().unwrap().code();
        run
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes the next read of the usage rows wait until the connection that is returned is dropped, and starts
/// an import that runs into it.
fn blocked_import(cloud: &Cloud, server: &Server) -> (mysql::Conn, Background) {
    let mut gate = server.connect();
    gate.query_drop(format!(
        "lock tables {}.cloud_usage write",
        cloud.usage_name
    ))
    .unwrap();
    let import = Background::start(cloud, &RANGE);
    let waiting = format!(
        "select count(*) from information_schema.processlist
         where user = '{}' and state = 'Waiting for table metadata lock'",
        cloud.user
    );
    let mut root = server.connect();
    let started = Instant::now();
    while root.query_first::<u32, _>(&waiting).unwrap() == Some(0) {
        assert!(started.elapsed() < Duration::from_secs(30), "it never read");
        std::thread::sleep(Duration::from_millis(5));
    }
    (gate, import)
}

#[test]
fn killed_at_any_moment_each_day_is_old_or_new() {
    let accounts = 60;
    let cloud = Cloud::in_sqlite(NEWEST);
    furnish(&cloud, accounts);
    cloud.run(&RANGE).exits(0);
    let sums =
        |hours: u64| -> Vec<String> { (1..=10).map(|day| whole(day, accounts, hours)).collect() };
    assert_eq!(cloud.ledger(DAY_SUMS), sums(24));
    let force = [&RANGE[..], &["-f"]].concat();

    let mut took = Duration::from_millis(500);
    let (mut old, mut interrupted) = (24, 0);
    for round in 0..8_u32 {
        // The source now says something else; an import that overwrites is killed at some point.
        let new = old - 1;
        cloud.usage(&format!("update cloud_usage set raw_usage = {new}"));
        let mut import = Background::start(&cloud, &force);
        std::thread::sleep(took * (round + 1) / 9);
        import.kill();
        import.0.wait().unwrap();
        cloud.release_ledger();

        let found = cloud.ledger(DAY_SUMS);
        assert_eq!(found.len(), 10);
        for (day, found) in (1..).zip(&found) {
            assert!(
                [whole(day, accounts, old), whole(day, accounts, new)].contains(found),
                "round {round}: {found}"
            );
        }
        if found != sums(old) && found != sums(new) {
            interrupted += 1;
        }
        assert_eq!(cloud.ledger_damage(), [""; 0]);
        // A correction for each overwritten value and for no other.
        let changed = found.iter().zip(sums(new)).filter(|(a, b)| *a == b).count() as u64;
        let corrections = format!(
            "select count(*) from corrections where new_quantity = {}",
            5 * new
        );
        assert_eq!(
            cloud.ledger(&corrections),
            [(changed * accounts).to_string()]
        );

        let started = Instant::now();
        cloud.run(&force).exits(0);
        took = started.elapsed();
        assert_eq!(cloud.ledger(DAY_SUMS), sums(new));
        old = new;
    }
    assert!(interrupted > 0, "no kill came between two days");
}

#[test]
fn a_second_import_waits_and_then_says_who_is_at_it() {
    let cloud = Cloud::in_mariadb(NEWEST);
    furnish(&cloud, 2);
    let (gate, first) = blocked_import(&cloud, mariadb::shared());

    cloud.configure("GMT", "[import]\nlock_timeout = 1\n");
    let held = format!(
        "{}: in use by process {} ",
        cloud.ledger_name(),
        first.pid()
    );
    refuses(cloud.run(&RANGE), &[&held]);

    cloud.configure("GMT", "[import]\nlock_timeout = 60\n");
    let third = Background::start(&cloud, &RANGE);
    drop(gate);
    first.finish().exits(0);
    third.finish().exits(0);
    let days: Vec<String> = (1..=10).map(|day| whole(day, 2, 24)).collect();
    assert_eq!(cloud.ledger(DAY_SUMS), days);
}

#[test]
fn a_server_that_dies_ends_the_import_with_one_line() {
    let server = Server::start();
    let cloud = Cloud::on(&server, &server, NEWEST);
    furnish(&cloud, 2);
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    let (_gate, import) = blocked_import(&cloud, &server);
    server.signal("KILL");
    refuses(import.finish(), &["cloud_usage"]);
    assert_eq!(cloud.ledger(DAY_SUMS), [whole(2, 2, 24)]);
}

#[test]
fn a_server_that_freezes_ends_the_import_in_time() {
    let server = Server::start();
    let cloud = Cloud::on(&server, &server, NEWEST);
    furnish(&cloud, 2);
    cloud.configure("GMT", "[import]\nread_timeout = 1\nconnect_timeout = 1\n");
    server.signal("STOP");
    let started = Instant::now();
    refuses(cloud.run(&RANGE), &["cloud"]);
    assert!(started.elapsed() < Duration::from_secs(20));
    server.signal("CONT");
    cloud.run(&RANGE).exits(0);
    assert_eq!(cloud.ledger("select count(*) from days"), ["10"]);
}

#[test]
fn a_file_that_cannot_grow_ends_the_import_with_one_line() {
    let accounts = 200;
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    furnish(&cloud, accounts);
    // Blocks of 512 bytes; with the signal ignored a write beyond them fails as on a full disk.
    let limited = |blocks: u32| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, "limited", program()])
            .args(RANGE);
        Run::of(command.current_dir(cloud.sandbox.folder()).env_clear())
    };
    refuses(limited(200), &["usage.db"]);
    for (day, line) in (1..).zip(cloud.ledger(DAY_SUMS)) {
        assert_eq!(line, whole(day, accounts, 24));
    }
    assert_eq!(cloud.ledger_damage(), [""; 0]);
    cloud.run(&RANGE).exits(0);
    let days: Vec<String> = (1..=10).map(|day| whole(day, accounts, 24)).collect();
    assert_eq!(cloud.ledger(DAY_SUMS), days);
}

#[test]
fn a_ledger_that_may_not_be_written_is_reported_with_its_owner() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    furnish(&cloud, 2);
    let file = |name: &str| cloud.sandbox.path(name);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(file(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    // Permissions do not hold root back, so root runs it as somebody else, who must reach the program.
    cloud.sandbox.copied_program();
    let mut command = Command::new(file("program"));
    command
        .args(RANGE)
        .current_dir(cloud.sandbox.folder())
        .env_clear();
    let root = std::os::unix::fs::MetadataExt::uid(&file("usage.db").metadata().unwrap()) == 0;
    if root {
        command.uid(65534).gid(65534);
    }
    let before = std::fs::read(file("usage.db")).unwrap();
    let mut says = |words: &[&str]| {
        let run = Run::of(&mut command);
        mode("", 0o755);
        refuses(
            run,
            &[
                words,
                &[if root {
                    ", and this runs as nobody"
                } else {
                    ", and this runs as "
                }],
            ]
            .concat(),
        );
    };
    mode("usage.db.lock", 0o000);
    says(&[
        "usage.db.lock: permission denied: it belongs to ",
        ", has mode 0000",
    ]);
    mode("usage.db.lock", 0o666);
    mode("usage.db", 0o444);
    says(&[
        "ledger ./usage.db: permission denied: it belongs to ",
        ", has mode 0444",
    ]);
    std::fs::remove_file(file("usage.db.lock")).unwrap();
    mode("", 0o555);
    says(&[
        "usage.db.lock: permission denied: its folder ",
        ", has mode 0555",
    ]);
    assert!(before == std::fs::read(file("usage.db")).unwrap());
    let config = std::fs::read_to_string(file("cloudusage.cfg")).unwrap();
    std::fs::create_dir_all(file("shut/inner")).unwrap();
    mode("shut", 0o000);
    for ledger in ["shut/usage.db", "shut/inner/usage.db"] {
        let elsewhere = config.replace("sqlite:///usage.db", &format!("sqlite:///{ledger}"));
        cloud.sandbox.write("cloudusage.cfg", &elsewhere);
        says(&[
            ledger,
            "permission denied: its folder ",
            "shut belongs to ",
            ", has mode 0000",
        ]);
    }
    mode("shut", 0o755);
}

#[test]
fn a_ledger_in_no_folder_is_reported() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    for (uri, name) in [
        (
            "sqlite:///no/such/folder/usage.db",
            "no/such/folder/usage.db",
        ),
        ("sqlite:///.", "."),
    ] {
        let text = std::fs::read_to_string(cloud.sandbox.path("cloudusage.cfg")).unwrap();
        cloud
            .sandbox
            .write("cloudusage.cfg", &text.replace("sqlite:///usage.db", uri));
        refuses(cloud.run(&["initdb"]), &[name]);
        refuses(cloud.run(&RANGE), &[name]);
        cloud.configure("GMT", "");
    }
}
