//! Landing as a person sees it: which records are in, which are not, and why.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray};
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;

use crate::sample::{Sample, said};

/// The record of the README.
const RECORD: &str = r#"{"transactionID": "TR13134131223", "usageStart": "2018-12-01T00:00:00.0000000", "usageEnd": "2018-12-31T00:00:00.0000000", "usageType": "CarRentUsage", "VIN": "SGZCZ43D13S812715", "contractId": "CON123", "distance": 112}"#;
/// What has landed.
const LANDED: &str = "select usage_record.transaction_id, usage_record.usage_start, usage_record.usage_end, \
    usage_record.contract_id, usage_record.vin, usage_record.distance, usage_record.attributes \
    from usage_record order by usage_record.landing_sequence";

#[test]
fn a_record_lands_as_it_is() {
    let sample = Sample::empty();
    sample.write("usage.ndjson", RECORD);
    assert_snapshot!(said(&sample, &["land", "usage.ndjson"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    usage.ndjson: 1 received, 0 rejected
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["sql", LANDED], ""), @r#"
    exit 0
    ----- stdout
    transaction_id,usage_start,usage_end,contract_id,vin,distance,attributes
    TR13134131223,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    ----- stderr
    "#);
}

#[test]
fn the_same_content_lands_once() {
    let sample = Sample::empty();
    sample.write("usage.ndjson", RECORD);
    sample.write("copy.ndjson", RECORD);
    assert_snapshot!(said(&sample, &["land", "usage.ndjson"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    usage.ndjson: 1 received, 0 rejected
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["land", "usage.ndjson", "copy.ndjson"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    usage.ndjson: landed before, as landing 1; --again discards that and lands it anew
    copy.ndjson: landed before, as landing 1; --again discards that and lands it anew
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["sql", "select count(*) as records from usage_record"], ""), @r#"
    exit 0
    ----- stdout
    records
    1
    ----- stderr
    "#);
}

#[test]
fn every_format_lands() {
    let sample = Sample::empty();
    let gz = std::fs::File::create(sample.path().join("usage.ndjson.gz")).unwrap();
    let mut gz = GzEncoder::new(gz, flate2::Compression::default());
    gz.write_all(RECORD.replace("TR13134131223", "gzip").as_bytes()).unwrap();
    gz.finish().unwrap();
    let zst = zstd::encode_all(RECORD.replace("TR13134131223", "zstd").as_bytes(), 0).unwrap();
    std::fs::write(sample.path().join("usage.ndjson.zst"), zst).unwrap();
    sample.write("usage.csv", "transactionID,usage_start,usageType,distance,colour\ncsv,2018-12-01T00:00:00+02:00,CarRentUsage,1.5,red\n");
    sample.write("usage.json", &format!("[{}]", RECORD.replace("TR13134131223", "array")));
    let text = |value: &str| -> Arc<dyn Array> { Arc::new(StringArray::from(vec![value])) };
    let columns = [
        ("transactionId", "parquet"),
        ("usageStart", "2018-12-01"),
        ("usageType", "CarRentUsage"),
        ("distance", "2.5"),
    ];
    let batch = RecordBatch::try_from_iter(columns.map(|(name, value)| (name, text(value)))).unwrap();
    let file = std::fs::File::create(sample.path().join("usage.parquet")).unwrap();
    let mut parquet = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    parquet.close().unwrap();
    assert_snapshot!(said(&sample, &["land", "usage.ndjson.gz", "usage.ndjson.zst", "usage.csv", "usage.json", "usage.parquet"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    usage.ndjson.gz: 1 received, 0 rejected
    usage.ndjson.zst: 1 received, 0 rejected
    usage.csv: 1 received, 0 rejected
    usage.json: 1 received, 0 rejected
    usage.parquet: 1 received, 0 rejected
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["land", "-"], RECORD), @r#"
    exit 0
    ----- stdout
    ----- stderr
    -: 1 received, 0 rejected
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["sql", LANDED], ""), @r#"
    exit 0
    ----- stdout
    transaction_id,usage_start,usage_end,contract_id,vin,distance,attributes
    gzip,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    zstd,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    csv,2018-11-30T22:00:00Z,,,,1.50,"{""colour"":""red""}"
    array,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    parquet,2018-11-30T23:00:00Z,,,,2.50,
    TR13134131223,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    ----- stderr
    "#);
}

#[test]
fn a_bad_record_is_kept_with_its_reason() {
    let sample = Sample::empty();
    sample.write(
        "bad.ndjson",
        r#"{"transactionID": "B1", "usageStart": "2018-12-01", "usageType": "CarRentUsage", "distance": 1}
{"transactionID": "B2", "usageStart": "2018-12-02", "usageEnd": "2018-12-01", "usageType": "CarRentUsage"}
{"transactionID": "B3", "usageStart": "tomorrow", "usageType": "CarRentUsage"}
{"transactionID": "B4", "usageStart": "2018-12-01"}
{"transactionID": "B5", "usageStart": "2018-12-01", "usageType": "CarRentUsage", "distance": 0.1234567890123}
{"transactionID": "B6", "usageStart": "2018-12-01", "usageType": "CarRentUsage", "distance": "far"}
{"transactionID": "B7", "usageStart":
[1, 2]
{"usageStart": "2018-12-01", "usageType": "CarRentUsage", "distance": "far"}
"#,
    );
    assert_snapshot!(said(&sample, &["land", "bad.ndjson"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    bad.ndjson: 9 received, 8 rejected
      1: `usage_end` is before `usage_start` (first in line 2)
      1: `usage_start` is not a time: write the date as YYYY-MM-DD, such as 2026-10-31 (first in line 3)
      1: `usage_type` is missing (first in line 4)
      1: `distance` has more than 12 decimals (first in line 5)
      1: `distance` is not a number (first in line 6)
      and 3 other reasons, in usage_rejected
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["sql", "select usage_rejected.line_number, usage_rejected.transaction_id, usage_rejected.reject_reason, usage_rejected.raw_text from usage_rejected order by usage_rejected.landing_sequence"], ""), @r#"
    exit 0
    ----- stdout
    line_number,transaction_id,reject_reason,raw_text
    2,B2,`usage_end` is before `usage_start`,"{""transactionID"": ""B2"", ""usageStart"": ""2018-12-02"", ""usageEnd"": ""2018-12-01"", ""usageType"": ""CarRentUsage""}"
    3,B3,"`usage_start` tomorrow is not a time: write the date as YYYY-MM-DD, such as 2026-10-31","{""transactionID"": ""B3"", ""usageStart"": ""tomorrow"", ""usageType"": ""CarRentUsage""}"
    4,B4,`usage_type` is missing,"{""transactionID"": ""B4"", ""usageStart"": ""2018-12-01""}"
    5,B5,`distance` 0.1234567890123 has more than 12 decimals,"{""transactionID"": ""B5"", ""usageStart"": ""2018-12-01"", ""usageType"": ""CarRentUsage"", ""distance"": 0.1234567890123}"
    6,B6,`distance` far is not a number,"{""transactionID"": ""B6"", ""usageStart"": ""2018-12-01"", ""usageType"": ""CarRentUsage"", ""distance"": ""far""}"
    7,B7,is not valid JSON: EOF while parsing a value (column 37),"{""transactionID"": ""B7"", ""usageStart"":"
    8,,is not a JSON object,"[1, 2]"
    9,,`distance` far is not a number; `transaction_id` is missing,"{""usageStart"": ""2018-12-01"", ""usageType"": ""CarRentUsage"", ""distance"": ""far""}"
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", LANDED], ""), @r#"
    exit 0
    ----- stdout
    transaction_id,usage_start,usage_end,contract_id,vin,distance,attributes
    B1,2018-11-30T23:00:00Z,,,,1,
    ----- stderr
    "#);
}

#[test]
fn a_column_that_a_whole_file_lacks_is_said_once() {
    let sample = Sample::empty();
    sample.write(
        "usage.csv",
        "transactoinID,usageStart,usageType\n1,2018-12-01,CarRentUsage\n2,2018-12-02,CarRentUsage\n",
    );
    assert_snapshot!(said(&sample, &["land", "usage.csv"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    usage.csv: 2 received, 2 rejected
    usage.csv: no column for `transaction_id`, so each record is rejected (its columns are transactoinID, usageStart, usageType; is `transactoinID` meant?)
      2: `transaction_id` is missing (first in line 2)
    error: each record of usage.csv was rejected
    hint: meterhouse sql "select * from usage_rejected" shows them; a file of another shape needs --with NAME
    "#);
    assert_snapshot!(said(&sample, &["sql", "select usage_rejected.line_number, usage_rejected.reject_reason, usage_rejected.raw_text from usage_rejected order by usage_rejected.landing_sequence"], ""), @r#"
    exit 0
    ----- stdout
    line_number,reject_reason,raw_text
    2,`transaction_id` is missing,"1,2018-12-01,CarRentUsage"
    3,`transaction_id` is missing,"2,2018-12-02,CarRentUsage"
    ----- stderr
    "#);
}

#[test]
fn one_unreadable_file_keeps_no_other_out() {
    let sample = Sample::empty();
    sample.write("usage.ndjson", RECORD);
    assert_snapshot!(said(&sample, &["land", "missing.ndjson", "usage.ndjson"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    usage.ndjson: 1 received, 0 rejected
    error: there is no file missing.ndjson
    hint: give a file, or - for standard input
    "#);
    assert_snapshot!(said(&sample, &["sql", LANDED], ""), @r#"
    exit 0
    ----- stdout
    transaction_id,usage_start,usage_end,contract_id,vin,distance,attributes
    TR13134131223,2018-11-30T23:00:00Z,2018-12-30T23:00:00Z,CON123,SGZCZ43D13S812715,112,
    ----- stderr
    "#);
}

#[test]
fn a_pipe_under_a_name_is_read_once() {
    let sample = Sample::empty();
    assert_snapshot!(said(&sample, &["land", "/dev/stdin"], RECORD), @r"
    exit 0
    ----- stdout
    ----- stderr
    /dev/stdin: 1 received, 0 rejected
    next: meterhouse run
    ");
    sample.write("usage.ndjson", RECORD);
    assert!(sample.ok(&["sql", "select count(*) from usage_record"]).ends_with("1\n"));
    assert_eq!(sample.fails(&["land", "."]).0, 2);
}

#[test]
fn an_inbox_lands_up_to_what_cannot_be_read() {
    let sample = Sample::empty();
    sample.write("data/usage/1.ndjson", RECORD);
    sample.write("data/usage/2.ndjson", RECORD);
    sample.write("data/usage/3.parquet", "PAR1 is how a table begins, and this is none");
    sample.write("data/usage/4.ndjson", &RECORD.replace("TR13134131223", "after"));
    let (_, text) = sample.fails(&["run"]);
    let told = ["1.ndjson: 1 received, 0 rejected", "2.ndjson: landed before, as landing 1", "3.parquet"];
    assert!(told.iter().all(|line| text.contains(line)) && !text.contains("4.ndjson"), "{text}");
    let landed = "select usage_record.transaction_id from usage_record order by landing_sequence";
    assert_eq!(sample.rows(landed), ["TR13134131223"]);
    std::fs::remove_file(sample.path().join("data/usage/3.parquet")).unwrap();
    sample.ok(&["run"]);
    assert_eq!(sample.rows(landed), ["TR13134131223", "after"]);
}

#[test]
fn a_mapped_file_keeps_its_order() {
    let sample = Sample::empty();
    sample.write(
        "queries/landing/shop.sql",
        "-- shop: orders of a shop.\nselect\n    file.id as transaction_id,\n    'api_call' as usage_type,\n    \
         file.at as usage_start,\n    file.until as usage_end,\n    file.amount as quantity\nfrom file\n",
    );
    let mut csv = String::from("id,at,until,amount\n");
    for number in 0..30_000 {
        // Every thousandth ends before it starts.
        let until = if number % 1000 == 999 { "2026-09-30" } else { "2026-10-02" };
        csv += &format!("{number},2026-10-01T00:00:00Z,{until}T00:00:00Z,{number}\n");
    }
    sample.write("orders.csv", &csv);
    let orders = sample.path().join("orders.csv");
    sample.ok(&["land", orders.to_str().unwrap(), "--with", "shop", "--set", "engine.threads=4"]);
    let misplaced = "select count(*) as n from usage_record \
        where landing_sequence % 1000000000 <> cast(transaction_id as bigint)";
    assert_eq!(sample.rows(misplaced), ["0"]);
    let rejected = sample.rows("select line_number, raw_text from usage_rejected order by line_number");
    assert_eq!(rejected.len(), 30);
    assert_eq!(rejected[0], "1001,\"999,2026-10-01T00:00:00Z,2026-09-30T00:00:00Z,999\"");
}

/// What a record is found by when it comes again is what SQL makes of its identity, however it came.
#[test]
fn a_record_has_the_hash_of_its_identity() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let other = "select count(*) from usage_record where id_hash <> row_hash(source, transaction_id)";
    assert_eq!(sample.rows(other), ["0"]);
    assert_ne!(sample.rows("select count(distinct id_hash) from usage_record"), ["1"]);
}

/// Two files of a meter that is read each hour: who reads 02:00 in the second one means the later of two.
#[test]
fn a_time_that_the_clocks_show_twice_is_said() {
    let sample = Sample::empty();
    let reading = |at: &str| {
        format!(
            "{{\"transaction_id\": \"m\", \"usage_type\": \"reading\", \"usage_start\": \"{at}\", \"quantity\": 1}}\n"
        )
    };
    for (at, is_said) in
        [("2026-10-25T02:00", true), ("2026-10-25T02:00+01:00", false), ("2026-10-25T03:00", false)]
    {
        sample.write("hour.ndjson", &reading(at));
        let landed = sample.meterhouse(&["land", sample.path().join("hour.ndjson").to_str().unwrap()]);
        let said = String::from_utf8([landed.stdout, landed.stderr].concat()).unwrap();
        assert!(said.contains("1 received, 0 rejected"), "{said}");
        assert_eq!(said.contains("1 at a local time that the clocks show twice"), is_said, "{said}");
    }
}

#[test]
fn an_inbox_that_is_nowhere_is_said() {
    let sample = Sample::empty();
    sample.write("usage/day.ndjson", "");
    sample.replace(
        "meterhouse.toml",
        "[inbox.sample]",
        "[inbox.shop]\nfiles = [\"usgae/*.ndjson\", \"../none\"]\n\n[inbox.sample]",
    );
    let told = "nothing lands from inbox `shop`: there is no `usgae/*.ndjson` (did you mean `usage`?) and no `../none`";
    for command in ["check", "run"] {
        let output = sample.meterhouse(&["-q", command]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(told) && !said.contains("`sample`"), "{command}: {said}");
    }
    sample.replace("meterhouse.toml", "usgae", "usage");
    assert!(!String::from_utf8(sample.meterhouse(&["-q", "run"]).stderr).unwrap().contains("nothing lands"));
    let (status, said) = sample.fails(&["land", sample.path().to_str().unwrap()]);
    assert!(status == 2 || status == 64 || status == 1, "{status}");
    assert!(said.contains("is a folder") && said.contains("give its files"), "{said}");
}

/// One file may have lines that end in different ways: its header was written by one program, its lines by another.
#[test]
fn ends_of_lines_may_differ_within_a_file() {
    let sample = Sample::empty();
    let (mut number, mut files) = (0, Vec::new());
    for header in ["\r\n", "\n", "\r"] {
        for ends in [["\r", "\r", "\r"], ["\r\n", "\r", "\n"], ["\n", "\r", ""], ["\r", "\n", "\r\n"]] {
            let mut text = format!("transaction_id,usage_type,usage_start,quantity{header}");
            for end in ends {
                number += 1;
                text += &format!("r{number},call,2026-10-02,5{end}");
            }
            files.push(format!("{}.csv", files.len()));
            sample.write(files.last().unwrap(), &text);
        }
    }
    for file in &files {
        let text = said(&sample, &["land", file], "");
        assert!(text.contains("3 received, 0 rejected"), "{file}: {text}");
    }
    assert_eq!(sample.rows("select count(*), sum(quantity) from usage_record"), ["36,180"]);
    // In quotes it is part of the value.
    sample.write("quoted.csv", "transaction_id,usage_type,usage_start,note\nq,call,2026-10-02,\"a\rb\"\n");
    sample.ok(&["land", sample.path().join("quoted.csv").to_str().unwrap()]);
    let note = "select json_text(attributes, 'note') = concat('a', chr(13), 'b') from usage_record \
        where transaction_id = 'q'";
    assert_eq!(sample.rows(note), ["true"]);
}
