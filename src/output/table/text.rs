//! Texts that are longer than the room they have: cut, or folded into several lines. Widths are places in a terminal,
//! so a Chinese character has two.

use unicode_width::UnicodeWidthStr;

/// Stands for the end that was cut off; one place wide.
const CUT: &str = "…";

/// The text if it fits, else as much of it as does and an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (head, _) = text.split_at(fitting(text, width.saturating_sub(CUT.width())));
    format!("{head}{CUT}")
}

/// The text in lines of at most this width, those after the first indented. Broken at blanks, but neither within a
/// command and its options nor before them, and within words that are longer than a line.
pub fn fold(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for chunk in chunks(text) {
        if !line.trim().is_empty() && line.width() + 1 + chunk.width() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        let mut rest = chunk.as_str();
        while line.width() + rest.width() > width && !rest.is_empty() {
            let at = fitting(rest, width.saturating_sub(line.width())).max(first(rest));
            line.push_str(&rest[..at]);
            rest = &rest[at..];
            if !rest.is_empty() {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
        }
        line.push_str(rest);
    }
    lines.push(line);
    lines
}

/// Words, those together that a command would not be one without.
fn chunks(text: &str) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut last = "";
    for word in text.split(' ') {
        let belongs = last == "rbc-usage" || last.starts_with('-') || word.starts_with('-');
        match chunks.last_mut() {
            Some(chunk) if belongs && chunk.contains("rbc-usage") => {
                chunk.push(' ');
                chunk.push_str(word);
            }
            Some(_) | None => chunks.push(word.to_owned()),
        }
        last = word;
    }
    chunks
}

/// How many bytes of the text fit. What takes no place, such as an accent, stays with what it belongs to.
fn fitting(text: &str, width: usize) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.take_while(|end| text[..*end].width() <= width)
        .last()
        .unwrap_or(0)
}

/// The bytes of the first character: a line has one even if it is too wide.
fn first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_is_as_wide_as_its_column_at_most() {
        for (text, width, expected) in [
            ("volume", 6, "volume"),
            ("volumes", 6, "volum…"),
            ("日本日本", 8, "日本日本"),
            // The second character would need place 4, which the ellipsis has.
            ("日本日本", 4, "日…"),
            ("日本日本", 5, "日本…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("abc", 0, "…"),
        ] {
            assert_eq!(cut(text, width), expected);
        }
    }

    #[test]
    fn a_sentence_is_folded_at_blanks() {
        let text = "not imported: rbc-usage import -s 2013-06-01 -f, and look";
        assert_eq!(
            fold(text, 45, 2),
            [
                "not imported:",
                "  rbc-usage import -s 2013-06-01 -f, and look"
            ]
        );
        assert_eq!(fold(text, 80, 2), [text]);
        assert_eq!(fold("", 80, 2), [""]);
        assert_eq!(fold("1 day, 2 rows", 6, 0), ["1 day,", "2 rows"]);
    }

    #[test]
    fn a_word_that_is_too_long_is_broken() {
        assert_eq!(
            fold("of 日本日本日本", 6, 2),
            ["of", "  日本", "  日本", "  日本"]
        );
        assert_eq!(fold("日本", 1, 0), ["日", "本"]);
        assert_eq!(fold("abcdefgh ij", 4, 0), ["abcd", "efgh", "ij"]);
    }
}
