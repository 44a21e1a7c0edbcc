//! Numbers in sentences: `1 day`, `2 days`. Every layer tells of counts, so this is below all of them.

use std::fmt::Display;

/// A number and what it counts, whose plural must end in s. Counts come as integers of any size.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(counted(0_u64, "day"), "0 days");
        assert_eq!(counted(1_usize, "day"), "1 day");
        assert_eq!(counted(1000_i64, "closed day"), "1000 closed days");
    }
}
