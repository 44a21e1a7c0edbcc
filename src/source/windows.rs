//! The windows of a day's rows, counted by the database.

use super::Connection;
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::Window;

/// Those that touch a day and last no longer than `longest` seconds. A window that ends before it starts is none.
pub fn list_windows(
    usage: &mut dyn Connection,
    day: DayBounds,
    longest: i64,
) -> anyhow::Result<Vec<Window>> {
    let sql = "select start_date, end_date, count(*) from cloud_usage \
               where end_date >= ? and end_date < ? and start_date < ? and start_date >= '1970-01-02' \
               group by start_date, end_date";
    let mut windows = Vec::new();
    let moments = [day.start, day.end + longest, day.end];
    usage.query(sql, &moments, &mut |row| {
        if let (Some(start), Some(last)) = (row.field(0)?.moment()?, row.field(1)?.moment()?) {
            windows.push(Window {
                start,
                end: last + 1,
                rows: row.field(2)?.id()?,
            });
        }
        Ok(())
    })?;
    windows.retain(|window| window.start < window.end);
    Ok(windows)
}
