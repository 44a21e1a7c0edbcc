//! Runs of the usage server that write again what earlier runs had written. One run is one job and one commit: it writes
//! every window since its start, with what it knows by then. If an event was late or stuck (CloudStack 4.0 to 4.23), the
//! run starts in the past, and resources that had ended meanwhile have no row in it at all. So everything that earlier
//! runs wrote about the time since its start is void: at each instant, the newest run that covered it is right.
//!
//! As a rule `usage_job` shows where a run begins. If that cannot be read, it is inferred here from the rows.

use std::collections::{HashMap, HashSet};

use super::window::DayBounds;
use crate::row::{Identity, UsageRow};

/// A run that started before an earlier one had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The lowest id of its rows.
    pub first_id: u64,
    /// The first second it covers, since 1970 UTC.
    pub since: i64,
    /// Where the time ends that earlier runs had covered.
    pub covered_until: i64,
    /// `usage_job.id`; `None`: inferred from the rows.
    pub job: Option<u64>,
}

impl Rewind {
    /// What messages call the run.
    pub fn name(&self) -> String {
        match self.job {
            Some(job) => format!("usage_job {job}"),
            None => "a later run".to_owned(),
        }
    }
}

/// A run whose first window is the very window that the run before it ended with: where its rows begin can only be
/// inferred from the rows themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameWindow {
    /// The first row of that window.
    pub from_id: u64,
    /// The first row that is surely the later run's.
    pub before_id: u64,
    pub since: i64,
    pub covered_until: i64,
    pub job: u64,
}

/// What is known of the runs that wrote a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Whether `usage_job` covers the day. If not, runs are inferred from the rows alone.
    pub known: bool,
    /// In the order of their ids.
    pub rewinds: Vec<Rewind>,
    pub same_windows: Vec<SameWindow>,
    /// Jobs whose rows have lower ids than an earlier job's, or do not begin where the job does, as after a purge or a
    /// restore by hand: they void nothing.
    pub disordered: Vec<u64>,
}

impl Runs {
    /// Whether one of them wrote again what another one had written.
    pub fn wrote_again(&self) -> bool {
        !self.rewinds.is_empty() || !self.same_windows.is_empty()
    }

    /// Whether `Rewinds::of` has to see all rows of the day.
    pub fn need_all_rows(&self) -> bool {
        !self.known || !self.same_windows.is_empty()
    }
}

/// The runs that wrote parts of a day again, in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Rewinds {
    list: Vec<Rewind>,
    /// Of each, the place of the one that starts first from it on: of those that start at one instant the newest.
    first_from: Vec<usize>,
    /// See `Runs`.
    pub disordered: Vec<u64>,
    /// Where the last row ends that the newest run has of a VM snapshot on primary storage.
    pub last_ends: HashMap<Identity, i64>,
}

impl Rewinds {
    /// Finds those that only the rows show. `rows` are all that touch the day.
    pub fn of(runs: &Runs, rows: &mut [UsageRow]) -> Rewinds {
        let mut rewinds = runs.rewinds.clone();
        if runs.need_all_rows() {
            rows.sort_unstable_by_key(|row| row.id);
        }
        if !runs.known {
            rewinds = told_from(rows);
        }
        for same in &runs.same_windows {
            let inside = |row: &&UsageRow| {
                row.start == same.since
                    && (same.from_id..same.before_id).contains(&row.id)
                    && !has_dates_of_its_own(row)
            };
            let mut window = OneWindow::default();
            let first = rows.iter().filter(inside).find(|row| window.returns(row));
            if let Some(first) = first {
                rewinds.push(Rewind {
                    first_id: first.id,
                    since: same.since,
                    covered_until: same.covered_until,
                    job: Some(same.job),
                });
            }
        }
        Rewinds {
            disordered: runs.disordered.clone(),
            ..Rewinds::new(rewinds)
        }
    }

    fn new(mut list: Vec<Rewind>) -> Rewinds {
        list.sort_unstable_by_key(|rewind| rewind.first_id);
        let mut first_from: Vec<usize> = (0..list.len()).collect();
        for place in (1..list.len()).rev() {
            let later = first_from[place];
            if list[later].since <= list[place - 1].since {
                first_from[place - 1] = later;
            }
        }
        Rewinds {
            list,
            first_from,
            ..Rewinds::default()
        }
    }

    /// Those before one of them.
    pub fn before_run(&self, run: &Rewind) -> Rewinds {
        let earlier = self
            .list
            .iter()
            .filter(|rewind| rewind.first_id < run.first_id);
        Rewinds::new(earlier.copied().collect())
    }

    /// The newest that starts before the end of a day of which earlier ones had written all.
    pub fn newest_of_all(&self, day: DayBounds) -> Option<&Rewind> {
        let newest = self.list.iter().rev().find(|rewind| rewind.since < day.end);
        newest.filter(|newest| newest.covered_until >= day.end)
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn newest(&self) -> Option<&Rewind> {
        self.list.last()
    }

    /// Of VM snapshots on primary storage a later run has no row after the one it ends in, be it days ago. The run to ask
    /// for its rows of them, if that may make a difference to any of these.
    pub fn to_ask_for_snapshots(&self, rows: &[UsageRow]) -> Option<&Rewind> {
        let newest = self.newest()?;
        let stays = |row: &UsageRow| {
            row.usage_type == Some(27) && row.id < newest.first_id && row.start > newest.since
        };
        rows.iter().any(stays).then_some(newest)
    }

    /// How many of them a row with this id comes after.
    pub fn before(&self, id: u64) -> usize {
        self.list.partition_point(|rewind| rewind.first_id <= id)
    }

    /// The one that voids most of what a row with this id says: from its start on.
    pub fn after(&self, id: u64) -> Option<&Rewind> {
        let first = self.first_from.get(self.before(id))?;
        Some(&self.list[*first])
    }

    /// All that a row with this id comes before, each with `before` of the rows that it wrote.
    pub fn all_after(&self, id: u64) -> impl Iterator<Item = (usize, &Rewind)> {
        let before = self.before(id);
        (before + 1..).zip(&self.list[before..])
    }

    /// `before` of the rows that the newest wrote of those that start before an instant; 0: none does.
    pub fn newest_of(&self, instant: i64) -> usize {
        let newest = self.list.iter().rposition(|rewind| rewind.since < instant);
        newest.map_or(0, |place| place + 1)
    }

    /// The newest that a row with this id belongs to or comes after.
    pub fn of_row(&self, id: u64) -> Option<&Rewind> {
        self.before(id)
            .checked_sub(1)
            .map(|place| &self.list[place])
    }
}

/// VM snapshots have dates of their own inside the window, and say nothing of it.
fn has_dates_of_its_own(row: &UsageRow) -> bool {
    matches!(row.usage_type, Some(25 | 27))
}

/// The rows of one window as they go by in the order of ids. Within one window the usage server goes from account to
/// account and, for each, from parser to parser, and returns to neither; and most parsers write an identity once.
#[derive(Default)]
struct OneWindow {
    accounts: HashSet<u64>,
    account: Option<u64>,
    parsers: Vec<u32>,
    identities: HashSet<Identity>,
}

impl OneWindow {
    /// Whether the next row can only be another run's.
    fn returns(&mut self, row: &UsageRow) -> bool {
        if self.account != Some(row.account_id) {
            self.account = Some(row.account_id);
            self.parsers.clear();
            if !self.accounts.insert(row.account_id) {
                return true;
            }
        }
        let parser = parser(row.usage_type);
        if self.parsers.last() != Some(&parser) {
            if self.parsers.contains(&parser) {
                return true;
            }
            self.parsers.push(parser);
        }
        !may_repeat(row) && !self.identities.insert(row.identity)
    }
}

/// A number for each parser of the usage server: the lowest usage type it writes. VMs that run are written before those
/// that are allocated, so these two are kept apart.
fn parser(usage_type: Option<u32>) -> u32 {
    match usage_type {
        Some(5) => 4,
        Some(22..=24) => 21,
        Some(8 | 9 | 26) => 7,
        Some(other) => other,
        None => 0,
    }
}

/// Whether a run may write several rows of one identity and window.
pub fn may_repeat(row: &UsageRow) -> bool {
    matches!(row.usage_type, Some(25 | 28 | 30 | 31))
}

/// Runs as far as the rows of a day show them, in the order of ids: a window that lies before the end of the one before
/// begins a run, and so does a return within one window. It counts only if it ends no earlier than all before it, and
/// says again at least half of what had been said of its time: rows that somebody restored or merged must not void others.
fn told_from(rows: &[UsageRow]) -> Vec<Rewind> {
    let windows: Vec<&UsageRow> = rows
        .iter()
        .filter(|row| !has_dates_of_its_own(row))
        .collect();
    let mut begins: Vec<(usize, i64)> = Vec::new();
    let mut window = OneWindow::default();
    for (place, row) in windows.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| windows[place]);
        let same = before.is_some_and(|before| (before.start, before.end) == (row.start, row.end));
        if !same {
            window = OneWindow::default();
        }
        let goes_back = before.is_some_and(|before| !same && row.start < before.end - 1);
        if window.returns(row) || goes_back {
            begins.push((place, row.start));
            window = OneWindow::default();
            window.returns(row);
        }
    }
    let mut rewinds = Vec::new();
    // Of each identity, where its rows end that were written before.
    let mut said: HashMap<Identity, i64> = HashMap::new();
    let mut covered_until = i64::MIN;
    let mut next = 0;
    for (number, (place, since)) in begins.iter().enumerate() {
        for row in &windows[next..*place] {
            let end = said.entry(row.identity).or_insert(row.end);
            *end = row.end.max(*end);
            covered_until = row.end.max(covered_until);
        }
        next = *place;
        let end = begins.get(number + 1).map_or(windows.len(), |next| next.0);
        let run = &windows[*place..end];
        let reached = run.iter().map(|row| row.end).max();
        let identities: HashSet<Identity> = run.iter().map(|row| row.identity).collect();
        let inside = said.iter().filter(|(_, end)| **end > *since);
        let (mut had, mut again) = (0, 0);
        for (identity, _) in inside {
            had += 1;
            again += u64::from(identities.contains(identity));
        }
        if reached >= Some(covered_until) && 2 * again >= had {
            rewinds.push(Rewind {
                first_id: windows[*place].id,
                since: *since,
                covered_until,
                job: None,
            });
        }
    }
    rewinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewind(first_id: u64, since: i64) -> Rewind {
        Rewind {
            first_id,
            since,
            covered_until: 1000,
            job: None,
        }
    }

    #[test]
    fn a_row_is_void_from_the_earliest_start_of_the_runs_after_it() {
        let rewinds = Rewinds::new(vec![rewind(100, 50), rewind(200, 40), rewind(300, 70)]);
        let since = |id| rewinds.after(id).map(|rewind| rewind.since);
        assert_eq!(
            [since(99), since(199), since(200), since(299), since(300)],
            [Some(40), Some(40), Some(70), Some(70), None]
        );
        assert_eq!((rewinds.before(199), rewinds.before(200)), (1, 2));
        assert_eq!(rewinds.of_row(300).map(|rewind| rewind.since), Some(70));
        let earlier = rewinds.before_run(&rewind(300, 70));
        assert_eq!(earlier.newest(), Some(&rewind(200, 40)));
        let all: Vec<usize> = rewinds.all_after(150).map(|(epoch, _)| epoch).collect();
        assert_eq!(all, [2, 3]);
        assert_eq!((rewinds.newest_of(60), rewinds.newest_of(40)), (2, 0));
        let same = Rewinds::new(vec![rewind(1, 5), rewind(2, 5)]);
        assert_eq!(same.after(0), Some(&rewind(2, 5)));
    }
}
