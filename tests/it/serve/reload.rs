//! What SIGHUP makes of a configuration that has changed: each key takes effect, or is named as one that needs a restart.

use super::sandbox;
use crate::server::Server;

/// Every key, and for each a text that it does not have in the example.
const CHANGED: &str = "\
[main]
cloud_usage_uri = sqlite:///elsewhere/cloud_usage.db
cloud_uri = sqlite:///elsewhere/cloud.db
rbc_usage_uri = sqlite:///elsewhere/usage.db
timezone = Europe/Stockholm

[import]
connect_timeout = 11
read_timeout = 301
lock_timeout = 61
reread_days = 7
reread = update

[server]
bind = 127.0.0.1:8889
workers = 5
users = users
behind_proxy = yes
trusted_proxies = 192.0.2.1
max_age = 3
log_format = json
pages = no
metrics_bind = 127.0.0.1:8890
tls_certificate = server.pem
tls_private_key = key.pem
max_connections = 513
max_connections_per_address = 65
max_header_bytes = 16385
max_requests_per_connection = 1001
max_days = 3661
handshake_timeout = 11
header_timeout = 12
idle_timeout = 61
write_timeout = 31
drain_timeout = 9
";

const TAKEN: [(&str, &str); 4] = [
    ("main.timezone", "Europe/Stockholm"),
    ("server.max_age", "3"),
    ("server.log_format", "json"),
    ("server.max_days", "3661"),
];

const NEED_RESTART: &str = "main.rbc_usage_uri, server.bind, server.workers, server.tls_certificate, \
    server.tls_private_key, server.users, server.behind_proxy, server.trusted_proxies, server.pages, server.metrics_bind, \
    server.max_connections, server.max_connections_per_address, server.max_header_bytes, \
    server.max_requests_per_connection, server.handshake_timeout, server.header_timeout, server.idle_timeout, \
    server.write_timeout, server.drain_timeout";

/// The keys of a configuration, each with its section before it.
fn keys(config: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut section = "";
    for line in config.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once('=') {
            keys.push(format!("{section}.{}", key.trim_end()));
        }
    }
    keys
}

#[test]
fn every_key_of_the_example_takes_effect_or_is_named() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    sandbox.write("cloudusage.cfg", CHANGED);
    server.signal("HUP");
    server.says(&format!(
        "SIGHUP: {NEED_RESTART} changed, which takes a restart"
    ));
    for (key, text) in TAKEN {
        server.says(&format!("SIGHUP: {key} is {text} now"));
    }
    let named: Vec<&str> = NEED_RESTART.split(", ").collect();
    let example = keys(include_str!("../../../cloudusage.cfg.example"));
    assert!(example.len() > 25, "{example:?}");
    for key in &example {
        let is_taken = TAKEN.iter().any(|(taken, _)| taken == key);
        // No answer of the server depends on these, but for prices, which are read again every time.
        let is_for_commands = key.starts_with("import.")
            || key.starts_with("focus.")
            || key == "prices.file"
            || ["main.cloud_usage_uri", "main.cloud_uri"].contains(&key.as_str());
        let is_named = named.contains(&key.as_str());
        assert!(is_taken || is_named || is_for_commands, "{key}");
    }

    // What was taken over counts as read, and what was not still waits.
    server.signal("HUP");
    server.signal("TERM");
    let log = server.end().exits(0).stderr;
    assert_eq!(log.matches(NEED_RESTART).count(), 2, "{log}");
    for (key, _) in TAKEN {
        assert_eq!(log.matches(&format!("{key} is ")).count(), 1, "{log}");
    }
}

/// What the command line says goes before the file, so a change of the file changes nothing.
#[test]
fn keys_that_a_flag_decides_need_no_restart() {
    let sandbox = sandbox();
    let flags = ["serve", "--bind", "127.0.0.1:0", "--log-format", "off"];
    let server = Server::of(&mut sandbox.command(&flags));
    let changed = super::CONFIG.replace("127.0.0.1:0", "127.0.0.1:8888");
    let changed = changed.replace("log_format = off", "log_format = json");
    sandbox.write("cloudusage.cfg", &changed);
    server.signal("HUP");
    server.says("rbc-usage: SIGHUP: nothing to reload\n");
}
