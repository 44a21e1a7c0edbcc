//! The days of a month: what each is, in one word and one mark, and the calendar of them.

use maud::{Markup, html};

use super::shell::name;
use crate::day::{Day, in_ranges};
use crate::http::v1::context::Context;
use crate::ledger::read::days::{DayState, list_days};
use crate::month::Month;

/// A day as pages show it.
pub struct ShownDay {
    pub day: Day,
    /// `None`: it has not ended yet.
    pub state: Option<DayState>,
}

impl ShownDay {
    /// Whether what it holds is not the last word, if it holds anything.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, None | Some(DayState::Missing | DayState::Open))
    }

    pub fn word(&self) -> &'static str {
        self.state.map_or("to come", DayState::name)
    }
}

/// All days of a month.
pub fn list(context: &Context, month: Month) -> anyhow::Result<Vec<ShownDay>> {
    let days = list_days(context.snapshot, month.days())?.into_iter();
    let shown = days.map(|facts| ShownDay {
        day: facts.day,
        state: match facts.state {
            DayState::Missing if facts.day > context.yesterday => None,
            state => Some(state),
        },
    });
    Ok(shown.collect())
}

/// Whether no figure of the month will change by days that are still to be imported.
pub fn is_complete(days: &[ShownDay]) -> bool {
    !days.iter().any(ShownDay::is_unfinished)
}

/// The days that are something, for a sentence; `None`: there is none.
pub fn those(days: &[ShownDay], is: impl Fn(&ShownDay) -> bool) -> Option<String> {
    let days: Vec<Day> = days
        .iter()
        .filter(|day| is(day))
        .map(|day| day.day)
        .collect();
    (!days.is_empty()).then(|| in_ranges(&days))
}

/// Whether a month is complete and sealed, in a sentence or two.
pub fn standing(days: &[ShownDay]) -> Markup {
    let sealed = days
        .iter()
        .filter(|day| day.state == Some(DayState::Sealed));
    let (sealed, all) = (sealed.count(), days.len());
    html! {
        @if is_complete(days) {
            strong.good { "Complete" } ": every day has been imported and is finished. "
        } @else {
            strong.bad { "Not complete" } ": figures will change. "
        }
        @if sealed == all {
            "All days are sealed."
        } @else if sealed > 0 {
            (sealed) " of " (all) " days are sealed."
        } @else {
            "No day is sealed."
        }
    }
}

fn mark(state: Option<DayState>) -> (&'static str, &'static str) {
    match state {
        None => ("", "to-come"),
        Some(DayState::Missing) => ("–", "missing"),
        Some(DayState::Sealed) => ("■", "sealed"),
        Some(DayState::Refused) => ("!", "refused"),
        Some(DayState::Differing) => ("≠", "differing"),
        Some(DayState::Open) => ("…", "open"),
        Some(DayState::Closed) => ("✓", "closed"),
    }
}

const WEEKDAYS: [(&str, &str); 7] = [
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Sun", "Sunday"),
];

/// A month as a table of weeks.
pub fn calendar(days: &[ShownDay], root: &str) -> Markup {
    let lead = days.first().map_or(0, |first| {
        usize::from(first.day.date().weekday().number_days_from_monday())
    });
    let mut cells: Vec<Option<&ShownDay>> = vec![None; lead];
    cells.extend(days.iter().map(Some));
    let mut states: Vec<Option<DayState>> = days.iter().map(|day| day.state).collect();
    states.sort();
    states.dedup();
    html! {
        table.calendar {
            caption.hidden { "The days of the month and their states" }
            thead { tr {
                @for (short, long) in WEEKDAYS { th scope="col" abbr=(long) { (short) } }
            } }
            tbody {
                @for week in cells.chunks(7) { tr {
                    @for place in 0..7 {
                        @match week.get(place).copied().flatten() {
                            Some(day) => (cell(day, root)),
                            None => td {},
                        }
                    }
                } }
            }
        }
        p.legend {
            @for state in states {
                @let (symbol, class) = mark(state);
                span.key {
                    span class={ "mark " (class) } aria-hidden="true" { (symbol) }
                    " " (state.map_or("to come", DayState::name))
                }
                " "
            }
        }
    }
}

fn cell(day: &ShownDay, root: &str) -> Markup {
    let (symbol, class) = mark(day.state);
    html! {
        td class=(class) {
            @match day.state {
                Some(_) => a.number href={ (root) "days/" (day.day) } { (day.day.day_of_month()) },
                None => span.number { (day.day.day_of_month()) },
            }
            span.mark aria-hidden="true" { (symbol) }
            span.word { (name(day.word())) }
        }
    }
}
