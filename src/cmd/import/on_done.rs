//! `import.on_done`: the operator's command that is run after each import and reads its result. Whatever becomes of
//! the command, the import is done: it is bounded in time, and its failure is a line on stderr.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::config::OnDone;
use crate::output::{self, Document, Format, Style};

/// How often it is asked whether the command has ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs the command by `sh -c` with the document as JSON on its standard input. What it prints goes to stderr, because
/// stdout has the import's own result.
pub fn run(on_done: &OnDone, document: &Document) -> anyhow::Result<()> {
    let style = Style {
        format: Format::Json,
        colour: false,
    };
    let mut json = Vec::new();
    output::write(document, style, &mut json)?;
    let mut child = Command::new("sh")
        .args(["-c", &on_done.command])
        .stdin(Stdio::piped())
        .stdout(io::stderr())
        // A group of its own, to be killed as a whole.
        .process_group(0)
        .spawn()
        .context("start sh")?;
    if let Some(mut stdin) = child.stdin.take() {
        // In a thread: a command that reads nothing must not hold us up. It may leave before the end of the document.
        std::thread::spawn(move || stdin.write_all(&json));
    }
    let status = wait(&mut child, on_done.timeout)?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// Waits for the command, or kills it and all that it has started within its group.
fn wait(child: &mut Child, timeout: Duration) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() >= timeout {
            kill_process_group(Pid::from_child(child), Signal::KILL)?;
            child.wait()?;
            bail!("killed, as it took longer than {} s", timeout.as_secs());
        }
        std::thread::sleep(POLL);
    }
}
