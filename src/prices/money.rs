//! Currencies, and how amounts of them are rounded.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// A currency by its code of ISO 4217, such as EUR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// Currencies whose smallest part is not a hundredth, by the digits behind the point.
const DIGITS: [(u32, &[&str]); 3] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

impl Currency {
    /// Digits behind the point of an amount.
    pub fn digits(self) -> u32 {
        let name = self.to_string();
        let other = DIGITS
            .iter()
            .find(|(_, names)| names.contains(&name.as_str()));
        other.map_or(2, |(digits, _)| *digits)
    }

    /// The nearest amount that can be paid, halves away from 0, with all its digits.
    pub fn round(self, amount: Decimal) -> Decimal {
        let digits = self.digits();
        let mut rounded =
            amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        rounded.rescale(digits);
        // A credit of less than half a cent is no credit.
        if rounded.is_zero() {
            rounded.set_sign_positive(true);
        }
        rounded
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// What is no code of a currency.
#[derive(Debug)]
pub struct ParseCurrencyError;

impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(text: &str) -> Result<Currency, ParseCurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| ParseCurrencyError)?;
        let is_code = code.iter().all(u8::is_ascii_uppercase);
        is_code.then_some(Currency(code)).ok_or(ParseCurrencyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_to_what_can_be_paid() {
        for (amount, currency, rounded) in [
            ("11.175", "EUR", "11.18"),
            ("11.1749999", "EUR", "11.17"),
            ("-11.175", "EUR", "-11.18"),
            ("-0.004", "EUR", "0.00"),
            ("7", "SEK", "7.00"),
            ("7.5", "JPY", "8"),
            ("0.0005", "KWD", "0.001"),
            ("0.00005", "CLF", "0.0001"),
        ] {
            let currency: Currency = currency.parse().unwrap();
            let amount = currency.round(amount.parse().unwrap());
            assert_eq!(amount.to_string(), rounded);
        }
        for wrong in ["", "EU", "eur", "EURO", "€", "E1R"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }
}
