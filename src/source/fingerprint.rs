//! What tells, without reading them, whether the rows of a day are those that were there before.

use anyhow::Context;

use super::Connection;
use crate::aggregate::runs::Runs;
use crate::aggregate::window::DayBounds;

/// The rows that end on a day, by count and ids: told by a walk along the index on dates alone. No row is
/// added or deleted without a change in it. And the runs that wrote parts of the day again, as one may void rows
/// without having any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub rows: u64,
    first: u64,
    last: u64,
    /// A sum of ids may pass 64 bits, and nobody adds to it.
    sum: String,
    /// The first second and the first row of each.
    again: Vec<(i64, u64)>,
}

impl Fingerprint {
    pub(super) fn of(
        usage: &mut dyn Connection,
        day: DayBounds,
        runs: &Runs,
    ) -> anyhow::Result<Fingerprint> {
        let rewinds = runs.rewinds.iter().map(|run| (run.since, run.first_id));
        let same = runs.same_windows.iter().map(|run| (run.since, run.from_id));
        let again: Vec<(i64, u64)> = rewinds.chain(same).collect();
        let sql = "select count(*), min(id), max(id), sum(id) from cloud_usage \
                   where end_date >= ? and end_date < ?";
        let mut fingerprint = None;
        usage.query(sql, &[day.start, day.end], &mut |row| {
            fingerprint = Some(Fingerprint {
                rows: row.field(0)?.id()?,
                first: row.field(1)?.id()?,
                last: row.field(2)?.id()?,
                sum: row.field(3)?.text()?.unwrap_or_else(|| "0".to_owned()),
                again: again.clone(),
            });
            Ok(())
        })?;
        fingerprint.context("no answer")
    }

    /// The range of the ids if they lie close together, as they do when one run of the usage server wrote the
    /// rows. Read in the order of ids, such rows cost a third of what the index on dates makes of them.
    pub(super) fn close_ids(&self) -> Option<(u64, u64)> {
        let close = self.rows > 0 && self.last - self.first < 2 * self.rows;
        close.then_some((self.first, self.last))
    }
}

/// The lowest id of a row in the source: those below it have been purged.
pub(super) fn lowest_id(usage: &mut dyn Connection) -> anyhow::Result<Option<u64>> {
    let mut lowest = None;
    usage.query("select min(id) from cloud_usage", &[], &mut |row| {
        lowest = row.field(0)?.unsigned()?;
        Ok(())
    })?;
    Ok(lowest)
}

/// The lowest id of the rows that a fingerprint was made of, as the ledger keeps it; `None`: there were none.
pub fn first_id(fingerprint: &str) -> Option<u64> {
    let (_, ids) = fingerprint.split_once(" rows, ids ")?;
    let first = ids.split(' ').next()?.parse().ok()?;
    (first > 0).then_some(first)
}

/// What a fingerprint, as the ledger keeps it, tells of runs that wrote the day again.
pub fn runs_told(fingerprint: &str) -> &str {
    fingerprint
        .find(", again since ")
        .map_or("", |start| &fingerprint[start..])
}

/// As the ledger keeps it.
impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fingerprint {
            rows,
            first,
            last,
            sum,
            again,
        } = self;
        write!(f, "{rows} rows, ids {first} to {last}, sum {sum}")?;
        again
            .iter()
            .try_for_each(|(since, first)| write!(f, ", again since {since} from {first}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_is_read_as_it_was_written() {
        let mut fingerprint = Fingerprint {
            rows: 3,
            first: 12,
            last: 20,
            sum: "47".to_owned(),
            again: vec![(5, 18)],
        };
        assert_eq!(first_id(&fingerprint.to_string()), Some(12));
        assert_eq!(
            runs_told(&fingerprint.to_string()),
            ", again since 5 from 18"
        );
        (fingerprint.rows, fingerprint.first) = (0, 0);
        assert_eq!(first_id(&fingerprint.to_string()), None);
        assert_eq!(first_id(""), None);
    }
}
