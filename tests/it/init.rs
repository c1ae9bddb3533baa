//! The sample project that the program writes is the repository's, and bills the same; shells complete commands.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::sample::{Sample, meterhouse, ok, repository};

const LINES: &str = "select customer_id, line_id, description, quantity, amount, currency from invoice_line \
                     order by customer_id, line_id";

/// The files below a folder by their path in it.
fn files(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn init_writes_the_repository_s_project_and_it_bills_the_same() {
    let folder = TempDir::new().unwrap();
    // As by somebody who has the program and nothing else.
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .args(["init", "my bill"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ok(&output), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.ends_with("next: cd 'my bill' && meterhouse run\n"), "{said}");

    let project = folder.path().join("my bill");
    let (mut written, mut expected) = (BTreeMap::new(), BTreeMap::new());
    files(&project, &project, &mut written);
    assert_eq!(written.remove(".gitignore").unwrap(), b"warehouse/\nexport/\n");
    for part in ["schemas", "queries", "data"] {
        files(&repository(), &repository().join(part), &mut expected);
    }
    expected.insert("meterhouse.toml".into(), std::fs::read(repository().join("meterhouse.toml")).unwrap());
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    let hint = "a file was added since the program was built: touch src/main.rs";
    assert_eq!(names(&written), names(&expected), "{hint}");
    assert!(written == expected, "{hint}");

    ok(&meterhouse(&project, &["run"]));
    let lines = ok(&meterhouse(&project, &["sql", LINES]));
    let sample = Sample::whole();
    sample.ok(&["run"]);
    assert!(lines.lines().count() > 1000, "{} lines", lines.lines().count());
    assert!(lines == sample.ok(&["sql", LINES]));

    let again = meterhouse(&project, &["init", project.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("has a meterhouse.toml already\nhint: "), "{said}");
}

#[test]
fn init_empty_writes_the_rules_and_what_was_said() {
    let folder = TempDir::new().unwrap();
    let project = folder.path().join("bill");
    let name = project.to_str().unwrap();
    // Nobody can be asked here.
    for (flags, hint) in [
        (vec!["--currency", "EUR:2"], "such as --time-zone UTC"),
        (vec!["--time-zone", "UTC"], "such as --currency EUR:2"),
        (vec!["--time-zone", "Europe/Berln", "--currency", "EUR:2"], "did you mean Europe/Berlin?"),
        (vec!["--time-zone", "UTC", "--currency", "EUR"], "write its code and decimals"),
    ] {
        let output = meterhouse(folder.path(), &[vec!["init", "--empty", name], flags].concat());
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(hint), "{said}");
        assert!(!project.exists());
    }
    let flags = ["--time-zone", "America/New_York", "--currency", "USD:2:half_even", "--currency", "JPY:0"];
    ok(&meterhouse(folder.path(), &[vec!["init", "--empty", name], flags.to_vec()].concat()));
    let mut written = BTreeMap::new();
    files(&project, &project, &mut written);
    let data: Vec<&String> = written.keys().filter(|file| file.starts_with("data/")).collect();
    let expected = ["contract", "contract_item", "currency", "customer", "price"];
    assert_eq!(data, expected.map(|table| format!("data/{table}.csv")).iter().collect::<Vec<_>>());
    assert_eq!(written["data/currency.csv"], b"currency,decimals,rounding\nUSD,2,half_even\nJPY,0,half_up\n");
    assert!(written.keys().all(|file| !file.starts_with("queries/generate")));
    // Nothing is billed, and nothing is wrong.
    ok(&meterhouse(&project, &["check"]));
    ok(&meterhouse(&project, &["run"]));
    assert_eq!(
        ok(&meterhouse(&project, &["sql", "select count(*) as lines from invoice_line", "--format", "csv"])),
        "lines\n0\n"
    );
}

#[test]
fn shells_complete_commands_and_flags_without_a_project() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&meterhouse(folder.path(), &["completions", shell]));
        assert!(script.contains("describe") && script.contains("as-of"), "{shell}: {script}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
