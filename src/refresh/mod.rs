//! How one table is brought up to date: skipped, made by what changed, or made again whole or for one billing period.

pub mod by;
pub mod fingerprint;
pub mod fold;
pub mod restrict;
pub mod touched;
pub mod until;
pub mod why;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Column;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;

use crate::engine::plan::{BILLING_PERIOD, execution_error, plan};
use crate::error::{Result, While};
use crate::project::schema::TableSchema;
use crate::project::{GUIDED_USAGE, Project, Query, USAGE_RECORD};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;
use crate::table::key::KeyHashes;
use crate::table::write::{TableWriter, Written};

/// Whether a run of one billing period limits this table: it is kept by period, and made from other tables only or from
/// usage that has its place already.
pub fn is_limited(project: &Project, schema: &TableSchema, query: &Query) -> bool {
    let is_placed = project.is_made_from(&query.name, GUIDED_USAGE)
        || !project.tables_behind(query).contains(USAGE_RECORD);
    schema.is_partitioned_by(BILLING_PERIOD) && is_placed && !project.reads_as_of(query)
}

/// The same of a table by its name; not where no query makes it.
pub fn is_made_by_period(project: &Project, name: &str) -> bool {
    let (schema, query) = (project.schemas.get(name), project.queries.get(name));
    schema.zip(query).is_some_and(|(schema, query)| is_limited(project, schema, query))
}

/// The rows of which billing periods are made.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Of all.
    All,
    /// Of this one.
    Only(String),
    /// Of all but these.
    Without(BTreeSet<String>),
}

impl Scope {
    /// Whether rows of a billing period are made.
    pub fn takes(&self, period: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == period,
            Self::Without(others) => !others.contains(period),
        }
    }

    /// Whether the rows of a file are made: it has those of one period.
    pub fn takes_file(&self, file: &DataFile) -> bool {
        file.partition.values().all(|period| self.takes(period))
    }

    /// The rows of a query that are in scope.
    pub fn limit(&self, frame: DataFrame) -> datafusion::error::Result<DataFrame> {
        let column = || Expr::Column(Column::from_name(BILLING_PERIOD));
        match self {
            Self::All => Ok(frame),
            Self::Only(period) => frame.filter(column().eq(lit(period.as_str()))),
            Self::Without(periods) if periods.is_empty() => Ok(frame),
            Self::Without(periods) => frame
                .filter(column().in_list(periods.iter().map(|period| lit(period.as_str())).collect(), true)),
        }
    }
}

/// A table that is to be made, with all that this takes, so that another thread can do it.
pub struct Making {
    /// The session that has what the query reads.
    pub context: SessionContext,
    /// Where its files go.
    pub warehouse: Warehouse,
    /// The table's contract.
    pub schema: TableSchema,
    /// The query whose rows it takes.
    pub query: Query,
    /// In microseconds since the epoch.
    pub as_of: i64,
    /// Only rows of these periods are made.
    pub scope: Scope,
    /// Names the files.
    pub stem: String,
}

/// What a query made of a table.
pub struct MadeRows {
    /// Its files.
    pub files: Vec<DataFile>,
    /// Their rows, where they fit a batch.
    pub rows: Option<Vec<RecordBatch>>,
    /// Whether two of the rows may have the same primary key.
    pub may_repeat: bool,
}

impl Making {
    /// Runs the query and writes its rows as files of the table; with them comes whether two of the rows may have the
    /// same primary key.
    pub async fn make(self) -> Result<(Vec<DataFile>, bool)> {
        let made = self.make_rows().await?;
        Ok((made.files, made.may_repeat))
    }

    /// The same with the rows, where they fit a batch.
    pub async fn make_rows(self) -> Result<MadeRows> {
        let Self { context, warehouse, schema, query, as_of, scope, stem } = self;
        let frame = plan(&context, &query, as_of).await?;
        let frame = scope.limit(frame).during(|| format!("limiting {} to its periods", schema.name))?;
        write_rows(&context, &warehouse, &schema, frame, &stem).await
    }
}

/// Writes the rows of a frame as files of a table.
pub async fn write_rows(
    context: &SessionContext,
    warehouse: &Warehouse,
    schema: &TableSchema,
    frame: DataFrame,
    stem: &str,
) -> Result<MadeRows> {
    let failed = |error: datafusion::error::DataFusionError| execution_error(&error, &schema.name);
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let partitions = plan.output_partitioning().partition_count();
    let task = Arc::new(TaskContext::from(context));
    let streams = execute_stream_partitioned(plan, task).map_err(failed)?;
    let mut writing = tokio::task::JoinSet::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let stem = if partitions == 1 { stem.to_string() } else { format!("{stem}-{number}") };
        let writer = TableWriter::new(context, warehouse, schema, stem)?;
        let mut writer = writer.watching_key()?.keeping_rows();
        let table = schema.name.clone();
        writing.spawn(async move {
            while let Some(batch) = stream.next().await {
                writer.write(&batch.map_err(|error| execution_error(&error, &table))?).await?;
            }
            writer.finish().await
        });
    }
    let (mut files, mut rows, mut keys) = (Vec::new(), Some(Vec::new()), Vec::new());
    while let Some(written) = writing.join_next().await {
        let written: Written = written.during(|| format!("making {}", schema.name))??;
        files.extend(written.files);
        rows = rows.zip(written.rows).map(|(rows, others)| [rows, others].concat());
        keys.extend(written.keys);
    }
    files.sort();
    Ok(MadeRows { files, rows, may_repeat: KeyHashes::may_repeat(keys) })
}
