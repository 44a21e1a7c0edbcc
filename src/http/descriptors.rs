//! How many files the process may have open, which bounds the connections: a server out of descriptors could neither
//! accept nor open its ledger.

use std::io::{self, Write};

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::listener::MOST_TURNED_AWAY;
use crate::config::Limits;
use crate::http::UPSTREAMS;
use crate::http::answer::MOST_WAITING;

/// Standard streams, sockets that listen, files being read, and the ledger for what needs no worker: who watches it or
/// gathers metrics.
const SPARE: u64 = 64;

/// Of a connection of the gate to the workers: its two ends, and one of these twice, as tiny_http reads and writes by
/// a descriptor each.
const PER_UPSTREAM: u64 = 3;

/// Beside connections and workers: also connections that are being turned away, and those to the workers on which a
/// password waits to be checked.
const RESERVE: u64 = SPARE + MOST_TURNED_AWAY as u64 + PER_UPSTREAM * MOST_WAITING as u64;

/// The three files of the ledger.
const PER_LEDGER: u64 = 3;

/// Of one worker: the ledger, once more for the questions that the gate answers meanwhile, and the gate's connections
/// to it.
const PER_WORKER: u64 = 2 * PER_LEDGER + PER_UPSTREAM * UPSTREAMS as u64;

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
