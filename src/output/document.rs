//! What a command has to say: facts, and rows under named columns. How it is printed is left to the formats.

use super::unit::Unit;

/// All that a command has to say.
#[derive(Debug, Default)]
pub struct Document {
    /// A line above the table. Programs find the same in the facts.
    pub title: String,
    /// Lines drawn for people, between the title and the table, colours included.
    pub picture: Vec<String>,
    /// What holds for all rows: keys of the JSON object. Not in tables and CSV.
    pub facts: Vec<(&'static str, Value)>,
    /// The key of the rows in the JSON object.
    pub rows_name: &'static str,
    pub columns: Vec<Column>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
    /// Lines below the table. Programs find the same in the facts.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// In JSON and CSV; a quantity's unit is in it, or in a column beside it.
    pub name: &'static str,
    /// In tables; `None`: not for people, unless they choose it.
    pub heading: Option<&'static str>,
    pub weight: Weight,
    pub overlong: Overlong,
}

/// Which columns a table leaves out where its lines have no room for all: those of the last weight first, from the
/// right to the left. A column whose words are the same in all rows is a detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// A row says nothing without it: texts are cut before it is left out.
    Key,
    Plain,
    Detail,
}

/// What a table does with texts that are longer than their column can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlong {
    /// Names: the end is left out.
    Cut,
    /// Sentences: they take several lines.
    Fold,
    /// Words of the program: the column is as wide as they are for as long as there is any room.
    Keep,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nothing,
    Text(String),
    /// A day, a month or an instant in UTC, by its digits, such as 2026-10-01T00:00:00Z.
    Time(String),
    /// A word and what to think of it.
    State(&'static str, Tone),
    Truth(bool),
    Count(u64),
    /// A number by which something is found, as it is.
    Id(u64),
    /// A finite number; the unit says how people want to read it.
    Quantity(f64, Unit),
    /// An exact number, such as money, by its digits; a text in JSON, whose numbers may be read as floats.
    Decimal(String),
    List(Vec<String>),
    Objects(Objects),
    /// A number a day, drawn as wide as there is room; `None`: not known.
    Chart(Vec<Option<f64>>),
}

/// Several things that have keys of their own, in one cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects {
    /// For JSON.
    pub objects: Vec<Vec<(&'static str, Value)>>,
    /// The same in words, for tables; empty if there are none.
    pub shown: String,
    /// The same for CSV.
    pub raw: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Doubtful,
    Bad,
}

impl Column {
    /// Everybody sees it.
    pub const fn shown(name: &'static str, heading: &'static str) -> Column {
        Column {
            name,
            heading: Some(heading),
            weight: Weight::Plain,
            overlong: Overlong::Cut,
        }
    }

    /// In JSON and CSV only.
    pub const fn hidden(name: &'static str) -> Column {
        Column {
            name,
            heading: None,
            weight: Weight::Detail,
            overlong: Overlong::Cut,
        }
    }

    /// Stays for as long as there is any room.
    pub const fn key(self) -> Column {
        Column {
            weight: Weight::Key,
            ..self
        }
    }

    /// The first to be left out.
    pub const fn detail(self) -> Column {
        Column {
            weight: Weight::Detail,
            ..self
        }
    }

    /// Of sentences.
    pub const fn folded(self) -> Column {
        Column {
            overlong: Overlong::Fold,
            ..self
        }
    }

    /// Of words of the program.
    pub const fn kept(self) -> Column {
        Column {
            overlong: Overlong::Keep,
            ..self
        }
    }
}

impl Value {
    /// The time, or nothing.
    pub fn time(time: Option<impl ToString>) -> Value {
        time.map_or(Value::Nothing, |time| Value::Time(time.to_string()))
    }

    /// The text, or nothing.
    pub fn text(text: Option<impl Into<String>>) -> Value {
        text.map_or(Value::Nothing, |text| Value::Text(text.into()))
    }
}
