//! Writes what describes the program to the rest of a system, from the very definitions that the program parses its
//! arguments by: a manual page for each command, one for the configuration out of `cloudusage.cfg.example`, and
//! completions for bash, zsh and fish. `make manual` runs it with the folder that becomes `share` below the prefix.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

/// Every key with its default and what it is for; a test of the configuration holds it to the program.
const EXAMPLE: &str = include_str!("../cloudusage.cfg.example");

/// The page of the program itself has these as well.
const OVERVIEW: &str = r#".SH "EXIT STATUS"
.TP
0
Done.
.TP
1
Done, but something needs a look.
.TP
2
An error, which stderr names in one line.
.SH FILES
.TP
.I /etc/rbc\-usage/cloudusage.cfg
The configuration, unless
.B \-\-config
or the environment variable
.B RBC_USAGE_CONFIG
names another file, or
.I ./cloudusage.cfg
or
.I /opt/redbridge/rbc\-usage/etc/cloudusage.cfg
exists; see
.BR cloudusage.cfg (5).
"#;

#[allow(dead_code, reason = "tests call what it calls")]
fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1);
    write_all(Path::new(&folder.expect("a folder to write to")))
}

/// Writes pages and completions below a folder that is laid out as `/usr/share` is.
pub fn write_all(folder: &Path) -> io::Result<()> {
    let made = |name: &str| {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).map(|()| folder)
    };
    let mut program = rbc_usage::cli::command().disable_help_subcommand(true);
    for (shell, name) in [
        (Shell::Bash, "bash-completion/completions"),
        (Shell::Zsh, "zsh/site-functions"),
        (Shell::Fish, "fish/vendor_completions.d"),
    ] {
        generate_to(shell, &mut program, "rbc-usage", made(name)?)?;
    }
    let bash = folder.join("bash-completion/completions");
    let text = fs::read_to_string(bash.join("rbc-usage.bash"))?;
    fs::remove_file(bash.join("rbc-usage.bash"))?;
    // clap_complete 4.6 spells a program's name with a hyphen in two ways, and its script finds no options of commands.
    let text = text.replace("rbc__subcmd__usage", "rbc__usage");
    // bash looks for the name of the program.
    fs::write(bash.join("rbc-usage"), text)?;
    program.build();
    write_pages(&program, &made("man/man1")?)?;
    let page = made("man/man5")?.join("cloudusage.cfg.5");
    fs::write(page, configuration_page())
}

/// The page of a command, and those of its own commands.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    let listed = command.clone().subcommand_help_heading("COMMANDS");
    let page = Man::new(listed.subcommand_value_name("command"));
    let name = page.get_filename();
    let mut file = fs::File::create(folder.join(&name))?;
    let title = name.strip_suffix(".1").expect("a page of section 1");
    file.write_all(title_line(title, "1", "User Commands").as_bytes())?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut file)?;
    }
    let is_program = command.get_name() == "rbc-usage";
    if is_program {
        file.write_all(OVERVIEW.as_bytes())?;
    }
    let after = command.get_after_help().map(ToString::to_string);
    file.write_all(after_options(&after.unwrap_or_default()).as_bytes())?;
    if !is_program {
        let others = "rbc\\-usage (1),\n.BR cloudusage.cfg (5)\n";
        write!(file, ".SH \"SEE ALSO\"\n.BR {others}")?;
    }
    command
        .get_subcommands()
        .try_for_each(|own| write_pages(own, folder))
}

/// What the help prints below the options: examples keep their lines.
fn after_options(text: &str) -> String {
    let examples = text
        .strip_prefix("Examples:")
        .or_else(|| text.strip_prefix("Example:"));
    match examples {
        Some(lines) => {
            let lines = lines.trim_matches('\n').lines().map(str::trim);
            let lines: String = lines.map(|line| escaped(line) + "\n").collect();
            format!(".SH EXAMPLES\n.nf\n{lines}.fi\n")
        }
        None if text.is_empty() => String::new(),
        None => format!(".SH NOTES\n{}\n", escaped(text)),
    }
}

/// The example file as a page: its comments describe the keys below them, a heading each section.
fn configuration_page() -> String {
    let title = title_line("cloudusage.cfg", "5", "File Formats");
    let name = ".SH NAME\ncloudusage.cfg \\- configuration of rbc\\-usage\n.SH DESCRIPTION\n";
    let mut page = title + name;
    let mut comment = String::new();
    for line in EXAMPLE.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text.trim());
            comment.push('\n');
        } else if line.starts_with('[') {
            page.push_str(&format!(".SH {}\n", escaped(line)));
        } else if line.is_empty() {
            // What stands alone describes no key.
            page.extend(comment.lines().map(|text| escaped(text) + "\n"));
            comment.clear();
        } else {
            page.push_str(&format!(".TP\n.B {}\n", escaped(line)));
            page.extend(comment.lines().map(|text| escaped(text) + "\n"));
            comment.clear();
        }
    }
    let commented = comment
        .split_once('[')
        .expect("the example ends with a scope");
    let (text, section) = (commented.0, format!("[{}", commented.1));
    page.push_str(".SH [scope.USER]\n");
    page.push_str(&escaped(text));
    page.push_str("\n.PP\n.nf\n");
    page.extend(section.lines().map(|line| escaped(line) + "\n"));
    page.push_str(".fi\n.SH \"SEE ALSO\"\n.BR rbc\\-usage (1)\n");
    page
}

/// A page's first line, without a date: the same source writes the same page.
fn title_line(name: &str, section: &str, manual: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let name = escaped(name);
    format!(".TH {name} {section} \"\" \"rbc\\-usage {version}\" \"{manual}\"\n")
}

/// A line as troff prints it unchanged.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    let line = line
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('"', "\\(dq");
    let line = line.replace('~', "\\(ti").replace('^', "\\(ha");
    match line.starts_with('.') {
        true => format!("\\&{line}"),
        false => line,
    }
}
