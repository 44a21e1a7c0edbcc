//! Numbers in sentences: `1 day`, `2 days`. Every layer has sentences, so this is below all of them.

use std::fmt::Display;

/// A number and what it counts, whose plural must end in s. Counts come as integers of any size.
pub fn plural<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let end = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(plural(0_u64, "day"), "0 days");
        assert_eq!(plural(1_usize, "day"), "1 day");
        assert_eq!(plural(1000_i64, "closed day"), "1000 closed days");
    }
}
