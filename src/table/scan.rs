//! A table as the session reads it: a fixed list of data files under a contract.
//!
//! One that fits a batch is read once and kept, because a run reads it several times: usage that lands day by day in
//! small files would be opened again for each query. What the run itself has just written need not be read at all.
//!
//! Files whose partition cannot pass a query's filters are not opened, so that one billing period costs what it holds.
//!
//! `usage_record` has a column that no file has: `fields`, a struct of all its columns, so that rules can name them.
//! It costs nothing but where a query reads it, and then no copy.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{
    Column, ColumnStatistics, Result, ScalarValue, Statistics, ToDFSchema, stats::Precision,
};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema as ScanSchema;
use datafusion::datasource::{TableType, ViewTable, provider_as_source};
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, lit};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use meterhouse_sql::functions::SEQUENCES;
use object_store::path::Path;
use tokio::sync::OnceCell;

use super::BATCH_ROWS;
use super::checksum::{Proof, ProvenFiles};
use super::file::{DataFile, SEQUENCE};
use super::landings::Landings;
use crate::project::schema::TableSchema;
use crate::project::{LEFT_USAGE, USAGE_RECORD};
use crate::store::cache::SMALL;
use crate::store::warehouse::store_url;

/// Columns that landing fills by itself: no field of a record.
const NO_FIELDS: [&str; 5] = [SEQUENCE, LANDING, "id_hash", "usage_date", "closed_in"];
/// The column that has the landing of a record.
const LANDING: &str = "landing_id";
/// Files that are kept in memory take at most this together, in bytes.
const KEPT_BYTES: u64 = 8 << 20;

/// The files of one version of a table; columns are matched by name, and one that a file lacks is null.
#[derive(Debug)]
pub struct FileTable {
    name: String,
    schema: SchemaRef,
    stored: SchemaRef,
    partitions: Vec<Field>,
    files: Vec<DataFile>,
    /// Its rows, once they are known, where they are few.
    kept: OnceCell<RecordBatch>,
}

impl FileTable {
    /// The table made of `files`, in the contract's column order with partition columns last.
    pub fn new(schema: &TableSchema, files: Vec<DataFile>) -> Self {
        Self {
            name: schema.name.clone(),
            schema: schema.arrow(),
            stored: schema.stored(),
            partitions: schema.partitions(),
            files,
            kept: OnceCell::new(),
        }
    }

    /// The same whose rows are known, as they were when its files were written.
    pub fn of_rows(schema: &TableSchema, files: Vec<DataFile>, rows: &[RecordBatch]) -> Result<Self> {
        let table = Self::new(schema, files);
        if !table.is_small() {
            return Ok(table);
        }
        let rows = concat_batches(&table.schema, rows)?;
        Ok(Self { kept: OnceCell::new_with(Some(rows)), ..table })
    }

    fn is_small(&self) -> bool {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        rows <= BATCH_ROWS as u64 && bytes <= KEPT_BYTES
    }

    async fn read(&self, state: &dyn Session) -> Result<RecordBatch> {
        // A file is opened and its footer read before its few rows: that is the work, so all threads take their part.
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        let scan = self.scan_files(state, &self.files, threads, None, None)?;
        let batches = collect(scan, state.task_ctx()).await?;
        Ok(concat_batches(&self.schema, &batches)?)
    }

    /// Whether the partition of a file says enough to answer a filter.
    fn is_of_partition(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        let is_partition =
            |column: &&Column| self.partitions.iter().any(|field| *field.name() == column.name);
        !columns.is_empty()
            && columns.iter().all(is_partition)
            && !filter.is_volatile()
            && !has_subquery(filter)
    }

    /// The files that may have rows which pass the filters, by what the partition columns say.
    fn files_of(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<DataFile>> {
        let filter = conjunction(filters.iter().filter(|filter| self.is_of_partition(filter)).cloned());
        let Some(filter) = filter else { return Ok(self.files.clone()) };
        let schema = Arc::new(Schema::new(self.partitions.clone()));
        let columns = self.partitions.iter().map(|column| {
            let texts = self.files.iter().map(|file| file.partition.get(column.name()).cloned());
            let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
            Ok(cast(&texts, column.data_type())?)
        });
        let values = RecordBatch::try_new(schema.clone(), columns.collect::<Result<_>>()?)?;
        let filter = state.create_physical_expr(filter, &schema.to_dfschema()?)?;
        let kept = filter.evaluate(&values)?.into_array(self.files.len())?;
        let kept = as_boolean_array(&kept)?;
        // As in SQL, a filter that is null lets nothing pass.
        let kept = self.files.iter().zip(kept).filter(|(_, kept)| *kept == Some(true));
        Ok(kept.map(|(file, _)| file.clone()).collect())
    }

    /// The rows that pass the filters, so that what a query is planned by knows how few they are: whether it asks about
    /// a period that is closed, for one.
    fn passing(&self, state: &dyn Session, rows: &RecordBatch, filters: &[Expr]) -> Result<RecordBatch> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(rows.clone()) };
        let filter = state.create_physical_expr(filter, &self.schema.clone().to_dfschema()?)?;
        let passes = filter.evaluate(rows)?.into_array(rows.num_rows())?;
        Ok(filter_record_batch(rows, as_boolean_array(&passes)?)?)
    }

    /// What is known of the values in the stored columns of a file, so that one is not opened in which a join with few
    /// landings or records finds nothing.
    fn ranges(&self, file: &DataFile) -> Vec<ColumnStatistics> {
        let range = |field: &Field, least: i64, greatest: i64| {
            let value = |value| Precision::Exact(ScalarValue::Int64(Some(value)));
            ColumnStatistics {
                // What is not there has no part in a range, and is looked for all the same.
                null_count: if field.is_nullable() { Precision::Absent } else { Precision::Exact(0) },
                min_value: value(least),
                max_value: value(greatest),
                ..ColumnStatistics::default()
            }
        };
        let of_column = |field: &Arc<Field>| match (field.name().as_str(), file.sequences) {
            (SEQUENCE, Some((least, greatest))) => range(field, least, greatest),
            (LANDING, Some((least, greatest))) if self.name == USAGE_RECORD => {
                range(field, least / SEQUENCES, greatest / SEQUENCES)
            }
            _ => ColumnStatistics::default(),
        };
        self.stored.fields().iter().map(of_column).collect()
    }

    /// How many rows are in files, and of how many landings, so that a join keeps its smaller side in memory: one with
    /// few landings is not small itself, where these have many records.
    fn statistics_of(&self, files: &[DataFile]) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(files.iter().map(|file| file.rows as usize).sum());
        if let Ok(place) = self.schema.index_of(LANDING) {
            let landings: Vec<Landings> = files.iter().map(DataFile::of_landings).collect();
            if landings.iter().all(|landings| !landings.is_empty()) {
                let landings: Landings = landings.iter().flat_map(Landings::ranges).copied().collect();
                statistics.column_statistics[place].distinct_count = Precision::Inexact(landings.count());
            }
        }
        statistics
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        files: &[DataFile],
        groups: usize,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions: Vec<_> = self.partitions.iter().cloned().map(Arc::new).collect();
        let columns = ScanSchema::builder(self.stored.clone()).with_table_partition_cols(partitions).build();
        // One read brings the whole of a small file, instead of its last bytes, then its footer, then its columns.
        let runtime = state.runtime_env();
        // A file never changes, so its footer is read once for all queries of a session.
        let store = runtime.object_store(store_url())?;
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let mut reader: Arc<dyn ParquetFileReaderFactory> =
            Arc::new(CachedParquetFileReaderFactory::new(store.clone(), footers));
        if let Some(proof) = state.config().get_extension::<Proof>() {
            let path = |file: &DataFile| Path::from(format!("{}/{}", self.name, file.path));
            let proven = files.iter().map(|file| (path(file), file.clone())).collect();
            reader = Arc::new(ProvenFiles { proof, store, files: proven, inner: reader });
        }
        let source = ParquetSource::new(columns)
            .with_metadata_size_hint(SMALL as usize)
            // Of usage, whose records are long, a join that asks for few reads the others' keys alone.
            .with_pushdown_filters([USAGE_RECORD, LEFT_USAGE].contains(&self.name.as_str()))
            .with_parquet_file_reader_factory(reader);
        let groups = groups.min(files.len());
        let mut file_groups = vec![Vec::new(); groups];
        for (number, file) in files.iter().enumerate() {
            let path = format!("{}/{}", self.name, file.path);
            let values = self.partitions.iter().map(|column| {
                let text = file.partition.get(column.name()).cloned();
                ScalarValue::Utf8(text).cast_to(column.data_type())
            });
            let statistics = Statistics {
                num_rows: Precision::Exact(file.rows as usize),
                total_byte_size: Precision::Absent,
                column_statistics: self.ranges(file),
            };
            let file = PartitionedFile::new(path, file.size)
                .with_partition_values(values.collect::<Result<_>>()?)
                .with_statistics(Arc::new(statistics));
            file_groups[number % groups].push(file);
        }
        let statistics = self.statistics_of(files);
        let scan = FileScanConfigBuilder::new(store_url(), Arc::new(source))
            .with_file_groups(file_groups.into_iter().map(FileGroup::new).collect())
            .with_statistics(statistics)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

/// The column of usage records that has all others, as a struct.
pub const FIELDS: &str = "fields";

/// A table of usage records with [`FIELDS`] beside its columns, those that a project added among them.
pub fn with_fields(name: &str, table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let column = |column: &String| Expr::Column(Column::new(Some(name.to_string()), column));
    let said = names.iter().filter(|name| !NO_FIELDS.contains(&name.as_str()));
    let said = said.flat_map(|name| [lit(name.as_str()), column(name)]).collect();
    let all = names.iter().map(column).chain([named_struct(said).alias(FIELDS)]);
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?.project(all)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics_of(&self.files))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.is_small() && !self.files.is_empty() {
            let rows = self.kept.get_or_try_init(|| self.read(state)).await?;
            let rows = [in_batches(&self.passing(state, rows, filters)?, state.config().batch_size())];
            return Ok(MemorySourceConfig::try_new_exec(&rows, self.schema.clone(), projection.cloned())?);
        }
        let files = self.files_of(state, filters)?;
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        self.scan_files(state, &files, state.config().target_partitions(), projection, limit)
    }

    /// A file has one value in each partition column, so a filter over these tells which files need not be read. Of a
    /// table that fits a batch all filters tell which rows.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let is_told = |filter: &Expr| match self.is_small() {
            true => !filter.is_volatile() && !has_subquery(filter),
            false => self.is_of_partition(filter),
        };
        let support = |filter: &&Expr| match is_told(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }
}

/// The same rows, so many at a time.
fn in_batches(rows: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    let slice = |from| rows.slice(from, size.min(rows.num_rows() - from));
    (0..rows.num_rows().max(1)).step_by(size).map(slice).collect()
}

fn has_subquery(filter: &Expr) -> bool {
    let is_one = |part: &Expr| {
        Ok(matches!(
            part,
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_)
        ))
    };
    filter.exists(is_one).unwrap_or(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::Int64Array;
    use datafusion::physical_plan::{StatisticsArgs, StatisticsContext, displayable};
    use datafusion::prelude::{SessionContext, col};
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_file_of_usage_says_which_landing_it_is_of() {
        let text = "-- t\ncreate table usage_record (landing_sequence bigint not null comment 'a', landing_id bigint \
                    not null comment 'b', unit varchar comment 'c');";
        let schema = TableSchema::parse("usage_record", "schemas/usage_record.sql", text).unwrap();
        let table = FileTable::new(&schema, Vec::new());
        let range = |file: &DataFile| {
            let known = table.ranges(file).into_iter();
            known.map(|known| (known.min_value, known.max_value)).collect::<Vec<_>>()
        };
        let exact = |value| Precision::Exact(ScalarValue::Int64(Some(value)));
        let of = |least, greatest| (exact(least), exact(greatest));
        let nothing = || (Precision::Absent, Precision::Absent);
        let file = DataFile { sequences: Some((7_000_000_000, 7_000_000_999)), ..DataFile::default() };
        assert_eq!(range(&file), [of(7_000_000_000, 7_000_000_999), of(7, 7), nothing()]);
        assert_eq!(range(&DataFile::default()), [nothing(), nothing(), nothing()]);
        assert_eq!(table.ranges(&file)[0].null_count, Precision::Exact(0));

        // A statement has rows without a record.
        let text = "-- t\ncreate table billed_statement (landing_sequence bigint comment 'a');";
        let schema = TableSchema::parse("billed_statement", "schemas/billed_statement.sql", text).unwrap();
        assert_eq!(FileTable::new(&schema, Vec::new()).ranges(&file)[0].null_count, Precision::Absent);
    }

    #[tokio::test]
    async fn only_files_whose_partition_passes_are_scanned() {
        let text = "-- t\ncreate table t (a bigint not null comment 'a', billing_period varchar not null comment 'b') \
                    partitioned by (billing_period);";
        let schema = TableSchema::parse("t", "schemas/t.sql", text).unwrap();
        let file = |period: &str| DataFile {
            path: format!("billing_period={period}/run.parquet"),
            size: 1 << 30,
            rows: 1 << 30,
            partition: BTreeMap::from([("billing_period".to_string(), period.to_string())]),
            ..DataFile::default()
        };
        let table = FileTable::new(&schema, vec![file("2026-08"), file("2026-09"), file("2026-10")]);
        let context = SessionContext::new();
        context.register_object_store(store_url().as_ref(), Arc::new(InMemory::new()));
        let period = || col("billing_period");
        let found = async |filter: Expr| {
            let plan = table.scan(&context.state(), None, &[filter], None).await.unwrap();
            let text = displayable(plan.as_ref()).indent(true).to_string();
            ["2026-08", "2026-09", "2026-10"]
                .into_iter()
                .filter(|period| text.contains(period))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(period().eq(lit("2026-10"))).await, ["2026-10"]);
        assert_eq!(found(period().in_list(vec![lit("2026-08"), lit("2026-10")], true)).await, ["2026-09"]);
        assert_eq!(found(period().gt(lit("2026-08"))).await, ["2026-09", "2026-10"]);
        assert!(found(period().eq(lit("2025-10"))).await.is_empty());
        // What other columns say is not known of a file.
        assert_eq!(found(col("a").eq(lit(1_i64))).await, ["2026-08", "2026-09", "2026-10"]);
    }

    #[tokio::test]
    async fn of_a_table_that_fits_a_batch_the_rows_that_pass_are_known() {
        let text = "-- t\ncreate table t (a bigint not null comment 'a');";
        let schema = TableSchema::parse("t", "schemas/t.sql", text).unwrap();
        let rows =
            RecordBatch::try_new(schema.arrow(), vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]).unwrap();
        let file = DataFile { path: "run.parquet".into(), size: 1, rows: 3, ..DataFile::default() };
        let table = FileTable::of_rows(&schema, vec![file], &[rows]).unwrap();
        let context = SessionContext::new();
        let found = async |filters: &[Expr]| {
            let scan = table.scan(&context.state(), None, filters, None).await.unwrap();
            StatisticsContext::new().compute(scan.as_ref(), &StatisticsArgs::new()).unwrap().num_rows
        };
        assert_eq!(found(&[]).await, Precision::Exact(3));
        assert_eq!(found(&[col("a").gt(lit(1_i64)), col("a").lt(lit(3_i64))]).await, Precision::Exact(1));
        assert_eq!(found(&[col("a").eq(lit(4_i64))]).await, Precision::Exact(0));
    }
}
