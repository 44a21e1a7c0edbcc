//! Which lines differ: by hours, by size, by having come or gone.

use super::*;

const VM: (ResourceKind, u64) = (ResourceKind::Vm, 12);

fn sku(vcpus: u32) -> Sku {
    let size = VmSize {
        vcpus: std::num::NonZeroU32::new(vcpus),
        ..VmSize::default()
    };
    Sku {
        metric: Metric::VmRunning,
        offering: Some((Breakdown::ServiceOffering, 5)),
        zone_id: 1,
        size,
    }
}

/// Of VM 12, under a size.
fn held(sku_id: i64, vcpus: u32, quantity: f64) -> HeldLine {
    HeldLine {
        account_id: 2,
        key: LineKey {
            metric: Metric::VmRunning,
            offering_id: 5,
            zone_id: 1,
            resource: VM,
        },
        size: [vcpus, 0, 0],
        stored: StoredLine {
            sku_id,
            resource_id: 7,
            quantity,
        },
    }
}

fn now(sku: u32, quantity: f64) -> UsageLine {
    UsageLine {
        account_id: 2,
        resource: VM,
        quantity,
        sku,
        domain_id: 0,
    }
}

/// What differs, as old and new; the offering has these vCPUs by now.
fn compare(held: &[HeldLine], now: &[UsageLine], offering: u32) -> Vec<(Option<f64>, Option<f64>)> {
    let skus = [sku(0), sku(2), sku(4)];
    let size_of = |of: &Sku| of.size.or(sku(offering).size);
    compare_lines(held, now, &skus, &size_of, true, 0.0)
        .iter()
        .map(|line| (line.held_quantity(), line.source_quantity()))
        .collect()
}

#[test]
fn a_size_that_rows_do_not_say_is_the_one_that_was_frozen() {
    let before = [held(1, 2, 24.0)];
    for offering in [2, 3, 0] {
        assert_eq!(compare(&before, &[now(0, 24.0)], offering), []);
        let less = compare(&before, &[now(0, 23.0)], offering);
        assert_eq!(less, [(Some(24.0), Some(23.0))]);
    }
}

#[test]
fn a_size_that_rows_say_is_another_line() {
    let scaled = compare(&[held(1, 2, 24.0)], &[now(2, 24.0)], 2);
    assert_eq!(scaled, [(None, Some(24.0)), (Some(24.0), None)]);
    let two = [held(1, 2, 12.0), held(2, 4, 12.0)];
    assert_eq!(compare(&two, &[now(1, 12.0), now(2, 12.0)], 0), []);
    assert_eq!(
        compare(&two, &[now(1, 10.0), now(2, 14.0)], 0),
        [(Some(12.0), Some(10.0)), (Some(12.0), Some(14.0))]
    );
}

/// The ledger keeps one line of hours whose rows say the size and of others whose offering has it: 10 + 14.
#[test]
fn lines_of_one_size_are_one() {
    let before = [held(1, 2, 24.0)];
    assert_eq!(compare(&before, &[now(0, 10.0), now(1, 14.0)], 2), []);
}

#[test]
fn what_has_come_and_what_has_gone_differ() {
    assert_eq!(compare(&[], &[now(1, 3.0)], 0), [(None, Some(3.0))]);
    assert_eq!(compare(&[held(1, 2, 3.0)], &[], 0), [(Some(3.0), None)]);
    assert!(is_equal(1.0, 1.0 + 1e-10, 1e-9));
    assert!(!is_equal(1.0, 1.0 + 1e-8, 1e-9));
}
