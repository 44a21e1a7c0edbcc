//! Whom and what the rows of a price file mean: names and uuids as the ledger has them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::read::accounts::{Account, AccountFilter, list_accounts};
use crate::ledger::read::domains::Domains;
use crate::ledger::read::resources::list_uuids;
use crate::ledger::read::{Page, Snapshot};
use crate::metric::Metric;
use crate::prices::{Meaning, PriceList, PriceRow};
use crate::sku::{DerivedMetric, offering_of};

/// The meaning of each row, if the ledger has all that it names; and, in words, what it has never heard of.
type Meanings = (Vec<Option<Meaning>>, Vec<String>);

/// Looks up what rows name. A name of several things is an error, in words, a line for each.
pub fn find_meanings(
    snapshot: &Snapshot,
    prices: &PriceList,
) -> anyhow::Result<Result<Meanings, String>> {
    let mut lookup = Lookup::begin(snapshot, prices)?;
    let (mut meanings, mut unknown, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for row in &prices.rows {
        let mut meaning = Some(Meaning::default());
        let mut note = |found: NameSense| match found {
            NameSense::Open => None,
            NameSense::One(one) => Some(one),
            NameSense::Nothing(what) => {
                unknown.push(format!("{}: {what}", prices.place(row)));
                meaning = None;
                None
            }
            NameSense::Several(what) => {
                problems.push(format!("{}: {what}", prices.place(row)));
                None
            }
        };
        let zone = note(lookup.thing("zone", row.zone.as_deref())?);
        let offering = note(lookup.thing(offering_kind(row), row.offering.as_deref())?);
        let account = note(lookup.account(row.account.as_deref()));
        let domain = note(lookup.domain(row.domain.as_deref())?);
        meanings.push(meaning.map(|_| Meaning {
            zone,
            offering,
            account,
            domains: domain.and_then(|uuid| lookup.domain_ids.get(&uuid).cloned()),
        }));
    }
    Ok(match problems.is_empty() {
        true => Ok((meanings, unknown)),
        false => Err(problems.join("\n")),
    })
}

/// What a name stands for.
enum NameSense {
    /// There is no name: whatever there is.
    Open,
    /// A uuid; of a domain, the text itself.
    One(String),
    Nothing(String),
    Several(String),
}

/// Each name is looked up once.
struct Lookup<'a> {
    snapshot: &'a Snapshot<'a>,
    things: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// None are read if no row names one; the same holds for domains.
    accounts: Vec<Account>,
    domains: Option<Domains>,
    domain_ids: BTreeMap<String, BTreeSet<i64>>,
}

impl<'a> Lookup<'a> {
    fn begin(snapshot: &'a Snapshot<'a>, prices: &PriceList) -> anyhow::Result<Lookup<'a>> {
        let names_account = prices.rows.iter().any(|row| row.account.is_some());
        let names_domain = prices.rows.iter().any(|row| row.domain.is_some());
        Ok(Lookup {
            snapshot,
            things: BTreeMap::new(),
            accounts: match names_account {
                true => list_accounts(snapshot, AccountFilter::default(), Page::default())?,
                false => Vec::new(),
            },
            domains: match names_domain {
                true => Some(Domains::load(snapshot)?),
                false => None,
            },
            domain_ids: BTreeMap::new(),
        })
    }

    /// A zone or an offering.
    fn thing(&mut self, kind: &'static str, key: Option<&str>) -> anyhow::Result<NameSense> {
        let Some(key) = key else {
            return Ok(NameSense::Open);
        };
        let place = (kind, key.to_owned());
        let uuids = match self.things.get(&place) {
            Some(known) => known.clone(),
            None => {
                let found = list_uuids(self.snapshot, kind, key)?;
                self.things.insert(place, found.clone());
                found
            }
        };
        Ok(one_of(&kind.replace('_', " "), key, uuids))
    }

    /// By its uuid, or else its project's, or else by the name of either.
    fn account(&self, key: Option<&str>) -> NameSense {
        let Some(key) = key else {
            return NameSense::Open;
        };
        let is = |text: &Option<String>| text.as_deref() == Some(key);
        let tests: [&dyn Fn(&Account) -> bool; 3] = [
            &|one| one.uuid == key,
            &|one| is(&one.project_uuid),
            &|one| one.name == key || is(&one.project_name),
        ];
        for test in tests {
            let found = self.accounts.iter().filter(|one| test(one));
            let uuids: BTreeSet<String> = found.map(|one| one.uuid.clone()).collect();
            if !uuids.is_empty() {
                return one_of("account", key, uuids);
            }
        }
        one_of("account", key, BTreeSet::new())
    }

    fn domain(&mut self, key: Option<&str>) -> anyhow::Result<NameSense> {
        let (Some(key), Some(domains)) = (key, &self.domains) else {
            return Ok(NameSense::Open);
        };
        let Some(found) = domains.find(self.snapshot, key)? else {
            return Ok(one_of("domain", key, BTreeSet::new()));
        };
        if let Some(several) = found.ambiguity() {
            return Ok(NameSense::Several(several));
        }
        self.domain_ids.insert(key.to_owned(), found.ids);
        Ok(NameSense::One(key.to_owned()))
    }
}

fn one_of(kind: &str, key: &str, uuids: BTreeSet<String>) -> NameSense {
    let count = uuids.len();
    let uuids: Vec<String> = uuids.into_iter().collect();
    match uuids.as_slice() {
        [] => NameSense::Nothing(format!(
            "the ledger has no {kind} {key:?} yet: the row counts for nothing"
        )),
        [one] => NameSense::One(one.clone()),
        _ => NameSense::Several(format!(
            "{count} {kind}s are called {key:?}, give a uuid: {}",
            uuids.join(", ")
        )),
    }
}

/// The kind of the offerings that the metric of a row has.
fn offering_kind(row: &PriceRow) -> &'static str {
    let derived = DerivedMetric::of_name(&row.metric).map(DerivedMetric::base);
    let metric = derived.or_else(|| Metric::of_name(&row.metric));
    metric.and_then(offering_of).map_or("", |kind| kind.name())
}
