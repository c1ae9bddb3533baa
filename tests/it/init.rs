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
fn shells_complete_commands_and_flags_without_a_project() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&meterhouse(folder.path(), &["completions", shell]));
        assert!(script.contains("describe") && script.contains("as-of"), "{shell}: {script}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
