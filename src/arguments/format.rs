//! How a command prints: `--format`, what of a table is shown, and colours.

use std::io::{self, IsTerminal};

use anyhow::ensure;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::output::{Format, Style, TableStyle};

/// `--format` of commands that print no table for people.
#[derive(clap::Args)]
pub struct FormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = without_workbooks(), default_value = "table")]
    pub format: Format,
}

/// `--format` of commands that print a list.
#[derive(clap::Args)]
pub struct ListFormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = without_workbooks(), default_value = "table")]
    pub format: Format,
    #[command(flatten)]
    table: TableArgs,
}

/// `--format` of commands whose figures somebody may go on calculating with.
#[derive(clap::Args)]
pub struct WorkbookFormatArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = parser::<Format>(), default_value = "table")]
    pub format: Format,
    #[command(flatten)]
    table: TableArgs,
}

/// What of a table is shown.
#[derive(Default, clap::Args)]
pub struct TableArgs {
    /// Show these columns, by their names in CSV or their headings; what is named first matters most
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// Show all of a table, however long its lines are
    #[arg(long)]
    wide: bool,
}

impl FormatArgs {
    pub fn style(&self) -> anyhow::Result<Style> {
        TableArgs::default().style(self.format)
    }
}

impl ListFormatArgs {
    pub fn style(&self) -> anyhow::Result<Style> {
        self.table.style(self.format)
    }
}

impl WorkbookFormatArgs {
    pub fn style(&self) -> anyhow::Result<Style> {
        self.table.style(self.format)
    }
}

impl TableArgs {
    /// With colours if stdout is a terminal that shows them and NO_COLOR is not set. As wide as the terminal; without
    /// one, for files and other programs, tables have all they can have.
    pub fn style(&self, format: Format) -> anyhow::Result<Style> {
        ensure!(
            self.columns.is_empty() || format == Format::Table,
            "--columns is for tables: other formats have all columns"
        );
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        Ok(Style {
            format,
            table: TableStyle {
                colour: io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb,
                width: if self.wide { None } else { width() },
                columns: self.columns.clone(),
            },
        })
    }
}

/// Of a terminal that does not say.
const USUAL_WIDTH: usize = 80;

/// What COLUMNS says if it is a number, else the terminal.
fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said
        .and_then(|text| text.parse().ok())
        .filter(|width| *width > 0);
    said.or_else(|| {
        let stdout = io::stdout();
        stdout.is_terminal().then(|| {
            let size = rustix::termios::tcgetwinsize(&stdout);
            let width = size.map_or(0, |size| usize::from(size.ws_col));
            if width > 0 { width } else { USUAL_WIDTH }
        })
    })
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
