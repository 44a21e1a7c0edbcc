//! Which version of its tables a ledger is of, and what to do about another one than this program's.

use std::fmt;

use anyhow::ensure;

use crate::day::Day;

/// What `initdb` found and did.
#[derive(Debug, PartialEq)]
pub enum Initialised {
    Created,
    Upgraded {
        from: i64,
        /// The first and the last day whose lines are its records, as there were none before.
        without_lines: Option<(Day, Day)>,
    },
    Current,
}

/// Insists on the version that is this program's.
pub fn insist_on_version(version: i64, current: i64) -> anyhow::Result<()> {
    ensure!(version == current, OtherSchema { version, current });
    Ok(())
}

/// A ledger that can be used after an upgrade, its own or the program's.
#[derive(Debug)]
pub struct OtherSchema {
    pub(super) version: i64,
    pub(super) current: i64,
}

impl fmt::Display for OtherSchema {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let OtherSchema { version, current } = self;
        let (is, remedy) = match version < current {
            true => ("older", "run rbc-usage initdb"),
            false => ("newer", "use a newer rbc-usage"),
        };
        write!(
            f,
            "its schema {version} is {is} than this program's {current}: {remedy}"
        )
    }
}

impl std::error::Error for OtherSchema {}
