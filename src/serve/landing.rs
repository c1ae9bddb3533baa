//! What was sent lands from time to time, so that a query finds it and a run has little to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Instrument, info, info_span, warn};

use super::Service;
use super::metrics::Metrics;
use super::problem::told;
use crate::engine::session::session;
use crate::error::Result;
use crate::land::{Landed, gathered};
use crate::project::Project;
use crate::store::warehouse::Warehouse;

/// Lands what waits, until the service stops.
pub(super) async fn from_time_to_time(service: Arc<Service>, mut stopped: watch::Receiver<()>) {
    let pause = Duration::from_secs(service.project.settings.serve.land_seconds);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
        if let Err(error) = land(&service.project, &service.warehouse, &service.metrics).await {
            // It waits, and is tried again.
            warn!("what was sent waits to be landed: {}", told(&error));
            service.metrics.failed_landing();
        }
    }
}

/// Lands what waits.
pub(super) async fn land(project: &Project, warehouse: &Warehouse, metrics: &Metrics) -> Result<()> {
    let context = session(&project.settings, Some(warehouse))?;
    let notice = |landed: &Landed| tell(landed, metrics);
    let landing = gathered::land_gathered(project, warehouse, &context, &notice);
    landing.instrument(info_span!("land")).await
}

/// Tells what became of a file, and counts it.
pub(super) fn tell(landed: &Landed, metrics: &Metrics) {
    let Landed { landing_id, received, rejected, before, .. } = landed;
    if before.is_none() {
        metrics.landed(*received, *rejected);
        // Why records are rejected is in the table: they may be about somebody.
        let text = landed.to_string();
        info!(landing_id, received, rejected, "{}", text.lines().next().unwrap_or_default());
    }
}
