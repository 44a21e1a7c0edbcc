//! Where the lines of an import go: results to stdout, what a person should know to stderr. `--quiet` holds both until
//! it is known whether anything needs a look. An output that breaks must not stop an import: the error is kept, and
//! reported at the end.

use std::io::{self, Write};

use anyhow::Context;

use crate::terminal::eprint_line;

pub struct ImportLines<'a> {
    out: &'a mut dyn Write,
    broken: Option<io::Error>,
    /// What waits for its release; `None`: nothing has to wait.
    held: Option<Vec<Held>>,
}

enum Held {
    Out(Vec<u8>),
    Err(String),
}

impl<'a> ImportLines<'a> {
    /// `quiet`: holds every line until it is released.
    pub fn new(out: &'a mut dyn Write, quiet: bool) -> ImportLines<'a> {
        ImportLines {
            out,
            broken: None,
            held: quiet.then(Vec::new),
        }
    }

    pub fn are_held(&self) -> bool {
        self.held.is_some()
    }

    /// A line for stderr.
    pub fn eprint(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.push(Held::Err(text.to_owned())),
            None => eprint_line(text),
        }
    }

    /// Prints what was held, in its order.
    pub fn release(&mut self) {
        for line in self.held.take().unwrap_or_default() {
            match line {
                Held::Out(bytes) => self.print(&bytes),
                Held::Err(text) => eprint_line(&text),
            }
        }
    }

    /// Fails if a part of the report was lost. That nobody reads it any more is no failure.
    pub fn insist(&mut self) -> anyhow::Result<()> {
        match self.broken.take() {
            Some(err) if err.kind() != io::ErrorKind::BrokenPipe => {
                Err(err).context("all is imported, but the report could not be written")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn print(&mut self, bytes: &[u8]) {
        if self.broken.is_none()
            && let Err(err) = self.out.write_all(bytes)
        {
            self.broken = Some(err);
        }
    }
}

impl Write for ImportLines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Some(held) => match held.last_mut() {
                Some(Held::Out(before)) => before.extend_from_slice(bytes),
                Some(Held::Err(_)) | None => held.push(Held::Out(bytes.to_vec())),
            },
            None => self.print(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken.is_none()
            && self.held.is_none()
            && let Err(err) = self.out.flush()
        {
            self.broken = Some(err);
        }
        Ok(())
    }
}
