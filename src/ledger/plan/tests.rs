//! What each policy makes of a day, by hand. Account 2 has metric 1, of resources with the source ids 5, 6, 7.

use super::RecordChange::{ApplyPending, Correct, Delete, Insert, Update};
use super::*;
use crate::finding::FindingKind;
use crate::ledger::day::{Completion, FigureDifference, StoredDay};
use crate::ledger::line_table::LinesPer;
use crate::metric::Metric;

const ADD_MISSING: Policy = Policy::Closed(ClosedDay::AddMissing);
const OVERWRITE: Policy = Policy::Closed(ClosedDay::Overwrite);
const REPORT_ONLY: Policy = Policy::Closed(ClosedDay::ReportOnly);

const fn key(source_id: u64) -> RecordKey {
    (2, 1, source_id)
}

/// The id of a resource in the ledger is 50 more than its source id.
fn new(source_id: u64, quantity: f64) -> NewRecord {
    NewRecord {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        stand_in: false,
        quantity,
    }
}

fn old(source_id: u64, quantity: f64) -> OldRecord {
    OldRecord {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        stand_in: false,
        stored: Some(quantity),
        corrected: Some(quantity),
        pending: false,
    }
}

/// 5 stays at 24, 6 falls from 24 to 20, 7 is gone, 8 is new.
fn changed() -> ([OldRecord; 3], [NewRecord; 3]) {
    (
        [old(5, 24.0), old(6, 24.0), old(7, 24.0)],
        [new(5, 24.0), new(6, 20.0), new(8, 12.0)],
    )
}

fn insert(source_id: u64, quantity: f64) -> RecordChange {
    Insert {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        quantity,
    }
}

fn update(source_id: u64, quantity: f64) -> RecordChange {
    Update {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        quantity,
    }
}

fn delete(source_id: u64) -> RecordChange {
    Delete {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
    }
}

fn correct(
    source_id: u64,
    old: Option<f64>,
    new: Option<f64>,
    kind: CorrectionKind,
) -> RecordChange {
    Correct(Box::new(Correction {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        old,
        new,
        kind,
    }))
}

fn overwritten(source_id: u64, old: Option<f64>, new: Option<f64>) -> RecordChange {
    correct(source_id, old, new, CorrectionKind::Overwritten)
}

fn pending(source_id: u64, old: Option<f64>, new: Option<f64>) -> RecordChange {
    correct(source_id, old, new, CorrectionKind::Pending)
}

fn differs(source_id: u64, stored: Option<f64>, source: Option<f64>) -> Unequal {
    Unequal {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
        stored,
        source,
    }
}

#[test]
fn the_policy_comes_from_the_choice_and_the_state_of_the_day() {
    let stored = |completion, sealed| {
        Some(StoredDay {
            completion,
            source_rows: 1,
            replayed_rows: 0,
            first_id: None,
            sealed,
            verified: false,
            lines_per: LinesPer::Resource,
        })
    };
    let choice = ClosedDay::Overwrite;
    let open = stored(Completion::Open, false);
    let closed = stored(Completion::Closed, false);
    let sealed = stored(Completion::Closed, true);
    assert_eq!(Policy::of(None, choice), Policy::Unfinished);
    assert_eq!(Policy::of(open, choice), Policy::Unfinished);
    assert_eq!(Policy::of(closed, choice), OVERWRITE);
    assert_eq!(Policy::of(sealed, choice), Policy::Sealed);
}

#[test]
fn a_new_day_is_inserted_without_corrections() {
    let records = [new(5, 24.0), new(6, 20.0)];
    let plan = plan(Policy::Unfinished, &[], &records);
    assert_eq!(plan.changes, [insert(5, 24.0), insert(6, 20.0)]);
    assert_eq!(plan.unequal, []);
    assert_eq!((plan.added, plan.kept, plan.overwritten), (2, 0, 0));
    assert_eq!(count_after(Policy::Unfinished, &[], &records), Some((2, 1)));
}

#[test]
fn an_open_day_is_replaced_and_only_what_shrinks_is_a_correction() {
    let before = [old(5, 10.0), old(6, 24.0), old(7, 24.0)];
    let records = [new(5, 24.0), new(6, 20.0), new(8, 12.0)];
    let plan = plan(Policy::Unfinished, &before, &records);
    assert_eq!(
        plan.changes,
        [
            update(5, 24.0),
            update(6, 20.0),
            overwritten(6, Some(24.0), Some(20.0)),
            delete(7),
            overwritten(7, Some(24.0), None),
            insert(8, 12.0),
        ]
    );
    assert_eq!((plan.added, plan.kept, plan.overwritten), (1, 0, 3));
    assert_eq!(
        count_after(Policy::Unfinished, &before, &records),
        Some((3, 1))
    );
}

#[test]
fn a_closed_day_gains_what_is_missing_and_keeps_the_rest() {
    let (before, records) = changed();
    let plan = plan(ADD_MISSING, &before, &records);
    assert_eq!(
        plan.changes,
        [insert(8, 12.0), overwritten(8, None, Some(12.0))]
    );
    assert_eq!(
        plan.unequal,
        [
            differs(6, Some(24.0), Some(20.0)),
            differs(7, Some(24.0), None)
        ]
    );
    assert_eq!((plan.added, plan.kept, plan.overwritten), (1, 2, 0));
    assert_eq!(count_after(ADD_MISSING, &before, &records), Some((4, 1)));
}

#[test]
fn a_closed_day_that_is_overwritten_keeps_every_change_as_a_correction() {
    let (before, records) = changed();
    let plan = plan(OVERWRITE, &before, &records);
    assert_eq!(
        plan.changes,
        [
            update(6, 20.0),
            overwritten(6, Some(24.0), Some(20.0)),
            delete(7),
            overwritten(7, Some(24.0), None),
            insert(8, 12.0),
            overwritten(8, None, Some(12.0)),
        ]
    );
    assert_eq!(plan.unequal, []);
    assert_eq!((plan.added, plan.kept, plan.overwritten), (1, 1, 2));
    assert_eq!(count_after(OVERWRITE, &before, &records), Some((3, 1)));
}

#[test]
fn a_closed_day_that_is_only_reported_does_not_change() {
    let (before, records) = changed();
    let plan = plan(REPORT_ONLY, &before, &records);
    assert_eq!(plan.changes, []);
    assert_eq!(
        plan.unequal,
        [
            differs(6, Some(24.0), Some(20.0)),
            differs(7, Some(24.0), None),
            differs(8, None, Some(12.0))
        ]
    );
    assert_eq!((plan.added, plan.kept, plan.overwritten), (0, 2, 0));
    assert_eq!(count_after(REPORT_ONLY, &before, &records), None);
}

#[test]
fn a_sealed_day_gets_pending_corrections_that_go_on_from_the_earlier_ones() {
    let (mut before, records) = changed();
    // An earlier import said 22 of it.
    before[1].corrected = Some(22.0);
    before[1].pending = true;
    let plan = plan(Policy::Sealed, &before, &records);
    assert_eq!(
        plan.changes,
        [
            pending(6, Some(22.0), Some(20.0)),
            pending(7, Some(24.0), None),
            pending(8, None, Some(12.0)),
        ]
    );
    assert_eq!((plan.unequal, plan.pending), (vec![], 3));
    assert_eq!(count_after(Policy::Sealed, &before, &records), None);
}

#[test]
fn a_sealed_day_whose_pending_corrections_say_it_already_gets_no_more() {
    let mut before = [old(5, 24.0), old(6, 24.0)];
    before[0].corrected = Some(20.0);
    before[0].pending = true;
    before[1].corrected = None;
    before[1].pending = true;
    let plan = plan(Policy::Sealed, &before, &[new(5, 20.0)]);
    assert_eq!((plan.changes, plan.pending), (vec![], 0));
}

/// It was sealed once, and is not any more.
#[test]
fn pending_corrections_are_applied_with_the_value_they_come_to() {
    let mut before = [old(5, 24.0), old(6, 0.0)];
    before[0].corrected = Some(20.0);
    before[0].pending = true;
    before[1].stored = None;
    before[1].corrected = Some(6.0);
    before[1].pending = true;
    let apply = |source_id| ApplyPending {
        key: key(source_id),
        resource_id: 50 + source_id as i64,
    };
    let records = [new(5, 18.0), new(6, 6.0)];
    let overwrite = plan(OVERWRITE, &before, &records);
    assert_eq!(
        overwrite.changes,
        [
            update(5, 18.0),
            apply(5),
            overwritten(5, Some(20.0), Some(18.0)),
            insert(6, 6.0),
            apply(6),
        ]
    );
    // What only a pending correction speaks of is missing.
    let add_missing = plan(ADD_MISSING, &before, &records);
    assert_eq!(add_missing.changes, [insert(6, 6.0), apply(6)]);
    assert_eq!(add_missing.unequal, [differs(5, Some(24.0), Some(18.0))]);
}

#[test]
fn a_stand_in_gives_way_to_the_resource_it_stood_for() {
    let mut before = [old(5, 24.0)];
    before[0].resource_id = 9;
    before[0].stand_in = true;
    let named = plan(OVERWRITE, &before, &[new(5, 24.0)]);
    let of_stand_in = Correct(Box::new(Correction {
        key: key(5),
        resource_id: 9,
        old: Some(24.0),
        new: None,
        kind: CorrectionKind::Overwritten,
    }));
    let delete = Delete {
        key: key(5),
        resource_id: 9,
    };
    assert_eq!(
        named.changes,
        [
            delete,
            insert(5, 24.0),
            of_stand_in,
            overwritten(5, None, Some(24.0)),
        ]
    );
    assert_eq!((named.added, named.kept, named.overwritten), (0, 0, 1));
    // A resource that got another name since keeps the one it was frozen under.
    before[0].stand_in = false;
    let renamed = plan(OVERWRITE, &before, &[new(5, 24.0)]);
    assert_eq!((renamed.changes, renamed.kept), (vec![], 1));
}

#[test]
fn a_difference_is_a_finding_that_says_both_values() {
    let difference = FigureDifference {
        account: "a-2".to_owned(),
        account_id: 2,
        metric: Metric::VmRunning,
        resource: Some("small".to_owned()),
        stored: Some(24.0),
        source: None,
    };
    let finding = difference.finding();
    assert_eq!(finding.kind, FindingKind::DiffersFromSource);
    assert_eq!(finding.account_id, Some(2));
    assert_eq!(finding.resource.as_deref(), Some("small"));
    assert_eq!(finding.detail, "stored 24, the source says nothing");
}
