//! Lists as commands and the server's clients see them: every column once, with its published name, its heading in
//! tables, and how a row fills it. A surface says which of the columns it shows, and in which order.

pub mod accounts;
pub mod corrections;
pub mod days;
pub mod figures;
pub mod findings;
pub mod lines;
pub mod resources;

use crate::output::{Column, Value};

/// A column, and its value in a row made of a `T`.
pub type Cell<T> = (Column, fn(&T) -> Value);

pub fn columns<T>(cells: &[Cell<T>]) -> Vec<Column> {
    cells.iter().map(|(column, _)| *column).collect()
}

pub fn row<T>(cells: &[Cell<T>], of: &T) -> Vec<Value> {
    cells.iter().map(|(_, value)| value(of)).collect()
}

/// A row of each.
pub fn rows<T>(cells: &[Cell<T>], list: &[T]) -> Vec<Vec<Value>> {
    list.iter().map(|one| row(cells, one)).collect()
}

/// Ids begin at 1.
fn id(number: i64) -> Value {
    Value::Id(number.unsigned_abs())
}

fn text(text: &Option<String>) -> Value {
    Value::text(text.as_deref())
}
