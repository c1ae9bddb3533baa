//! An error as a person reads it, on standard error: what, where, what next.

use std::io::IsTerminal;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::error::{Error, Mistake};

/// What, where, what next; paths are relative to the project.
pub fn report(error: &Error, project: &Path) {
    let renderer = if use_colour() { Renderer::styled() } else { Renderer::plain() };
    let mistakes = match error {
        Error::Project(mistakes) => mistakes.clone(),
        Error::Data { what, place: Some(place), hint } => {
            vec![Mistake { place: place.clone(), what: what.clone(), hint: hint.clone() }]
        }
        other => {
            eprintln!("error: {other}");
            if !other.hint().is_empty() {
                eprintln!("hint: {}", other.hint());
            }
            return;
        }
    };
    for mistake in &mistakes {
        eprintln!("{}", draw(mistake, project, &renderer));
    }
    if mistakes.len() > 1 {
        eprintln!("error: {error}");
    }
}

/// One mistake, with the line it stands in where that can be shown.
fn draw(mistake: &Mistake, project: &Path, renderer: &Renderer) -> String {
    let text = std::fs::read_to_string(project.join(&mistake.place.file)).unwrap_or_default();
    let line = mistake.place.line.checked_sub(1).and_then(|line| text.lines().nth(line as usize));
    let hint = if mistake.hint.is_empty() { String::new() } else { format!("\nhint: {}", mistake.hint) };
    let Some(line) = line.filter(|_| mistake.place.column > 0) else {
        return format!("error: {}\n  --> {}{hint}", mistake.what, mistake.place);
    };
    let start: usize =
        line.char_indices().nth(mistake.place.column as usize - 1).map_or(line.len(), |(byte, _)| byte);
    // A name in SQL and settings; in data the whole field.
    let is_data = mistake.place.file.ends_with(".csv");
    let ends = |c: char| if is_data { ",;\t|\"".contains(c) } else { !c.is_alphanumeric() && c != '_' };
    let length = line[start..].find(ends).unwrap_or(line.len() - start);
    let snippet = Snippet::source(line)
        .line_start(mistake.place.line as usize)
        .path(mistake.place.file.as_str())
        .annotation(AnnotationKind::Primary.span(start..start + length.max(1).min(line.len() - start)));
    let group = Group::with_title(Level::ERROR.primary_title(mistake.what.as_str())).element(snippet);
    format!("{}{hint}", renderer.render(&[group]))
}

/// Whether colour may be used on standard error.
fn use_colour() -> bool {
    std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
