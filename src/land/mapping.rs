//! Files of foreign shape, made usage records by a query under `queries/landing/`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::columnar;
use super::reader::RawChunk;
use super::record::{LandedChunk, RecordShape};
use crate::cycle::TimeZone;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::Query;

/// The table that a landing query selects from.
pub const FILE_TABLE: &str = "file";

/// Maps a chunk of a foreign file by the query and checks the result as usage records.
pub(super) async fn map(
    context: &SessionContext,
    query: &Query,
    raw: RawChunk,
    shape: &RecordShape,
    zone: &TimeZone,
    base: &mut i64,
) -> Result<LandedChunk> {
    let working = || format!("mapping a file with {}", query.file);
    let rows = raw.records.num_rows();
    let schema = raw.records.schema();
    let plan = landing_plan(context, query, schema.clone(), vec![raw.records.clone()]).await?;
    // One thread keeps the rows in the order of the file, by which they are told apart from here on.
    let config = context.copied_config().with_target_partitions(1);
    let in_order = SessionStateBuilder::new_from_existing(context.state()).with_config(config).build();
    let batches = datafusion::prelude::DataFrame::new(in_order, plan)
        .collect()
        .await
        .map_err(|error| crate::plan::execution_error(&error, &query.file))?;
    let first = batches.first().map(RecordBatch::schema).unwrap_or(schema);
    let mapped = arrow::compute::concat_batches(&first, &batches).during(working)?;
    if mapped.num_rows() != rows {
        let what = format!("{} yields {} rows for {rows} records", query.file, mapped.num_rows());
        return Err(Error::data(what, "a landing query maps one record each; leave out in usage_filtered"));
    }
    let mut chunk = columnar::records_from_batch(&mapped, &raw.lines, raw.raw.as_ref(), shape, zone, *base)?;
    // Records that could not be taken apart come after those that could: each has a number, the order says no more.
    chunk.received += raw.rejected.len() as u64;
    chunk.rejected.extend(raw.rejected);
    *base += chunk.received as i64;
    Ok(chunk)
}

/// Plans a landing query over the file's columns; anything but one row for each record is refused.
pub async fn landing_plan(
    context: &SessionContext,
    query: &Query,
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
) -> Result<LogicalPlan> {
    let mistake = |error: datafusion::error::DataFusionError| {
        Error::Project(vec![crate::plan::planning_mistake(&error, &query.file)])
    };
    let table = MemTable::try_new(schema, vec![rows]).map_err(mistake)?;
    // Each chunk is planned in a session state of its own, so that landings side by side do not see each other's file.
    let own = SessionContext::new_with_state(context.state());
    let catalog = Arc::new(datafusion::catalog::MemoryCatalogProvider::new());
    use datafusion::catalog::CatalogProvider;
    catalog
        .register_schema("public", Arc::new(datafusion::catalog::MemorySchemaProvider::new()))
        .map_err(mistake)?;
    own.register_catalog("datafusion", catalog);
    own.register_table(FILE_TABLE, Arc::new(table)).map_err(mistake)?;
    let plan = own.state().statement_to_plan(query.statement()).await.map_err(mistake)?;
    let mut refused = None;
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    plan.apply(|node| {
        if !matches!(
            node,
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::TableScan(_)
        ) {
            refused = Some(node.display().to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(mistake)?;
    match refused {
        None => Ok(plan),
        Some(node) => Err(Error::Project(vec![Mistake {
            place: Place { file: query.file.clone(), line: 0, column: 0 },
            what: format!("a landing query maps each record by itself, and this has {node}"),
            hint: "select expressions from `file` and nothing else; leave usage out in usage_filtered".into(),
        }])),
    }
}

/// The columns of the file that a landing query may mean: every name in it.
pub fn file_columns(query: &Query) -> Vec<String> {
    query.names.iter().filter(|name| *name != FILE_TABLE).cloned().collect()
}

/// The file's columns as text, for planning without a file.
pub fn file_schema(query: &Query) -> SchemaRef {
    let fields = file_columns(query).into_iter().map(|name| Field::new(name, DataType::Utf8View, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
