//! How figures are added up, everywhere: what a query in a shell says of an account's resource and month and what we
//! say is the same.

/// A sum that carries along what rounding cuts off (Neumaier's method), as SQLite's own `sum` does: ten
/// times 0.1 is 1.0, and `sqlite3` finds the same figure.
#[derive(Clone, Copy, Default)]
pub struct CompensatedSum {
    rounded: f64,
    cut_off: f64,
}

impl CompensatedSum {
    pub fn add(&mut self, quantity: f64) {
        let rounded = self.rounded + quantity;
        self.cut_off += if self.rounded.abs() > quantity.abs() {
            (self.rounded - rounded) + quantity
        } else {
            (quantity - rounded) + self.rounded
        };
        self.rounded = rounded;
    }

    pub fn value(&self) -> f64 {
        self.rounded + self.cut_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(quantities: &[f64]) -> f64 {
        let mut sum = CompensatedSum::default();
        quantities.iter().for_each(|quantity| sum.add(*quantity));
        sum.value()
    }

    #[test]
    fn a_sum_keeps_what_rounding_cuts_off() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1.0, 1e16, 1.0, -1e16]), 2.0);
        assert_eq!(sum(&[24.0, 23.0, 25.0]), 72.0);
        assert!(sum(&[f64::MAX, f64::MAX]).is_nan());
    }
}
