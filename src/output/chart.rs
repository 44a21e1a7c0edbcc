//! A row of numbers as a picture one line high.

/// From next to nothing to the largest.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

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
}
