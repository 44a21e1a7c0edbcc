//! Bars for the days of a month, stacked by series. The picture is drawn of numbers that stand in a table beside it, so it
//! says nothing to a screen reader but what it is.

use std::fmt::Write;

use maud::{Markup, html};

/// Series that are told apart; the rest are one more.
pub const MOST_SERIES: usize = 7;

/// Units of the picture that a day is wide, and that its bar is. A day's place is a multiple.
const DAY: usize = 10;
const BAR: usize = 8;

const HEIGHT: f64 = 100.0;

pub struct Series {
    pub label: String,
    /// One a day, 0 where there is nothing.
    pub heights: Vec<f64>,
}

/// A picture of stacked bars; `pale` are the days whose bars are not the last word.
pub fn bars(label: &str, series: &[Series], pale: &[bool]) -> Markup {
    let highest = highest(series, pale.len());
    let width = pale.len() * DAY;
    let mut ground = String::new();
    for (day, _) in pale.iter().enumerate().filter(|(_, pale)| **pale) {
        add_box(&mut ground, (day * DAY, DAY), 0.0, HEIGHT);
    }
    let mut below = vec![0.0; pale.len()];
    html! {
        svg.bars viewBox={ "0 0 " (width) " 100" } preserveAspectRatio="none" role="img" aria-label=(label) {
            path.pale d=(ground) {}
            @for (place, one) in series.iter().enumerate() {
                path class={ "s" (place) } d=(outline(one, &mut below, highest)) {}
            }
        }
    }
}

/// The boxes of one series on top of what lies below.
fn outline(series: &Series, below: &mut [f64], highest: f64) -> String {
    let mut path = String::new();
    for (day, height) in series.heights.iter().enumerate() {
        if *height > 0.0 && highest > 0.0 {
            let height = height / highest * HEIGHT;
            let top = HEIGHT - below[day] - height;
            add_box(&mut path, (day * DAY + 1, BAR), top, height);
            below[day] += height;
        }
    }
    path
}

fn add_box(path: &mut String, (left, width): (usize, usize), top: f64, height: f64) {
    // Writing to a text cannot fail.
    let _ = write!(path, "M{left} {top:.2}h{width}v{height:.2}h-{width}z");
}

/// What the highest day amounts to.
pub fn highest(series: &[Series], days: usize) -> f64 {
    let sum = |day| series.iter().map(|one| one.heights[day]).sum::<f64>();
    (0..days).map(sum).fold(0.0, f64::max)
}

/// The colour of a series.
pub fn swatch(place: usize) -> Markup {
    html! {
        svg.swatch viewBox="0 0 10 10" aria-hidden="true" { path class={ "s" (place) } d="M0 0h10v10h-10z" {} }
    }
}

/// One bar from left to right, as long as a share of 1 is.
pub fn share(of: f64) -> Markup {
    let width = (of * 100.0).clamp(0.0, 100.0);
    html! {
        svg.share viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            path.s0 d={ "M0 0h" (format!("{width:.2}")) "v4H0z" } {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of at most 8 on a day: 6 is 75 of 100 units high, 2 on top of it 25; 4 alone is 50.
    #[test]
    fn bars_stand_on_each_other() {
        let series = |heights: &[f64]| Series {
            label: String::new(),
            heights: heights.to_vec(),
        };
        let series = [series(&[6.0, 0.0, 4.0]), series(&[2.0, 0.0, 0.0])];
        let drawn = bars("a <label>", &series, &[false, true, false]).into_string();
        assert_eq!(
            drawn,
            "<svg class=\"bars\" viewBox=\"0 0 30 100\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"a &lt;label&gt;\"><path class=\"pale\" d=\"M10 0.00h10v100.00h-10z\"></path>\
             <path class=\"s0\" d=\"M1 25.00h8v75.00h-8zM21 50.00h8v50.00h-8z\"></path>\
             <path class=\"s1\" d=\"M1 0.00h8v25.00h-8z\"></path></svg>"
        );
        assert_eq!(highest(&series, 3), 8.0);
        assert_eq!(highest(&[], 3), 0.0);
    }
}
