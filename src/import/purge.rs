//! Rows that are not there: whether they have been purged from the source, so that what they gave is kept, or are of a
//! time before the source begins.

use crate::aggregate::DayUsage;
use crate::aggregate::window::DayBounds;
use crate::finding::{Finding, FindingKind};
use crate::instant::hours;
use crate::ledger::day::StoredDay;
use crate::plural::plural;
use crate::row::UsageRow;

/// Why a day's source rows seem purged, if they do. Rows never vanish by themselves: an administrator deletes
/// those that ended before some instant, which can fall within a local day, and CloudStack 4.22 does so in batches, by
/// the lowest ids first. Replays that come and go say nothing.
pub fn purged(
    stored: StoredDay,
    usage: &DayUsage,
    oldest: Option<i64>,
    lowest_id: Option<u64>,
    day: DayBounds,
) -> Option<String> {
    // Where a later run of the usage server has written the day again, what it left out has ended.
    if usage.source_rows >= stored.source_rows && usage.source_rows > 0 {
        return None;
    }
    let has = usage.source_rows - usage.replayed_rows;
    rows_gone(stored, has, oldest, lowest_id, day)
}

/// The same, given how many rows the source has, replays left out as far as that is known.
pub fn rows_gone(
    stored: StoredDay,
    has: u64,
    oldest: Option<i64>,
    lowest_id: Option<u64>,
    day: DayBounds,
) -> Option<String> {
    let had = stored.source_rows - stored.replayed_rows;
    if had > 0 && has == 0 {
        return Some(format!(
            "the source has no rows of it any more; what {} gave is kept",
            plural(had, "row")
        ));
    }
    if has >= had {
        return None;
    }
    let kept = |before: &str| {
        Some(format!(
            "the source has only {} of it left and none {before}; what {} gave is kept",
            plural(has, "row"),
            plural(had, "row")
        ))
    };
    // Rows written late have high ids, so that there may be older ones by date.
    let below_all = stored
        .first_id
        .is_some_and(|first| lowest_id.is_none_or(|lowest| lowest > first));
    match oldest.is_none_or(|oldest| oldest >= day.start) {
        true => kept("older"),
        false if below_all => kept("with a lower id than they had"),
        false => None,
    }
}

/// Why nothing can be said of a new day, if so: the source has only younger rows.
pub fn before_the_source(usage: &DayUsage, oldest: Option<i64>, day: DayBounds) -> Option<String> {
    let younger = oldest.is_some_and(|oldest| oldest >= day.end);
    (younger && usage.source_rows == 0).then(|| {
        "the source has no rows of it and none older: purged, or nothing ran yet; -f stores it as a day without usage"
            .to_owned()
    })
}

/// The source's first row begins within the day: the hours before are of another time or purged.
pub fn begins_within(rows: &[UsageRow], oldest: Option<i64>, day: DayBounds) -> Option<Finding> {
    let none_older = oldest.is_some_and(|oldest| oldest >= day.start);
    let first = rows.iter().map(|row| row.start).min()?;
    (none_older && first > day.start).then(|| Finding {
        kind: FindingKind::SourceBegins,
        account_id: None,
        metric: None,
        resource: None,
        detail: format!(
            "the source's first row begins {:.2} hours into the day: what was before is not known",
            hours(first - day.start)
        ),
    })
}

/// A finished day without rows, after one that has some: an idle cloud has none for longer.
pub fn without_rows(usage: &DayUsage, before: Option<StoredDay>) -> Option<Finding> {
    let before = before.filter(|_| usage.source_rows == 0)?.source_rows;
    (before > 0).then(|| Finding {
        kind: FindingKind::NoRows,
        account_id: None,
        metric: None,
        resource: None,
        detail: format!(
            "the source has no rows of it, and {} of the day before",
            plural(before, "row")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::day::Completion;
    use crate::ledger::day::LinesPer;

    const DAY: DayBounds = DayBounds {
        start: 86_400,
        end: 172_800,
    };
    const STORED: StoredDay = StoredDay {
        completion: Completion::Closed,
        source_rows: 100,
        replayed_rows: 0,
        first_id: Some(500),
        sealed: false,
        verified: false,
        lines_per: LinesPer::Resource,
    };

    fn rows(source_rows: u64, replayed_rows: u64) -> DayUsage {
        DayUsage {
            source_rows,
            replayed_rows,
            ..DayUsage::default()
        }
    }

    #[test]
    fn a_day_whose_rows_are_gone_is_purged() {
        let reason = purged(STORED, &rows(0, 0), Some(0), Some(1), DAY).unwrap();
        assert_eq!(
            reason,
            "the source has no rows of it any more; what 100 rows gave is kept"
        );
        let idle = StoredDay {
            source_rows: 0,
            ..STORED
        };
        assert!(purged(idle, &rows(0, 0), None, Some(1), DAY).is_none());
    }

    #[test]
    fn a_day_that_the_purge_cut_through_is_purged() {
        let reason = purged(STORED, &rows(60, 0), Some(90_000), Some(1), DAY).unwrap();
        assert_eq!(
            reason,
            "the source has only 60 rows of it left and none older; what 100 rows gave is kept"
        );
        // With older rows in the source, fewer rows are an ordinary difference.
        assert!(purged(STORED, &rows(60, 0), Some(80_000), Some(1), DAY).is_none());
        assert!(purged(STORED, &rows(100, 0), Some(90_000), Some(1), DAY).is_none());
    }

    #[test]
    fn a_day_that_a_purge_by_ids_cut_through_is_purged() {
        // Rows that were written late have high ids, and are left for the last batch.
        let reason = purged(STORED, &rows(60, 0), Some(80_000), Some(501), DAY).unwrap();
        assert_eq!(
            reason,
            "the source has only 60 rows of it left and none with a lower id than they had; what 100 rows gave is kept"
        );
        // Its first row is there, or rows before that one.
        for lowest in [500, 499] {
            assert!(purged(STORED, &rows(99, 0), Some(80_000), Some(lowest), DAY).is_none());
        }
        assert!(purged(STORED, &rows(100, 0), Some(80_000), Some(501), DAY).is_none());
        let unknown = StoredDay {
            first_id: None,
            ..STORED
        };
        assert!(purged(unknown, &rows(60, 0), Some(80_000), Some(501), DAY).is_none());
    }

    #[test]
    fn replays_that_come_and_go_are_no_purge() {
        // A later run wrote the day again, and fewer rows of it.
        assert!(purged(STORED, &rows(180, 120), Some(90_000), Some(1), DAY).is_none());
        let replayed = StoredDay {
            source_rows: 200,
            replayed_rows: 100,
            ..STORED
        };
        assert!(purged(replayed, &rows(100, 0), Some(90_000), Some(1), DAY).is_none());
    }

    #[test]
    fn a_new_day_before_the_sources_first_row_is_not_known() {
        assert!(before_the_source(&rows(0, 0), Some(172_800), DAY).is_some());
        assert!(before_the_source(&rows(0, 0), Some(172_799), DAY).is_none());
        assert!(before_the_source(&rows(1, 0), Some(172_800), DAY).is_none());
        // A source without any rows is that of a cloud that is idle so far.
        assert!(before_the_source(&rows(0, 0), None, DAY).is_none());
    }
}
