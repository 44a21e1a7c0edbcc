//! What goes to stderr for people beside the results: lines and bars.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::coverage::Coverage;
use crate::ledger::step::Step;
use crate::output::Format;
use crate::printable::printable;

/// Prints a line for people on stderr. If nobody reads stderr any more, the program goes on.
pub fn eprint_line(text: &str) {
    let _ = writeln!(io::stderr(), "rbc-usage: {}", printable(text));
}

/// Prints the lines below a table that the other formats have no place for: CSV has none for any of them, and JSON has
/// none for an empty ledger.
pub fn eprint_beside(lines: &[String], coverage: &Coverage, format: Format) {
    let unsaid = match format {
        Format::Table => false,
        Format::Json => coverage.nothing_imported,
        // Nobody has opened the workbook yet.
        Format::Csv | Format::Xlsx => true,
    };
    if unsaid {
        lines.iter().for_each(|line| eprint_line(line));
    }
}

pub fn progress_bar(days: usize) -> ProgressBar {
    let wanted = days > 1 && io::stderr().is_terminal();
    let target = if wanted {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    // A count of days fits 64 bits.
    ProgressBar::with_draw_target(Some(days as u64), target)
}

/// For what reads a whole ledger, which takes a while if it is large.
pub fn step_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub fn show_step(bar: &ProgressBar, step: Step) {
    let template = match step.of {
        Some(_) => "{spinner} {msg} {wide_bar} {percent}%",
        None => "{spinner} {msg} {elapsed}",
    };
    if bar.message() != step.doing {
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the templates are those above"));
        bar.set_message(step.doing);
    }
    if let Some(of) = step.of {
        bar.set_length(of);
        bar.set_position(step.done);
    }
}
