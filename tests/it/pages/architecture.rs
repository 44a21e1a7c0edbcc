//! `ARCHITECTURE.md`: every path it names exists, and every bound in its table is the one in the code.

use std::collections::BTreeMap;

use super::{page, root};

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// `src/http/{cache,unread}.rs` as two paths.
fn alternatives(path: &str) -> Vec<String> {
    match path
        .split_once('{')
        .and_then(|(head, rest)| Some((head, rest.split_once('}')?)))
    {
        Some((head, (middle, tail))) => {
            let names = middle.split(',').map(str::trim);
            names.map(|name| format!("{head}{name}{tail}")).collect()
        }
        None => vec![path.to_owned()],
    }
}

#[test]
fn every_path_that_it_names_exists() {
    let text = page("ARCHITECTURE.md").text;
    let folders = [
        "src/",
        "tests/",
        "docs/",
        "benches/",
        "fuzz/",
        "migrations/",
        "packaging/",
        ".ci/",
    ];
    let files = [
        "Makefile",
        "Cargo.toml",
        "CHANGELOG.md",
        "README.md",
        "cloudusage.cfg.example",
    ];
    let mut found = 0;
    for word in quoted(&text) {
        if !(folders.iter().any(|folder| word.starts_with(folder)) || files.contains(&word)) {
            continue;
        }
        for path in alternatives(word) {
            assert!(root().join(&path).exists(), "no {path}");
            found += 1;
        }
    }
    assert!(found > 60, "{found} paths");
}

/// `128 MiB`, `4,096`, `50 ms` or `5 s` as a number of bytes, of things, or of milliseconds.
fn amount(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().ok()?;
    let factor = match unit {
        "" | "ms" | "bytes" => 1,
        "s" => 1000,
        "min" => 60_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(number * factor)
}

/// The value of an expression such as `128 << 20`, `MOST / 2` or `Duration::from_secs(5)`.
fn value(expression: &str, constants: &BTreeMap<String, String>) -> Option<u64> {
    let expression = expression.trim();
    for (start, factor) in [
        ("Duration::from_secs(", 1000),
        ("Duration::from_millis(", 1),
    ] {
        if let Some(inner) = expression.strip_prefix(start) {
            return Some(value(inner.strip_suffix(')')?, constants)? * factor);
        }
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(value(left, constants)? << value(right, constants)?);
    }
    if let Some((left, right)) = expression.split_once(" / ") {
        return Some(value(left, constants)? / value(right, constants)?);
    }
    if let Some((left, right)) = expression.split_once(" * ") {
        return Some(value(left, constants)? * value(right, constants)?);
    }
    let digits = expression.replace('_', "");
    let number = digits.parse().ok();
    number.or_else(|| value(constants.get(expression)?, constants))
}

/// The constants of a file, with their expressions.
fn constants(path: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(path)).expect(path);
    let declared = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("const ")?;
        let (name, rest) = rest.split_once(": ")?;
        let (_, expression) = rest.split_once(" = ")?;
        Some((name.to_owned(), expression.strip_suffix(';')?.to_owned()))
    });
    declared.collect()
}

/// Each row says what is bounded, by how much, where (a file and its constant, or a key of the configuration), and
/// what happens beyond.
#[test]
fn every_bound_is_the_one_in_the_code() {
    let text = page("ARCHITECTURE.md").text;
    let (_, section) = text.split_once("\n## Every bound\n").expect("the bounds");
    let (section, _) = section
        .split_once("\n## ")
        .expect("what follows the bounds");
    let example = page("cloudusage.cfg.example").text;
    let keys: BTreeMap<&str, &str> = example
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .collect();
    let mut rows = 0;
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        let place = quoted(cells[2]);
        let written = match place[..] {
            [] => continue,
            [key] => keys.get(key).and_then(|text| text.parse().ok()),
            [path, name] => {
                let constants = constants(&format!("src/{path}"));
                value(
                    constants
                        .get(name)
                        .unwrap_or_else(|| panic!("no {name}: {line}")),
                    &constants,
                )
            }
            _ => panic!("{line}"),
        };
        let said = amount(cells[1]);
        // Keys of the configuration count seconds.
        let said = match place.len() {
            1 if cells[1].ends_with(" s") => said.map(|amount| amount / 1000),
            _ => said,
        };
        assert!(said.is_some() && said == written, "{line}: {written:?}");
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}
