use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, NullArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::*;

fn decimals(values: &[Option<i128>]) -> ArrayRef {
    let values: Decimal128Array = values.iter().copied().collect();
    Arc::new(values.with_precision_and_scale(38, 12).unwrap())
}

/// Rows with 26 digits before the point, and those behind it.
fn sample() -> RecordBatch {
    let most = 10_i128.pow(38) - 1;
    RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(vec![Some("=a|b"), None, Some("")])) as ArrayRef),
        ("amount", decimals(&[Some(-most), Some(12_300_000_000_000), None])),
    ])
    .unwrap()
}

fn written(encoder: Encoder, batches: &[RecordBatch]) -> String {
    String::from_utf8(bytes(encoder, batches)).unwrap()
}

fn bytes(mut encoder: Encoder, batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for batch in batches {
        bytes.extend(encoder.rows(batch).unwrap());
    }
    bytes.extend(encoder.finish().unwrap());
    bytes
}

const TEXTS: [Format; 5] = [Format::Csv, Format::Json, Format::Ndjson, Format::Table, Format::Markdown];

#[test]
fn a_decimal_has_one_spelling() {
    let batch = sample();
    for format in TEXTS {
        let text = written(Encoder::new(format, &batch.schema()).unwrap(), std::slice::from_ref(&batch));
        assert!(text.contains("-99999999999999999999999999.999999999999"), "{text}");
        assert!(text.contains("12.30") && !text.contains("12.300"), "{text}");
    }
}

#[test]
fn a_format_is_what_it_says() {
    let batch = sample();
    let text = |format| written(Encoder::new(format, &batch.schema()).unwrap(), std::slice::from_ref(&batch));
    let most = "-99999999999999999999999999.999999999999";
    assert_eq!(text(Format::Csv), format!("id,amount\n=a|b,{most}\n,12.30\n,\n"));
    let file = Encoder::for_file(Format::Csv, &batch.schema()).unwrap();
    let file = written(file, std::slice::from_ref(&batch));
    assert_eq!(file, format!("id,amount\n'=a|b,{most}\n,12.30\n,\n"));
    let rows = [
        format!(r#"{{"id":"=a|b","amount":"{most}"}}"#),
        r#"{"id":null,"amount":"12.30"}"#.into(),
        r#"{"id":"","amount":null}"#.into(),
    ];
    assert_eq!(text(Format::Ndjson), format!("{}\n", rows.join("\n")));
    assert_eq!(text(Format::Json), format!("{{\"schema_version\":1,\"rows\":[\n{}\n]}}\n", rows.join(",\n")));
    assert!(text(Format::Markdown).contains(r"| =a\|b |"), "{}", text(Format::Markdown));
}

#[test]
fn batches_leave_no_trace() {
    let batch = sample();
    let pieces: Vec<RecordBatch> = (0..4).map(|row| batch.slice(row.min(2), usize::from(row < 3))).collect();
    for format in TEXTS.into_iter().chain([Format::Parquet, Format::Arrow]) {
        let encoder = || Encoder::new(format, &batch.schema()).unwrap();
        assert_eq!(bytes(encoder(), std::slice::from_ref(&batch)), bytes(encoder(), &pieces), "{format:?}");
    }
}

#[test]
fn no_rows_are_a_document_too() {
    let schema = sample().schema();
    for (format, empty) in [
        (Format::Csv, "id,amount\n"),
        (Format::Json, "{\"schema_version\":1,\"rows\":[]}\n"),
        (Format::Ndjson, ""),
        (Format::Table, " id  amount\n────────────\n"),
    ] {
        assert_eq!(written(Encoder::new(format, &schema).unwrap(), &[]), empty);
        assert_eq!(written(Encoder::new(format, &schema).unwrap(), &[sample().slice(0, 0)]), empty);
    }
    let among = |format, number| Encoder::among(format, &schema, "name", "title", number == 0).unwrap();
    assert_eq!(written(among(Format::Json, 1), &[]), ",\"name\":[]");
    assert_eq!(written(among(Format::Csv, 1), &[]), "\n# name: title\nid,amount\n");
    assert_eq!(written(among(Format::Table, 0), &[]), "");
}

#[test]
fn what_has_parts_is_json_with_exact_decimals() {
    let item = Arc::new(Field::new("item", DataType::Decimal128(38, 12), true));
    let values = decimals(&[Some(1_500_000_000_000), None]);
    let list: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2]), values, None));
    let part = Arc::new(Field::new("cost", DataType::Decimal128(38, 12), true));
    let parts: ArrayRef =
        Arc::new(StructArray::new(vec![part].into(), vec![decimals(&[Some(2_000_000_000_000)])], None));
    let nothing: ArrayRef = Arc::new(NullArray::new(1));
    let batch = RecordBatch::try_from_iter([("list", list), ("parts", parts), ("nothing", nothing)]).unwrap();
    let text = |format| written(Encoder::new(format, &batch.schema()).unwrap(), std::slice::from_ref(&batch));
    assert_eq!(
        text(Format::Ndjson),
        "{\"list\":[\"1.50\",null],\"parts\":{\"cost\":\"2\"},\"nothing\":null}\n"
    );
    assert!(text(Format::Csv).ends_with("\"[\"\"1.50\"\",null]\",\"{\"\"cost\"\":\"\"2\"\"}\",\n"));
}

#[test]
fn a_wide_row_widens_its_column_from_its_block_on() {
    let names = |from: usize, to: usize| -> ArrayRef {
        let names = (from..to).map(|number| Some(if number == to - 1 { "wide enough" } else { "a" }));
        Arc::new(names.collect::<StringArray>())
    };
    let numbers = |from: usize, to: usize| -> ArrayRef {
        Arc::new((from..to).map(|number| Some(number as i64)).collect::<Int64Array>())
    };
    let rows = 2 * table::BLOCK_ROWS + 1;
    let batch = RecordBatch::try_from_iter([("name", names(0, rows)), ("number", numbers(0, rows))]).unwrap();
    let encoder = Encoder::new(Format::Table, &batch.schema()).unwrap();
    let text = written(encoder, &[batch]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), rows + 2);
    assert_eq!(lines[2], " a          0");
    assert_eq!(lines[table::BLOCK_ROWS + 2], " a       1024");
    assert_eq!(lines[rows + 1], " wide enough    2048");
}

#[test]
fn columns_of_one_name_are_refused_where_readers_see_one() {
    let field = || Field::new("x", DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![field(), field()]));
    for format in [Format::Json, Format::Ndjson, Format::Parquet, Format::Arrow] {
        assert!(Encoder::new(format, &schema).is_err());
    }
    assert!(Encoder::new(Format::Csv, &schema).is_ok());
}
