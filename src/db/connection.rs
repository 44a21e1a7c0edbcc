//! What is asked of a database, whichever it is: which columns there are, a snapshot to read in, and rows one by one.

use super::field::Field;

/// A result row as the driver has it.
pub trait Row {
    /// The value of a column by its place in the select list.
    fn field(&self, column: usize) -> anyhow::Result<Field<'_>>;
}

/// A database that is read.
pub trait Connection: Send {
    /// Names, in lower case, of a table's columns that may be read; empty if there is no such table or no
    /// right to read it.
    fn columns(&mut self, table: &str) -> anyhow::Result<Vec<String>>;
    /// Whether a column that is not among a table's `columns` may be there all the same, without a right to read it.
    fn may_hide(&mut self, table: &str, column: &str) -> anyhow::Result<bool>;
    /// Begins a read-only transaction whose statements all see one state.
    fn begin(&mut self) -> anyhow::Result<()>;
    fn end(&mut self) -> anyhow::Result<()>;
    /// Hands over the rows one by one as they arrive. Each `?` stands for a moment, in seconds since 1970 UTC.
    fn query(
        &mut self,
        sql: &str,
        moments: &[i64],
        on_row: &mut dyn FnMut(&dyn Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;
}
