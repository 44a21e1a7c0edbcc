//! How a command prints: `--format`, and colours.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::output::{Format, Style};

/// `--format` of most commands.
#[derive(clap::Args)]
pub struct FormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = without_workbooks(), default_value = "table")]
    pub format: Format,
}

/// `--format` of commands whose figures somebody may go on calculating with.
#[derive(clap::Args)]
pub struct WorkbookFormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = parser::<Format>(), default_value = "table")]
    pub format: Format,
}

impl FormatArgs {
    /// With colours if stdout is a terminal that shows them and NO_COLOR is not set.
    pub fn style(&self) -> Style {
        style(self.format)
    }
}

impl WorkbookFormatArgs {
    /// The same.
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
        colour: io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb,
    }
}

/// The name of the one format that is no text.
const WORKBOOK: &str = "xlsx";

/// Formats by their names. A workbook would fill a terminal with noise.
pub fn parser<F: ValueEnum + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = F> {
    of_names(|_| true)
}

fn without_workbooks() -> impl TypedValueParser<Value = Format> {
    of_names(|name| name != WORKBOOK)
}

fn of_names<F: ValueEnum + Clone + Send + Sync + 'static>(
    takes: impl Fn(&str) -> bool,
) -> impl TypedValueParser<Value = F> {
    let values = F::value_variants().iter().filter_map(F::to_possible_value);
    let values = values.filter(|value| takes(value.get_name()));
    PossibleValuesParser::new(values).try_map(|name| {
        if name == WORKBOOK && io::stdout().is_terminal() {
            return Err("a terminal cannot show a workbook: add > file.xlsx".to_owned());
        }
        F::from_str(&name, false)
    })
}
