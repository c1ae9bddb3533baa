//! The columns that landing fills, and which field of a record feeds which.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use meterhouse_sql::decimal::{POWERS_OF_TEN, SUMMABLE_DIGITS};
use meterhouse_sql::name::normal_name;

use super::super::times::TimeRules;
use crate::error::{Error, Result};
use crate::project::settings::SourceSettings;

/// One input column as landing needs it.
#[derive(Debug, Clone)]
pub struct LandingColumn {
    /// Its name, in snake_case.
    pub name: String,
    /// Utf8View, Decimal128, Int64, Int32, Boolean, Date32, or Timestamp in microseconds UTC.
    pub data_type: DataType,
    /// Whether a record without it is rejected. An empty string is nothing.
    pub required: bool,
    /// What stands in where a record has nothing.
    pub default: Option<LandingDefault>,
}

/// What a column holds where a record has nothing for it.
#[derive(Debug, Clone)]
pub enum LandingDefault {
    /// This text, read like a cell.
    Text(String),
    /// What the other column of the same type holds.
    Column(String),
    /// This text in every record: the column is never read from input.
    Fixed(String),
}

/// The columns of a usage record, checked: names that no two columns share, in whatever case, and types that landing
/// reads.
///
/// Five names mean something by themselves. A varchar column `attributes` takes every field that has no column, as one
/// JSON object; without it a record with such a field is rejected. `landing_sequence` (bigint), `landing_id` (bigint),
/// `id_hash` (bigint, `row_hash` of `source` and `transaction_id`) and `usage_date` (date, the UTC date of
/// `usage_start`) are filled here and never read from input.
#[derive(Debug, Clone)]
pub struct RecordShape {
    pub(super) columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    schema: SchemaRef,
    pub(super) rest: Option<usize>,
    pub(super) usage_start: Option<usize>,
    pub(super) usage_end: Option<usize>,
    pub(super) usage_type: Option<usize>,
    pub(super) source: Option<usize>,
    pub(super) transaction_id: Option<usize>,
    /// How sources write their times.
    pub(super) times: TimeRules,
    /// Whether the text of a record that is read is kept beside it.
    pub(super) keeps_text: bool,
    /// Whether a column takes the hash of its identity.
    pub(super) has_id_hash: bool,
}

/// One checked column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) origin: Origin,
    /// From here on a decimal is too large to be summed.
    pub(super) limit: u128,
}

/// Where the value of a column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Field { or: Option<Fallback> },
    Fixed(String),
    Rest,
    Sequence,
    LandingId,
    IdHash,
    UsageDate,
}

/// What a field is replaced by where it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fallback {
    Text(String),
    Column(usize),
}

/// A type that landing reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::land) enum Kind {
    Text,
    Decimal { precision: u8, scale: i8 },
    Int64,
    Int32,
    Boolean,
    Date,
    Instant,
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8View => Kind::Text,
            DataType::Decimal128(precision, scale) => Kind::Decimal { precision: *precision, scale: *scale },
            DataType::Int64 => Kind::Int64,
            DataType::Int32 => Kind::Int32,
            DataType::Boolean => Kind::Boolean,
            DataType::Date32 => Kind::Date,
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => Kind::Instant,
            _ => return None,
        })
    }
}

impl RecordShape {
    /// Checks the columns; the order is kept.
    pub fn new(columns: Vec<LandingColumn>) -> Result<Self> {
        let wrong =
            |what: String| Error::data(what, "landing reads by schemas/usage_record.sql; change it there");
        let mut by_name = HashMap::new();
        for (index, column) in columns.iter().enumerate() {
            if by_name.insert(normal_name(&column.name), index).is_some() {
                return Err(wrong(format!("column `{}` is there twice, but for case or `_`", column.name)));
            }
        }
        let mut fields = Vec::with_capacity(columns.len());
        let mut checked = Vec::with_capacity(columns.len());
        for column in &columns {
            let name = &column.name;
            let Some(kind) = Kind::of(&column.data_type) else {
                return Err(wrong(format!(
                    "column `{name}` has type {}, which landing cannot read",
                    column.data_type
                )));
            };
            let origin = match (name.as_str(), kind, &column.default) {
                (_, _, Some(LandingDefault::Fixed(text))) => Origin::Fixed(text.clone()),
                ("landing_sequence", Kind::Int64, None) => Origin::Sequence,
                ("landing_id", Kind::Int64, None) => Origin::LandingId,
                ("id_hash", Kind::Int64, None) => Origin::IdHash,
                ("usage_date", Kind::Date, None) => Origin::UsageDate,
                ("attributes", Kind::Text, None) => Origin::Rest,
                (_, _, None) => Origin::Field { or: None },
                (_, _, Some(LandingDefault::Text(text))) => {
                    Origin::Field { or: Some(Fallback::Text(text.clone())) }
                }
                (_, _, Some(LandingDefault::Column(other))) => {
                    let Some(&index) = by_name.get(&normal_name(other)) else {
                        return Err(wrong(format!(
                            "the default of column `{name}` is `{other}`, which is not a column"
                        )));
                    };
                    if columns[index].data_type != column.data_type {
                        return Err(wrong(format!(
                            "columns `{name}` and `{other}`, its default, differ in type"
                        )));
                    }
                    Origin::Field { or: Some(Fallback::Column(index)) }
                }
            };
            fields.push(Field::new(name, column.data_type.clone(), !column.required));
            let limit = u128::MAX;
            checked.push(Column { name: name.clone(), kind, required: column.required, origin, limit });
        }
        // A million of the largest can be summed in 38 digits.
        if checked.iter().any(|column| column.origin == Origin::Sequence) {
            for column in &mut checked {
                if let Kind::Decimal { precision: 38, scale } = column.kind {
                    let digits = (SUMMABLE_DIGITS + usize::from(scale.unsigned_abs())).min(38);
                    column.limit = POWERS_OF_TEN[digits].unsigned_abs();
                }
            }
        }
        let find =
            |name: &str, kind| checked.iter().position(|column| column.name == name && column.kind == kind);
        Ok(Self {
            rest: checked.iter().position(|column| column.origin == Origin::Rest),
            usage_start: find("usage_start", Kind::Instant),
            usage_end: find("usage_end", Kind::Instant),
            usage_type: find("usage_type", Kind::Text),
            source: find("source", Kind::Text),
            transaction_id: find("transaction_id", Kind::Text),
            times: TimeRules::new(),
            keeps_text: false,
            has_id_hash: checked.iter().any(|column| column.origin == Origin::IdHash),
            schema: Arc::new(Schema::new(fields)),
            columns: checked,
            by_name,
        })
    }

    /// The same, with sources that write their times as declared.
    pub fn with_times(self, times: &BTreeMap<String, SourceSettings>) -> Self {
        Self { times: times.clone(), ..self }
    }

    /// The same, keeping the text of each record beside it.
    pub(in crate::land) fn keeping_text(self) -> Self {
        Self { keeps_text: true, ..self }
    }

    /// The schema of the batches that landing yields.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The column that a field of this name feeds: case, `_`, `-` and blanks do not count.
    pub fn column_of(&self, field: &str) -> Option<usize> {
        let index = *self.by_name.get(&normal_name(field))?;
        matches!(self.columns[index].origin, Origin::Field { .. } | Origin::Rest).then_some(index)
    }

    /// The names of the columns that fields feed.
    pub(in crate::land) fn names(&self) -> impl Iterator<Item = &str> {
        let fed = self.columns.iter().filter(|column| matches!(column.origin, Origin::Field { .. }));
        fed.map(|column| column.name.as_str())
    }

    /// Whether a field of this name feeds that column.
    pub(in crate::land) fn is_same(&self, field: &str, column: &str) -> bool {
        normal_name(field) == normal_name(column)
    }

    /// Whether a column takes the fields that have none.
    pub(in crate::land) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// The required columns that no field of these names feeds, so that each record is rejected.
    pub fn missing<'a>(&'a self, fields: &[String]) -> Vec<&'a str> {
        let fed: Vec<_> = fields.iter().filter_map(|field| self.column_of(field)).collect();
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(index, column)| {
                column.required && column.origin == Origin::Field { or: None } && !fed.contains(index)
            })
            .map(|(_, column)| column.name.as_str())
            .collect()
    }
}
