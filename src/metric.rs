//! What CloudStack's usage types become: metric names, units, what a metric is kept per, and how a row's
//! raw value turns into the metric's quantity. Names and units are contract: they stand in ledgers,
//! answers and invoices.

use std::borrow::Cow;

use crate::suggestion::did_you_mean;

/// Bytes of a GiB.
pub const GIB: f64 = 1_073_741_824.0;

/// What the ledger keeps a figure of. `UsageType` and `UntypedUsage` hold what has no metric of its own,
/// so that nothing the source says is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    VmRunning,
    OsUsage,
    VmAllocated,
    IpAddressAllocated,
    NetworkBytesSent,
    NetworkBytesReceived,
    PrimaryByteHours,
    SecondaryByteHours,
    SecurityGroup,
    LoadBalancerPolicy,
    PortForwardingRule,
    NetworkOffering,
    VpnUser,
    DiskReadRequests,
    DiskWriteRequests,
    DiskBytesRead,
    DiskBytesWritten,
    VmSnapshotByteHours,
    VolumeSecondaryByteHours,
    VmSnapshotOnPrimaryByteHours,
    BackupByteHours,
    BucketByteHours,
    Network,
    Vpc,
    /// A usage type this program has no meaning for; the figure is the sum of the raw values.
    UsageType(u32),
    /// A row without any usage type (the column allows NULL).
    UntypedUsage,
}

/// What kind of resource a metric is kept per: the table of `cloud` its uuid and name come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breakdown {
    ServiceOffering,
    GuestOs,
    IpAddress,
    NetworkOffering,
    BackupOffering,
    /// No metric is kept per disk offering; SKUs of disks have one.
    DiskOffering,
}

/// How one source row turns into a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// `raw_usage` as it is.
    Raw,
    /// `raw_usage` in hours × `size` in bytes.
    RawTimesSize,
    /// `raw_usage` in bytes held × the hours of the window: a gauge.
    RawTimesWindow,
}

impl Metric {
    /// The metric and measure of a usage type. Numbers are those of CloudStack's `UsageTypes`, 4.0 to
    /// 4.22.1. A running VM counts for `os_usage` as well; that is the aggregation's doing.
    pub fn of_usage_type(usage_type: Option<u32>) -> (Metric, Measure) {
        let Some(number) = usage_type else {
            return (Metric::UntypedUsage, Measure::Raw);
        };
        match number {
            1 => (Metric::VmRunning, Measure::Raw),
            2 => (Metric::VmAllocated, Measure::Raw),
            3 => (Metric::IpAddressAllocated, Measure::Raw),
            4 => (Metric::NetworkBytesSent, Measure::Raw),
            5 => (Metric::NetworkBytesReceived, Measure::Raw),
            6 => (Metric::PrimaryByteHours, Measure::RawTimesSize),
            7..=9 => (Metric::SecondaryByteHours, Measure::RawTimesSize),
            10 => (Metric::SecurityGroup, Measure::Raw),
            11 => (Metric::LoadBalancerPolicy, Measure::Raw),
            12 => (Metric::PortForwardingRule, Measure::Raw),
            13 => (Metric::NetworkOffering, Measure::Raw),
            14 => (Metric::VpnUser, Measure::Raw),
            21 => (Metric::DiskReadRequests, Measure::Raw),
            22 => (Metric::DiskWriteRequests, Measure::Raw),
            23 => (Metric::DiskBytesRead, Measure::Raw),
            24 => (Metric::DiskBytesWritten, Measure::Raw),
            25 => (Metric::VmSnapshotByteHours, Measure::RawTimesSize),
            26 => (Metric::VolumeSecondaryByteHours, Measure::RawTimesSize),
            27 => (Metric::VmSnapshotOnPrimaryByteHours, Measure::RawTimesSize),
            28 => (Metric::BackupByteHours, Measure::RawTimesSize),
            29 => (Metric::BucketByteHours, Measure::RawTimesWindow),
            30 => (Metric::Network, Measure::Raw),
            31 => (Metric::Vpc, Measure::Raw),
            other => (Metric::UsageType(other), Measure::Raw),
        }
    }

    /// The metric with a published name.
    pub fn of_name(name: &str) -> Option<Metric> {
        let numbered = || {
            name.strip_prefix("usage_type_")?
                .parse()
                .ok()
                .map(Metric::UsageType)
        };
        Metric::known()
            .find(|metric| metric.name() == name)
            .or_else(numbered)
    }

    /// Those of the usage types up to now; one without a metric of its own is among them by its number.
    fn known() -> impl Iterator<Item = Metric> {
        (1..=31)
            .map(|number| Metric::of_usage_type(Some(number)).0)
            .chain([Metric::OsUsage, Metric::UntypedUsage])
    }

    /// The metric with a published name, or why no record is kept under that name. The
    /// number of a usage type whose meaning is known is no name, but for backup rows (28), which may not be hours.
    pub fn asked_for(name: &str) -> Result<Metric, String> {
        Metric::asked_for_among(name, &[])
    }

    /// The same, where names of derived metrics may be meant as well.
    pub fn asked_for_among(name: &str, derived: &[&str]) -> Result<Metric, String> {
        let metric = Metric::of_name(name)
            .filter(|metric| metric.name() == name)
            .ok_or_else(|| {
                let numbered =
                    |metric: &Metric| matches!(metric, Metric::UsageType(_) | Metric::UntypedUsage);
                let named = Metric::known().filter(|metric| !numbered(metric));
                let known: Vec<_> = named.map(Metric::name).collect();
                let known = known.iter().map(|name| name.as_ref());
                let known = known.chain(derived.iter().copied());
                format!("no metric is called {name:?}{}", did_you_mean(name, known))
            })?;
        match metric {
            Metric::UsageType(number) if number != 28 => {
                match Metric::of_usage_type(Some(number)).0 {
                    Metric::UsageType(_) => Ok(metric),
                    known => Err(format!("{name} is kept as {}", known.name())),
                }
            }
            _ => Ok(metric),
        }
    }

    /// The published name.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Metric::VmRunning => "vm_running",
            Metric::OsUsage => "os_usage",
            Metric::VmAllocated => "vm_allocated",
            Metric::IpAddressAllocated => "ip_address_allocated",
            Metric::NetworkBytesSent => "network_bytes_sent",
            Metric::NetworkBytesReceived => "network_bytes_received",
            Metric::PrimaryByteHours => "primary_byte_hours",
            Metric::SecondaryByteHours => "secondary_byte_hours",
            Metric::SecurityGroup => "security_group",
            Metric::LoadBalancerPolicy => "load_balancer_policy",
            Metric::PortForwardingRule => "port_forwarding_rule",
            Metric::NetworkOffering => "network_offering",
            Metric::VpnUser => "vpn_user",
            Metric::DiskReadRequests => "disk_read_requests",
            Metric::DiskWriteRequests => "disk_write_requests",
            Metric::DiskBytesRead => "disk_bytes_read",
            Metric::DiskBytesWritten => "disk_bytes_written",
            Metric::VmSnapshotByteHours => "vm_snapshot_byte_hours",
            Metric::VolumeSecondaryByteHours => "volume_secondary_byte_hours",
            Metric::VmSnapshotOnPrimaryByteHours => "vm_snapshot_on_primary_byte_hours",
            Metric::BackupByteHours => "backup_byte_hours",
            Metric::BucketByteHours => "bucket_byte_hours",
            Metric::Network => "network",
            Metric::Vpc => "vpc",
            Metric::UsageType(number) => return Cow::Owned(format!("usage_type_{number}")),
            Metric::UntypedUsage => "usage_type_null",
        })
    }

    /// The published unit.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::VmRunning
            | Metric::OsUsage
            | Metric::VmAllocated
            | Metric::IpAddressAllocated
            | Metric::SecurityGroup
            | Metric::LoadBalancerPolicy
            | Metric::PortForwardingRule
            | Metric::NetworkOffering
            | Metric::VpnUser
            | Metric::Network
            | Metric::Vpc => "hours",
            Metric::NetworkBytesSent
            | Metric::NetworkBytesReceived
            | Metric::DiskBytesRead
            | Metric::DiskBytesWritten => "bytes",
            Metric::PrimaryByteHours
            | Metric::SecondaryByteHours
            | Metric::VmSnapshotByteHours
            | Metric::VolumeSecondaryByteHours
            | Metric::VmSnapshotOnPrimaryByteHours
            | Metric::BackupByteHours
            | Metric::BucketByteHours => "byte-hours",
            Metric::DiskReadRequests | Metric::DiskWriteRequests => "requests",
            Metric::UsageType(_) | Metric::UntypedUsage => "as stored",
        }
    }

    /// What the metric is kept per; `None`: one figure an account and day.
    pub fn per(self) -> Option<Breakdown> {
        match self {
            Metric::VmRunning | Metric::VmAllocated => Some(Breakdown::ServiceOffering),
            Metric::OsUsage => Some(Breakdown::GuestOs),
            Metric::IpAddressAllocated => Some(Breakdown::IpAddress),
            Metric::NetworkOffering => Some(Breakdown::NetworkOffering),
            Metric::BackupByteHours => Some(Breakdown::BackupOffering),
            Metric::NetworkBytesSent
            | Metric::NetworkBytesReceived
            | Metric::PrimaryByteHours
            | Metric::SecondaryByteHours
            | Metric::SecurityGroup
            | Metric::LoadBalancerPolicy
            | Metric::PortForwardingRule
            | Metric::VpnUser
            | Metric::DiskReadRequests
            | Metric::DiskWriteRequests
            | Metric::DiskBytesRead
            | Metric::DiskBytesWritten
            | Metric::VmSnapshotByteHours
            | Metric::VolumeSecondaryByteHours
            | Metric::VmSnapshotOnPrimaryByteHours
            | Metric::BucketByteHours
            | Metric::Network
            | Metric::Vpc
            | Metric::UsageType(_)
            | Metric::UntypedUsage => None,
        }
    }
}

impl Breakdown {
    /// Every kind, for the ledger to recognise what it stored.
    pub const ALL: [Breakdown; 6] = [
        Breakdown::ServiceOffering,
        Breakdown::GuestOs,
        Breakdown::IpAddress,
        Breakdown::NetworkOffering,
        Breakdown::BackupOffering,
        Breakdown::DiskOffering,
    ];

    /// The published name, also the first half of a stand-in such as `service_offering:123`.
    pub fn name(self) -> &'static str {
        match self {
            Breakdown::ServiceOffering => "service_offering",
            Breakdown::GuestOs => "guest_os",
            Breakdown::IpAddress => "ip_address",
            Breakdown::NetworkOffering => "network_offering",
            Breakdown::BackupOffering => "backup_offering",
            Breakdown::DiskOffering => "disk_offering",
        }
    }
}

/// Of what no more hours than the day has can be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Of what `usage_id` names, over all offerings and sizes.
    Resource,
    /// Of each of those that CloudStack keeps apart: `usage_id` stands for several, or for none.
    Identity,
    /// The usage type measures no hours.
    None,
}

/// What is bounded by the day's hours, for a second look at what has been counted.
pub fn hours_bound(usage_type: Option<u32>) -> Bound {
    match usage_type {
        Some(1 | 2 | 3 | 6 | 7 | 8 | 9 | 11 | 12 | 14 | 26 | 30 | 31) => Bound::Resource,
        // NICs of one offering are added up, security groups are kept by VM, VM snapshots by volume or name.
        Some(10 | 13 | 25 | 27 | 28) => Bound::Identity,
        Some(_) | None => Bound::None,
    }
}

/// What `usage_id` counts in, for people who look a row up in CloudStack.
pub fn resource_of_usage_type(usage_type: Option<u32>) -> &'static str {
    match usage_type {
        Some(1 | 2 | 28) => "vm",
        Some(3) => "ip_address",
        Some(6 | 21..=24 | 26) => "volume",
        Some(7 | 8) => "template",
        Some(9) => "snapshot",
        Some(10) => "security_group",
        Some(11) => "load_balancer_rule",
        Some(12) => "port_forwarding_rule",
        Some(14) => "vpn_user",
        Some(25 | 27) => "vm_snapshot",
        Some(29) => "bucket",
        Some(30) => "network",
        Some(31) => "vpc",
        Some(_) | None => "usage_id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published table, spelled once more: a change here changes what customers are billed by.
    #[test]
    fn usage_types_map_to_the_published_metrics() {
        let table: Vec<String> = (1..=32)
            .map(|number| {
                let (metric, measure) = Metric::of_usage_type(Some(number));
                let per = metric.per().map_or("-", Breakdown::name);
                format!(
                    "{number} {} {} {per} {measure:?}",
                    metric.name(),
                    metric.unit()
                )
            })
            .collect();
        let expected = "\
1 vm_running hours service_offering Raw
2 vm_allocated hours service_offering Raw
3 ip_address_allocated hours ip_address Raw
4 network_bytes_sent bytes - Raw
5 network_bytes_received bytes - Raw
6 primary_byte_hours byte-hours - RawTimesSize
7 secondary_byte_hours byte-hours - RawTimesSize
8 secondary_byte_hours byte-hours - RawTimesSize
9 secondary_byte_hours byte-hours - RawTimesSize
10 security_group hours - Raw
11 load_balancer_policy hours - Raw
12 port_forwarding_rule hours - Raw
13 network_offering hours network_offering Raw
14 vpn_user hours - Raw
15 usage_type_15 as stored - Raw
16 usage_type_16 as stored - Raw
17 usage_type_17 as stored - Raw
18 usage_type_18 as stored - Raw
19 usage_type_19 as stored - Raw
20 usage_type_20 as stored - Raw
21 disk_read_requests requests - Raw
22 disk_write_requests requests - Raw
23 disk_bytes_read bytes - Raw
24 disk_bytes_written bytes - Raw
25 vm_snapshot_byte_hours byte-hours - RawTimesSize
26 volume_secondary_byte_hours byte-hours - RawTimesSize
27 vm_snapshot_on_primary_byte_hours byte-hours - RawTimesSize
28 backup_byte_hours byte-hours backup_offering RawTimesSize
29 bucket_byte_hours byte-hours - RawTimesWindow
30 network hours - Raw
31 vpc hours - Raw
32 usage_type_32 as stored - Raw";
        assert_eq!(table.join("\n"), expected);
        assert_eq!(Metric::of_usage_type(None).0.name(), "usage_type_null");
        assert_eq!(Metric::of_name("os_usage"), Some(Metric::OsUsage));
        assert_eq!(
            Metric::of_name("bucket_byte_hours"),
            Some(Metric::BucketByteHours)
        );
        assert_eq!(
            Metric::of_name("usage_type_99"),
            Some(Metric::UsageType(99))
        );
        assert_eq!(
            Metric::of_name("usage_type_null"),
            Some(Metric::UntypedUsage)
        );
        assert_eq!(Metric::of_name("nonsense"), None);
        for name in [
            "os_usage",
            "usage_type_15",
            "usage_type_28",
            "usage_type_99",
        ] {
            assert_eq!(Metric::asked_for(name).unwrap().name(), name);
        }
        for (name, why) in [
            ("usage_type_1", "usage_type_1 is kept as vm_running"),
            ("usage_type_015", "no metric is called \"usage_type_015\""),
            ("nonsense", "no metric is called \"nonsense\""),
        ] {
            assert_eq!(Metric::asked_for(name), Err(why.to_owned()));
        }
        assert_eq!(Metric::OsUsage.unit(), "hours");
        assert_eq!(Metric::OsUsage.per(), Some(Breakdown::GuestOs));
    }
}
