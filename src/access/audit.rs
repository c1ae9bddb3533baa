//! What was changed over HTTP: by which key, when, and what came of it. Many changes are one file of a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;

use crate::catalog;
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::project::{Project, SERVICE_CHANGE};
use crate::store::warehouse::Warehouse;
use crate::table::named;

/// The columns that are shown.
const SHOWN: [&str; 8] =
    ["answered_at", "key_id", "key_name", "method", "path", "request_id", "status", "outcome"];

/// A request that asked for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it was answered, in microseconds since the epoch.
    pub at: i64,
    /// The key it had; none: everybody might.
    pub key_id: Option<String>,
    /// The key's name.
    pub key_name: Option<String>,
    /// Of the request, such as `POST`.
    pub method: String,
    /// Where it went, without what follows a `?`.
    pub path: String,
    /// The id that its answer has.
    pub request_id: String,
    /// Of its answer; none if it was not answered, which leaves open whether it was done.
    pub status: Option<u16>,
    /// What came of it.
    pub outcome: String,
}

/// Changes that are kept together, under a name that no others have.
pub struct Batch {
    name: String,
    changes: Vec<Change>,
}

impl Batch {
    /// Of these changes.
    pub fn of(changes: Vec<Change>) -> Self {
        Self { name: format!("change-{}", uuid::Uuid::new_v4().simple()), changes }
    }

    fn rows(&self) -> Result<RecordBatch> {
        let text = |of: fn(&Change) -> Option<&str>| -> ArrayRef {
            Arc::new(self.changes.iter().map(of).collect::<StringArray>())
        };
        let ids = (1..=self.changes.len()).map(|number| Some(format!("{}-{number:06}", self.name)));
        let at = TimestampMicrosecondArray::from_iter_values(self.changes.iter().map(|change| change.at));
        let status = self.changes.iter().map(|change| change.status.map(i64::from));
        RecordBatch::try_from_iter_with_nullable([
            ("change_id", Arc::new(ids.collect::<StringArray>()) as ArrayRef, false),
            ("answered_at", Arc::new(at.with_timezone("UTC")), false),
            ("key_id", text(|change| change.key_id.as_deref()), true),
            ("key_name", text(|change| change.key_name.as_deref()), true),
            ("method", text(|change| Some(&change.method)), false),
            ("path", text(|change| Some(&change.path)), false),
            ("request_id", text(|change| Some(&change.request_id)), false),
            ("status", Arc::new(status.collect::<Int64Array>()), true),
            ("outcome", text(|change| Some(&change.outcome)), false),
        ])
        .during(|| "writing changes".into())
    }
}

/// Keeps changes; when this returns they are on the disk, or in the bucket. The same again, as after an error that left
/// that open, is kept once.
pub async fn keep(project: &Project, warehouse: &Warehouse, batch: &Batch) -> Result<()> {
    let context = session(&project.settings, Some(warehouse))?;
    let schema = &project.schemas[SERVICE_CHANGE];
    named::add(&context, warehouse, schema, &batch.name, &batch.rows()?).await?;
    warehouse.sync().await
}

/// The changes that were answered at `since` or later, in microseconds since the epoch, in the order of their answers.
pub async fn read(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    since: i64,
) -> Result<SendableRecordBatchStream> {
    let reading = || format!("reading {SERVICE_CHANGE}");
    let since = lit(ScalarValue::TimestampMicrosecond(Some(since), Some("UTC".into())));
    let frame = catalog::journal_rows(project, warehouse, context, SERVICE_CHANGE).await?;
    let frame = frame.filter(col("answered_at").gt_eq(since)).during(reading)?;
    let frame = frame.sort(vec![col("answered_at").sort(true, false), col("change_id").sort(true, false)]);
    let frame = frame.and_then(|frame| frame.select_columns(&SHOWN)).during(reading)?;
    frame.execute_stream().await.during(reading)
}
