//! `row_hash`: one stable number for the values of a row.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, Int64Array, LargeListArray,
    PrimitiveArray, StringViewArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationNanosecondType, Field, FieldRef,
    Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type, i256,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use xxhash_rust::xxh3::xxh3_64;

use super::arguments::Arguments;
use super::scalar::documentation;

const NAME: &str = "row_hash";

/// What `row_hash` gives for one bigint, for those who count records before there is SQL to do it.
pub fn hash_of_bigint(value: i64) -> i64 {
    let mut bytes = [0; 17];
    bytes[0] = 2;
    bytes[1..].copy_from_slice(&i128::from(value).to_le_bytes());
    xxh3_64(&bytes) as i64
}

/// What `row_hash` gives for texts, none of them null; `encoded` is room for their bytes.
pub fn hash_of_texts<'a>(texts: impl IntoIterator<Item = &'a str>, encoded: &mut Vec<u8>) -> i64 {
    encoded.clear();
    for text in texts {
        encoded.push(5);
        encoded.extend((text.len() as u64).to_le_bytes());
        encoded.extend(text.as_bytes());
    }
    xxh3_64(encoded) as i64
}

/// `row_hash(value, ...)`: a 64-bit hash of values of any types, as a bigint.
///
/// It is XXH3-64 (github.com/Cyan4973/xxHash, seed 0) over the values in order, each written as the byte of its tag,
/// then, little-endian:
///
/// | value | tag | bytes |
/// |---|---|---|
/// | null | 0 | |
/// | boolean | 1 | 1: 0 or 1 |
/// | integer of any width | 2 | 16 |
/// | decimal of any width | 3 | 1: scale, 32: unscaled, both without trailing zeros |
/// | float of any width | 4 | 8: as a double; one NaN, no negative zero |
/// | text | 5 | 8: length in bytes, UTF-8 |
/// | binary | 6 | 8: length, bytes |
/// | date | 7 | 8: days since 1970 |
/// | time of day | 8 | 8: nanoseconds |
/// | timestamp, with zone, without | 9, 10 | 16: nanoseconds since 1970 |
/// | duration | 11 | 8: nanoseconds |
/// | interval | 12 | 16: months, days, nanoseconds |
/// | list, map | 13 | 8: length, its values; a map's are structs |
/// | struct | 14 | 8: number of fields, their values |
///
/// So it is the same for all ways to store a value, and depends on the row alone. Changing it changes every stored
/// hash. A type that is not listed is an error when the query is planned.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RowHash {
    signature: Signature,
}

impl RowHash {
    pub(super) fn new() -> Self {
        Self { signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    documentation(
        "row_hash(value, ...) -> bigint",
        "One number for the values of a row, of any types, that is the same however they are stored: XXH3-64 of the \
        values in their order, with the type of each. It depends on the row alone, and is never null. A type that \
        cannot be hashed is an error.",
        &[("value", "a value of any type; null counts, too")],
        "select row_hash(1, 'a', null)\n-- -7209090061692807934",
    )
});

/// The type that values are stored as while they are hashed; `None` for a type that cannot be hashed.
fn canonical(found: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256,
        Dictionary, Duration, FixedSizeBinary, FixedSizeList, Float64, Int64, Interval, LargeBinary,
        LargeList, LargeUtf8, List, Map, Null, Struct, Time32, Time64, Timestamp, UInt64, Utf8, Utf8View,
    };
    let nanoseconds = TimeUnit::Nanosecond;
    Some(match found {
        Null | Boolean | Decimal128(..) | Decimal256(..) | Timestamp(..) => found.clone(),
        found if found.is_signed_integer() => Int64,
        found if found.is_unsigned_integer() => UInt64,
        found if found.is_floating() => Float64,
        Decimal32(precision, scale) | Decimal64(precision, scale) => Decimal128(*precision, *scale),
        Utf8 | LargeUtf8 | Utf8View => Utf8View,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => BinaryView,
        Date32 | Date64 => Date32,
        Time32(_) | Time64(_) => Time64(nanoseconds),
        Duration(_) => Duration(nanoseconds),
        Interval(_) => Interval(IntervalUnit::MonthDayNano),
        Dictionary(_, value) => canonical(value)?,
        List(item) | LargeList(item) | FixedSizeList(item, _) => LargeList(canonical_field(item)?),
        Map(entries, _) => canonical(entries.data_type()).map(|_| found.clone())?,
        Struct(fields) => Struct(fields.iter().map(canonical_field).collect::<Option<_>>()?),
        _ => return None,
    })
}

fn canonical_field(field: &Arc<Field>) -> Option<Arc<Field>> {
    Some(Arc::new(Field::new(field.name(), canonical(field.data_type())?, field.is_nullable())))
}

/// One column, ready to be written value by value.
struct Column {
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Null,
    Boolean(BooleanArray),
    Integer(Int64Array),
    Unsigned(PrimitiveArray<UInt64Type>),
    Decimal128(PrimitiveArray<Decimal128Type>, i8),
    Decimal256(PrimitiveArray<Decimal256Type>, i8),
    Float(PrimitiveArray<Float64Type>),
    Text(StringViewArray),
    Binary(BinaryViewArray),
    /// Values of 8 bytes, with their tag: dates, times of day, durations.
    Plain(u8, Vec<i64>),
    /// Instants or wall-clock times, with their tag and the nanoseconds of their unit.
    Timestamp(u8, Vec<i64>, i128),
    Interval(PrimitiveArray<IntervalMonthDayNanoType>),
    List(LargeListArray, Box<Column>),
    Struct(Vec<Column>),
}

impl Column {
    fn new(array: &ArrayRef) -> Result<Self> {
        let Some(wanted) = canonical(array.data_type()) else {
            return exec_err!("{NAME} cannot hash {}", array.data_type());
        };
        if let DataType::Map(entries, _) = array.data_type() {
            let map = array.as_map();
            let list = arrow::array::ListArray::try_new(
                Arc::clone(entries),
                map.offsets().clone(),
                Arc::new(map.entries().clone()),
                map.nulls().cloned(),
            )?;
            return Self::new(&(Arc::new(list) as ArrayRef));
        }
        let array = if array.data_type() == &wanted {
            Arc::clone(array)
        } else {
            // What the canonical type cannot hold is an error, not a null.
            cast_with_options(array, &wanted, &CastOptions { safe: false, ..CastOptions::default() })?
        };
        Ok(Self { nulls: array.nulls().cloned(), values: Values::new(&array)? })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.push(0);
        } else {
            self.values.write(row, out);
        }
    }
}

fn integers<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Vec<i64> {
    array.as_primitive::<T>().values().to_vec()
}

impl Values {
    /// The values of an array of a canonical type.
    fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive().clone()),
            DataType::Decimal128(_, scale) => Self::Decimal128(array.as_primitive().clone(), *scale),
            DataType::Decimal256(_, scale) => Self::Decimal256(array.as_primitive().clone(), *scale),
            DataType::Float64 => Self::Float(array.as_primitive().clone()),
            DataType::Utf8View => Self::Text(array.as_string_view().clone()),
            DataType::BinaryView => Self::Binary(array.as_binary_view().clone()),
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>().values();
                Self::Plain(7, days.iter().map(|day| i64::from(*day)).collect())
            }
            DataType::Time64(_) => Self::Plain(8, integers::<Time64NanosecondType>(array)),
            DataType::Duration(_) => Self::Plain(11, integers::<DurationNanosecondType>(array)),
            DataType::Timestamp(unit, zone) => {
                let (values, nanoseconds) = match unit {
                    TimeUnit::Second => (integers::<TimestampSecondType>(array), 1_000_000_000),
                    TimeUnit::Millisecond => (integers::<TimestampMillisecondType>(array), 1_000_000),
                    TimeUnit::Microsecond => (integers::<TimestampMicrosecondType>(array), 1_000),
                    TimeUnit::Nanosecond => (integers::<TimestampNanosecondType>(array), 1),
                };
                Self::Timestamp(if zone.is_some() { 9 } else { 10 }, values, nanoseconds)
            }
            DataType::Interval(_) => Self::Interval(array.as_primitive().clone()),
            DataType::LargeList(_) => {
                let list: &LargeListArray = array.as_list();
                Self::List(list.clone(), Box::new(Column::new(list.values())?))
            }
            DataType::Struct(_) => {
                let columns: &StructArray = array.as_struct();
                Self::Struct(columns.columns().iter().map(Column::new).collect::<Result<_>>()?)
            }
            other => return exec_err!("{NAME} cannot hash {other}"),
        })
    }

    /// Appends a value that is not null, as the table at [`RowHash`] says.
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Boolean(values) => out.extend([1, u8::from(values.value(row))]),
            Self::Integer(values) => write_tagged(2, &i128::from(values.value(row)).to_le_bytes(), out),
            Self::Unsigned(values) => write_tagged(2, &i128::from(values.value(row)).to_le_bytes(), out),
            Self::Decimal128(values, scale) => write_decimal(values.value(row), *scale, out),
            Self::Decimal256(values, scale) => write_wide_decimal(values.value(row), *scale, out),
            Self::Float(values) => write_tagged(4, &canonical_float(values.value(row)).to_le_bytes(), out),
            Self::Text(values) => write_bytes(5, values.value(row).as_bytes(), out),
            Self::Binary(values) => write_bytes(6, values.value(row), out),
            Self::Plain(tag, values) => write_tagged(*tag, &values[row].to_le_bytes(), out),
            Self::Timestamp(tag, values, nanoseconds) => {
                write_tagged(*tag, &(i128::from(values[row]) * nanoseconds).to_le_bytes(), out);
            }
            Self::Interval(values) => {
                let interval = values.value(row);
                write_tagged(12, &interval.months.to_le_bytes(), out);
                out.extend(interval.days.to_le_bytes());
                out.extend(interval.nanoseconds.to_le_bytes());
            }
            Self::List(list, items) => {
                let (start, end) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
                write_tagged(13, &(end - start).to_le_bytes(), out);
                for item in start..end {
                    // Offsets of an array in memory are never negative.
                    items.write(usize::try_from(item).unwrap_or_default(), out);
                }
            }
            Self::Struct(columns) => {
                write_tagged(14, &(columns.len() as u64).to_le_bytes(), out);
                for column in columns {
                    column.write(row, out);
                }
            }
        }
    }
}

fn write_tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn write_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_tagged(tag, &(bytes.len() as u64).to_le_bytes(), out);
    out.extend_from_slice(bytes);
}

/// A decimal, in the form that `1.5` and `1.500` share. Most fit a machine word, whose division is ten times faster.
fn write_decimal(mut value: i128, mut scale: i8, out: &mut Vec<u8>) {
    if let Ok(mut word) = i64::try_from(value) {
        while word != 0 && word % 10 == 0 && scale > i8::MIN {
            word /= 10;
            scale -= 1;
        }
        value = i128::from(word);
    }
    write_wide_decimal(i256::from_i128(value), scale, out);
}

fn write_wide_decimal(mut value: i256, mut scale: i8, out: &mut Vec<u8>) {
    let ten = i256::from_i128(10);
    if value == i256::ZERO {
        scale = 0;
    }
    while value != i256::ZERO && scale > i8::MIN && value.wrapping_rem(ten) == i256::ZERO {
        value = value.wrapping_div(ten);
        scale -= 1;
    }
    out.push(3);
    out.extend(scale.to_le_bytes());
    out.extend(value.to_le_bytes());
}

fn canonical_float(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

impl ScalarUDFImpl for RowHash {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        match found.iter().find(|found| canonical(found).is_none()) {
            Some(found) => plan_err!("{NAME} cannot hash {found}; cast it"),
            None => Ok(DataType::Int64),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }

    /// Also of nulls there is a hash.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let found: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(NAME, self.return_type(&found)?, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(NAME, &args)?;
        let mut columns = Vec::with_capacity(args.args.len());
        for value in &args.args {
            columns.push(match value {
                ColumnarValue::Array(array) => (Column::new(array)?, false),
                ColumnarValue::Scalar(value) => (Column::new(&value.to_array()?)?, true),
            });
        }
        let mut encoded = Vec::new();
        let mut hash = |row: usize| {
            encoded.clear();
            for (column, constant) in &columns {
                column.write(if *constant { 0 } else { row }, &mut encoded);
            }
            xxh3_64(&encoded).cast_signed()
        };
        let hashes: Vec<i64> = (0..arguments.rows()).map(&mut hash).collect();
        arguments.finish(Arc::new(Int64Array::from(hashes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::tests::{rows, value};

    fn hash(arguments: &str) -> String {
        value(&format!("row_hash({arguments})")).unwrap()
    }

    #[test]
    fn a_bigint_has_the_same_hash_outside_of_sql() {
        for value in [0, 7_000_000_012, -1, i64::MIN] {
            let sql = format!("select row_hash(cast('{value}' as bigint))");
            assert_eq!(rows(&sql).unwrap(), [super::hash_of_bigint(value).to_string()]);
        }
    }

    #[test]
    fn texts_have_the_same_hash_outside_of_sql() {
        for (one, other) in [("usage", "TR000001"), ("", "ä"), ("a", "")] {
            let sql = format!("select row_hash('{one}', '{other}')");
            let hash = super::hash_of_texts([one, other], &mut Vec::new());
            assert_eq!(rows(&sql).unwrap(), [hash.to_string()]);
        }
    }

    #[test]
    fn published_hash_of_published_bytes() {
        // The XXH3-64 of nothing, seed 0, from xxHash's own sanity checks.
        assert_eq!(xxh3_64(&[]), 0x2D06_8005_38D3_94C2);
        let text = [&[5u8][..], &3u64.to_le_bytes(), b"abc"].concat();
        assert_eq!(hash("'abc'"), xxh3_64(&text).cast_signed().to_string());
        let pair = [&text[..], &[0], &[2], &7i128.to_le_bytes()].concat();
        assert_eq!(hash("'abc', null, 7"), xxh3_64(&pair).cast_signed().to_string());
        let decimal = [&[3u8, 1][..], &15i128.to_le_bytes(), &[0; 16]].concat();
        assert_eq!(hash("1.500"), xxh3_64(&decimal).cast_signed().to_string());
    }

    #[test]
    fn the_same_however_it_is_stored() {
        for same in [
            ["'abc'", "arrow_cast('abc', 'LargeUtf8')"],
            ["arrow_cast('abc', 'Utf8View')", "arrow_cast('abc', 'Dictionary(Int32, Utf8)')"],
            ["1::smallint", "arrow_cast(1, 'UInt64')"],
            ["1.5", "cast(1.5 as decimal(38, 12))"],
            ["0.0", "cast(0 as decimal(38, 12))"],
            ["cast(-1500 as decimal(10, 2))", "arrow_cast(-1500, 'Decimal256(60, 20)')"],
            ["12345678901234567890123456.5", "12345678901234567890123456.500"],
            [
                "'2026-10-31'::timestamptz",
                "arrow_cast('2026-10-31'::timestamptz, 'Timestamp(Microsecond, Some(\"UTC\"))')",
            ],
            ["[1, 2]", "arrow_cast([1, 2], 'LargeList(Int8)')"],
            ["0.0::double", "-0.0::double"],
            ["1.5::real", "1.5::double"],
            ["named_struct('a', 1, 'b', 'x')", "named_struct('c', 1::smallint, 'd', 'x')"],
        ] {
            assert_eq!(hash(same[0]), hash(same[1]), "{same:?}");
        }
    }

    #[test]
    fn different_values_differ() {
        let different = [
            "null",
            "''",
            "'', ''",
            "null, null",
            "'', null",
            "null, ''",
            "'a', 'b'",
            "'ab', ''",
            "'ab'",
            "1",
            "'1'",
            "1.0",
            "1.0::double",
            "true",
            "false",
            "0",
            "'1970-01-01'::date",
            "'1970-01-01'::timestamp",
            "'1970-01-01'::timestamptz",
            "[1]",
            "[[1]]",
            "[1, null]",
            "named_struct('a', 1)",
            "map(['a'], [1])",
            "interval '1 month'",
            "x'31'",
        ];
        let hashes: std::collections::BTreeSet<String> = different.map(hash).into_iter().collect();
        assert_eq!(hashes.len(), different.len());
    }

    #[test]
    fn rows_do_not_depend_on_their_batch() {
        let one = hash("'source', 'id-3'");
        let all = "select hash from (select value, row_hash('source', concat('id-', value::varchar)) as hash
            from generate_series(1, 20000)) as hashed where value = 3";
        assert_eq!(rows(all).unwrap(), [one.as_str()]);
        let sliced =
            "select row_hash(s, i) from (select 'source' as s, concat('id-', value::varchar) as i from
            generate_series(1, 5) order by value limit 1 offset 2) as part";
        assert_eq!(rows(sliced).unwrap(), [one]);
    }

    /// Run by hand: `cargo test --release --lib -- --ignored --nocapture speed_of_row_hash`.
    #[test]
    #[ignore = "prints timings"]
    fn speed_of_row_hash() {
        let context = crate::functions::tests::session();
        let run = |sql: &str| crate::functions::tests::rows_in(&context, sql).unwrap();
        run(
            "create table usage as select 'meter-gateway' as source, uuid() as id from generate_series(1, 5000000)",
        );
        for sql in [
            "select max(length(source)), max(length(id)) from usage",
            "select max(row_hash(source, id)) from usage",
        ] {
            let start = std::time::Instant::now();
            run(sql);
            println!("{} ms for 5 million rows: {sql}", start.elapsed().as_millis());
        }
    }
}
