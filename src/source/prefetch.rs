//! Reads day after day, one ahead of whoever takes them: reading goes on while a day is worked on, and no more
//! than two days of rows are in memory.

use std::sync::mpsc::sync_channel;

use anyhow::Context;

use super::reader::{Source, SourceDay};
use crate::aggregate::window::DayBounds;
use crate::day::Day;
use crate::row::BadRow;
use crate::zones::Zones;

impl Source {
    /// Hands over days in order until `on_day` fails. A bad row spoils its day and no other. `purpose` is what an
    /// error says a day was read for.
    pub fn prefetch_days(
        &mut self,
        days: &[Day],
        zones: &Zones,
        purpose: &str,
        on_day: &mut dyn FnMut(Day, Result<SourceDay, BadRow>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            // Nothing is stored in the channel: a day is read ahead, no more.
            let (sender, receiver) = sync_channel(0);
            scope.spawn(move || {
                for day in days {
                    let read = match self.read_day(DayBounds::of(*day, zones)) {
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
