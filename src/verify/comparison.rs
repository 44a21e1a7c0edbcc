//! One day of the ledger beside what its source comes to now: which figures differ, and what the digests of the
//! rows say about the reason.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Difference, Kind, Name, about_day};
use crate::aggregate::DayUsage;
use crate::aggregate::runs::Rewind;
use crate::cloud::{Fingerprint, runs_told};
use crate::day::Day;
use crate::ledger::Ledger;
use crate::ledger::differing_lines::RecordId;
use crate::ledger::naming::AccountRef;
use crate::ledger::read::corrected_lines::ChangedLines;
use crate::ledger::verification::{DayFigures, StoredFigure};
use crate::metric::Metric;
use crate::plural::plural;
use crate::row::{Digest, UsageRow};

/// A day of the ledger beside what its source gives now.
pub struct Comparison<'a> {
    pub day: Day,
    pub tolerance: f64,
    pub ledger: &'a Ledger,
    pub rows: &'a [UsageRow],
    pub usage: &'a DayUsage,
    pub fingerprint: &'a Fingerprint,
    /// The newest run that wrote the day again.
    pub newest_run: Option<&'a Rewind>,
    pub stored: &'a DayFigures,
    /// By record; see `Ledger::differing_lines`.
    pub lines: BTreeMap<RecordId, ChangedLines>,
}

impl Comparison<'_> {
    pub fn differences(mut self) -> Vec<Difference> {
        let mut lines = std::mem::take(&mut self.lines);
        let now = self.figures_now();
        let mut differences: Vec<Difference> = pairs(&now, &self.stored.figures)
            .into_iter()
            .filter_map(|(now, stored)| self.figure(now, stored, &mut lines))
            .collect();
        let explained: BTreeSet<Metric> = differences.iter().filter_map(|d| d.metric).collect();
        for (usage_type, change) in self.changed_types() {
            let metric = Metric::of_usage_type(usage_type).0;
            if !explained.contains(&metric) {
                let replayed = self.usage.replayed_rows > self.stored.replayed_rows;
                let kind = match change.kind {
                    Kind::RowAdded if replayed => Kind::Replayed,
                    kind => kind,
                };
                let of_type = usage_type.map_or("no usage type".to_owned(), |number| {
                    format!("usage type {number}")
                });
                differences.push(Difference {
                    metric: Some(metric),
                    ..about_day(
                        self.day,
                        kind,
                        format!("{of_type}: {}; no figure differs", change.detail),
                    )
                });
            }
        }
        differences
    }

    /// What the source gives, by accounts of the ledger. Several ids in CloudStack may mean one account.
    fn figures_now(&self) -> Vec<FigureNow> {
        let records = self.usage.records.iter().map(|record| FigureNow {
            account: self.ledger.account_ref(record.account_id, self.day),
            metric: record.metric,
            source_id: record.source_id,
            quantity: record.quantity,
        });
        let mut figures: Vec<FigureNow> = records.collect();
        figures.sort_unstable_by(|a, b| {
            let by_quantity = || a.quantity.total_cmp(&b.quantity);
            a.key().cmp(&b.key()).then_with(by_quantity)
        });
        figures.dedup_by(|next, figure| {
            let same = next.key() == figure.key();
            if same {
                figure.quantity += next.quantity;
            }
            same
        });
        figures
    }

    /// What is to be said of one figure, if it differs.
    fn figure(
        &self,
        now: Option<&FigureNow>,
        stored: Option<&StoredFigure>,
        lines: &mut BTreeMap<RecordId, ChangedLines>,
    ) -> Option<Difference> {
        let source = now.map(|record| record.quantity);
        let ours = stored.and_then(|figure| figure.quantity);
        let (account, metric, source_id) = match (now, stored) {
            (Some(figure), _) => figure.key(),
            (None, Some(figure)) => key_of(figure),
            (None, None) => return None,
        };
        let lines = lines.remove(&(account, metric, source_id));
        let is_equal = self.is_equal(ours, source);
        if is_equal && lines.is_none() {
            return None;
        }
        let lines = lines.unwrap_or_default();
        let resource = match stored {
            Some(figure) => self
                .ledger
                .resource_naming(figure.resource_id)
                .map(|(uuid, name, _)| Name { uuid, name }),
            None => metric.per().map(|per| {
                let (uuid, name) = self.ledger.resource_of(per, source_id);
                Name { uuid, name }
            }),
        };
        let (uuid, name, _) = self.ledger.account_naming(account);
        let change = match is_equal {
            true => Change {
                kind: Kind::LinesDiffer,
                detail: format!("no figure differs: {}", in_words(&lines)),
            },
            false => self.why(metric),
        };
        let of_figure = |quantity: Option<f64>| quantity.filter(|_| !is_equal);
        Some(Difference {
            day: self.day,
            kind: change.kind,
            account_id: account.stored(),
            account: Some(Name { uuid, name }),
            metric: Some(metric),
            resource,
            stored: of_figure(ours),
            source: of_figure(source),
            detail: change.detail,
            lines,
            acknowledged: false,
        })
    }

    fn is_equal(&self, ours: Option<f64>, source: Option<f64>) -> bool {
        match (ours, source) {
            (Some(ours), Some(source)) => {
                (ours - source).abs() <= self.tolerance * ours.abs().max(source.abs())
            }
            (ours, source) => ours == source,
        }
    }

    /// Why figures of a metric differ, as far as the rows of its usage types show.
    fn why(&self, metric: Metric) -> Change {
        if self.stored.digests.is_empty() {
            return Change {
                kind: Kind::Differs,
                detail: "how the source looked before is not known".to_owned(),
            };
        }
        let of_metric = |usage_type: Option<u32>| match metric {
            Metric::OsUsage => usage_type == Some(1),
            Metric::UsageType(28) => usage_type == Some(28),
            _ => Metric::of_usage_type(usage_type).0 == metric,
        };
        self.changed_types()
            .into_iter()
            .find(|(usage_type, _)| of_metric(*usage_type))
            .map_or_else(|| self.of_same_rows(), |(_, change)| change)
    }

    /// Why figures differ although the rows of their types are those of the import.
    fn of_same_rows(&self) -> Change {
        let then = self.stored.fingerprint.as_deref().map_or("", runs_told);
        match self.newest_run {
            Some(run) if then != runs_told(&self.fingerprint.to_string()) => Change {
                kind: Kind::Rewritten,
                detail: format!("{} has written the day again since the import", run.name()),
            },
            Some(_) | None => Change {
                kind: Kind::Edited,
                detail: "the rows are those of the import: the ledger was changed".to_owned(),
            },
        }
    }

    /// Usage types whose rows are not those of the import.
    fn changed_types(&self) -> BTreeMap<Option<u32>, Change> {
        let (then, now) = (&self.stored.digests, &self.usage.digests);
        if then.is_empty() {
            return BTreeMap::new();
        }
        let types: BTreeSet<Option<u32>> = then.keys().chain(now.keys()).copied().collect();
        let of = |digests: &BTreeMap<Option<u32>, Digest>, usage_type| {
            digests.get(&usage_type).copied().unwrap_or_default()
        };
        types
            .into_iter()
            .map(|usage_type| (usage_type, of(then, usage_type), of(now, usage_type)))
            .filter(|(_, then, now)| then != now)
            .map(|(usage_type, then, now)| (usage_type, self.change(then, now)))
            .collect()
    }

    fn change(&self, then: Digest, now: Digest) -> Change {
        let kind = match now.rows.cmp(&then.rows) {
            std::cmp::Ordering::Greater => Kind::RowAdded,
            std::cmp::Ordering::Less => Kind::RowRemoved,
            std::cmp::Ordering::Equal => Kind::RowChanged,
        };
        let rows = format!("{}, {} when imported", plural(now.rows, "row"), then.rows);
        // The sums differ by the hash of the one row that has come.
        let added = now.sum.wrapping_sub(then.sum);
        // Of rows that say the same, the newest is the one that has come.
        let has_come = now.rows == then.rows + 1;
        let alike = self.rows.iter().filter(|row| row.hash() == added);
        let row = has_come.then(|| alike.max_by_key(|row| row.id)).flatten();
        let detail = match row {
            Some(row) => format!("{rows}: row {} was added", row.id),
            None => rows,
        };
        Change { kind, detail }
    }
}

/// By uuid and in full numbers: it is acknowledged by these words. With the zone and size of lines that are new or gone.
fn in_words(lines: &ChangedLines) -> String {
    lines.in_words(|line| {
        let uuid = line.resource_uuid.as_deref().unwrap_or("-");
        let name = Some(format!("{uuid}{}", line.zone_and_size()));
        line.in_words(&name, |quantity| quantity.to_string())
    })
}

/// What the source gives for one figure.
struct FigureNow {
    account: AccountRef,
    metric: Metric,
    source_id: u64,
    /// In the metric's unit.
    quantity: f64,
}

impl FigureNow {
    fn key(&self) -> (AccountRef, Metric, u64) {
        (self.account, self.metric, self.source_id)
    }
}

fn key_of(figure: &StoredFigure) -> (AccountRef, Metric, u64) {
    let account = AccountRef::Stored(figure.account_id);
    (account, figure.metric, figure.source_id)
}

/// How the rows of a usage type have changed.
struct Change {
    kind: Kind,
    detail: String,
}

/// What is of one account, metric and id, from two lists sorted by these.
fn pairs<'a>(
    now: &'a [FigureNow],
    stored: &'a [StoredFigure],
) -> Vec<(Option<&'a FigureNow>, Option<&'a StoredFigure>)> {
    let mut pairs = Vec::with_capacity(now.len());
    let mut stored = stored.iter().peekable();
    for record in now {
        while let Some(gone) = stored.next_if(|figure| key_of(figure) < record.key()) {
            pairs.push((None, Some(gone)));
        }
        let same = stored.next_if(|figure| key_of(figure) == record.key());
        pairs.push((Some(record), same));
    }
    pairs.extend(stored.map(|gone| (None, Some(gone))));
    pairs
}
