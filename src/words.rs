//! Numbers in sentences, `1 day`, `2 days`, and names that somebody may have meant. Every layer has sentences, so this
//! is below all of them.

use std::fmt::Display;

/// A number and what it counts, whose plural must end in s. Counts come as integers of any size.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// How much like the name that was written another one has to be, from 0 to 1, and how many are told at most.
const ALIKE: f64 = 0.85;
const MOST_NAMES: usize = 3;

/// The names nearest to one that is not there, as the end of a sentence: `: did you mean alice or alina?`. Empty if
/// none is like it.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let asked = name.to_lowercase();
    let mut alike: Vec<(f64, &str)> = known
        .into_iter()
        .map(|other| (strsim::jaro_winkler(&asked, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    alike.dedup();
    let names: Vec<&str> = alike
        .iter()
        .take(MOST_NAMES)
        .map(|(_, name)| *name)
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(": did you mean {one}?"),
        [some @ .., last] => format!(": did you mean {} or {last}?", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_told_of() {
        let known = ["alice", "Alina", "bob", "acme-production", "alice"];
        for (name, end) in [
            ("alcie", ": did you mean alice?"),
            ("ALICA", ": did you mean alice or Alina?"),
            ("acme-prod", ": did you mean acme-production?"),
            ("zoe", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(name, known), end, "{name}");
        }
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(counted(0_u64, "day"), "0 days");
        assert_eq!(counted(1_usize, "day"), "1 day");
        assert_eq!(counted(1000_i64, "closed day"), "1000 closed days");
    }
}
