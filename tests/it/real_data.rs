//! An example project on real data, which is not in the repository, run into a warehouse of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::aws_bill::is_required;
use crate::sample::{ok, repository};

/// An example that was run.
pub struct RealData {
    example: &'static str,
    as_of: &'static str,
    data: PathBuf,
    warehouse: TempDir,
    report: String,
}

impl RealData {
    /// Runs the example; none where its folder of the data is not there.
    pub fn new(example: &'static str, folder: &str, as_of: &'static str) -> Option<Self> {
        let data = std::env::var_os("METERHOUSE_DATA").filter(|data| !data.is_empty());
        let data = repository().join(data.map_or_else(|| "../shared/data".into(), PathBuf::from));
        if !data.join(folder).is_dir() {
            assert!(!is_required(), "there is no {}", data.join(folder).display());
            eprintln!("skipped: there is no {}", data.join(folder).display());
            return None;
        }
        Some(Self::of(example, data.canonicalize().unwrap(), as_of))
    }

    /// Runs the example on a folder of data.
    pub fn of(example: &'static str, data: PathBuf, as_of: &'static str) -> Self {
        let warehouse = TempDir::new().unwrap();
        let mut run = Self { example, as_of, data, warehouse, report: String::new() };
        run.report = run.meterhouse(&["run"]);
        run
    }

    /// What the run showed when it ended, as CSV.
    pub fn report(&self) -> &str {
        &self.report
    }

    /// The rows of a query as CSV, without the header.
    pub fn rows(&self, query: &str) -> Vec<String> {
        self.meterhouse(&["sql", query]).lines().skip(1).map(String::from).collect()
    }

    /// The rows of a query, each as its values.
    pub fn fields(&self, query: &str) -> Vec<Vec<String>> {
        let csv = self.meterhouse(&["sql", query]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
    }

    fn meterhouse(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .current_dir(repository().join("examples").join(self.example))
            .args(["--as-of", self.as_of, "--format", "csv"])
            .args(["--set", &format!("warehouse.url={}", self.warehouse.path().display())])
            .args(arguments)
            .env("METERHOUSE_DATA", &self.data)
            .output()
            .unwrap();
        ok(&output)
    }
}
