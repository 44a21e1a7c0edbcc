//! Typed configuration from `cloudusage.cfg` and the environment: every key with its default and its
//! check, and one report of all that is wrong. The crate `config` lays the environment over the file over
//! the defaults. Finding the file is left to `file`, its syntax to `ini`, database URIs to `uri`, the server's
//! keys to `server`.

mod environment;
mod file;
mod ini;
mod limits;
mod network;
mod server;
mod uri;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::zone::Zone;
use environment::Variables;
pub use limits::Limits;
pub use server::{LogFormat, Server, TlsFiles, parse_bind, parse_log_format};
pub use uri::{MysqlUri, SourceUri, Tls};

/// Everything `cloudusage.cfg` says, checked.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from, if a database's password is in it and not in the environment.
    pub secret_file: Option<PathBuf>,
    /// CloudStack's usage database.
    pub cloud_usage: SourceUri,
    /// CloudStack's main database.
    pub cloud: SourceUri,
    /// The ledger's file, absolute or relative to the working directory.
    pub ledger: PathBuf,
    /// GMT where `main.timezone` is not written, until whoever knows better puts another in its place.
    pub zone: Zone,
    pub zone_is_written: bool,
    pub import: Import,
    pub server: Server,
}

/// `[import]`
#[derive(Debug, PartialEq)]
pub struct Import {
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
    /// How long an import waits for another one to finish.
    pub lock_timeout: Duration,
    /// Closed days whose source is looked at again by every import.
    pub reread_days: RereadDays,
    pub reread: Reread,
}

/// How far back an import looks at closed days again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RereadDays {
    /// To the first day of the month before last: no month changes unseen while it is invoiced.
    Auto,
    /// So many days, counted back from the newest closed one.
    Newest(u16),
}

/// What an import does about a closed day whose source has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reread {
    Report,
    Update,
}

/// The keys of `[main]` and `[import]`, with their defaults; a key without one must be given.
const KEYS: [(&str, Option<&str>); 9] = [
    ("main.cloud_usage_uri", None),
    ("main.cloud_uri", None),
    ("main.rbc_usage_uri", None),
    ("main.timezone", Some("")),
    ("import.connect_timeout", Some("10")),
    ("import.read_timeout", Some("300")),
    ("import.lock_timeout", Some("60")),
    ("import.reread_days", Some("auto")),
    ("import.reread", Some("report")),
];

/// Every key there is but those of scopes, with its default.
fn keys() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    KEYS.into_iter().chain(server::KEYS).chain(limits::KEYS)
}

impl Config {
    /// Reads the file that is named by `explicit`, else by `RBC_USAGE_CONFIG`, else found; variables
    /// such as `RBC_USAGE_MAIN__CLOUD_URI` replace its keys. An error holds all that is wrong, one
    /// problem a line, and no password.
    pub fn load(
        explicit: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Config> {
        let variables = environment::ours(environment);
        let named = variables.get("RBC_USAGE_CONFIG").map(Path::new);
        let (path, text) = file::read(explicit.or(named))?;
        Config::parse(&path, &text, &variables)
    }

    fn parse(path: &Path, text: &str, variables: &Variables) -> anyhow::Result<Config> {
        let mut problems = Vec::new();
        let overrides = environment::overrides(variables, &mut problems);
        let layers = layers(text, &overrides)
            .map_err(|err| anyhow!("{err}"))
            .with_context(|| path.display().to_string())?;
        let mut values = Values {
            path,
            layers,
            overrides,
            problems,
        };
        values.report_unknown_keys()?;
        match values.typed() {
            Some(config) if values.problems.is_empty() => Ok(config),
            Some(_) | None => bail!(values.problems.join("\n")),
        }
    }
}

/// Lays the environment over the file over the defaults.
fn layers(
    text: &str,
    overrides: &config::Map<String, String>,
) -> Result<config::Config, config::ConfigError> {
    let mut builder = config::Config::builder();
    for (key, default) in keys() {
        if let Some(default) = default {
            builder = builder.set_default(key, default)?;
        }
    }
    builder
        .add_source(config::File::from_str(text, ini::Ini))
        .add_source(
            config::Environment::with_prefix("RBC_USAGE")
                .prefix_separator("_")
                .separator("__")
                .source(Some(overrides.clone())),
        )
        .build()
}

/// The layered values and what was found wrong with them.
struct Values<'a> {
    path: &'a Path,
    layers: config::Config,
    overrides: config::Map<String, String>,
    problems: Vec<String>,
}

impl Values<'_> {
    fn typed(&mut self) -> Option<Config> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let source = |text: &str| uri::parse_source(text, folder);
        let cloud_usage = self.read("main.cloud_usage_uri", source);
        let cloud = self.read("main.cloud_uri", source);
        let ledger = self.read("main.rbc_usage_uri", |text| uri::parse_ledger(text, folder));
        let zone = self.read("main.timezone", parse_zone);
        let connect_timeout = self.read("import.connect_timeout", |text| seconds(text, 1, 300));
        let read_timeout = self.read("import.read_timeout", |text| seconds(text, 1, 86_400));
        let lock_timeout = self.read("import.lock_timeout", |text| seconds(text, 0, 86_400));
        let reread_days = self.read("import.reread_days", parse_reread_days);
        let reread = self.read("import.reread", parse_reread);
        let server = server::read(self, folder);
        let holds_password = |key: &str, uri: &Option<SourceUri>| {
            let from_file = !self.overrides.contains_key(&environment::variable_of(key));
            let has_password =
                matches!(uri, Some(SourceUri::Mysql(uri)) if !uri.password.0.is_empty());
            from_file && has_password
        };
        let is_secret = holds_password("main.cloud_usage_uri", &cloud_usage)
            || holds_password("main.cloud_uri", &cloud);
        Some(Config {
            secret_file: is_secret.then(|| self.path.to_owned()),
            cloud_usage: cloud_usage?,
            cloud: cloud?,
            ledger: ledger?,
            zone_is_written: zone.as_ref()?.is_some(),
            zone: match zone? {
                Some(zone) => zone,
                None => Zone::parse("GMT").ok()?,
            },
            import: Import {
                connect_timeout: connect_timeout?,
                read_timeout: read_timeout?,
                lock_timeout: lock_timeout?,
                reread_days: reread_days?,
                reread: reread?,
            },
            server: server?,
        })
    }

    /// Reads one key, or notes what is wrong with it.
    fn read<T>(&mut self, key: &str, parse: impl Fn(&str) -> anyhow::Result<T>) -> Option<T> {
        let Ok(text) = self.layers.get_string(key) else {
            self.complain(key, "missing");
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(err) => {
                let comment = [" #", " ;", "\t#", "\t;"].iter().any(|c| text.contains(c));
                let hint = if comment {
                    "; a comment takes a line of its own"
                } else {
                    ""
                };
                self.complain(key, &format!("{err:#}{hint}"));
                None
            }
        }
    }

    /// Names the variable if the key came from there, else the file and the key.
    fn complain(&mut self, key: &str, wrong: &str) {
        let variable = environment::variable_of(key);
        self.problems
            .push(if self.overrides.contains_key(&variable) {
                format!("{variable}: {wrong}")
            } else {
                format!("{}: {key}: {wrong}", self.path.display())
            });
    }

    fn report_unknown_keys(&mut self) -> anyhow::Result<()> {
        use config::Source;
        let sections: BTreeMap<_, _> = self.layers.collect()?.into_iter().collect();
        // Scopes are read, and complained of, user by user.
        for (section, given) in sections.into_iter().filter(|(name, _)| name != "scope") {
            let prefix = format!("{section}.");
            let known: Vec<&str> = keys()
                .filter_map(|(key, _)| key.strip_prefix(&prefix))
                .collect();
            if known.is_empty() {
                self.complain(
                    &format!("[{section}]"),
                    "unknown section; there are [main], [import], [server] and [scope.USER]",
                );
                continue;
            }
            let given: BTreeMap<_, _> = given.into_table()?.into_iter().collect();
            for key in given.keys().filter(|key| !known.contains(&key.as_str())) {
                let known = known.join(", ");
                self.complain(
                    &format!("{prefix}{key}"),
                    &format!("unknown key; [{section}] has {known}"),
                );
            }
        }
        Ok(())
    }
}

/// `None`: it is not written.
fn parse_zone(text: &str) -> anyhow::Result<Option<Zone>> {
    match text {
        "" => Ok(None),
        name => Zone::parse(name).map(Some),
    }
}

fn parse_reread_days(text: &str) -> anyhow::Result<RereadDays> {
    if text == "auto" {
        return Ok(RereadDays::Auto);
    }
    let days = whole(text, 0, 3660, "days").map_err(|err| anyhow!("{err}, nor auto"))?;
    Ok(RereadDays::Newest(u16::try_from(days)?))
}

fn parse_reread(text: &str) -> anyhow::Result<Reread> {
    match text {
        "report" => Ok(Reread::Report),
        "update" => Ok(Reread::Update),
        _ => bail!("{text:?} is neither report nor update"),
    }
}

fn seconds(text: &str, lowest: u64, highest: u64) -> anyhow::Result<Duration> {
    whole(text, lowest, highest, "seconds").map(Duration::from_secs)
}

fn whole(text: &str, lowest: u64, highest: u64, what: &str) -> anyhow::Result<u64> {
    let number = text.parse().ok();
    number
        .filter(|number| (lowest..=highest).contains(number))
        .with_context(|| {
            format!("{text:?} is not a whole number of {what} from {lowest} to {highest}")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(config.ledger, Path::new("/etc/usage.db"));
        assert_eq!(config.secret_file.as_deref(), Some(Path::new("/etc/x.cfg")));
        assert_eq!((config.zone.name(), config.zone_is_written), ("GMT", false));
        let import = Import {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(60),
            reread_days: RereadDays::Auto,
            reread: Reread::Report,
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
        assert_eq!(replaced.server.bind.to_string(), "127.0.0.1:0");
        assert_eq!(replaced.server.workers, 64);
        assert_eq!(replaced.server.users, Some(PathBuf::from("/etc/users")));
        assert_eq!(replaced.server.max_age_days, 7);
    }

    #[test]
    fn all_problems_come_in_one_report() {
        let text = "[main]\ncloud_url = mysql://u:s3cret@h/cloud\n\
            rbc_usage_uri = mysql://u:s3cret@h/rbc_usage\ntimezone = GMT # winter\n\
            [Server]\n[server]\nbind = :8888\nworkers = 0\n";
        let variables = [
            ("RBC_USAGE_IMPORT__READ_TIMEOUT", "5m"),
            ("RBC_USAGE_IMPORT__REREAD_DAYS", "months"),
            ("RBC_USAGE_IMPORT__REREAD", "yes"),
            ("RBC_USAGE_MAIN_TIMEZONE", "GMT"),
            ("RBC_USAGE_SERVER__PORT", "80"),
        ];
        let expected = "\
RBC_USAGE_MAIN_TIMEZONE: unknown variable; write RBC_USAGE_MAIN__TIMEZONE
RBC_USAGE_SERVER__PORT: unknown variable; its key would be server.port, which does not exist
/etc/x.cfg: [Server]: unknown section; there are [main], [import], [server] and [scope.USER]
/etc/x.cfg: main.cloud_url: unknown key; [main] has cloud_usage_uri, cloud_uri, rbc_usage_uri, timezone
/etc/x.cfg: main.cloud_usage_uri: missing
/etc/x.cfg: main.cloud_uri: missing
/etc/x.cfg: main.rbc_usage_uri: the ledger is one SQLite file: write a path such as sqlite:////var/lib/rbc-usage/usage.db
/etc/x.cfg: main.timezone: \"GMT # winter\" is not a known time zone, and CloudStack reads an unknown one as GMT: \
write GMT if CloudStack is set to this name, else a name such as Europe/Stockholm or GMT+2 here and there; \
a comment takes a line of its own
RBC_USAGE_IMPORT__READ_TIMEOUT: \"5m\" is not a whole number of seconds from 1 to 86400
RBC_USAGE_IMPORT__REREAD_DAYS: \"months\" is not a whole number of days from 0 to 3660, nor auto
RBC_USAGE_IMPORT__REREAD: \"yes\" is neither report nor update
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
        let text = include_str!("../cloudusage.cfg.example");
        let example = layers(text, &config::Map::new()).unwrap();
        for (key, default) in keys() {
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
}
