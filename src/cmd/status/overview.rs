//! All that `status` shows, found out before any of it is printed.

use std::collections::BTreeMap;

use crate::day::{Day, DayRange};
use crate::import::Advice;
use crate::ledger::read::days::DayFacts;
use crate::ledger::read::state::LedgerState;
use crate::source::SourceProgress;
use crate::status::{AccountIdChange, RefusedDay};

/// Of an empty ledger that an import would leave empty.
pub const NOTHING_TO_IMPORT: &str = "the ledger is empty, and CloudStack has finished no day";

/// All that status shows.
pub struct Overview {
    pub state: LedgerState,
    pub today: Day,
    /// `None`: nothing was asked for and the ledger is empty.
    pub range: Option<DayRange>,
    /// Days that were asked for and are not shown, as they have not begun.
    pub future: Option<DayRange>,
    pub days: Vec<DayFacts>,
    /// Every day of the range is there, and the source has finished it.
    pub complete: bool,
    /// Of the days asked for, or all of them.
    pub refusals: BTreeMap<Day, RefusedDay>,
    /// Of the days asked for, or all of them.
    pub account_id_changes: Vec<AccountIdChange>,
    pub source: anyhow::Result<SourceProgress>,
    /// The source's windows do not fit the ledger's zones.
    pub advice: Option<(Advice, String)>,
}

impl Overview {
    /// There are usage rows, but no job has finished any of them.
    pub fn lacks_jobs(&self) -> bool {
        let progress = self.source.as_ref();
        progress.is_ok_and(|progress| progress.newest_row.is_some())
    }
}
