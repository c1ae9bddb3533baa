//! Every command that a page shows is typed, in the order of the page, in a copy of the repository. What is not typed
//! stands in a list, with the reason. (The rows and queries of `docs/rate-book.md` are played by `rate_book.rs`.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::delta::has_duckdb;
use crate::reference::stale;
use crate::sample::{repository, without_seconds};

/// How commands begin that are not typed, and why not.
const SKIPPED: [(&str, &str); 13] = [
    ("cd meterhouse", "the test stands in the copy"),
    ("cargo test", "this is the test"),
    ("cargo build", "builds all, and measures"),
    ("cargo run --release --example conformance", "links a second program, and needs a folder of cases"),
    ("meterhouse land export.csv --with shop", "the page leaves the query to its reader"),
    ("meterhouse export --period 2026-10 --one-file --format parquet --to s3://", "needs a bucket"),
    ("meterhouse --project examples/", "aws_bill.rs, bike_share.rs and taxi.rs do, where the data is"),
    ("METERHOUSE_DATA=... meterhouse --project examples/", "the same"),
    ("duckdb -init views.sql", "a prompt; what is typed there is asked through Python"),
    ("python benches/", "takes minutes, and measures"),
    ("pip install duckdb", "fetches packages"),
    ("MIMALLOC_PURGE_DELAY=10000 meterhouse run", "measures"),
    ("meterhouse land usage.ndjson", "typed with the record that the page shows below it"),
];

/// What the first word of a command may be; other lines of a block are what it says, or contents of files.
const PROGRAMS: [&str; 8] =
    ["meterhouse", "cargo", "cd", "sed", "python", "pip", "duckdb", "MIMALLOC_PURGE_DELAY=10000"];

/// A copy of the repository as a clone has it, and the folder in it where the next command is typed.
struct Clone {
    folder: TempDir,
    here: PathBuf,
}

impl Clone {
    /// None where git does not know which files are the repository's.
    fn new() -> Option<Self> {
        let list = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
        let list = list.ok().filter(|list| list.status.success() && !list.stdout.is_empty());
        let Some(list) = list else {
            eprintln!("skipped: this is no clone");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let here = folder.path().join("meterhouse");
        for file in String::from_utf8(list.stdout).unwrap().split_terminator('\0') {
            let (from, to) = (repository().join(file), here.join(file));
            if from.is_file() {
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(from, to).unwrap();
            }
        }
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        let program = env!("CARGO_BIN_EXE_meterhouse");
        // The program that cargo would build, and say so, is built.
        let cargo = format!(
            "#!/bin/sh\n[ \"$1 $2 $3\" = \"run --release --\" ] || exit 9\nshift 3\nexec {program} \"$@\"\n"
        );
        std::fs::write(programs.join("cargo"), cargo).unwrap();
        std::fs::write(programs.join("meterhouse"), format!("#!/bin/sh\nexec {program} \"$@\"\n")).unwrap();
        for name in ["cargo", "meterhouse"] {
            let made = Command::new("chmod").arg("+x").arg(programs.join(name)).status().unwrap();
            assert!(made.success());
        }
        Some(Self { folder, here })
    }

    /// Types a command where the one before left off, without a terminal.
    fn types(&mut self, command: &str) -> Output {
        // A shell of its own would forget where it went.
        let folder = command.strip_prefix("cd ").filter(|folder| !folder.contains("&&"));
        if let Some(folder) = folder.and_then(|folder| folder.split_whitespace().next()) {
            self.here.push(folder);
        }
        let programs = self.folder.path().join("programs").display().to_string();
        Command::new("sh")
            .args(["-c", if folder.is_some() { ":" } else { command }])
            .current_dir(&self.here)
            .env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()))
            .env("NO_COLOR", "1")
            .env("USER", "anna")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Types a command that has to succeed, and returns what it printed as data.
    fn does(&mut self, command: &str) -> String {
        let output = self.types(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{:?}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap()
}

/// The lines of indented blocks.
fn indented(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.is_empty())
}

fn is_command(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    PROGRAMS.contains(&word) || word.starts_with("METERHOUSE_DATA=")
}

fn why_skipped(command: &str) -> Option<&'static str> {
    SKIPPED.iter().find(|(begins, _)| command.starts_with(begins)).map(|(_, why)| *why)
}

/// A number without zeros that say nothing.
fn short(cell: &str) -> &str {
    let is_number = cell.contains('.') && cell.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    if is_number { cell.trim_end_matches('0').trim_end_matches('.') } else { cell }
}

/// The pages of the repository and of the examples.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_string()];
    for folder in ["docs", "examples/aws_bill", "examples/bike_share", "examples/taxi"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages
}

#[test]
fn what_is_not_typed_is_on_a_page() {
    let pages: Vec<String> = pages().iter().map(|name| page(name)).collect();
    for (begins, _) in SKIPPED {
        let is_there = pages.iter().any(|page| indented(page).any(|line| line.starts_with(begins)));
        assert!(is_there, "no page shows a command that begins with {begins}");
    }
}

/// Where the links of a page lead, as paths from the repository.
fn links(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(name).parent().unwrap();
    // What stands in code is none.
    let text: String = page(name).split('`').step_by(2).collect();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    targets.map(|target| folder.join(target.split('#').next().unwrap_or_default())).collect()
}

#[test]
fn links_lead_somewhere_and_the_readme_to_every_page() {
    for name in pages() {
        for target in links(&name) {
            assert!(repository().join(&target).exists(), "{name} links to {}", target.display());
        }
    }
    let from_readme = links("README.md");
    for name in pages().iter().filter(|name| name.starts_with("docs/")) {
        assert!(from_readme.contains(&PathBuf::from(name)), "README.md has no link to {name}");
    }
}

/// Folders of the repository whose files pages name; those in `data/` and `queries/landing/` are mostly the reader's.
const FOLDERS: [&str; 7] = ["queries/", "schemas/", "src/", "docs/", "tests/", "crates/", "benches/"];

#[test]
fn files_that_pages_name_are_there() {
    let mut missing = Vec::new();
    for name in pages() {
        let (page, project) = (page(&name), Path::new(&name).parent().unwrap());
        for path in page.split('`').skip(1).step_by(2) {
            let is_named = FOLDERS.iter().any(|folder| path.starts_with(folder))
                && !path.starts_with("queries/landing/")
                && !path.contains([' ', '*', '<', '{', ':'])
                && !path.contains("NAME");
            let places = [repository().join(path), repository().join(project).join(path)];
            if is_named && !places.iter().any(|place| place.exists()) {
                missing.push(format!("{name} names {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn the_readme_can_be_typed() {
    let page = page("README.md");
    let Some(mut clone) = Clone::new() else { return };
    // What the run says is in the page, in this order, as far as it is shown.
    let try_it = page.split("\n## ").find(|section| section.starts_with("Try it")).unwrap();
    let run = indented(try_it).find(|line| line.ends_with(" run")).unwrap();
    let said = Clone::new().unwrap().does(&format!("{run} --format table"));
    let mut rest = said.as_str();
    for line in indented(try_it).filter(|line| !is_command(line)) {
        let found = rest.find(line.trim_end());
        rest = &rest[found.unwrap_or_else(|| panic!("the page shows\n{line}\nand the run says\n{said}"))..];
    }
    let record = indented(&page).find(|line| line.starts_with("{\"transactionID\"")).unwrap();
    std::fs::write(clone.here.join("usage.ndjson"), format!("{record}\n")).unwrap();
    let mut typed = 0;
    for command in indented(&page).filter(|line| is_command(line)) {
        if command.starts_with("meterhouse land usage.ndjson") || why_skipped(command).is_none() {
            let said = clone.does(command);
            typed += 1;
            if command.contains("select line_id, quantity, included_quantity") {
                let shown = page.lines().filter_map(|line| line.strip_prefix("| CON124-km/"));
                let shown = shown.map(|line| {
                    let cells = line.trim_end_matches('|').split('|').map(|cell| short(cell.trim()));
                    format!("CON124-km/{}", cells.collect::<Vec<_>>().join(","))
                });
                let rows = said.lines().skip(1);
                let rows = rows.map(|row| row.split(',').map(short).collect::<Vec<_>>().join(","));
                let (shown, rows) = (shown.collect::<Vec<_>>(), rows.collect::<Vec<_>>());
                assert_eq!(shown.len(), 2);
                assert!(shown.iter().all(|row| rows.contains(row)), "{shown:?}\n{rows:?}");
            }
            if command.contains("where price_id = 'driven_km-autumn'") {
                assert!(page.contains("It says 394.54") && said.contains(",394.54"), "{said}");
            }
        }
    }
    assert!(typed > 15, "{typed} commands were typed");
    assert!(clone.here.join("export/2026-10/ALPEN/statement.html").is_file());
}

/// A page with what each command says now, behind `$ ` in a block of `console`.
fn played(page: &str, clone: &mut Clone) -> String {
    let mut out = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        out += line;
        out.push('\n');
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            out += &format!("{line}\n");
            let output = clone.types(&format!("{command} 2>&1"));
            for line in without_seconds(&String::from_utf8(output.stdout).unwrap()).lines() {
                out += &format!("{}\n", line.trim_end());
            }
        }
    }
    out
}

#[test]
fn the_walk_through_says_what_the_page_says() {
    for name in
        ["docs/closing-a-period.md", "docs/events.md", "docs/explaining-a-bill.md", "docs/rounding.md"]
    {
        let Some(mut clone) = Clone::new() else { return };
        let page = page(name);
        let played = played(&page, &mut clone);
        assert_eq!(stale(name, &played), None);
    }
}

/// Runs Python in a folder, where it has the modules that the text names; else says that it has not.
fn python(here: &Path, text: &str) -> Option<String> {
    let modules = ["duckdb", "deltalake", "polars", "pandas", "pyarrow"];
    // A function named for another module needs that one.
    let needed: Vec<&str> = modules.into_iter().filter(|module| text.contains(module)).collect();
    let import = format!("import {}", needed.join(", "));
    let run = |text: &str| Command::new("python3").args(["-c", text]).current_dir(here).output().ok();
    if !run(&import).is_some_and(|output| output.status.success()) {
        eprintln!("skipped: python3 cannot {import}");
        return None;
    }
    // Threads of these libraries may outlive the interpreter, which ends the process with an error now and then.
    let end = "import os, sys\nsys.stdout.flush()\nos._exit(0)";
    let output = run(&format!("{import}\n{text}\n{end}")).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_tables_open_elsewhere_as_the_page_says() {
    let page = page("docs/open-tables.md");
    let Some(mut clone) = Clone::new() else { return };
    for command in indented(&page).filter(|line| is_command(line) && why_skipped(line).is_none()) {
        clone.does(command);
    }
    if !has_duckdb() {
        return;
    }
    let views = "duckdb.sql(open('views.sql').read())";
    let asked = indented(&page).find_map(|line| line.strip_prefix("D ")).unwrap();
    let said = python(&clone.here, &format!("{views}\nprint(len(duckdb.sql(\"{asked}\").fetchall()))"));
    let totals = "select billing_period from invoice_line group by billing_period, currency";
    let expected = clone.does(&format!("meterhouse sql \"{totals}\"")).lines().count() - 1;
    assert_eq!(said.unwrap().trim(), expected.to_string());
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    python(&clone.here, script);
    // The code of the table, and the lines that are Python; what names a bucket needs one.
    let cells = page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| {
        let code = line.split('`').nth(1)?;
        (code.starts_with("polars.") || code.starts_with("deltalake.") || code.starts_with("duckdb."))
            .then_some(code)
    });
    let lines = indented(&page).filter(|line| line.starts_with("polars.") && !line.contains("s3://"));
    let all: Vec<&str> = cells.chain(lines).collect();
    assert_eq!(all.len(), 5, "{all:?}");
    for code in all {
        python(&clone.here, code);
    }
}

#[test]
fn the_commands_between_other_words_can_be_typed() {
    for name in ["docs/rounding.md", "docs/performance.md"] {
        let Some(mut clone) = Clone::new() else { return };
        let page = page(name);
        let mut typed = 0;
        for command in indented(&page).filter(|line| is_command(line) && why_skipped(line).is_none()) {
            clone.does(command);
            typed += 1;
        }
        assert!(typed > 1, "{name}");
    }
}
