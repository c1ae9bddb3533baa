//! One cell as one value: the same reading of every type for all formats.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type};
use meterhouse_sql::cycle::TimeZone;
use meterhouse_sql::decimal::{DecimalError, parse_decimal};

use super::super::json::Cell;
use super::super::times::iso;
use super::shape::Kind;

/// What a number in place of a time lacks.
pub(in crate::land) const A_NUMBER: &str =
    "is a number: give ISO 8601, or declare what it counts (epoch in [source])";

/// One value of the record that is being read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::land) enum Slot {
    /// No field was there.
    Absent,
    Null,
    /// A reason was given already.
    Bad,
    /// A range of the record's texts.
    Text {
        from: usize,
        to: usize,
    },
    Decimal(i128),
    Int64(i64),
    Int32(i32),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC.
    Instant(i64),
}

/// Why a cell has no value of its column's type: completes a sentence that begins with the column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::land) struct Fault {
    /// The value, shortened; empty where the sentence does without it.
    pub(in crate::land) value: String,
    /// What is wrong with it.
    pub(in crate::land) what: String,
}

impl Fault {
    /// Of this value.
    pub(in crate::land) fn of(value: &str, what: impl Into<String>) -> Self {
        Self { value: shown(value), what: what.into() }
    }
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Self { value: String::new(), what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blank = if self.value.is_empty() { "" } else { " " };
        write!(out, "{}{blank}{}", self.value, self.what)
    }
}

/// Reads one cell as a type.
pub(in crate::land) fn slot_of(
    kind: Kind,
    cell: Cell<'_>,
    texts: &mut String,
    zone: &TimeZone,
) -> Result<Slot, Fault> {
    let text = match (kind, cell) {
        (_, Cell::Null) => return Ok(Slot::Null),
        (_, Cell::Nested(_)) => return Err("is an object or a list, not one value".into()),
        (_, Cell::Binary) => return Err("is binary; write it as text".into()),
        (_, Cell::Unreadable) => return Err("is not readable text".into()),
        (Kind::Text, Cell::Text(text) | Cell::Number(text)) => text,
        (Kind::Text | Kind::Boolean, Cell::Boolean(true)) => "true",
        (Kind::Text | Kind::Boolean, Cell::Boolean(false)) => "false",
        (Kind::Instant, Cell::Number(_)) => return Err(A_NUMBER.into()),
        (Kind::Date, Cell::Number(_)) => return Err("is a number, give YYYY-MM-DD".into()),
        (Kind::Boolean, Cell::Number(_)) => return Err("is a number, give true or false".into()),
        (_, Cell::Boolean(_)) => return Err("is true or false, not a value of its type".into()),
        (_, Cell::Text(text) | Cell::Number(text)) => match text.trim() {
            "" => return Ok(Slot::Null),
            text => text,
        },
    };
    Ok(match kind {
        Kind::Text => {
            let from = texts.len();
            texts.push_str(text);
            Slot::Text { from, to: texts.len() }
        }
        Kind::Decimal { precision, scale } => Slot::Decimal(decimal(text, precision, scale)?),
        Kind::Int64 => Slot::Int64(integer(text, "bigint")?),
        Kind::Int32 => Slot::Int32(integer(text, "int")?),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Slot::Boolean(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Slot::Boolean(false),
        Kind::Boolean => return Err(Fault::of(text, "is not true or false")),
        Kind::Date => {
            Slot::Date(date(text).ok_or_else(|| Fault::of(text, "is not a date, give YYYY-MM-DD"))?)
        }
        Kind::Instant => Slot::Instant(iso(text, zone, false).map_err(|what| Fault::of(text, what))?.instant),
    })
}

fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, Fault> {
    parse_decimal(text, precision, scale).map_err(|error| match error {
        DecimalError::NotANumber => Fault::of(text, "is not a number"),
        DecimalError::SurplusDecimals => Fault::of(text, format!("has more than {scale} decimals")),
        DecimalError::TooLarge => Fault::of(text, format!("is too large for decimal({precision}, {scale})")),
    })
}

/// A whole number; `1.0` and `1e3` are whole.
fn integer<T: TryFrom<i128>>(text: &str, type_name: &str) -> Result<T, Fault> {
    let too_large = || Fault::of(text, format!("is too large for {type_name}"));
    let number = parse_decimal(text, 38, 0).map_err(|error| match error {
        DecimalError::NotANumber => Fault::of(text, "is not a number"),
        DecimalError::SurplusDecimals => Fault::of(text, "is not a whole number"),
        DecimalError::TooLarge => too_large(),
    })?;
    T::try_from(number).map_err(|_| too_large())
}

/// Days since 1970-01-01 of `YYYY-MM-DD`, and of nothing else.
fn date(text: &str) -> Option<i32> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00").then(|| Date32Type::parse(text)).flatten()
}

/// A value as it is quoted in a reason.
fn shown(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// An Arrow column that is being built.
pub(in crate::land) struct Builder {
    values: Values,
    /// Rows behind the last value: most columns of a record have none, so these are appended at once.
    nulls: usize,
}

enum Values {
    Text(StringViewBuilder),
    Decimal(Decimal128Builder),
    Int64(Int64Builder),
    Int32(Int32Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Instant(TimestampMicrosecondBuilder),
}

impl Builder {
    /// An empty column of a type.
    pub(in crate::land) fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(StringViewBuilder::new()),
            Kind::Decimal { precision, scale } => Values::Decimal(
                Decimal128Builder::new().with_data_type(DataType::Decimal128(precision, scale)),
            ),
            Kind::Int64 => Values::Int64(Int64Builder::new()),
            Kind::Int32 => Values::Int32(Int32Builder::new()),
            Kind::Boolean => Values::Boolean(BooleanBuilder::new()),
            Kind::Date => Values::Date(Date32Builder::new()),
            Kind::Instant => Values::Instant(TimestampMicrosecondBuilder::new()),
        };
        Self { values, nulls: 0 }
    }

    /// Appends a slot, which is of the builder's kind or empty.
    pub(in crate::land) fn append(&mut self, slot: Slot, texts: &str) {
        if matches!(slot, Slot::Absent | Slot::Null | Slot::Bad) {
            self.nulls += 1;
            return;
        }
        if self.nulls > 0 {
            self.append_nulls();
        }
        match (&mut self.values, slot) {
            (Values::Text(builder), Slot::Text { from, to }) => builder.append_value(&texts[from..to]),
            (Values::Decimal(builder), Slot::Decimal(value)) => builder.append_value(value),
            (Values::Int64(builder), Slot::Int64(value)) => builder.append_value(value),
            (Values::Int32(builder), Slot::Int32(value)) => builder.append_value(value),
            (Values::Boolean(builder), Slot::Boolean(value)) => builder.append_value(value),
            (Values::Date(builder), Slot::Date(value)) => builder.append_value(value),
            (Values::Instant(builder), Slot::Instant(value)) => builder.append_value(value),
            _ => self.nulls = 1,
        }
    }

    fn append_nulls(&mut self) {
        let nulls = std::mem::take(&mut self.nulls);
        match &mut self.values {
            Values::Text(builder) => (0..nulls).for_each(|_| builder.append_null()),
            Values::Decimal(builder) => builder.append_nulls(nulls),
            Values::Int64(builder) => builder.append_nulls(nulls),
            Values::Int32(builder) => builder.append_nulls(nulls),
            Values::Boolean(builder) => builder.append_nulls(nulls),
            Values::Date(builder) => builder.append_nulls(nulls),
            Values::Instant(builder) => builder.append_nulls(nulls),
        }
    }

    /// The column so far; the builder is empty again.
    pub(in crate::land) fn finish(&mut self) -> ArrayRef {
        self.append_nulls();
        match &mut self.values {
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Decimal(builder) => Arc::new(builder.finish()),
            Values::Int64(builder) => Arc::new(builder.finish()),
            Values::Int32(builder) => Arc::new(builder.finish()),
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Instant(builder) => Arc::new(builder.finish().with_timezone("UTC")),
        }
    }
}
