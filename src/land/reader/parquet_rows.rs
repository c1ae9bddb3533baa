//! A local Parquet file as Arrow batches, row group by row group.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, StringViewBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ProjectionMask};
use parquet::basic::{LogicalType, Type};
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::SchemaDescriptor;
use uuid::Uuid;

use crate::error::{Error, Result, While};

/// A Parquet file, batch by batch.
pub(super) struct Rows {
    reader: ParquetRecordBatchReader,
    name: String,
    /// The columns of UUIDs.
    uuids: Vec<String>,
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
        let (reader, uuids) = undamaged(&name, || -> ParquetResult<_> {
            let metadata = with_instants(ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?)?;
            let uuids = uuids(&metadata);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_batch_size(chunk_rows.max(1));
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
            Ok((builder.with_projection(mask).build()?, uuids))
        })?;
        Ok(Self { reader, name, uuids, read: 0 })
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
        if self.uuids.is_empty() {
            return Ok(batch);
        }
        batch.map(|batch| self.with_texts(&batch)).transpose()
    }

    /// The batch with its UUIDs as they are written: 8-4-4-4-12 hexadecimal digits.
    fn with_texts(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let text = |field: &FieldRef, column: &ArrayRef| match column.as_fixed_size_binary_opt() {
            Some(bytes) if self.uuids.contains(field.name()) => {
                let mut texts = StringViewBuilder::with_capacity(bytes.len());
                for uuid in bytes.iter() {
                    let uuid = uuid.and_then(|uuid| Uuid::from_slice(uuid).ok());
                    texts.append_option(uuid.map(|uuid| uuid.hyphenated().to_string()));
                }
                let field = Field::new(field.name(), DataType::Utf8View, field.is_nullable());
                (field, Arc::new(texts.finish()) as ArrayRef)
            }
            _ => (field.as_ref().clone(), Arc::clone(column)),
        };
        let fields = batch.schema_ref().fields().iter().zip(batch.columns());
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) =
            fields.map(|(field, column)| text(field, column)).unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .during(|| format!("reading {}", self.name))
    }
}

/// The top-level columns that are one value, with the number of their leaf.
fn single(schema: &SchemaDescriptor) -> impl Iterator<Item = (usize, usize)> {
    let roots = (0..schema.num_columns()).map(|leaf| (schema.get_column_root_idx(leaf), leaf));
    roots.filter(|(_, leaf)| schema.column(*leaf).path().parts().len() == 1)
}

/// INT96 is an instant in UTC, as all its writers have it; only where the file has a schema of Arrow's does that say
/// what the time is. Read to microseconds, because nanoseconds would end in 2262.
fn with_instants(metadata: ArrowReaderMetadata) -> ParquetResult<ArrowReaderMetadata> {
    let file = metadata.metadata().file_metadata();
    let has_arrow = file
        .key_value_metadata()
        .is_some_and(|pairs| pairs.iter().any(|pair| pair.key == ARROW_SCHEMA_META_KEY));
    let mut fields: Vec<FieldRef> = metadata.schema().fields().iter().cloned().collect();
    let mut has_instants = false;
    for (root, leaf) in single(metadata.parquet_schema()) {
        if metadata.parquet_schema().column(leaf).physical_type() == Type::INT96 && !has_arrow {
            let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            fields[root] = Arc::new(fields[root].as_ref().clone().with_data_type(instant));
            has_instants = true;
        }
    }
    if !has_instants {
        return Ok(metadata);
    }
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
}

/// The names of the columns that the file says are UUIDs.
fn uuids(metadata: &ArrowReaderMetadata) -> Vec<String> {
    let schema = metadata.parquet_schema();
    let is_uuid = |leaf: usize| schema.column(leaf).logical_type_ref() == Some(&LogicalType::Uuid);
    let uuids = single(schema).filter(|(_, leaf)| is_uuid(*leaf));
    uuids.map(|(root, _)| metadata.schema().field(root).name().clone()).collect()
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
