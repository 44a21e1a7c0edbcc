//! How many files the process may have open, which bounds the connections: a server out of descriptors could neither
//! accept nor open its ledger.

use std::io::{self, Write};

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ledger_pool::RESERVED;
use super::listener::MOST_REJECTED;
use crate::config::ServerLimits;

/// Connections to the listener of metrics.
pub const OF_METRICS: usize = 16;

/// Standard streams, sockets that listen, files being read, and the ledger once more, which the cache watches.
const SPARE: u64 = 32;

/// Beside the connections of clients and those to the ledger.
const RESERVE: u64 = SPARE + (MOST_REJECTED + OF_METRICS) as u64;

/// The three files of the ledger.
const PER_LEDGER: u64 = 3;

/// Asks for as many descriptors as the system grants, and if these are too few, for fewer connections.
pub fn within_descriptors(limits: &ServerLimits, workers: usize) -> anyhow::Result<ServerLimits> {
    let granted = raise();
    let reserved = RESERVE + PER_LEDGER * (workers + RESERVED) as u64;
    let room = usize::try_from(granted.saturating_sub(reserved))?;
    ensure!(
        room > 0,
        "{granted} open files are allowed, and {workers} workers need {reserved}: raise ulimit -n"
    );
    let mut limits = limits.clone();
    if room < limits.max_connections {
        // The server starts even if nobody reads stderr any more.
        let _ = writeln!(
            io::stderr(),
            "rbc-usage: server.max_connections: {room} instead of {}, as {granted} open files are allowed",
            limits.max_connections
        );
        limits.max_connections = room;
    }
    Ok(limits)
}

/// Raises the soft limit to the hard one, and returns how many files may be open.
fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = if setrlimit(Resource::Nofile, wanted).is_ok() {
        maximum
    } else {
        current
    };
    limit.unwrap_or(u64::MAX)
}
