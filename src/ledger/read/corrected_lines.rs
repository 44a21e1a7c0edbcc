//! Which lines corrections are about, as far as a list shows them.

use std::collections::HashMap;

use super::reader::Snapshot;
use crate::db::params;
use crate::plural::plural;

/// So many lines of one correction are listed, those that changed most. The view `corrected_lines` has all.
pub const MOST_LINES: u32 = 100;

/// So many lines of one record are named in a sentence.
const MOST_NAMED: usize = 3;

/// What has become of one line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangedLine {
    pub resource_kind: Option<String>,
    pub resource_uuid: Option<String>,
    pub resource_name: Option<String>,
    pub zone_uuid: Option<String>,
    pub zone_name: Option<String>,
    pub offering_uuid: Option<String>,
    pub offering_name: Option<String>,
    pub vcpus: Option<u64>,
    pub mhz: Option<u64>,
    pub memory_mib: Option<u64>,
    /// In the metric's unit. `None`: there was no such line.
    pub old_quantity: Option<f64>,
    /// `None`: there is none any more.
    pub new_quantity: Option<f64>,
}

/// The lines of one correction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangedLines {
    /// Those that changed most first.
    pub lines: Vec<ChangedLine>,
    /// How many are left out.
    pub more: u64,
}

impl ChangedLine {
    /// `vm-12 24 -> 23`, under a name, with quantities written so.
    pub fn in_words(&self, name: &Option<String>, quantity: impl Fn(f64) -> String) -> String {
        let name = name.as_deref().unwrap_or("-");
        let text = |number: Option<f64>| number.map_or("nothing".to_owned(), &quantity);
        let (old, new) = (text(self.old_quantity), text(self.new_quantity));
        format!("{name} {old} -> {new}")
    }

    /// ` (north, 2 vCPUs, 2048 MiB)` of a line that is new or gone: these may be all that has changed.
    pub fn zone_and_size(&self) -> String {
        if self.old_quantity.is_some() && self.new_quantity.is_some() {
            return String::new();
        }
        let vcpus = self.vcpus.map(|vcpus| plural(vcpus, "vCPU"));
        let memory = self.memory_mib.map(|memory| format!("{memory} MiB"));
        let parts = [self.zone_name.clone(), vcpus, memory];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!(" ({})", parts.join(", ")),
        }
    }
}

impl ChangedLines {
    /// Those that changed most, in the words that `of` has for a line, and how many more there are.
    pub fn in_words(&self, of: impl Fn(&ChangedLine) -> String) -> String {
        let mut words: Vec<String> = self.lines.iter().take(MOST_NAMED).map(of).collect();
        // Counts of lines fit 64 bits.
        let more = (self.lines.len() - words.len()) as u64 + self.more;
        words.extend((more > 0).then(|| format!("and {more} more")));
        words.join(", ")
    }
}

/// The lines of these corrections, by the correction's id; without those that nothing is known of.
pub fn list_corrected_lines(
    snapshot: &Snapshot,
    ids: &[i64],
) -> anyhow::Result<HashMap<i64, ChangedLines>> {
    let mut found: HashMap<i64, ChangedLines> = HashMap::new();
    let values = params! {":ids": ids, ":most": MOST_LINES};
    snapshot.connection().each(LINES, values, |row| {
        let of = found.entry(row.get(0)?).or_default();
        of.lines.push(ChangedLine {
            resource_kind: row.get(1)?,
            resource_uuid: row.get(2)?,
            resource_name: row.get(3)?,
            zone_uuid: row.get(4)?,
            zone_name: row.get(5)?,
            offering_uuid: row.get(6)?,
            offering_name: row.get(7)?,
            vcpus: row.get(8)?,
            mhz: row.get(9)?,
            memory_mib: row.get(10)?,
            old_quantity: row.get(11)?,
            new_quantity: row.get(12)?,
        });
        let all: u64 = row.get(13)?;
        // A count of lines fits 64 bits.
        of.more = all - of.lines.len() as u64;
        Ok(())
    })?;
    Ok(found)
}

const LINES: &str =
    "select p.correction_id, case when u.id = 0 then null else u.kind end, nullif(u.uuid, ''), nullif(u.name, ''),
            nullif(z.uuid, ''), nullif(z.name, ''), nullif(o.uuid, ''), nullif(o.name, ''),
            nullif(k.vcpus, 0), nullif(k.mhz, 0), nullif(k.memory_mib, 0), p.old_quantity, p.new_quantity, p.all_lines
     from (select c.correction_id, c.sku_id, c.resource_id, c.old_quantity, c.new_quantity,
                  count(*) over (partition by c.correction_id) as all_lines,
                  row_number() over (partition by c.correction_id
                    order by abs(coalesce(c.new_quantity, 0) - coalesce(c.old_quantity, 0)) desc, c.sku_id, c.resource_id)
                    as place
           from correction_lines c
           where c.correction_id in rarray(:ids)) p
     join skus k on k.id = p.sku_id
     join stored_resources z on z.id = k.zone_id
     join stored_resources o on o.id = k.offering_id
     join stored_resources u on u.id = p.resource_id
     where p.place <= :most
     order by p.correction_id, p.place";
