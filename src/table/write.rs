//! Writes the data files of a table under its contract: Parquet packed with zstd, or with Snappy where there is little,
//! one file for each partition value.
//!
//! What always holds: a row that breaks the contract (a null, a CHECK, a decimal out of range) is never written; the
//! hash of a table depends on its rows and not on their order, batching or files.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use bytes::Bytes;
use datafusion::common::{DFSchema, ToDFSchema};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use meterhouse_sql::decimal::POWERS_OF_TEN;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::BATCH_ROWS;
use super::checksum::Checksum;
use super::file::{DataFile, SEQUENCE};
use super::key::KeyHashes;
use super::landings::Landings;
use crate::encode::cells::value_text;
use crate::error::{Error, Place, Result, While};
use crate::project::schema::TableSchema;
use crate::store::warehouse::Warehouse;

/// Open files hold at most this many bytes of rows not yet written; the largest is flushed beyond.
const BUFFER_BYTES: usize = 256 << 20;

/// A first batch with fewer rows is that of a small table.
const SMALL_ROWS: usize = 8192;

/// Rows that are hashed at a time.
const HASHED_ROWS: usize = 1024;

/// Files that are closed at a time; each takes a round trip to the store.
const CLOSED_AT_ONCE: usize = 8;

struct OpenFile {
    /// Its path in the warehouse, as messages name it.
    shown: String,
    path: String,
    hash: u128,
    writer: AsyncArrowWriter<Summed>,
    partition: BTreeMap<String, String>,
}

/// An object that is written, with the checksum of its bytes.
struct Summed {
    object: BufWriter,
    checksum: Checksum,
}

impl AsyncFileWriter for Summed {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), ParquetError>> {
        self.checksum.update(&bytes);
        self.object.put(bytes).map_err(|error| ParquetError::External(error.into())).boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<(), ParquetError>> {
        self.object.shutdown().map_err(|error| ParquetError::External(error.into())).boxed()
    }
}

impl OpenFile {
    async fn close(self) -> Result<DataFile> {
        let Self { shown, path, hash, mut writer, partition } = self;
        let footer = writer.finish().await.during(|| format!("writing {shown}"))?;
        Ok(DataFile {
            path,
            size: writer.bytes_written() as u64,
            rows: footer.file_metadata().num_rows().unsigned_abs(),
            hash: format!("{hash:032x}"),
            sequences: sequences(&footer),
            checksum: writer.into_inner().checksum.finish(),
            landings: Landings::default(),
            partition,
        })
    }

    /// A sum, so that the order of the rows is not in it.
    fn add_to_hash(&mut self, row: u128) {
        self.hash = self.hash.wrapping_add(row);
    }
}

/// What a writer has written.
#[derive(Debug)]
pub struct Written {
    /// The files, ordered by path.
    pub files: Vec<DataFile>,
    /// Their rows, where these fit a batch and the writer kept them.
    pub rows: Option<Vec<RecordBatch>>,
    /// The hash of each row's primary key, where the writer watched it.
    pub keys: Option<KeyHashes>,
}

/// The values of the partition columns, and which rows of a batch have them; none: all.
type PartRows = (Vec<String>, Option<Vec<u32>>);

/// Writes one table; `stem` names its files.
pub struct TableWriter {
    warehouse: Warehouse,
    schema: TableSchema,
    stored: SchemaRef,
    arrow: SchemaRef,
    checks: Vec<(Arc<dyn PhysicalExpr>, String, Place)>,
    converter: RowConverter,
    key: Option<(RowConverter, KeyHashes)>,
    kept: Option<Vec<RecordBatch>>,
    stem: String,
    open: BTreeMap<Vec<String>, OpenFile>,
}

impl TableWriter {
    /// A writer for the table of that contract.
    pub fn new(
        context: &SessionContext,
        warehouse: &Warehouse,
        schema: &TableSchema,
        stem: String,
    ) -> Result<Self> {
        let arrow = schema.arrow();
        let columns = arrow.clone().to_dfschema().during(|| format!("reading {}", schema.file))?;
        let mut checks = Vec::new();
        for check in &schema.checks {
            checks.push((
                physical_check(context, &columns, &check.expression, &check.place)?,
                check.expression.clone(),
                check.place.clone(),
            ));
        }
        let fields = arrow.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).during(|| format!("hashing {}", schema.name))?;
        Ok(Self {
            warehouse: warehouse.clone(),
            stored: schema.stored(),
            schema: schema.clone(),
            arrow,
            checks,
            converter,
            key: None,
            kept: None,
            stem,
            open: BTreeMap::new(),
        })
    }

    /// The same, keeping the hash of each row's primary key.
    pub fn watching_key(mut self) -> Result<Self> {
        let fields = self.schema.primary_key.iter().filter_map(|name| self.schema.column(name));
        let fields: Vec<_> = fields.map(|column| SortField::new(column.data_type.clone())).collect();
        if !fields.is_empty() {
            let converter = RowConverter::new(fields).during(|| self.working())?;
            self.key = Some((converter, KeyHashes::default()));
        }
        Ok(self)
    }

    /// The same for rows that were checked when they came.
    pub fn unchecked(self) -> Self {
        Self { checks: Vec::new(), ..self }
    }

    /// The same, keeping the rows until they are more than a batch.
    pub fn keeping_rows(self) -> Self {
        Self { kept: Some(Vec::new()), ..self }
    }

    /// Writes the rows of a batch whose columns stand in the contract's order and are named by it.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = self.conform(batch)?;
        self.check(&batch)?;
        self.watch(&batch)?;
        self.keep(&batch);
        let stored: Vec<usize> = (0..self.stored.fields().len()).collect();
        let hashes = self.row_hashes(&batch)?;
        let batch_stored = batch.project(&stored).during(|| self.working())?;
        let compression = compression_of(batch.num_rows())?;
        for (values, indices) in partition(&self.schema, &batch)? {
            let file = match self.open.entry(values) {
                Entry::Occupied(file) => file.into_mut(),
                Entry::Vacant(slot) => {
                    let file = open_file(
                        &self.warehouse,
                        &self.schema,
                        &self.stored,
                        &self.stem,
                        slot.key(),
                        compression,
                    )?;
                    slot.insert(file)
                }
            };
            let part = match indices {
                Some(indices) => {
                    indices.iter().for_each(|row| file.add_to_hash(hashes[*row as usize]));
                    take_record_batch(&batch_stored, &UInt32Array::from(indices))
                        .during(|| format!("writing {}", self.schema.name))?
                }
                None => {
                    hashes.iter().for_each(|hash| file.add_to_hash(*hash));
                    batch_stored.clone()
                }
            };
            file.writer.write(&part).await.during(|| format!("writing {}", self.schema.name))?;
        }
        self.flush_largest().await
    }

    /// The hash of each row, which is made of so few at a time that they stay in the cache of a processor.
    fn row_hashes(&self, batch: &RecordBatch) -> Result<Vec<u128>> {
        let mut hashes = Vec::with_capacity(batch.num_rows());
        let mut rows = self.converter.empty_rows(0, 0);
        for from in (0..batch.num_rows()).step_by(HASHED_ROWS) {
            let part = batch.slice(from, HASHED_ROWS.min(batch.num_rows() - from));
            rows.clear();
            self.converter.append(&mut rows, part.columns()).during(|| self.working())?;
            hashes.extend(rows.iter().map(|row| xxh3_128(row.as_ref())));
        }
        Ok(hashes)
    }

    /// Keeps the hash of each key in the batch.
    fn watch(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some((converter, hashes)) = &mut self.key else { return Ok(()) };
        let names = &self.schema.primary_key;
        let columns: Vec<ArrayRef> =
            names.iter().filter_map(|name| batch.column_by_name(name)).cloned().collect();
        let keys = converter.convert_columns(&columns).during(|| format!("hashing {}", self.schema.name))?;
        keys.iter().for_each(|key| hashes.push(xxh3_64(key.as_ref())));
        Ok(())
    }

    /// Keeps the rows of the batch, without the buffers of other texts that theirs may stand in.
    fn keep(&mut self, batch: &RecordBatch) {
        let Some(kept) = &mut self.kept else { return };
        let rows: usize = kept.iter().map(RecordBatch::num_rows).sum();
        if rows + batch.num_rows() > BATCH_ROWS {
            self.kept = None;
            return;
        }
        let columns = batch.columns().iter().map(|column| match column.as_string_view_opt() {
            Some(texts) => Arc::new(texts.gc()) as ArrayRef,
            None => column.clone(),
        });
        match RecordBatch::try_new(batch.schema(), columns.collect()) {
            Ok(batch) => kept.push(batch),
            Err(_) => self.kept = None,
        }
    }

    /// Writes what is buffered, so that many partitions need no more memory than few.
    async fn flush_largest(&mut self) -> Result<()> {
        let buffered: usize = self.open.values().map(|file| file.writer.in_progress_size()).sum();
        if buffered > BUFFER_BYTES
            && let Some(file) = self.open.values_mut().max_by_key(|file| file.writer.in_progress_size())
        {
            file.writer.flush().await.during(|| format!("writing {}", file.shown))?;
        }
        Ok(())
    }

    fn working(&self) -> String {
        format!("writing {}", self.schema.name)
    }

    /// The batch in the contract's order and types.
    fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.arrow.fields().len());
        for field in self.arrow.fields() {
            let column = batch.column_by_name(field.name()).ok_or_else(|| {
                Error::data(format!("`{}` got no column `{}`", self.schema.name, field.name()), "")
            })?;
            let given = column;
            let column = match (given.data_type(), field.data_type()) {
                // A cast would make a null of what has more digits; here it is seen below.
                (DataType::Decimal128(_, scale), DataType::Decimal128(_, same)) if scale == same => Arc::new(
                    given.as_primitive::<Decimal128Type>().clone().with_data_type(field.data_type().clone()),
                ),
                (_, declared) => cast(given, declared).during(|| self.working())?,
            };
            if is_shortened(given, &column).during(|| self.working())? {
                let what = format!("`{}` in `{}` has parts of a microsecond", field.name(), self.schema.name);
                return Err(Error::data(what, "cut them off in the query: date_trunc('microsecond', ...)"));
            }
            if !field.is_nullable() && column.null_count() > 0 {
                let row = (0..column.len()).find(|row| column.is_null(*row)).unwrap_or(0);
                let what = format!("`{}` is null in a row of `{}`", field.name(), self.schema.name);
                let place = self.schema.column(field.name()).map(|column| column.place.clone());
                return Err(Error::Data { what, place, hint: self.row_text(batch, row) });
            }
            if let DataType::Decimal128(precision, _) = field.data_type() {
                // Arithmetic can leave a value of more digits than its type declares, and a query yield a wider type.
                let limit = POWERS_OF_TEN[usize::from(*precision)].unsigned_abs();
                let numbers = column.as_primitive::<Decimal128Type>();
                let is_beyond =
                    |row: &usize| numbers.is_valid(*row) && numbers.value(*row).unsigned_abs() >= limit;
                if let Some(row) = (0..numbers.len()).find(is_beyond) {
                    let name = field.name();
                    let what = format!(
                        "`{name}` of a row of `{}` has more than {precision} digits",
                        self.schema.name
                    );
                    let place = self.schema.column(name).map(|column| column.place.clone());
                    return Err(Error::Data { what, place, hint: self.row_text(batch, row) });
                }
            }
            columns.push(column);
        }
        RecordBatch::try_new(self.arrow.clone(), columns).during(|| self.working())
    }

    fn check(&self, batch: &RecordBatch) -> Result<()> {
        for (check, text, place) in &self.checks {
            let result = check
                .evaluate(batch)
                .and_then(|value| value.into_array(batch.num_rows()))
                .during(|| format!("checking {text}"))?;
            // As in SQL, a CHECK that is null holds.
            let held: &BooleanArray = result.as_boolean();
            let broken = (0..held.len()).find(|row| held.is_valid(*row) && !held.value(*row));
            if let Some(row) = broken {
                let what = format!("a row of `{}` breaks CHECK ({text})", self.schema.name);
                return Err(Error::Data {
                    what,
                    place: Some(place.clone()),
                    hint: self.row_text(batch, row),
                });
            }
        }
        Ok(())
    }

    /// The key and the values of one row, for the person who has to find it.
    fn row_text(&self, batch: &RecordBatch, row: usize) -> String {
        let schema = batch.schema();
        let texts = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            format!("{} {}", field.name(), value_text(column, row).as_deref().unwrap_or("null"))
        });
        format!("the row is: {}", texts.collect::<Vec<_>>().join(", "))
    }

    /// Closes the files and returns them.
    pub async fn finish(self) -> Result<Written> {
        let closing = futures::stream::iter(self.open.into_values().map(OpenFile::close));
        let mut files: Vec<DataFile> = closing.buffer_unordered(CLOSED_AT_ONCE).try_collect().await?;
        files.sort();
        Ok(Written { files, rows: self.kept, keys: self.key.map(|(_, hashes)| hashes) })
    }
}

/// The rows of each partition value; no list where all rows have one value.
fn partition(schema: &TableSchema, batch: &RecordBatch) -> Result<Vec<PartRows>> {
    let names = &schema.partition_by;
    let working = || format!("writing {}", schema.name);
    if names.is_empty() {
        return Ok(vec![(Vec::new(), None)]);
    }
    let mut columns = Vec::new();
    for name in names {
        let column =
            batch.column_by_name(name).ok_or_else(|| Error::data(format!("no column {name}"), ""))?;
        columns.push(cast(column, &DataType::Utf8).during(working)?);
    }
    let fields = columns.iter().map(|_| SortField::new(DataType::Utf8)).collect();
    let converter = RowConverter::new(fields).during(working)?;
    let rows = converter.convert_columns(&columns).during(working)?;
    let mut known: HashMap<&[u8], usize> = HashMap::new();
    let mut parts: Vec<(Vec<String>, Vec<u32>)> = Vec::new();
    let mut before: Option<(&[u8], usize)> = None;
    for (number, row) in rows.iter().enumerate() {
        let row = row.data();
        let part = match before {
            Some((same, part)) if same == row => part,
            _ => *known.entry(row).or_insert_with(|| {
                let values = columns.iter().map(|column| column.as_string::<i32>().value(number));
                parts.push((values.map(String::from).collect(), Vec::new()));
                parts.len() - 1
            }),
        };
        before = Some((row, part));
        parts[part].1.push(number as u32);
    }
    for value in parts.iter().flat_map(|(values, _)| values) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if value.is_empty() || !value.chars().all(plain) {
            let what = format!("`{value}` cannot name a partition of `{}`", schema.name);
            return Err(Error::data(what, "partition by a date or a period"));
        }
    }
    let is_one = parts.len() == 1;
    Ok(parts.into_iter().map(|(values, rows)| (values, (!is_one).then_some(rows))).collect())
}

/// What rows have in the partition columns, as their files say it.
pub fn partitions_of(
    schema: &TableSchema,
    batches: &[RecordBatch],
) -> Result<BTreeSet<BTreeMap<String, String>>> {
    let mut all = BTreeSet::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        for (values, _) in partition(schema, batch)? {
            all.insert(schema.partition_by.iter().cloned().zip(values).collect());
        }
    }
    Ok(all)
}

/// Whether casting a timestamp to microseconds lost something.
fn is_shortened(given: &ArrayRef, column: &ArrayRef) -> Result<bool, arrow::error::ArrowError> {
    match (given.data_type(), column.data_type()) {
        (given_type @ DataType::Timestamp(unit, _), DataType::Timestamp(kept, _)) if unit != kept => {
            Ok(cast(column, given_type)?.to_data() != given.to_data())
        }
        _ => Ok(false),
    }
}

/// How a table is packed whose first batch has so many rows. A small table is small however it is packed, and zstd
/// takes longer to begin with each column than to pack it.
fn compression_of(rows: usize) -> Result<Compression> {
    if rows < SMALL_ROWS {
        return Ok(Compression::SNAPPY);
    }
    Ok(Compression::ZSTD(ZstdLevel::try_new(1).during(|| "choosing zstd".into())?))
}

fn open_file(
    warehouse: &Warehouse,
    schema: &TableSchema,
    stored: &SchemaRef,
    stem: &str,
    values: &[String],
    compression: Compression,
) -> Result<OpenFile> {
    let partition: BTreeMap<_, _> = schema.partition_by.iter().cloned().zip(values.iter().cloned()).collect();
    let folders: String =
        schema.partition_by.iter().zip(values).map(|(name, value)| format!("{name}={value}/")).collect();
    let path = format!("{folders}{stem}.parquet");
    let shown = format!("{}/{path}", schema.name);
    let object = BufWriter::new(warehouse.store().clone(), Path::from(shown.as_str()));
    let object = Summed { object, checksum: Checksum::default() };
    // A sequence takes next to nothing as differences; a dictionary of it would be as long as itself.
    let sequence = ColumnPath::from(SEQUENCE);
    // Nor can hashes be made shorter.
    let hash = ColumnPath::from("id_hash");
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_column_dictionary_enabled(hash.clone(), false)
        .set_column_compression(hash, Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(sequence.clone(), false)
        .set_column_encoding(sequence, Encoding::DELTA_BINARY_PACKED)
        .build();
    let writer = AsyncArrowWriter::try_new(object, stored.clone(), Some(properties))
        .during(|| format!("opening {shown}"))?;
    Ok(OpenFile { shown, path, hash: 0, writer, partition })
}

/// The least and the greatest landing sequence of a file, as its footer has them.
fn sequences(footer: &ParquetMetaData) -> Option<(i64, i64)> {
    let chunks = footer.row_groups().iter().flat_map(|group| group.columns());
    let of_sequence = chunks.filter(|chunk| chunk.column_path().string() == SEQUENCE);
    let ranges = of_sequence.map(|chunk| match chunk.statistics() {
        Some(Statistics::Int64(known)) => known.min_opt().copied().zip(known.max_opt().copied()),
        _ => None,
    });
    let ranges: Vec<(i64, i64)> = ranges.collect::<Option<_>>()?;
    let least = ranges.iter().map(|(least, _)| *least).min();
    least.zip(ranges.iter().map(|(_, greatest)| *greatest).max())
}

/// A CHECK as something that can be evaluated on rows.
pub fn physical_check(
    context: &SessionContext,
    columns: &DFSchema,
    text: &str,
    place: &Place,
) -> Result<Arc<dyn PhysicalExpr>> {
    context
        .parse_sql_expr(text, columns)
        .and_then(|expression| context.create_physical_expr(expression, columns))
        .map_err(|error| Error::Data {
            what: format!("CHECK ({text}) does not plan: {}", error.strip_backtrace()),
            place: Some(place.clone()),
            hint: "a CHECK is a boolean over the table's own columns".into(),
        })
}
