//! The units that prices are of: which metrics they fit, and how many of them a quantity is.

use anyhow::{Context, ensure};
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits behind the point that quantities of a statement are rounded to.
const DIGITS: u32 = 6;

const GB: u64 = 1_000_000_000;
const GIB: u64 = 1 << 30;

/// What a price is of. Names are contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceUnit {
    pub name: &'static str,
    /// The unit of the metrics that it fits.
    pub of: &'static str,
    /// How many of that unit make up one.
    size: u64,
    /// And that times the hours of the month.
    each_hour_of_month: bool,
}

/// The hours of an average month, as price lists have them.
const HOURS_OF_MONTH: u64 = 730;

const fn flat(name: &'static str, of: &'static str, size: u64) -> PriceUnit {
    PriceUnit {
        name,
        of,
        size,
        each_hour_of_month: false,
    }
}

/// Held or running all through the month, however long that is.
const fn monthly(name: &'static str, of: &'static str, size: u64) -> PriceUnit {
    PriceUnit {
        name,
        of,
        size,
        each_hour_of_month: true,
    }
}

const UNITS: [PriceUnit; 20] = [
    flat("hour", "hours", 1),
    monthly("month", "hours", 1),
    flat("month-730", "hours", HOURS_OF_MONTH),
    flat("vCPU-hour", "vcpu-hours", 1),
    monthly("vCPU-month", "vcpu-hours", 1),
    flat("vCPU-month-730", "vcpu-hours", HOURS_OF_MONTH),
    flat("GiB-hour", "byte-hours", GIB),
    monthly("GiB-month", "byte-hours", GIB),
    flat("GiB-month-730", "byte-hours", HOURS_OF_MONTH * GIB),
    flat("GB-hour", "byte-hours", GB),
    monthly("GB-month", "byte-hours", GB),
    flat("GB-month-730", "byte-hours", HOURS_OF_MONTH * GB),
    flat("GiB", "bytes", GIB),
    flat("TiB", "bytes", 1024 * GIB),
    flat("GB", "bytes", GB),
    flat("TB", "bytes", 1000 * GB),
    flat("request", "requests", 1),
    flat("1000 requests", "requests", 1000),
    flat("1000000 requests", "requests", 1_000_000),
    flat("unit", "as stored", 1),
];

impl PriceUnit {
    /// The unit with a name, if it fits a metric of this unit; else, in words, what does.
    pub fn find(name: &str, metric: &str, unit: &str) -> Result<PriceUnit, String> {
        let found = UNITS.into_iter().find(|one| one.name == name);
        if let Some(found) = found.filter(|found| found.of == unit) {
            return Ok(found);
        }
        let fits = UNITS.iter().filter(|one| one.of == unit);
        let fits: Vec<&str> = fits.map(|one| one.name).collect();
        let fits = fits.join(", ");
        Err(match found {
            Some(found) => format!(
                "{name} is a unit of {}, and {metric} is in {unit}: write one of {fits}",
                found.of
            ),
            None => format!("there is no unit {name:?}: {metric} has {fits}"),
        })
    }

    /// How many of these a quantity of a metric is, rounded to millionths, halves away from 0.
    pub fn count(self, quantity: f64, hours_of_month: f64) -> anyhow::Result<Decimal> {
        let mut size = Decimal::from(self.size);
        if self.each_hour_of_month {
            let hours = exact(hours_of_month)?;
            size = size.checked_mul(hours).context("too large a number")?;
        }
        let units = exact(quantity)?.checked_div(size);
        let units = units.context("too large a number")?;
        let strategy = RoundingStrategy::MidpointAwayFromZero;
        Ok(units.round_dp_with_strategy(DIGITS, strategy).normalize())
    }
}

/// A number with the digits that every list of the program writes it with, which are those that identify it.
fn exact(number: f64) -> anyhow::Result<Decimal> {
    ensure!(number.is_finite(), "{number} is no quantity");
    let digits = number.to_string();
    let decimal = digits.parse::<Decimal>();
    decimal.with_context(|| format!("{digits} is too large a quantity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(unit: &str, of: &str, quantity: f64, hours: f64) -> String {
        let unit = PriceUnit::find(unit, "m", of).unwrap();
        unit.count(quantity, hours).unwrap().to_string()
    }

    /// Hand-computed.
    #[test]
    fn quantities_are_counted_in_units_of_prices() {
        let gib = 1_073_741_824.0;
        // 20 GiB held all October, whose clock goes back: 745 hours. 20 × 745 / 730 = 20.410958904…
        let october = 20.0 * gib * 745.0;
        for (unit, of, quantity, hours, expected) in [
            ("GiB-hour", "byte-hours", october, 745.0, "14900"),
            ("GiB-month", "byte-hours", october, 745.0, "20"),
            ("GiB-month-730", "byte-hours", october, 745.0, "20.410959"),
            // 20 × 1.073741824 = 21.47483648
            ("GB-month", "byte-hours", october, 745.0, "21.474836"),
            ("hour", "hours", 372.5, 745.0, "372.5"),
            ("month", "hours", 372.5, 745.0, "0.5"),
            ("month-730", "hours", 365.0, 745.0, "0.5"),
            ("vCPU-hour", "vcpu-hours", 0.1 + 0.2, 745.0, "0.3"),
            ("GB", "bytes", 1_500_000_000.0, 745.0, "1.5"),
            ("GiB", "bytes", -1_610_612_736.0, 745.0, "-1.5"),
            ("TB", "bytes", 1_500_000_000_000.0, 745.0, "1.5"),
            ("TiB", "bytes", 1_649_267_441_664.0, 745.0, "1.5"),
            ("request", "requests", 2500.0, 745.0, "2500"),
            ("1000 requests", "requests", 2500.0, 745.0, "2.5"),
            ("1000000 requests", "requests", 2500.0, 745.0, "0.0025"),
            ("unit", "as stored", 7.25, 745.0, "7.25"),
            // A half of a millionth goes away from 0.
            ("hour", "hours", 0.000_000_5, 745.0, "0.000001"),
            ("hour", "hours", -0.000_000_5, 745.0, "-0.000001"),
            ("hour", "hours", 1e-300, 745.0, "0"),
            // A month of half an hour less, as on Lord Howe Island.
            ("month", "hours", 371.75, 743.5, "0.5"),
        ] {
            assert_eq!(count(unit, of, quantity, hours), expected, "{unit}");
        }
        let unit = PriceUnit::find("unit", "m", "as stored").unwrap();
        let wrong = unit.count(1e300, 744.0).unwrap_err().to_string();
        assert!(wrong.ends_with("is too large a quantity"), "{wrong}");
    }

    #[test]
    fn a_unit_fits_some_metrics_only() {
        assert_eq!(
            PriceUnit::find("GiB", "primary_byte_hours", "byte-hours"),
            Err(
                "GiB is a unit of bytes, and primary_byte_hours is in byte-hours: write one of \
                 GiB-hour, GiB-month, GiB-month-730, GB-hour, GB-month, GB-month-730"
                    .to_owned()
            )
        );
        assert_eq!(
            PriceUnit::find("hours", "vm_running", "hours"),
            Err("there is no unit \"hours\": vm_running has hour, month, month-730".to_owned())
        );
    }
}
