//! `import.on_done`: the operator's command that is run after each import and reads its result. Whatever becomes of
//! the command, the import is done: it is bounded in time, and its failure is a line on stderr.

use std::io::{self, PipeReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::config::OnDone;
use crate::output::{self, Document, Format, Style};
use crate::terminal::eprint_line;

/// How often it is asked whether the command has ended.
const POLL: Duration = Duration::from_millis(20);

/// Bytes of what it prints that are passed on.
const MOST_PRINTED: u64 = 65_536;

/// How long the last of what it has printed may take. What it has left in the background may keep the pipe for ever.
const LINGER: Duration = Duration::from_secs(1);

/// Runs the command by `sh -c` with the document as JSON on its standard input. What it prints goes to stderr, because
/// stdout has the import's own result.
pub fn run(on_done: &OnDone, document: &Document) -> anyhow::Result<()> {
    let mut json = Vec::new();
    output::write(document, &Style::plain(Format::Json), &mut json)?;
    // The group of the command gets no signal of a terminal, and nobody else would end it.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (printed, output) = io::pipe()?;
    let mut child = Command::new("sh")
        .args(["-c", &on_done.command])
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        // A group of its own, to be killed as a whole.
        .process_group(0)
        .spawn()
        .context("start sh")?;
    if let Some(mut stdin) = child.stdin.take() {
        // In a thread: a command that reads nothing must not hold us up. It may leave before the end of the document.
        std::thread::spawn(move || stdin.write_all(&json));
    }
    let (sender, ended) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        pass_on(printed);
        drop(sender);
    });
    let status = wait(&mut child, on_done.timeout, &mut signals);
    let _ = ended.recv_timeout(LINGER);
    let status = status?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// Passes on what the command prints, and reads the rest, which would hold it up. Nobody may read our stderr.
fn pass_on(mut printed: PipeReader) {
    let mut stderr = io::stderr();
    let _ = io::copy(&mut printed.by_ref().take(MOST_PRINTED), &mut stderr);
    if io::copy(&mut printed, &mut io::sink()).is_ok_and(|left_out| left_out > 0) {
        eprint_line(&format!(
            "import.on_done: left out what it printed beyond {MOST_PRINTED} bytes"
        ));
    }
}

/// Waits for the command, or kills it and all that it has started within its group. A signal that ends the import ends
/// both.
fn wait(child: &mut Child, timeout: Duration, signals: &mut Signals) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(signal) = signals.pending().next() {
            kill(child)?;
            emulate_default_handler(signal)?;
        }
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() >= timeout {
            kill(child)?;
            bail!("killed, as it took longer than {} s", timeout.as_secs());
        }
        std::thread::sleep(POLL);
    }
}

fn kill(child: &mut Child) -> anyhow::Result<()> {
    kill_process_group(Pid::from_child(child), Signal::KILL)?;
    child.wait()?;
    Ok(())
}
