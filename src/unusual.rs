//! When a day's figure is unusual: far from those of the days before it. Robust, so that one odd day among these does
//! not hide the next one: by their median and their spread around it. It knows no weekdays; what comes back often enough
//! is usual. Pure; which figures are compared is left to the ledger.

use crate::metric::Metric;

/// How many days before a day it is compared with.
pub const DAYS_BEFORE: i64 = 28;

/// So many of them have to be closed, and an account has to have used something on the first of so many.
pub const LEAST_DAYS: usize = 14;

/// What has been so on as many of the days is usual.
pub const USUAL_DAYS: usize = 3;

/// The least that the spread counts as, as a share of the median: steady figures have none.
const LEAST_SPREAD: f64 = 0.05;

/// By which the median distance becomes a standard deviation, if figures are distributed normally.
const NORMAL: f64 = 1.4826;

/// How far is far.
#[derive(Clone, Debug, PartialEq)]
pub struct UnusualRule {
    /// As many times the spread.
    pub factor: f64,
    pub floors: UsageFloors,
}

/// The smallest differences that are worth a look, within 24 hours, by unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsageFloors {
    pub hours: f64,
    pub byte_hours: f64,
    pub bytes: f64,
    pub requests: f64,
}

impl UsageFloors {
    /// `None`: figures of the metric are not compared. Nobody knows what those without a unit count, and hours by guest
    /// OS are those of running VMs.
    pub fn of(&self, metric: Metric) -> Option<f64> {
        match (metric, metric.unit()) {
            (Metric::OsUsage, _) => None,
            (_, "hours") => Some(self.hours),
            (_, "byte-hours") => Some(self.byte_hours),
            (_, "bytes") => Some(self.bytes),
            (_, "requests") => Some(self.requests),
            _ => None,
        }
    }
}

/// What a figure usually is, over some days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualFigure {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

/// What a figure usually is, if today's is far from it and has not been so before; `before` are those of the days before,
/// the newest last. All are of days of one length.
pub fn usual_if_far(
    before: &[f64],
    today: f64,
    floor: f64,
    rule: &UnusualRule,
) -> Option<UsualFigure> {
    let newest = *before.last().filter(|_| before.len() >= LEAST_DAYS)?;
    // Most figures are no extremes: neither their median nor their spread has to be known.
    let at_least = before.iter().filter(|other| **other >= today).count();
    let at_most = before.iter().filter(|other| **other <= today).count();
    if at_least >= USUAL_DAYS && at_most >= USUAL_DAYS {
        return None;
    }
    let mut sorted = before.to_vec();
    let usual = UsualFigure {
        median: median(&mut sorted),
        lowest: sorted[0],
        highest: sorted[sorted.len() - 1],
    };
    let distance = today - usual.median;
    let mut distances: Vec<f64> = before
        .iter()
        .map(|one| (one - usual.median).abs())
        .collect();
    let spread = (NORMAL * median(&mut distances)).max(LEAST_SPREAD * usual.median);
    if distance.abs() <= floor {
        return None;
    }
    // However much a figure varies, that there is none any more is another matter.
    if today == 0.0 && usual.lowest > 0.0 {
        return Some(usual);
    }
    if distance.abs() <= rule.factor * spread {
        return None;
    }
    // A change that lasts is news on its first day, and again when it has doubled.
    let was_so = |other: f64| (other - usual.median) / distance >= 0.5;
    let often = before.iter().filter(|other| was_so(**other)).count() >= USUAL_DAYS;
    (!often && !was_so(newest)).then_some(usual)
}

/// Of at least one number; sorts them.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() % 2 {
        0 => f64::midpoint(numbers[middle - 1], numbers[middle]),
        _ => numbers[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: UnusualRule = UnusualRule {
        factor: 8.0,
        floors: UsageFloors {
            hours: 100.0,
            byte_hours: 1.0,
            bytes: 1.0,
            requests: 1.0,
        },
    };

    fn is_unusual(before: &[f64], today: f64) -> bool {
        usual_if_far(before, today, 100.0, &RULE).is_some()
    }

    #[test]
    fn a_steady_figure_may_change_by_two_fifths_and_by_the_floor() {
        // Spread 0.05 * 500 = 25; 8 * 25 = 200.
        let steady = [500.0; 28];
        for (today, expected) in [(700.0, false), (700.5, true), (300.0, false), (299.0, true)] {
            assert_eq!(is_unusual(&steady, today), expected, "{today}");
        }
        // 8 * 0.05 * 50 = 20, but the floor is 100.
        assert!(!is_unusual(&[50.0; 28], 150.0));
        assert!(is_unusual(&[50.0; 28], 150.5));
        // From nothing the floor alone counts.
        assert!(!is_unusual(&[0.0; 28], 100.0));
        assert!(is_unusual(&[0.0; 28], 101.0));
        assert!(!is_unusual(&[500.0; 13], 5000.0));
        assert!(is_unusual(&[500.0; 14], 5000.0));
    }

    #[test]
    fn a_figure_that_varies_may_vary_more() {
        // 900, 950, 1000, 1050, 1100 again and again: median 1000, median distance 50, spread 74.13, far beyond 593.04.
        let varying: Vec<f64> = (0..25)
            .map(|day| 900.0 + 50.0 * f64::from(day % 5))
            .collect();
        assert!(!is_unusual(&varying, 1593.0));
        let usual = usual_if_far(&varying, 1593.1, 100.0, &RULE).unwrap();
        assert_eq!(
            (usual.median, usual.lowest, usual.highest),
            (1000.0, 900.0, 1100.0)
        );
        // One odd day among them hides nothing.
        let mut with_odd = varying.clone();
        with_odd[3] = 50_000.0;
        assert!(is_unusual(&with_odd, 1700.0));
    }

    #[test]
    fn what_stops_is_unusual_however_much_it_varied() {
        // 100, 600, 1100: median distance 500, so that no figure is far below the median, 600.
        let wild: Vec<f64> = (0..27)
            .map(|day| 100.0 + 500.0 * f64::from(day % 3))
            .collect();
        assert!(!is_unusual(&wild, 1.0));
        assert!(is_unusual(&wild, 0.0));
        let mut had_stopped = wild.clone();
        had_stopped[5] = 0.0;
        assert!(!is_unusual(&had_stopped, 0.0));
    }

    #[test]
    fn a_change_that_lasts_is_unusual_on_its_first_day() {
        let mut before = vec![500.0; 27];
        before.push(2000.0);
        // 1500 above the median yesterday: the same, less and up to twice of it are no news.
        assert!(!is_unusual(&before, 2000.0));
        assert!(!is_unusual(&before, 1000.0));
        assert!(!is_unusual(&before, 3500.0));
        assert!(is_unusual(&before, 3501.0));
        // The other way is.
        assert!(is_unusual(&before, 100.0));
        // It went back yesterday: today it would be the second time.
        before.push(500.0);
        assert!(is_unusual(&before, 2000.0));
    }

    #[test]
    fn what_comes_back_is_usual() {
        // Two days of seven nothing runs.
        let weeks: Vec<f64> = (0..28)
            .map(|day| if day % 7 < 5 { 500.0 } else { 0.0 })
            .collect();
        assert!(!is_unusual(&weeks, 500.0));
        assert!(!is_unusual(&weeks[..26], 0.0));
        assert!(is_unusual(&weeks, 1000.0));
    }
}
