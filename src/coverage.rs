//! Which days of a period the ledger has: one rule for all commands. A day is
//! missing if the ledger does not have it, and it may be so because it has not begun.

use crate::day::{Day, DayRange, in_ranges};
use crate::ledger::read::Snapshot;
use crate::ledger::read::Unfinished;
use crate::ledger::read::state::find_state;
use crate::output::Value;

/// What a period lacks.
#[derive(Debug, Default, PartialEq)]
pub struct Coverage {
    pub unfinished: Unfinished,
    /// Of the missing days, those after today.
    pub future_days: Vec<Day>,
    /// The ledger has no day at all.
    pub nothing_imported: bool,
}

/// Looks for the days of a range, or at the ledger alone where no days were asked for.
pub fn find_coverage(
    snapshot: &Snapshot,
    range: Option<DayRange>,
    today: Day,
) -> anyhow::Result<Coverage> {
    let nothing_imported = find_state(snapshot)?.days.is_none();
    let unfinished = match range {
        Some(range) => snapshot.list_unfinished(range)?,
        None => Unfinished::default(),
    };
    Ok(Coverage {
        future_days: after(&unfinished.missing_days, today).to_vec(),
        unfinished,
        nothing_imported,
    })
}

/// Days of an ordered list that have not begun.
fn after(days: &[Day], today: Day) -> &[Day] {
    &days[days.partition_point(|day| *day <= today)..]
}

impl Coverage {
    /// The ledger has every day, and something at all.
    pub fn is_whole(&self) -> bool {
        self.unfinished.missing_days.is_empty() && !self.nothing_imported
    }

    /// Every day is there, and the source has finished it.
    pub fn is_final(&self) -> bool {
        self.unfinished.is_complete() && !self.nothing_imported
    }

    /// What is missing, one line each.
    pub fn absences(&self) -> Vec<String> {
        if self.nothing_imported {
            return vec!["the ledger is empty: rbc-usage import".to_owned()];
        }
        let begun = self.unfinished.missing_days.len() - self.future_days.len();
        let lines = [
            (
                "missing in the ledger",
                &self.unfinished.missing_days[..begun],
            ),
            ("not begun", &self.future_days[..]),
        ];
        let lines = lines.iter().filter(|(_, days)| !days.is_empty());
        lines
            .map(|(words, days)| format!("{words}: {}", in_ranges(days)))
            .collect()
    }

    /// The same, and the days that are not final.
    pub fn sentences(&self) -> Vec<String> {
        let mut lines = self.absences();
        if !self.unfinished.open_days.is_empty() {
            lines.push(format!(
                "not finished: {}",
                in_ranges(&self.unfinished.open_days)
            ));
        }
        lines
    }

    /// For programs.
    pub fn facts(&self) -> Vec<(&'static str, Value)> {
        let list = |days: &[Day]| Value::List(days.iter().map(Day::to_string).collect());
        vec![
            ("open_days", list(&self.unfinished.open_days)),
            ("missing_days", list(&self.unfinished.missing_days)),
            ("future_days", list(&self.future_days)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(texts: &[&str]) -> Vec<Day> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn days_that_have_not_begun_are_not_missing_yet() {
        let missing = days(&["2013-06-02", "2013-06-05", "2013-06-06", "2013-06-07"]);
        let coverage = Coverage {
            future_days: after(&missing, "2013-06-05".parse().unwrap()).to_vec(),
            unfinished: Unfinished {
                missing_days: missing,
                open_days: days(&["2013-06-04"]),
            },
            nothing_imported: false,
        };
        assert_eq!(
            coverage.sentences(),
            [
                "missing in the ledger: 2013-06-02, 2013-06-05",
                "not begun: 2013-06-06..2013-06-07",
                "not finished: 2013-06-04"
            ]
        );
        assert!(!coverage.is_whole());
        let whole = Coverage {
            unfinished: Unfinished {
                open_days: days(&["2013-06-04"]),
                ..Unfinished::default()
            },
            ..Coverage::default()
        };
        assert!(whole.is_whole() && !whole.is_final());
        assert_eq!(whole.absences(), [""; 0]);
    }

    #[test]
    fn an_empty_ledger_says_so_and_names_no_days() {
        let empty = Coverage {
            unfinished: Unfinished {
                missing_days: days(&["2013-06-02"]),
                ..Unfinished::default()
            },
            nothing_imported: true,
            ..Coverage::default()
        };
        assert_eq!(empty.sentences(), ["the ledger is empty: rbc-usage import"]);
        assert!(!empty.is_whole());
    }
}
