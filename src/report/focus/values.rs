//! What the ledger's kinds, units and metrics are in the words that the specification allows or asks for.

use crate::metric::{GIB, Metric};
use crate::resource::ResourceKind;
use crate::sku::DerivedMetric;

/// In words, as the specification wants it.
pub fn resource_type(kind: &str) -> &str {
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
pub fn consumed(quantity: f64, unit: &str) -> (f64, &'static str) {
    match unit {
        "hours" => (quantity, "Hours"),
        "bytes" => (quantity, "B"),
        "byte-hours" => (quantity / GIB, "GiB-Hours"),
        "requests" => (quantity, "Requests"),
        "vcpu-hours" => (quantity, "vCPU-Hours"),
        _ => (quantity, "Units"),
    }
}

/// One of the specification's categories.
pub fn service_category(metric: &str) -> &'static str {
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
