//! What is said on standard error: progress, notes, errors.
//!
//! Whoever has closed it has seen enough: that ends nothing, and is no error.

use std::io::{IsTerminal, Write};

/// Says a line.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks: says a text after which somebody types.
pub fn ask(text: &str) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Whether a line may move and have colours.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
