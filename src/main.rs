//! Parses, calls, prints the error and its hint. The only reader of the clock.

use std::io::{ErrorKind, Write};
use std::panic::{PanicHookInfo, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use clap::Parser;
use include_dir::{Dir, include_dir};
use meterhouse::cli::mistakes::report;
use meterhouse::cli::stderr;
use meterhouse::cli::stdout::Stdout;
use meterhouse::cli::{Cli, execute};
use meterhouse::error::{Error, While};
use meterhouse::sample::init::Sample;
use tikv_jemallocator::Jemalloc;
use tokio::runtime::Runtime;

/// What `init` writes: the project that this repository is. Embedded here and not in the library, so that an edit of
/// a query or a price links the program again and builds nothing else. The compiler does not see that a file was
/// added; `touch src/main.rs` tells it.
static FOLDERS: [(&str, Dir); 3] = [
    ("schemas", include_dir!("$CARGO_MANIFEST_DIR/schemas")),
    ("queries", include_dir!("$CARGO_MANIFEST_DIR/queries")),
    ("data", include_dir!("$CARGO_MANIFEST_DIR/data")),
];
const SETTINGS: &[u8] = include_bytes!("../meterhouse.toml");

/// Planning makes and drops millions of small pieces, on several threads. What is free goes back to the machine after
/// some seconds, also where the thread that used it has nothing to do any more: a service has many of these.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Planning a deep expression recurses; the default stack would overflow and kill the process.
const STACK_BYTES: usize = 64 << 20;
/// Threads that read and write files and are always there: where no more can be started, work waits for these, and
/// where they were fewer than the files that are landed at a time, it would wait for ever.
const FILE_THREADS: usize = 20;
/// How long they wait for work.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);
/// How long starting them may take.
const STARTING: Duration = Duration::from_secs(20);
/// How long what is being done may take to stop.
const STOPPING: Duration = Duration::from_secs(2);
/// Memory that has to be there besides [B]: where it ends, a program is killed in the middle of its work.
const SPARE_BYTES: usize = 256 << 20;
/// The exit status where the machine or the program is at fault.
const MACHINE: i32 = 2;

fn main() {
    let cli = Cli::parse();
    let project = cli.project().to_path_buf();
    std::panic::set_hook(Box::new(tell_fault));
    let status = catch_unwind(|| match run(cli) {
        Some(Ok(())) => 0,
        Some(Err(error)) => {
            report(&error, &project);
            i32::from(error.exit_status())
        }
        // It was told where it happened.
        None => MACHINE,
    });
    // All is printed. Threads that are working still end with the process; nobody waits for them or lets them go.
    std::process::exit(status.unwrap_or(MACHINE));
}

/// Says what went wrong in the program itself, in a sentence.
fn tell_fault(fault: &PanicHookInfo<'_>) {
    let what = fault.payload_as_str().unwrap_or("no reason");
    // A library that cannot start a thread stops there.
    if ["spawn thread", "spawn worker thread"].iter().any(|text| what.contains(text)) {
        stderr::line(&format!("error: cannot start a thread: {what}\nhint: {MORE_THREADS}"));
        return;
    }
    let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
    stderr::line(&format!("error: a fault in the program{}: {what}", place.unwrap_or_default()));
    stderr::line("hint: please report it with what was typed; what was published before is unchanged");
}

const MORE_THREADS: &str =
    "allow the program more threads and more memory: `ulimit -u` and `ulimit -v` show the limits";

fn sample() -> Sample {
    let mut sample: Sample = vec![("meterhouse.toml".into(), SETTINGS.into())];
    for (name, folder) in &FOLDERS {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            let name = std::path::Path::new(name);
            sample.extend(folder.files().map(|file| (name.join(file.path()), file.contents().into())));
        }
    }
    sample
}

/// Does what was typed; none if the program itself failed.
fn run(cli: Cli) -> Option<Result<(), Error>> {
    let runtime = match start() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Err(error)),
    };
    // At a prompt, Ctrl-C stops a statement and not the program.
    let stops = !cli.is_prompt() && !cli.stops_by_itself();
    // On a thread of the runtime, because only those have the large stack.
    let mut work = runtime.spawn(async move {
        let mut out = Stdout::new();
        let outcome = execute(cli, now, sample, &mut out).await;
        let written = out.flush().during(|| "writing to standard output".into());
        if out.is_closed() { Err(Error::Closed) } else { outcome.and(written) }
    });
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = &mut work => outcome.ok(),
            _ = tokio::signal::ctrl_c(), if stops => {
                work.abort();
                // Whoever writes to a reader that does not read would never come to an end.
                let _ = tokio::time::timeout(STOPPING, work).await;
                Some(Err(Error::Interrupted))
            }
        }
    });
    // Not shut down: letting go of threads that run is what a process cannot always survive.
    std::mem::forget(runtime);
    outcome
}

/// The clock, in microseconds since the epoch.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_micros() as i64)
}

/// Starts the threads that everything runs on.
fn start() -> Result<Runtime, Error> {
    can_start_threads().map_err(no_threads)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .thread_keep_alive(FOR_EVER)
        .build()
        .map_err(no_threads)?;
    // Writing beyond a limit of the size of files fails, and is told, instead of ending the program.
    #[cfg(unix)]
    let _ = runtime.block_on(async {
        let kind = tokio::signal::unix::SignalKind::from_raw(nix::libc::SIGXFSZ);
        tokio::signal::unix::signal(kind).map(drop)
    });
    let (started, starting) = mpsc::channel();
    let all = Arc::new(Barrier::new(FILE_THREADS));
    for _ in 0..FILE_THREADS {
        let (started, all) = (started.clone(), all.clone());
        runtime.spawn_blocking(move || {
            // One thread does not do for two.
            all.wait();
            let _ = started.send(());
        });
    }
    for _ in 0..FILE_THREADS {
        starting.recv_timeout(STARTING).map_err(|_| no_threads(ErrorKind::TimedOut.into()))?;
    }
    Ok(runtime)
}

/// Starts as many threads at a time as are needed at least, takes some memory, and gives both back: the library that
/// starts them waits for ever where it cannot.
fn can_start_threads() -> std::io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        let (ends, end) = mpsc::channel::<()>();
        let end = Arc::new(std::sync::Mutex::new(end));
        for _ in 0..cores + FILE_THREADS {
            let end = end.clone();
            // Until the other side of the channel is gone.
            let wait = move || drop(end.lock().map(|end| end.recv()));
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, wait)?;
        }
        let mut spare = Vec::<u8>::new();
        let reserved = spare.try_reserve_exact(SPARE_BYTES);
        std::hint::black_box(&spare);
        drop(ends);
        reserved.map_err(|_| ErrorKind::OutOfMemory.into())
    })
}

fn no_threads(source: std::io::Error) -> Error {
    Error::usage(format!("cannot start a thread: {source}"), MORE_THREADS)
}
