//! Text for people's eyes. Names come from customers, and a terminal obeys some characters in them, hides others, or
//! turns the rest of a line around: in whatever is printed or logged for people, such characters are escaped. JSON and
//! CSV keep every character.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The text with control characters, format characters and separators of lines escaped as JSON does it: `\u202e`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 5);
    for c in text.chars() {
        if !is_hidden(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a text does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    Cow::Owned(escaped)
}

fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_turns_around_is_shown_as_it_is_written() {
        for (text, shown) in [
            ("\u{202e}enaj \u{e9}\u{9b}2J", "\\u202eenaj \u{e9}\\u009b2J"),
            ("\u{1b}[31mred\u{7}\n", "\\u001b[31mred\\u0007\\u000a"),
            (
                "a\u{200b}b\u{2066}c\u{2028}d\u{feff}",
                "a\\u200bb\\u2066c\\u2028d\\ufeff",
            ),
            // A tag, beyond the first 65,536 characters: two units, as in JSON.
            ("x\u{e0041}", "x\\udb40\\udc41"),
        ] {
            assert_eq!(printable(text), shown);
            let quoted = format!("\"{shown}\"");
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "Åsa & 日本 (e\u{301}) \u{3000}",
            "مرحبا",
            "DOM\\user \"x\" 😀",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }
}
