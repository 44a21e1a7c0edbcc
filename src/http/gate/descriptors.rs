//! How many files the process may have open, which bounds the connections: a server out of descriptors could neither
//! accept nor open its ledger.

use std::io::{self, Write};

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// Descriptors beside connections and workers: standard streams, sockets that listen, files being read, and
/// connections that are being turned away, and those to the workers on which a password waits to be checked.
const RESERVE: u64 = 128;

/// Of one worker: the ledger's three files, some spare, and two ends of each of the gate's connections to it.
const PER_WORKER: u64 = 12;

/// Asks for as many descriptors as the system grants, and if these are too few, for fewer connections.
pub fn within_descriptors(limits: &Limits, workers: usize) -> anyhow::Result<Limits> {
    let granted = raise();
    let reserved = RESERVE + PER_WORKER * workers as u64;
    let room = usize::try_from(granted.saturating_sub(reserved))?;
    ensure!(
        room > 0,
        "{granted} open files are allowed, and {workers} workers need {reserved}: raise ulimit -n"
    );
    let mut limits = limits.clone();
    if room < limits.max_connections {
        // A reader of stderr that has gone away is no reason not to start.
        let _ = writeln!(
            io::stderr(),
            "rbc-usage: server.max_connections: {room} instead of {}, as {granted} open files are allowed",
            limits.max_connections
        );
        limits.max_connections = room;
    }
    Ok(limits)
}

/// Raises the soft limit to the hard one, and tells how many files may be open.
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
