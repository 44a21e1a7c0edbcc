//! A folder that only this user can enter, for the socket between gate and workers.

use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Names that are tried before giving up.
const ATTEMPTS: u64 = 16;

/// Gone with what is in it when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing can be done about it, and it holds nothing but a socket.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes one where temporary files are at home.
pub fn private_folder() -> anyhow::Result<Folder> {
    let parent = std::env::temp_dir();
    for attempt in 0..ATTEMPTS {
        let path = parent.join(format!(
            "rbc-usage-{:016x}",
            RandomState::new().hash_one(attempt)
        ));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(Folder(path)),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
            Err(err) => return Err(err).with_context(|| path.display().to_string()),
        }
    }
    bail!(
        "{}: every name tried for a folder is taken",
        parent.display()
    )
}
