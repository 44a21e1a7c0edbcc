//! A SKU: what a price list has a row for. And the metrics that follow from a line's hours and the size of its SKU,
//! which are derived and stored nowhere. Their names are contract.

use std::num::NonZeroU32;

use crate::metric::{Breakdown, Metric};

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// What a line is priced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku {
    /// An hour that a VM runs has another price than one that it is only allocated.
    pub metric: Metric,
    /// Kind and id in CloudStack; `None`: the metric has none, or the row names none.
    pub offering: Option<(Breakdown, u64)>,
    pub zone_id: u32,
    /// As usage rows say it, which they do for custom offerings alone.
    pub size: VmSize,
}

/// How large a VM is. What is not known, or 0, which no VM has, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmSize {
    pub vcpus: Option<NonZeroU32>,
    /// Of each vCPU.
    pub mhz: Option<NonZeroU32>,
    pub memory_mib: Option<NonZeroU32>,
}

/// vCPUs, MHz and MiB; 0: not known.
pub type SizeNumbers = [u32; 3];

impl VmSize {
    pub fn numbers(self) -> SizeNumbers {
        [self.vcpus, self.mhz, self.memory_mib].map(|part| part.map_or(0, NonZeroU32::get))
    }

    /// What is known of this size, and of what is not the part that an offering has.
    pub fn or(self, offering: VmSize) -> VmSize {
        VmSize {
            vcpus: self.vcpus.or(offering.vcpus),
            mhz: self.mhz.or(offering.mhz),
            memory_mib: self.memory_mib.or(offering.memory_mib),
        }
    }
}

/// The kind of offering that SKUs of a metric have.
pub fn offering_of(metric: Metric) -> Option<Breakdown> {
    match metric {
        Metric::PrimaryByteHours | Metric::VmSnapshotByteHours => Some(Breakdown::DiskOffering),
        // An address is what is used, not how it is priced.
        metric => metric.per().filter(|per| *per != Breakdown::IpAddress),
    }
}

/// A metric that follows from another and the sizes of its SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DerivedMetric {
    VmRunningVcpuHours,
    VmRunningMemoryByteHours,
    VmAllocatedVcpuHours,
    VmAllocatedMemoryByteHours,
}

impl DerivedMetric {
    pub const ALL: [DerivedMetric; 4] = [
        DerivedMetric::VmRunningVcpuHours,
        DerivedMetric::VmRunningMemoryByteHours,
        DerivedMetric::VmAllocatedVcpuHours,
        DerivedMetric::VmAllocatedMemoryByteHours,
    ];

    /// Those that follow from a metric.
    pub fn from_metric(metric: Metric) -> impl Iterator<Item = DerivedMetric> {
        DerivedMetric::ALL
            .into_iter()
            .filter(move |derived| derived.base() == metric)
    }

    /// Those that follow from the metric of a name.
    pub fn from_name(metric: &str) -> impl Iterator<Item = DerivedMetric> {
        DerivedMetric::ALL
            .into_iter()
            .filter(move |derived| derived.base().name() == metric)
    }

    /// The metric with a published name.
    pub fn of_name(name: &str) -> Option<DerivedMetric> {
        DerivedMetric::ALL
            .into_iter()
            .find(|derived| derived.name() == name)
    }

    /// The metric whose hours are multiplied.
    pub fn base(self) -> Metric {
        match self {
            DerivedMetric::VmRunningVcpuHours | DerivedMetric::VmRunningMemoryByteHours => {
                Metric::VmRunning
            }
            DerivedMetric::VmAllocatedVcpuHours | DerivedMetric::VmAllocatedMemoryByteHours => {
                Metric::VmAllocated
            }
        }
    }

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            DerivedMetric::VmRunningVcpuHours => "vm_running_vcpu_hours",
            DerivedMetric::VmRunningMemoryByteHours => "vm_running_memory_byte_hours",
            DerivedMetric::VmAllocatedVcpuHours => "vm_allocated_vcpu_hours",
            DerivedMetric::VmAllocatedMemoryByteHours => "vm_allocated_memory_byte_hours",
        }
    }

    /// The published unit.
    pub fn unit(self) -> &'static str {
        match self {
            DerivedMetric::VmRunningVcpuHours | DerivedMetric::VmAllocatedVcpuHours => "vcpu-hours",
            DerivedMetric::VmRunningMemoryByteHours | DerivedMetric::VmAllocatedMemoryByteHours => {
                "byte-hours"
            }
        }
    }

    /// Of so many hours of its base under a SKU of this size; `None`: the size is not known.
    pub fn quantity(self, hours: f64, size: VmSize) -> Option<f64> {
        let number = |size: Option<NonZeroU32>| size.map(|size| f64::from(size.get()));
        match self {
            DerivedMetric::VmRunningVcpuHours | DerivedMetric::VmAllocatedVcpuHours => {
                number(size.vcpus).map(|vcpus| hours * vcpus)
            }
            // At most 2^52 bytes, which is exact.
            DerivedMetric::VmRunningMemoryByteHours | DerivedMetric::VmAllocatedMemoryByteHours => {
                number(size.memory_mib).map(|memory| hours * (memory * MIB))
            }
        }
    }
}

/// Whether figures are kept or derived under this name; else why not.
pub fn check_metric(name: &str) -> Result<(), String> {
    match DerivedMetric::of_name(name) {
        Some(_) => Ok(()),
        None => {
            let derived = DerivedMetric::ALL.map(DerivedMetric::name);
            Metric::asked_for_among(name, &derived).map(|_| ())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(vcpus: u32, mhz: u32, memory_mib: u32) -> VmSize {
        VmSize {
            vcpus: NonZeroU32::new(vcpus),
            mhz: NonZeroU32::new(mhz),
            memory_mib: NonZeroU32::new(memory_mib),
        }
    }

    /// Hand-computed: 36.5 h × 4 vCPUs; 36.5 h × 6 GiB, which are 6,442,450,944 bytes.
    #[test]
    fn hours_times_the_size_of_the_sku() {
        let of = |metric, size| -> Vec<(&str, Option<f64>)> {
            DerivedMetric::from_metric(metric)
                .map(|derived| (derived.name(), derived.quantity(36.5, size)))
                .collect()
        };
        assert_eq!(
            of(Metric::VmRunning, size(4, 2000, 6144)),
            [
                ("vm_running_vcpu_hours", Some(146.0)),
                ("vm_running_memory_byte_hours", Some(235_149_459_456.0)),
            ]
        );
        assert_eq!(
            of(Metric::VmAllocated, size(1, 0, 512)),
            [
                ("vm_allocated_vcpu_hours", Some(36.5)),
                ("vm_allocated_memory_byte_hours", Some(19_595_788_288.0)),
            ]
        );
        // A price list that asks for what is not known gets nothing, not a 0.
        assert_eq!(
            of(Metric::VmRunning, size(2, 2000, 0)),
            [
                ("vm_running_vcpu_hours", Some(73.0)),
                ("vm_running_memory_byte_hours", None),
            ]
        );
        assert_eq!(of(Metric::OsUsage, size(2, 2000, 1024)), []);
    }

    #[test]
    fn names_and_units_are_as_published() {
        let published = DerivedMetric::ALL.map(|derived| (derived.name(), derived.unit()));
        assert_eq!(
            published,
            [
                ("vm_running_vcpu_hours", "vcpu-hours"),
                ("vm_running_memory_byte_hours", "byte-hours"),
                ("vm_allocated_vcpu_hours", "vcpu-hours"),
                ("vm_allocated_memory_byte_hours", "byte-hours"),
            ]
        );
    }

    #[test]
    fn a_row_goes_before_the_offering_part_by_part() {
        assert_eq!(size(8, 0, 0).or(size(2, 2000, 1024)), size(8, 2000, 1024));
        assert_eq!(VmSize::default().or(size(1, 0, 512)), size(1, 0, 512));
    }

    #[test]
    fn disks_are_priced_by_disk_offering_and_addresses_by_none() {
        let of = |number| offering_of(Metric::of_usage_type(Some(number)).0).map(Breakdown::name);
        assert_eq!(of(6), Some("disk_offering"));
        assert_eq!(of(25), Some("disk_offering"));
        assert_eq!(of(2), Some("service_offering"));
        assert_eq!(of(13), Some("network_offering"));
        assert_eq!(of(28), Some("backup_offering"));
        assert_eq!([of(3), of(4), of(27)], [None; 3]);
        assert_eq!(offering_of(Metric::OsUsage), Some(Breakdown::GuestOs));
    }
}
