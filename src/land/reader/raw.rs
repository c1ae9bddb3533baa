//! Records by their file's own columns, before a mapping query makes usage records of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::super::json::Cell;
use super::super::record::Sink;
use crate::error::{Result, While};

/// What was read of a file by its own columns: each record is a row or broken.
#[derive(Debug)]
pub struct RawChunk {
    /// The wanted columns in the wanted order: text for JSON (nested values as JSON) and CSV, the file's own types for
    /// Parquet.
    pub records: RecordBatch,
    /// The number of each row among the records of the file, from 1.
    pub rows: Vec<i64>,
    /// The line of each row, from 1; in Parquet the row.
    pub lines: Vec<u64>,
    /// The text of each row, for the rejections of later checks; none for Parquet.
    pub raw: Option<StringViewArray>,
    /// Records that could not be taken apart.
    pub broken: Vec<Broken>,
}

/// A record that could not be taken apart.
#[derive(Debug)]
pub struct Broken {
    /// Its line, from 1.
    pub line: u64,
    /// Its text.
    pub raw: String,
    /// Why.
    pub reason: String,
}

/// Collects records by the file's own columns, all as text.
pub(super) struct RawWriter {
    schema: SchemaRef,
    values: Vec<Option<String>>,
    given: Vec<bool>,
    builders: Vec<StringViewBuilder>,
    /// How many records of the file there were so far.
    read: i64,
    rows: Vec<i64>,
    lines: Vec<u64>,
    raw: StringViewBuilder,
    reasons: Vec<String>,
    pub(super) received: u64,
    broken: Vec<Broken>,
}

impl RawWriter {
    /// A writer for the columns of these names.
    pub(super) fn new(columns: &[String]) -> Self {
        let fields: Vec<_> = columns.iter().map(|name| Field::new(name, DataType::Utf8View, true)).collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            values: vec![None; columns.len()],
            given: vec![false; columns.len()],
            builders: columns.iter().map(|_| StringViewBuilder::new()).collect(),
            read: 0,
            rows: Vec::new(),
            lines: Vec::new(),
            raw: StringViewBuilder::new(),
            reasons: Vec::new(),
            received: 0,
            broken: Vec::new(),
        }
    }

    /// Hands over what was collected.
    pub(super) fn take(&mut self) -> Result<RawChunk> {
        self.received = 0;
        let columns =
            self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        Ok(RawChunk {
            records: batch_of(Arc::clone(&self.schema), columns, self.lines.len())?,
            rows: std::mem::take(&mut self.rows),
            lines: std::mem::take(&mut self.lines),
            raw: Some(self.raw.finish()),
            broken: std::mem::take(&mut self.broken),
        })
    }
}

impl Sink for RawWriter {
    fn begin(&mut self) {
        self.given.fill(false);
        self.reasons.clear();
    }

    fn field(&mut self, name: &str, column: Option<usize>, cell: Cell<'_>) {
        let Some(column) = column else { return };
        if std::mem::replace(&mut self.given[column], true) {
            self.reasons.push(format!("`{name}` is given twice"));
            return;
        }
        let text = match cell {
            Cell::Null => None,
            Cell::Text(text) | Cell::Number(text) | Cell::Nested(text) => Some(text),
            Cell::Boolean(true) => Some("true"),
            Cell::Boolean(false) => Some("false"),
            Cell::Unreadable | Cell::Binary => {
                self.reasons.push(format!("`{name}` is not readable text"));
                None
            }
        };
        // The buffer of the record before is used again.
        match (text, &mut self.values[column]) {
            (Some(text), Some(value)) => {
                value.clear();
                value.push_str(text);
            }
            (text, value) => *value = text.map(str::to_owned),
        }
    }

    fn finish(&mut self, line: u64, raw: &mut dyn FnMut() -> String) {
        if !self.reasons.is_empty() {
            let reason = self.reasons.join("; ");
            return self.abandon(line, raw(), reason);
        }
        self.received += 1;
        self.read += 1;
        self.rows.push(self.read);
        for ((builder, value), given) in self.builders.iter_mut().zip(&self.values).zip(&self.given) {
            builder.append_option(value.as_deref().filter(|_| *given));
        }
        self.lines.push(line);
        self.raw.append_value(raw());
    }

    fn abandon(&mut self, line: u64, raw: String, reason: String) {
        self.received += 1;
        self.read += 1;
        self.broken.push(Broken { line, raw, reason });
    }
}

/// The wanted columns of a batch, which has them.
pub(super) fn pick(batch: &RecordBatch, wanted: &[String]) -> Result<RecordBatch> {
    let columns = wanted.iter().map(|name| batch.schema_ref().index_of(name));
    let columns = columns.collect::<Result<Vec<_>, _>>().during(|| "reading a file".into())?;
    batch.project(&columns).during(|| "reading a file".into())
}

/// A batch that knows its rows even without a column.
fn batch_of(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).during(|| "collecting records".into())
}
