//! The table of jobs: what services did when it was due.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::col;
use datafusion::prelude::SessionContext;

use super::register::Done;
use crate::catalog;
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::project::{JOB_RUN, Project};
use crate::store::digest::sha256;
use crate::store::warehouse::Warehouse;
use crate::table::named;

/// The columns that are shown.
const SHOWN: [&str; 7] = ["job", "does", "due_at", "began_at", "took_seconds", "outcome", "detail"];

/// Adds what came of a job, unless it is there.
pub(super) async fn keep(project: &Project, warehouse: &Warehouse, done: &Done) -> Result<()> {
    let context = session(&project.settings, Some(warehouse))?;
    let schema = &project.schemas[JOB_RUN];
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let time =
        |at: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC")) };
    let took = i128::from((done.ended - done.began) / 1000);
    let writing = || "writing what came of a job".to_string();
    let took = Decimal128Array::from(vec![took]).with_precision_and_scale(18, 3).during(writing)?;
    let run = Int64Array::from(vec![done.published.map(|run| run as i64)]);
    let row = RecordBatch::try_from_iter_with_nullable([
        ("job", text(&done.job), false),
        ("due_at", time(done.due), false),
        ("does", text(&done.does.to_string()), false),
        ("began_at", time(done.began), false),
        ("ended_at", time(done.ended), false),
        ("took_seconds", Arc::new(took) as ArrayRef, false),
        ("outcome", text(done.outcome.word()), false),
        ("detail", text(&done.detail), false),
        ("service_id", text(&done.by), false),
        ("run_number", Arc::new(run), true),
    ]);
    // A name may have any letters, and only one service has written what came of it.
    let name = format!("job-{}", &sha256(format!("{} {}", done.due, done.job))[..32]);
    named::add(&context, warehouse, schema, &name, &row.during(writing)?).await
}

/// What came of all jobs, the newest first.
pub async fn history(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
) -> Result<SendableRecordBatchStream> {
    let reading = || format!("reading {JOB_RUN}");
    let newest = ["began_at", "due_at", "job"].map(|column| col(column).sort(false, false));
    let frame = catalog::journal_rows(project, warehouse, context, JOB_RUN).await?;
    let frame = frame.sort(newest.to_vec()).and_then(|frame| frame.select_columns(&SHOWN)).during(reading)?;
    frame.execute_stream().await.during(reading)
}
