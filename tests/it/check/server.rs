//! `rbc-usage check` on what the server needs: its address, certificate, users and scopes.

use super::{chmod, says};
use crate::cloudstack::{Cloud, NEWEST};

#[test]
fn the_servers_files_are_checked() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.configure(
        "GMT",
        "[server]\nbind = 0.0.0.0:8888\nusers = users\nmetrics_bind = 0.0.0.0:9108\ntrusted_proxies = ::1\n[scope.bob]\naccounts = a\n",
    );
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "users",
        "users ./users: No such file or directory",
    );
    says(
        &run,
        "error",
        "bind",
        "beyond loopback only with TLS and users",
    );
    says(
        &run,
        "error",
        "bind",
        "listen on 0.0.0.0:9108: server.metrics_bind asks for no password",
    );
    says(
        &run,
        "look",
        "bind",
        "server.trusted_proxies: nobody is trusted unless server.behind_proxy is yes",
    );
    cloud.sandbox.write("users", "");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "look",
        "users",
        "nobody may ask: rbc-usage passwd ./users USER",
    );
    says(
        &run,
        "look",
        "users",
        "everybody can read ./users: chmod o-rwx ./users",
    );
    cloud.sandbox.write("users", "jane:plain\n");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "users",
        "users ./users: line 1: not a bcrypt hash",
    );

    cloud.sandbox.write(
        "users",
        "jane:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n",
    );
    chmod(&cloud.sandbox.path("users"), 0o600);
    cloud.configure(
        "GMT",
        "[server]\nbind = 0.0.0.0:8888\nusers = users\ntls_certificate = server.pem\ntls_private_key = key.pem\n\
         [scope.bob]\naccounts = a\n",
    );
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "certificate",
        "server.tls_certificate: ./server.pem: No such file",
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = |days: i64, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        parameters.self_signed(&key).unwrap().pem()
    };
    cloud.sandbox.write("key.pem", &key.serialize_pem());
    chmod(&cloud.sandbox.path("key.pem"), 0o600);
    for (days, names, code, state, detail) in [
        (
            90,
            &["usage.example.com", "u.example.com"][..],
            1,
            "ok",
            "for usage.example.com, u.example.com, and its key",
        ),
        (90, &[], 1, "look", "is for no host name"),
        (
            5,
            &["usage.example.com"],
            1,
            "look",
            "renew it: certificate 1 expires on ",
        ),
        (
            -1,
            &["usage.example.com"],
            2,
            "error",
            "certificate 1 expired on ",
        ),
    ] {
        cloud.sandbox.write("server.pem", &certificate(days, names));
        let run = cloud.run(&["check"]).exits(code);
        says(&run, state, "certificate", detail);
        says(
            &run,
            "ok",
            "bind",
            "0.0.0.0:8888, encrypted, with passwords",
        );
        says(
            &run,
            "look",
            "scopes",
            "[scope.bob]: there is no such user: whoever it was meant for sees everything",
        );
    }
    // What real files come with: a mark at their beginning, addresses instead of names.
    let of_address = certificate(90, &["192.0.2.7", "2001:db8::7"]);
    cloud
        .sandbox
        .write("server.pem", &format!("\u{feff}{of_address}"));
    let run = cloud.run(&["check"]).exits(1);
    let names = "for 192.0.2.7, 2001:db8::7, and its key";
    says(&run, "ok", "certificate", names);
    // The certificate of an issuer that is not in the file, as cert.pem beside fullchain.pem has it.
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut issuer = rcgen::CertificateParams::new(vec![]).unwrap();
    issuer
        .distinguished_name
        .push(rcgen::DnType::CommonName, "an issuer");
    let issuer = rcgen::Issuer::new(issuer, issuer_key);
    let issued = rcgen::CertificateParams::new(vec!["usage.example.com".to_owned()]).unwrap();
    let issued = issued.signed_by(&key, &issuer).unwrap().pem();
    cloud.sandbox.write("server.pem", &issued);
    let run = cloud.run(&["check"]).exits(1);
    let missing = "its issuer's certificate is missing: clients that do not have it fail";
    says(&run, "look", "certificate", missing);
    let whole = certificate(90, &["usage.example.com"]);
    let end = "-----END CERTIFICATE-----";
    cloud.sandbox.write("server.pem", &whole.replace(end, ""));
    let run = cloud.run(&["check"]).exits(2);
    let broken = "./server.pem: not PEM: the line \"-----END CERTIFICATE-----\" is missing";
    says(&run, "error", "certificate", broken);
    let mut backwards = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    backwards.not_before = rcgen::date_time_ymd(2040, 1, 1);
    backwards.not_after = rcgen::date_time_ymd(2039, 1, 1);
    let backwards = backwards.self_signed(&key).unwrap().pem();
    cloud.sandbox.write("server.pem", &backwards);
    let run = cloud.run(&["check"]).exits(2);
    let wrong = "certificate 1 ends before it begins";
    says(&run, "error", "certificate", wrong);
    let other = rcgen::KeyPair::generate().unwrap();
    cloud
        .sandbox
        .write("server.pem", &certificate(90, &["usage.example.com"]));
    cloud.sandbox.write("key.pem", &other.serialize_pem());
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "certificate",
        "./key.pem is not the key of the certificate ./server.pem",
    );
}

/// 192.0.2.1 is set aside for examples.
#[test]
fn an_address_of_another_machine_is_an_error() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.configure(
        "GMT",
        "[server]\nbind = 192.0.2.1:8888\nmetrics_bind = 192.0.2.1:9108\nbehind_proxy = yes\n",
    );
    let run = cloud.run(&["check"]).exits(2);
    for port in [8888, 9108] {
        let wrong = format!("listen on 192.0.2.1:{port}: Cannot assign requested address");
        says(&run, "error", "bind", &wrong);
    }
}

#[test]
fn a_scope_that_lists_what_is_not_there_needs_a_look() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.set_timezone("GMT");
    cloud.run(&["initdb"]).exits(0);
    cloud.edit_ledger(
        "insert into stored_accounts (id, uuid, name, domain_path, project_uuid) values
           (1, 'a-1', 'x', '/retail/north/', null), (2, 'a-2', 'y', '/', 'p-2');
         insert into stored_domains (id, uuid, path, lineage) values (1, 'd-1', '/retail/north/', '');
         insert into account_states (account_id, since_day, name, domain_id) values (1, '1970-01-01', 'x', 1)",
    );
    let jane = "jane:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n";
    cloud.sandbox.write("users", jane);
    chmod(&cloud.sandbox.path("users"), 0o600);
    let scope = |lists: &str| {
        let more = format!("[server]\nusers = users\n[scope.jane]\n{lists}\n");
        cloud.configure("GMT", &more);
        cloud.run(&["check"])
    };
    scope("accounts = a-1 a-2\ndomains = /retail\nprojects = p-2").exits(0);
    let run = scope("accounts = a-1 a-3 p-2\ndomains = /retail/n\nprojects = a-2").exits(1);
    let wrong = "[scope.jane]: the ledger has no account of a-3, p-2, /retail/n/, a-2";
    says(&run, "look", "scopes", wrong);
}
