//! A local Parquet file as Arrow batches, row group by row group.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{RecordBatch, RecordBatchReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};

/// A Parquet file, batch by batch.
pub(super) struct Rows {
    reader: ParquetRecordBatchReader,
    name: String,
    /// How many rows were read.
    pub(super) read: u64,
}

impl Rows {
    /// Opens the file; only the wanted top-level columns are read, or all.
    pub(super) fn open(
        file: File,
        name: String,
        chunk_rows: usize,
        wanted: Option<&[String]>,
    ) -> Result<Self> {
        let reader = undamaged(&name, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(chunk_rows.max(1));
            let mask = match wanted {
                None => ProjectionMask::all(),
                Some(wanted) => {
                    let fields = builder.schema().fields().iter().enumerate();
                    let roots: Vec<_> = fields
                        .filter(|(_, field)| wanted.contains(field.name()))
                        .map(|(root, _)| root)
                        .collect();
                    ProjectionMask::roots(builder.parquet_schema(), roots)
                }
            };
            builder.with_projection(mask).build()
        })?;
        Ok(Self { reader, name, read: 0 })
    }

    /// The names of the top-level columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.reader.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The next rows; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let reader = &mut self.reader;
        let batch = undamaged(&self.name, || reader.next().transpose())?;
        self.read += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }
}

/// Runs the Parquet decoder, which may panic on damaged pages.
fn undamaged<T, E: std::fmt::Display>(name: &str, decode: impl FnOnce() -> Result<T, E>) -> Result<T> {
    let damaged = |how: &dyn std::fmt::Display| {
        let hint = "get the file again, then land it";
        Error::data(format!("{name} cannot be read as Parquet: {how}"), hint)
    };
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|error| damaged(&error)),
        Err(_) => Err(damaged(&"a page is damaged")),
    }
}
