//! Values as people read them in a table, and in which colour.

use crate::output::chart;
use crate::output::document::{Tone, Value};
use crate::output::unit::{readable, with_thousands};
use crate::printable::printable;

/// All of a value in one line.
pub fn text(value: &Value) -> String {
    match value {
        Value::Nothing => "–".to_owned(),
        Value::Text(text) | Value::Time(text) => printable(text).into_owned(),
        Value::State(word, _) => (*word).to_owned(),
        Value::Truth(true) => "yes".to_owned(),
        Value::Truth(false) => "no".to_owned(),
        Value::Count(count) => with_thousands(&count.to_string()),
        Value::Id(number) => number.to_string(),
        Value::Quantity(number, unit) => readable(*number, *unit),
        Value::Decimal(digits) => with_thousands(digits),
        Value::Objects(several) if several.objects.is_empty() => "–".to_owned(),
        Value::Objects(several) => printable(&several.shown).into_owned(),
        Value::List(texts) => printable(&texts.join(" ")).into_owned(),
        Value::Chart(heights) => chart::line(heights),
    }
}

/// Whether there is nothing to see.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Objects(several) => several.objects.is_empty(),
        value => *value == Value::Nothing,
    }
}

/// Numbers stand to the right.
pub fn is_number(value: &Value) -> bool {
    match value {
        Value::Count(_) | Value::Id(_) | Value::Quantity(..) | Value::Decimal(_) => true,
        Value::Nothing
        | Value::Text(_)
        | Value::Time(_)
        | Value::State(..)
        | Value::Truth(_)
        | Value::List(_)
        | Value::Objects(_)
        | Value::Chart(_) => false,
    }
}

/// Whether a part of it says something.
pub fn is_text(value: &Value) -> bool {
    match value {
        Value::Text(_) | Value::List(_) | Value::Objects(_) => true,
        Value::Nothing
        | Value::Time(_)
        | Value::State(..)
        | Value::Truth(_)
        | Value::Count(_)
        | Value::Id(_)
        | Value::Quantity(..)
        | Value::Decimal(_)
        | Value::Chart(_) => false,
    }
}

pub fn tone(value: &Value) -> Tone {
    match value {
        Value::State(_, tone) => *tone,
        Value::Nothing
        | Value::Text(_)
        | Value::Time(_)
        | Value::Truth(_)
        | Value::Count(_)
        | Value::Id(_)
        | Value::Quantity(..)
        | Value::Decimal(_)
        | Value::List(_)
        | Value::Objects(_)
        | Value::Chart(_) => Tone::Plain,
    }
}

/// A text in the colour of its tone, if colours can be seen.
pub fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Doubtful => "33",
        Tone::Bad => "31",
        Tone::Plain => return text.to_owned(),
    };
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}
