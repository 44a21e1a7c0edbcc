//! What the world is made of: machines, addresses, templates, and the hours of each.

use crate::sample::catalog::{ComputeSize, SampleAccount};
use crate::sample::period::{self, Span};

/// Everything that `cloud` has rows for beyond the catalog, and everything that has usage.
pub struct World {
    pub vms: Vec<SampleVm>,
    pub addresses: Vec<Address>,
    pub templates: Vec<OwnedTemplate>,
    pub lifetimes: Vec<Lifetime>,
}

/// A virtual machine, a network's router among them.
pub struct SampleVm {
    pub id: i64,
    pub account: SampleAccount,
    pub name: String,
    pub instance_name: String,
    pub is_router: bool,
    pub template_id: i64,
    pub guest_os_id: i64,
    /// As of the last day.
    pub service_offering_id: i64,
    pub life: Span,
}

pub struct Address {
    pub id: i64,
    pub account: SampleAccount,
    pub text: String,
    pub is_source_nat: bool,
    pub is_system: bool,
    pub network_id: i64,
    pub allocated: i64,
}

/// A template or an ISO that belongs to a customer.
pub struct OwnedTemplate {
    pub id: i64,
    pub account: SampleAccount,
    pub name: String,
    pub format: &'static str,
    pub guest_os_id: i64,
    pub created: i64,
}

/// Something that the usage server writes a row a window for, for as long as it lives.
#[derive(Clone)]
pub struct Lifetime {
    pub account: SampleAccount,
    pub zone_id: i64,
    /// CloudStack's number of the usage type.
    pub usage_type: i64,
    pub usage_id: i64,
    /// When it was there, in order.
    pub spans: Vec<Span>,
    pub amount: Amount,
    pub description: String,
    pub vm_id: Option<i64>,
    pub vm_name: Option<String>,
    pub offering_id: Option<i64>,
    pub template_id: Option<i64>,
    /// The column `type`.
    pub kind: Option<&'static str>,
    /// Bytes, but a flag for an IP address.
    pub size: Option<i64>,
    pub virtual_bytes: Option<i64>,
    pub network_id: Option<i64>,
    pub compute: Option<ComputeSize>,
    pub is_hidden: bool,
}

#[derive(Clone, Copy)]
pub enum Amount {
    Hours,
    /// Read once a day; the unit is what the row shows after the number.
    Counter {
        per_day: i64,
        unit: &'static str,
    },
}

impl Lifetime {
    /// Hours of something that has neither size nor offering.
    pub fn new(
        account: SampleAccount,
        usage_type: i64,
        usage_id: i64,
        span: Span,
        description: String,
    ) -> Lifetime {
        Lifetime {
            account,
            zone_id: 1,
            usage_type,
            usage_id,
            spans: vec![span],
            amount: Amount::Hours,
            description,
            vm_id: None,
            vm_name: None,
            offering_id: None,
            template_id: None,
            kind: None,
            size: None,
            virtual_bytes: None,
            network_id: None,
            compute: None,
            is_hidden: false,
        }
    }
}

/// The parts of the spans that fall into `within`.
pub fn clipped(spans: &[Span], within: Span) -> Vec<Span> {
    spans
        .iter()
        .filter_map(|span| span.overlap(within))
        .collect()
}

pub fn volume_description(id: i64, made_from: &str) -> String {
    format!("Volume Id: {id} usage time ({made_from})")
}

/// So many days and seconds after the first instant of the sample.
pub fn moment(days: i64, seconds: i64) -> i64 {
    period::whole().from + days * 86_400 + seconds
}
