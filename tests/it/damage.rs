//! A warehouse that is damaged: what goes out is what was written, or somebody is told which file is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::closing::{AFTER, close, land, rental, run_at};
use crate::sample::{AS_OF, Sample};

/// The Parquet files of a table.
fn files(sample: &Sample, table: &str) -> Vec<PathBuf> {
    let pattern = sample.path().join(format!("warehouse/{table}/**/*.parquet"));
    let mut files: Vec<PathBuf> = glob::glob(pattern.to_str().unwrap()).unwrap().flatten().collect();
    files.sort();
    assert!(!files.is_empty(), "{table}");
    files
}

fn flip(file: &Path, byte: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[byte] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

fn is_told(sample: &Sample, arguments: &[&str], file: &Path) {
    is_told_at(sample, AS_OF, arguments, file);
}

fn is_told_at(sample: &Sample, as_of: &str, arguments: &[&str], file: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", as_of])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let path = file.strip_prefix(sample.path().join("warehouse")).unwrap().display().to_string();
    assert!(
        said.contains(&format!("{path} is not what was written: some of its bytes are others")),
        "{said}"
    );
}

const EXPORT: [&str; 3] = ["export", "--period", "2026-10"];

#[test]
fn no_flipped_bit_is_exported() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let line =
        files(&sample, "invoice_line").into_iter().find(|file| file.to_str().unwrap().contains("2026-10"));
    let line = line.unwrap();
    let size = std::fs::metadata(&line).unwrap().len() as usize;
    // Data, dictionaries, page headers, the footer.
    for byte in (0..24).map(|part| part * (size - 1) / 23) {
        flip(&line, byte);
        is_told(&sample, &EXPORT, &line);
        assert!(!sample.path().join("export").exists(), "nothing was written");
        flip(&line, byte);
    }
    sample.ok(&EXPORT);
    for format in ["csv", "json", "parquet", "html"] {
        for table in ["invoice_line", "guiding", "contract"] {
            let file = files(&sample, table).pop().unwrap();
            flip(&file, 100);
            let (status, said) = sample.fails(&["export", "--period", "2026-10", "--format", format]);
            let folder = format!("{table}/");
            assert!(
                status == 1 && said.contains(&folder) && said.contains("is not what was written"),
                "{said}"
            );
            flip(&file, 100);
        }
    }
    // A file that nobody asks for is left to `verify`.
    let other = files(&sample, "usage_rejected").pop().unwrap();
    flip(&other, 100);
    sample.ok(&EXPORT);
    is_told(&sample, &["verify"], &other);
}

#[test]
fn no_flipped_bit_of_landed_usage_is_rated_or_closed() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let usage = files(&sample, "usage_record").remove(3);
    let size = std::fs::metadata(&usage).unwrap().len() as usize;
    land(&sample, "more.ndjson", &rental("more-1", "2026-09-20T12:00:00", "10"));
    for byte in [100, size / 2, size - 20] {
        flip(&usage, byte);
        is_told_at(&sample, AFTER, &["run"], &usage);
        is_told_at(&sample, AFTER, &["close", "--period", "2026-09", "--confirm", "2026-09"], &usage);
        flip(&usage, byte);
    }
    close(&sample, "2026-09");
    // A table that a run goes on from.
    let guiding =
        files(&sample, "guiding").into_iter().rfind(|file| file.to_str().unwrap().contains("2026-10"));
    let guiding = guiding.unwrap();
    flip(&guiding, 300);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    is_told_at(&sample, AFTER, &["run"], &guiding);
    flip(&guiding, 300);
    run_at(&sample, &["run"]);
}

#[test]
fn a_file_that_is_gone_or_cut_is_told() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let line = files(&sample, "invoice_line").pop().unwrap();
    let bytes = std::fs::read(&line).unwrap();
    std::fs::write(&line, &bytes[..bytes.len() - 1]).unwrap();
    let (status, said) = sample.fails(&EXPORT);
    assert!(status == 1 && said.contains("bytes, not"), "{said}");
    std::fs::remove_file(&line).unwrap();
    let (status, said) = sample.fails(&EXPORT);
    assert!(status == 1 && said.contains("is not what was written: it is gone"), "{said}");
}

/// A Delta log that was removed, lost its end, or was written anew, is told by whatever reads the warehouse.
#[test]
fn a_log_that_is_shorter_than_the_ledger_knows_is_told_everywhere() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let late = sample.path().join("late.ndjson");
    std::fs::write(&late, rental("late-1", "2026-10-20T12:00:00", "10")).unwrap();
    let log = sample.path().join("warehouse/usage_record/_delta_log");
    std::fs::rename(&log, sample.path().join("kept")).unwrap();
    let commands = [
        &["run"][..],
        &["sql", "select count(*) from usage_record"],
        &EXPORT,
        &["status"],
        &["explain", "--usage", "TR000001"],
        &["views"],
        &["void", "TR000001", "--reason", "x"],
        &["close", "--period", "2026-09", "--confirm", "2026-09"],
        &["land", late.to_str().unwrap()],
    ];
    for arguments in commands {
        let (status, said) = sample.fails(arguments);
        assert_eq!(status, 1, "{arguments:?}: {said}");
        let what = "usage_record: its Delta log has 0 of the 1 commits that run 1 read";
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
    // One as long as it was, of another warehouse.
    let other = Sample::empty();
    let file = other.path().join("other.ndjson");
    std::fs::write(&file, rental("other-1", "2026-10-20T12:00:00", "10")).unwrap();
    other.ok(&["land", file.to_str().unwrap()]);
    std::fs::rename(other.path().join("warehouse/usage_record/_delta_log"), &log).unwrap();
    for arguments in &commands[..8] {
        let (status, said) = sample.fails(arguments);
        assert_eq!(status, 1, "{arguments:?}: {said}");
        let what = "usage_record: its Delta log does not name the files that run 1 read";
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(sample.path().join("kept"), &log).unwrap();
    sample.ok(&["land", late.to_str().unwrap()]);
    sample.ok(&["run"]);
    sample.ok(&["verify"]);
}

/// Whoever asks is told as well, by the name of the file: of a query, a bill that is explained, and what waits.
#[test]
fn no_flipped_bit_is_in_an_answer() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let usage = files(&sample, "usage_record").remove(3);
    let size = std::fs::metadata(&usage).unwrap().len() as usize;
    for byte in (0..12).map(|part| part * (size - 1) / 11) {
        flip(&usage, byte);
        is_told(&sample, &["sql", "select sum(quantity), max(contract_id) from usage_record"], &usage);
        flip(&usage, byte);
    }
    let lines = files(&sample, "invoice_line");
    lines.iter().for_each(|line| flip(line, 200));
    for arguments in [&["sql", "select sum(amount) from invoice_line"][..], &["explain", "no-line"]] {
        let (status, said) = sample.fails(arguments);
        assert!(
            status == 1 && said.contains("invoice_line/") && said.contains("is not what was written"),
            "{said}"
        );
    }
    lines.iter().for_each(|line| flip(line, 200));
    sample.ok(&["sql", "select sum(amount) from invoice_line"]);
}
