//! A file and an environment, and what they come to: values, defaults, one report of all that is wrong.

use std::time::Duration;

use super::keys::KEYS;
use super::*;
use crate::metric::GIB;
use crate::unusual::{UnusualRule, UsageFloors};

pub const WHOLE: &str = "[main]\n\
    cloud_usage_uri = mysql://cloud:s3cr#t@db/cloud_usage?charset=utf8\n\
    cloud_uri = mysql+mysqldb://cloud:s3cr#t@db/cloud\n\
    rbc_usage_uri = sqlite:///usage.db\n";

/// Reads a text as if it were `/etc/x.cfg`.
pub fn config(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.to_string(), OsString::from(value)))
        .collect();
    Config::parse(Path::new("/etc/x.cfg"), text, &variables).map_err(|err| format!("{err:#}"))
}

#[test]
fn keys_that_are_not_given_have_defaults() {
    let config = config(WHOLE, &[]).unwrap();
    assert_eq!(config.cloud_usage.to_string(), "cloud@db:3306/cloud_usage");
    assert_eq!(config.cloud.to_string(), "cloud@db:3306/cloud");
    assert_eq!(config.ledger, Path::new("/etc/usage.db").into());
    assert_eq!(config.secret_file.as_deref(), Some(Path::new("/etc/x.cfg")));
    assert_eq!((config.zone.name(), config.zone_is_written), ("GMT", false));
    let import = Import {
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(300),
        lock_timeout: Duration::from_secs(60),
        reread_days: RereadDays::Auto,
        reread: Reread::Report,
        unusual: Some(UnusualRule {
            factor: 8.0,
            floors: UsageFloors {
                hours: 100.0,
                byte_hours: 5000.0 * GIB,
                bytes: 50.0 * GIB,
                requests: 1e7,
            },
        }),
        lines: true,
        on_done: None,
    };
    assert_eq!(config.import, import);
    assert!(!format!("{config:?}").contains("s3cr"));
}

#[test]
fn the_environment_replaces_every_key() {
    let replaced = config(
        "[main]\ntimezone = nonsense\n",
        &[
            (
                "RBC_USAGE_MAIN__CLOUD_USAGE_URI",
                "sqlite:///cloud_usage.db",
            ),
            ("RBC_USAGE_MAIN__CLOUD_URI", "mysql://u:a=b;c#d@h/cloud"),
            ("RBC_USAGE_MAIN__RBC_USAGE_URI", "sqlite:////a/usage.db"),
            ("RBC_USAGE_MAIN__TIMEZONE", "Europe/Stockholm"),
            ("RBC_USAGE_IMPORT__CONNECT_TIMEOUT", "1"),
            ("RBC_USAGE_IMPORT__READ_TIMEOUT", "2"),
            ("RBC_USAGE_IMPORT__LOCK_TIMEOUT", "0"),
            ("RBC_USAGE_IMPORT__REREAD_DAYS", "0"),
            ("RBC_USAGE_IMPORT__REREAD", "update"),
            ("RBC_USAGE_IMPORT__ON_DONE", "jq . >>/var/log/x"),
            ("RBC_USAGE_IMPORT__ON_DONE_TIMEOUT", "5"),
            ("RBC_USAGE_SERVER__BIND", "localhost:0"),
            ("RBC_USAGE_SERVER__WORKERS", "64"),
            ("RBC_USAGE_SERVER__USERS", "users"),
            ("RBC_USAGE_SERVER__BEHIND_PROXY", "yes"),
            ("RBC_USAGE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
            ("RBC_USAGE_SERVER__MAX_AGE", "7"),
            ("RBC_USAGE_SERVER__LOG_FORMAT", "json"),
            ("RBC_USAGE_SERVER__METRICS_BIND", "[::1]:9000"),
            ("RBC_USAGE_CONFIG", "ignored"),
            ("RBC_USAGE_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(replaced.cloud_usage.to_string(), "/etc/cloud_usage.db");
    assert_eq!(replaced.cloud.to_string(), "u@h:3306/cloud");
    assert_eq!(
        (replaced.zone.name(), replaced.zone_is_written),
        ("Europe/Stockholm", true)
    );
    assert_eq!(replaced.import.lock_timeout, Duration::ZERO);
    assert_eq!(replaced.import.reread_days, RereadDays::Newest(0));
    assert_eq!(replaced.import.reread, Reread::Update);
    let on_done = OnDone {
        command: "jq . >>/var/log/x".to_owned(),
        timeout: Duration::from_secs(5),
    };
    assert_eq!(replaced.import.on_done, Some(on_done));
    assert_eq!(replaced.server.bind.to_string(), "127.0.0.1:0");
    assert_eq!(replaced.server.workers, 64);
    assert_eq!(replaced.server.users, Some(PathBuf::from("/etc/users")));
    assert_eq!(replaced.server.max_age_days, Some(7));
}

#[test]
fn all_problems_come_in_one_report() {
    let text = "[main]\ncloud_url = mysql://u:s3cret@h/cloud\n\
        rbc_usage_uri = postgresql://u:s3cret@h/rbc_usage\ntimezone = GMT # winter\n\
        [Server]\n[server]\nbind = :8888\nworkers = 0\n";
    let variables = [
        ("RBC_USAGE_IMPORT__READ_TIMEOUT", "5m"),
        ("RBC_USAGE_IMPORT__REREAD_DAYS", "months"),
        ("RBC_USAGE_IMPORT__REREAD", "yes"),
        ("RBC_USAGE_IMPORT__UNUSUAL_FACTOR", "0.5"),
        (
            "RBC_USAGE_IMPORT__UNUSUAL_FLOOR",
            "5 hours, 5 GiB, 5 requests",
        ),
        ("RBC_USAGE_MAIN_TIMEZONE", "GMT"),
        ("RBC_USAGE_SERVER__PORT", "80"),
    ];
    let expected = "\
RBC_USAGE_MAIN_TIMEZONE: unknown variable; write RBC_USAGE_MAIN__TIMEZONE
RBC_USAGE_SERVER__PORT: unknown variable; its key would be server.port, which does not exist
/etc/x.cfg: [Server]: unknown section; there are [main], [import], [prices], [focus], [server] and [scope.USER]
/etc/x.cfg: main.cloud_url: unknown key; [main] has cloud_usage_uri, cloud_uri, rbc_usage_uri, timezone
/etc/x.cfg: main.cloud_usage_uri: missing
/etc/x.cfg: main.cloud_uri: missing
/etc/x.cfg: main.rbc_usage_uri: not a ledger: write sqlite:////var/lib/rbc-usage/usage.db or mysql://user:password@host1,host2/rbc_usage
/etc/x.cfg: main.timezone: \"GMT # winter\" is not a known time zone, and CloudStack reads an unknown one as GMT: \
write GMT if CloudStack is set to this name, else a name such as Europe/Stockholm or GMT+2 here and there; \
a comment takes a line of its own
RBC_USAGE_IMPORT__READ_TIMEOUT: \"5m\" is not a whole number of seconds from 1 to 86400
RBC_USAGE_IMPORT__REREAD_DAYS: \"months\" is not a whole number of days from 0 to 3660, nor auto
RBC_USAGE_IMPORT__REREAD: \"yes\" is neither report nor update
RBC_USAGE_IMPORT__UNUSUAL_FACTOR: \"0.5\" is not a number from 1 to 1000
RBC_USAGE_IMPORT__UNUSUAL_FLOOR: \"5 hours, 5 GiB, 5 requests\" lacks GiB-hours
/etc/x.cfg: server.bind: not an IP address and a port: write 127.0.0.1:8888 or [::1]:8888
/etc/x.cfg: server.workers: \"0\" is not a whole number of threads from 1 to 64";
    assert_eq!(config(text, &variables).unwrap_err(), expected);
}

#[test]
fn a_syntax_error_names_file_and_line() {
    assert_eq!(
        config("[main]\nmysql//s3cret\n", &[]).unwrap_err(),
        "/etc/x.cfg: line 2: not key = value"
    );
}

#[test]
fn the_example_shows_every_key_once_with_its_default() {
    let text = include_str!("../../cloudusage.cfg.example");
    let example = layers(text, &config::Map::new()).unwrap();
    for (key, default) in KEYS {
        let shown = example.get_string(key).unwrap();
        assert_eq!(default.unwrap_or(&shown), shown, "{key}");
        let (_, name) = key.split_once('.').unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name} =")));
        assert_eq!(lines.count(), 1, "{key}");
    }
    config(text, &[]).unwrap();
}
