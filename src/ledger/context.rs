//! How errors name the ledger they are about.

use std::path::Path;

/// Goes before every error of this ledger.
pub fn ledger_at(path: &Path) -> String {
    format!("ledger {}", path.display())
}
