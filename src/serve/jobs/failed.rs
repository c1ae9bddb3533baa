//! Jobs that failed when they were last done, as conditions of which somebody wants to be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use tracing::warn;

use super::register::{Done, Outcome, Register};
use super::{TRIES, told};
use crate::error::{Error, Result, While};
use crate::events::look::{Look, look};
use crate::project::Project;
use crate::serve::Service;
use crate::store::warehouse::Warehouse;

/// The kind of their events.
pub const FAILED: &str = "job_failed";

/// The jobs of a project that failed, as rows of an event query.
pub(super) async fn conditions(
    project: &Project,
    warehouse: &Warehouse,
) -> Result<BTreeMap<String, RecordBatch>> {
    let register = Register::of(warehouse);
    let mut failed: Vec<Done> = Vec::new();
    for job in project.settings.jobs.keys() {
        failed.extend(register.newest(job).await?.filter(|done| done.outcome == Outcome::Failed));
    }
    let text = |of: &dyn Fn(&Done) -> String| -> ArrayRef {
        Arc::new(failed.iter().map(|done| Some(of(done))).collect::<StringArray>())
    };
    let time = |of: fn(&Done) -> i64| -> ArrayRef {
        let times = failed.iter().map(|done| Some(of(done)));
        Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
    };
    let part = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let each = OffsetBuffer::from_lengths(vec![1; failed.len()]);
    let keys = ListArray::try_new(part, each, text(&|done| done.job.clone()), None);
    let rows = keys.and_then(|keys| {
        RecordBatch::try_from_iter([
            ("event_key", Arc::new(keys) as ArrayRef),
            ("job", text(&|done| done.job.clone())),
            ("does", text(&|done| done.does.to_string())),
            ("due", time(|done| done.due)),
            ("ended", time(|done| done.ended)),
            ("detail", text(&|done| done.detail.clone())),
        ])
    });
    Ok(BTreeMap::from([(FAILED.to_string(), rows.during(|| "telling which jobs failed".into())?)]))
}

/// Publishes that a job failed, or that it was done again after that; where that cannot be, it is said, and told when
/// it is looked the next time.
pub(super) async fn tell(service: &Service, by: String) {
    let mut told_it = Ok(0);
    for _ in 0..TRIES {
        told_it = try_to_tell(service, by.clone()).await;
        if !matches!(told_it, Err(Error::Busy { .. })) {
            break;
        }
    }
    if let Err(error) = told_it {
        warn!("{by}: its event is not published yet: {}", told(&error));
    }
}

async fn try_to_tell(service: &Service, by: String) -> Result<usize> {
    let project = (service.reread)().unwrap_or_else(|_| (*service.project).clone());
    let known = conditions(&project, &service.warehouse).await?;
    look(&project, &service.warehouse, &Look { now: (service.clock)(), by, known }).await
}
