//! Reads a data file back as it was written, to tell whether it is the same still.

use std::ops::Range;
use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result, While};
use crate::schema::TableSchema;
use crate::warehouse::{DataFile, Warehouse};

/// The hash of the rows of a file as it is now; an error also where its size is not what was written.
///
/// A file is hashed by its own columns, which are those that its table had when it was written.
pub async fn row_hash(warehouse: &Warehouse, schema: &TableSchema, file: &DataFile) -> Result<String> {
    let path = Path::from(format!("{}/{}", schema.name, file.path));
    let working = || format!("reading {path}");
    let found = warehouse.store().head(&path).await.during(working)?;
    if found.size != file.size {
        return Err(Error::data(format!("it has {} bytes, not {}", found.size, file.size), ""));
    }
    let reader = Reader { store: warehouse.store().clone(), path: path.clone(), size: file.size };
    let reader = ParquetRecordBatchStreamBuilder::new(reader).await.during(working)?;
    // As a writer has them: what is in the file, then what is in its path.
    let mut values = Vec::new();
    for column in schema.partitions() {
        if let Some(text) = file.partition.get(column.name()) {
            let text = ScalarValue::Utf8(Some(text.clone()));
            values.push(text.cast_to(column.data_type()).during(working)?);
        }
    }
    let types = reader.schema().fields().iter().map(|field| field.data_type().clone());
    let types = types.chain(values.iter().map(ScalarValue::data_type));
    let converter = RowConverter::new(types.map(SortField::new).collect()).during(working)?;
    let mut rows = reader.build().during(working)?;
    let mut hash = 0_u128;
    while let Some(batch) = rows.next().await {
        let batch = batch.during(working)?;
        let mut columns = batch.columns().to_vec();
        for value in &values {
            columns.push(value.to_array_of_size(batch.num_rows()).during(working)?);
        }
        for row in &converter.convert_columns(&columns).during(working)? {
            hash = hash.wrapping_add(xxh3_128(row.as_ref()));
        }
    }
    Ok(format!("{hash:032x}"))
}

/// One file in a store.
struct Reader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let bytes = self.store.get_range(&self.path, range);
        bytes.map(|bytes| bytes.map_err(|error| ParquetError::External(error.into()))).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let size = self.size;
        async move { ParquetMetaDataReader::new().load_and_finish(self, size).await.map(Arc::new) }.boxed()
    }
}
