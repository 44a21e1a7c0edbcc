//! Which row of a price list counts for what was used on a day: the most specific one of those that fit. A row that
//! names the account goes before all that do not; then one that names a domain, the innermost first; then one that names
//! the offering; then the zone. Of rows that name the same, the newest that is valid counts. Where that leaves two,
//! nobody can say which is meant.

use std::collections::BTreeSet;

use super::list::{PriceList, PriceRow};
use crate::day::Day;

/// Whom and what a row means by the names in it; what it leaves open is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    /// Uuids.
    pub zone: Option<String>,
    pub offering: Option<String>,
    pub account: Option<String>,
    /// By the caller's numbers of them, which stand for domains as they were; those below it included.
    pub domains: Option<BTreeSet<i64>>,
}

/// What was used, as far as a price may depend on it. `None`: there is none, or it is not known.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    pub metric: &'a str,
    pub zone: Option<&'a str>,
    pub offering: Option<&'a str>,
    pub account: &'a str,
    pub domain: Option<i64>,
    pub day: Day,
}

/// A price list and what its rows mean.
pub struct PriceBook<'a> {
    list: &'a PriceList,
    /// Of each row; `None`: nothing that is known.
    meanings: Vec<Option<Meaning>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    First,
    Second,
    Same,
}

impl<'a> PriceBook<'a> {
    /// `meanings` has one for each row of the list.
    pub fn new(list: &'a PriceList, meanings: Vec<Option<Meaning>>) -> PriceBook<'a> {
        PriceBook { list, meanings }
    }

    pub fn list(&self) -> &'a PriceList {
        self.list
    }

    /// The row that counts, if there is one; an error names two that may.
    pub fn find(&self, used: &Priced) -> Result<Option<&'a PriceRow>, String> {
        let rows = self.list.rows.iter().zip(&self.meanings);
        let fitting: Vec<(&PriceRow, &Meaning)> = rows
            .filter_map(|(row, meaning)| Some((row, meaning.as_ref()?)))
            .filter(|(row, meaning)| fits(row, meaning, used))
            .collect();
        let beaten = |one: &(&PriceRow, &Meaning)| {
            let mut others = fitting.iter();
            others.any(|other| compare(*other, *one) == Rank::First)
        };
        let best: Vec<&PriceRow> = fitting
            .iter()
            .filter(|one| !beaten(one))
            .map(|(row, _)| *row)
            .collect();
        match best.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some(row)),
            [one, other, ..] => Err(format!(
                "{} and {} both have a price for {} of {} on {}, and neither is more specific: leave one out, or \
                 let one name more",
                self.list.place(one),
                self.list.place(other),
                used.metric,
                used.account,
                used.day
            )),
        }
    }
}

fn fits(row: &PriceRow, meaning: &Meaning, used: &Priced) -> bool {
    let same = |wanted: &Option<String>, is: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
    };
    let domains = meaning.domains.as_ref();
    row.metric == used.metric
        && row.valid_from.is_none_or(|first| first <= used.day)
        && same(&meaning.zone, used.zone)
        && same(&meaning.offering, used.offering)
        && same(&meaning.account, Some(used.account))
        && domains.is_none_or(|ids| used.domain.is_some_and(|id| ids.contains(&id)))
}

/// Which of two rows that fit goes before the other.
fn compare(one: (&PriceRow, &Meaning), other: (&PriceRow, &Meaning)) -> Rank {
    let named = |one: bool, other: bool| match (one, other) {
        (true, false) => Rank::First,
        (false, true) => Rank::Second,
        (true, true) | (false, false) => Rank::Same,
    };
    let (row, meaning) = one;
    let (other_row, other) = other;
    let ranks = [
        named(meaning.account.is_some(), other.account.is_some()),
        match (&meaning.domains, &other.domains) {
            (Some(one), Some(other)) if one == other => Rank::Same,
            (Some(one), Some(other)) if one.is_subset(other) => Rank::First,
            (Some(one), Some(other)) if one.is_superset(other) => Rank::Second,
            // Neither lies in the other, and yet the domain lies in both: it has moved.
            (Some(_), Some(_)) => return Rank::Same,
            (one, other) => named(one.is_some(), other.is_some()),
        },
        named(meaning.offering.is_some(), other.offering.is_some()),
        named(meaning.zone.is_some(), other.zone.is_some()),
        named(
            row.valid_from > other_row.valid_from,
            row.valid_from < other_row.valid_from,
        ),
    ];
    let decided = ranks.into_iter().find(|rank| *rank != Rank::Same);
    decided.unwrap_or(Rank::Same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::file::parse;

    /// Rows as a file has them; a name means what is called so, and `/a/` the domains 1 and 2, `/a/b/` only 2, `/c/` 2
    /// and 3.
    fn found(rows: &[&str], used: Priced) -> Result<Option<usize>, String> {
        let header = "valid_from,metric,zone,offering,domain,account,unit,price,currency";
        let text = [&[header], rows].concat().join("\n");
        let list = parse("p.csv", &text).unwrap();
        let meanings = list.rows.iter().map(|row| {
            let ids: Option<&[i64]> = row.domain.as_ref().map(|path| match path.as_str() {
                "/a/" => &[1, 2][..],
                "/a/b/" => &[2],
                _ => &[2, 3],
            });
            Some(Meaning {
                zone: row.zone.clone(),
                offering: row.offering.clone(),
                account: row.account.clone(),
                domains: ids.map(|ids| ids.iter().copied().collect()),
            })
        });
        let meanings = meanings.collect();
        let book = PriceBook::new(&list, meanings);
        Ok(book.find(&used)?.map(|row| row.line))
    }

    fn used() -> Priced<'static> {
        Priced {
            metric: "vm_running",
            zone: Some("z"),
            offering: Some("o"),
            account: "u",
            domain: Some(2),
            day: "2026-10-15".parse().unwrap(),
        }
    }

    #[test]
    fn the_most_specific_row_counts() {
        let rows = [
            ",vm_running,,,,,hour,1,EUR",
            ",vm_running,z,,,,hour,1,EUR",
            ",vm_running,,o,,,hour,1,EUR",
            ",vm_running,z,o,,,hour,1,EUR",
            ",vm_running,,,/a/,,hour,1,EUR",
            ",vm_running,,,/a/b/,,hour,1,EUR",
            ",vm_running,,,,u,hour,1,EUR",
        ];
        for count in 1..=rows.len() {
            // Each goes before all above it, wherever they stand.
            assert_eq!(found(&rows[..count], used()), Ok(Some(count + 1)));
            let mut turned = rows[..count].to_vec();
            turned.reverse();
            assert_eq!(found(&turned, used()), Ok(Some(2)));
        }
        let elsewhere = Priced {
            zone: None,
            offering: Some("x"),
            account: "v",
            domain: None,
            ..used()
        };
        assert_eq!(found(&rows, elsewhere), Ok(Some(2)));
        assert_eq!(found(&rows[1..], elsewhere), Ok(None));
        let other = Priced {
            metric: "vpc",
            ..used()
        };
        assert_eq!(found(&rows, other), Ok(None));
    }

    #[test]
    fn the_newest_row_that_is_valid_counts() {
        let rows = [
            "2026-10-16,vm_running,,,,,hour,1,EUR",
            ",vm_running,,,,,hour,1,EUR",
            "2026-10-15,vm_running,,,,,hour,1,EUR",
            "2026-10-01,vm_running,,,,,hour,1,EUR",
        ];
        let on = |day: &str| Priced {
            day: day.parse().unwrap(),
            ..used()
        };
        assert_eq!(found(&rows, on("2026-10-15")), Ok(Some(4)));
        assert_eq!(found(&rows, on("2026-10-14")), Ok(Some(5)));
        assert_eq!(found(&rows, on("2026-09-30")), Ok(Some(3)));
        assert_eq!(found(&rows, on("2026-12-01")), Ok(Some(2)));
        assert_eq!(found(&rows[2..], on("2026-09-30")), Ok(None));
        // What is more specific stays valid when a general price changes.
        let agreed = [
            "2026-10-15,vm_running,,,,,hour,1,EUR",
            "2020-01-01,vm_running,,,,u,hour,1,EUR",
        ];
        assert_eq!(found(&agreed, used()), Ok(Some(3)));
    }

    #[test]
    fn two_rows_of_the_same_rank_are_an_error() {
        let rows = [
            ",vm_running,,,/a/,,hour,1,EUR",
            ",vm_running,,,/c/,,hour,1,EUR",
        ];
        assert_eq!(
            found(&rows, used()),
            Err("p.csv:2 and p.csv:3 both have a price for vm_running of u on 2026-10-15, and neither is more \
                 specific: leave one out, or let one name more"
                .to_owned())
        );
        // One that goes before both settles it.
        let settled = [&rows[..], &[",vm_running,,,/a/b/,,hour,1,EUR"]].concat();
        assert_eq!(found(&settled, used()), Ok(Some(4)));
    }
}
