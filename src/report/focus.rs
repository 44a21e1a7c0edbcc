//! Usage in the shape of the FinOps Open Cost and Usage Specification (FOCUS) 1.2: the columns that a ledger of
//! usage can fill honestly, and those of costs where there is a price file. Whoever has the prices elsewhere joins them by
//! `SkuId`, or by `SkuMeter` and parts of it.

mod values;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::rc::Rc;

use anyhow::ensure;

use crate::config::FocusNames;
use crate::day::{Day, DayRange};
use crate::instant::Utc;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::corrections::StoredCorrection;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{Figure, ResourceFacts};
use crate::month::Month;
use crate::output::{Column, Document, Unit, Value};
use crate::sku::VmSize;
use crate::statement::{DayCost, DayPrice, StatementLine};
use crate::zones::Zones;
use values::{consumed, resource_type, service_category};

/// In the order of the alphabet, as the specification has them.
const COLUMNS: [&str; 29] = [
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
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
    "InvoiceIssuerName",
    "ProviderName",
    "PublisherName",
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
const COST_COLUMNS: [&str; 16] = [
    "BilledCost",
    "BillingCurrency",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "SkuPriceId",
];

/// What all rows share.
#[derive(Clone, Copy)]
pub struct RowContext<'a> {
    pub zones: &'a Zones,
    pub names: &'a FocusNames,
}

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
    context: RowContext,
) -> anyhow::Result<Document> {
    let mut rows = Vec::with_capacity(figures.len() + corrections.len());
    for figure in figures {
        rows.extend(figure_row(figure, context)?);
    }
    for found in corrections {
        rows.extend(correction_row(found, selection, context)?);
    }
    Ok(Document {
        rows_name: "charges",
        columns: COLUMNS.map(|name| Column::shown(name, name)).to_vec(),
        rows,
        ..Document::default()
    })
}

/// `None`: it is not of one account and day.
pub fn figure_row(figure: &Figure, context: RowContext) -> anyhow::Result<Option<Vec<Value>>> {
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
    Ok(Some(row(&charge, context)?))
}

/// `None`: its account is not asked for.
pub fn correction_row(
    (correction, found): &Found,
    selection: &Selection,
    context: RowContext,
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
    Ok(Some(row(&charge, context)?))
}

/// A line of a correction. `None`: nobody knows the quantity.
pub fn line_row(
    line: &StatementLine,
    found: Day,
    selection: &Selection,
    context: RowContext,
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
    Ok(Some(row(&charge, context)?))
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
    ensure!(row.len() == COLUMNS.len(), "a row of other columns");
    let mut usage: BTreeMap<&str, Value> = COLUMNS.into_iter().zip(row).collect();
    // The name of a SKU's price is the same whatever the price is, for whom, and from when on.
    let sku_price = match (priced, usage.get("SkuId")) {
        (Some(_), Some(sku)) => sku.clone(),
        (Some(_) | None, _) => Value::Nothing,
    };
    let costs = [
        decimal(&cost.billed),
        Value::Text(cost.currency.clone()),
        // Nobody commits to anything here.
        Value::Nothing,
        Value::Nothing,
        Value::Nothing,
        Value::Nothing,
        Value::Nothing,
        or_0(part(|one| &one.contracted_cost)),
        part(|one| &one.contracted_price),
        decimal(&cost.billed),
        or_0(part(|one| &one.list_cost)),
        part(|one| &one.list_price),
        Value::text(priced.map(|_| "Standard")),
        part(|one| &one.quantity),
        Value::text(priced.map(|one| one.unit)),
        sku_price,
    ];
    usage.extend(COST_COLUMNS.into_iter().zip(costs));
    Ok(usage.into_values().collect())
}

fn names(facts: &Option<Rc<ResourceFacts>>) -> Option<(&str, &str)> {
    let facts = facts.as_ref();
    facts.map(|one| (one.uuid.as_str(), one.name.as_str()))
}

fn row(charge: &Charge, context: RowContext) -> anyhow::Result<Vec<Value>> {
    let midnight = |day: Day| -> anyhow::Result<Value> {
        Ok(Value::Text(
            Utc::at(context.zones.midnight(day))?.to_string(),
        ))
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let (quantity, unit) = consumed(charge.quantity, charge.unit);
    let name = charge.resource.map(|one| one.name.as_str());
    let name = name.or(charge.offering.map(|(_, name)| name));
    let what = name.map_or(charge.metric.to_owned(), |name| {
        format!("{} of {name}", charge.metric)
    });
    let account_name = charge.account.project_name.as_deref();
    let account_name = account_name.unwrap_or(&charge.account.name);
    let account_type = match charge.account.project_uuid {
        Some(_) => "Project",
        None => "Account",
    };
    let names = context.names;
    Ok(vec![
        text(&charge.account.uuid),
        text(account_name),
        text(account_type),
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
        Value::text(names.invoice_issuer.as_deref()),
        Value::text(names.provider.as_deref()),
        Value::text(names.publisher.as_deref()),
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
        text(account_name),
        text(account_type),
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

fn tags(domain_path: &str) -> anyhow::Result<String> {
    Ok(serde_json::json!({ "cloudstack/domain": domain_path }).to_string())
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
