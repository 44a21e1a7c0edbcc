//! Kinds of what accounts use, as lines name it: a VM, a volume, an address. Together with CloudStack's id a kind says
//! which one. Names are contract: they stand in ledgers and answers.

/// What kind of thing a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    Vm,
    IpAddress,
    Network,
    /// Of traffic whose network CloudStack does not know.
    Router,
    Volume,
    Template,
    Iso,
    Snapshot,
    SecurityGroup,
    LoadBalancerRule,
    PortForwardingRule,
    VpnUser,
    VmSnapshot,
    Bucket,
    Vpc,
    /// Of a usage type this program has no meaning for.
    Other,
}

impl ResourceKind {
    pub const ALL: [ResourceKind; 16] = [
        ResourceKind::Vm,
        ResourceKind::IpAddress,
        ResourceKind::Network,
        ResourceKind::Router,
        ResourceKind::Volume,
        ResourceKind::Template,
        ResourceKind::Iso,
        ResourceKind::Snapshot,
        ResourceKind::SecurityGroup,
        ResourceKind::LoadBalancerRule,
        ResourceKind::PortForwardingRule,
        ResourceKind::VpnUser,
        ResourceKind::VmSnapshot,
        ResourceKind::Bucket,
        ResourceKind::Vpc,
        ResourceKind::Other,
    ];

    /// The kind with a published name.
    pub fn of_name(name: &str) -> Option<ResourceKind> {
        ResourceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The published name, also the first half of a stand-in such as `volume:123`.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::Vm => "vm",
            ResourceKind::IpAddress => "ip_address",
            ResourceKind::Network => "network",
            ResourceKind::Router => "router",
            ResourceKind::Volume => "volume",
            ResourceKind::Template => "template",
            ResourceKind::Iso => "iso",
            ResourceKind::Snapshot => "snapshot",
            ResourceKind::SecurityGroup => "security_group",
            ResourceKind::LoadBalancerRule => "load_balancer_rule",
            ResourceKind::PortForwardingRule => "port_forwarding_rule",
            ResourceKind::VpnUser => "vpn_user",
            ResourceKind::VmSnapshot => "vm_snapshot",
            ResourceKind::Bucket => "bucket",
            ResourceKind::Vpc => "vpc",
            ResourceKind::Other => "other",
        }
    }
}
