//! Narrows what is explained down to one resource: to the figures that are kept per it, or to the rows and lines of one
//! VM, volume or address among those of its figures.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use super::figure::{Agreement, Explained};
use crate::metric::Metric;
use crate::resource::ResourceKind;
use crate::suggestion::did_you_mean;

/// Kind and id in CloudStack.
type Used = (ResourceKind, u64);

/// Uuids and names that something has in the source or the ledger.
#[derive(Default)]
struct KnownAs {
    uuids: BTreeSet<String>,
    names: BTreeSet<String>,
}

/// What remains of the figures of an account: `text` is a uuid, a name, or a kind and an id such as `vm:12`, and means
/// `in_ledger` where neither rows nor lines tell.
pub fn narrow(
    mut figures: Vec<Explained>,
    text: &str,
    in_ledger: &BTreeSet<Used>,
    account: &str,
    tolerance: f64,
) -> anyhow::Result<Vec<Explained>> {
    if figures.iter().any(|figure| figure.is_of_resource(text)) {
        figures.retain(|figure| figure.is_of_resource(text));
        return Ok(figures);
    }
    let known = known_as(&figures);
    let is_meant = |used: &Used, known: &KnownAs| {
        let id = format!("{}:{}", used.0.name(), used.1);
        id == text || known.uuids.contains(text) || known.names.contains(text)
    };
    let meant: Vec<(&Used, &KnownAs)> = known
        .iter()
        .filter(|(used, known)| is_meant(used, known))
        .collect();
    let nobody = KnownAs::default();
    let meant = match meant[..] {
        [] => of_silent_days(&figures, in_ledger)
            .map(|used| (used, &nobody))
            .collect(),
        _ => meant,
    };
    match meant[..] {
        [] => {
            let kept_per = figures.iter().filter_map(|figure| figure.resource.as_ref());
            let kept_per = kept_per.flat_map(|resource| [resource.name.as_str(), &resource.uuid]);
            let used = known
                .values()
                .flat_map(|one| one.names.iter().chain(&one.uuids));
            let names = kept_per.chain(used.map(String::as_str));
            bail!(
                "{account} has nothing on these days that is named {text:?}{}",
                did_you_mean(text, names)
            )
        }
        [(used, _)] => {
            let used = *used;
            let figures = figures.into_iter();
            let mut figures: Vec<Explained> = figures
                .filter_map(|figure| of_resource(figure, used, tolerance))
                .collect();
            // Once for all figures of the metric.
            figures.dedup_by(|next, one| {
                let silent = |figure: &Explained| figure.rows.is_empty() && is_silent(figure);
                let places = [&*next, &*one].map(|figure| (figure.day, figure.metric));
                silent(next) && silent(one) && places[0] == places[1]
            });
            Ok(figures)
        }
        [_, _, ..] => {
            let each: Vec<String> = meant
                .iter()
                .map(|(used, known)| in_words(**used, known))
                .collect();
            bail!(
                "{} things of {account} are named {text:?}, give a uuid: {}",
                each.len(),
                each.join(", ")
            )
        }
    }
}

/// All that rows and lines are about.
fn known_as(figures: &[Explained]) -> BTreeMap<Used, KnownAs> {
    let mut known: BTreeMap<Used, KnownAs> = BTreeMap::new();
    for figure in figures {
        for row in figure.rows.iter().filter(|row| row.used.1 != 0) {
            let of_used = known.entry(row.used).or_default();
            // What a row is about may be an offering or a network, and what was used a VM.
            if row.about == format!("{}:{}", row.used.0.name(), row.used.1) {
                of_used.uuids.extend(row.uuid.clone());
                of_used.names.extend(row.name.clone());
            }
        }
        for line in figure.lines.iter().filter(|line| line.key.resource.1 != 0) {
            let of_used = known.entry(line.key.resource).or_default();
            of_used.uuids.extend(line.names.resource_uuid.clone());
            of_used.names.extend(line.names.resource_name.clone());
        }
    }
    known
}

/// Of what the ledger knows by a name, that which may have been a part of figures that do not tell.
fn of_silent_days<'a>(
    figures: &'a [Explained],
    in_ledger: &'a BTreeSet<Used>,
) -> impl Iterator<Item = &'a Used> {
    in_ledger.iter().filter(|used| {
        let mut silent = figures.iter().filter(|figure| is_silent(figure));
        silent.any(|figure| can_be_of(figure.metric, used.0))
    })
}

/// Whether a figure of the metric can be of something of this kind.
fn can_be_of(metric: Metric, kind: ResourceKind) -> bool {
    use ResourceKind as Kind;
    let kinds: &[Kind] = match metric {
        Metric::VmRunning
        | Metric::VmAllocated
        | Metric::OsUsage
        | Metric::NetworkOffering
        | Metric::BackupByteHours => &[Kind::Vm],
        Metric::IpAddressAllocated => &[Kind::IpAddress],
        Metric::NetworkBytesSent | Metric::NetworkBytesReceived => {
            &[Kind::Vm, Kind::Network, Kind::Router]
        }
        Metric::PrimaryByteHours
        | Metric::DiskReadRequests
        | Metric::DiskWriteRequests
        | Metric::DiskBytesRead
        | Metric::DiskBytesWritten
        | Metric::VolumeSecondaryByteHours => &[Kind::Volume],
        Metric::SecondaryByteHours => &[Kind::Template, Kind::Iso, Kind::Snapshot],
        Metric::SecurityGroup => &[Kind::SecurityGroup],
        Metric::LoadBalancerPolicy => &[Kind::LoadBalancerRule],
        Metric::PortForwardingRule => &[Kind::PortForwardingRule],
        Metric::VpnUser => &[Kind::VpnUser],
        Metric::VmSnapshotByteHours | Metric::VmSnapshotOnPrimaryByteHours => &[Kind::VmSnapshot],
        Metric::BucketByteHours => &[Kind::Bucket],
        Metric::Network => &[Kind::Network],
        Metric::Vpc => &[Kind::Vpc],
        // Backups whose rows are no hours are kept by their number.
        Metric::UsageType(28) => &[Kind::Vm],
        Metric::UsageType(_) | Metric::UntypedUsage => &[Kind::Other],
    };
    kinds.contains(&kind)
}

/// Whether neither rows nor lines tell what was of one resource.
fn is_silent(figure: &Explained) -> bool {
    !figure.told_apart && figure.otherwise == Agreement::SourceGone
}

/// `vm-uuid (vm:12)`.
fn in_words(used: Used, known: &KnownAs) -> String {
    let id = format!("{}:{}", used.0.name(), used.1);
    match known.uuids.iter().next() {
        Some(uuid) => format!("{uuid} ({id})"),
        None => id,
    }
}

/// The part of a figure that is of one resource, if there is any.
fn of_resource(mut figure: Explained, used: Used, tolerance: f64) -> Option<Explained> {
    figure.rows.retain(|row| row.used == used);
    figure.lines.retain(|line| line.key.resource == used);
    figure.is_of_lines = true;
    if figure.rows.is_empty() && figure.lines.is_empty() {
        // It may have been a part of any figure of such a day.
        figure.resource = None;
        (figure.sum, figure.stored) = (None, None);
        figure.agreement = Agreement::NotToldApart;
        return (is_silent(&figure) && can_be_of(figure.metric, used.0)).then_some(figure);
    }
    let counted = figure.rows.iter().filter(|row| row.outcome.counts());
    figure.sum = add_up(counted.map(|row| row.quantity));
    figure.stored = add_up(figure.lines.iter().map(|line| line.quantity));
    let otherwise = match figure.otherwise {
        Agreement::Differs | Agreement::Open | Agreement::SourceGone if !figure.told_apart => {
            Agreement::NotToldApart
        }
        otherwise => otherwise,
    };
    figure.agreement = otherwise.unless_equal(figure.sum, figure.stored, tolerance);
    Some(figure)
}

/// In order of size, as an import does; `None`: there are none.
fn add_up(quantities: impl Iterator<Item = f64>) -> Option<f64> {
    let mut quantities: Vec<f64> = quantities.collect();
    quantities.sort_unstable_by(f64::total_cmp);
    (!quantities.is_empty()).then(|| quantities.iter().sum())
}
