//! `[import]`: how long an import waits, how far back it looks, and what it runs at its end.

use std::time::Duration;

use anyhow::{anyhow, bail};

use super::values::{Values, seconds, switch, whole};

/// `[import]`
#[derive(Debug, PartialEq)]
pub struct Import {
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
    /// How long an import waits for another one to finish.
    pub lock_timeout: Duration,
    /// Closed days whose source is looked at again by every import.
    pub reread_days: RereadDays,
    pub reread: Reread,
    /// Whether days keep a line of each resource; else one of each SKU.
    pub lines: bool,
    /// What is run after each import.
    pub on_done: Option<OnDone>,
}

/// A command of the operator's, and how long it may run.
#[derive(Debug, PartialEq)]
pub struct OnDone {
    /// For `sh -c`.
    pub command: String,
    pub timeout: Duration,
}

/// How far back an import looks at closed days again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RereadDays {
    /// To the first day of the month before last: no month changes unseen while it is invoiced.
    Auto,
    /// So many days, counted back from the newest closed one.
    Newest(u16),
}

/// What an import does about a closed day whose source has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reread {
    Report,
    Update,
}

/// Reads all of it, or notes what is wrong.
pub fn read(values: &mut Values) -> Option<Import> {
    let connect_timeout = values.read("import.connect_timeout", |text| seconds(text, 1, 300));
    let read_timeout = values.read("import.read_timeout", |text| seconds(text, 1, 86_400));
    let lock_timeout = values.read("import.lock_timeout", |text| seconds(text, 0, 86_400));
    let reread_days = values.read("import.reread_days", parse_reread_days);
    let reread = values.read("import.reread", parse_reread);
    let lines = values.read("import.lines", switch);
    let command = values.read("import.on_done", |text| Ok(text.to_owned()));
    let timeout = values.read("import.on_done_timeout", |text| seconds(text, 1, 86_400));
    let on_done = OnDone {
        command: command?,
        timeout: timeout?,
    };
    Some(Import {
        connect_timeout: connect_timeout?,
        read_timeout: read_timeout?,
        lock_timeout: lock_timeout?,
        reread_days: reread_days?,
        reread: reread?,
        lines: lines?,
        on_done: (!on_done.command.trim().is_empty()).then_some(on_done),
    })
}

fn parse_reread_days(text: &str) -> anyhow::Result<RereadDays> {
    if text == "auto" {
        return Ok(RereadDays::Auto);
    }
    let days = whole(text, 0, 3660, "days").map_err(|err| anyhow!("{err}, nor auto"))?;
    Ok(RereadDays::Newest(u16::try_from(days)?))
}

fn parse_reread(text: &str) -> anyhow::Result<Reread> {
    match text {
        "report" => Ok(Reread::Report),
        "update" => Ok(Reread::Update),
        _ => bail!("{text:?} is neither report nor update"),
    }
}
