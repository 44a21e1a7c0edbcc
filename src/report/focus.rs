//! Usage in the shape of the FinOps Open Cost and Usage Specification (FOCUS) 1.2: the columns that a ledger of
//! usage can fill honestly. There are no costs in it, so it is no FOCUS data set by itself; whoever has the prices
//! joins them by `SkuId` and `SkuMeter`.

use crate::day::{Day, DayRange};
use crate::instant::Utc;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::corrections::StoredCorrection;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::Figure;
use crate::metric::GIB;
use crate::metric::Metric;
use crate::month::Month;
use crate::output::{Column, Document, Unit, Value};
use crate::zones::Zones;

/// In the order of the alphabet, as the specification has them.
const COLUMNS: [&str; 18] = [
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
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuMeter",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
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
    resource: Option<(&'a str, &'a str)>,
    quantity: f64,
}

/// A row for each account, day, metric and resource, and one for each correction that was found in the period
/// while its day was sealed; `selection` has the accounts of these, on whatever day. A row has the domain of its day.
pub fn document(
    figures: &[Figure],
    corrections: &[(StoredCorrection, Day)],
    selection: &Selection,
    zones: &Zones,
) -> anyhow::Result<Document> {
    let mut rows = Vec::with_capacity(figures.len() + corrections.len());
    for figure in figures {
        let (Some(account), Some(day)) = (figure.who.account, figure.day) else {
            continue;
        };
        let resource = figure.resource.as_ref();
        let charge = Charge {
            day,
            month: Month::of(day),
            correction: false,
            account,
            domain_path: figure.who.domain_path,
            metric: &figure.metric.name,
            unit: &figure.metric.unit,
            resource: resource.map(|one| (one.uuid.as_str(), one.name.as_str())),
            quantity: figure.quantity,
        };
        rows.push(row(&charge, zones)?);
    }
    for (correction, found) in corrections {
        let same = |account: &&Account| account.uuid == correction.account_uuid;
        let Some(account) = selection.accounts.iter().find(same) else {
            continue;
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
            resource: uuid.as_deref().zip(name.as_deref()),
            quantity: correction.delta,
        };
        rows.push(row(&charge, zones)?);
    }
    Ok(Document {
        rows_name: "charges",
        columns: COLUMNS.map(|name| Column::shown(name, name)).to_vec(),
        rows,
        ..Document::default()
    })
}

fn row(charge: &Charge, zones: &Zones) -> anyhow::Result<Vec<Value>> {
    let midnight = |day: Day| -> anyhow::Result<Value> {
        Ok(Value::Text(Utc::at(zones.midnight(day))?.to_string()))
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let (quantity, unit) = consumed(charge.quantity, charge.unit);
    let what = charge
        .resource
        .map_or(charge.metric.to_owned(), |(_, name)| {
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
        text(service_category(charge.metric)),
        text("CloudStack"),
        // The specification wants one of every charge.
        text(charge.resource.map_or(charge.metric, |(uuid, _)| uuid)),
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

/// The quantity in a unit as the specification writes units. A division by 2^30 changes no digit of a float.
fn consumed(quantity: f64, unit: &str) -> (f64, &'static str) {
    match unit {
        "hours" => (quantity, "Hours"),
        "bytes" => (quantity, "B"),
        "byte-hours" => (quantity / GIB, "GiB-Hours"),
        "requests" => (quantity, "Requests"),
        _ => (quantity, "Units"),
    }
}

fn tags(domain_path: &str) -> anyhow::Result<String> {
    Ok(serde_json::json!({ "cloudstack/domain": domain_path }).to_string())
}

/// One of the specification's categories.
fn service_category(metric: &str) -> &'static str {
    let Some(metric) = Metric::of_name(metric) else {
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
) -> anyhow::Result<Vec<(StoredCorrection, Day)>> {
    let mut found = Vec::new();
    for correction in corrections {
        let day = zones.day_at(correction.corrected_at.parse::<Utc>()?.unix())?;
        if range.contains(day) {
            found.push((correction, day));
        }
    }
    Ok(found)
}
