//! Finds the configuration file and reads it whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

const HERE: &str = "./cloudusage.cfg";

/// Where the program looks for the file if neither an option nor a variable names one.
const PLACES: [&str; 3] = [
    HERE,
    "/opt/redbridge/rbc-usage/etc/cloudusage.cfg",
    "/etc/rbc-usage/cloudusage.cfg",
];

/// Reads the named file, else the first that is there. One that is there but cannot be read is an
/// error: the next place may hold the settings of another cloud.
pub fn read(named: Option<&Path>) -> anyhow::Result<(PathBuf, String)> {
    let places = match named {
        Some(path) => vec![path],
        None => PLACES.map(Path::new).to_vec(),
    };
    for path in places {
        let text = match fs::read(path) {
            Err(err) if named.is_none() && is_none(&err, path) => continue,
            Err(err) => Err(anyhow::Error::from(err)),
            Ok(bytes) => in_utf8(bytes),
        };
        let text = text.with_context(|| format!("configuration {}", path.display()))?;
        return Ok((path.to_owned(), text));
    }
    bail!(
        "no configuration: looked for {}; name a file with --config or RBC_USAGE_CONFIG",
        PLACES.join(", ")
    )
}

/// Whether nothing is there. A working directory that this user may not enter holds nothing for him: it is that
/// of somebody else, such as root's own folder after `runuser`.
fn is_none(err: &io::Error, path: &Path) -> bool {
    let shut = |err: &io::Error| err.kind() == io::ErrorKind::PermissionDenied;
    err.kind() == io::ErrorKind::NotFound
        || path == Path::new(HERE)
            && shut(err)
            && path.symlink_metadata().is_err_and(|err| shut(&err))
}

fn in_utf8(bytes: Vec<u8>) -> anyhow::Result<String> {
    String::from_utf8(bytes).map_err(|err| {
        let before = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        anyhow!("line {line} is not UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_another_encoding_is_refused_with_its_line() {
        assert_eq!(in_utf8(b"[main]\n".to_vec()).unwrap(), "[main]\n");
        let err = in_utf8(b"[main]\n# \xe5\n".to_vec()).unwrap_err();
        assert_eq!(err.to_string(), "line 2 is not UTF-8");
    }
}
