//! One row of `cloud_usage` as a plain struct, written by column name and only with the columns that the
//! release has.

use super::Version;

/// One row of `cloud_usage`. Dates are `YYYY-MM-DD HH:MM:SS` in GMT, the end inclusive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageRow {
    pub zone_id: u64,
    pub account_id: u64,
    pub domain_id: u64,
    pub description: String,
    pub usage_display: String,
    pub usage_type: u32,
    pub raw_usage: f64,
    pub vm_instance_id: Option<u64>,
    pub vm_name: Option<String>,
    pub offering_id: Option<u64>,
    pub template_id: Option<u64>,
    pub usage_id: Option<u64>,
    /// The column `type`: hypervisor, device type, `SourceNat`.
    pub kind: Option<String>,
    pub size: Option<u64>,
    pub network_id: Option<u64>,
    pub start: String,
    pub end: String,
    pub virtual_size: Option<u64>,
    pub cpu_speed: Option<u32>,
    pub cpu_cores: Option<u32>,
    pub memory: Option<u32>,
    pub is_hidden: bool,
    pub state: Option<String>,
}

impl UsageRow {
    /// 24 hours of something, over a whole day in GMT.
    pub fn of_day(day: &str, usage_type: u32, account_id: u64, usage_id: u64) -> UsageRow {
        UsageRow {
            zone_id: 1,
            account_id,
            domain_id: 1,
            usage_type,
            raw_usage: 24.0,
            usage_display: "24 Hrs".to_owned(),
            usage_id: Some(usage_id),
            start: format!("{day} 00:00:00"),
            end: format!("{day} 23:59:59"),
            ..UsageRow::default()
        }
    }

    /// A virtual machine: 1 running, 2 allocated.
    pub fn of_vm(day: &str, usage_type: u32, account_id: u64, vm: u64, offering: u64) -> UsageRow {
        UsageRow {
            vm_instance_id: Some(vm),
            offering_id: Some(offering),
            template_id: Some(1),
            kind: Some("KVM".to_owned()),
            ..UsageRow::of_day(day, usage_type, account_id, vm)
        }
    }

    /// The columns that this release has, with their values as SQL literals.
    pub(super) fn columns(&self, id: u64, version: Version) -> Vec<(&'static str, String)> {
        let mut columns = vec![
            ("id", id.to_string()),
            ("zone_id", self.zone_id.to_string()),
            ("account_id", self.account_id.to_string()),
            ("domain_id", self.domain_id.to_string()),
            ("description", quoted(&self.description)),
            ("usage_display", quoted(&self.usage_display)),
            ("usage_type", self.usage_type.to_string()),
            // With an exponent, or MariaDB reads a DECIMAL.
            ("raw_usage", format!("{:e}", self.raw_usage)),
            ("vm_instance_id", number(self.vm_instance_id)),
            ("vm_name", text(&self.vm_name)),
            ("offering_id", number(self.offering_id)),
            ("template_id", number(self.template_id)),
            ("usage_id", number(self.usage_id)),
            ("type", text(&self.kind)),
            ("size", number(self.size)),
            ("network_id", number(self.network_id)),
            ("start_date", quoted(&self.start)),
            ("end_date", quoted(&self.end)),
        ];
        if version >= Version::V4_2 {
            columns.push(("virtual_size", number(self.virtual_size)));
        }
        if version >= Version::V4_4 {
            columns.push(("cpu_speed", number(self.cpu_speed)));
            columns.push(("cpu_cores", number(self.cpu_cores)));
            columns.push(("memory", number(self.memory)));
        }
        if version >= Version::V4_15 {
            columns.push(("is_hidden", u8::from(self.is_hidden).to_string()));
        }
        if version >= Version::V4_19_1 {
            columns.push(("state", text(&self.state)));
        }
        columns
    }
}

fn number<T: ToString>(value: Option<T>) -> String {
    value.map_or("null".to_owned(), |value| value.to_string())
}

fn text(value: &Option<String>) -> String {
    value.as_deref().map_or("null".to_owned(), quoted)
}

/// A text as an SQL literal.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
