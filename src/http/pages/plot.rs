//! Bars for the days of a month, stacked by series. The picture is drawn of numbers that stand in a table beside it, so it
//! says nothing to a screen reader but what it is.

use std::fmt::Write;

use maud::{Markup, html};

/// Series that are told apart; the rest are one more.
pub const MOST_SERIES: usize = 7;

/// A day is one unit wide; its bar, a stroke in the middle, is narrower by the stylesheet, which also turns the picture
/// upside down, so that bars grow from the ground.
const HEIGHT: f64 = 256.0;

pub struct Series {
    pub label: String,
    /// One a day, 0 where there is nothing.
    pub heights: Vec<f64>,
}

/// A picture of stacked bars; `pale` are the days whose bars are not the last word. Each series is drawn from the ground
/// up to where it ends on top of those before it, the last one first, so that what is seen of it is its own part.
pub fn bars(label: &str, series: &[Series], pale: &[bool]) -> Markup {
    let days = pale.len();
    let highest = highest(series, days);
    let ground: Vec<i64> = pale
        .iter()
        .map(|pale| if *pale { 256 } else { 0 })
        .collect();
    let mut tops = vec![0.0; days];
    let mut drawn: Vec<String> = Vec::new();
    for one in series {
        let mut strokes = vec![0; days];
        for (day, height) in one.heights.iter().enumerate() {
            if *height > 0.0 && highest > 0.0 {
                tops[day] += height;
                // At most the height of the picture.
                strokes[day] = (tops[day] / highest * HEIGHT).round() as i64;
            }
        }
        drawn.push(outline(&strokes));
    }
    html! {
        svg.bars viewBox={ "-.5 0 " (days) " 256" } preserveAspectRatio="none" role="img" aria-label=(label) {
            @if pale.contains(&true) { path.pale d=(outline(&ground)) {} }
            @for (place, path) in drawn.iter().enumerate().rev() {
                path class={ "s" (place) } d=(path) {}
            }
        }
    }
}

/// A stroke for each day, as high as it says.
fn outline(strokes: &[i64]) -> String {
    let mut path = String::new();
    for (day, height) in strokes.iter().enumerate() {
        if *height > 0 {
            // Writing to a text cannot fail.
            let _ = write!(path, "M{day} 0v{height}");
        }
    }
    path
}

/// What the highest day amounts to.
pub fn highest(series: &[Series], days: usize) -> f64 {
    let sum = |day| series.iter().map(|one| one.heights[day]).sum::<f64>();
    (0..days).map(sum).fold(0.0, f64::max)
}

/// The colour of a series.
pub fn swatch(place: usize) -> Markup {
    html! {
        svg.swatch viewBox="0 0 9 9" aria-hidden="true" { path class={ "s" (place) } d="M0 0h9v9H0z" {} }
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

    /// Of at most 8 on a day: 6 is 192 of 256 units high, 2 on top of it ends at 256; 4 alone is 128.
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
            "<svg class=\"bars\" viewBox=\"-.5 0 3 256\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"a &lt;label&gt;\"><path class=\"pale\" d=\"M1 0v256\"></path>\
             <path class=\"s1\" d=\"M0 0v256\"></path>\
             <path class=\"s0\" d=\"M0 0v192M2 0v128\"></path></svg>"
        );
        assert_eq!(highest(&series, 3), 8.0);
        assert_eq!(highest(&[], 3), 0.0);
    }
}
