//! How far something has got that goes through a whole ledger, for whoever waits for it.

/// How far something has got that reads a whole ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is being done, such as `copying`.
    pub doing: &'static str,
    pub done: u64,
    /// `None`: nobody knows how much there is to do.
    pub of: Option<u64>,
}

impl Step {
    /// Of something whose end cannot be seen.
    pub(super) fn of_unknown(doing: &'static str) -> Step {
        Step {
            doing,
            done: 0,
            of: None,
        }
    }
}
