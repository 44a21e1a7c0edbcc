//! The windows of a day's rows, counted by the database.

use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::Window;
use crate::db::{Connection, Field, SqlValue, params};

/// Those that touch a day and last no longer than `longest` seconds. A row whose dates are none has none.
pub fn list_windows(
    usage: &Connection,
    day: DayBounds,
    longest: i64,
) -> anyhow::Result<Vec<Window>> {
    // By the index on end_date alone.
    let sql = "select start_date, end_date, count(*) from cloud_usage \
               where end_date >= :from and end_date < :to group by start_date, end_date";
    let mut windows = Vec::new();
    let within =
        params! {":from": SqlValue::Moment(day.start), ":to": SqlValue::Moment(day.end + longest)};
    usage.each(sql, within, |row| {
        let moment = |column| row.field(column).and_then(Field::moment).ok().flatten();
        if let (Some(start), Some(last)) = (moment(0), moment(1)) {
            windows.push(Window {
                start,
                end: last + 1,
                rows: row.field(2)?.id()?,
            });
        }
        Ok(())
    })?;
    windows.retain(|window| window.start < window.end && window.start < day.end);
    Ok(windows)
}
