//! Errors of a database that are no fault of what was asked: the same may succeed when it is tried again.

use std::fmt;

/// Why something failed that may succeed when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transient {
    /// Another transaction was in the way; this one is rolled back.
    Conflict,
    /// The server is gone, or cannot serve now: on another connection.
    Loss,
}

#[derive(Debug)]
struct TransientError {
    kind: Transient,
    message: String,
}

impl Transient {
    pub(super) fn conflict(message: String) -> anyhow::Error {
        let kind = Transient::Conflict;
        TransientError { kind, message }.into()
    }

    pub(super) fn loss(message: String) -> anyhow::Error {
        let kind = Transient::Loss;
        TransientError { kind, message }.into()
    }

    /// The error as one that may be gone when it is tried again on another connection.
    pub fn as_loss(err: &anyhow::Error) -> anyhow::Error {
        Transient::loss(format!("{err:#}"))
    }

    /// `None`: trying again would not help.
    pub fn of(err: &anyhow::Error) -> Option<Transient> {
        let mut causes = err.chain();
        let transient = causes.find_map(|cause| cause.downcast_ref::<TransientError>())?;
        Some(transient.kind)
    }
}

impl fmt::Display for TransientError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TransientError {}
