//! The commands, one a file, and the names the old programs had.

pub mod backup;
pub mod check;
pub mod corrections;
pub mod explain;
pub mod findings;
pub mod import;
pub mod initdb;
pub mod passwd;
pub mod report;
pub mod rezone;
pub mod sample;
pub mod seal;
pub mod serve;
pub mod status;
pub mod unseal;
pub mod verify;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arguments::{PeriodArgs, id};
use crate::config::Config;
use crate::coverage::Coverage;
use crate::instant::Utc;
use crate::ledger::backup::Step;
use crate::ledger::lock::ImportLock;
use crate::ledger::read::Reader;
use crate::ledger::{Initialised, Ledger, initialise};
use crate::output::Format;
use crate::sealing::{Held, hold};
use crate::source::{Options, Source};
use crate::zone::Zone;

/// Where the configuration is, the same for every command that needs it.
#[derive(clap::Args)]
pub struct ConfigFile {
    /// Configuration file [default: $RBC_USAGE_CONFIG, ./cloudusage.cfg,
    /// /opt/redbridge/rbc-usage/etc/cloudusage.cfg, /etc/rbc-usage/cloudusage.cfg]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the configuration and the environment that overrides it.
    pub fn load_as_written(&self) -> anyhow::Result<Config> {
        Config::load(self.config.as_deref(), std::env::vars_os())
    }

    /// The same, and finds out the zone where none is written.
    pub fn load(&self) -> anyhow::Result<Config> {
        let mut config = self.load_as_written()?;
        if !config.zone_is_written
            && let Some(zone) = unwritten_zone(&config)
        {
            config.zone = zone;
        }
        Ok(config)
    }

    /// The program as commands that lead on name it: with a command of its own and the same configuration.
    fn program(&self, command: &str) -> String {
        match self.config.as_deref() {
            Some(file) => format!("rbc-usage {command} --config {}", shell_word(file)),
            None => format!("rbc-usage {command}"),
        }
    }
}

/// What is acknowledged by its ids, and why.
#[derive(clap::Args)]
pub struct Ack {
    #[command(flatten)]
    config: ConfigFile,
    /// Ids from the list
    #[arg(value_name = "ID", required = true, value_parser = id)]
    ids: Vec<i64>,
    /// The reason, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Ack {
    fn reason(&self) -> anyhow::Result<&str> {
        told_reason(&self.reason)
    }
}

/// The text of `--reason`; it has to say something.
fn told_reason(text: &str) -> anyhow::Result<&str> {
    let reason = text.trim();
    ensure!(!reason.is_empty(), "--reason is empty");
    Ok(reason)
}

/// Ids of a command line, each once.
fn once(ids: &[i64]) -> Vec<i64> {
    let ids: BTreeSet<i64> = ids.iter().copied().collect();
    ids.into_iter().collect()
}

/// What is not acknowledged any more.
#[derive(clap::Args)]
pub struct Unack {
    #[command(flatten)]
    config: ConfigFile,
    /// Ids from the list; acknowledged findings are listed with --all
    #[arg(value_name = "ID", required = true, value_parser = id)]
    ids: Vec<i64>,
}

/// Someone read the first lines of our output and left, as `head` does.
pub fn is_closed_pipe(err: &anyhow::Error) -> bool {
    let io = err.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

/// Seconds since 1970 UTC.
fn unix_now() -> anyhow::Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    )?)
}

/// The ledger's newest zone if it has days, else CloudStack's, if its setting can be read: the data is held against it, and a
/// source that cannot be reached is told by whoever needs it.
fn unwritten_zone(config: &Config) -> Option<Zone> {
    let state = Reader::open(&config.ledger).and_then(|mut ledger| ledger.state());
    if let Some(state) = state.ok().filter(|state| state.days.is_some()) {
        return Some(state.zones.newest().clone());
    }
    let theirs = open_source(config).and_then(|mut source| source.aggregation_timezone());
    // Java, and so CloudStack, takes a name it does not know for GMT.
    Zone::parse(&theirs.ok()??).ok()
}

fn open_source(config: &Config) -> anyhow::Result<Source> {
    Source::open(&Options {
        cloud_usage: &config.cloud_usage,
        cloud: &config.cloud,
        connect_timeout: config.import.connect_timeout,
        read_timeout: config.import.read_timeout,
    })
}

fn progress_bar(days: usize) -> ProgressBar {
    let wanted = days > 1 && io::stderr().is_terminal();
    let target = if wanted {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    // A count of days fits 64 bits.
    ProgressBar::with_draw_target(Some(days as u64), target)
}

/// What reads a whole ledger, which takes a while once it is large.
fn step_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show_step(bar: &ProgressBar, step: Step) {
    let template = match step.of {
        Some(_) => "{spinner} {msg} {wide_bar} {percent}%",
        None => "{spinner} {msg} {elapsed}",
    };
    if bar.message() != step.doing {
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the templates are those above"));
        bar.set_message(step.doing);
    }
    if let Some(of) = step.of {
        bar.set_length(of);
        bar.set_position(step.done);
    }
}

/// Lines below a table that the other formats have no place for: CSV for none of them, and JSON not for that the
/// ledger is empty.
fn eprint_beside(lines: &[String], coverage: &Coverage, format: Format) {
    let unsaid = match format {
        Format::Table => false,
        Format::Json => coverage.nothing_imported,
        Format::Csv => true,
    };
    if unsaid {
        lines.iter().for_each(|line| eprint_line(line));
    }
}

/// 0, or 1 where something needs a look.
fn exit_code(fine: bool) -> ExitCode {
    ExitCode::from(if fine { 0 } else { 1 })
}

/// A line for people on stderr. A reader of it that has gone away is no reason to stop.
fn eprint_line(text: &str) {
    let _ = writeln!(io::stderr(), "rbc-usage: {text}");
}

/// The ledger under the lock of imports: one that writes a day gives its findings new ids.
fn open_alone(config: &Config, now: &str) -> anyhow::Result<(ImportLock, Ledger)> {
    let lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, now)?;
    let ledger = Ledger::open(&config.ledger, config.zone.name(), false)?;
    Ok((lock, ledger))
}

/// Holds the days of a command line against imports; it has to name some.
fn hold_days(config: &Config, period: &PeriodArgs, now: i64) -> anyhow::Result<Held> {
    let range = period.days(now, &config.zone)?;
    let range = range.context("which days? Write a month, such as 2013-06, or last-month")?;
    let timeout = config.import.lock_timeout;
    hold(
        &config.ledger,
        timeout,
        config.zone.name(),
        range,
        &Utc::at(now)?.to_string(),
    )
}

/// Creates or upgrades the ledger, and says which.
fn initialise_ledger(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = Utc::at(unix_now()?)?.to_string();
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &now)?;
    let done = match initialise(&config.ledger, config.zone.name(), &now)? {
        Initialised::Created => "created".to_owned(),
        Initialised::Upgraded { from } => format!("upgraded from schema {from}"),
        Initialised::Current => "is current".to_owned(),
    };
    writeln!(out, "ledger {} {done}", config.ledger.display())?;
    Ok(())
}

/// A path as it can be pasted into a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:=@".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_quotes_stays_one_word() {
        assert_eq!(shell_word(Path::new("demo/cloud.db")), "demo/cloud.db");
        assert_eq!(shell_word(Path::new("my demo")), "'my demo'");
        assert_eq!(shell_word(Path::new("it's")), r"'it'\''s'");
    }
}
