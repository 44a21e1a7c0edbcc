//! Daily usage per account from Apache CloudStack's usage records. The program is `cli::run`; benchmarks and fuzz
//! targets use the other public modules. Nothing here is an interface for other programs.

mod aggregate;
mod arguments;
mod causes;
pub mod cli;
mod cloud;
mod cmd;
mod command_line;
pub mod config;
mod coverage;
pub mod day;
mod db;
mod explain;
mod finding;
pub mod htpasswd;
pub mod http;
mod import;
mod instant;
pub mod ledger;
pub mod metric;
mod month;
mod open;
mod output;
pub mod period;
mod report;
mod row;
mod sample;
pub mod scope;
mod sealing;
mod source;
mod status;
mod terminal;
mod verify;
mod view;
mod words;
pub mod zone;
pub mod zones;
