//! When a day is closed: nothing of it is still to come.

use crate::day::Day;
use crate::source::Watermark;
use crate::zones::Zones;

/// A day is closed once the source has finished its last second, and that second has passed: a usage server
/// whose clock was ahead once has not finished the future. `clock` is now, in seconds since 1970 UTC.
pub fn is_closed(day: Day, zones: &Zones, watermark: Option<Watermark>, clock: i64) -> bool {
    let end = zones.midnight(day.next());
    end <= clock && watermark.is_some_and(|watermark| watermark.finished_until >= end)
}
