//! Rows in columns of types that every reader knows, in chunks of one size, however they come.

use arrow::array::RecordBatch;
use arrow::compute::{BatchCoalescer, cast};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::working;
use crate::error::{Result, While};

/// Rows of a chunk.
const CHUNK_ROWS: usize = 8192;

/// Rows that wait until there is a chunk of them.
pub struct Plain {
    chunks: BatchCoalescer,
    schema: SchemaRef,
}

impl Plain {
    pub fn new(schema: &Schema) -> Self {
        let plain = |data_type: &DataType| match data_type {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        let fields = schema.fields().iter();
        let fields = fields.map(|field| Field::new(field.name(), plain(field.data_type()), true));
        let schema = SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { chunks: BatchCoalescer::new(schema.clone(), CHUNK_ROWS), schema }
    }

    /// The columns of the chunks.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes more rows.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().during(working)?;
        let plain = RecordBatch::try_new(self.schema.clone(), columns).during(working)?;
        self.chunks.push_batch(plain).during(working)
    }

    /// Makes a chunk of what is left.
    pub fn finish(&mut self) -> Result<()> {
        self.chunks.finish_buffered_batch().during(working)
    }

    /// The next chunk, where there is a whole one.
    pub fn next_chunk(&mut self) -> Option<RecordBatch> {
        self.chunks.next_completed_batch()
    }
}
