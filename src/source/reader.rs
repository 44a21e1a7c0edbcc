//! CloudStack's two databases, opened together and read day by day, each day of one state.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::fingerprint::{self, read_fingerprint};
use super::usage::DayRows;
use super::watermark::Watermark;
use super::{domains, line_names, names, probe, runs, usage, windows};
use crate::aggregate::runs::{Rewinds, Runs};
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::Window;
use crate::cloud::{CloudIdentity, Fingerprint, Names, Removals};
use crate::config::SourceUri;
use crate::db::{self, Connection};
use crate::row::UsageRow;

/// CloudStack's two databases.
pub struct Source {
    pub(super) cloud_usage: Connection,
    pub(super) cloud: Connection,
    pub(super) usage: usage::UsageReader,
    pub(super) runs: runs::RunReader,
    pub(super) names: names::NameReader,
    line_names: line_names::LineNameReader,
    domains: domains::DomainReader,
    /// Of all that was read so far.
    removals: Arc<Removals>,
}

/// What CloudStack has for one day, all of one state.
pub struct SourceDay {
    /// Rows whose windows touch the day, in no order; and where runs wrote it again, those that the windows of these touch.
    pub rows: Vec<UsageRow>,
    /// The runs that wrote parts of the day again.
    pub rewinds: Rewinds,
    /// Names for ids that no earlier day of this run has brought.
    pub names: Names,
    /// Of the VMs and accounts of this day, and of earlier days of this run.
    pub removals: Arc<Removals>,
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

impl Options<'_> {
    pub(super) fn connect(&self, uri: &SourceUri) -> anyhow::Result<Connection> {
        db::connect(uri, self.connect_timeout, self.read_timeout)
    }
}

impl Source {
    /// Connects to both databases and looks at what they hold. Errors name the database.
    pub fn open(options: &Options) -> anyhow::Result<Source> {
        let cloud_usage = options
            .connect(options.cloud_usage)
            .context("open cloud_usage")?;
        let cloud = options.connect(options.cloud).context("open cloud")?;
        let names = names::NameReader::probe(&cloud).context("read cloud")?;
        let line_names = line_names::LineNameReader::probe(&cloud).context("read cloud")?;
        let domains = domains::DomainReader::probe(&cloud).context("read cloud")?;
        let range = probe::aggregation_range_minutes(&cloud).context("read cloud")?;
        let usage = usage::UsageReader::probe(&cloud_usage, range).context("read cloud_usage")?;
        Ok(Source {
            cloud_usage,
            cloud,
            usage,
            runs: runs::RunReader::default(),
            names,
            line_names,
            domains,
            removals: Arc::default(),
        })
    }

    /// What cannot be read and is done without, each as a sentence that says what is lost.
    pub fn limitations(&self) -> Vec<String> {
        let mut sentences = self.usage.limitations();
        let may_have = |kind| self.usage.may_have(kind);
        sentences.extend(self.names.limitations(self.usage.may_have_backups()));
        sentences.extend(self.line_names.limitations(&may_have));
        sentences.extend(self.domains.limitation());
        sentences
    }

    /// The first instant that any usage row covers, since 1970 UTC.
    pub fn first_instant(&mut self) -> anyhow::Result<Option<i64>> {
        usage::first_start(&self.cloud_usage).context("read cloud_usage")
    }

    /// Which CloudStack it is.
    pub fn identity(&mut self) -> anyhow::Result<CloudIdentity> {
        let read = || -> anyhow::Result<CloudIdentity> {
            Ok(CloudIdentity {
                root: self.domains.root_uuid(&self.cloud)?,
                account_uuids: names::account_uuids(&self.cloud)?,
            })
        };
        read().context("read cloud")
    }

    /// From now on reads the rows of these accounts only, by their ids in CloudStack.
    pub fn narrow_to(&mut self, account_ids: Vec<u64>) {
        self.usage.narrow_to(account_ids);
    }

    /// The rows that end on a day, without reading them.
    pub fn fingerprint(&mut self, day: DayBounds) -> anyhow::Result<Fingerprint> {
        let runs = self.read_runs(day)?;
        read_fingerprint(&self.cloud_usage, day, &runs).context("read cloud_usage")
    }

    fn read_runs(&mut self, day: DayBounds) -> anyhow::Result<Runs> {
        match self.usage.jobs {
            true => self
                .runs
                .read(&self.cloud_usage, day, self.usage.longest_window())
                .context("read cloud_usage"),
            false => Ok(Runs::default()),
        }
    }

    /// The windows that touch a day, each with how many rows have it.
    pub fn windows(&mut self, day: DayBounds) -> anyhow::Result<Vec<Window>> {
        let longest = self.usage.longest_window();
        windows::list_windows(&self.cloud_usage, day, longest).context("read cloud_usage")
    }

    /// CloudStack's setting of `usage.aggregation.timezone`; `None` where it is not to be read.
    pub fn aggregation_timezone(&mut self) -> anyhow::Result<Option<String>> {
        probe::aggregation_timezone(&self.cloud).context("read cloud")
    }

    /// Reads one day, all of one state.
    pub fn read_day(&mut self, day: DayBounds) -> anyhow::Result<SourceDay> {
        self.cloud_usage
            .begin_snapshot()
            .context("read cloud_usage")?;
        self.cloud.begin_snapshot().context("read cloud")?;
        let read = self.read_begun_day(day);
        let ended = self.cloud_usage.end_snapshot().context("read cloud_usage");
        let ended = ended.and(self.cloud.end_snapshot().context("read cloud"));
        // The first error is the one to report.
        read.and_then(|read| ended.map(|()| read))
    }

    fn read_begun_day(&mut self, day: DayBounds) -> anyhow::Result<SourceDay> {
        let runs = self.read_runs(day)?;
        let usage = &self.cloud_usage;
        let watermark = self.usage.watermark(usage).context("read cloud_usage")?;
        let stuck_since = self.usage.stuck_since(usage).context("read cloud_usage")?;
        let oldest = usage::oldest_end(usage).context("read cloud_usage")?;
        let lowest_id = fingerprint::lowest_id(usage).context("read cloud_usage")?;
        let fingerprint = read_fingerprint(usage, day, &runs).context("read cloud_usage")?;
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
            .read_names(&self.cloud, &rows, addresses)
            .context("read cloud")?;
        self.line_names
            .read_names(&self.cloud, &rows, &mut names)
            .context("read cloud")?;
        names.domains = self.domains.read_new(&self.cloud).context("read cloud")?;
        self.names
            .read_lost_accounts(&self.cloud_usage, &rows, &mut names)
            .context("read cloud_usage")?;
        Arc::make_mut(&mut self.removals).add(&names);
        Ok(SourceDay {
            rows,
            rewinds,
            names,
            removals: Arc::clone(&self.removals),
            fingerprint,
            watermark,
            oldest,
            lowest_id,
            stuck_since,
        })
    }
}
