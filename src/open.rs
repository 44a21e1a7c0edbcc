//! Opens what the configuration names: the source, and the ledger under the lock of imports.

use crate::config::Config;
use crate::day::DayRange;
use crate::ledger::lock::ImportLock;
use crate::ledger::step::Step;
use crate::ledger::{Initialised, Ledger, initialise};
use crate::sealing::{LockedDays, hold};
use crate::source::{Options, Source};

pub fn open_source(config: &Config) -> anyhow::Result<Source> {
    Source::open(&Options {
        cloud_usage: &config.cloud_usage,
        cloud: &config.cloud,
        connect_timeout: config.import.connect_timeout,
        read_timeout: config.import.read_timeout,
    })
}

/// Opens the ledger under the lock of imports, because an import that writes a day gives its findings new ids.
pub fn open_alone(config: &Config, now: &str) -> anyhow::Result<(ImportLock, Ledger)> {
    let lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, now)?;
    let ledger = Ledger::open(&config.ledger, config.zone.name(), false)?;
    Ok((lock, ledger))
}

/// Holds days against imports.
pub fn hold_days(config: &Config, range: DayRange, now: &str) -> anyhow::Result<LockedDays> {
    let timeout = config.import.lock_timeout;
    hold(&config.ledger, timeout, config.zone.name(), range, now)
}

/// Creates or upgrades the ledger.
pub fn initialise_ledger(
    config: &Config,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Initialised> {
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, now)?;
    initialise(&config.ledger, config.zone.name(), now, on_step)
}
