//! Others read what is published: the Delta logs name the files, and DuckDB finds in them what `meterhouse sql` says.

use std::path::Path;
use std::process::Command;

use crate::aws_bill::{Bill, is_required};
use crate::sample::{Sample, repository};

const TOTALS: &str = "select billing_period, currency, sum(amount) from invoice_line \
                      group by billing_period, currency order by billing_period, currency";
const RECORDS: &str = "select count(*) from usage_record";

/// Whether Python has what the script needs.
fn has_duckdb() -> bool {
    let found = Command::new("python3").args(["-c", "import duckdb, deltalake"]).output();
    let has = found.is_ok_and(|output| output.status.success());
    if !has {
        assert!(!is_required(), "python3 has no duckdb and deltalake; pip install duckdb deltalake");
        eprintln!("skipped: python3 has no duckdb and deltalake");
    }
    has
}

/// The lines that the script prints for a warehouse.
fn by_duckdb(warehouse: &Path) -> Vec<String> {
    let script = repository().join("tests/duckdb/totals.py");
    let output = Command::new("python3").arg(script).arg(warehouse).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect()
}

#[test]
fn duckdb_finds_the_totals_of_the_sample() {
    if !has_duckdb() {
        return;
    }
    let sample = Sample::new();
    sample.ok(&["run"]);
    // A second run that changes amounts leaves files in the folders that no longer count.
    sample.replace("data/price.csv", "0.29", "0.30");
    sample.ok(&["run"]);
    let mut expected = sample.rows(TOTALS);
    assert_eq!(expected.len(), 10, "{expected:?}");
    expected.extend(sample.rows(RECORDS));
    assert_eq!(by_duckdb(&sample.path().join("warehouse")), expected);
}

#[test]
fn duckdb_finds_the_totals_of_the_aws_bill() {
    if !has_duckdb() {
        return;
    }
    let Some(bill) = Bill::new() else { return };
    let mut expected = bill.rows(TOTALS);
    assert_eq!(expected.len(), 2, "{expected:?}");
    expected.extend(bill.rows(RECORDS));
    assert_eq!(by_duckdb(bill.warehouse()), expected);
}
