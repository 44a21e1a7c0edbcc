//! The ledger: one SQLite file, made and upgraded by `schema`, opened to be written by `handle`; days are written in
//! `write`, answers read in `read`. The only module with the ledger's SQL. Its views are the contract for other programs.

pub mod account_lines;
mod account_states;
mod accounts;
mod acknowledge;
pub mod backup;
mod carry_over;
pub mod cloud_identity;
mod correction_lines;
pub mod day;
pub mod day_reader;
pub mod differing_lines;
pub mod engine;
mod guest_oses;
mod handle;
mod held;
pub mod known_vms;
pub mod line_check;
pub mod line_comparison;
mod line_ids;
mod line_reader;
mod line_table;
mod lines;
pub mod months;
mod names;
pub mod naming;
mod plan;
pub mod prune;
pub mod read;
pub mod refusals;
mod rezone;
pub mod runs;
mod schema;
mod seals;
mod since;
mod statements;
pub mod step;
pub mod timezones;
mod unfinished;
mod unknown_sizes;
pub mod verification;
pub mod write;

pub use engine::{ledger_at, lock};
pub use handle::Ledger;
pub use schema::{Initialised, SCHEMA_VERSION, initialise};
