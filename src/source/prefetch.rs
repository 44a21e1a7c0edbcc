//! Reads day after day, one ahead of whoever takes them: reading goes on while a day is worked on. No more than two days
//! of rows are in memory, and one where rows are made into something smaller as they are read.

use std::sync::mpsc::sync_channel;

use anyhow::Context;

use super::reader::{Source, SourceDay};
use crate::aggregate::window::DayBounds;
use crate::day::Day;
use crate::row::BadRow;
use crate::zones::Zones;

impl Source {
    /// Hands over what `prepare` makes of days, in order, until `on_day` fails; days are read and prepared in a thread of
    /// their own. A bad row spoils its day and no other. `purpose` is what an error says a day was read for.
    pub fn prefetch_days<T: Send>(
        &mut self,
        days: &[Day],
        zones: &Zones,
        purpose: &str,
        prepare: &(dyn Fn(Day, SourceDay) -> anyhow::Result<T> + Sync),
        on_day: &mut dyn FnMut(Day, Result<T, BadRow>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            // Nothing is stored in the channel: a day is read ahead, no more.
            let (sender, receiver) = sync_channel(0);
            scope.spawn(move || {
                for day in days {
                    let read = self.read_day(DayBounds::of(*day, zones));
                    let read = match read.and_then(|read| prepare(*day, read)) {
                        Ok(read) => Ok(Ok(read)),
                        Err(err) => err
                            .downcast::<BadRow>()
                            .map(Err)
                            .map_err(|err| err.context(format!("{purpose} {day}"))),
                    };
                    let failed = read.is_err();
                    // The other end has gone when an earlier day failed; then nobody waits for this one.
                    if sender.send(read).is_err() || failed {
                        return;
                    }
                }
            });
            for day in days {
                let read = receiver
                    .recv()
                    .context("the reader of the source ended early")??;
                on_day(*day, read)?;
            }
            Ok(())
        })
    }
}
