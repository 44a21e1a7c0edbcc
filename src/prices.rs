//! The operator's price file: which price a quantity has, in which unit and currency, and what that makes. Prices are
//! stored nowhere else. Whom rows mean by the names in them is looked up by others, because ledgers are not known here.

mod file;
mod list;
mod matching;
mod money;
mod table;
mod unit;

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, anyhow};

pub use list::{PriceList, PriceRow};
pub use matching::{Meaning, PriceBook, Priced};
pub use money::Currency;

/// Reads a price file. An error has a line for each problem.
pub fn read_prices(path: &Path) -> anyhow::Result<PriceList> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("price file {name}: there is none: write it, or change file in [prices]")
        }
        _ => anyhow!("price file {name}: {err}"),
    })?;
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("price file {name} is not UTF-8: save it as such"))?;
    file::parse(&name, &text)
}
