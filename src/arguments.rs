//! Arguments that several commands share, and what is checked of them.

mod acknowledgement;
mod config_file;
mod format;
mod number;
mod period;

pub use acknowledgement::{AckArgs, UnackArgs, each_once, given_reason};
pub use config_file::{ConfigFile, shell_word};
pub use format::{FormatArgs, ListFormatArgs, TableArgs, WorkbookFormatArgs, parser};
pub use number::{id, whole};
pub use period::{DayArgs, PeriodArgs, begun};
