//! Reports: totals as rows under the dimensions they were asked by, and the same shaped after FOCUS. Which records
//! are added up is the ledger's business; here figures become documents.

pub mod costs;
pub mod focus;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::str::FromStr;

use anyhow::{bail, ensure};

use crate::day::{Day, DayRange};
use crate::ledger::read::accounts::{AccountFilter, find_one, list_accounts};
use crate::ledger::read::domains::{Domains, domain_path};
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{Dimensions, Figure, Granularity, ResourceFacts};
use crate::ledger::read::{Page, Snapshot};
use crate::metric::Metric;
use crate::output::Value;
use crate::resource::ResourceKind;
use crate::sku::{self, DerivedMetric, VmSize};
use crate::suggestion::did_you_mean;
use crate::view::figures::{self, FigureCell, hidden, plain};

/// What totals are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Account,
    Domain,
    Project,
    Offering,
    Zone,
    Sku,
    Resource,
    Vm,
    Volume,
    DiskOffering,
    Metric,
    Month,
    Day,
}

const ALL: [By; 13] = [
    By::Account,
    By::Domain,
    By::Project,
    By::Offering,
    By::Zone,
    By::Sku,
    By::Resource,
    By::Vm,
    By::Volume,
    By::DiskOffering,
    By::Metric,
    By::Month,
    By::Day,
];

impl By {
    pub fn name(self) -> &'static str {
        match self {
            By::Account => "account",
            By::Domain => "domain",
            By::Project => "project",
            By::Offering => "offering",
            By::Zone => "zone",
            By::Sku => "sku",
            By::Resource => "resource",
            By::Vm => "vm",
            By::Volume => "volume",
            By::DiskOffering => "disk_offering",
            By::Metric => "metric",
            By::Month => "month",
            By::Day => "day",
        }
    }

    /// What dimensions have in common that cannot stand beside each other.
    fn is_of(self) -> Option<&'static str> {
        match self {
            By::Offering | By::Sku | By::DiskOffering => Some("the offering"),
            By::Resource | By::Vm | By::Volume => Some("the resource"),
            By::Account
            | By::Domain
            | By::Project
            | By::Zone
            | By::Metric
            | By::Month
            | By::Day => None,
        }
    }

    /// The kind of resources that figures are limited to.
    fn kind(self) -> Option<ResourceKind> {
        match self {
            By::Vm => Some(ResourceKind::Vm),
            By::Volume => Some(ResourceKind::Volume),
            By::Account
            | By::Domain
            | By::Project
            | By::Offering
            | By::Zone
            | By::Sku
            | By::Resource
            | By::DiskOffering
            | By::Metric
            | By::Month
            | By::Day => None,
        }
    }
}

/// Refuses dimensions that are named twice, or that cannot stand beside each other.
pub fn check_by(by: &[By]) -> anyhow::Result<()> {
    for (place, one) in by.iter().enumerate() {
        let before = &by[..place];
        ensure!(!before.contains(one), "--by names {} twice", one.name());
        let rival = before
            .iter()
            .find(|other| other.is_of().is_some() && other.is_of() == one.is_of());
        if let (Some(rival), Some(what)) = (rival, one.is_of()) {
            bail!(
                "--by names {what} twice, with {} and {}: leave one of them out",
                rival.name(),
                one.name()
            );
        }
    }
    Ok(())
}

/// What lines are limited to by these dimensions.
pub fn kind(by: &[By]) -> Option<ResourceKind> {
    by.iter().find_map(|one| one.kind())
}

/// Names what was asked for and what can be.
#[derive(Debug)]
pub struct ParseByError(String);

impl fmt::Display for ParseByError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = ALL.iter().map(|by| by.name()).collect();
        write!(
            f,
            "{:?} is no dimension: write some of {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for ParseByError {}

impl FromStr for By {
    type Err = ParseByError;

    fn from_str(text: &str) -> Result<By, ParseByError> {
        let known = ALL.into_iter().find(|by| by.name() == text);
        known.ok_or_else(|| ParseByError(text.to_owned()))
    }
}

/// The ledger's dimensions for these. Day wins over month.
pub fn dimensions(by: &[By]) -> Dimensions {
    let has = |one: By| by.contains(&one);
    Dimensions {
        account: has(By::Account),
        domain: has(By::Domain),
        project: has(By::Project),
        offering: has(By::Offering),
        zone: has(By::Zone),
        sku: has(By::Sku),
        disk_offering: has(By::DiskOffering),
        resource: has(By::Resource) || has(By::Vm) || has(By::Volume),
        time: match (has(By::Day), has(By::Month)) {
            (true, _) => Granularity::Day,
            (false, true) => Granularity::Month,
            (false, false) => Granularity::Total,
        },
    }
}

/// Every account, or those named by uuid, project or name, with all their days; if a domain is given, with the days on
/// which they were in it or below it, and with what is to be said about its path.
pub fn select_accounts(
    snapshot: &Snapshot,
    names: &[String],
    domain: Option<&str>,
) -> anyhow::Result<Result<(Selection, Option<String>), String>> {
    let mut only: Option<BTreeSet<i64>> = None;
    for name in names {
        match find_one(snapshot, name)? {
            Ok(one) => only.get_or_insert_default().insert(one.id),
            Err(why) => return Ok(Err(why)),
        };
    }
    let filter = AccountFilter {
        only: only.as_ref(),
        ..AccountFilter::default()
    };
    let accounts = list_accounts(snapshot, filter, Page::default())?;
    let mut selection = Selection::whole(snapshot, accounts)?;
    let mut ambiguity = None;
    if let Some(text) = domain {
        let domains = Domains::load(snapshot)?;
        let Some(found) = domains.find(snapshot, text)? else {
            let nearest = did_you_mean(&domain_path(text), domains.paths());
            return Ok(Err(format!(
                "no domain has the uuid or path {text:?}{nearest}"
            )));
        };
        selection.keep_in(&found);
        ambiguity = found.ambiguity();
        if selection.accounts.is_empty() {
            return Ok(Err(format!(
                "none of the accounts has been in the domain {text:?}"
            )));
        }
    }
    Ok(Ok((selection, ambiguity)))
}

/// Refuses what is not the name of a metric.
pub fn check_metrics(names: &[String]) -> anyhow::Result<()> {
    for name in names {
        sku::check_metric(name).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// Sorts figures in the order of their dimensions. With a number of figures wanted, metric by metric the largest.
pub fn arrange(figures: &mut Vec<Figure>, by: &[By], top: Option<usize>) {
    figures.sort_by_cached_key(|figure| {
        let keys = with_metric(by).into_iter().map(|by| key(by, figure));
        keys.collect::<Vec<_>>()
    });
    let Some(top) = top else {
        return;
    };
    figures.sort_by(|one, other| {
        let metrics = one.metric.name.cmp(&other.metric.name);
        metrics.then(other.quantity.total_cmp(&one.quantity))
    });
    let largest = figures
        .chunk_by(|one, other| one.metric == other.metric)
        .flat_map(|of_metric| of_metric.iter().take(top).cloned());
    *figures = largest.collect();
}

/// A figure always has a metric: it comes last if it is not among the dimensions.
fn with_metric(by: &[By]) -> Vec<By> {
    let mut by = by.to_vec();
    if !by.contains(&By::Metric) {
        by.push(By::Metric);
    }
    by
}

fn key(by: By, figure: &Figure) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let facts = |facts: &Option<Rc<ResourceFacts>>| {
        let facts = facts.as_ref();
        [
            text(facts.map(|one| one.name.as_str())),
            text(facts.map(|one| one.uuid.as_str())),
        ]
    };
    // As wide as the largest number, so that texts are in the order of numbers.
    let number =
        |part: Option<NonZeroU32>| part.map_or_else(String::new, |part| format!("{part:010}"));
    let who = &figure.who;
    match by {
        By::Account => vec![
            text(who.account.map(|account| account.name.as_str())),
            text(who.account.map(|account| account.uuid.as_str())),
        ],
        By::Domain => vec![text(who.domain_path), text(who.domain_uuid)],
        By::Project => vec![text(who.project_name), text(who.project_uuid)],
        By::Offering | By::DiskOffering => facts(&figure.offering).to_vec(),
        By::Zone => facts(&figure.zone).to_vec(),
        By::Sku => {
            let size = figure.size;
            let size = [size.vcpus, size.mhz, size.memory_mib].map(number);
            [&facts(&figure.offering)[..], &facts(&figure.zone), &size].concat()
        }
        By::Resource | By::Vm | By::Volume => facts(&figure.resource).to_vec(),
        By::Metric => vec![figure.metric.name.clone()],
        By::Month => vec![
            figure
                .month
                .map_or_else(String::new, |month| month.to_string()),
        ],
        By::Day => vec![figure.day.map_or_else(String::new, |day| day.to_string())],
    }
}

/// Whether hours of small VMs and of large ones may be in one of these figures, which nobody has asked for.
pub fn adds_up_offerings(by: &[By], figures: &[Figure]) -> bool {
    let by_account_alone = by == [By::Account];
    let is_per_offering = |figure: &Figure| {
        let name = &figure.metric.name;
        let derived = DerivedMetric::of_name(name).map(DerivedMetric::base);
        let metric = derived.or(Metric::of_name(name));
        metric.is_some_and(|metric| metric.per().is_some())
    };
    by_account_alone && figures.iter().any(is_per_offering)
}

/// What a report by these dimensions shows of each figure.
pub fn cells(by: &[By]) -> Vec<FigureCell> {
    let mut cells = Vec::new();
    for one in with_metric(by) {
        match one {
            By::Account => {
                cells.extend([figures::ACCOUNT_NAME, figures::ACCOUNT_UUID]);
                if !by.contains(&By::Domain) {
                    cells.extend([hidden(figures::DOMAIN_PATH), figures::DOMAIN_UUID]);
                }
                if !by.contains(&By::Project) {
                    cells.extend([hidden(figures::PROJECT_NAME), figures::PROJECT_UUID]);
                }
            }
            // An account has its domain.
            By::Domain if by.contains(&By::Account) => {
                cells.extend([plain(figures::DOMAIN_PATH), figures::DOMAIN_UUID]);
            }
            By::Domain => cells.extend([figures::DOMAIN_PATH, figures::DOMAIN_UUID]),
            By::Project => cells.extend([figures::PROJECT_NAME, figures::PROJECT_UUID]),
            // Under these names before the ledger knew VMs, volumes and addresses, which have them now.
            By::Offering if !dimensions(by).resource => cells.extend([
                figures::RECORD_NAME,
                figures::RECORD_UUID,
                figures::RECORD_KIND,
            ]),
            By::Offering => cells.extend([
                figures::OFFERING_NAME,
                figures::OFFERING_UUID,
                figures::OFFERING_KIND,
            ]),
            By::DiskOffering => cells.extend([figures::OFFERING_NAME, figures::OFFERING_UUID]),
            By::Zone => cells.extend([figures::ZONE_NAME, figures::ZONE_UUID]),
            By::Sku => {
                cells.extend([figures::OFFERING_NAME, figures::OFFERING_UUID]);
                if !by.contains(&By::Zone) {
                    cells.extend([figures::ZONE_NAME, figures::ZONE_UUID]);
                }
                cells.extend([figures::VCPUS, figures::MHZ, figures::MEMORY_MIB]);
            }
            By::Resource | By::Vm | By::Volume => cells.extend([
                figures::RESOURCE_NAME,
                figures::RESOURCE_UUID,
                match kind(by) {
                    Some(_) => hidden(figures::RESOURCE_KIND),
                    None => figures::RESOURCE_KIND,
                },
                figures::CLOUDSTACK_ID,
            ]),
            By::Metric => cells.push(figures::METRIC),
            By::Month => cells.push(figures::MONTH),
            By::Day => cells.push(figures::DAY),
        }
    }
    cells.extend([figures::QUANTITY, figures::UNIT]);
    // The share of a day in its month is for programs, which add it up.
    match by.contains(&By::Day) {
        true => cells.extend([hidden(figures::GIB_MONTHS), figures::GIB_HELD]),
        false => cells.push(figures::GIB_MONTHS),
    }
    cells
}

/// Adds a column to rows of `figures`, each with its days drawn; `daily` are the same by day.
pub fn draw_days(
    rows: &mut [Vec<Value>],
    figures: &[Figure],
    daily: &[Figure],
    range: DayRange,
    missing: &[Day],
) {
    let mut of_days: BTreeMap<Same, BTreeMap<Day, f64>> = BTreeMap::new();
    for figure in daily {
        if let Some(day) = figure.day {
            let days = of_days.entry(same(figure)).or_default();
            days.insert(day, figure.quantity);
        }
    }
    for (row, figure) in rows.iter_mut().zip(figures) {
        let quantities = of_days.get(&same(figure));
        let quantity = |day| quantities.and_then(|days| days.get(&day)).copied();
        let heights = range
            .days()
            .map(|day| (!missing.contains(&day)).then(|| quantity(day).unwrap_or(0.0)))
            .collect();
        row.push(Value::Chart(heights));
    }
}

/// What figures of one row have in common, whatever their days: uuids of account, domain and project, metric, uuids
/// of zone, offering and resource, size.
type Same<'a> = ([Option<&'a str>; 3], &'a str, [Option<&'a str>; 3], VmSize);

fn same<'a>(figure: &'a Figure) -> Same<'a> {
    let who = &figure.who;
    let account = who.account.map(|account| account.uuid.as_str());
    let uuid = |facts: &'a Option<Rc<ResourceFacts>>| facts.as_ref().map(|one| one.uuid.as_str());
    (
        [account, who.domain_uuid, who.project_uuid],
        &figure.metric.name,
        [&figure.zone, &figure.offering, &figure.resource].map(uuid),
        figure.size,
    )
}
