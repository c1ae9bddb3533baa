//! An error as a person reads it, on standard error: what, where, what next.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::stderr;
use crate::engine::words::with_sql_types;
use crate::error::{Error, Mistake, in_words};

/// What, where, what next; paths are relative to the project.
pub fn report(error: &Error, project: &Path) {
    let renderer = if use_colour() { Renderer::styled() } else { Renderer::plain() };
    let file =
        |mistake: &Mistake| std::fs::read_to_string(project.join(&mistake.place.file)).unwrap_or_default();
    match error {
        Error::Project(mistakes) => {
            for mistake in mistakes {
                stderr::line(&draw(mistake, &file(mistake), &renderer));
            }
            if mistakes.len() > 1 {
                stderr::line(&format!("error: {error}"));
            }
        }
        // Of its place no more is known than that it is this query.
        Error::Query { mistake, .. } if mistake.place.line == 0 => {
            let hint =
                if mistake.hint.is_empty() { String::new() } else { format!("\nhint: {}", mistake.hint) };
            stderr::line(&format!("error: {}{hint}", mistake.what));
        }
        Error::Query { text, mistake } => stderr::line(&draw(mistake, text, &renderer)),
        Error::Data { what, place: Some(place), hint } => {
            let mistake = Mistake { place: place.clone(), what: what.clone(), hint: hint.clone() };
            stderr::line(&draw(&mistake, &file(&mistake), &renderer));
        }
        Error::Closed => {}
        other => {
            let said = match other {
                Error::Machine { .. } => with_sql_types(&other.to_string()),
                _ => other.to_string(),
            };
            stderr::line(&format!("error: {}", in_words(&said)));
            if !other.hint().is_empty() {
                stderr::line(&format!("hint: {}", other.hint()));
            }
        }
    }
}

/// One mistake, with the line it stands in where that can be shown.
fn draw(mistake: &Mistake, text: &str, renderer: &Renderer) -> String {
    let what = in_words(&mistake.what);
    let line = mistake.place.line.checked_sub(1).and_then(|line| text.lines().nth(line as usize));
    let mut hint = if mistake.hint.is_empty() { String::new() } else { format!("\nhint: {}", mistake.hint) };
    let Some(line) = line.filter(|_| mistake.place.column > 0) else {
        return format!("error: {what}\n  --> {}{hint}", mistake.place);
    };
    for invisible in invisible(line) {
        hint += &format!("\nhint: {invisible}, which cannot be seen: delete it");
    }
    let start: usize =
        line.char_indices().nth(mistake.place.column as usize - 1).map_or(line.len(), |(byte, _)| byte);
    // A name in SQL and settings; in data the whole field.
    let is_data = mistake.place.file.ends_with(".csv");
    let ends = |c: char| if is_data { ",;\t|\"".contains(c) } else { !c.is_alphanumeric() && c != '_' };
    let rest = &line[start..];
    // One character at least, and whole ones: a span that ends within one cannot be drawn.
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let length = rest.find(ends).unwrap_or(rest.len()).max(first);
    let snippet = Snippet::source(line)
        .line_start(mistake.place.line as usize)
        .path(mistake.place.file.as_str())
        .annotation(AnnotationKind::Primary.span(start..start + length));
    let group = Group::with_title(Level::ERROR.primary_title(what.as_str())).element(snippet);
    format!("{}{hint}", renderer.render(&[group]))
}

/// The characters of a line that nobody sees, as `U+200B (zero width space) stands at column 8`.
fn invisible(line: &str) -> Vec<String> {
    let named = |(index, letter): (usize, char)| {
        let name = match letter {
            '\u{a0}' => "no-break space",
            '\u{ad}' => "soft hyphen",
            '\u{200b}' => "zero width space",
            '\u{200c}' | '\u{200d}' => "zero width joiner",
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                "mark of direction"
            }
            '\u{2060}' => "word joiner",
            '\u{feff}' => "byte order mark",
            '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => "a space of another width",
            letter if letter.is_control() && letter != '\t' => "control character",
            _ => return None,
        };
        Some(format!("U+{:04X} ({name}) stands at column {}", u32::from(letter), index + 1))
    };
    line.chars().enumerate().filter_map(named).collect()
}

/// Whether colour may be used on standard error.
fn use_colour() -> bool {
    stderr::is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Place;

    #[test]
    fn a_character_that_nobody_sees_is_named() {
        for (letter, name) in [
            ('\u{200b}', "U+200B (zero width space)"),
            ('\u{feff}', "U+FEFF (byte"),
            ('\u{202e}', "U+202E (mark"),
        ] {
            let text = format!("select{letter} 1");
            for column in 1..=10 {
                let place = Place { file: "query".into(), line: 1, column };
                let mistake = Mistake { place, what: "wrong".into(), hint: String::new() };
                let drawn = draw(&mistake, &text, &Renderer::plain());
                assert!(drawn.contains(name) && drawn.contains("stands at column 7"), "{drawn}");
            }
        }
    }
}
