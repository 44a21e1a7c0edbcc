//! `rbc-usage passwd`: who may ask the server.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::arguments::whole;
use crate::htpasswd::{self, COST, COSTS, UserChange};
use crate::printable::printable;

/// Set a user's password in the file that `[server] users` names
///
/// Asks for the password twice. Creates the file if there is none, and keeps everything else in it.
/// A running server takes the change over within a second. Any htpasswd file of bcrypt hashes works
/// as well (htpasswd -B).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rbc-usage passwd /etc/rbc-usage/users billing
  rbc-usage passwd --stdin /etc/rbc-usage/users billing < billing.secret
  rbc-usage passwd --delete /etc/rbc-usage/users billing
")]
pub struct Args {
    /// The users file
    file: PathBuf,
    /// The user's name
    user: String,
    /// Read the password from the first line of stdin
    #[arg(long)]
    stdin: bool,
    /// Delete the user from the file
    #[arg(long, conflicts_with_all = ["stdin", "cost"])]
    delete: bool,
    /// Cost of bcrypt, a power of two of rounds: one more is twice the work for the server, and for a thief
    #[arg(long, default_value_t = COST, value_parser = cost)]
    cost: u32,
}

fn cost(text: &str) -> anyhow::Result<u32> {
    let (lowest, highest) = (*COSTS.start(), *COSTS.end());
    Ok(u32::try_from(whole(text, lowest.into(), highest.into())?)?)
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    htpasswd::check_name(&args.user)?;
    let change = if args.delete {
        htpasswd::delete(&args.file, &args.user)?
    } else {
        let password = if args.stdin {
            first_line()?
        } else {
            ask_twice()?
        };
        htpasswd::check_password(&password)?;
        htpasswd::set_password(&args.file, &args.user, &password, args.cost)?
    };
    let (done, code) = match change {
        UserChange::Added => ("added", 0),
        UserChange::Replaced => ("has a new password", 0),
        UserChange::Deleted => ("deleted", 0),
        UserChange::Absent => ("is not in the file", 1),
    };
    writeln!(out, "{} {done}", printable(&args.user))?;
    Ok(ExitCode::from(code))
}

/// Without the line's end; blanks at its ends belong to the password.
fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|_| anyhow::anyhow!("stdin: not a line of UTF-8"))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn ask_twice() -> anyhow::Result<String> {
    ensure!(
        io::stdin().is_terminal(),
        "stdin is no terminal to ask for a password: give --stdin to read it from there"
    );
    let ask = |prompt: &str| rpassword::prompt_password(prompt).context("ask for a password");
    let password = ask("New password: ")?;
    htpasswd::check_password(&password)?;
    ensure!(password == ask("Again: ")?, "the two passwords differ");
    Ok(password)
}
