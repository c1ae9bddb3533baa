//! An ordinary project on disk, and the program to run on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// The instant of the run: after everything that happens in a case.
const AS_OF: &str = "2100-01-02T00:00:00Z";

/// The settings of the project.
const SETTINGS: &str =
    "time_zone = \"UTC\"\n[warehouse]\nurl = \"warehouse\"\n[inbox.usage]\nfiles = [\"usage/*\"]\n";

/// One row of a table: column and value; a column that is not named has its default.
pub type Row = Vec<(&'static str, String)>;

/// Reference data and usage of all cases.
#[derive(Default)]
pub struct Project {
    tables: BTreeMap<&'static str, Vec<Row>>,
    usage: Vec<String>,
}

impl Project {
    /// Adds a row of reference data.
    pub fn add(&mut self, table: &'static str, row: Row) {
        self.tables.entry(table).or_default().push(row);
    }

    /// Adds a usage record.
    pub fn record(&mut self, fields: Map<String, Value>) {
        self.usage.push(Value::Object(fields).to_string());
    }

    /// Takes over what another one has.
    pub fn merge(&mut self, other: Self) {
        for (table, rows) in other.tables {
            self.tables.entry(table).or_default().extend(rows);
        }
        self.usage.extend(other.usage);
    }

    /// Writes the project: the schemas and queries of `base`, a file for every reference table that has rows.
    pub fn write(&self, base: &Path, folder: &Path) -> std::io::Result<()> {
        let base = base.canonicalize()?;
        for name in ["schemas", "queries"] {
            copy(&base.join(name), &folder.join(name))?;
        }
        std::fs::write(folder.join("meterhouse.toml"), SETTINGS)?;
        std::fs::create_dir_all(folder.join("data"))?;
        std::fs::create_dir_all(folder.join("usage"))?;
        std::fs::write(folder.join("usage/usage.ndjson"), self.usage.join("\n") + "\n")?;
        for (table, rows) in &self.tables {
            let mut columns: Vec<&str> = Vec::new();
            for (column, _) in rows.iter().flatten() {
                if !columns.contains(column) {
                    columns.push(column);
                }
            }
            let mut lines = vec![columns.join(",")];
            for row in rows {
                let value = |column: &&str| {
                    let value =
                        row.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value.as_str());
                    format!("\"{}\"", value.replace('"', "\"\""))
                };
                // An empty value in quotes would be a text; without them it is the default.
                let line: Vec<String> =
                    columns.iter().map(value).map(|text| text.replace("\"\"", "\u{1}")).collect();
                lines.push(
                    line.into_iter()
                        .map(
                            |text| {
                                if text == "\u{1}" { String::new() } else { text.replace('\u{1}', "\"\"") }
                            },
                        )
                        .collect::<Vec<_>>()
                        .join(","),
                );
            }
            std::fs::write(folder.join("data").join(format!("{table}.csv")), lines.join("\n") + "\n")?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// The program, beside this one: `target/release/examples/conformance`, `target/release/meterhouse`.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("METERHOUSE") {
        return path.into();
    }
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).map(|folder| folder.join("meterhouse")).unwrap_or_default()
}

/// Runs a command on a project; its data, or what it said.
pub fn meterhouse(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program())
        .arg("--project")
        .arg(folder)
        .args(["--as-of", AS_OF])
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .map_err(|error| format!("{}: {error}", program().display()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// One row that a query gave, by column; a null is absent.
pub type Found = BTreeMap<String, String>;

/// The rows of a query.
pub fn query(folder: &Path, sql: &str) -> Result<Vec<Found>, String> {
    let csv = meterhouse(folder, &["sql", sql, "--format", "csv"])?;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let fields = columns.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
        rows.push(fields.map(|(column, value)| (column.to_string(), value.to_string())).collect());
    }
    Ok(rows)
}
