//! The service, and how it is told to stop.

use std::sync::Arc;

use super::{Opened, stderr};
use crate::error::{Error, Result, While};
use crate::serve::{self, Clock};

impl Opened {
    pub(super) async fn serve(mut self, bind: Option<String>, clock: Clock) -> Result<()> {
        if let Some(bind) = bind {
            self.project.settings.serve.bind = bind;
        }
        let quiet = self.quiet;
        let hear = move |text: &str| {
            if !quiet || text.starts_with("warning: ") {
                stderr::line(text);
            }
        };
        let stop = stop()?;
        let bound = serve::bind(self.project, self.warehouse, clock, Arc::new(hear)).await?;
        if !quiet {
            stderr::line(&format!("listening on http://{}", bound.address()?));
            stderr::line("next: POST usage to /subscriptions/v1/usage; Ctrl-C stops when all is kept");
        }
        bound.serve(stop).await?;
        if !quiet {
            stderr::line("stopped; all that was accepted has landed");
        }
        Ok(())
    }
}

/// Comes when somebody types Ctrl-C, or the process is asked to end.
fn stop() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).during(|| "listening for SIGTERM".into())?
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
