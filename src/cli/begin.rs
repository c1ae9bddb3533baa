//! `init`: a project to begin with, the sample or one's own.

use std::path::Path;

use super::{is_terminal, say};
use crate::error::{Error, Result, While};
use crate::sample::init::{self, Beginning, Sample};

/// Writes the project that bills its own sample.
pub(super) fn sample(folder: &Path, sample: Sample, quiet: bool) -> Result<()> {
    let files = init::init(folder, sample)?;
    say(quiet, &format!("{files} files written to {}", folder.display()));
    say(quiet, &format!("next: {}", init::next_command(folder, "run")));
    Ok(())
}

/// Writes a project without data; what no flag says is asked on a terminal.
pub(super) fn empty(
    folder: &Path,
    sample: Sample,
    time_zone: Option<&str>,
    currencies: &[String],
    quiet: bool,
) -> Result<()> {
    let time_zone = match time_zone {
        Some(zone) => zone.to_string(),
        None => asked("--time-zone", "The zone of times without an offset, such as Europe/Berlin", "UTC")?,
    };
    let currencies = match currencies {
        [] => vec![asked("--currency", "The currencies with their decimals, such as EUR:2, JPY:0", "EUR:2")?],
        given => given.to_vec(),
    };
    let beginning = Beginning::parse(&time_zone, &currencies)?;
    let files = init::init_empty(folder, sample, &beginning)?;
    say(quiet, &format!("{files} files written to {}", folder.display()));
    say(quiet, &format!("next: {}", init::next_command(folder, "land FILE")));
    Ok(())
}

/// What somebody at a terminal answers; nothing is the default.
fn asked(flag: &str, question: &str, default: &str) -> Result<String> {
    if !is_terminal() {
        return Err(Error::usage(
            format!("init --empty needs {flag}, and nobody can be asked"),
            format!("such as {flag} {default}"),
        ));
    }
    eprint!("{question} [{default}]: ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).during(|| "reading the answer".into())?;
    Ok(match line.trim() {
        "" => default.into(),
        answer => answer.into(),
    })
}
