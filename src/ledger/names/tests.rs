//! What is read when a ledger is opened.

use super::*;

#[test]
fn every_kind_that_metrics_are_kept_per_is_read() {
    let (_, kinds) = KEPT_PER.split_once("kind in (").unwrap();
    let (kinds, _) = kinds.split_once(')').unwrap();
    let mut read: Vec<&str> = kinds
        .split(',')
        .map(|kind| kind.trim().trim_matches('\''))
        .collect();
    let mut all = Breakdown::ALL.map(Breakdown::name);
    read.sort_unstable();
    all.sort_unstable();
    assert_eq!(read, all);
}
