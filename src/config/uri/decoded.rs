//! Percent-encoding in URIs.

use anyhow::Context;
use percent_encoding::percent_decode_str;

/// Percent-decodes; a `%` without two hex digits after it stands for itself.
pub fn decoded(text: &str) -> anyhow::Result<String> {
    let bytes = percent_decode_str(text);
    // The error itself would show the bytes.
    let text = bytes.decode_utf8().ok();
    Ok(text
        .context("not UTF-8 once the %XX in it are decoded")?
        .into_owned())
}
