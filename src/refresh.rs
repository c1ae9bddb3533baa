//! How one table is brought up to date: skipped, or made again whole or for one billing period.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use crate::data_file::{TableWriter, Written};
use crate::error::{Result, While};
use crate::plan::execution_error;
use crate::primary_key::KeyHashes;
use crate::project::{Project, Query, USAGE_RECORD};
use crate::schema::TableSchema;
use crate::warehouse::{DataFile, Warehouse};

/// The partition column of tables that hold one row for each cycle.
pub const BILLING_PERIOD: &str = "billing_period";

/// A hash of texts, in hexadecimal.
pub fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a run of one billing period limits this table: it is kept by period and made from other tables only.
pub fn is_limited(project: &Project, schema: &TableSchema, query: &Query) -> bool {
    schema.partition_by == [BILLING_PERIOD]
        && !project.tables_behind(query).contains(USAGE_RECORD)
        && !project.reads_as_of(query)
}

/// Runs a query and writes its rows as files of the table; `stem` names them.
///
/// With a period, only the rows of that billing period are made. With the files comes whether two of the rows may have
/// the same primary key.
pub async fn rebuild(
    context: &SessionContext,
    warehouse: &Warehouse,
    schema: &TableSchema,
    frame: DataFrame,
    period: Option<&str>,
    stem: &str,
) -> Result<(Vec<DataFile>, bool)> {
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
        let mut writer = TableWriter::new(context, warehouse, schema, stem)?.watching_key()?;
        let table = schema.name.clone();
        writing.spawn(async move {
            while let Some(batch) = stream.next().await {
                writer.write(&batch.map_err(|error| execution_error(&error, &table))?).await?;
            }
            writer.finish().await
        });
    }
    let (mut files, mut keys) = (Vec::new(), Vec::new());
    while let Some(written) = writing.join_next().await {
        let Written { files: of_stream, keys: of_rows } =
            written.during(|| format!("making {}", schema.name))??;
        files.extend(of_stream);
        keys.extend(of_rows);
    }
    files.sort();
    Ok((files, KeyHashes::may_repeat(keys)))
}
