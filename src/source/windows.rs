//! The windows of a day's rows, counted by the database.

use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::Window;
use crate::db::{Connection, Field};

/// Those that touch a day and last no longer than `longest` seconds. A row whose dates are none has none.
pub fn list_windows(
    usage: &mut dyn Connection,
    day: DayBounds,
    longest: i64,
) -> anyhow::Result<Vec<Window>> {
    // By the index on end_date alone.
    let sql = "select start_date, end_date, count(*) from cloud_usage \
               where end_date >= ? and end_date < ? group by start_date, end_date";
    let mut windows = Vec::new();
    usage.query(sql, &[day.start, day.end + longest], &mut |row| {
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
