//! What to do about a wrong zone: which one to write, and the day from which the ledger has to be moved to it.

use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{Misfit, misfit};
use crate::day::{Day, DayRange};
use crate::source::Source;
use crate::zones::Zones;

/// A wrong zone, and the way out.
#[derive(Debug, PartialEq)]
pub struct Advice {
    /// The first of the days looked at that do not fit.
    pub from: Day,
    pub misfit: Misfit,
}

/// Whether the newest of some days fits its zone, and if not, since which one of them none does. A ledger gets another
/// zone once, so that few of them have to be looked at.
pub fn advise(
    days: DayRange,
    zones: &Zones,
    source: &mut Source,
) -> anyhow::Result<Option<Advice>> {
    let theirs = source.aggregation_timezone()?;
    let mut look = |day: Day| -> anyhow::Result<(bool, Option<Misfit>)> {
        let windows = source.windows(DayBounds::of(day, zones))?;
        Ok((windows.is_empty(), misfit(&windows, day, zones)))
    };
    let last = days.last();
    let Some(misfit) = look(last)?.1 else {
        return Ok(None);
    };
    // The days before `low` fit; those from `high` on do not.
    let (mut low, mut high) = (days.first(), last);
    while low < high {
        let middle =
            Day::from_days_since_1970(low.days_since_1970().midpoint(high.days_since_1970()))?;
        // A day without rows says what the next one says.
        let mut day = middle;
        let mut fits = false;
        while day < high {
            match look(day)? {
                (true, _) => day = day.next(),
                (false, misfit) => {
                    fits = misfit.is_none();
                    break;
                }
            }
        }
        if fits {
            low = day.next();
        } else {
            high = middle;
        }
    }
    Ok(Some(Advice {
        from: high,
        misfit: misfit.preferring(theirs.as_deref()),
    }))
}

impl Advice {
    /// What to write and to run. `has_days`: the ledger has some to be moved. `program` is the program with one of its
    /// commands.
    pub fn cure(&self, has_days: bool, program: &dyn Fn(&str) -> String) -> String {
        let zone = self.misfit.likeliest();
        let write = format!("write main.timezone = {zone}");
        match has_days {
            true => format!(
                "{write}, then {} {zone} --from {}",
                program("rezone"),
                self.from
            ),
            false => write,
        }
    }
}
