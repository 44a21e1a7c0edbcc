//! How people read quantities: thousands apart, bytes in binary multiples, two decimals. Programs get the raw
//! number.

use crate::metric::GIB;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Hours,
    VcpuHours,
    Bytes,
    ByteHours,
    /// An average over a month of real length.
    GibMonths,
    /// Held on average over a time that is named beside it.
    Gib,
    Requests,
    Seconds,
    /// A number without a unit.
    None,
    /// All digits, for figures that are compared.
    Exact,
}

impl Unit {
    /// The unit by the name that metrics use. A metric without a unit keeps the number as it was stored.
    pub fn of_name(name: &str) -> Unit {
        match name {
            "hours" => Unit::Hours,
            "vcpu-hours" => Unit::VcpuHours,
            "bytes" => Unit::Bytes,
            "byte-hours" => Unit::ByteHours,
            "requests" => Unit::Requests,
            _ => Unit::None,
        }
    }
}

/// A quantity for people.
pub fn readable(quantity: f64, unit: Unit) -> String {
    match unit {
        Unit::Hours => format!("{} hours", rounded(quantity)),
        Unit::VcpuHours => format!("{} vCPU-hours", rounded(quantity)),
        Unit::Bytes => bytes(quantity),
        Unit::ByteHours => format!("{} GiB-hours", rounded(quantity / GIB)),
        Unit::GibMonths | Unit::Gib => format!("{} GiB", rounded(quantity)),
        Unit::Requests => format!("{} requests", with_thousands(&format!("{quantity:.0}"))),
        Unit::Seconds => format!("{quantity:.1} s"),
        Unit::None => rounded(quantity),
        Unit::Exact => quantity.to_string(),
    }
}

/// Digits in groups of three.
pub fn with_thousands(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// Two decimals. What is there but would round to nothing says so.
fn rounded(number: f64) -> String {
    if number > 0.0 && number < 0.005 {
        return "<0.01".to_owned();
    }
    with_thousands(&format!("{number:.2}"))
}

fn bytes(quantity: f64) -> String {
    let mut size = quantity;
    for name in ["bytes", "KiB", "MiB", "GiB"] {
        if size.abs() < 1024.0 {
            let number = if name == "bytes" {
                format!("{size:.0}")
            } else {
                rounded(size)
            };
            return format!("{number} {name}");
        }
        size /= 1024.0;
    }
    format!("{} TiB", rounded(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_for_people() {
        for (quantity, unit, expected) in [
            (3153.552505493164, Unit::Hours, "3,153.55 hours"),
            (0.0, Unit::Hours, "0.00 hours"),
            (
                20235.346,
                Unit::of_name("vcpu-hours"),
                "20,235.35 vCPU-hours",
            ),
            (0.004, Unit::Hours, "<0.01 hours"),
            (-1234.5, Unit::Hours, "-1,234.50 hours"),
            (980.0 * 25.0 * GIB, Unit::ByteHours, "24,500.00 GiB-hours"),
            (26679959392.0, Unit::Bytes, "24.85 GiB"),
            (1023.0, Unit::Bytes, "1023 bytes"),
            (1536.0, Unit::Bytes, "1.50 KiB"),
            (2048.0 * 1024.0 * GIB, Unit::Bytes, "2,048.00 TiB"),
            (1234567.0, Unit::Requests, "1,234,567 requests"),
            (980.0, Unit::GibMonths, "980.00 GiB"),
            (12.34, Unit::Seconds, "12.3 s"),
            (100.0, Unit::None, "100.00"),
        ] {
            assert_eq!(readable(quantity, unit), expected);
        }
        assert_eq!(with_thousands("123"), "123");
        assert_eq!(with_thousands("1234"), "1,234");
        assert_eq!(with_thousands("-123456.75"), "-123,456.75");
        assert_eq!(Unit::of_name("byte-hours"), Unit::ByteHours);
        assert_eq!(Unit::of_name("as stored"), Unit::None);
    }
}
