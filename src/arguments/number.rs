//! Numbers on the command line.

use anyhow::Context;

/// Parses a whole number. Clap's own message would name Rust's types.
pub fn whole(text: &str, lowest: u64, highest: u64) -> anyhow::Result<u64> {
    let number = text.parse().ok();
    let number = number.filter(|number| (lowest..=highest).contains(number));
    number.with_context(|| match highest {
        u64::MAX => format!("not a whole number from {lowest} on"),
        _ => format!("not a whole number from {lowest} to {highest}"),
    })
}

/// The id of something that a command lists.
pub fn id(text: &str) -> anyhow::Result<i64> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.context("not an id: `rbc-usage findings` and `rbc-usage corrections` list them")
}
