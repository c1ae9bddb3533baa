//! How one table is brought up to date: skipped, or made again whole or for one billing period.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::common::Column;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;

use crate::data_file::TableWriter;
use crate::error::{Error, Place, Result, While};
use crate::plan::{BILLING_PERIOD, execution_error};
use crate::project::{Project, Query, USAGE_RECORD};
use crate::schema::TableSchema;
use crate::table::FileTable;
use crate::warehouse::{DataFile, Warehouse};

/// Whether a run of one billing period limits this table: it is kept by period and made from other tables only.
pub fn is_limited(project: &Project, schema: &TableSchema, query: &Query) -> bool {
    schema.partition_by == [BILLING_PERIOD]
        && !project.tables_behind(query).contains(USAGE_RECORD)
        && !project.reads_as_of(query)
}

/// Runs a query and writes its rows as files of the table; `stem` names them.
///
/// With a period, only the rows of that billing period are made.
pub async fn rebuild(
    context: &SessionContext,
    warehouse: &Warehouse,
    schema: &TableSchema,
    frame: DataFrame,
    period: Option<&str>,
    stem: &str,
) -> Result<Vec<DataFile>> {
    let frame = match period {
        Some(period) => {
            let column = Expr::Column(Column::from_name(BILLING_PERIOD));
            frame.filter(column.eq(lit(period))).during(|| format!("limiting {} to {period}", schema.name))?
        }
        None => frame,
    };
    let failed = |error: datafusion::error::DataFusionError| execution_error(&error, &schema.name);
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let partitions = plan.output_partitioning().partition_count();
    let task = Arc::new(TaskContext::from(context));
    let streams = execute_stream_partitioned(plan, task).map_err(failed)?;
    let mut writing = tokio::task::JoinSet::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let stem = if partitions == 1 { stem.to_string() } else { format!("{stem}-{number}") };
        let mut writer = TableWriter::new(context, warehouse, schema, stem)?;
        let table = schema.name.clone();
        writing.spawn(async move {
            while let Some(batch) = stream.next().await {
                writer.write(&batch.map_err(|error| execution_error(&error, &table))?).await?;
            }
            writer.finish().await
        });
    }
    let mut files = Vec::new();
    while let Some(written) = writing.join_next().await {
        files.extend(written.during(|| format!("making {}", schema.name))??);
    }
    files.sort();
    Ok(files)
}

/// Refuses a table in which two rows have one primary key; the hint says what may be the cause.
pub async fn check_key(
    context: &SessionContext,
    schema: &TableSchema,
    files: &[DataFile],
    hint: &str,
) -> Result<()> {
    if schema.primary_key.is_empty() {
        return Ok(());
    }
    use datafusion::functions_aggregate::expr_fn::count;
    let working = || format!("checking the key of {}", schema.name);
    let frame = context.read_table(Arc::new(FileTable::new(schema, files.to_vec()))).during(working)?;
    let keys = schema.primary_key.iter().map(|name| Expr::Column(Column::from_name(name))).collect();
    let twice = frame
        .aggregate(keys, vec![count(lit(1)).alias("rows")])
        .and_then(|frame| frame.filter(Expr::Column(Column::from_name("rows")).gt(lit(1))))
        .and_then(|frame| frame.limit(0, Some(5)))
        .during(working)?;
    let rows = twice.collect().await.during(working)?;
    if rows.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let rows = pretty_format_batches(&rows).during(working)?;
    Err(Error::Data {
        what: format!(
            "`{}` has rows with the same key ({})\n{rows}",
            schema.name,
            schema.primary_key.join(", ")
        ),
        place: Some(Place { file: schema.file.clone(), line: 0, column: 0 }),
        hint: hint.into(),
    })
}
