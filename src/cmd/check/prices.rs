//! The price file: whether statements can be drawn up by it.

use std::path::Path;

use super::line::{CheckLine, error, look, ok};
use crate::config::{Config, LedgerUri};
use crate::ledger::read::Reader;
use crate::plural::plural;
use crate::prices::read_prices;
use crate::statement::find_unknown_names;

const WHAT: &str = "prices";

/// Nothing if there is none.
pub fn check_prices(config: &Config) -> Vec<CheckLine> {
    let Some(path) = &config.prices else {
        return Vec::new();
    };
    check_file(path, &config.ledger).unwrap_or_else(|err| {
        let problems = format!("{err:#}");
        problems
            .lines()
            .map(|problem| error(WHAT, problem))
            .collect()
    })
}

fn check_file(path: &Path, ledger: &LedgerUri) -> anyhow::Result<Vec<CheckLine>> {
    let prices = read_prices(path)?;
    // A ledger that cannot be read has a line of its own.
    let unknown = match Reader::open(ledger) {
        Ok(mut reader) => reader.read(|snapshot| find_unknown_names(snapshot, &prices))?,
        Err(_) => Ok(Vec::new()),
    };
    let unknown = unknown.map_err(anyhow::Error::msg)?;
    if unknown.is_empty() {
        let rows = plural(prices.rows.len(), "row");
        return Ok(vec![ok(WHAT, format!("{}: {rows}", prices.file))]);
    }
    Ok(unknown.into_iter().map(|name| look(WHAT, name)).collect())
}
