//! What the metrics say of the newest run and of what waits: asked of the warehouse when somebody looks.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{col, lit};
use meterhouse_sql::cycle::parse_instant;
use tracing::warn;

use super::Service;
use super::problem::told;
use crate::catalog;
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::land::{gathered, project_zone};
use crate::ledger::{self, Entry};
use crate::project::SUSPENSE;

/// How long whoever looks waits for the warehouse; what it says later is seen the next time.
const PATIENCE: Duration = Duration::from_secs(3);
const REASON: &str = "suspense_reason";

/// Brings the metrics up to date. Where the warehouse does not answer they stay as they were.
pub(super) async fn look(service: &Arc<Service>) {
    let service = service.clone();
    let looked = tokio::spawn(async move {
        let Ok(_alone) = service.metrics.looking.try_lock() else { return };
        if let Err(error) = ask(&service).await {
            warn!("what the metrics say of the warehouse stays as it was: {}", told(&error));
        }
    });
    let _ = tokio::time::timeout(PATIENCE, looked).await;
}

async fn ask(service: &Service) -> Result<()> {
    let metrics = &service.metrics;
    metrics.waiting.set(service.gatherer.waiting_bytes() as i64);
    metrics.gathered.set(gathered::waiting_bytes(&service.warehouse).await? as i64);
    let Some(newest) = ledger::newest(&service.warehouse).await? else { return Ok(()) };
    if metrics.run.get() == newest as i64 {
        return Ok(());
    }
    let entry = ledger::entry(&service.warehouse, newest).await?;
    let by_reason = suspense(service, &entry).await?;
    metrics.suspense(by_reason);
    let as_of = parse_instant(&entry.as_of, &project_zone(&service.project)?).unwrap_or_default();
    metrics.run_as_of.set(as_of / 1_000_000);
    metrics.run.set(newest as i64);
    Ok(())
}

/// How many records wait for which reason; none where the project has no table that says it.
async fn suspense(service: &Service, entry: &Entry) -> Result<Vec<(String, i64)>> {
    let schema = service.project.schemas.get(SUSPENSE).filter(|schema| schema.column(REASON).is_some());
    let (Some(schema), Some(table)) = (schema, entry.tables.get(SUSPENSE)) else { return Ok(Vec::new()) };
    let counting = || format!("counting {SUSPENSE}");
    let context = session(&service.project.settings, Some(&service.warehouse))?;
    catalog::register(&context, schema, table.files.clone())?;
    let rows = context.table(SUSPENSE).await.during(counting)?;
    let rows = rows.aggregate(vec![col(REASON)], vec![count(lit(1))]).during(counting)?;
    let mut by_reason = Vec::new();
    for batch in rows.collect().await.during(counting)? {
        let reasons = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(counting)?;
        let counts = batch.column(1).as_primitive::<Int64Type>().values();
        let reasons = reasons.as_string::<i32>().iter().flatten().map(String::from);
        by_reason.extend(reasons.zip(counts.iter().copied()));
    }
    Ok(by_reason)
}
