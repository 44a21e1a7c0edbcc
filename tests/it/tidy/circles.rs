//! Which file of `src` imports which, by `crate::`, `super::` and the names of modules beside and below it, and
//! whether the arrows run in a circle: two files that need each other are one subject or lack a third.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, files, nothing};

/// A module's path without `crate`, such as `["ledger", "read"]`; the library itself is empty.
type Module = Vec<String>;

/// Circles that are still to be opened; none is added.
const KNOWN: &[&str] = &[];

#[test]
fn imports_run_in_no_circle() {
    let files = files("src");
    let modules: BTreeMap<Module, &File> = files
        .iter()
        .map(|file| (module(&file.name), file))
        .collect();
    // Whoever lists the modules imports none of them.
    let lists_modules = |name: &str| matches!(name, "lib.rs" | "main.rs");
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (own, file) in modules
        .iter()
        .filter(|(_, file)| !lists_modules(&file.name))
    {
        for path in paths(&code(file)) {
            if let Some(other) = resolve(&path, own, &modules)
                && other.name != file.name
                && !lists_modules(&other.name)
            {
                arrows.entry(&file.name).or_default().insert(&other.name);
            }
        }
    }
    let circles: Vec<String> = files
        .iter()
        .filter_map(|file| circle(&file.name, &arrows))
        .collect();
    let (known, new): (Vec<String>, Vec<String>) = circles
        .into_iter()
        .partition(|circle| KNOWN.contains(&circle.as_str()));
    nothing(new);
    let gone = KNOWN
        .iter()
        .filter(|old| !known.iter().any(|circle| circle == *old));
    nothing(
        gone.map(|old| format!("no circle any more: {old}"))
            .collect(),
    );
}

fn module(name: &str) -> Module {
    let path = name.strip_suffix(".rs").unwrap();
    match path {
        "lib" | "main" => Vec::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

/// The code without comments and texts: what is in quotes names nobody.
fn code(file: &File) -> String {
    let mut code = String::new();
    for (_, line) in file.code() {
        for (index, part) in line.split('"').enumerate() {
            if index % 2 == 0 {
                code.push_str(part.split("//").next().unwrap_or(""));
            }
        }
        code.push('\n');
    }
    code
}

/// The paths that stand in the code, those in the braces of a `use` written out.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // Of each open brace, the path before it; a block has none.
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut after_colons = false;
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            if !after_colons {
                path = open.last().cloned().unwrap_or_default();
            }
            path.push(std::mem::take(&mut word));
            after_colons = false;
        }
        if c == ':' && chars.peek() == Some(&':') {
            chars.next();
            after_colons = true;
            continue;
        }
        if c == '{' {
            open.push(if after_colons {
                path.clone()
            } else {
                Vec::new()
            });
        } else if path.len() > 1 {
            found.push(path.clone());
        }
        if c == '}' {
            open.pop();
        }
        path.clear();
        after_colons = false;
    }
    found
}

/// The module that a path leads to, seen from another.
fn resolve<'a>(
    path: &[String],
    own: &Module,
    modules: &BTreeMap<Module, &'a File>,
) -> Option<&'a File> {
    let mut at = own.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|word| word == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        first => {
            let child = [&own[..], &[first.to_owned()]].concat();
            if !modules.contains_key(&child) {
                return None;
            }
        }
    }
    for word in rest {
        let child = [&at[..], std::slice::from_ref(word)].concat();
        if !modules.contains_key(&child) {
            break;
        }
        at = child;
    }
    modules.get(&at).copied()
}

/// The shortest way from a file back to itself, if it is the first of the circle by name.
fn circle(start: &str, arrows: &BTreeMap<&str, BTreeSet<&str>>) -> Option<String> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in arrows.get(way[way.len() - 1]).into_iter().flatten() {
                if *next == start {
                    let first = way.iter().all(|file| start <= *file);
                    return first.then(|| format!("{} -> {start}", way.join(" -> ")));
                }
                if seen.insert(*next) {
                    longer.push([&way[..], &[*next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn paths_in_braces_are_written_out() {
    let code = "use super::{a::B, c};\nfn f() { crate::d::e(x.y); }\n";
    let paths: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["super::a::B", "super::c", "crate::d::e"]);
}
