//! What stays fixed in the sample: its domains, accounts, offerings, templates and guest systems. Which
//! machines, disks and addresses the accounts have in which hours is the world's business.

use super::chance;
use super::period::{self, Span};

pub const GIB: i64 = 1 << 30;

/// The account that the demo and the documents ask for: `aurora`.
pub const DEMO_ACCOUNT_UUID: &str = "5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61";

pub struct Domain {
    pub id: i64,
    pub parent: Option<i64>,
    pub name: &'static str,
    pub path: &'static str,
    pub level: i64,
}

/// `ROOT`, and three domains nested in it and in each other.
pub const DOMAINS: [Domain; 4] = [
    domain(1, None, "ROOT", "/", 0),
    domain(2, Some(1), "nordic", "/nordic/", 1),
    domain(3, Some(2), "shops", "/nordic/shops/", 2),
    domain(4, Some(3), "lab", "/nordic/shops/lab/", 3),
];

const fn domain(
    id: i64,
    parent: Option<i64>,
    name: &'static str,
    path: &'static str,
    level: i64,
) -> Domain {
    Domain {
        id,
        parent,
        name,
        path,
        level,
    }
}

/// An account that uses something.
#[derive(Clone, Copy)]
pub struct SampleAccount {
    pub id: i64,
    pub domain_id: i64,
    /// The project's own name where `is_project`.
    name: &'static str,
    pub is_project: bool,
    /// How many virtual machines it ever had in the sample's days.
    pub vms: i64,
}

pub const ACCOUNTS: [SampleAccount; 20] = [
    account(3, 2, "aurora", 16),
    account(4, 2, "birch-bank", 20),
    account(5, 2, "cedar-media", 14),
    account(6, 2, "delta-energy", 12),
    account(7, 2, "ekman-law", 6),
    account(8, 2, "fjord-fish", 8),
    account(9, 2, "granite-it", 18),
    account(10, 3, "harbour-books", 8),
    account(11, 3, "iris-flowers", 5),
    account(12, 3, "juniper-tea", 7),
    account(13, 3, "kiosk-online", 9),
    account(14, 3, "linden-shoes", 13),
    account(15, 3, "maple-toys", 10),
    account(16, 3, "north-bikes", 8),
    project(17, 3, "webshop", 12),
    account(18, 4, "orchard-ci", 14),
    account(19, 4, "pine-staging", 10),
    account(20, 4, "quartz-load", 12),
    account(21, 4, "rowan-tests", 4),
    project(22, 4, "research", 12),
];

const fn account(id: i64, domain_id: i64, name: &'static str, vms: i64) -> SampleAccount {
    SampleAccount {
        id,
        domain_id,
        name,
        is_project: false,
        vms,
    }
}

const fn project(id: i64, domain_id: i64, name: &'static str, vms: i64) -> SampleAccount {
    SampleAccount {
        id,
        domain_id,
        name,
        is_project: true,
        vms,
    }
}

impl SampleAccount {
    /// The account's name; a project's hidden account is named after the project.
    pub fn name(&self) -> String {
        if self.is_project {
            format!("PrjAcct-{}-{}", self.name, self.domain_id)
        } else {
            self.name.to_owned()
        }
    }

    pub fn project_name(&self) -> Option<&'static str> {
        self.is_project.then_some(self.name)
    }

    pub fn uuid(&self) -> String {
        match self.id {
            3 => DEMO_ACCOUNT_UUID.to_owned(),
            id => chance::uuid("account", id),
        }
    }

    /// When it was removed, with everything it had: only `kiosk-online` was.
    pub fn removed(&self) -> Option<i64> {
        (self.id == 13).then(|| period::at("2026-10-10", 14))
    }

    /// From before the sample's days until they end or the account does.
    pub fn alive(&self) -> Span {
        Span {
            from: period::at("2026-06-01", 0),
            to: self.removed().unwrap_or(period::whole().to),
        }
    }
}

pub struct ServiceOffering {
    pub id: i64,
    pub name: &'static str,
    /// `None`: each machine has its own.
    pub size: Option<ComputeSize>,
    pub system_use: bool,
    /// Local day of its deletion; machines keep running with it.
    pub removed: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub struct ComputeSize {
    pub cores: i64,
    pub mhz: i64,
    pub memory_mb: i64,
}

/// Small, Medium and Large have the ids 1 to 3.
pub const SERVICE_OFFERINGS: [ServiceOffering; 6] = [
    service_offering(1, "Small", 1, 2048),
    service_offering(2, "Medium", 2, 4096),
    service_offering(3, "Large", 4, 8192),
    ServiceOffering {
        size: None,
        ..service_offering(CUSTOM_OFFERING, "Custom", 0, 0)
    },
    ServiceOffering {
        removed: Some("2026-09-14"),
        ..service_offering(DELETED_OFFERING, "Classic Small", 1, 1024)
    },
    ServiceOffering {
        system_use: true,
        ..service_offering(
            ROUTER_OFFERING,
            "System Offering For Software Router",
            1,
            256,
        )
    },
];

pub const CUSTOM_OFFERING: i64 = 4;
pub const DELETED_OFFERING: i64 = 5;
pub const ROUTER_OFFERING: i64 = 6;

const fn service_offering(
    id: i64,
    name: &'static str,
    cores: i64,
    memory_mb: i64,
) -> ServiceOffering {
    ServiceOffering {
        id,
        name,
        size: Some(ComputeSize {
            cores,
            mhz: 2000,
            memory_mb,
        }),
        system_use: false,
        removed: None,
    }
}

/// Ids and names. Their ids mean nothing in the table of service offerings, as since CloudStack 4.17.
pub const DISK_OFFERINGS: [(i64, &str); 2] = [(1, "Silver disk"), (2, "Gold disk")];

pub const ISOLATED_NETWORK: i64 = 8;
pub const SHARED_NETWORK: i64 = 6;
pub const NETWORK_OFFERINGS: [(i64, &str); 2] = [
    (SHARED_NETWORK, "DefaultSharedNetworkOffering"),
    (
        ISOLATED_NETWORK,
        "DefaultIsolatedNetworkOfferingWithSourceNatService",
    ),
];

pub const BACKUP_OFFERING: i64 = 1;

pub const ZONES: [(i64, &str); 2] = [(1, "sto1"), (2, "got1")];

pub const GUEST_OSES: [(i64, &str); 4] = [
    (1, "Debian GNU/Linux 13 (64-bit)"),
    (2, "Ubuntu 24.04 LTS"),
    (3, "Windows Server 2025 (64-bit)"),
    (4, "None"),
];

pub struct Template {
    pub id: i64,
    pub name: &'static str,
    pub format: &'static str,
    pub guest_os_id: i64,
    /// Of a root disk made from it.
    pub disk_bytes: i64,
}

/// What everybody's machines are made from: three templates, and an installation ISO of no particular system.
pub const TEMPLATES: [Template; 4] = [
    template(201, "Debian 13", "QCOW2", 1, 20),
    template(202, "Ubuntu 24.04", "QCOW2", 2, 20),
    template(203, "Windows Server 2025", "QCOW2", 3, 60),
    template(204, "netboot.xyz", "ISO", 4, 40),
];

const fn template(
    id: i64,
    name: &'static str,
    format: &'static str,
    guest_os_id: i64,
    disk_gib: i64,
) -> Template {
    Template {
        id,
        name,
        format,
        guest_os_id,
        disk_bytes: disk_gib * GIB,
    }
}
