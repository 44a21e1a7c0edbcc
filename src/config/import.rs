//! `[import]`: how long an import waits, how far back it looks, and what it runs at its end.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};

use super::values::{Values, seconds, switch, whole};
use crate::metric::GIB;
use crate::unusual::{UnusualRule, UsageFloors};

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
    /// How a day is compared with those before it; `None`: not at all.
    pub unusual: Option<UnusualRule>,
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
    let unusual = values.read("import.unusual", switch);
    let factor = values.read("import.unusual_factor", parse_factor);
    let floors = values.read("import.unusual_floor", parse_floors);
    let command = values.read("import.on_done", |text| Ok(text.to_owned()));
    let timeout = values.read("import.on_done_timeout", |text| seconds(text, 1, 86_400));
    let rule = UnusualRule {
        factor: factor?,
        floors: floors?,
    };
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
        unusual: unusual?.then_some(rule),
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

/// Beyond a thousand times the spread nothing would be found: whoever wants that turns it off.
fn parse_factor(text: &str) -> anyhow::Result<f64> {
    let factor = text.parse().ok();
    factor
        .filter(|factor: &f64| (1.0..=1000.0).contains(factor))
        .with_context(|| format!("{text:?} is not a number from 1 to 1000"))
}

/// `100 hours, 5000 GiB-hours, 50 GiB, 10000000 requests`: each unit once.
fn parse_floors(text: &str) -> anyhow::Result<UsageFloors> {
    let mut floors: [(&str, Option<f64>); 4] =
        ["hours", "GiB-hours", "GiB", "requests"].map(|unit| (unit, None));
    for part in text.split(',').map(str::trim) {
        let (number, unit) = part.split_once(' ').unwrap_or((part, ""));
        let floor = floors.iter_mut().find(|(name, _)| *name == unit.trim());
        let number = number.parse().ok();
        let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
        match (floor, number) {
            (Some((_, floor @ None)), Some(number)) => *floor = Some(number),
            (Some((unit, Some(_))), _) => bail!("{text:?} has {unit} twice"),
            (None, _) | (_, None) => {
                bail!("{part:?} is not a number of hours, GiB-hours, GiB or requests")
            }
        }
    }
    let lacking = floors.iter().find(|(_, floor)| floor.is_none());
    ensure!(
        lacking.is_none(),
        "{text:?} lacks {}",
        lacking.map_or("", |(unit, _)| unit)
    );
    let [hours, gib_hours, gib, requests] = floors.map(|(_, floor)| floor.unwrap_or_default());
    Ok(UsageFloors {
        hours,
        byte_hours: gib_hours * GIB,
        bytes: gib * GIB,
        requests,
    })
}

fn parse_reread(text: &str) -> anyhow::Result<Reread> {
    match text {
        "report" => Ok(Reread::Report),
        "update" => Ok(Reread::Update),
        _ => bail!("{text:?} is neither report nor update"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_have_each_unit_once() {
        let floors = parse_floors("50 GiB, 0.5 GiB-hours, 7 requests,100 hours").unwrap();
        let expected = UsageFloors {
            hours: 100.0,
            byte_hours: 0.5 * GIB,
            bytes: 50.0 * GIB,
            requests: 7.0,
        };
        assert_eq!(floors, expected);
        for (text, message) in [
            (
                "",
                "\"\" is not a number of hours, GiB-hours, GiB or requests",
            ),
            (
                "5",
                "\"5\" is not a number of hours, GiB-hours, GiB or requests",
            ),
            (
                "-5 hours",
                "\"-5 hours\" is not a number of hours, GiB-hours, GiB or requests",
            ),
            (
                "5 days",
                "\"5 days\" is not a number of hours, GiB-hours, GiB or requests",
            ),
            ("5 hours, 6 hours", "\"5 hours, 6 hours\" has hours twice"),
            ("5 hours", "\"5 hours\" lacks GiB-hours"),
        ] {
            assert_eq!(parse_floors(text).unwrap_err().to_string(), message);
        }
    }
}
