//! Parses, calls, prints the error and its hint. The only reader of the clock.

use std::io::Write;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use clap::Parser;
use include_dir::{Dir, include_dir};
use meterhouse::cli::{Cli, execute, use_colour};
use meterhouse::error::{Error, Mistake};
use meterhouse::init::Sample;

/// What `init` writes: the project that this repository is. Embedded here and not in the library, so that an edit of
/// a query or a price links the program again and builds nothing else. The compiler does not see that a file was
/// added; `touch src/main.rs` tells it.
static FOLDERS: [(&str, Dir); 3] = [
    ("schemas", include_dir!("$CARGO_MANIFEST_DIR/schemas")),
    ("queries", include_dir!("$CARGO_MANIFEST_DIR/queries")),
    ("data", include_dir!("$CARGO_MANIFEST_DIR/data")),
];
const SETTINGS: &[u8] = include_bytes!("../meterhouse.toml");

/// Planning a deep expression recurses; the default stack would overflow and kill the process.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let project = cli.project().to_path_buf();
    let outcome = run(cli);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, &project);
            ExitCode::from(error.exit_status())
        }
    }
}

fn sample() -> Sample {
    let mut sample: Sample = vec![("meterhouse.toml".into(), SETTINGS)];
    for (name, folder) in &FOLDERS {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            let name = std::path::Path::new(name);
            sample.extend(folder.files().map(|file| (name.join(file.path()), file.contents())));
        }
    }
    sample
}

fn run(cli: Cli) -> Result<(), Error> {
    let machine = |source: std::io::Error| Error::Machine { what: "starting".into(), source: source.into() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(machine)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_micros() as i64);
    // On a thread of the runtime, because only those have the large stack.
    let work = runtime.spawn(async move {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        tokio::select! {
            outcome = execute(cli, now, sample, &mut out) => {
                // A closed pipe is the reader's way to say that it has seen enough.
                let _ = out.flush();
                outcome
            }
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    });
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome.unwrap_or_else(|source| Err(Error::Machine { what: "running".into(), source: source.into() }))
}

/// What, where, what next.
fn report(error: &Error, project: &std::path::Path) {
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
fn draw(mistake: &Mistake, project: &std::path::Path, renderer: &Renderer) -> String {
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
