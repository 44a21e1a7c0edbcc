//! The read side of the ledger, from a connection that cannot write. An answer is read in one transaction, a
//! `Snapshot`, so it shows one state of the ledger even while an import commits days, and the next answer sees
//! them. What can be asked is in the modules below, as plain functions of a snapshot. How an answer looks is left to
//! others.

mod account_usage;
pub mod accounts;
pub mod corrected_lines;
pub mod corrections;
pub mod days;
pub mod domains;
pub mod findings;
mod lines;
mod reader;
pub mod resources;
pub mod selection;
pub mod sku_lines;
mod skus;
pub mod state;
pub mod stretches;
pub mod totals;

pub use crate::ledger::schema::OtherSchema;
pub use crate::ledger::unfinished::Unfinished;
pub use account_usage::{AccountUsage, Total};
pub use reader::{Page, Reader, Snapshot};

#[cfg(test)]
mod tests;
