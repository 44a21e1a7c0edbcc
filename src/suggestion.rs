//! Names that somebody may have meant. Every layer looks for names, so this is below all of them.

/// How alike a name must be to the written one, from 0 to 1, and how many are suggested at most.
const ALIKE: f64 = 0.85;
const MOST_NAMES: usize = 3;

/// The names nearest to one that does not exist, as the end of a sentence: `: did you mean alice or alina?`. Empty if
/// no name is similar.
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
    fn the_nearest_names_are_suggested() {
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
}
