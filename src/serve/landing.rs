//! What was sent lands from time to time, so that a query finds it and a run has little to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::problem::told;
use super::{Hear, Service};
use crate::engine::session::session;
use crate::error::Result;
use crate::land::gathered;
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
        if let Err(error) = land(&service.project, &service.warehouse, &service.hear).await {
            // It waits, and is tried again.
            (service.hear)(&format!("warning: what was sent waits to be landed: {}", told(&error)));
            service.metrics.failed_landing();
        }
    }
}

/// Lands what waits.
pub(super) async fn land(project: &Project, warehouse: &Warehouse, hear: &Hear) -> Result<()> {
    let context = session(&project.settings, Some(warehouse))?;
    let notice = |landed: &crate::land::Landed| hear(&landed.to_string());
    gathered::land_gathered(project, warehouse, &context, &notice).await
}
