//! Where the next page begins, as an opaque text that clients send back. It names the last row of the page, so that
//! rows that are added or removed in the meantime neither repeat nor hide others.

use crate::http::refusal::Problem;

/// Makes a cursor of the words that identify the last row of the page.
pub fn make(words: &[&str]) -> String {
    let text = words.join("\0");
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the words back.
pub fn read<const N: usize>(cursor: &str) -> Result<[String; N], Problem> {
    let words = decoded(cursor).and_then(|text| {
        let words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        words.try_into().ok()
    });
    words.ok_or_else(refusal)
}

/// The answer to a cursor that cannot be read.
pub fn refusal() -> Problem {
    Problem::of_parameter(
        "cursor",
        "cursor: not one that an answer to this question gave",
    )
}

fn decoded(cursor: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = cursor.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = make(&["smörgås, \"x\"", "u-1"]);
        assert!(cursor.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(read::<2>(&cursor).unwrap(), ["smörgås, \"x\"", "u-1"]);
        assert_eq!(read::<1>(&make(&[""])).unwrap(), [""]);
        for wrong in [&cursor[1..], "zz", "é", "61"] {
            assert_eq!(read::<2>(wrong), Err(refusal()), "{wrong}");
        }
    }
}
