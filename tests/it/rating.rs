//! Sums worked by hand: every `tests/slt/NAME.slt` is a project of its own, run and queried by the program.
//!
//! The comments at the head of a file may hold, indented by three blanks, files of the project (`# file: data/price.csv`)
//! and usage records (`# usage:`). Customers and currencies are the shipped ones unless given; all other reference data
//! that is not given has a header and no rows. Values are compared as they are printed, at full scale; an empty one is
//! written `NULL`.

use std::fmt;
use std::path::Path;

use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

use crate::explain::UNEXPLAINED;
use crate::sample::{Sample, repository};

/// The program on a project, as a database.
struct Program(Sample);

/// What the program said when it failed.
#[derive(Debug)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl DB for Program {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failed> {
        let output = self.0.meterhouse(&["sql", sql, "--format", "csv"]);
        if !output.status.success() {
            return Err(Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(output.stdout.as_slice());
        let mut rows: Vec<Vec<String>> = csv
            .records()
            .map(|row| {
                let or_null = |value: &str| if value.is_empty() { "NULL".into() } else { value.to_string() };
                row.unwrap().iter().map(or_null).collect()
            })
            .collect();
        let columns = rows.remove(0).len();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

/// The project that the head of a file describes.
fn project(script: &str) -> Sample {
    let sample = Sample::blank();
    let mut files: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in script.lines().take_while(|line| line.starts_with('#')) {
        if let Some(file) = line.strip_prefix("# file: ") {
            files.push((file.into(), String::new()));
            inside = true;
        } else if line == "# usage:" {
            files.push(("data/usage/usage.ndjson".into(), String::new()));
            inside = true;
        } else if let Some(content) = line.strip_prefix("#   ").filter(|_| inside) {
            let (_, text) = files.last_mut().unwrap();
            text.push_str(content);
            text.push('\n');
        } else {
            inside = false;
        }
    }
    for (file, text) in files {
        sample.write(&file, &text);
    }
    sample
}

/// Runs one file; what is wrong with it is told.
fn check(path: &Path) -> Result<(), String> {
    let script = std::fs::read_to_string(path).unwrap();
    let sample = project(&script);
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || said.contains("parked") {
        return Err(said);
    }
    let unexplained = sample.rows(UNEXPLAINED);
    if !unexplained.is_empty() {
        return Err(format!("lines that their steps do not sum to:\n{}", unexplained.join("\n")));
    }
    let queries = script.lines().filter(|line| line.starts_with("query ")).count();
    if queries == 0 {
        return Err("it has no query".into());
    }
    let mut sample = Some(sample);
    let mut runner = Runner::new(|| {
        let sample = sample.take();
        async move { sample.map(Program).ok_or_else(|| Failed("one connection only".into())) }
    });
    // The width that a query line declares is compared, the type is not: all values come as text.
    runner.with_column_validator(|actual, expected| actual.len() == expected.len());
    runner.run_script_with_name(&script, path.display().to_string()).map_err(|error| error.to_string())
}

#[test]
fn sums_worked_by_hand() {
    let mut paths: Vec<_> = std::fs::read_dir(repository().join("tests/slt"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "tests/slt is empty");
    let failed: Vec<String> = paths
        .iter()
        .filter_map(|path| check(path).err().map(|error| format!("{}: {error}", path.display())))
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}

#[test]
fn a_wrong_sum_is_found() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("wrong.slt");
    let right = std::fs::read_to_string(repository().join("tests/slt/price_change.slt")).unwrap();
    for (old, new) in [
        ("2026-09 128\n", "2026-09 128.000000000001\n"),
        ("2026-09 128\n", "2026-09 128.00\n"),
        ("query TR\n", "query TRR\n"),
    ] {
        assert!(right.contains(old));
        std::fs::write(&path, right.replace(old, new)).unwrap();
        assert!(check(&path).is_err(), "{new} was accepted");
    }
}
