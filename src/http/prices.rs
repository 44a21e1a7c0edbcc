//! The prices of statements: read when the server starts, and when it reads its configuration again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::prices::{PriceList, read_prices};

/// A price file as it was when it was read.
#[derive(Debug)]
pub struct ServedPrices {
    pub list: PriceList,
    /// Another one for other prices, so that no answer is taken for one by these.
    pub digest: u64,
}

/// `None`: there are no prices.
pub fn load(path: Option<&Path>) -> anyhow::Result<Option<Arc<ServedPrices>>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let list = read_prices(path)?;
    let mut hasher = DefaultHasher::new();
    // Two lists that differ are written differently.
    format!("{list:?}").hash(&mut hasher);
    let digest = hasher.finish();
    Ok(Some(Arc::new(ServedPrices { list, digest })))
}
