//! Records in shapes that sources really write: objects in one line, times as numbers, bytes as ids.

use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::project::settings::{Decimals, EpochUnit, SourceSettings};

#[test]
fn objects_one_behind_another() {
    let one = |id: u32| {
        format!(r#"{{"transactionId": "{id}", "usageType": "u", "usageStart": "2026-01-01", "a": "}}{{"}}"#)
    };
    for (name, file, ids) in [
        ("a.json", format!("{}{}", one(1), one(2)), vec!["1", "2"]),
        ("a.ndjson", format!("{}{}", one(1), one(2)), vec!["1", "2"]),
        ("a.ndjson", format!("{}\n{} {}\n{},\n", one(1), one(2), one(3), one(4)), vec!["1", "2", "3", "4"]),
        ("a.ndjson", format!("{}\r{}\r{}", one(1), one(2), one(3)), vec!["1", "2", "3"]),
        ("a", format!("{}{}\r\n{}", one(1), one(2), one(3)), vec!["1", "2", "3"]),
        ("a.ndjson", format!("[{},\n{}]", one(1), one(2)), vec!["1", "2"]),
    ] {
        let (received, batches, rejected) = land(stream(name, file.as_str()), "UTC");
        assert_eq!(
            (column(&batches, "transaction_id"), rejected.len()),
            (ids.iter().map(|id| id.to_string()).collect::<Vec<_>>(), 0),
            "{file}"
        );
        assert_eq!(received, ids.len() as u64);
    }
    // A line that is broken behind a whole object costs no more than itself.
    let (received, _, rejected) =
        land(stream("a.ndjson", format!("{}\n{} {{\"b\":\n{}", one(1), one(2), one(3))), "UTC");
    assert_eq!((received, rejected.len(), rejected[0].line), (4, 1, 2));
}

#[test]
fn an_object_that_holds_the_list_is_told() {
    let (_, _, rejected) = land(stream("a.json", r#"{"records": [ {"transactionId": "1"}], "n": 1}"#), "UTC");
    assert_eq!(rejected[0].reason, "`records` holds a list: land the list itself, or its objects one a line");
}

#[test]
fn a_number_that_cannot_be_summed_is_rejected_with_its_line() {
    let record = |id: u32, distance: &str| {
        format!(
            r#"{{"transactionId": "{id}", "usageType": "u", "usageStart": "2026-01-01", "distance": {distance}}}"#
        )
    };
    let file = [
        record(1, "5"),
        record(2, "99999999999999999999999999"),
        record(3, "-99999999999999999999.9"),
        record(4, "-100000000000000000000"),
    ];
    let (_, batches, rejected) = land(stream("a.ndjson", file.join("\n")), "UTC");
    assert_eq!(column(&batches, "transaction_id"), ["1", "3"]);
    let reasons: Vec<_> = rejected.iter().map(|row| (row.line, row.reason.as_str())).collect();
    let reason = "`distance` has more than 20 digits before the point";
    assert_eq!(reasons, [(2, reason), (4, reason)]);
}

/// The hour that clocks show twice: the second record of an identity at that time is the later one.
#[test]
fn a_local_time_that_comes_twice() {
    let record = |id: &str, start: &str, end: &str| {
        format!(
            r#"{{"transactionId": "{id}", "usageType": "u", "usageStart": "2026-10-25T{start}", "usageEnd": "2026-10-25T{end}"}}"#
        )
    };
    let file = [
        record("m", "01:00", "02:00"),
        record("m", "02:00", "02:00"),
        record("m", "02:00", "03:00"),
        record("other", "02:00", "02:30"),
        record("m", "03:00", "04:00"),
    ];
    let (_, batches, rejected) = land(stream("a.ndjson", file.join("\n")), "Europe/Berlin");
    assert_eq!(rejected, []);
    let time = |text: &str| text[11..16].to_owned();
    let times = |name| column(&batches, name).iter().map(|text| time(text)).collect::<Vec<_>>();
    assert_eq!(times("usage_start"), ["23:00", "00:00", "01:00", "00:00", "02:00"]);
    assert_eq!(times("usage_end"), ["00:00", "00:00", "02:00", "00:30", "03:00"]);
}

#[test]
fn times_as_their_source_declares_them() {
    let rules = [("meter", Some(EpochUnit::Milliseconds), None), ("trace", None, Some(Decimals::Floor))];
    let rule =
        |(source, epoch, decimals): (&str, _, _)| (source.to_owned(), SourceSettings { epoch, decimals });
    let shape = shape().with_times(&rules.map(rule).into());
    // The source may stand behind the time.
    let file = r#"{"transactionId": "1", "usageType": "u", "usageStart": 1780387200123, "source": "meter"}
{"transactionId": "2", "usageType": "u", "usageStart": "2026-06-02T08:00:00.1234567Z", "source": "trace"}
{"transactionId": "3", "usageType": "u", "usageStart": "2026-06-02T08:00:00.1234567Z", "source": "meter"}
{"transactionId": "4", "usageType": "u", "usageStart": 1780387200}
{"transactionId": "5", "usageType": "u", "usageStart": "2026-06-02 08:00:00 UTC"}"#;
    let chunk = read(stream("a.ndjson", file), None, &shape, &TimeZone::utc(), 0, 9).unwrap().next();
    let chunk = chunk.unwrap().unwrap();
    assert_eq!(
        column(std::slice::from_ref(&chunk.records), "usage_start"),
        ["2026-06-02T08:00:00.123Z", "2026-06-02T08:00:00.123456Z", "2026-06-02T08:00:00Z"]
    );
    let reasons: Vec<_> = chunk.rejected.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "`usage_start` 2026-06-02T08:00:00.1234567Z is not a time: it is finer than a microsecond",
            "`usage_start` is a number: give ISO 8601, or declare what it counts (epoch in [source])",
        ]
    );
    assert_eq!(chunk.rejected[0].kind, "`usage_start` is not a time: it is finer than a microsecond");
}

/// A Parquet file without a schema of Arrow's, as Spark writes them: an INT96, a UUID and other bytes.
fn foreign_parquet() -> tempfile::NamedTempFile {
    let schema = "message m {
        required fixed_len_byte_array(16) transaction_id (UUID);
        required binary usage_type (STRING);
        required int96 usage_start;
        optional fixed_len_byte_array(4) vin;
    }";
    let file = tempfile::NamedTempFile::new().unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(file.reopen().unwrap(), schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let id: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
    let ids = [FixedLenByteArray::from(id.clone()), FixedLenByteArray::from(id)];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FixedLenByteArrayType>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&[ByteArray::from("u"), ByteArray::from("u")], None, None)
        .unwrap();
    column.close().unwrap();
    // 2026-06-30 is Julian day 2,461,222; 22:30 in nanoseconds.
    let mut time = Int96::new();
    let nanos: u64 = 81_000_000_000_000;
    time.set_data(nanos as u32, (nanos >> 32) as u32, 2_461_222);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(&[time, time], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let bytes = [FixedLenByteArray::from(b"WBA1".to_vec())];
    column.typed::<FixedLenByteArrayType>().write_batch(&bytes, Some(&[0, 1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn parquet_as_spark_writes_it() {
    let file = foreign_parquet();
    let (received, batches, rejected) = land(Input::File(file.path().into()), "Europe/Berlin");
    assert_eq!(received, 2);
    assert_eq!(column(&batches, "usage_start"), ["2026-06-30T22:30:00Z"]);
    assert_eq!(column(&batches, "transaction_id"), ["00112233-4455-6677-8899-aabbccddeeff"]);
    assert_eq!(rejected[0].reason, "`vin` is binary; write it as text");
}
