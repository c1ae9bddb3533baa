//! Records by their file's own columns, before a mapping query makes usage records of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray, StringViewBuilder, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::super::json::Cell;
use super::super::record::{Rejected, Sink};
use crate::error::{Result, While};

/// What was read of a file by its own columns: each record is a row or rejected.
#[derive(Debug)]
pub struct RawChunk {
    /// The wanted columns in the wanted order: text for JSON (nested values as JSON) and CSV, the file's own types for
    /// Parquet, null text where the file has no such column.
    pub records: RecordBatch,
    /// The line of each row, from 1; in Parquet the row.
    pub lines: Vec<u64>,
    /// The text of each row, for the rejections of later checks; none for Parquet.
    pub raw: Option<StringViewArray>,
    /// Records that could not be taken apart.
    pub rejected: Vec<Rejected>,
}

/// Collects records by the file's own columns, all as text.
pub(super) struct RawWriter {
    schema: SchemaRef,
    values: Vec<Option<String>>,
    given: Vec<bool>,
    builders: Vec<StringViewBuilder>,
    lines: Vec<u64>,
    raw: StringViewBuilder,
    reasons: Vec<String>,
    pub(super) received: u64,
    rejected: Vec<Rejected>,
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
            lines: Vec::new(),
            raw: StringViewBuilder::new(),
            reasons: Vec::new(),
            received: 0,
            rejected: Vec::new(),
        }
    }

    /// Hands over what was collected.
    pub(super) fn take(&mut self) -> Result<RawChunk> {
        self.received = 0;
        let columns =
            self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        Ok(RawChunk {
            records: batch_of(Arc::clone(&self.schema), columns, self.lines.len())?,
            lines: std::mem::take(&mut self.lines),
            raw: Some(self.raw.finish()),
            rejected: std::mem::take(&mut self.rejected),
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
            Cell::Unreadable => {
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
        for ((builder, value), given) in self.builders.iter_mut().zip(&self.values).zip(&self.given) {
            builder.append_option(value.as_deref().filter(|_| *given));
        }
        self.lines.push(line);
        self.raw.append_value(raw());
    }

    fn abandon(&mut self, line: u64, raw: String, reason: String) {
        self.received += 1;
        self.rejected.push(Rejected {
            line,
            raw,
            reason,
            column: None,
            usage_type: None,
            transaction_id: None,
        });
    }
}

/// The wanted columns of a batch; one that is not there is null.
pub(super) fn pick(batch: &RecordBatch, wanted: &[String]) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(wanted.len());
    let mut columns = Vec::with_capacity(wanted.len());
    for name in wanted {
        match batch.schema_ref().index_of(name) {
            Ok(index) => {
                fields.push(batch.schema_ref().fields()[index].as_ref().clone());
                columns.push(Arc::clone(batch.column(index)));
            }
            Err(_) => {
                fields.push(Field::new(name, DataType::Utf8View, true));
                columns.push(new_null_array(&DataType::Utf8View, batch.num_rows()));
            }
        }
    }
    batch_of(Arc::new(Schema::new(fields)), columns, batch.num_rows())
}

/// A batch that knows its rows even without a column.
fn batch_of(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).during(|| "collecting records".into())
}
