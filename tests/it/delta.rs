//! Others read what is published: the Delta logs name the files, and DuckDB finds in them what `meterhouse sql` says.

use std::path::Path;
use std::process::Command;

use meterhouse::project::schema::sql_type;

use crate::aws_bill::{Bill, is_required};
use crate::sample::{Sample, project, repository};

/// The views that any engine can run.
const VIEWS: [&str; 7] = [
    "booked_usage",
    "counted_usage",
    "customer_total",
    "customer_usage",
    "guided_usage",
    "reopened_usage",
    "unbooked_usage",
];

const TOTALS: &str = "select billing_period, currency, cast(sum(amount) as varchar) from invoice_line \
                      group by billing_period, currency order by billing_period, currency";
const RECORDS: &str = "select count(*) from usage_record";

/// Whether Python has what the script needs.
pub fn has_duckdb() -> bool {
    let found = Command::new("python3").args(["-c", "import duckdb, deltalake"]).output();
    let has = found.is_ok_and(|output| output.status.success());
    if !has {
        assert!(!is_required(), "python3 has no duckdb and deltalake; pip install duckdb deltalake");
        eprintln!("skipped: python3 has no duckdb and deltalake");
    }
    has
}

/// The lines that a script prints, given a path.
fn by_duckdb(script: &str, path: &Path) -> Vec<String> {
    let script = repository().join("tests/duckdb").join(script);
    let output = Command::new("python3").arg(script).arg(path).output().unwrap();
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
    assert_eq!(by_duckdb("totals.py", &sample.path().join("warehouse")), expected);
}

#[test]
fn duckdb_opens_every_table_by_the_views_that_are_printed() {
    let sample = Sample::new();
    let (status, said) = sample.fails(&["views", "--for", "duckdb"]);
    assert_eq!(status, 2);
    assert_eq!(said, "error: nothing was published yet\nhint: meterhouse run\n");
    sample.ok(&["run"]);
    // A run of one price leaves files in the folders that no longer count.
    sample.replace("data/price.csv", "0.29", "0.30");
    sample.ok(&["run"]);

    let tables = project(sample.path()).schemas;
    let by_log = sample.ok(&["views", "--for", "duckdb", "--scan", "delta"]);
    let line = format!("select * from delta_scan('{}", sample.path().canonicalize().unwrap().display());
    assert_eq!(by_log.matches("create or replace view").count(), tables.len() + VIEWS.len());
    assert!(by_log.contains(&format!("{line}/warehouse/invoice_line');")), "{by_log}");

    let views = sample.ok(&["views", "--for", "duckdb"]);
    assert!(views.contains("\n--   usage_statement (queries/"), "{views}");
    if !has_duckdb() {
        return;
    }
    sample.write("views.sql", &views);
    let mut expected = Vec::new();
    for (name, schema) in &tables {
        let rows = sample.rows(&format!("select count(*) from {name}")).remove(0);
        let columns = schema.columns.iter().map(|column| {
            let kind = sql_type(&column.data_type).to_uppercase().replace(", ", ",");
            let kind = if kind == "TIMESTAMP" { "TIMESTAMP WITH TIME ZONE".into() } else { kind };
            format!("{} {kind}", column.name)
        });
        expected.push(format!("{name}: {rows} rows of {}", columns.collect::<Vec<_>>().join(",")));
    }
    for name in VIEWS {
        let rows = sample.rows(&format!("select count(*) from {name}")).remove(0);
        let columns = sample.ok(&["describe", name, "--format", "csv"]);
        let columns = csv::Reader::from_reader(columns.as_bytes()).into_records().map(|column| {
            let column = column.unwrap();
            let kind = column[1].to_uppercase().replace(", ", ",");
            let kind = if kind == "TIMESTAMP" { "TIMESTAMP WITH TIME ZONE".into() } else { kind };
            let is_computed = ["is_closed", "line_count"].contains(&&column[0]);
            assert_ne!(column[4].is_empty(), !is_computed, "the comment of {name}.{}", &column[0]);
            format!("{} {kind}", &column[0])
        });
        expected.push(format!("{name}: {rows} rows of {}", columns.collect::<Vec<_>>().join(",")));
    }
    expected.sort();
    expected.extend(sample.rows(TOTALS));
    assert_eq!(by_duckdb("views.py", &sample.path().join("views.sql")), expected);
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
    assert_eq!(by_duckdb("totals.py", bill.warehouse()), expected);
}
