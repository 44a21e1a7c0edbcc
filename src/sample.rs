//! The made-up CloudStack behind `rbc-usage sample`: a configuration and two SQLite snapshots, the same bytes
//! every time. It has some of everything that usage can be, and of what goes wrong with it: a day of 25 hours, a
//! replayed day, a deleted offering, a removed account, a purged machine, a disk of unknown size.

mod catalog;
mod chance;
mod cloud;
mod period;
mod usage;
mod used;
mod world;

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use rusqlite::Connection;
use tempfile::TempPath;

pub use catalog::DEMO_ACCOUNT_UUID;
pub use period::days;
use world::World;

/// The files of a sample, in the order they get their names.
pub const FILES: [&str; 3] = ["cloud.db", "cloud_usage.db", "cloudusage.cfg"];

const CONFIGURATION: &str = "\
# The configuration of a made-up CloudStack. Relative paths start from this file's folder.

[main]
# CloudStack's two databases; in real life mysql://user:password@host/cloud_usage and so on.
cloud_usage_uri = sqlite:///cloud_usage.db
cloud_uri = sqlite:///cloud.db
# The ledger, made by rbc-usage initdb.
rbc_usage_uri = sqlite:///usage.db
# The same as CloudStack's usage.aggregation.timezone.
timezone = Europe/Stockholm

[server]
bind = 127.0.0.1:8888
";

/// What a sample holds.
pub struct Contents {
    pub accounts: usize,
    /// Customers' machines; routers are not among them.
    pub vms: usize,
    pub usage_rows: usize,
}

/// Writes a sample into a folder, which is made if it is missing. Refuses a folder that has a file of that name
/// already; leaves nothing behind if it fails.
pub fn write(folder: &Path) -> anyhow::Result<Contents> {
    for name in FILES {
        let path = folder.join(name);
        // A link that leads nowhere is somebody's file as well.
        if path.symlink_metadata().is_ok() {
            bail!("{}: exists already, and is not overwritten", path.display());
        }
    }
    let made_folder = !folder.exists();
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let result = write_files(folder);
    if result.is_err() {
        for name in FILES {
            // Not all of them are there, and what matters is the error that brought us here.
            let _ = fs::remove_file(folder.join(name));
        }
        if made_folder {
            let _ = fs::remove_dir(folder);
        }
    }
    result
}

/// Each file is written under another name first, so that one with its own name is always whole.
fn write_files(folder: &Path) -> anyhow::Result<Contents> {
    let world = World::new();
    let [cloud, usage, configuration] = FILES.map(|name| folder.join(format!("{name}.unfinished")));
    // They go unless they get their names.
    let unfinished = [&cloud, &usage, &configuration].map(TempPath::try_from_path);
    write_database(&cloud, |db| cloud::write(db, &world))?;
    let usage_rows = write_database(&usage, |db| usage::write(db, &world))?;
    fs::write(&configuration, CONFIGURATION)
        .with_context(|| configuration.display().to_string())?;
    for (file, name) in unfinished.into_iter().zip(FILES) {
        let path = folder.join(name);
        file?
            .persist(&path)
            .map_err(|err| err.error)
            .with_context(|| path.display().to_string())?;
    }
    Ok(Contents {
        accounts: catalog::ACCOUNTS.len(),
        vms: world.vms.iter().filter(|vm| !vm.is_router).count(),
        usage_rows,
    })
}

/// Fills a new database at `path`, over what an interrupted run may have left there.
fn write_database<T>(
    path: &Path,
    fill: impl FnOnce(&mut Connection) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    create_database(path)
        .and_then(|mut db| fill(&mut db))
        .with_context(|| path.display().to_string())
}

fn create_database(path: &Path) -> anyhow::Result<Connection> {
    fs::write(path, "")?;
    let db = Connection::open(path)?;
    // Nobody else sees the file yet, so the journal need not outlive the program.
    db.pragma_update(None, "journal_mode", "memory")?;
    Ok(db)
}
