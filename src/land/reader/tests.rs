//! Files of every format, read to records.

mod shapes;

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Int32Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use super::*;
use crate::land::record::{LandingColumn, LandingDefault, Rejected};

fn shape() -> RecordShape {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("landing_sequence", DataType::Int64, true, None),
        ("source", DataType::Utf8View, true, Some(LandingDefault::Text("file".into()))),
        ("transaction_id", DataType::Utf8View, true, None),
        ("usage_type", DataType::Utf8View, true, None),
        ("usage_start", time(), true, None),
        ("usage_end", time(), true, Some(LandingDefault::Column("usage_start".into()))),
        ("usage_date", DataType::Date32, true, None),
        ("contract_id", DataType::Utf8View, false, None),
        ("vin", DataType::Utf8View, false, None),
        ("distance", DataType::Decimal128(38, 12), false, None),
        ("seats", DataType::Int32, false, None),
        ("electric", DataType::Boolean, false, None),
        ("built_on", DataType::Date32, false, None),
        ("attributes", DataType::Utf8View, false, None),
        ("landed_by", DataType::Utf8View, true, Some(LandingDefault::Fixed("test".into()))),
    ];
    let column = |(name, data_type, required, default): (&str, _, _, _)| LandingColumn {
        name: name.into(),
        data_type,
        required,
        default,
    };
    RecordShape::new(columns.into_iter().map(column).collect()).unwrap()
}

fn stream(name: &str, bytes: impl Into<Vec<u8>>) -> Input {
    Input::Stream(name.into(), Box::new(Cursor::new(bytes.into())))
}

/// Everything of a file, as (received, batches of rows, rejections).
fn land(input: Input, zone: &str) -> (u64, Vec<RecordBatch>, Vec<Rejected>) {
    let zone = TimeZone::get(zone).unwrap();
    let mut all = (0, Vec::new(), Vec::new());
    for chunk in read(input, None, &shape(), &zone, 100, 3).unwrap() {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.received, (chunk.records.num_rows() + chunk.rejected.len()) as u64);
        all.0 += chunk.received;
        all.1.push(chunk.records);
        all.2.extend(chunk.rejected);
    }
    all
}

/// One column of all rows, as text.
fn column(batches: &[RecordBatch], name: &str) -> Vec<String> {
    let text = |batch: &RecordBatch| {
        let column = Arc::clone(batch.column_by_name(name).unwrap());
        (0..batch.num_rows()).map(move |row| array_value_to_string(&column, row).unwrap())
    };
    batches.iter().flat_map(text).collect()
}

/// What becomes of a record that has these fields besides the required ones.
fn outcome(fields: &str, name: &str) -> Result<String, String> {
    let record = format!(
        r#"{{"transactionId": "t", "usageType": "u", "usageStart": "2026-01-01T00:00:00Z", {fields}}}"#
    );
    let (_, batches, rejected) = land(stream("-", record), "UTC");
    match rejected.first() {
        Some(rejected) => Err(rejected.reason.clone()),
        None => Ok(column(&batches, name).remove(0)),
    }
}

#[test]
fn the_record_of_the_readme() {
    let record = r#"{"transactionID": "TR13134131223", "usageStart": "2018-12-01T00:00:00.0000000", "usageEnd": "2018-12-31T00:00:00.0000000", "usageType": "CarRentUsage", "VIN": "SGZCZ43D13S812715", "contractId": "CON123", "distance": 112}"#;
    let (received, batches, rejected) = land(stream("-", record), "Europe/Berlin");
    assert_eq!((received, rejected), (1, vec![]));
    let batch = &batches[0];
    assert_eq!(batch.schema(), shape().schema());
    for (name, value) in [
        ("landing_sequence", "100"),
        ("source", "file"),
        ("transaction_id", "TR13134131223"),
        ("usage_type", "CarRentUsage"),
        ("usage_start", "2018-11-30T23:00:00Z"),
        ("usage_end", "2018-12-30T23:00:00Z"),
        ("usage_date", "2018-11-30"),
        ("contract_id", "CON123"),
        ("vin", "SGZCZ43D13S812715"),
        ("distance", "112.000000000000"),
        ("attributes", ""),
        ("landed_by", "test"),
    ] {
        assert_eq!(column(&batches, name), [value], "{name}");
    }
}

#[test]
fn rules_of_a_record() {
    let wrong = |reason: &str| Err(reason.to_owned());
    let right = |value: &str| Ok(value.to_owned());
    for (fields, name, expected) in [
        (r#""distance": 0.1"#, "distance", right("0.100000000000")),
        (r#""distance": "1.5e1""#, "distance", right("15.000000000000")),
        (
            r#""distance": 1.0000000000001"#,
            "distance",
            wrong("`distance` 1.0000000000001 has more than 12 decimals"),
        ),
        (r#""distance": 1.0000000000000"#, "distance", right("1.000000000000")),
        (r#""distance": 1e30"#, "distance", wrong("`distance` 1e30 is too large for decimal(38, 12)")),
        (r#""distance": "far""#, "distance", wrong("`distance` far is not a number")),
        (r#""distance": true"#, "distance", wrong("`distance` is true or false, not a value of its type")),
        (r#""distance": [1]"#, "distance", wrong("`distance` is an object or a list, not one value")),
        (r#""distance": """#, "distance", right("")),
        (r#""distance": null"#, "distance", right("")),
        (r#""seats": 4.0"#, "seats", right("4")),
        (r#""seats": 4.5"#, "seats", wrong("`seats` 4.5 is not a whole number")),
        (r#""seats": 3000000000"#, "seats", wrong("`seats` 3000000000 is too large for int")),
        (r#""electric": true"#, "electric", right("true")),
        (r#""electric": "False""#, "electric", right("false")),
        (r#""electric": 1"#, "electric", wrong("`electric` is a number, give true or false")),
        (r#""builtOn": "2024-02-29""#, "built_on", right("2024-02-29")),
        (
            r#""builtOn": "2023-02-29""#,
            "built_on",
            wrong("`built_on` 2023-02-29 is not a date, give YYYY-MM-DD"),
        ),
        (r#""builtOn": "2024-2-9""#, "built_on", wrong("`built_on` 2024-2-9 is not a date, give YYYY-MM-DD")),
        (
            r#""usageEnd": 1767225600"#,
            "usage_end",
            wrong("`usage_end` is a number: give ISO 8601, or declare what it counts (epoch in [source])"),
        ),
        (r#""usageEnd": "2025-12-31T00:00:00Z""#, "usage_end", wrong("`usage_end` is before `usage_start`")),
        (r#""a": 1"#, "usage_end", right("2026-01-01T00:00:00Z")),
        (r#""usageEnd": "2026-01-01T02:00:00+01:00""#, "usage_end", right("2026-01-01T01:00:00Z")),
        (r#""vin": 12.50"#, "vin", right("12.50")),
        (r#""vin": false"#, "vin", right("false")),
        (r#""vin": "a\u00e9\n""#, "vin", right("a\u{e9}\n")),
        (r#""vin": "\ud800""#, "vin", wrong("`vin` is not readable text")),
        (r#""vin": "1", "VIN": "1""#, "vin", wrong("`vin` is given twice")),
        (r#""vin": "1", "vin": null"#, "vin", wrong("`vin` is given twice")),
        (r#""source": null"#, "source", right("file")),
        (r#""source": """#, "source", wrong("`source` is missing")),
        (r#""CONTRACT-ID": "c""#, "contract_id", right("c")),
        (r#""landingSequence": 7, "usageDate": "x""#, "landing_sequence", right("100")),
        (r#""landedBy": "me""#, "landed_by", right("test")),
        (
            r#""a": {"b": [1.10]}, "c\"": "x\ty", "d": null"#,
            "attributes",
            right(r#"{"a":{"b": [1.10]},"c\"":"x\ty","d":null}"#),
        ),
        (r#""attributes": {"a": 1, "vin": 2}, "b": 3"#, "attributes", right(r#"{"a":1,"vin":2,"b":3}"#)),
        (r#""attributes": "{\"a\": 1}", "b": 3"#, "attributes", right(r#"{"a":1,"b":3}"#)),
        (r#""attributes": {"a": 1}, "a": 3"#, "attributes", wrong("`a` is given twice")),
        (r#""a": 1, "a": 1"#, "attributes", wrong("`a` is given twice")),
        (r#""attributes": 3"#, "attributes", wrong("`attributes` is not a JSON object")),
        (
            r#""distance": "x", "seats": "y""#,
            "vin",
            wrong("`distance` x is not a number; `seats` y is not a number"),
        ),
    ] {
        assert_eq!(outcome(fields, name), expected, "{fields}");
    }
}

#[test]
fn all_reasons_are_said_and_the_rest_lands() {
    let file = b"\xEF\xBB\xBF{\"usageType\": \"u\", \"usageStart\": \"?\", \"seats\": 1.5}\r\n\r\n3\n{\"a\": \n{\"transactionId\": \"t\xff\"}\n\
        {\"transactionId\": \"t\", \"usageType\": \"u\", \"usageStart\": \"2026-01-01T00:00:00Z\"}";
    let (received, batches, rejected) = land(stream("a.ndjson", *file), "UTC");
    assert_eq!(received, 5);
    assert_eq!(column(&batches, "landing_sequence"), ["104"]);
    let lines: Vec<_> = rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(lines, [1, 3, 4, 5]);
    assert_eq!(rejected[0].usage_type.as_deref(), Some("u"));
    assert_eq!(
        rejected[0].reason,
        "`usage_start` ? is not a time: write the date as YYYY-MM-DD, such as 2026-10-31; \
         `seats` 1.5 is not a whole number; `transaction_id` is missing"
    );
    assert_eq!(rejected[1].reason, "is not a JSON object");
    assert!(rejected[2].reason.starts_with("is not valid JSON: EOF"), "{}", rejected[2].reason);
    assert_eq!(rejected[3].reason, "is not valid UTF-8");
}

const CSV: &str = "transaction-id,Usage Type,usageStart,distance,colour,contract_id,contractId\n\
    1,u,2026-01-01,1.5,red,c,\n2,u,2026-01-01,,,c,d\n3,u\n4,\"u,\"\"v\"\"\",2026-01-01,.5,,,d\n";

#[test]
fn csv_by_header_plain_and_compressed() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(CSV.as_bytes()).unwrap();
    let zstd = zstd::encode_all(CSV.as_bytes(), 1).unwrap();
    let gzip = gzip.finish().unwrap();
    for bytes in [CSV.as_bytes(), &gzip, &zstd] {
        let (received, batches, rejected) = land(stream("-", bytes), "UTC");
        assert_eq!(received, 4);
        assert_eq!(column(&batches, "transaction_id"), ["1", "4"]);
        assert_eq!(column(&batches, "usage_type"), ["u", "u,\"v\""]);
        assert_eq!(column(&batches, "distance"), ["1.500000000000", "0.500000000000"]);
        assert_eq!(column(&batches, "attributes"), [r#"{"colour":"red"}"#, ""]);
        assert_eq!(column(&batches, "contract_id"), ["c", "d"]);
        let reasons: Vec<_> =
            rejected.iter().map(|rejected| (rejected.line, rejected.reason.as_str())).collect();
        assert_eq!(reasons, [(3, "`contract_id` is given twice"), (4, "has 2 fields, the header has 7")]);
    }
    let cut = read(stream("-", &gzip[..gzip.len() - 20]), None, &shape(), &TimeZone::utc(), 0, 10);
    let error = cut.map(|mut chunks| chunks.find_map(Result::err)).unwrap_or_else(Some);
    assert!(error.unwrap().to_string().starts_with("- is cut short or damaged"));
}

#[test]
fn json_documents() {
    let one = "{\n\"transactionId\": \"1\",\n\"usageType\": \"u\", \"usageStart\": \"2026-01-01\"}";
    for (document, ids, bad) in [
        (one.to_owned(), 1, 0),
        (format!("[{one},\n{one}]"), 2, 0),
        (format!("[{one}, 3, {{\"a\": \"x}},\n{one}]"), 2, 2),
        (format!("{one}\n{one}"), 2, 0),
        (format!("{one}{one}"), 2, 0),
        (format!("{one}{one}\n"), 2, 0),
        (format!("[{one}"), 1, 1),
    ] {
        let (received, batches, rejected) = land(stream("a.json", document.as_str()), "UTC");
        let landed = column(&batches, "transaction_id").len();
        assert_eq!((landed, rejected.len(), received), (ids, bad, (ids + bad) as u64), "{document}");
    }
}

fn parquet_file(columns: Vec<(&str, ArrayRef)>) -> tempfile::NamedTempFile {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file.reopen().unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn envelope(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let ids: Vec<_> = (0..rows).map(|row| row.to_string()).collect();
    vec![
        ("transactionId", Arc::new(StringArray::from(ids))),
        ("usage_type", Arc::new(BinaryArray::from(vec![b"u".as_slice(); rows]))),
        ("usage_start", Arc::new(TimestampMillisecondArray::from(vec![1_767_225_600_000; rows]))),
    ]
}

#[test]
fn parquet_of_other_types() {
    let doubles = vec![Some(0.1), Some(1e-7), Some(3e14), None, Some(f64::NAN), Some(1e-13)];
    let tags = Field::new("tag", DataType::Utf8, true);
    let tags =
        StructArray::from(vec![(Arc::new(tags), Arc::new(StringArray::from(vec!["x"; 6])) as ArrayRef)]);
    let zoned = TimestampNanosecondArray::from(vec![1_767_229_200_000_001_000; 6]).with_timezone("+01:00");
    let words: DictionaryArray<Int32Type> = vec!["w"; 6].into_iter().collect();
    let mut columns = envelope(6);
    columns.push(("usage_end", Arc::new(zoned)));
    columns.push(("distance", Arc::new(Float64Array::from(doubles))));
    columns.push(("seats", Arc::new(Int64Array::from(vec![5; 6]))));
    columns.push(("electric", Arc::new(BooleanArray::from(vec![true; 6]))));
    columns.push(("vin", Arc::new(words)));
    columns.push(("tags", Arc::new(tags)));
    columns.push(("size", Arc::new(Int32Array::from(vec![Some(1), None, None, None, None, None]))));
    let file = parquet_file(columns);
    let (received, batches, rejected) = land(Input::File(file.path().into()), "Europe/Berlin");
    assert_eq!(received, 6);
    assert_eq!(
        column(&batches, "distance"),
        ["0.100000000000", "0.000000100000", "300000000000000.000000000000", ""]
    );
    assert_eq!(column(&batches, "usage_start")[0], "2025-12-31T23:00:00Z");
    assert_eq!(column(&batches, "usage_end")[0], "2026-01-01T01:00:00.000001Z");
    assert_eq!(column(&batches, "landing_sequence"), ["100", "101", "102", "103"]);
    for (name, value) in [("seats", "5"), ("electric", "true"), ("vin", "w"), ("usage_type", "u")] {
        assert_eq!(column(&batches, name)[0], value, "{name}");
    }
    assert_eq!(
        column(&batches, "attributes")[..2],
        [r#"{"tags":{"tag":"x"},"size":1}"#, r#"{"tags":{"tag":"x"}}"#]
    );
    assert_eq!(rejected[0].reason, "`distance` NaN is not a number");
    assert_eq!(rejected[1].reason, "`distance` 1e-13 has more than 12 decimals");
    assert_eq!((rejected[1].line, rejected[1].transaction_id.as_deref()), (6, Some("5")));
    assert!(rejected[1].raw.starts_with(r#"{"transactionId":"5","#), "{}", rejected[1].raw);
}

#[test]
fn parquet_of_the_same_types_and_damaged() {
    let mut columns = envelope(2);
    let decimals = Decimal128Array::from(vec![1, -2]).with_precision_and_scale(20, 12).unwrap();
    columns.push(("distance", Arc::new(decimals)));
    let wider = Decimal128Array::from(vec![15, 20]).with_precision_and_scale(5, 1).unwrap();
    columns.push(("seats", Arc::new(wider)));
    let file = parquet_file(columns);
    let (_, batches, rejected) = land(Input::File(file.path().into()), "UTC");
    assert_eq!(
        batches[0].column_by_name("distance").unwrap().as_primitive::<Decimal128Type>().values()[..],
        [-2]
    );
    assert_eq!(batches[0].column_by_name("usage_date").unwrap().as_primitive::<Date32Type>().value(0), 20454);
    assert_eq!(rejected[0].reason, "`seats` 1.5 is not a whole number");

    let bytes = std::fs::read(file.path()).unwrap();
    assert!(read(stream("-", bytes.clone()), None, &shape(), &TimeZone::utc(), 0, 1).is_err());
    std::fs::write(file.path(), &bytes[..bytes.len() / 2]).unwrap();
    assert!(read(Input::File(file.path().into()), None, &shape(), &TimeZone::utc(), 0, 1).is_err());
}

#[test]
fn foreign_files_by_their_own_columns() {
    let wanted = ["b".to_owned(), "none".to_owned(), "a".to_owned()];
    let all = |input| {
        let chunks: Vec<_> =
            read_raw(input, &wanted, 10, |_| {}).unwrap().map(|chunk| chunk.unwrap()).collect();
        let [chunk] = <[RawChunk; 1]>::try_from(chunks).unwrap();
        chunk
    };
    let json = "{\"a\": 1.50, \"b\": {\"c\": 1}, \"B\": 2}\n\n{\"b\": null}\n{\"a\": 1, \"a\": 2}\n";
    let chunk = all(stream("-", json));
    let text = |name| column(std::slice::from_ref(&chunk.records), name);
    assert_eq!(
        (text("a"), text("b")),
        (vec!["1.50".into(), "".into()], vec![r#"{"c": 1}"#.into(), "".into()])
    );
    assert_eq!(chunk.records.column_by_name("none").unwrap().null_count(), 2);
    assert_eq!(chunk.lines, [1, 3]);
    assert_eq!(chunk.raw.unwrap().value(1), r#"{"b": null}"#);
    assert_eq!(chunk.rows, [1, 2]);
    assert_eq!(chunk.broken[0].reason, "`a` is given twice");

    let chunk = all(stream("-", "a,b\ny\nx,"));
    assert_eq!((chunk.lines, chunk.rows, chunk.broken.len()), (vec![3], vec![2], 1));

    let file = parquet_file(vec![("a", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef)]);
    let wanted = ["a".to_owned()];
    let chunk =
        read_raw(Input::File(file.path().into()), &wanted, 10, |_| {}).unwrap().next().unwrap().unwrap();
    assert_eq!(chunk.records.column(0).data_type(), &DataType::Int32);
    assert_eq!((chunk.lines, chunk.rows), (vec![1, 2], vec![1, 2]));
}

#[test]
fn a_mapped_batch_passes_the_same_checks() {
    let mut columns = envelope(2);
    columns.push(("distance", Arc::new(StringArray::from(vec!["1", "x"]))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let raws = ["first", "second"].into_iter().map(Some).collect();
    let mut writer = RecordWriter::new(&shape(), &TimeZone::utc(), 40).unwrap();
    columnar::feed(&batch, |row| [7, 9][row], Some(&raws), &mut writer).unwrap();
    let chunk = writer.take().unwrap();
    assert_eq!(column(std::slice::from_ref(&chunk.records), "landing_sequence"), ["40"]);
    let start = chunk.records.column_by_name("usage_start").unwrap();
    assert_eq!(start.as_primitive::<TimestampMicrosecondType>().value(0), 1_767_225_600_000_000);
    assert_eq!((chunk.rejected[0].line, chunk.rejected[0].raw.as_str()), (9, "second"));
    assert_eq!(
        (chunk.rejected[0].sequence, chunk.rejected[0].kind.as_str()),
        (41, "`distance` is not a number")
    );
}

#[test]
fn without_a_column_for_the_rest_nothing_is_dropped() {
    let name = LandingColumn { name: "a".into(), data_type: DataType::Int64, required: false, default: None };
    let shape = RecordShape::new(vec![name]).unwrap();
    let mut chunks =
        read(stream("-", r#"{"A": 1, "b": 2, "c": null}"#), None, &shape, &TimeZone::utc(), 0, 9).unwrap();
    assert_eq!(chunks.next().unwrap().unwrap().rejected[0].reason, "`b` is not a column");
}

#[test]
fn long_texts_are_cut() {
    let record = format!("{{\"a\": \"{}\u{e9}\"}}", "x".repeat(crate::land::record::chunk::RAW_LIMIT - 8));
    let (_, _, rejected) = land(stream("-", record.as_str()), "UTC");
    assert!(rejected[0].raw.ends_with("x ... [cut, 65539 bytes in all]"), "{}", &rejected[0].raw[65500..]);
}

proptest! {
    /// Nothing panics, and every record is somewhere, whatever the bytes and the format.
    #[test]
    fn garbage_is_received(
        pieces in prop::collection::vec(
            prop_oneof![
                "[ -~\n\r\"{},:\\[\\]\\\\]{0,12}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..8),
                Just(b"{\"transactionId\": \"t\", \"usageType\": \"u\", \"usageStart\": \"2026-01-01\"}\n".to_vec()),
                Just(CSV.as_bytes().to_vec()),
            ],
            0..12,
        ),
        name in prop_oneof![Just("-"), Just("a.ndjson"), Just("a.csv"), Just("a.json")],
    ) {
        let bytes = pieces.concat();
        if let Ok(chunks) = read(stream(name, bytes), None, &shape(), &TimeZone::utc(), 0, 3) {
            let mut last = -1;
            for chunk in chunks {
                let Ok(chunk) = chunk else { break };
                prop_assert_eq!(chunk.received, (chunk.records.num_rows() + chunk.rejected.len()) as u64);
                for sequence in chunk.records.column(0).as_primitive::<arrow::datatypes::Int64Type>().values() {
                    prop_assert!(*sequence > last);
                    last = *sequence;
                }
            }
        }
    }
}
