//! How a command prints: `--format`, and colours.

use std::io::IsTerminal;

use crate::output::{Format, Style};

/// `--format`.
#[derive(clap::Args)]
pub struct FormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

impl FormatArgs {
    /// With colours if stdout is a terminal that shows them and NO_COLOR is not set.
    pub fn style(&self) -> Style {
        style(self.format)
    }
}

/// The same for a format that a command has parsed itself.
pub fn style(format: Format) -> Style {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    Style {
        format,
        colour: std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb,
    }
}
