//! How the usage server cuts a range of time into the windows that its rows carry. The tests reproduce,
//! line by line, what was seen of the real algorithm.

use super::SECOND;

/// A window from its first to its last millisecond, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

impl Window {
    /// Milliseconds of the window.
    pub fn length(self) -> i64 {
        self.end + 1 - self.start
    }
}

/// Cuts backwards from the end in pieces of exactly `piece` milliseconds, blind to clock changes. A
/// remainder of at most a minute is glued to the first piece; a longer one becomes a short piece of its own.
pub fn cut(range: Window, piece: i64) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut end = range.end;
    while end >= range.start {
        let mut start = end + 1 - piece;
        if start - range.start <= 60 * SECOND {
            start = range.start;
        }
        windows.push(Window { start, end });
        end = start - 1;
    }
    windows.reverse();
    windows
}

/// `(end - start) + 1` milliseconds in hours, in 32-bit floats as the usage server reckons.
#[expect(clippy::cast_precision_loss, reason = "the loss is what is simulated")]
pub fn hours(milliseconds: i64) -> f64 {
    f64::from(milliseconds as f32 / 1000.0 / 60.0 / 60.0)
}

#[cfg(test)]
mod tests {
    use super::super::zones::{GMT, STOCKHOLM, Zone, stored};
    use super::super::{DAY, HOUR, MINUTE};
    use super::*;

    /// The rows of an always-on resource: stored start, stored end, hours.
    fn rows(start: i64, next: i64, piece: i64) -> Vec<(String, String, f64)> {
        let range = Window {
            start,
            end: next - 1,
        };
        cut(range, piece)
            .into_iter()
            .map(|w| (stored(w.start), stored(w.end), hours(w.length())))
            .collect()
    }

    #[track_caller]
    fn are(rows: &[(String, String, f64)], expected: &[(&str, &str, f64)]) {
        let rows: Vec<_> = rows
            .iter()
            .map(|(start, end, hours)| (start.as_str(), end.as_str(), *hours))
            .collect();
        assert_eq!(rows, expected);
    }

    fn local(zone: &Zone, day: &str) -> i64 {
        zone.midnight(day)
    }

    #[test]
    fn a_normal_day_is_one_row() {
        are(
            &rows(local(&GMT, "2025-06-10"), local(&GMT, "2025-06-11"), DAY),
            &[("2025-06-10 00:00:00", "2025-06-10 23:59:59", 24.0)],
        );
        are(
            &rows(
                local(&STOCKHOLM, "2025-06-10"),
                local(&STOCKHOLM, "2025-06-11"),
                DAY,
            ),
            &[("2025-06-09 22:00:00", "2025-06-10 21:59:59", 24.0)],
        );
    }

    #[test]
    fn three_days_down_are_three_rows() {
        are(
            &rows(local(&GMT, "2025-06-08"), local(&GMT, "2025-06-11"), DAY),
            &[
                ("2025-06-08 00:00:00", "2025-06-08 23:59:59", 24.0),
                ("2025-06-09 00:00:00", "2025-06-09 23:59:59", 24.0),
                ("2025-06-10 00:00:00", "2025-06-10 23:59:59", 24.0),
            ],
        );
    }

    #[test]
    fn an_event_two_seconds_before_midnight_is_glued() {
        let glued = rows(
            local(&GMT, "2025-06-10") - 2 * SECOND,
            local(&GMT, "2025-06-11"),
            DAY,
        );
        are(
            &glued,
            &[("2025-06-09 23:59:58", "2025-06-10 23:59:59", glued[0].2)],
        );
        assert_eq!(format!("{:.6}", glued[0].2), "24.000555");
        // A minute is still glued, a millisecond more is not.
        let midnight = local(&GMT, "2025-06-10");
        assert_eq!(rows(midnight - MINUTE, midnight + DAY, DAY).len(), 1);
        assert_eq!(rows(midnight - MINUTE - 1, midnight + DAY, DAY).len(), 2);
    }

    #[test]
    fn an_event_ten_minutes_before_midnight_makes_a_short_row() {
        let late = rows(
            local(&GMT, "2025-06-10") - 10 * MINUTE,
            local(&GMT, "2025-06-11"),
            DAY,
        );
        are(
            &late,
            &[
                ("2025-06-09 23:50:00", "2025-06-09 23:59:59", late[0].2),
                ("2025-06-10 00:00:00", "2025-06-10 23:59:59", 24.0),
            ],
        );
        assert_eq!(format!("{:.4}", late[0].2), "0.1667");
    }

    #[test]
    fn days_of_23_and_25_hours() {
        are(
            &rows(
                local(&STOCKHOLM, "2025-03-30"),
                local(&STOCKHOLM, "2025-03-31"),
                DAY,
            ),
            &[("2025-03-29 23:00:00", "2025-03-30 21:59:59", 23.0)],
        );
        are(
            &rows(
                local(&STOCKHOLM, "2025-10-26"),
                local(&STOCKHOLM, "2025-10-27"),
                DAY,
            ),
            &[
                // Local 00:00:00 to 00:59:59, then 01:00:00 to 23:59:59 through the repeated hour.
                ("2025-10-25 22:00:00", "2025-10-25 22:59:59", 1.0),
                ("2025-10-25 23:00:00", "2025-10-26 22:59:59", 24.0),
            ],
        );
    }

    #[test]
    fn a_backlog_across_the_autumn_change_spans_a_midnight() {
        are(
            &rows(
                local(&STOCKHOLM, "2025-10-25"),
                local(&STOCKHOLM, "2025-10-28"),
                DAY,
            ),
            &[
                ("2025-10-24 22:00:00", "2025-10-24 22:59:59", 1.0),
                // Local 25th 01:00 to 26th 00:59:59.
                ("2025-10-24 23:00:00", "2025-10-25 22:59:59", 24.0),
                ("2025-10-25 23:00:00", "2025-10-26 22:59:59", 24.0),
                ("2025-10-26 23:00:00", "2025-10-27 22:59:59", 24.0),
            ],
        );
    }

    #[test]
    fn six_hours_of_hourly_backlog_are_six_rows() {
        let start = local(&GMT, "2025-06-10");
        let six = rows(start, start + 6 * HOUR, HOUR);
        assert_eq!(six.len(), 6);
        assert!(six.iter().all(|(_, _, hours)| *hours == 1.0));
        assert_eq!(six[5].0, "2025-06-10 05:00:00");
    }

    #[test]
    fn a_range_of_600_minutes_spans_midnights() {
        let ends = local(&GMT, "2025-06-11") + 6 * HOUR + 3 * SECOND;
        are(
            &rows(ends - 20 * HOUR, ends, 600 * MINUTE),
            &[
                ("2025-06-10 10:00:03", "2025-06-10 20:00:02", 10.0),
                ("2025-06-10 20:00:03", "2025-06-11 06:00:02", 10.0),
            ],
        );
    }

    #[test]
    fn hours_carry_the_noise_of_32_bit_floats() {
        assert_eq!(format!("{:.8}", hours(86_398 * SECOND)), "23.99944496");
        assert_eq!(hours(DAY), 24.0);
    }
}
