//! Rows of Arrow batches, from Parquet or from a mapping query, through the same checks as text.
//!
//! A column that already has the wanted type is taken as it is. Any other is first turned into text: decimals exactly,
//! doubles by their shortest decimal text, timestamps without a zone as local time.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array,
    RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, FieldRef, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};

use super::json::{Cell, write_json_string};
use super::record::{Kind, RecordWriter, Sink, Slot, raw_text};
use crate::error::{Error, Result, While};

/// Feeds all rows of a batch; its columns are matched by name.
///
/// `line` and `raws` say where each row comes from; without `raws` a rejected row is shown as a JSON object of its
/// cells.
///
/// # Errors
/// A column whose type cannot be read at all, such as a union.
pub(super) fn feed(
    batch: &RecordBatch,
    line: impl Fn(usize) -> u64,
    raws: Option<&StringViewArray>,
    writer: &mut RecordWriter,
) -> Result<()> {
    let options = EncoderOptions::default();
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let index = writer.shape().column_of(field.name());
        let kind = index.map(|index| writer.kind(index));
        let values = Values::of(field, array, kind, &options)?;
        columns.push((field.name(), index, array.nulls(), values));
    }
    let mut whole_rows = None;
    let mut json = Vec::new();
    for row in 0..batch.num_rows() {
        writer.begin();
        for (name, index, nulls, values) in &mut columns {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            match (values, *index) {
                (Values::Same(same), Some(index)) => writer.put(index, same.slot(row)),
                (Values::Text(texts), index) if texts.is_valid(row) => {
                    writer.field(name, index, Cell::Text(texts.value(row)));
                }
                (Values::Number(numbers), index) if numbers.is_valid(row) => {
                    writer.field(name, index, Cell::Number(numbers.value(row)));
                }
                (Values::Boolean(values), index) => {
                    writer.field(name, index, Cell::Boolean(values.value(row)))
                }
                (Values::Json(encoder), index) => {
                    json.clear();
                    // Some types, such as run-ends and dictionaries, know their nulls only inside.
                    if encoder.is_null(row) {
                        continue;
                    }
                    encoder.encode(row, &mut json);
                    let text = std::str::from_utf8(&json).during(|| format!("reading column {name}"))?;
                    writer.field(name, index, Cell::Nested(text));
                }
                (Values::Binary, index) => writer.field(name, index, Cell::Binary),
                (_, index) => writer.field(name, index, Cell::Unreadable),
            }
        }
        let mut raw = || match raws {
            Some(raws) if row < raws.len() => raws.value(row).to_owned(),
            _ => whole_rows.get_or_insert_with(|| RowTexts::new(batch, &options)).text(row),
        };
        writer.finish(line(row), &mut raw);
    }
    Ok(())
}

/// The values of one column, as they are handed on.
enum Values<'a> {
    Same(Same),
    Text(StringViewArray),
    Number(StringViewArray),
    Boolean(BooleanArray),
    /// Bytes of a fixed length, which are no text.
    Binary,
    Json(NullableEncoder<'a>),
}

/// A column that has the wanted type.
enum Same {
    Decimal(Decimal128Array),
    Int64(Int64Array),
    Int32(Int32Array),
    Date(Date32Array),
    Instant(TimestampMicrosecondArray),
}

impl Same {
    fn slot(&self, row: usize) -> Slot {
        match self {
            Same::Decimal(array) => Slot::Decimal(array.value(row)),
            Same::Int64(array) => Slot::Int64(array.value(row)),
            Same::Int32(array) => Slot::Int32(array.value(row)),
            Same::Date(array) => Slot::Date(array.value(row)),
            Same::Instant(array) => Slot::Instant(array.value(row)),
        }
    }
}

impl<'a> Values<'a> {
    /// `kind` is the type of the column that takes the values; none for a field without a column.
    fn of(
        field: &'a FieldRef,
        array: &'a ArrayRef,
        kind: Option<Kind>,
        options: &'a EncoderOptions,
    ) -> Result<Self> {
        let as_json = || {
            let encoder = make_encoder(field, array.as_ref(), options);
            encoder.map(Values::Json).map_err(|error| unreadable(field, &error))
        };
        let Some(kind) = kind else { return as_json() };
        let cast = |array: &ArrayRef, to: &DataType| {
            // A value that does not fit becomes null, which the caller tells from a null that was there before.
            let options = CastOptions { safe: true, ..CastOptions::default() };
            cast_with_options(array, to, &options).map_err(|error| unreadable(field, &error))
        };
        let flat = match array.data_type() {
            DataType::Dictionary(_, values) => cast(array, values)?,
            DataType::RunEndEncoded(_, values) => cast(array, values.data_type())?,
            _ => array.clone(),
        };
        if let Some(same) = same(&flat, kind) {
            return Ok(Values::Same(same));
        }
        if let Some(same) = with_more_decimals(&flat, kind) {
            return Ok(Values::Same(same));
        }
        let text = || Ok::<_, Error>(cast(&flat, &DataType::Utf8View)?.as_string_view().clone());
        Ok(match flat.data_type() {
            data_type if data_type.is_numeric() => Values::Number(text()?),
            DataType::Boolean => Values::Boolean(flat.as_boolean().clone()),
            DataType::Timestamp(
                TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond,
                Some(_),
            ) if kind == Kind::Instant => {
                let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                let instants = cast(&flat, &utc)?;
                // Beyond the range of microseconds the cast leaves nulls: such a column goes by its text, which says
                // so.
                if instants.null_count() == flat.null_count() {
                    Values::Same(Same::Instant(instants.as_primitive::<TimestampMicrosecondType>().clone()))
                } else {
                    Values::Text(text()?)
                }
            }
            DataType::Timestamp(unit, Some(_)) => {
                let utc = cast(&flat, &DataType::Timestamp(*unit, Some("UTC".into())))?;
                Values::Text(cast(&utc, &DataType::Utf8View)?.as_string_view().clone())
            }
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView => Values::Text(text()?),
            data_type if data_type.is_temporal() => Values::Text(text()?),
            DataType::FixedSizeBinary(_) => Values::Binary,
            _ => return as_json(),
        })
    }
}

/// The column as it is, where its type is the wanted one.
fn same(array: &ArrayRef, kind: Kind) -> Option<Same> {
    Some(match (kind, array.data_type()) {
        (Kind::Decimal { precision, scale }, DataType::Decimal128(p, s))
            if *s == scale && *p <= precision =>
        {
            Same::Decimal(array.as_primitive::<Decimal128Type>().clone())
        }
        (Kind::Int64, DataType::Int64) => Same::Int64(array.as_primitive::<Int64Type>().clone()),
        (Kind::Int32, DataType::Int32) => Same::Int32(array.as_primitive::<Int32Type>().clone()),
        (Kind::Date, DataType::Date32) => Same::Date(array.as_primitive::<Date32Type>().clone()),
        (Kind::Instant, DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            Same::Instant(array.as_primitive::<TimestampMicrosecondType>().clone())
        }
        _ => return None,
    })
}

/// The same numbers with more decimals, where the wanted type has room for all that stands before them.
fn with_more_decimals(array: &ArrayRef, kind: Kind) -> Option<Same> {
    let (Kind::Decimal { precision, scale }, DataType::Decimal128(digits, decimals)) =
        (kind, array.data_type())
    else {
        return None;
    };
    let before = |digits: u8, decimals: i8| i16::from(digits) - i16::from(decimals);
    if *decimals > scale || before(*digits, *decimals) > before(precision, scale) {
        return None;
    }
    // A file can hold more digits than it declares, which a cast does not look at.
    array.as_primitive::<Decimal128Type>().validate_decimal_precision(*digits).ok()?;
    same(
        &cast_with_options(array, &DataType::Decimal128(precision, scale), &CastOptions::default()).ok()?,
        kind,
    )
}

fn unreadable(field: &FieldRef, error: &dyn std::fmt::Display) -> Error {
    let what = format!("column `{}` of type {} cannot be read: {error}", field.name(), field.data_type());
    Error::data(what, "leave the column out, or write it as text")
}

/// Whole rows as JSON objects, nulls left out.
struct RowTexts<'a> {
    columns: Vec<(&'a FieldRef, &'a ArrayRef, Option<NullableEncoder<'a>>)>,
    json: Vec<u8>,
}

impl<'a> RowTexts<'a> {
    fn new(batch: &'a RecordBatch, options: &'a EncoderOptions) -> Self {
        let fields = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = fields
            .map(|(field, array)| (field, array, make_encoder(field, array.as_ref(), options).ok()))
            .collect();
        Self { columns, json: Vec::new() }
    }

    fn text(&mut self, row: usize) -> String {
        let json = &mut self.json;
        json.clear();
        for (field, array, encoder) in &mut self.columns {
            let Some(encoder) = encoder else { continue };
            if array.is_null(row) || encoder.is_null(row) {
                continue;
            }
            let mut name = String::new();
            write_json_string(field.name(), &mut name);
            json.push(if json.is_empty() { b'{' } else { b',' });
            json.extend_from_slice(name.as_bytes());
            json.push(b':');
            encoder.encode(row, json);
        }
        if json.is_empty() {
            json.push(b'{');
        }
        json.push(b'}');
        raw_text(json)
    }
}
