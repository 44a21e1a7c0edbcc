//! The days that a command is asked about.

use anyhow::{Context, ensure};

use crate::day::{Day, DayRange};
use crate::month::Month;
use crate::period::{LastDays, Period};
use crate::zone::Zone;

/// The days a command is asked about.
#[derive(clap::Args)]
pub struct PeriodArgs {
    /// Days: YYYY-MM-DD, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month
    #[arg(value_name = "PERIOD", conflicts_with_all = ["start", "end", "month", "last"])]
    pub period: Option<Period>,
    #[command(flatten)]
    pub options: DayArgs,
}

impl PeriodArgs {
    /// The days asked for; `None`: the command line names none. `now` is in seconds since 1970 UTC.
    pub fn days(&self, now: i64, zone: &Zone) -> anyhow::Result<Option<DayRange>> {
        let today = zone.day_at(now)?;
        let range = match self.period {
            Some(period) => Some(period.days(today)),
            None => self.options.days(today)?,
        };
        range.map(|range| begun(range, today, zone)).transpose()
    }
}

/// The days a command is asked about, by options alone.
#[derive(clap::Args)]
pub struct DayArgs {
    /// First day, YYYY-MM-DD
    #[arg(short, long, value_name = "DAY", conflicts_with_all = ["month", "last"])]
    pub start: Option<Day>,
    /// Last day, inclusive [default: the first]
    #[arg(short, long, value_name = "DAY", requires = "start")]
    pub end: Option<Day>,
    /// A whole month, YYYY-MM
    #[arg(long, value_name = "MONTH", conflicts_with = "last")]
    pub month: Option<Month>,
    /// The days up to yesterday, such as 7d or 2w
    #[arg(long, value_name = "DAYS")]
    pub last: Option<LastDays>,
}

impl DayArgs {
    /// The days asked for; `None`: no option names any.
    pub fn days(&self, today: Day) -> anyhow::Result<Option<DayRange>> {
        if let Some(start) = self.start {
            let range = DayRange::new(start, self.end.unwrap_or(start)).context("-s and -e")?;
            return Ok(Some(range));
        }
        let month = self.month.map(Month::days);
        Ok(month.or(self.last.map(|last| last.days(today))))
    }
}

/// Refuses a period that lies wholly in the future: its year is probably mistyped, and nothing is known about it.
pub fn begun(range: DayRange, today: Day, zone: &Zone) -> anyhow::Result<DayRange> {
    ensure!(
        range.first() <= today,
        "{} has not begun: today is {today} in {}",
        range.first(),
        zone.name()
    );
    Ok(range)
}
