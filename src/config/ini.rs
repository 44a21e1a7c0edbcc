//! Reads INI as Python's configparser does without interpolation, because that is what reads the files
//! already out there: a value is everything after the first `=` or `:`, and a `#`, `;`, `%` or quote in
//! it is part of it. What configparser takes in silence and nobody means is an error with its line
//! number, and never with its text, which may hold a password.

use std::error::Error;

use config::{FileStoredFormat, Format, Map, Value};

/// The format of `cloudusage.cfg`.
#[derive(Clone, Debug)]
pub struct Ini;

impl FileStoredFormat for Ini {
    fn file_extensions(&self) -> &'static [&'static str] {
        &["cfg"]
    }
}

impl Format for Ini {
    fn parse(
        &self,
        _uri: Option<&String>,
        text: &str,
    ) -> Result<Map<String, Value>, Box<dyn Error + Send + Sync>> {
        let mut sections: Map<String, Map<String, Value>> = Map::new();
        let mut section: Option<String> = None;
        let mut key_indent = usize::MAX;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, number) in text.lines().zip(1..) {
            let indent = line.len() - line.trim_start().len();
            match IniLine::of(line).map_err(|err| format!("line {number}: {err}"))? {
                IniLine::Empty => {}
                IniLine::Section(_) | IniLine::Key(..) if indent > key_indent => Err(format!(
                    "line {number}: indented deeper than the key before it, so it would continue \
                     that key's value; no value here has two lines"
                ))?,
                IniLine::Section(name) => {
                    if sections.insert(name.to_owned(), Map::new()).is_some() {
                        Err(format!("line {number}: [{name}] is there twice"))?;
                    }
                    section = Some(name.to_owned());
                    key_indent = usize::MAX;
                }
                IniLine::Key(key, value) => {
                    let keys = section
                        .as_ref()
                        .and_then(|name| sections.get_mut(name))
                        .ok_or_else(|| format!("line {number}: {key} stands before any section"))?;
                    if keys.insert(key.clone(), value.into()).is_some() {
                        Err(format!("line {number}: {key} is there twice"))?;
                    }
                    key_indent = indent;
                }
            }
        }
        Ok(nested(sections))
    }
}

/// `[scope.USER]` becomes a table in the table `scope`. A user's name may hold what the crate `config` would
/// take for a path, so it is never read as one.
fn nested(sections: Map<String, Map<String, Value>>) -> Map<String, Value> {
    let mut tables: Map<String, Map<String, Value>> = Map::new();
    for (name, keys) in sections {
        match name.split_once('.') {
            Some((outer, inner)) => {
                let outer = tables.entry(outer.to_owned()).or_default();
                // A key of that name is wrong, and must not be lost behind it.
                outer.entry(inner.to_owned()).or_insert(keys.into());
            }
            None => tables.entry(name).or_default().extend(keys),
        }
    }
    let tables = tables.into_iter();
    tables.map(|(name, keys)| (name, keys.into())).collect()
}

enum IniLine<'a> {
    /// Blank, or a comment.
    Empty,
    Section(&'a str),
    /// The key in lower case, and its value.
    Key(String, &'a str),
}

impl IniLine<'_> {
    fn of(line: &str) -> Result<IniLine<'_>, &'static str> {
        let line = line.trim();
        if is_blank(line) {
            return Ok(IniLine::Empty);
        }
        if let Some(header) = line.strip_prefix('[') {
            return match header.split_once(']') {
                Some((name, rest)) if is_section(name) && is_blank(rest) => {
                    Ok(IniLine::Section(name))
                }
                Some(_) | None => Err("not a [section]"),
            };
        }
        match line.split_once(['=', ':']) {
            Some((key, value)) if is_name(key.trim_end()) => Ok(IniLine::Key(
                key.trim_end().to_ascii_lowercase(),
                value.trim_start(),
            )),
            Some(_) | None => Err("not key = value"),
        }
    }
}

/// Nothing, or a comment.
fn is_blank(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with(['#', ';'])
}

/// Anything else is no name but part of something gone astray, perhaps of a password, and is not shown.
fn is_name(text: &str) -> bool {
    let of_a_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !text.is_empty() && text.bytes().all(of_a_name)
}

/// A name, or `scope.` and a user's name, which may hold nearly anything.
fn is_section(text: &str) -> bool {
    let of_a_user = |user: &str| {
        !user.is_empty()
            && user.trim() == user
            && !user.contains(|c: char| c == ':' || c.is_control())
    };
    is_name(text) || text.strip_prefix("scope.").is_some_and(of_a_user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, section: &str, key: &str) -> String {
        let sections = Ini.parse(None, text).unwrap();
        let keys = sections[section].clone().into_table().unwrap();
        keys[key].clone().into_string().unwrap()
    }

    #[test]
    fn values_are_verbatim() {
        for verbatim in [
            "mysql://u:p#a;s%s@h/db",
            "a ; b # c",
            "\"quoted\"",
            "'",
            "back\\slash\\",
            "%(interpolation)s $HOME ${x}",
            "a=b:c",
            "",
            "räksmörgås",
            "[x]",
        ] {
            for spelling in ["k={}", "k = {}", "k:{}", "K :  {}  ", "k\t=\t{}\r"] {
                let line = spelling.replace("{}", verbatim);
                let text = format!("[main]\n  {line}\n  other = 1\n");
                assert_eq!(value(&text, "main", "k"), verbatim, "{text}");
            }
        }
    }

    #[test]
    fn comments_blank_lines_windows_ends_and_a_byte_order_mark_are_no_matter() {
        let text =
            "\u{feff}# one\r\n[main]\r\n\r\n  ; two\r\nkey = v\r\n  # three\r\n[other]\r\nkey: w";
        assert_eq!(value(text, "main", "key"), "v");
        assert_eq!(value(text, "other", "key"), "w");
    }

    #[test]
    fn what_nobody_means_is_an_error_with_its_line() {
        for (text, message) in [
            ("key = v", "line 1: key stands before any section"),
            ("[main]\nkey", "line 2: not key = value"),
            ("[main]\n= v", "line 2: not key = value"),
            ("[main]\np#ss@host = v", "line 2: not key = value"),
            ("[main", "line 1: not a [section]"),
            ("[main] x", "line 1: not a [section]"),
            ("[]", "line 1: not a [section]"),
            ("[a.b]", "line 1: not a [section]"),
            ("[scope.]", "line 1: not a [section]"),
            ("[scope. bob]", "line 1: not a [section]"),
            ("[scope.a:b]", "line 1: not a [section]"),
            ("[scope.a]\n[scope.a]", "line 2: [scope.a] is there twice"),
            ("[main]\na = 1\n\nA = 2", "line 4: a is there twice"),
            ("[main]\n[x]\n[main]", "line 3: [main] is there twice"),
            (
                "[main]\na = 1\n  b = 2",
                "line 3: indented deeper than the key before it, so it would continue that key's \
                 value; no value here has two lines",
            ),
        ] {
            let err = Ini.parse(None, text).unwrap_err();
            assert_eq!(err.to_string(), message, "{text}");
        }
    }
}
