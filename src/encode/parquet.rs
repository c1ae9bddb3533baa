//! Rows as a Parquet file, row group by row group.

use arrow::array::RecordBatch;
use arrow::compute::{BatchCoalescer, cast};
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::working;
use crate::error::{Error, Result, While};

/// Rows that are taken at once.
const CHUNK_ROWS: usize = 8192;
/// Rows of a row group, which is held in memory until it is whole.
const GROUP_ROWS: usize = 64 * 1024;

/// The encoder of a file.
pub struct Parquet {
    /// Makes chunks of one size, whatever comes in.
    chunks: BatchCoalescer,
    /// Writes to memory, which is emptied after each piece.
    writer: ArrowWriter<Vec<u8>>,
    /// The columns as written.
    schema: SchemaRef,
}

impl Parquet {
    pub fn new(schema: &Schema) -> Result<Self> {
        let schema = plain_schema(schema)?;
        let zstd = Compression::ZSTD(ZstdLevel::try_new(3).during(working)?);
        let properties = WriterProperties::builder()
            .set_compression(zstd)
            .set_created_by("meterhouse".into())
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).during(working)?;
        Ok(Self { chunks: BatchCoalescer::new(schema.clone(), CHUNK_ROWS), writer, schema })
    }

    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        self.chunks.push_batch(plain(batch, &self.schema)?).during(working)?;
        self.write_chunks()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.chunks.finish_buffered_batch().during(working)?;
        self.write_chunks()?;
        self.writer.into_inner().during(working)
    }

    fn write_chunks(&mut self) -> Result<()> {
        while let Some(chunk) = self.chunks.next_completed_batch() {
            self.writer.write(&chunk).during(working)?;
        }
        Ok(())
    }
}

/// The columns with texts that every reader knows.
fn plain_schema(schema: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::new();
    for field in schema.fields() {
        let data_type = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                return Err(Error::usage(
                    format!("Parquet has no type for the span of time `{}`", field.name()),
                    "cast it to varchar, or take it as a number of seconds",
                ));
            }
            other => other.clone(),
        };
        fields.push(Field::new(field.name(), data_type, true));
    }
    Ok(SchemaRef::new(Schema::new(fields)))
}

/// The rows with texts that every reader knows.
fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>().during(working)?;
    RecordBatch::try_new(schema.clone(), columns).during(working)
}
