//! Whether CloudStack's windows are those of the ledger's zone. It cuts daily windows from midnight to midnight of its own
//! zone and hourly ones from hour to hour, so where most rows at a midnight of ours lie across it by the same offset,
//! ours is the wrong one.
//!
//! What this cannot see: an offset by whole hours where windows are hourly; windows of any other length, which end
//! whenever CloudStack's job runs and lie across midnight anyhow; a day next to a clock change of CloudStack's zone, whose
//! midnights differ; and for 31 days before a clock change of ours an offset that is the change itself: a backlog of
//! CloudStack's over it is cut so.

use super::window::{DayBounds, GLUED_SECONDS};
use crate::day::Day;
use crate::plural::plural;
use crate::zone::Zone;
use crate::zones::Zones;

const DAY_SECONDS: i64 = 86_400;

/// The aggregation ranges whose windows end at a midnight or a full hour, in seconds.
const ALIGNED: [i64; 2] = [DAY_SECONDS, 3600];

/// How long before a clock change a backlog may begin that is cut from its end backwards.
const BACKLOG_DAYS: i64 = 31;

/// Zones that are named, at most.
const MOST_NAMES: usize = 5;

/// Zones that CloudStack's operators use, the commonest of each offset first.
const KNOWN: [&str; 42] = [
    "GMT",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Stockholm",
    "Europe/Amsterdam",
    "Europe/Paris",
    "Europe/Zurich",
    "Europe/Helsinki",
    "Europe/Bucharest",
    "Europe/Kyiv",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Tehran",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Ho_Chi_Minh",
    "Asia/Jakarta",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Australia/Perth",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "America/Santiago",
    "America/Bogota",
    "Atlantic/Azores",
];

/// Rows that have the same window, `[start, end)` in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub rows: u64,
}

/// That a day's windows are those of another zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// The zone they do not fit.
    zone: String,
    /// Seconds from its midnight to the nearest instant at which windows begin.
    pub offset: i64,
    /// Rows that lie so, of all that begin, end or lie across there.
    rows: (u64, u64),
    /// Names of zones whose midnight is where windows begin; one at least, the likeliest first.
    pub zones: Vec<String>,
    /// When such a window ends, and how long it is, in seconds.
    end: i64,
    length: i64,
}

/// What the rows at one midnight say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Nothing,
    Fits,
    Off(Off),
}

/// Most windows lie across it by the same offset.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Off {
    offset: i64,
    length: i64,
    /// Of the last such window.
    end: i64,
    /// That lie so, of all that begin, end or lie across there.
    rows: (u64, u64),
}

/// Looks at those windows that touch a day, in any order.
pub fn misfit(windows: &[Window], day: Day, zones: &Zones) -> Option<Misfit> {
    let bounds = DayBounds::of(day, zones);
    let zone = zones.of(day);
    let touches = |window: &&Window| window.start < bounds.end && window.end > bounds.start;
    let windows: Vec<Window> = windows.iter().filter(touches).copied().collect();
    // A bound that was moved to where an earlier day ends is no midnight.
    let is_midnight = |instant: i64, day: Day| zones.of(day).midnight(day) == instant;
    let midnights = [(bounds.start, day), (bounds.end, day.next())];
    let said = midnights
        .iter()
        .filter(|(instant, day)| is_midnight(*instant, *day))
        .map(|(instant, _)| said_at(&windows, *instant))
        .filter(|said| *said != Said::Nothing);
    let mut found: Option<Off> = None;
    for said in said {
        match (said, found) {
            (Said::Off(off), None) => found = Some(off),
            (Said::Off(off), Some(other)) if off.offset == other.offset => {
                found = Some(Off {
                    rows: (off.rows.0 + other.rows.0, off.rows.1 + other.rows.1),
                    ..off
                });
            }
            _ => return None,
        }
    }
    let Off {
        offset,
        length,
        end,
        rows,
    } = found?;
    if is_of_a_backlog(offset, length, day, zone) {
        return None;
    }
    Some(Misfit {
        zone: zone.name().to_owned(),
        offset,
        rows,
        zones: fitting(end, length),
        end,
        length,
    })
}

/// The windows of rows, start and end, that lie at a day's midnights, counted.
pub fn windows_of(rows: impl Iterator<Item = (i64, i64)>, day: DayBounds) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let mut last = 0;
    for (start, end) in rows {
        let at = |instant: i64| start <= instant + GLUED_SECONDS && end >= instant - GLUED_SECONDS;
        if !(at(day.start) || at(day.end)) {
            continue;
        }
        let same = |window: &Window| (window.start, window.end) == (start, end);
        if !windows.get(last).is_some_and(same) {
            last = windows.iter().position(same).unwrap_or_else(|| {
                let rows = 0;
                windows.push(Window { start, end, rows });
                windows.len() - 1
            });
        }
        windows[last].rows += 1;
    }
    windows
}

/// Counts the rows that begin, end or lie across an instant.
fn said_at(windows: &[Window], instant: i64) -> Said {
    let near = |other: i64| (other - instant).abs() <= GLUED_SECONDS;
    let fits = |window: &&Window| near(window.start) || near(window.end);
    let across = |window: &&Window| window.start < instant && window.end > instant;
    let count = |of: &dyn Fn(&&Window) -> bool| windows.iter().filter(of).map(|one| one.rows).sum();
    let all: u64 = count(&|window| fits(window) || across(window));
    // The first pieces of a run that goes back to an event are shorter, and end with the windows around them.
    let off_by = |offset: i64, length: i64| {
        count(&|window| {
            let is_piece = window.end - window.start <= length + GLUED_SECONDS + 1;
            !fits(window)
                && across(window)
                && is_piece
                && offset_from(instant, window.end, length) == offset
        })
    };
    let aligned = windows
        .iter()
        .filter(|window| !fits(window) && across(window));
    let most = aligned
        .filter_map(|window| {
            let length = aligned_length(window)?;
            let offset = offset_from(instant, window.end, length);
            let rows: u64 = off_by(offset, length);
            Some(Off {
                offset,
                length,
                end: window.end,
                rows: (rows, all),
            })
        })
        .max_by_key(|off| (off.rows.0, off.end, off.length));
    match most {
        _ if all == 0 => Said::Nothing,
        Some(off) if off.offset != 0 && off.rows.0 * 2 > all => Said::Off(off),
        Some(_) | None => Said::Fits,
    }
}

/// The aligned range that a window is of; it may be longer by what is glued to it and a shared second.
fn aligned_length(window: &Window) -> Option<i64> {
    let longer_than = |length: i64| window.end - window.start - length;
    ALIGNED
        .into_iter()
        .find(|length| (0..=GLUED_SECONDS + 1).contains(&longer_than(*length)))
}

/// From an instant to the nearest end of such windows, in seconds, to the minute.
fn offset_from(instant: i64, end: i64, length: i64) -> i64 {
    let minutes = (end - instant + 30).div_euclid(60) * 60;
    let after = minutes.rem_euclid(length);
    if after > length / 2 {
        after - length
    } else {
        after
    }
}

/// Days before a clock change that are written together with those after it are cut from the end backwards, so that
/// their windows are off by the change.
fn is_of_a_backlog(offset: i64, length: i64, day: Day, zone: &Zone) -> bool {
    let start = zone.midnight(day);
    let mut later = day;
    (1..=BACKLOG_DAYS).any(|days| {
        later = later.next();
        let change = zone.midnight(later) - start - days * DAY_SECONDS;
        change != 0 && offset_from(0, change, length) == offset
    })
}

/// Zones in which windows of this length may end at an instant.
fn fitting(end: i64, length: i64) -> Vec<String> {
    let known = KNOWN.iter().filter_map(|name| Zone::parse(name).ok());
    let mut names: Vec<String> = known
        .filter(|zone| fits(zone, end, length))
        .map(|zone| zone.name().to_owned())
        .take(MOST_NAMES)
        .collect();
    if names.is_empty() {
        let minutes = offset_from(end, 0, DAY_SECONDS) / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        names.push(format!("GMT{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    names
}

fn fits(zone: &Zone, end: i64, length: i64) -> bool {
    let day = zone.day_at(end).ok();
    day.is_some_and(|day| offset_from(zone.midnight(day), end, length) == 0)
}

impl Misfit {
    /// Puts CloudStack's own zone first, if its setting can be read and is one of those that fit.
    pub fn preferring(mut self, theirs: Option<&str>) -> Misfit {
        let theirs = theirs.and_then(|name| Zone::parse(name).ok());
        if let Some(theirs) = theirs.filter(|zone| fits(zone, self.end, self.length)) {
            self.zones.retain(|zone| zone != theirs.name());
            self.zones.insert(0, theirs.name().to_owned());
            self.zones.truncate(MOST_NAMES);
        }
        self
    }

    /// The zone to write, unless something speaks for another.
    pub fn likeliest(&self) -> &str {
        &self.zones[0]
    }

    /// What is wrong.
    pub fn offset_text(&self) -> String {
        let (off, all) = self.rows;
        format!(
            "CloudStack's windows begin {} midnight of {} ({off} of {}), as in {}",
            self.offset_in_words(),
            self.zone,
            plural(all, "row"),
            self.zones.join(", ")
        )
    }

    /// `2 hours before`, `5:30 hours after`
    fn offset_in_words(&self) -> String {
        let minutes = self.offset.abs() / 60;
        let length = match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes} minutes"),
            (1, 0) => "1 hour".to_owned(),
            (hours, 0) => format!("{hours} hours"),
            (hours, minutes) => format!("{hours}:{minutes:02} hours"),
        };
        let direction = if self.offset < 0 { "before" } else { "after" };
        format!("{length} {direction}")
    }
}

/// What is wrong, and what to write.
impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}; write its usage.aggregation.timezone, such as main.timezone = {}",
            self.offset_text(),
            self.likeliest()
        )
    }
}

#[cfg(test)]
mod tests;
