//! A copy of the shipped project in a folder of its own, and the program to run on it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use meterhouse::project::{Project, written};
use tempfile::TempDir;

/// The as-of of all tests: all of the sample's usage has happened.
pub const AS_OF: &str = "2026-11-01T12:00:00Z";

/// The repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What a project without mistakes says.
pub fn project(root: &Path) -> Project {
    let (project, mistakes) = Project::read(root, &[]).unwrap();
    assert_eq!(mistakes, []);
    project
}

/// A project in a folder that goes when this does.
pub struct Sample {
    folder: TempDir,
}

impl Sample {
    /// The shipped project with the three customers whose numbers can be followed by hand.
    pub fn new() -> Self {
        let sample = Self::whole();
        std::fs::remove_dir_all(sample.path().join("data/generated")).unwrap();
        sample
    }

    /// The shipped project with all its data.
    pub fn whole() -> Self {
        let folder = TempDir::new().unwrap();
        for part in ["schemas", "queries", "data"] {
            copy(&repository().join(part), &folder.path().join(part));
        }
        std::fs::copy(repository().join("meterhouse.toml"), folder.path().join("meterhouse.toml")).unwrap();
        Self { folder }
    }

    /// The shipped project without usage.
    pub fn empty() -> Self {
        let sample = Self::new();
        std::fs::remove_dir_all(sample.path().join("data/usage")).unwrap();
        std::fs::create_dir(sample.path().join("data/usage")).unwrap();
        sample
    }

    /// The shipped project without usage, and of its reference data customers and currencies only: the other files have a
    /// header and no rows.
    pub fn blank() -> Self {
        let sample = Self::empty();
        for entry in std::fs::read_dir(sample.path().join("data")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_string();
            if path.is_file() && !["customer.csv", "currency.csv"].contains(&name.as_str()) {
                let text = sample.read(&format!("data/{name}"));
                sample.write(&format!("data/{name}"), &format!("{}\n", text.lines().next().unwrap()));
            }
        }
        sample
    }

    /// A project with the tables that the program itself writes, and no others.
    pub fn bare() -> Self {
        let folder = TempDir::new().unwrap();
        let sample = Self { folder };
        for table in written() {
            let file = format!("schemas/{table}.sql");
            sample.write(&file, &std::fs::read_to_string(repository().join(&file)).unwrap());
        }
        sample.write("meterhouse.toml", "time_zone = \"UTC\"\n\n[warehouse]\nurl = \"warehouse\"\n");
        sample
    }

    /// A copy of another sample, with its warehouse.
    pub fn over(other: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        copy(other, folder.path());
        Self { folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, file: &str, text: &str) {
        std::fs::create_dir_all(self.path().join(file).parent().unwrap()).unwrap();
        std::fs::write(self.path().join(file), text).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Replaces text in a file of the project; it has to be there.
    pub fn replace(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert!(text.contains(old), "{file} has no {old}");
        self.write(file, &text.replace(old, new));
    }

    /// Runs the program on the project.
    pub fn meterhouse(&self, arguments: &[&str]) -> Output {
        meterhouse(self.path(), arguments)
    }

    /// Runs the program, which has to succeed, and returns what it printed as data.
    pub fn ok(&self, arguments: &[&str]) -> String {
        ok(&self.meterhouse(arguments))
    }

    /// The rows of a query as CSV, without the header.
    pub fn rows(&self, query: &str) -> Vec<String> {
        let csv = self.ok(&["sql", query, "--format", "csv"]);
        csv.lines().skip(1).map(String::from).collect()
    }

    /// Runs the program, which has to fail, and returns its exit status and what it said.
    pub fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.meterhouse(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// Runs the program on a project.
pub fn meterhouse(project: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(project)
        .args(["--as-of", AS_OF])
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// What a successful run printed as data.
pub fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// What a command says to a person at a shell in the project: exit status, data, and the rest.
pub fn said(sample: &Sample, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .current_dir(sample.path())
        .args(arguments)
        .args(["--as-of", AS_OF])
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    command.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = command.wait_with_output().unwrap();
    let (data, rest) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let text = format!("exit {}\n----- stdout\n{data}----- stderr\n{rest}", output.status.code().unwrap());
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    without_seconds(&text)
}

/// `([seconds])` for `(3.2 s)`, which is another at another time.
pub fn without_seconds(text: &str) -> String {
    let mut parts = text.split('(');
    let mut said = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let seconds = part.split_once(" s)").filter(|(number, _)| number.parse::<f64>().is_ok());
        match seconds {
            Some((_, behind)) => said += &format!("([seconds]){behind}"),
            None => said += &format!("({part}"),
        }
    }
    said
}
