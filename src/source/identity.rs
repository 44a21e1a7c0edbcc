//! What makes two usage rows the same fact: the columns by which the parsers of CloudStack's usage server (4.0 to
//! 4.23) tell resources apart before they write one row each. Usage type, account and zone always belong to it.
//!
//! | usage type | besides | because the parser |
//! |---|---|---|
//! | 1, 2 | VM, offering, CPU cores, CPU speed, memory | adds up by these; a scaled VM has a row for each |
//! | 3 | address | adds up by its id; source NAT, system and hidden are flags that the last event sets |
//! | 4, 5 | device, network | adds up by these |
//! | 6 | volume, offering, size, VM | adds up by the first three; from 4.22.1 on it writes a row for each VM as well |
//! | 7, 8, 9, 26 | template, ISO, snapshot or volume | adds up by id and zone; sizes are those of the last event |
//! | 10 | security group, VM | adds up by these |
//! | 11, 12, 14 | rule or user | adds up by its id |
//! | 13 | offering, VM | adds up by these; `usage_id` is a flag, the default NIC or not |
//! | 21 to 24 | volume, VM | adds up by these |
//! | 25 | VM, volume, VM snapshot, offering, size | keeps a chain for each VM and volume; the volume is only in the text |
//! | 27 | VM, name of the VM snapshot | keeps one by its name; `usage_id` may be NULL |
//! | 28 | VM, offering | writes a row for each assignment; sizes are those of the run |
//! | 29 | bucket | writes a row for each |
//! | 30, 31 | network or VPC, offering, state | writes a row for each period of a state |
//! | others | every id, size, state and type | is not known |
//!
//! Descriptions tell nothing apart: releases, settings and the JVM's locale spell sizes differently, and a day that is
//! written again after an upgrade would count twice.

use crate::db::{Field, Row};
use crate::row::{Identity, IdentityHasher};

/// Places in the select list of usage rows, which `usage_row::SELECTED` fixes.
const ZONE: usize = 1;
const ACCOUNT: usize = 2;
const USAGE_TYPE: usize = 3;
const VM: usize = 5;
const OFFERING: usize = 6;
const TEMPLATE: usize = 7;
const USAGE_ID: usize = 8;
const TYPE: usize = 9;
const SIZE: usize = 10;
const NETWORK: usize = 11;
const DESCRIPTION: usize = 12;
const CPU_SPEED: usize = 15;
const CPU_CORES: usize = 16;
const MEMORY: usize = 17;
const STATE: usize = 18;
const VM_NAME: usize = 20;

/// What belongs to every identity.
const ALWAYS: [usize; 3] = [USAGE_TYPE, ACCOUNT, ZONE];

/// The columns that belong to the identity of a usage type besides; the table above has the reasons.
fn columns(usage_type: Option<u32>) -> &'static [usize] {
    match usage_type {
        Some(1 | 2) => &[USAGE_ID, OFFERING, CPU_CORES, CPU_SPEED, MEMORY],
        Some(3 | 7 | 8 | 9 | 11 | 12 | 14 | 26 | 29) => &[USAGE_ID],
        Some(4 | 5) => &[USAGE_ID, NETWORK],
        Some(6) => &[USAGE_ID, OFFERING, SIZE, VM],
        Some(10 | 21..=24) => &[USAGE_ID, VM],
        Some(13) => &[OFFERING, VM],
        Some(25) => &[VM, USAGE_ID, OFFERING, SIZE],
        Some(27) => &[VM, VM_NAME],
        Some(28) => &[USAGE_ID, OFFERING],
        Some(30 | 31) => &[USAGE_ID, OFFERING, STATE],
        Some(_) | None => &[
            USAGE_ID, VM, OFFERING, TEMPLATE, NETWORK, SIZE, CPU_CORES, CPU_SPEED, MEMORY, STATE,
            TYPE,
        ],
    }
}

/// The identity of a row of the select list.
pub fn identity(
    row: &Row,
    usage_type: Option<u32>,
    hasher: &mut IdentityHasher,
) -> anyhow::Result<Identity> {
    for column in ALWAYS.iter().chain(columns(usage_type)) {
        add(row.field(*column)?, hasher);
    }
    match usage_type {
        Some(25) => match volume_in_text(row.field(DESCRIPTION)?) {
            Some(volume) => hasher.text(volume),
            None => hasher.missing(),
        },
        // A VM snapshot on primary without a name is told apart by its id, if it has one.
        Some(27) if row.field(VM_NAME)? == Field::Null => add(row.field(USAGE_ID)?, hasher),
        _ => {}
    }
    Ok(hasher.finish())
}

fn add(field: Field, hasher: &mut IdentityHasher) {
    match field {
        Field::Null => hasher.missing(),
        Field::Integer(number) => hasher.number(number.cast_unsigned()),
        Field::Unsigned(number) => hasher.number(number),
        Field::Text(text) => hasher.text(text),
        Field::Real(number) => hasher.number(number.to_bits()),
        Field::Moment(seconds) => hasher.number(seconds.cast_unsigned()),
    }
}

/// The digits behind `Volume Id: `, which every release since 4.2 writes alike.
fn volume_in_text(description: Field<'_>) -> Option<&[u8]> {
    const LABEL: &[u8] = b"Volume Id: ";
    let Field::Text(text) = description else {
        return None;
    };
    let start = text.windows(LABEL.len()).position(|part| part == LABEL)? + LABEL.len();
    let digits = text[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    (end > start).then(|| &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_a_vm_snapshot_is_read_from_its_text() {
        let of = |text: &'static str| volume_in_text(Field::Text(text.as_bytes()));
        let sizes = "VMSnapshot Id: 61 Usage: VM Id: 11 Volume Id: 41  DiskOffering: 7 Size: (8,00 GB) 8589934592";
        assert_eq!(of(sizes), Some(&b"41"[..]));
        assert_eq!(of("Volume Id: 7"), Some(&b"7"[..]));
        assert_eq!(of("Volume Id: none"), None);
        assert_eq!(of(""), None);
        assert_eq!(volume_in_text(Field::Null), None);
    }
}
