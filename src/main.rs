//! Parses, calls, prints the error and its hint. The only reader of the clock.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use include_dir::{Dir, include_dir};
use meterhouse::cli::{Cli, execute};
use meterhouse::error::{Error, While};
use meterhouse::init::Sample;
use meterhouse::report::report;
use meterhouse::stdout::Stdout;

/// What `init` writes: the project that this repository is. Embedded here and not in the library, so that an edit of
/// a query or a price links the program again and builds nothing else. The compiler does not see that a file was
/// added; `touch src/main.rs` tells it.
static FOLDERS: [(&str, Dir); 3] = [
    ("schemas", include_dir!("$CARGO_MANIFEST_DIR/schemas")),
    ("queries", include_dir!("$CARGO_MANIFEST_DIR/queries")),
    ("data", include_dir!("$CARGO_MANIFEST_DIR/data")),
];
const SETTINGS: &[u8] = include_bytes!("../meterhouse.toml");

/// Planning makes and drops millions of small pieces, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    // At a prompt, Ctrl-C stops a statement and not the program.
    let stops = !cli.is_prompt();
    // On a thread of the runtime, because only those have the large stack.
    let work = runtime.spawn(async move {
        let mut out = Stdout::new();
        let outcome = tokio::select! {
            outcome = execute(cli, now, sample, &mut out) => outcome,
            _ = tokio::signal::ctrl_c(), if stops => Err(Error::Interrupted),
        };
        let written = out.flush().during(|| "writing to standard output".into());
        if out.is_closed() { Err(Error::Closed) } else { outcome.and(written) }
    });
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome.unwrap_or_else(|source| Err(Error::Machine { what: "running".into(), source: source.into() }))
}
