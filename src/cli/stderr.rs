//! What is said on standard error: progress, notes, errors.
//!
//! Whoever has closed it has seen enough: that ends nothing, and is not an error.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};

/// The line that moves on a terminal, below those that stay; hidden at first.
static MOVING: LazyLock<(Instant, ProgressBar)> = LazyLock::new(|| {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    (Instant::now(), bar.with_style(indicatif::ProgressStyle::default_spinner()))
});

/// How long work goes on before a line moves.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);

/// Says a line.
pub fn line(text: &str) {
    clear();
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says on a terminal what is being done, until anything else is said.
pub fn moving(text: String) {
    let (started, bar) = &*MOVING;
    if started.elapsed() < PATIENCE || !is_terminal() {
        return;
    }
    if bar.is_hidden() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar.set_message(text);
    bar.tick();
}

/// Takes the moving line away.
pub fn clear() {
    let bar = &MOVING.1;
    if !bar.is_hidden() {
        bar.finish_and_clear();
        bar.set_draw_target(ProgressDrawTarget::hidden());
        bar.reset();
    }
}

/// Asks: says a text after which somebody types.
pub fn ask(text: &str) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Whether a line may move and have colours.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
