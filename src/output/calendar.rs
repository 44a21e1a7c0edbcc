//! A calendar for people: a line a month, a mark a day.

use super::document::Tone;
use super::table::paint;
use crate::day::Day;
use crate::month::Month;

/// How a day is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub symbol: char,
    pub meaning: &'static str,
    pub tone: Tone,
}

/// Days in order, each with its mark, and the meaning of the marks that occur.
pub fn draw(days: &[(Day, Mark)], colour: bool) -> Vec<String> {
    let mut lines = vec!["         1   5    10   15   20   25   30".to_owned()];
    let mut month = None;
    let mut line = String::new();
    let mut column = 1;
    for (day, mark) in days {
        if month != Some(Month::of(*day)) {
            if month.is_some() {
                lines.push(std::mem::take(&mut line));
            }
            month = Some(Month::of(*day));
            line = format!("{}  ", Month::of(*day));
            column = 1;
        }
        // A range may begin within a month.
        while column < day.day_of_month() {
            line.push(' ');
            column += 1;
        }
        line += &paint(&mark.symbol.to_string(), mark.tone, colour);
        column += 1;
    }
    lines.push(line);
    let mut meanings: Vec<String> = Vec::new();
    for (_, mark) in days {
        let symbol = paint(&mark.symbol.to_string(), mark.tone, colour);
        let meaning = format!("{symbol} {}", mark.meaning);
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    lines.push(meanings.join("   "));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::DayRange;

    const CLOSED: Mark = Mark {
        symbol: '#',
        meaning: "closed",
        tone: Tone::Good,
    };
    const MISSING: Mark = Mark {
        symbol: '-',
        meaning: "missing",
        tone: Tone::Bad,
    };

    fn days(first: &str, last: &str) -> Vec<(Day, Mark)> {
        let range = DayRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
        let days = range.days().enumerate();
        days.map(|(place, day)| (day, if place == 2 { MISSING } else { CLOSED }))
            .collect()
    }

    #[test]
    fn every_day_stands_below_its_number() {
        assert_eq!(
            draw(&days("2012-02-27", "2012-03-31"), false),
            [
                "         1   5    10   15   20   25   30",
                "2012-02                            ##-",
                "2012-03  ###############################",
                "# closed   - missing",
            ]
        );
    }

    #[test]
    fn marks_have_colours() {
        let lines = draw(&days("2012-03-01", "2012-03-03"), true);
        assert_eq!(
            lines[1],
            "2012-03  \u{1b}[32m#\u{1b}[0m\u{1b}[32m#\u{1b}[0m\u{1b}[31m-\u{1b}[0m"
        );
    }
}
