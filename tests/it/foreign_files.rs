//! Files as other programs write them: each is read right, or the message says what it is and what to do.

use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::sample::{Sample, said};

/// One record as JSON.
fn record(id: &str, decimals: &str) -> String {
    format!(
        "{{\"transaction_id\":\"{id}\",\"usage_type\":\"call\",\"usage_start\":\"2026-10-02T08:00:00{decimals}Z\",\"quantity\":3}}"
    )
}

/// Parquet as Spark writes it: a UUID, and an INT96, of 2026-06-30T22:30:00Z.
fn parquet() -> Vec<u8> {
    let schema = "message m {
        required fixed_len_byte_array(16) transaction_id (UUID);
        required binary usage_type (STRING);
        required int96 usage_start;
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let id: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FixedLenByteArrayType>().write_batch(&[FixedLenByteArray::from(id)], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("call")], None, None).unwrap();
    column.close().unwrap();
    // A Julian day, and nanoseconds.
    let mut time = Int96::new();
    let nanos: u64 = 81_000_000_000_000;
    time.set_data(nanos as u32, (nanos >> 32) as u32, 2_461_222);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(&[time], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn what_other_programs_write_is_read_or_named() {
    let sample = Sample::empty();
    let two = |ids: [&str; 2], end: &str| {
        [record(ids[0], ""), record(ids[1], ""), end.into()].concat().into_bytes()
    };
    let list = format!("{{\"records\":[{},{}]}}", record("l1", ""), record("l2", ""));
    let cases: Vec<(&str, Vec<u8>, i32, Vec<&str>)> = vec![
        ("two.json", two(["a1", "a2"], ""), 0, vec!["two.json: 2 received, 0 rejected"]),
        ("two", two(["b1", "b2"], ""), 0, vec!["two: 2 received, 0 rejected"]),
        ("two.ndjson", two(["c1", "c2"], "\n"), 0, vec!["two.ndjson: 2 received, 0 rejected"]),
        ("spark.parquet", parquet(), 0, vec!["spark.parquet: 1 received, 0 rejected"]),
        (
            "usage.zip",
            b"PK\x03\x04\x14\0\0\0\x08\0usage.csv".to_vec(),
            1,
            vec!["error: usage.zip is a ZIP file", "hint: unpack it, and land the files in it"],
        ),
        (
            "sheet.csv",
            b"PK\x03\x04\x14\0\0\0\x08\0xl/workbook.xml".to_vec(),
            1,
            vec![
                "error: sheet.csv is an Excel workbook",
                "hint: save the sheet as CSV (UTF-8), and land that",
            ],
        ),
        (
            "usage.csv",
            b"BZh91AY&SY\0\x01\x02\x03".to_vec(),
            1,
            vec!["error: usage.csv is compressed with bzip2", "hint: unpack it first (bunzip2)"],
        ),
        (
            "usage.xz",
            b"\xfd7zXZ\0\0\x04".to_vec(),
            1,
            vec!["error: usage.xz is compressed with xz", "hint: unpack it first (unxz)"],
        ),
        (
            "comma.ndjson",
            record("d1", ",123").into_bytes(),
            1,
            vec![
                "comma.ndjson: 1 received, 1 rejected",
                "`usage_start` is not a time: write the decimals of the second behind a point (first in line 1)",
                "error: each record of comma.ndjson was rejected",
            ],
        ),
        (
            "list.json",
            list.clone().into_bytes(),
            1,
            vec![
                "list.json: 1 received, 1 rejected",
                "`records` holds a list: land the list itself, or its objects one a line (first in line 1)",
            ],
        ),
    ];
    for (name, bytes, status, told) in cases {
        std::fs::write(sample.path().join(name), bytes).unwrap();
        let text = said(&sample, &["land", name], "");
        assert!(text.starts_with(&format!("exit {status}\n")), "{name}: {text}");
        for line in told {
            assert!(text.contains(line), "{name}, {line}: {text}");
        }
    }
    let landed = "select transaction_id, usage_start from usage_record where usage_start < '2026-10-01'";
    assert_eq!(sample.rows(landed), ["00112233-4455-6677-8899-aabbccddeeff,2026-06-30T22:30:00Z"]);
    assert_eq!(sample.rows("select count(*), sum(quantity) from usage_record"), ["7,18"]);
}
