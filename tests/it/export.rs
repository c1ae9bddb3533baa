//! `meterhouse export`: the files of a customer sum to what the warehouse says, and are the same bytes each time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::sample::{Sample, said};

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(open) = folders.pop() {
        for entry in std::fs::read_dir(open).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

pub fn exported(sample: &Sample) -> BTreeMap<String, Vec<u8>> {
    files(&sample.path().join("export"))
}

/// The rows of a CSV file by column.
pub fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv);
    let names: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let records = reader.records().map(|record| record.unwrap());
    records.map(|record| names.iter().cloned().zip(record.iter().map(String::from)).collect()).collect()
}

/// A decimal in units of its twelfth place.
fn exact(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<12}").parse().unwrap()
}

pub fn manifest(sample: &Sample, format: &str) -> Value {
    serde_json::from_str(&sample.read(&format!("export/2026-10/manifest-{format}.json"))).unwrap()
}

/// The statement's quantities and amounts of each line are those of the line.
fn assert_statements_sum_to_lines(files: &BTreeMap<String, Vec<u8>>) -> usize {
    let mut lines = BTreeMap::new();
    let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for (name, bytes) in files {
        for row in rows_of(name, bytes, "invoice_line.csv") {
            lines.insert(row["line_id"].clone(), (exact(&row["quantity"]), exact(&row["amount"])));
        }
        for row in rows_of(name, bytes, "usage_statement.csv") {
            let sum = sums.entry(row["line_id"].clone()).or_default();
            sum.0 += exact(&row["quantity"]);
            sum.1 += exact(&row["amount"]);
        }
    }
    assert_eq!(lines, sums);
    lines.len()
}

fn rows_of(name: &str, bytes: &[u8], file: &str) -> Vec<BTreeMap<String, String>> {
    if name.ends_with(file) { rows(bytes) } else { Vec::new() }
}

#[test]
fn what_an_export_says() {
    let sample = Sample::new();
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-10"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: nothing was published yet
    hint: meterhouse run
    "#);
    sample.ok(&["run"]);
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-10"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    warning: 2026-10 is not closed: what is exported is a draft
    3 customers, 8 files
    manifest: ./export/2026-10/manifest-csv.json
    next: meterhouse export --period 2026-10 --format html
    "#);
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2030-01"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is nothing to export for 2030-01
    hint: `meterhouse status` shows the billing periods that have lines
    "#);
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-10", "--format", "table"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: invalid value 'table' for '--format <FORMAT>'
      [possible values: csv, json, ndjson, parquet, html]

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(
        said(&sample, &["export", "--period", "2026-10", "--format", "html", "--one-file"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: a page belongs to one customer
    hint: leave out --one-file
    "#);
    let lines = rows(sample.read("export/2026-10/ALPEN/invoice_line.csv").as_bytes());
    let km = |column: &str| lines[5][column].as_str();
    for (column, value) in [
        ("line_id", "CON124-km/2026-09-30T22:00/driven_km-autumn"),
        ("service_from", "2026-10-01"),
        ("service_to", "2026-10-31"),
        ("line_type", "overage"),
        ("purchase_order", "PO-4712"),
        ("product_code", "FLEET-KM"),
        ("tax_category", "VAT-STANDARD"),
        ("gl_account", "4400"),
        ("quantity", "1857.25"),
        ("included_quantity", "730"),
        ("billable_quantity", "1127.25"),
        ("amount", "349.45"),
        ("currency", "EUR"),
    ] {
        assert_eq!(km(column), value, "{column}");
    }
    assert_eq!(lines[2]["gl_account"], "4405", "an item's own account");
    let quotas = rows(sample.read("export/2026-10/ALPEN/entitlement_status.csv").as_bytes());
    assert_eq!((quotas.len(), quotas[0]["overage_quantity"].as_str()), (1, "1127.25"));
    assert_eq!(
        manifest(&sample, "csv")["export"],
        serde_json::json!({"billing_period": "2026-10", "format": "csv", "state": "draft", "parked": []})
    );
}

#[test]
fn the_whole_sample_is_exported_exactly_in_every_way() {
    let sample = Sample::whole();
    sample.ok(&["run"]);
    let export = |more: &[&str]| {
        sample.ok(&[&["export", "--period", "2026-10"], more].concat());
        exported(&sample)
    };
    let by_customer = export(&[]);
    assert!(assert_statements_sum_to_lines(&by_customer) > 300);
    assert!(by_customer == export(&[]), "the same bytes again");
    let one_thread = export(&["--set", "engine.threads=1", "--set", "engine.memory_mb=128"]);
    assert!(by_customer == one_thread, "whatever the threads and the memory");

    let manifest = manifest(&sample, "csv");
    let listed: BTreeSet<String> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let path = file["path"].as_str().unwrap();
            let bytes = &by_customer[path];
            let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(file["sha256"], hash);
            assert_eq!(file["bytes"], bytes.len());
            let rows = rows(bytes);
            assert_eq!(file["rows"], rows.len());
            assert!(rows.iter().all(|row| row["customer_id"] == file["customer_id"].as_str().unwrap()));
            path.to_string()
        })
        .collect();
    let there: BTreeSet<String> =
        by_customer.keys().filter(|name| !name.ends_with("manifest-csv.json")).cloned().collect();
    assert_eq!(listed, there);

    // What the manifest adds up is what the warehouse adds up.
    let said = sample.rows(
        "select currency, count(*) as lines, sum(amount) as amount from invoice_line \
         where billing_period = '2026-10' group by currency order by currency",
    );
    let totals = &manifest["totals"].as_array().unwrap()[1];
    assert_eq!(totals["content"], "invoice_line");
    for (total, said) in totals["totals"].as_array().unwrap().iter().zip(&said) {
        let said: Vec<&str> = said.split(',').collect();
        assert_eq!(total["currency"], said[0]);
        assert_eq!(exact(total["amount"].as_str().unwrap()), exact(said[2]));
    }

    // One file for the period has the same rows, and takes the place of those of the customers.
    let one_file = export(&["--one-file"]);
    let names: Vec<&str> = one_file.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "2026-10/entitlement_status.csv",
            "2026-10/invoice_line.csv",
            "2026-10/manifest-csv.json",
            "2026-10/usage_detail.csv",
            "2026-10/usage_statement.csv"
        ]
    );
    assert_statements_sum_to_lines(&one_file);
    let count = |files: &BTreeMap<String, Vec<u8>>, name: &str| -> usize {
        files.iter().map(|(file, bytes)| rows_of(file, bytes, name).len()).sum()
    };
    for name in ["invoice_line.csv", "usage_statement.csv", "entitlement_status.csv"] {
        assert_eq!(count(&one_file, name), count(&by_customer, name));
    }
}

#[test]
fn the_forms_hold_the_same_rows() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    for format in ["csv", "json", "ndjson", "parquet"] {
        sample.ok(&["export", "--period", "2026-10", "--format", format]);
    }
    let files = exported(&sample);
    let csv = rows(&files["2026-10/ALPEN/invoice_line.csv"]);
    let json: Value = serde_json::from_slice(&files["2026-10/ALPEN/invoice_line.json"]).unwrap();
    let lines = String::from_utf8(files["2026-10/ALPEN/invoice_line.ndjson"].clone()).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json["rows"].as_array().unwrap(), &lines);
    assert_eq!(csv.len(), lines.len());
    for (csv, json) in csv.iter().zip(&lines) {
        assert_eq!(csv["amount"], json["amount"].as_str().unwrap(), "decimals are strings in JSON");
        assert_eq!(csv["line_id"], json["line_id"].as_str().unwrap());
    }
    let parquet =
        std::fs::File::open(sample.path().join("export/2026-10/ALPEN/invoice_line.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(parquet, 1000).unwrap();
    let batch = reader.map(|batch| batch.unwrap()).next().unwrap();
    assert_eq!(batch.num_rows(), csv.len());
    let amounts =
        arrow::compute::cast(batch.column_by_name("amount").unwrap(), &arrow::datatypes::DataType::Utf8)
            .unwrap();
    let amounts = arrow::array::AsArray::as_string::<i32>(&amounts);
    for (row, csv) in csv.iter().enumerate() {
        assert_eq!(exact(amounts.value(row)), exact(&csv["amount"]));
    }
    // Each form has its manifest, and again gives the same bytes.
    sample.ok(&["export", "--period", "2026-10", "--format", "parquet"]);
    assert!(files == exported(&sample));
}

#[test]
fn an_item_that_shows_overage_only_hides_what_the_quota_covers() {
    let sample = Sample::new();
    sample.replace(
        "data/contract_item.csv",
        "fleet_km,customer,1,suspend,full",
        "fleet_km,customer,1,suspend,overage",
    );
    sample.replace(
        "data/contract_item.csv",
        "fleet_km,customer,2,suspend,full",
        "fleet_km,customer,2,suspend,overage",
    );
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-10"]);
    let files = exported(&sample);
    assert_statements_sum_to_lines(&files);
    let lines = rows(&files["2026-10/ALPEN/invoice_line.csv"]);
    let km: Vec<_> = lines.iter().filter(|line| line["unit"] == "km").collect();
    assert_eq!(km.len(), 1, "what is covered in full has no line");
    assert_eq!(
        (km[0]["quantity"].as_str(), km[0]["included_quantity"].as_str(), km[0]["amount"].as_str()),
        ("1127.25", "0", "349.45")
    );
    // 730 of 1857.25 km on the line are covered, by the first records of it.
    let statement = rows(&files["2026-10/ALPEN/usage_statement.csv"]);
    let beyond: Vec<_> = statement.iter().filter(|row| row["line_id"] == km[0]["line_id"]).collect();
    let all = sample.rows(
        "select usage_start from usage_statement \
         where line_id = 'CON124-km/2026-09-30T22:00/driven_km-autumn' order by usage_start",
    );
    assert!(!beyond.is_empty() && beyond.len() < all.len());
    assert_eq!(beyond.last().unwrap()["usage_start"], *all.last().unwrap());
    assert!(beyond.iter().all(|row| exact(&row["quantity"]) > 0 && exact(&row["amount"]) > 0));
}

#[test]
fn parked_customers_are_left_out() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-10"]);
    assert!(sample.path().join("export/2026-10/KANJI/invoice_line.csv").exists());
    sample.write(
        "queries/checks/suspicious.sql",
        "-- suspicious: somebody looks at these first\nselect customer.customer_id\nfrom customer\n\
         where customer.customer_id = 'KANJI'\n",
    );
    sample.replace("data/price.csv", ",0.31,", ",0.32,");
    sample.ok(&["run"]);
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-10"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    warning: 2026-10 is not closed: what is exported is a draft
    2 customers, 6 files
    manifest: ./export/2026-10/manifest-csv.json
    error: 1 customer is parked and not exported
      KANJI, by check `suspicious`
    hint: mend what the checks show, run, and export again; the others are exported
    "#);
    let files = exported(&sample);
    assert!(files.keys().any(|file| file.contains("/ALPEN/")));
    assert!(!files.keys().any(|file| file.contains("/KANJI/")), "not even what was exported before");
    assert_eq!(manifest(&sample, "csv")["export"]["parked"], serde_json::json!(["KANJI"]));
    assert_eq!(sample.fails(&["export", "--period", "2026-10", "--format", "html"]).0, 1);
    assert!(!sample.path().join("export/2026-10/KANJI").join("statement.html").exists());
}

#[test]
fn an_export_names_customer_and_period() {
    let sample = Sample::empty();
    sample.write("queries/export/4_bad.sql", "-- bad: no customer\nselect price.price_id from price\n");
    insta::assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: an export has a column `billing_period`
      --> queries/export/4_bad.sql
    hint: rows are exported by customer and billing period
    error: the first column of an export is `customer_id`
      --> queries/export/4_bad.sql
    hint: rows are exported by customer and billing period
    error: 2 mistakes in the project
    "#);
    sample.write("queries/export/4_bad.sql", "-- bad: no such column\nselect price.nope from price\n");
    assert_eq!(sample.fails(&["check"]).0, 1);
}

#[test]
fn what_was_changed_and_not_run_is_not_exported() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let export = ["export", "--period", "2026-10"];
    sample.ok(&export);
    let before = exported(&sample);
    sample.replace("data/price.csv", ",0.31,", ",0.32,");
    insta::assert_snapshot!(said(&sample, &export, ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: 2026-10 is out of date: the data of `price` changed after run 1
    hint: meterhouse run, then export
    "#);
    assert!(before == exported(&sample), "nothing was removed");
    sample.ok(&["run", "--period", "2026-10"]);
    sample.ok(&export);
    assert!(before != exported(&sample));
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-09"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: 2026-09 may be out of date: run 2 was for 2026-10 only
    hint: meterhouse run --period 2026-09, or for all: meterhouse run
    "#);
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-09"]);
    let charge = sample.read("queries/7_rating/charge.sql");
    sample.write("queries/7_rating/charge.sql", &format!("-- looked at again\n{charge}"));
    insta::assert_snapshot!(said(&sample, &export, ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: 2026-10 is out of date: the query of `charge` changed after run 3
    hint: meterhouse run, then export
    "#);
    sample.write("queries/7_rating/charge.sql", &charge);

    // Usage that lands later is told of, and stops nobody.
    sample.write(
        "late.ndjson",
        "{\"transactionID\":\"late\",\"usageType\":\"CarRentUsage\",\"usageStart\":\"2026-10-05T08:00:00Z\",\
         \"contractId\":\"CON123\",\"distance\":3}\n",
    );
    let exported_before = (sample.ok(&export), exported(&sample)).1;
    sample.ok(&["land", sample.path().join("late.ndjson").to_str().unwrap()]);
    insta::assert_snapshot!(said(&sample, &export, ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    warning: usage landed after run 3, and is not in this export
    warning: 2026-10 is not closed: what is exported is a draft
    3 customers, 8 files
    manifest: ./export/2026-10/manifest-csv.json
    next: meterhouse export --period 2026-10 --format html
    "#);
    assert!(exported_before == exported(&sample));
    sample.replace("data/price.csv", ",0.32,", ",0.33,");
    assert_eq!(sample.fails(&export).0, 1);
}

#[test]
fn an_open_period_is_a_draft() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    insta::assert_snapshot!(said(&sample, &["export", "--period", "2026-11"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    warning: 2026-11 is not closed: what is exported is a draft
    3 customers, 8 files
    manifest: ./export/2026-11/manifest-csv.json
    next: meterhouse export --period 2026-11 --format html
    "#);
    let manifest: Value = serde_json::from_str(&sample.read("export/2026-11/manifest-csv.json")).unwrap();
    assert_eq!(manifest["export"]["state"], "draft");
}

#[test]
fn what_a_killed_export_left_is_removed() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    for file in
        ["GONE/invoice_line.csv", "usage_statement.csv", "ALPEN/invoice_line.parquet", "ALPEN/note.txt"]
    {
        sample.write(&format!("export/2026-10/{file}"), "x");
    }
    sample.ok(&["export", "--period", "2026-10"]);
    let files = exported(&sample);
    assert!(!files.contains_key("2026-10/GONE/invoice_line.csv"));
    assert!(!files.contains_key("2026-10/usage_statement.csv"));
    assert!(files.contains_key("2026-10/ALPEN/invoice_line.parquet"), "another form is another export");
    assert!(files.contains_key("2026-10/ALPEN/note.txt"), "only what an export writes is removed");
}
