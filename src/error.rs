//! What can go wrong, one variant for each thing the reader can do about it.
//!
//! An error is shown once, by `main`, as *what* (`Display`), *where* (`place`) and *what next* (`hint`).
//! This module knows no sibling, so every module can use it.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a file of the project: path as the user knows it, line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the project where possible.
    pub file: String,
    /// The line, from 1; 0 where only the file is known.
    pub line: u64,
    /// The column, from 1; 0 where only the line is known.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(out, "{}", self.file),
            (line, 0) => write!(out, "{}:{line}", self.file),
            (line, column) => write!(out, "{}:{line}:{column}", self.file),
        }
    }
}

/// One mistake in a project: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, without a full stop.
    pub what: String,
    /// What to do about it; empty where there is nothing to add.
    pub hint: String,
}

/// Everything that can stop a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project's files need a person: every mistake found, in order of place.
    #[error("{} in the project", count(.0.len(), "mistake"))]
    Project(Vec<Mistake>),

    /// Data or a query's result breaks a rule; what was published before is unchanged.
    #[error("{what}")]
    Data {
        /// What is wrong.
        what: String,
        /// Where the rule stands, if it stands in a file.
        place: Option<Place>,
        /// What to do about it.
        hint: String,
    },

    /// What somebody asked in SQL is wrong: its text, and what is wrong in it.
    #[error("{}", mistake.what)]
    Query {
        /// The text.
        text: String,
        /// What is wrong, with the place in the text.
        mistake: Box<Mistake>,
    },

    /// The command line or the settings ask for something that cannot be.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },

    /// Somebody else published first; the same command may be typed again.
    #[error("{what}")]
    Busy {
        /// Who was first.
        what: String,
    },

    /// A run is published, but something that follows it was not done; whoever comes next does it.
    #[error("{what}: {source}")]
    Unfinished {
        /// What is done, and what is not.
        what: String,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// Stopped by the user; nothing was published.
    #[error("stopping, nothing published")]
    Interrupted,

    /// Whoever read standard output has seen enough.
    #[error("standard output was closed")]
    Closed,

    /// A file, object store or library failed; `what` says during which work.
    #[error("{what}: {source}")]
    Machine {
        /// What was being done.
        what: String,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Whether something could not be written because a disk is full, or a file may not be so large.
fn lacks_room(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let causes = std::iter::successors(Some(error), |error| error.source());
    let kinds = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    kinds.into_iter().any(|kind| matches!(kind, FileTooLarge | QuotaExceeded | StorageFull))
}

/// A message in our words, where the operating system and libraries have put their own: without the numbers that it has
/// for errors, and the layers that they came through.
pub fn in_words(message: &str) -> String {
    const NUMBER: &str = " (os error ";
    const LAYERS: [&str; 3] =
        ["External: ", "Generic LocalFileSystem error: ", "Unable to copy data to file: "];
    let mut text = message.replace("No such file or directory", "there is no such file or folder");
    for layer in LAYERS {
        text = text.replace(layer, "");
    }
    while let Some(at) = text.find(NUMBER) {
        let digits = at + NUMBER.len();
        match text[digits..].find(')') {
            Some(length) if text[digits..digits + length].bytes().all(|byte| byte.is_ascii_digit()) => {
                text.replace_range(at..digits + length + 1, "");
            }
            _ => break,
        }
    }
    text
}

/// `3 mistakes`, `1 mistake`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Error {
    /// A mistake in data, with what to do next.
    pub fn data(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Data { what: what.into(), place: None, hint: hint.into() }
    }

    /// A mistake in the command line or settings, with what to do next.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// The exit status of the process: 1 needs a person, 2 usage or machine, 75 try again, 130 interrupted,
    /// 141 nobody reads on.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Project(_) | Self::Data { .. } | Self::Query { .. } => 1,
            Self::Usage { .. } | Self::Machine { .. } | Self::Unfinished { .. } => 2,
            Self::Busy { .. } => 75,
            Self::Interrupted => 130,
            // As of a program that the signal for it ends, 128 + 13.
            Self::Closed => 141,
        }
    }

    /// The same where rows were written already: whoever takes them has to know that they are not all.
    pub fn after_rows(mut self) -> Self {
        if let Self::Data { what, .. } | Self::Usage { what, .. } | Self::Machine { what, .. } = &mut self {
            what.push_str(" (what was written ends in the middle)");
        }
        self
    }

    /// What the reader may do next; empty where the message says it all.
    pub fn hint(&self) -> &str {
        match self {
            Self::Data { hint, .. } | Self::Usage { hint, .. } => hint,
            Self::Busy { .. } => "type the same command again; it goes on from what was published",
            Self::Unfinished { .. } => {
                "readers of these logs see the run before; when this is mended, type `meterhouse run`: it goes on from there"
            }
            Self::Machine { source, .. } if lacks_room(source.as_ref()) => {
                "make room there, or let files be larger, and type the same command again: it goes on from where things stand"
            }
            _ => "",
        }
    }
}

/// Says what was being done when a foreign error came up.
pub trait While<T> {
    /// Wraps the error as [`Error::Machine`]; `what` is a gerund, such as "reading data/price.csv".
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> While<T> for std::result::Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Machine { what: what(), source: source.into() })
    }
}
