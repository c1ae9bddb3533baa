//! How far a long piece of work is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::stderr::{self, PATIENCE};

/// How far a long piece of work is: after 300 ms, on standard error; a line that moves on a terminal, else now and then
/// a line.
pub struct Counter {
    bar: ProgressBar,
    noun: &'static str,
    started: Instant,
    lines: AtomicU64,
    is_quiet: bool,
}

/// Seconds between its plain lines.
const BETWEEN_LINES: u64 = 10;

impl Counter {
    /// A counter of `noun`; a quiet one never shows.
    pub fn new(is_quiet: bool, noun: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{human_pos} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Self { bar, noun, started: Instant::now(), lines: AtomicU64::new(0), is_quiet }
    }

    /// Shows the count, not more often than can be read.
    pub fn show(&self, count: u64) {
        let elapsed = self.started.elapsed();
        if self.is_quiet || elapsed < PATIENCE {
            return;
        }
        if stderr::is_terminal() {
            if self.bar.is_hidden() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            self.bar.set_position(count);
            self.bar.set_message(self.noun);
            return;
        }
        let line = elapsed.as_secs() / BETWEEN_LINES;
        if self.lines.swap(line, Ordering::Relaxed) < line {
            stderr::line(&format!("{count} {}", self.noun));
        }
    }

    /// Takes the moving line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
