//! Numbers that look accidental and are the same every time: a hash of who asks and for what.

/// 64 well-mixed bits of a text and a number (FNV-1a, then the finisher of SplitMix64).
fn mixed(about: &str, number: i64) -> u64 {
    let mut bits = 0xcbf2_9ce4_8422_2325_u64;
    for byte in about.bytes().chain(number.to_be_bytes()) {
        bits = (bits ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A whole number from `low` up to, not including, `high`, which lies above it.
pub fn between(low: i64, high: i64, about: &str, number: i64) -> i64 {
    let width = high.abs_diff(low);
    low.saturating_add_unsigned(mixed(about, number) % width)
}

/// The uuid of a row, by its table and id; of the random kind (RFC 4122 version 4).
pub fn uuid(table: &str, id: i64) -> String {
    let high = mixed(table, id);
    let low = mixed(table, !id);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_the_same_and_within_its_bounds() {
        assert_eq!(uuid("account", 3), "e21d5deb-def7-44cf-aa80-84a27b920c1c");
        assert_ne!(uuid("account", 4), uuid("account", 3));
        for number in 0..1000 {
            assert!((-5..7).contains(&between(-5, 7, "test", number)));
        }
    }
}
