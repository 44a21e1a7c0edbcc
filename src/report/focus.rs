//! Usage in the shape of the FinOps Open Cost and Usage Specification (FOCUS) 1.2: the columns that a ledger of
//! usage can fill honestly, and those of costs where there is a price file. Whoever has the prices elsewhere joins them by
//! `SkuId`, or by `SkuMeter` and parts of it.

use std::num::NonZeroU32;
use std::rc::Rc;

use anyhow::ensure;

use crate::day::{Day, DayRange};
use crate::instant::Utc;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::corrections::StoredCorrection;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{Figure, ResourceFacts};
use crate::metric::GIB;
use crate::metric::Metric;
use crate::month::Month;
use crate::output::{Column, Document, Unit, Value};
use crate::resource::ResourceKind;
use crate::sku::{DerivedMetric, VmSize};
use crate::statement::{DayCost, DayPrice, StatementLine};
use crate::zones::Zones;

/// In the order of the alphabet, as the specification has them.
const COLUMNS: [&str; 23] = [
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuMeter",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
];

/// What there is beside these where there are prices, in the same order.
const COST_COLUMNS: [&str; 9] = [
    "BilledCost",
    "BillingCurrency",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
];

/// One charge without its cost.
struct Charge<'a> {
    day: Day,
    /// The month it is billed in.
    month: Month,
    correction: bool,
    account: &'a Account,
    domain_path: Option<&'a str>,
    metric: &'a str,
    unit: &'a str,
    offering: Option<(&'a str, &'a str)>,
    zone: Option<(&'a str, &'a str)>,
    size: VmSize,
    resource: Option<&'a ResourceFacts>,
    quantity: f64,
}

/// A correction, and the day on which it was found.
pub type Found = (StoredCorrection, Day);

/// A row for each account, day, metric, SKU and resource, and one for each correction that was found in the period
/// while its day was sealed; `selection` has the accounts of these, on whatever day. A row has the domain of its day.
pub fn document(
    figures: &[Figure],
    corrections: &[Found],
    selection: &Selection,
    zones: &Zones,
) -> anyhow::Result<Document> {
    let mut rows = Vec::with_capacity(figures.len() + corrections.len());
    for figure in figures {
        rows.extend(figure_row(figure, zones)?);
    }
    for found in corrections {
        rows.extend(correction_row(found, selection, zones)?);
    }
    Ok(Document {
        rows_name: "charges",
        columns: COLUMNS.map(|name| Column::shown(name, name)).to_vec(),
        rows,
        ..Document::default()
    })
}

/// `None`: it is not of one account and day.
pub fn figure_row(figure: &Figure, zones: &Zones) -> anyhow::Result<Option<Vec<Value>>> {
    let (Some(account), Some(day)) = (figure.who.account, figure.day) else {
        return Ok(None);
    };
    let charge = Charge {
        day,
        month: Month::of(day),
        correction: false,
        account,
        domain_path: figure.who.domain_path,
        metric: &figure.metric.name,
        unit: &figure.metric.unit,
        offering: names(&figure.offering),
        zone: names(&figure.zone),
        size: figure.size,
        resource: figure.resource.as_deref(),
        quantity: figure.quantity,
    };
    Ok(Some(row(&charge, zones)?))
}

/// `None`: its account is not asked for.
pub fn correction_row(
    (correction, found): &Found,
    selection: &Selection,
    zones: &Zones,
) -> anyhow::Result<Option<Vec<Value>>> {
    let same = |account: &&Account| account.uuid == correction.account_uuid;
    let Some(account) = selection.accounts.iter().find(same) else {
        return Ok(None);
    };
    let domain = selection.domain_on(account.id, correction.day);
    let (uuid, name) = (&correction.resource_uuid, &correction.resource_name);
    let charge = Charge {
        day: correction.day,
        month: Month::of(*found),
        correction: true,
        account,
        domain_path: domain.and_then(|domain| domain.path.as_deref()),
        metric: &correction.metric,
        unit: &correction.unit,
        offering: uuid.as_deref().zip(name.as_deref()),
        // A correction is about all that an account used of an offering.
        zone: None,
        size: VmSize::default(),
        resource: None,
        quantity: correction.delta,
    };
    Ok(Some(row(&charge, zones)?))
}

/// A line of a correction. `None`: nobody knows the quantity.
pub fn line_row(
    line: &StatementLine,
    found: Day,
    selection: &Selection,
    zones: &Zones,
) -> anyhow::Result<Option<Vec<Value>>> {
    let Some(quantity) = line.quantity else {
        return Ok(None);
    };
    let day = line.days.first();
    let domain = selection.domain_on(line.account.id, day);
    let charge = Charge {
        day,
        month: Month::of(found),
        correction: true,
        account: &line.account,
        domain_path: domain.and_then(|domain| domain.path.as_deref()),
        metric: &line.metric,
        unit: &line.metric_unit,
        offering: names(&line.sku.offering),
        zone: names(&line.sku.zone),
        size: line.sku.size,
        resource: line.resource.as_deref(),
        quantity,
    };
    Ok(Some(row(&charge, zones)?))
}

/// The columns of charges with costs.
pub fn columns_with_costs() -> Vec<Column> {
    let mut names = [&COLUMNS[..], &COST_COLUMNS].concat();
    names.sort_unstable();
    names.iter().map(|name| Column::shown(name, name)).collect()
}

/// A row with what it costs: 0 without a price.
pub fn with_cost(row: Vec<Value>, cost: &DayCost) -> anyhow::Result<Vec<Value>> {
    let decimal = |digits: &str| Value::Decimal(digits.to_owned());
    let priced = cost.priced.as_ref();
    let part = |of: fn(&DayPrice) -> &str| priced.map_or(Value::Nothing, |one| decimal(of(one)));
    let or_0 = |value: Value| match value {
        Value::Nothing => decimal("0"),
        value => value,
    };
    let costs = [
        decimal(&cost.billed),
        Value::Text(cost.currency.clone()),
        or_0(part(|one| &one.contracted_cost)),
        part(|one| &one.contracted_price),
        decimal(&cost.billed),
        or_0(part(|one| &one.list_cost)),
        part(|one| &one.list_price),
        part(|one| &one.quantity),
        Value::text(priced.map(|one| one.unit)),
    ];
    ensure!(row.len() == COLUMNS.len(), "a row of other columns");
    let usage = COLUMNS.into_iter().zip(row);
    let mut cells: Vec<(&str, Value)> = usage.chain(COST_COLUMNS.into_iter().zip(costs)).collect();
    cells.sort_by_key(|(name, _)| *name);
    Ok(cells.into_iter().map(|(_, value)| value).collect())
}

fn names(facts: &Option<Rc<ResourceFacts>>) -> Option<(&str, &str)> {
    let facts = facts.as_ref();
    facts.map(|one| (one.uuid.as_str(), one.name.as_str()))
}

fn row(charge: &Charge, zones: &Zones) -> anyhow::Result<Vec<Value>> {
    let midnight = |day: Day| -> anyhow::Result<Value> {
        Ok(Value::Text(Utc::at(zones.midnight(day))?.to_string()))
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let (quantity, unit) = consumed(charge.quantity, charge.unit);
    let name = charge.resource.map(|one| one.name.as_str());
    let name = name.or(charge.offering.map(|(_, name)| name));
    let what = name.map_or(charge.metric.to_owned(), |name| {
        format!("{} of {name}", charge.metric)
    });
    let project = charge.account.project_uuid.is_some();
    Ok(vec![
        midnight(charge.month.next().first_day())?,
        midnight(charge.month.first_day())?,
        text("Usage"),
        if charge.correction {
            text("Correction")
        } else {
            Value::Nothing
        },
        Value::Text(format!("{what} on {}", charge.day)),
        text("Usage-Based"),
        midnight(charge.day.next())?,
        midnight(charge.day)?,
        Value::Quantity(quantity, Unit::Exact),
        text(unit),
        Value::text(charge.zone.map(|(uuid, _)| uuid)),
        Value::text(charge.zone.map(|(_, name)| name)),
        Value::text(charge.resource.map(|one| one.uuid.as_str())),
        Value::text(charge.resource.map(|one| one.name.as_str())),
        Value::text(charge.resource.map(|one| resource_type(&one.kind))),
        text(service_category(charge.metric)),
        text("CloudStack"),
        Value::Text(sku_id(charge)),
        text(charge.metric),
        text(&charge.account.uuid),
        text(
            charge
                .account
                .project_name
                .as_deref()
                .unwrap_or(&charge.account.name),
        ),
        text(if project { "Project" } else { "Account" }),
        Value::text(charge.domain_path.map(tags).transpose()?),
    ])
}

/// What identifies a SKU, whatever it is called: metric, offering, zone, vCPUs × MHz, MiB. A part that there is not, or
/// that is not known, is empty.
fn sku_id(charge: &Charge) -> String {
    let uuid =
        |names: Option<(&str, &str)>| names.map_or(String::new(), |(uuid, _)| uuid.to_owned());
    let number = |part: Option<NonZeroU32>| part.map_or(String::new(), |part| part.to_string());
    let size = charge.size;
    let processors = match (size.vcpus, size.mhz) {
        (None, None) => String::new(),
        (vcpus, mhz) => format!("{}x{}", number(vcpus), number(mhz)),
    };
    let parts = [
        charge.metric.to_owned(),
        uuid(charge.offering),
        uuid(charge.zone),
        processors,
        number(size.memory_mib),
    ];
    parts.join("/").trim_end_matches('/').to_owned()
}

/// In words, as the specification wants it.
fn resource_type(kind: &str) -> &str {
    let kind = ResourceKind::ALL.into_iter().find(|one| one.name() == kind);
    match kind {
        Some(ResourceKind::Vm) => "Virtual Machine",
        Some(ResourceKind::IpAddress) => "IP Address",
        Some(ResourceKind::Network) => "Network",
        Some(ResourceKind::Router) => "Virtual Router",
        Some(ResourceKind::Volume) => "Volume",
        Some(ResourceKind::Template) => "Template",
        Some(ResourceKind::Iso) => "ISO",
        Some(ResourceKind::Snapshot) => "Snapshot",
        Some(ResourceKind::SecurityGroup) => "Security Group",
        Some(ResourceKind::LoadBalancerRule) => "Load Balancer Rule",
        Some(ResourceKind::PortForwardingRule) => "Port Forwarding Rule",
        Some(ResourceKind::VpnUser) => "VPN User",
        Some(ResourceKind::VmSnapshot) => "VM Snapshot",
        Some(ResourceKind::Bucket) => "Bucket",
        Some(ResourceKind::Vpc) => "VPC",
        Some(ResourceKind::Other) | None => "Other",
    }
}

/// The quantity in a unit as the specification writes units. A division by 2^30 changes no digit of a float.
fn consumed(quantity: f64, unit: &str) -> (f64, &'static str) {
    match unit {
        "hours" => (quantity, "Hours"),
        "bytes" => (quantity, "B"),
        "byte-hours" => (quantity / GIB, "GiB-Hours"),
        "requests" => (quantity, "Requests"),
        "vcpu-hours" => (quantity, "vCPU-Hours"),
        _ => (quantity, "Units"),
    }
}

fn tags(domain_path: &str) -> anyhow::Result<String> {
    Ok(serde_json::json!({ "cloudstack/domain": domain_path }).to_string())
}

/// One of the specification's categories.
fn service_category(metric: &str) -> &'static str {
    let derived = DerivedMetric::of_name(metric).map(DerivedMetric::base);
    let Some(metric) = derived.or(Metric::of_name(metric)) else {
        return "Other";
    };
    match metric {
        Metric::VmRunning | Metric::VmAllocated => "Compute",
        Metric::IpAddressAllocated
        | Metric::NetworkBytesSent
        | Metric::NetworkBytesReceived
        | Metric::SecurityGroup
        | Metric::LoadBalancerPolicy
        | Metric::PortForwardingRule
        | Metric::NetworkOffering
        | Metric::VpnUser
        | Metric::Network
        | Metric::Vpc => "Networking",
        Metric::PrimaryByteHours
        | Metric::SecondaryByteHours
        | Metric::DiskReadRequests
        | Metric::DiskWriteRequests
        | Metric::DiskBytesRead
        | Metric::DiskBytesWritten
        | Metric::VmSnapshotByteHours
        | Metric::VolumeSecondaryByteHours
        | Metric::VmSnapshotOnPrimaryByteHours
        | Metric::BackupByteHours
        | Metric::BucketByteHours => "Storage",
        Metric::OsUsage | Metric::UsageType(_) | Metric::UntypedUsage => "Other",
    }
}

/// The corrections whose finding falls into a range of days, each with the day it was found on.
pub fn found_within(
    corrections: Vec<StoredCorrection>,
    range: DayRange,
    zones: &Zones,
) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for correction in corrections {
        let day = zones.day_at(correction.corrected_at.parse::<Utc>()?.unix())?;
        if range.contains(day) {
            found.push((correction, day));
        }
    }
    Ok(found)
}
