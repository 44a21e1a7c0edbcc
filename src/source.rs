//! Reads CloudStack: the only module with CloudStack's SQL. MySQL and SQLite snapshots are read by the same
//! statements through `Connection`; which columns there are is asked at the start, so every schema from 4.0
//! to 4.22.1 is read by name. A day is read under one consistent snapshot of each database.

mod ahead;
mod fingerprint;
mod identity;
mod mysql;
mod names;
mod probe;
mod progress;
mod resources;
mod runs;
mod sqlite;
pub mod survey;
mod usage;
mod usage_row;
mod windows;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::aggregate::runs::{Rewinds, Runs};
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::Window;
use crate::config::SourceUri;
use crate::instant::Utc;
use crate::row::UsageRow;
pub use fingerprint::{Fingerprint, first_id, runs_told};
pub use names::{Account, Names};
pub use progress::{Events, Progress, Watermark, WatermarkKind};
pub use resources::Descriptions;
use usage::DayRows;

/// One value of a result row, borrowed from the driver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    Null,
    Integer(i64),
    Unsigned(u64),
    Real(f64),
    Text(&'a [u8]),
    /// Seconds since 1970 UTC.
    Moment(i64),
}

/// A result row as the driver has it.
pub trait Row {
    /// The value of a column by its place in the select list.
    fn field(&self, column: usize) -> anyhow::Result<Field<'_>>;
}

/// One of CloudStack's databases, read-only.
trait Connection: Send {
    /// Names, in lower case, of a table's columns that may be read; empty if there is no such table or no
    /// right to read it.
    fn columns(&mut self, table: &str) -> anyhow::Result<Vec<String>>;
    /// Whether a column that is not among a table's `columns` may be there all the same, without a right to read it.
    fn may_hide(&mut self, table: &str, column: &str) -> anyhow::Result<bool>;
    /// Begins a read-only transaction whose statements all see one state.
    fn begin(&mut self) -> anyhow::Result<()>;
    fn end(&mut self) -> anyhow::Result<()>;
    /// Hands over the rows one by one as they arrive. Each `?` stands for a moment, in seconds since 1970 UTC.
    fn query(
        &mut self,
        sql: &str,
        moments: &[i64],
        on_row: &mut dyn FnMut(&dyn Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;
}

/// CloudStack's two databases.
pub struct Source {
    cloud_usage: Box<dyn Connection>,
    cloud: Box<dyn Connection>,
    usage: usage::UsageReader,
    runs: runs::RunReader,
    names: names::NameReader,
}

/// What CloudStack has for one day, all of one state.
pub struct SourceDay {
    /// Rows whose windows touch the day, in no order; and where runs wrote it again, those that the windows of these touch.
    pub rows: Vec<UsageRow>,
    /// The runs that wrote parts of the day again.
    pub rewinds: Rewinds,
    /// Names for ids that no earlier day of this run has brought.
    pub names: Names,
    /// The rows that end on the day.
    pub fingerprint: Fingerprint,
    /// How far the usage server had got.
    pub watermark: Option<Watermark>,
    /// The oldest `end_date` in the source, since 1970 UTC.
    pub oldest: Option<i64>,
    /// The lowest id of a row in the source.
    pub lowest_id: Option<u64>,
    /// Set when the newest successful jobs all start at this same old instant, since 1970 UTC.
    pub stuck_since: Option<i64>,
}

/// Where to read and how long to wait for an answer.
pub struct Options<'a> {
    pub cloud_usage: &'a SourceUri,
    pub cloud: &'a SourceUri,
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
}

impl Source {
    /// Connects to both databases and looks at what they hold. Errors name the database.
    pub fn open(options: &Options) -> anyhow::Result<Source> {
        let mut cloud_usage = connect(options.cloud_usage, options).context("open cloud_usage")?;
        let mut cloud = connect(options.cloud, options).context("open cloud")?;
        let names = names::NameReader::probe(cloud.as_mut()).context("read cloud")?;
        let range = probe::aggregation_range_minutes(cloud.as_mut()).context("read cloud")?;
        let usage =
            usage::UsageReader::probe(cloud_usage.as_mut(), range).context("read cloud_usage")?;
        Ok(Source {
            cloud_usage,
            cloud,
            usage,
            runs: runs::RunReader::default(),
            names,
        })
    }

    /// What cannot be read and is done without, each as a sentence that says what is lost.
    pub fn limitations(&self) -> Vec<String> {
        let mut sentences = self.usage.limitations();
        sentences.extend(self.names.limitations(self.usage.may_have_backups()));
        sentences
    }

    /// The first instant any usage row tells of, since 1970 UTC.
    pub fn first_instant(&mut self) -> anyhow::Result<Option<i64>> {
        usage::first_start(self.cloud_usage.as_mut()).context("read cloud_usage")
    }

    /// From now on reads the rows of this account only.
    pub fn narrow_to(&mut self, account_id: u64) {
        self.usage.narrow_to(account_id);
    }

    /// The rows that end on a day, without reading them.
    pub fn fingerprint(&mut self, day: DayBounds) -> anyhow::Result<Fingerprint> {
        let runs = self.read_runs(day)?;
        Fingerprint::of(self.cloud_usage.as_mut(), day, &runs).context("read cloud_usage")
    }

    fn read_runs(&mut self, day: DayBounds) -> anyhow::Result<Runs> {
        match self.usage.jobs {
            true => self
                .runs
                .read(self.cloud_usage.as_mut(), day, self.usage.longest_window())
                .context("read cloud_usage"),
            false => Ok(Runs::default()),
        }
    }

    /// The windows that touch a day, each with how many rows have it.
    pub fn windows(&mut self, day: DayBounds) -> anyhow::Result<Vec<Window>> {
        let longest = self.usage.longest_window();
        windows::list_windows(self.cloud_usage.as_mut(), day, longest).context("read cloud_usage")
    }

    /// CloudStack's setting of `usage.aggregation.timezone`; `None` where it is not to be read.
    pub fn aggregation_timezone(&mut self) -> anyhow::Result<Option<String>> {
        probe::aggregation_timezone(self.cloud.as_mut()).context("read cloud")
    }

    /// Reads one day, all of one state.
    pub fn read_day(&mut self, day: DayBounds) -> anyhow::Result<SourceDay> {
        self.cloud_usage.begin().context("read cloud_usage")?;
        self.cloud.begin().context("read cloud")?;
        let read = self.read_begun_day(day);
        let ended = self.cloud_usage.end().context("read cloud_usage");
        let ended = ended.and(self.cloud.end().context("read cloud"));
        // What went wrong first is the one to tell.
        read.and_then(|read| ended.map(|()| read))
    }

    fn read_begun_day(&mut self, day: DayBounds) -> anyhow::Result<SourceDay> {
        let runs = self.read_runs(day)?;
        let usage = self.cloud_usage.as_mut();
        let watermark = self.usage.watermark(usage).context("read cloud_usage")?;
        let stuck_since = self.usage.stuck_since(usage).context("read cloud_usage")?;
        let oldest = usage::oldest_end(usage).context("read cloud_usage")?;
        let lowest_id = fingerprint::lowest_id(usage).context("read cloud_usage")?;
        let fingerprint = Fingerprint::of(usage, day, &runs).context("read cloud_usage")?;
        let DayRows {
            rows,
            rewinds,
            addresses,
        } = self
            .usage
            .read_rows(usage, day, &runs, &fingerprint)
            .context("read cloud_usage")?;
        let mut names = self
            .names
            .read_names(self.cloud.as_mut(), &rows, addresses)
            .context("read cloud")?;
        self.names
            .read_lost_accounts(self.cloud_usage.as_mut(), &rows, &mut names)
            .context("read cloud_usage")?;
        Ok(SourceDay {
            rows,
            rewinds,
            names,
            fingerprint,
            watermark,
            oldest,
            lowest_id,
            stuck_since,
        })
    }
}

fn connect(uri: &SourceUri, options: &Options) -> anyhow::Result<Box<dyn Connection>> {
    match uri {
        SourceUri::Mysql(uri) => Ok(Box::new(mysql::Mysql::connect(
            uri,
            options.connect_timeout,
            options.read_timeout,
        )?)),
        SourceUri::Sqlite(path) => Ok(Box::new(sqlite::Snapshot::open(
            Path::new(path),
            options.read_timeout,
        )?)),
    }
}

impl Field<'_> {
    /// An id or count; 0 for NULL.
    fn id(self) -> anyhow::Result<u64> {
        Ok(self.unsigned()?.unwrap_or(0))
    }

    fn unsigned(self) -> anyhow::Result<Option<u64>> {
        match self {
            Field::Null => Ok(None),
            Field::Unsigned(number) => Ok(Some(number)),
            Field::Integer(number) => Ok(Some(u64::try_from(number).context("a negative number")?)),
            Field::Text(text) => Ok(Some(
                std::str::from_utf8(text)?
                    .parse()
                    .context("a text instead of a number")?,
            )),
            // Tools that know no NULL among whole numbers write 3 as 3.0 into a snapshot.
            Field::Real(number)
                if number.fract() == 0.0 && (0.0..=2f64.powi(53)).contains(&number) =>
            {
                Ok(Some(number as u64))
            }
            Field::Real(_) | Field::Moment(_) => {
                anyhow::bail!("{self:?} instead of a whole number")
            }
        }
    }

    fn real(self) -> anyhow::Result<f64> {
        match self {
            Field::Real(number) => Ok(number),
            // CloudStack's whole-number amounts are bytes and counts far below 2^53.
            Field::Integer(number) => Ok(number as f64),
            Field::Unsigned(number) => Ok(number as f64),
            Field::Text(text) => std::str::from_utf8(text)?
                .parse()
                .context("a text instead of a number"),
            Field::Null | Field::Moment(_) => anyhow::bail!("{self:?} instead of a number"),
        }
    }

    fn text(self) -> anyhow::Result<Option<String>> {
        match self {
            Field::Null => Ok(None),
            // Old tables hold whatever a client once sent; a name is worth keeping with a mark in it.
            Field::Text(text) => Ok(Some(String::from_utf8_lossy(text).into_owned())),
            Field::Integer(number) => Ok(Some(number.to_string())),
            Field::Unsigned(number) => Ok(Some(number.to_string())),
            Field::Real(number) => Ok(Some(number.to_string())),
            Field::Moment(_) => anyhow::bail!("a date instead of a text"),
        }
    }

    /// Seconds since 1970 UTC; CloudStack's DATETIMEs are GMT.
    fn moment(self) -> anyhow::Result<Option<i64>> {
        match self {
            Field::Null => Ok(None),
            Field::Moment(seconds) => Ok(Some(seconds)),
            Field::Text(text) => Ok(Some(Utc::from_sql(text)?.unix())),
            Field::Integer(_) | Field::Unsigned(_) | Field::Real(_) => {
                anyhow::bail!("{self:?} instead of a date")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_stored() {
        assert_eq!(
            Field::Unsigned(u64::MAX).unsigned().unwrap(),
            Some(u64::MAX)
        );
        assert_eq!(Field::Text(b"42").unsigned().unwrap(), Some(42));
        assert_eq!(Field::Null.id().unwrap(), 0);
        assert_eq!(Field::Integer(3).real().unwrap(), 3.0);
        assert!(Field::Integer(-1).unsigned().is_err());
        assert_eq!(Field::Real(3.0).unsigned().unwrap(), Some(3));
        for wrong in [0.5, -1.0, 1e17, f64::NAN] {
            assert!(Field::Real(wrong).unsigned().is_err());
        }
        assert!(Field::Null.real().is_err());
    }
}
