//! What an account's day comes to under each SKU, as `account_days` has it: one short text, so that a range of days is
//! added up without looking at its lines, and a person can read it.

use std::fmt::Write;

use anyhow::Context;

use crate::sum::CompensatedSum;

/// Of lines in the order of their SKUs, each with its quantity: `3:24.0 7:0.125`. A quantity is the shortest text that
/// is read as the same number again.
pub fn add_up(lines: impl Iterator<Item = (i64, f64)>) -> String {
    let mut text = String::new();
    let mut sum: Option<(i64, CompensatedSum)> = None;
    for (sku_id, quantity) in lines {
        if let Some((of, sum)) = sum.filter(|(of, _)| *of != sku_id) {
            push(&mut text, of, sum);
        }
        let same = sum.filter(|(of, _)| *of == sku_id);
        let (_, mut next) = same.unwrap_or_default();
        next.add(quantity);
        sum = Some((sku_id, next));
    }
    if let Some((of, sum)) = sum {
        push(&mut text, of, sum);
    }
    text
}

fn push(text: &mut String, sku_id: i64, sum: CompensatedSum) {
    let space = if text.is_empty() { "" } else { " " };
    // Writing into a text cannot fail.
    let _ = write!(text, "{space}{sku_id}:{:?}", sum.value());
}

/// The SKUs of such a text, by their ids, with what they come to.
pub fn each(
    text: &str,
    mut on_sum: impl FnMut(i64, f64) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for one in text.split(' ') {
        let sum = one.split_once(':').and_then(|(sku_id, quantity)| {
            let sku_id = sku_id.parse().ok()?;
            Some((sku_id, quantity.parse().ok()?))
        });
        let (sku_id, quantity) = sum.with_context(|| format!("{text:?} instead of sums by SKU"))?;
        on_sum(sku_id, quantity)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(i64, f64)> {
        let mut sums = Vec::new();
        let on_sum = |sku_id, quantity| {
            sums.push((sku_id, quantity));
            Ok(())
        };
        each(text, on_sum).unwrap();
        sums
    }

    #[test]
    fn lines_of_one_sku_are_added_up() {
        let lines = [(3, 24.0), (7, 0.1), (7, 0.1), (7, 0.1), (12, 1e300)];
        let text = add_up(lines.into_iter());
        assert_eq!(text, "3:24.0 7:0.30000000000000004 12:1e300");
        assert_eq!(
            read(&text),
            [(3, 24.0), (7, 0.30000000000000004), (12, 1e300)]
        );
    }

    #[test]
    fn a_quantity_keeps_its_bits() {
        for quantity in [0.0, 5e-324, 1.0 / 3.0, f64::MAX, 744.0000000000001, 8e15] {
            let text = add_up([(1, quantity)].into_iter());
            assert_eq!(read(&text)[0].1.to_bits(), quantity.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_is_an_error() {
        for text in ["", "1", "1:", "1:2 ", "x:1"] {
            assert!(each(text, |_, _| Ok(())).is_err(), "{text}");
        }
    }
}
