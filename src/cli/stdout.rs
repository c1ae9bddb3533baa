//! Standard output, where data goes.
//!
//! Whoever reads it may have seen enough, as `head` has: then a command ends at its next write, without a word.

use std::io::{BufWriter, ErrorKind, Result, Write};

use super::stderr;

/// Standard output, written in large pieces.
pub struct Stdout {
    out: BufWriter<std::io::Stdout>,
    is_closed: bool,
}

impl Stdout {
    /// The standard output of this process.
    pub fn new() -> Self {
        Self { out: BufWriter::new(std::io::stdout()), is_closed: false }
    }

    /// Whether its reader has gone.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn noted<T>(&mut self, done: Result<T>) -> Result<T> {
        self.is_closed |= done.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        done
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // On a terminal both are one screen.
        stderr::clear();
        let done = self.out.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> Result<()> {
        let done = self.out.flush();
        self.noted(done)
    }
}
