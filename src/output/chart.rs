//! A row of numbers as a picture one line high.

/// From next to nothing to the largest.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// So many marks stand on a line of any length at most.
pub const WIDEST: usize = 100;

/// Fewer marks are no picture, and a heading has no room above them.
pub const NARROWEST: usize = 16;

/// The numbers in at most so many places: each is the average of as many numbers as the first of the answer says, those
/// left out that are not known.
pub fn scaled(heights: &[Option<f64>], places: usize) -> (usize, Vec<Option<f64>>) {
    let a_place = heights.len().div_ceil(places.max(1)).max(1);
    let places = heights.chunks(a_place).map(|several| {
        let known: Vec<f64> = several.iter().flatten().copied().collect();
        // A count of days is exact as a float.
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    });
    (a_place, places.collect())
}

/// One mark a number, the largest of them as high as a line is. Nothing at all is a blank, and what is not known a
/// dot.
pub fn line(heights: &[Option<f64>]) -> String {
    let largest = heights.iter().flatten().fold(0.0, |a: f64, b| a.max(*b));
    heights
        .iter()
        .map(|height| match height {
            None => '·',
            Some(height) if *height <= 0.0 => ' ',
            Some(height) => {
                // Between 0 and 8, so the cast keeps what it says.
                let level = (height / largest * 8.0).ceil() as usize;
                LEVELS[level.clamp(1, 8) - 1]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_is_as_high_as_the_line() {
        let heights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].map(Some);
        assert_eq!(line(&heights), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&[Some(0.0), None, Some(24.0), Some(0.1)]), " ·█▁");
        assert_eq!(line(&[Some(0.0), None]), " ·");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn a_long_row_of_numbers_becomes_averages() {
        let heights = [Some(1.0), Some(3.0), None, Some(5.0), None, None, Some(7.0)];
        assert_eq!(scaled(&heights, 7), (1, heights.to_vec()));
        assert_eq!(scaled(&heights, 100), (1, heights.to_vec()));
        let halved = vec![Some(2.0), Some(5.0), None, Some(7.0)];
        for places in [4, 5, 6] {
            assert_eq!(scaled(&heights, places), (2, halved.clone()));
        }
        assert_eq!(scaled(&heights, 1), (7, vec![Some(4.0)]));
        assert_eq!(scaled(&[], 0), (1, vec![]));
    }
}
