//! Addresses in pages. They are relative, because a proxy may serve all of this under another path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::month::Month;

/// What a segment of a path or a value of a query may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as a segment of a path, or as a value in a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// How a page says where the root is: `./`, or `../` for each folder that it lies in.
pub fn root_from(path: &str) -> String {
    match path.matches('/').count() {
        0 | 1 => "./".to_owned(),
        slashes => "../".repeat(slashes - 1),
    }
}

pub fn month(root: &str, month: Month) -> String {
    format!("{root}?month={month}")
}

pub fn account(root: &str, uuid: &str, month: Month) -> String {
    format!("{root}accounts/{}?month={month}", encoded(uuid))
}

/// By its uuid or its path.
pub fn domain(root: &str, key: &str, month: Month) -> String {
    format!("{root}domains/{}?month={month}", encoded(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_as_far_up_as_the_page_is_deep() {
        for (path, root) in [
            ("/", "./"),
            ("/nothing", "./"),
            ("/accounts/u1", "../"),
            ("/v1/accounts/u1/usage", "../../../"),
        ] {
            assert_eq!(root_from(path), root, "{path}");
        }
    }

    #[test]
    fn nothing_in_a_name_ends_an_address() {
        let month = "2026-10".parse().unwrap();
        assert_eq!(
            account("./", "account:4/5?é\"", month),
            "./accounts/account%3A4%2F5%3F%C3%A9%22?month=2026-10"
        );
    }
}
