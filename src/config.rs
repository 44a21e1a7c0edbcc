//! Typed configuration from `cloudusage.cfg` and the environment, with one report of all that is wrong. Finding the
//! file is left to `file`, its syntax to `ini`, the environment's names to `environment`, laying one over the other to
//! `values`, database URIs to `uri`, sections to `focus`, `import` and `server`, what has changed to `texts`.

mod environment;
mod file;
mod focus;
mod import;
mod ini;
mod keys;
mod limits;
mod network;
mod server;
mod texts;
mod uri;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::zone::Zone;
use environment::Variables;
pub use focus::FocusNames;
pub use import::{Import, OnDone, Reread, RereadDays};
pub use limits::ServerLimits;
pub use server::{LogFormat, Server, TlsFiles, parse_bind, parse_log_format};
pub use texts::KeyTexts;
pub use uri::{LedgerUri, MysqlTls, MysqlUri, Password, SourceUri, parse_ledger};
use values::{Values, layers};

/// Everything `cloudusage.cfg` says, checked.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from, if a database's password is in it and not in the environment.
    pub secret_file: Option<PathBuf>,
    /// CloudStack's usage database.
    pub cloud_usage: SourceUri,
    /// CloudStack's main database.
    pub cloud: SourceUri,
    /// Where the ledger is; a file is absolute or relative to the working directory.
    pub ledger: LedgerUri,
    /// GMT if `main.timezone` is not written; commands then replace it by the zone of the ledger or of CloudStack.
    pub zone: Zone,
    pub zone_is_written: bool,
    pub import: Import,
    /// The operator's prices, if there are any.
    pub prices: Option<PathBuf>,
    /// Who the FOCUS columns of companies name.
    pub focus: FocusNames,
    pub server: Server,
    pub texts: KeyTexts,
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
        match read(&mut values) {
            Some(config) if values.problems.is_empty() => Ok(config),
            Some(_) | None => bail!(values.problems.join("\n")),
        }
    }
}

/// Reads all of it, or notes what is wrong.
fn read(values: &mut Values) -> Option<Config> {
    let folder = values.path.parent().unwrap_or(Path::new(""));
    let source = |text: &str| uri::parse_source(text, folder);
    let cloud_usage = values.read("main.cloud_usage_uri", source);
    let cloud = values.read("main.cloud_uri", source);
    let ledger = values.read("main.rbc_usage_uri", |text| uri::parse_ledger(text, folder));
    let zone = values.read("main.timezone", parse_zone);
    let import = import::read(values);
    let prices = values.read("prices.file", |text| {
        Ok((!text.is_empty()).then(|| folder.join(text)))
    });
    let focus = focus::read(values);
    let server = server::read(values, folder);
    let holds_password = |key: &str, uri: &Option<SourceUri>| {
        let from_file = !values
            .overrides
            .contains_key(&environment::variable_of(key));
        let has_password = matches!(uri, Some(SourceUri::Mysql(uri)) if !uri.password.0.is_empty());
        from_file && has_password
    };
    let is_secret = holds_password("main.cloud_usage_uri", &cloud_usage)
        || holds_password("main.cloud_uri", &cloud);
    Some(Config {
        secret_file: is_secret.then(|| values.path.to_owned()),
        cloud_usage: cloud_usage?,
        cloud: cloud?,
        ledger: ledger?,
        zone_is_written: zone.as_ref()?.is_some(),
        zone: match zone? {
            Some(zone) => zone,
            None => Zone::parse("GMT").ok()?,
        },
        import: import?,
        prices: prices?,
        focus: focus?,
        server: server?,
        texts: KeyTexts::of(&values.layers),
    })
}

/// `None`: it is not written.
fn parse_zone(text: &str) -> anyhow::Result<Option<Zone>> {
    match text {
        "" => Ok(None),
        name => Zone::parse(name).map(Some),
    }
}

#[cfg(test)]
mod tests;
