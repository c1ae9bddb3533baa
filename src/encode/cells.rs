//! The values of rows as text: each has one spelling, wherever rows are written.
//!
//! Decimals are exact: all digits, and no zeros behind the last that says something, but for cents where there are
//! some: `3`, `12.30`, `0.004`. Times are RFC 3339, those of a zone with their offset. What has parts, such as a list,
//! is JSON, in a cell of CSV too.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Result, While};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number, a truth value, a finite double, or what has parts: as JSON writes it.
    Plain(Cow<'a, str>),
    /// A decimal, exact.
    Decimal(Cow<'a, str>),
    /// An instant or a day.
    Time(String),
    /// Whatever somebody wrote.
    Text(Cow<'a, str>),
}

/// The rows of a batch, ready to be read cell by cell.
pub struct Cells<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
}

struct Column<'a> {
    values: Values<'a>,
    /// Also of types that know their nulls only inside.
    nulls: Option<NullBuffer>,
}

enum Values<'a> {
    Decimal(StringArray),
    Text(StringArray),
    Parts(StringArray),
    Plain(ArrayFormatter<'a>),
    Double(ArrayFormatter<'a>),
    Time(ArrayFormatter<'a>),
    Other(ArrayFormatter<'a>),
}

fn working() -> String {
    "writing rows".into()
}

impl<'a> Cells<'a> {
    /// The cells of a batch.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let fields = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| Column::of(field, column)).collect::<Result<_>>()?;
        Ok(Self { columns, rows: batch.num_rows() })
    }

    /// The rows, each with a cell for each column.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = Cell<'_>>> {
        (0..self.rows).map(|row| self.columns.iter().map(move |column| column.cell(row)))
    }
}

impl<'a> Column<'a> {
    fn of(field: &FieldRef, column: &'a ArrayRef) -> Result<Self> {
        // The clocks of a zone say nothing without their offset.
        let of_zone = match column.data_type() {
            DataType::Timestamp(_, Some(zone)) if matches!(&**zone, "UTC" | "+00:00") => {
                "%Y-%m-%dT%H:%M:%S%.fZ"
            }
            _ => "%Y-%m-%dT%H:%M:%S%.f%:z",
        };
        let options = FormatOptions::new()
            .with_timestamp_tz_format(Some(of_zone))
            .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
        let shown = || ArrayFormatter::try_new(column, &options).during(working);
        let texts = || Ok(cast(column, &DataType::Utf8).during(working)?.as_string::<i32>().clone());
        let values = match column.data_type() {
            decimal if decimal.is_decimal() => Values::Decimal(texts()?),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Values::Text(texts()?),
            parts if parts.is_nested() => Values::Parts(json_of(field, column).during(working)?),
            DataType::Boolean => Values::Plain(shown()?),
            number if number.is_integer() => Values::Plain(shown()?),
            double if double.is_floating() => Values::Double(shown()?),
            DataType::Interval(_) | DataType::Duration(_) => Values::Other(shown()?),
            time if time.is_temporal() => Values::Time(shown()?),
            _ => Values::Other(shown()?),
        };
        Ok(Self { values, nulls: column.logical_nulls() })
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Cell::Null;
        }
        match &self.values {
            Values::Decimal(texts) => Cell::Decimal(short_decimal(texts.value(row))),
            Values::Text(texts) => Cell::Text(texts.value(row).into()),
            Values::Parts(texts) => Cell::Plain(texts.value(row).into()),
            Values::Plain(shown) => Cell::Plain(shown.value(row).to_string().into()),
            // What is not a number is a word.
            Values::Double(shown) => match shown.value(row).to_string() {
                number if number.ends_with(|last: char| last.is_ascii_digit()) => Cell::Plain(number.into()),
                word => Cell::Text(word.into()),
            },
            Values::Time(shown) => Cell::Time(shown.value(row).to_string()),
            Values::Other(shown) => Cell::Text(shown.value(row).to_string().into()),
        }
    }
}

impl<'a> Cell<'a> {
    /// The cell in a CSV file.
    pub fn csv(self) -> Cow<'a, str> {
        match self {
            Self::Null => "".into(),
            Self::Plain(text) | Self::Decimal(text) | Self::Text(text) => text,
            Self::Time(text) => text.into(),
        }
    }

    /// The same for a spreadsheet. A text that it would run as a formula gets an apostrophe in front; numbers stay
    /// numbers, the negative ones too.
    pub fn neutral_csv(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => neutral(text),
            other => other.csv(),
        }
    }

    /// Writes the cell as JSON: decimals are strings, because a JSON number would be read as a double.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Plain(text) => out.extend_from_slice(text.as_bytes()),
            Self::Decimal(text) | Self::Text(text) => write_json_text(text, out),
            Self::Time(text) => write_json_text(text, out),
        }
    }

    /// The cell as a person reads it on a screen: a character that would command the terminal is shown instead.
    pub fn screen(self) -> String {
        let text = self.csv();
        if !text.chars().any(|character| character.is_control()) {
            return text.into_owned();
        }
        let shown = |character: char| match character {
            '\n' => "\n".to_string(),
            character if character.is_control() => character.escape_default().to_string(),
            character => character.to_string(),
        };
        text.chars().map(shown).collect()
    }
}

/// One value of a column, as a person reads it in a sentence; none if there is none.
pub fn value_text(column: &ArrayRef, row: usize) -> Option<String> {
    let value = column.slice(row, 1);
    let field = Arc::new(Field::new("value", value.data_type().clone(), true));
    match Column::of(&field, &value).ok()?.cell(0) {
        Cell::Null => None,
        cell => Some(cell.screen()),
    }
}

/// Writes a text as a JSON string.
pub fn write_json_text(text: &str, out: &mut Vec<u8>) {
    // A text always can be written to memory.
    let _ = serde_json::to_writer(out, text);
}

/// As OWASP's "CSV Injection" advises: what begins with one of these characters, plain or full width, is a formula to
/// some spreadsheet, also behind blanks and quotes.
fn neutral(text: Cow<'_, str>) -> Cow<'_, str> {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}', '"']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%') => {
            format!("'{text}").into()
        }
        _ => text,
    }
}

/// `1500.50` of `1500.500000000000`, `12.30` of `12.3`, `3` of `3.000000000000`.
pub fn short_decimal(text: &str) -> Cow<'_, str> {
    let Some((whole, fraction)) = text.split_once('.') else { return text.into() };
    match fraction.trim_end_matches('0').len() {
        0 => whole.into(),
        1 if fraction.len() == 1 => format!("{text}0").into(),
        digits => text[..=whole.len() + digits.max(2)].into(),
    }
}

/// What has parts, as JSON.
fn json_of(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Exact));
    let mut encoder = make_encoder(field, column, &options)?;
    let mut bytes = Vec::new();
    let texts = (0..column.len()).map(|row| {
        bytes.clear();
        if encoder.is_null(row) {
            return None;
        }
        encoder.encode(row, &mut bytes);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    Ok(texts.collect())
}

/// Decimals within lists and structs are spelled as elsewhere.
#[derive(Debug)]
struct Exact;

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_decimal() {
            return Ok(None);
        }
        let texts = cast(array, &DataType::Utf8)?.as_string::<i32>().clone();
        Ok(Some(NullableEncoder::new(Box::new(Decimals(texts)), array.nulls().cloned())))
    }
}

struct Decimals(StringArray);

impl Encoder for Decimals {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        write_json_text(&short_decimal(self.0.value(row)), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(cell: &Cell<'_>) -> String {
        let mut bytes = Vec::new();
        cell.write_json(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_decimal_drops_zeros_that_say_nothing() {
        for (full, short) in [
            ("12.300000000000", "12.30"),
            ("3.000000000000", "3"),
            ("0.123456000000", "0.123456"),
            ("-0.004000000000", "-0.004"),
            ("0.5", "0.50"),
            ("0.0", "0"),
            ("100", "100"),
            ("99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
        ] {
            assert_eq!(short_decimal(full), short);
        }
    }

    #[test]
    fn formulas_are_texts_and_numbers_stay_numbers() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\"=1", "＝1"] {
            assert_eq!(Cell::Text(text.into()).neutral_csv(), format!("'{text}"));
            assert_eq!(Cell::Text(text.into()).csv(), text);
        }
        for text in ["a=b", "", "4711", "'x", "Zoë"] {
            assert_eq!(Cell::Text(text.into()).neutral_csv(), text);
        }
        assert_eq!(Cell::Decimal("-1.50".into()).neutral_csv(), "-1.50");
        assert_eq!(Cell::Plain("-3".into()).neutral_csv(), "-3");
        assert_eq!(json(&Cell::Text("a\"b".into())), r#""a\"b""#);
        assert_eq!(json(&Cell::Decimal("-1.50".into())), "\"-1.50\"");
        assert_eq!(json(&Cell::Null), "null");
    }

    #[test]
    fn a_text_does_not_command_the_terminal() {
        assert_eq!(Cell::Text("a\u{1b}[2Jb\tc\nd".into()).screen(), "a\\u{1b}[2Jb\\tc\nd");
    }
}
