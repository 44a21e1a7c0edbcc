//! `verify` and `seal` killed at any moment: what they note of a day is noted or not, nothing else changes, and the
//! same command then does the rest.

use std::time::{Duration, Instant};

use super::{Background, DAY_SUMS, furnish};
use crate::cloudstack::{Cloud, NEWEST};

const PERIOD: &str = "2013-06-01..2013-06-10";

const FACTS: &str = "select day, source_rows, replayed_rows, fingerprint, imported_at from stored_days
                     union all select day, usage_type, source_rows, digest, '' from stored_digests order by 1, 2";

/// Kills a command at moments spread over the time it takes. `check` is asked after each kill, and then the
/// command is run to its end.
fn kill(cloud: &Cloud, words: &[&str], prepare: &dyn Fn(), check: &mut dyn FnMut()) {
    let rounds = 12;
    prepare();
    let started = Instant::now();
    cloud.run(words).exits(0);
    let mut took = started.elapsed();
    let (figures, facts) = (cloud.ledger(DAY_SUMS), cloud.ledger(FACTS));
    for round in 0..rounds {
        prepare();
        let mut command = Background::start(cloud, words);
        std::thread::sleep(took * round / rounds);
        command.0.kill().unwrap();
        command.0.wait().unwrap();
        cloud.release_ledger();
        assert_eq!(cloud.ledger_damage(), [""; 0]);
        assert_eq!(cloud.ledger(DAY_SUMS), figures);
        assert_eq!(cloud.ledger(FACTS), facts);
        check();
        let started = Instant::now();
        cloud.run(words).exits(0);
        took = started.elapsed().max(Duration::from_millis(1));
    }
}

fn imported(accounts: u64) -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    furnish(&cloud, accounts);
    cloud.run(&["import"]).exits(0);
    cloud
}

fn count(cloud: &Cloud, condition: &str) -> u32 {
    let sql = format!("select count(*) from stored_days where {condition}");
    cloud.ledger(&sql)[0].parse().unwrap()
}

#[test]
fn a_killed_verify_leaves_days_verified_or_not() {
    let cloud = imported(100);
    let prepare = || {
        cloud.edit_ledger("update stored_days set verified_at = null");
    };
    let mut interrupted = 0;
    let mut check = || {
        let verified = count(&cloud, "verified_at is not null");
        // Days are verified in order.
        let in_order = format!("verified_at is not null and day <= '2013-06-{verified:02}'");
        assert_eq!(count(&cloud, &in_order), verified);
        interrupted += u32::from(0 < verified && verified < 10);
    };
    kill(&cloud, &["verify", PERIOD], &prepare, &mut check);
    assert!(interrupted > 0, "no kill came between two days");
    assert_eq!(count(&cloud, "verified_at is not null"), 10);
}

#[test]
fn a_killed_seal_has_sealed_all_days_or_none() {
    let cloud = imported(2);
    cloud.run(&["verify"]).exits(0);
    let prepare = || {
        cloud.run(&["unseal", PERIOD]).exits(0);
    };
    let mut unsealed = 0;
    let mut check = || {
        let sealed = count(&cloud, "sealed_at is not null");
        assert!(
            sealed == 0 || sealed == 10,
            "{sealed} of 10 days are sealed"
        );
        assert_eq!(count(&cloud, "verified_at is not null"), 10);
        unsealed += u32::from(sealed == 0);
    };
    kill(&cloud, &["seal", PERIOD], &prepare, &mut check);
    assert!(unsealed > 0, "no kill came before the end");
    assert_eq!(count(&cloud, "sealed_at is not null"), 10);
    cloud.run(&["import", "2013-06-01", "-f"]).exits(0);
    cloud.run(&["verify", PERIOD]).exits(0);
}
