//! Rows as a Parquet file, row group by row group.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, IntervalUnit, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::plain::Plain;
use super::working;
use crate::error::{Error, Result, While};

/// Rows of a row group, which is held in memory until it is whole.
const GROUP_ROWS: usize = 64 * 1024;

/// The encoder of a file.
pub struct Parquet {
    rows: Plain,
    /// Writes to memory, which is emptied after each piece.
    writer: ArrowWriter<Vec<u8>>,
}

impl Parquet {
    pub fn new(schema: &Schema) -> Result<Self> {
        let span = DataType::Interval(IntervalUnit::MonthDayNano);
        if let Some(field) = schema.fields().iter().find(|field| *field.data_type() == span) {
            return Err(Error::usage(
                format!("Parquet has no type for the span of time `{}`", field.name()),
                "cast it to varchar, or take it as a number of seconds",
            ));
        }
        let rows = Plain::new(schema);
        let zstd = Compression::ZSTD(ZstdLevel::try_new(3).during(working)?);
        let properties = WriterProperties::builder()
            .set_compression(zstd)
            .set_created_by("meterhouse".into())
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer =
            ArrowWriter::try_new(Vec::new(), rows.schema().clone(), Some(properties)).during(working)?;
        Ok(Self { rows, writer })
    }

    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        self.rows.push(batch)?;
        self.write_chunks()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.rows.finish()?;
        self.write_chunks()?;
        self.writer.into_inner().during(working)
    }

    fn write_chunks(&mut self) -> Result<()> {
        while let Some(chunk) = self.rows.next_chunk() {
            self.writer.write(&chunk).during(working)?;
        }
        Ok(())
    }
}
