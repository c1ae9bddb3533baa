//! The real bill in four shuffled parts, the last of which lands after October was closed: October's bill and its
//! corrections come to the published invoice.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::aws_bill::Bill;
use crate::sample::{ok, repository};

const PARTS: usize = 4;

/// The records of a file, each in one of the parts, in an order of their own.
fn shuffled(file: &Path) -> Vec<RecordBatch> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    // Knuth's multiplicative hash scatters neighbours.
    order.sort_by_key(|row| row.wrapping_mul(2_654_435_761));
    let parts = order.chunks(order.len().div_ceil(PARTS));
    parts.map(|rows| take_record_batch(&all, &UInt32Array::from(rows.to_vec())).unwrap()).collect()
}

#[test]
fn october_closed_too_early_comes_to_the_published_invoice() {
    let Some(whole) = Bill::new() else { return };
    let folder = TempDir::new().unwrap();
    let usage = folder.path().join("aws_cur_2018");
    std::fs::create_dir(&usage).unwrap();
    std::fs::copy(whole.data().join("aws_cur_2018/check_rates.csv"), usage.join("check_rates.csv")).unwrap();
    let meterhouse = |as_of: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .current_dir(repository().join("examples/aws_bill"))
            .args(["--as-of", as_of, "--format", "csv"])
            .args(["--set", &format!("warehouse.url={}", folder.path().join("warehouse").display())])
            .args(arguments)
            .env("METERHOUSE_DATA", folder.path())
            .output()
            .unwrap();
        ok(&output)
    };
    let mut parts: Vec<Vec<String>> = vec![Vec::new(); PARTS];
    for month in ["Oct2018", "Nov2018"] {
        let file = whole.data().join(format!("aws_cur_2018/{month}-WorkshopCUR-00001.snappy.parquet"));
        for (number, rows) in shuffled(&file).into_iter().enumerate() {
            let path = folder.path().join(format!("{month}-{number}.parquet"));
            let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), rows.schema(), None).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
            parts[number].push(path.display().to_string());
        }
    }
    let land = |part: &[String]| {
        let mut arguments = vec!["land", "--with", "cost_and_usage_report"];
        arguments.extend(part.iter().map(String::as_str));
        meterhouse("2018-12-01T00:00:00Z", &arguments);
    };
    parts[..PARTS - 1].iter().for_each(|part| land(part));
    meterhouse("2018-11-20T00:00:00Z", &["run"]);
    meterhouse(
        "2018-11-20T00:00:00Z",
        &["close", "--period", "2018-10", "--confirm", "2018-10", "--by", "tests"],
    );
    land(&parts[PARTS - 1]);
    meterhouse("2018-12-01T00:00:00Z", &["run"]);

    let totals = |csv: String| -> BTreeMap<String, String> {
        let rows = csv.lines().skip(1).map(|row| row.rsplit_once(',').unwrap());
        rows.map(|(line, amount)| (line.to_string(), amount.to_string())).collect()
    };
    let query = "select coalesce(corrected_period, billing_period), coalesce(corrected_line_id, line_id), sum(amount) \
                 from invoice_line group by 1, 2 having sum(amount) <> 0";
    let in_parts = totals(meterhouse("2018-12-01T00:00:00Z", &["sql", query]));
    let at_once = totals(whole.csv(query));
    assert_eq!(in_parts, at_once);
    let corrections = meterhouse(
        "2018-12-01T00:00:00Z",
        &["sql", "select count(*) > 100, sum(amount) > 100 from correction_line"],
    );
    assert_eq!(corrections.lines().nth(1), Some("true,true"));
    meterhouse("2018-12-01T00:00:00Z", &["verify"]);
}
