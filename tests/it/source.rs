//! Reading from a real server: who may log in and how, what the least privileges are, and what is said
//! when something is missing. No run may show a password.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::cloudstack::{Cloud, NEWEST, PASSWORD, UsageRow, percent_encode};
use crate::import::refuses;
use crate::mariadb::{self, Server, free_port};
use crate::sandbox::Run;

mod columns;

const HOURS: &str = "select day, account_name, resource_name, quantity
                     from daily_usage where metric = 'vm_running' order by 1, 2, 3";

/// One finished day with one running VM, and an empty ledger.
fn furnished(cloud: Cloud) -> Cloud {
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "CentOS 6");
    cloud.guest_os(2, "Debian 7");
    cloud.template(1, 2);
    cloud.vm(11, 1);
    cloud.add_usage(&[UsageRow::of_vm("2013-06-01", 1, 2, 11, 5)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud
}

fn cloud() -> Cloud {
    furnished(Cloud::in_mariadb(NEWEST))
}

/// Imports the day and insists that no spelling of the password appears.
#[track_caller]
fn import(cloud: &Cloud) -> Run {
    let mut command = cloud.sandbox.command(&["import", "-s", "2013-06-01"]);
    let run = Run::of(command.env("RUST_BACKTRACE", "1"));
    for secret in [PASSWORD, &percent_encode(PASSWORD), "s3cret"] {
        assert!(
            !format!("{}{}", run.stdout, run.stderr).contains(secret),
            "{run}"
        );
    }
    run
}

#[track_caller]
fn imports(cloud: &Cloud) {
    import(cloud).exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-01 | alice | small | 24"]);
}

/// Runs the import with one of the two addresses changed, then with the other.
fn with_each_address(change: impl Fn(&str) -> String, check: impl Fn(Run, &str)) {
    let mut cloud = cloud();
    let (main, usage) = (cloud.main_uri.clone(), cloud.usage_uri.clone());
    cloud.main_uri = change(&main);
    cloud.configure("GMT", "");
    check(import(&cloud), "cloud");
    cloud.main_uri = main;
    cloud.usage_uri = change(&usage);
    cloud.configure("GMT", "");
    check(import(&cloud), "cloud_usage");
    assert_eq!(cloud.ledger("select count(*) from days"), ["0"]);
}

#[test]
fn a_wrong_password_is_reported_without_it() {
    let wrong = |uri: &str| {
        let (user, host) = (uri.find("rbc_").unwrap(), uri.find('@').unwrap());
        let name = uri[user..].split(':').next().unwrap();
        format!("mysql://{name}:s3cret{}", &uri[host..])
    };
    with_each_address(wrong, |run, database| {
        refuses(run, &[database, "Access denied"]);
    });
}

#[test]
fn a_closed_port_is_reported() {
    let port = free_port();
    let closed = |uri: &str| {
        let (before, after) = uri.rsplit_once(':').unwrap();
        format!("{before}:{port}{}", &after[after.find('/').unwrap()..])
    };
    with_each_address(closed, |run, database| {
        refuses(run, &[database, &port.to_string(), "refused"]);
    });
}

#[test]
fn a_missing_database_is_reported() {
    with_each_address(
        |uri| format!("{uri}_gone"),
        |run, database| refuses(run, &[database, "_gone"]),
    );
}

#[test]
fn a_missing_table_is_reported() {
    let cloud = cloud();
    cloud.usage("rename table cloud_usage to elsewhere");
    refuses(import(&cloud), &["cloud_usage"]);
    cloud.usage("rename table elsewhere to cloud_usage");
    cloud.main("rename table account to elsewhere");
    refuses(import(&cloud), &["cloud", "account"]);
}

/// Listens and has each connection served on a thread of its own; the port.
fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// What a real server says first: a head of four bytes that begins with the length of the rest.
fn greeting() -> Vec<u8> {
    let mut server = TcpStream::connect(("127.0.0.1", mariadb::shared().port)).unwrap();
    let mut greeting = vec![0; 4];
    server.read_exact(&mut greeting).unwrap();
    greeting.resize(4 + usize::from(greeting[0]), 0);
    server.read_exact(&mut greeting[4..]).unwrap();
    greeting
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let greeting = greeting();
    let saying = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        listen(move |mut stream| {
            stream.write_all(&bytes).unwrap();
            // Takes what comes until the other side has had enough.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        })
    };
    let whole = greeting.clone();
    let slow = listen(move |mut stream| {
        // Each byte comes well within a second, all of them do not.
        for byte in &whole {
            std::thread::sleep(Duration::from_millis(300));
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    let ports = [
        saying(&[]),
        saying(&greeting[..greeting.len() / 2]),
        saying(&greeting),
        slow,
    ];
    for database in ["cloud", "cloud_usage"] {
        let mut cloud = cloud();
        for port in ports {
            let uri = format!("mysql://user:s3cret@127.0.0.1:{port}/{database}");
            match database {
                "cloud" => cloud.main_uri = uri,
                _ => cloud.usage_uri = uri,
            }
            cloud.configure("GMT", "[import]\nconnect_timeout = 1\n");
            let started = Instant::now();
            let said = format!("{database}: 127.0.0.1:{port}: no answer within 1 second");
            refuses(import(&cloud), &[&said]);
            assert!(started.elapsed() < Duration::from_secs(20));
        }
    }
}

#[test]
fn a_query_that_never_ends_is_given_up() {
    let cloud = cloud();
    cloud.configure("GMT", "[import]\nread_timeout = 1\n");
    cloud.usage("lock tables cloud_usage write");
    let started = Instant::now();
    refuses(import(&cloud), &["cloud_usage", "within 1 second"]);
    assert!(started.elapsed() < Duration::from_secs(20));
    cloud.usage("unlock tables");
    imports(&cloud);
}

/// The server cuts every answer short that has no limit of its own, and says nothing of it.
#[test]
fn a_limit_of_the_server_on_answers_loses_no_rows() {
    let server = Server::start();
    let cloud = furnished(Cloud::on(&server, &server, NEWEST));
    let rows: Vec<UsageRow> = (12..22)
        .map(|vm| UsageRow::of_vm("2013-06-01", 1, 2, vm, 5))
        .collect();
    cloud.add_usage(&rows);
    let limit = "set global sql_select_limit = 3";
    server.connect().query_drop(limit).unwrap();
    let run = import(&cloud).exits(0);
    assert!(run.stdout.contains(" rows=11 "), "{run}");
    let expected = "2013-06-01 | alice | small | 264";
    assert_eq!(cloud.ledger(HOURS), [expected]);
}

/// What the server does to the session of everybody who is no administrator; the program's user is none.
#[test]
fn what_a_server_does_to_every_session_spoils_no_name_and_no_answer() {
    let server = Server::start();
    let cloud = furnished(Cloud::on(&server, &server, NEWEST));
    cloud.account(4, "size-uuid", "Größe 企业");
    cloud.add_usage(&[UsageRow::of_vm("2013-06-01", 1, 4, 12, 5)]);
    for setting in [
        "set global init_connect = 'set names latin1'",
        "set global max_join_size = 1",
    ] {
        server.connect().query_drop(setting).unwrap();
    }
    import(&cloud).exits(0);
    assert_eq!(
        cloud.ledger(HOURS),
        [
            "2013-06-01 | Größe 企业 | small | 24",
            "2013-06-01 | alice | small | 24"
        ]
    );
    cloud.run(&["verify", "2013-06-01"]).exits(0);
    cloud.run(&["explain", "Größe 企业", "2013-06-01"]).exits(0);
}

#[test]
fn old_spellings_of_the_address_work() {
    let mut cloud = cloud();
    for (scheme, end) in [
        ("mysql+mysqldb://", "?charset=utf8"),
        ("mysql+pymysql://", "?charset=utf8mb4&use_unicode=1"),
    ] {
        cloud.main_uri = cloud.main_uri.replace("mysql://", scheme) + end;
        cloud.configure("GMT", "");
        imports(&cloud);
        cloud.main_uri = cloud.main_uri.replace(scheme, "mysql://").replace(end, "");
    }
}

#[test]
fn a_unix_socket_is_used_when_named() {
    let mut cloud = cloud();
    let socket = mariadb::shared().path("socket");
    // The port is closed: only the socket leads to the server.
    let address = format!("127.0.0.1:{}", mariadb::shared().port);
    for uri in [&mut cloud.main_uri, &mut cloud.usage_uri] {
        *uri = uri.replace(&address, &format!("127.0.0.1:{}", free_port()));
        *uri += &format!("?unix_socket={}", socket.display());
    }
    cloud.configure("GMT", "");
    imports(&cloud);
}

#[test]
fn tls_is_used_when_asked_for_and_checks_the_certificate() {
    let mut cloud = cloud();
    let user = cloud.user.clone();
    cloud.main(&format!("alter user {user}@'%' require ssl"));
    refuses(import(&cloud), &["cloud", "Access denied"]);

    let authority = mariadb::shared().path("ca.pem");
    let (main, usage) = (cloud.main_uri.clone(), cloud.usage_uri.clone());
    let mut with = |options: &str| {
        cloud.main_uri = format!("{main}?{options}");
        cloud.usage_uri = format!("{usage}?{options}");
        cloud.configure("GMT", "");
        import(&cloud)
    };
    with("ssl=skip-verify").exits(0);
    // The system's authorities do not know ours.
    refuses(
        with("ssl=true"),
        &[
            "cloud",
            "TLS: the server's certificate is signed by no public authority: name its own one by ssl_ca=FILE",
        ],
    );
    // Read with the configuration, before anybody is asked.
    let run = with("ssl_ca=/no/such/file.pem").exits(2);
    assert!(
        run.stderr
            .contains("cloud_uri: ssl_ca /no/such/file.pem: No such file"),
        "{run}"
    );
    let text = mariadb::shared().path("log");
    let run = with(&format!("ssl_ca={}", text.display())).exits(2);
    let said = format!(
        "cloud_uri: ssl_ca {}: holds no certificate in PEM",
        text.display()
    );
    assert!(run.stderr.contains(&said), "{run}");
    with(&format!("ssl_ca={}", authority.display())).exits(0);

    let names = ["localhost".to_owned()];
    let other = rcgen::generate_simple_self_signed(names)
        .unwrap()
        .cert
        .pem();
    cloud.sandbox.write("other.pem", &other);
    let file = cloud.sandbox.path("other.pem");
    let options = format!("ssl_ca={}", file.display());
    cloud.main_uri = format!("{main}?{options}");
    cloud.usage_uri = format!("{usage}?{options}");
    cloud.configure("GMT", "");
    let said = format!(
        "TLS: the server's certificate is signed by no authority of ssl_ca {} and by no public one",
        file.display()
    );
    refuses(import(&cloud), &["cloud", &said]);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-01 | alice | small | 24"]);
}

#[test]
fn an_ed25519_account_can_log_in() {
    let cloud = cloud();
    cloud.main("install soname 'auth_ed25519'");
    let password = PASSWORD.replace('\'', "''");
    cloud.main(&format!(
        "alter user {}@'%' identified via ed25519 using password('{password}')",
        cloud.user
    ));
    imports(&cloud);
}

#[test]
fn the_two_databases_may_be_on_two_servers() {
    let other = Server::start();
    imports(&furnished(Cloud::on(mariadb::shared(), &other, NEWEST)));
}

#[test]
fn without_usage_job_the_import_goes_on_and_says_what_is_lost() {
    let cloud = cloud();
    cloud.usage(&format!(
        "revoke select on usage_job from {}@'%'",
        cloud.user
    ));
    let run = import(&cloud).exits(0);
    assert!(run.stderr.contains("usage_job"), "{run}");
    assert_eq!(cloud.ledger(HOURS), ["2013-06-01 | alice | small | 24"]);
    // Some row reaches the last second of the day.
    assert_eq!(
        cloud.ledger("select day, state from days"),
        ["2013-06-01 | closed"]
    );
}

#[test]
fn without_vm_instance_the_os_is_that_of_the_template() {
    let cloud = cloud();
    cloud.main(&format!(
        "revoke select (id, uuid, name, guest_os_id, removed) on vm_instance from {}@'%'",
        cloud.user
    ));
    let run = import(&cloud).exits(0);
    assert!(run.stderr.contains("vm_instance"), "{run}");
    assert_eq!(
        cloud.ledger("select resource_name, quantity from daily_usage where metric = 'os_usage'"),
        ["Debian 7 | 24"]
    );
}

#[test]
fn without_a_table_that_gives_names_there_are_stand_ins() {
    let cloud = cloud();
    cloud.main(&format!(
        "revoke select on service_offering from {}@'%'",
        cloud.user
    ));
    let run = import(&cloud);
    assert!(run.stderr.contains("service_offering"), "{run}");
    run.exits(0);
    assert_eq!(
        cloud.ledger("select resource_uuid, quantity from daily_usage where metric = 'vm_running'"),
        ["service_offering:5 | 24"]
    );
}

/// 2^63 - 1 is the largest whole number of SQLite.
#[test]
fn an_id_that_no_ledger_can_hold_spoils_its_day_and_no_other() {
    let cloud = cloud();
    cloud.add_usage(&[UsageRow::of_vm("2013-06-02", 1, 2, 11, 5)]);
    cloud.finished_until("2013-06-02 23:59:59");
    for column in ["account_id", "offering_id", "usage_id"] {
        let set = |id: &str| {
            let of = format!("update cloud_usage set {column} = {id} where id = 2");
            cloud.usage(&of);
        };
        set("9223372036854775808");
        let run = cloud.run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"]);
        let run = run.exits(1);
        let refused = format!(
            "2013-06-02 refused: cloud_usage row 2: column {column}: 9223372036854775808 is too large for an id\n"
        );
        assert!(run.stdout.contains(&refused), "{run}");
        assert_eq!(cloud.ledger(HOURS), ["2013-06-01 | alice | small | 24"]);
        set("5");
    }
    cloud.usage("update cloud_usage set account_id = 9223372036854775807 where id = 2");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    assert_eq!(
        cloud.ledger(HOURS),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | account:9223372036854775807 | small | 24"
        ]
    );
}
