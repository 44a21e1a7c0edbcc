//! What holds for any rows.

use proptest::prelude::*;

use super::*;

fn any_row() -> impl Strategy<Value = UsageRow> {
    let windows = prop_oneof![
        Just((DAY.start, DAY.end)),
        Just((DAY.start - 2, DAY.end)),
        Just((DAY.end - 600, DAY.end)),
        (-30i64..24, 1i64..40)
            .prop_map(|(from, hours)| (TENTH + from * 3600, TENTH + (from + hours) * 3600)),
    ];
    let usage_type = prop_oneof![
        Just(1u32),
        Just(6),
        Just(4),
        Just(25),
        Just(28),
        Just(29),
        Just(30),
        Just(99)
    ];
    (
        usage_type,
        1u64..4,
        1u64..3,
        0.1f64..48.0,
        proptest::option::of(1u64..1 << 40),
        windows,
    )
        .prop_map(
            |(usage_type, usage_id, account_id, raw, size, (start, end))| UsageRow {
                usage_id,
                account_id,
                offering_id: size.unwrap_or(0) % 3,
                particulars: size.map_or(Particulars::None, Particulars::Size),
                start,
                end,
                ..row(0, usage_type, raw)
            },
        )
}

proptest! {
    /// To the last bit, and whatever the ids of equal facts are.
    #[test]
    fn the_order_of_rows_changes_nothing(
        (rows, shuffled) in proptest::collection::vec(any_row(), 1..40)
            .prop_map(|mut rows| {
                for (id, row) in (1..).zip(&mut rows) {
                    row.id = id;
                }
                identified(rows)
            })
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        prop_assert_eq!(day_of(rows), day_of(shuffled));
    }

    /// Up to rounding, and without a line that belongs to none.
    #[test]
    fn records_are_the_sums_of_their_lines(
        rows in proptest::collection::vec(any_row(), 1..40).prop_map(|mut rows| {
            for (id, row) in (1..).zip(&mut rows) {
                row.id = id;
            }
            rows
        })
    ) {
        let usage = day_of(rows);
        let mut sums: BTreeMap<_, f64> = BTreeMap::new();
        for line in &usage.lines {
            *sums.entry(line.record_key(&usage.skus)).or_default() += line.quantity;
        }
        prop_assert_eq!(sums.len(), usage.records.len());
        for record in &usage.records {
            let sum = sums[&(record.account_id, record.metric, record.source_id)];
            prop_assert!((sum - record.quantity).abs() <= 1e-12 * record.quantity);
        }
    }

    /// Over all days, what a window was worth is what its days get.
    #[test]
    fn nothing_is_lost_or_gained_at_midnight(from in -100_000i64..100_000, seconds in 1i64..300_000) {
        let gmt = Zones::from(Zone::parse("GMT").unwrap());
        let share = |day: i64| {
            let bounds = DayBounds { start: TENTH + day * 86_400, end: TENTH + (day + 1) * 86_400 };
            let part = part_of_day(TENTH + from, TENTH + from + seconds, bounds, &gmt).unwrap();
            part.map_or(0.0, |part| part.share(part.to - part.from))
        };
        let whole: f64 = (-4..8).map(share).sum();
        prop_assert!((whole - 1.0).abs() < 1e-12, "{}", whole);
    }
}
