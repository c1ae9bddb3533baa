//! The values of rows as exported files write them: decimals exact, without zeros that say nothing, times in RFC 3339.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::answer::encode::short_decimal;
use crate::error::{Result, While};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number or a truth value, as JSON writes it.
    Plain(String),
    /// A decimal, exact.
    Decimal(String),
    /// An instant or a day.
    Time(String),
    /// Whatever somebody wrote.
    Text(String),
}

/// The rows of a batch, ready to be read cell by cell.
pub struct Cells<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
}

enum Column<'a> {
    Decimal(StringArray),
    Plain(ArrayFormatter<'a>, &'a ArrayRef),
    Time(ArrayFormatter<'a>, &'a ArrayRef),
    Text(ArrayFormatter<'a>, &'a ArrayRef),
}

impl<'a> Cells<'a> {
    /// The cells of a batch.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let working = || "writing rows".to_string();
        let options = FormatOptions::new()
            .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
            .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
        let mut columns = Vec::new();
        for column in batch.columns() {
            let data_type = column.data_type();
            if data_type.is_decimal() {
                let texts = cast(column, &DataType::Utf8).during(working)?;
                columns.push(Column::Decimal(texts.as_string::<i32>().clone()));
                continue;
            }
            let format = ArrayFormatter::try_new(column, &options).during(working)?;
            columns.push(match data_type {
                DataType::Boolean => Column::Plain(format, column),
                number if number.is_integer() => Column::Plain(format, column),
                time if time.is_temporal() => Column::Time(format, column),
                _ => Column::Text(format, column),
            });
        }
        Ok(Self { columns, rows: batch.num_rows() })
    }

    /// The rows, each with a cell for each column.
    pub fn rows(&self) -> impl Iterator<Item = Vec<Cell>> + '_ {
        (0..self.rows).map(|row| self.columns.iter().map(|column| column.cell(row)).collect())
    }
}

impl Column<'_> {
    fn cell(&self, row: usize) -> Cell {
        match self {
            Self::Decimal(texts) if texts.is_null(row) => Cell::Null,
            Self::Decimal(texts) => Cell::Decimal(short_decimal(texts.value(row))),
            Self::Plain(_, column) | Self::Time(_, column) | Self::Text(_, column) if column.is_null(row) => {
                Cell::Null
            }
            Self::Plain(format, _) => Cell::Plain(format.value(row).to_string()),
            Self::Time(format, _) => Cell::Time(format.value(row).to_string()),
            Self::Text(format, _) => Cell::Text(format.value(row).to_string()),
        }
    }
}

impl Cell {
    /// The cell in a CSV file. A text that a spreadsheet would run as a formula gets an apostrophe in front; numbers
    /// stay numbers, the negative ones too.
    pub fn csv(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Plain(text) | Self::Decimal(text) | Self::Time(text) => text,
            Self::Text(text) => neutral(text),
        }
    }

    /// The cell in JSON: decimals are strings, because a JSON number would be read as a double.
    pub fn json(self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Plain(text) => text,
            Self::Decimal(text) | Self::Time(text) | Self::Text(text) => {
                serde_json::Value::String(text).to_string()
            }
        }
    }
}

/// As OWASP's "CSV Injection" advises: what begins with one of these characters, plain or full width, is a formula to
/// some spreadsheet, also behind blanks and quotes.
fn neutral(text: String) -> String {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}', '"']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%') => {
            format!("'{text}")
        }
        _ => text,
    }
}

/// The columns with texts that every reader knows.
pub fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    std::sync::Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows with texts that every reader knows.
pub fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>().during(|| "writing rows".into())?;
    RecordBatch::try_new(schema.clone(), columns).during(|| "writing rows".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_numbers_stay_numbers() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\"=1", "＝1"] {
            assert_eq!(Cell::Text(text.into()).csv(), format!("'{text}"));
        }
        for text in ["a=b", "", "4711", "'x", "Zoë"] {
            assert_eq!(Cell::Text(text.into()).csv(), text);
        }
        assert_eq!(Cell::Decimal("-1.50".into()).csv(), "-1.50");
        assert_eq!(Cell::Plain("-3".into()).csv(), "-3");
        assert_eq!(Cell::Text("a\"b".into()).json(), r#""a\"b""#);
        assert_eq!(Cell::Decimal("-1.50".into()).json(), "\"-1.50\"");
        assert_eq!(Cell::Null.json(), "null");
    }
}
