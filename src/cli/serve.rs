//! The service and its jobs, and how it is told to stop.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::info;

use super::{Opened, Out, instant_text, log};
use crate::error::{Error, Result, While};
use crate::project::Project;
use crate::serve::jobs::{self, Job};
use crate::serve::{self, Clock};

impl Opened {
    pub(super) async fn serve(
        mut self,
        root: PathBuf,
        set: Vec<String>,
        bind: Option<String>,
        is_insecure: bool,
        clock: Clock,
    ) -> Result<()> {
        if let Some(bind) = bind {
            self.project.settings.serve.bind = bind;
        }
        let settings = &self.project.settings;
        let spans = log::start(settings, self.quiet, self.verbose)?;
        let stopping_time = Duration::from_secs(settings.serve.stop_seconds);
        let stop = stop()?;
        let reread = Arc::new(move || {
            let (project, mut mistakes) = Project::read(&root, &set)?;
            if mistakes.is_empty() {
                mistakes = project.missing_tables();
            }
            if mistakes.is_empty() { Ok(project) } else { Err(Error::Project(mistakes)) }
        });
        let bound = serve::bind(self.project, self.warehouse, clock, reread, is_insecure).await?;
        info!("listening on {}", bound.url()?);
        info!("next: POST usage to /subscriptions/v1/usage; Ctrl-C stops when all is kept");
        let stopped = OnceLock::new();
        let stop = async {
            stop.await;
            stopped.get_or_init(Instant::now);
        };
        let outcome = bound.serve(stop).await;
        if outcome.is_ok() {
            info!("stopped; all that was accepted has landed");
        }
        if let Some(spans) = spans {
            let took = stopped.get().map(Instant::elapsed).unwrap_or_default();
            spans.stop(stopping_time.saturating_sub(took)).await;
        }
        outcome
    }
}

impl Opened {
    /// Shows what came of jobs, the newest first, and says when each is due next.
    pub(super) async fn jobs(&self, out: Out<'_>) -> Result<()> {
        let rows = jobs::history(&self.project, &self.warehouse, &self.context).await?;
        self.show_rows(rows, out).await?;
        let jobs = Job::all(&self.project.settings)?;
        for job in &jobs {
            let next = job.next_due(self.now)?.map(instant_text).transpose()?;
            let next = next.unwrap_or_else(|| "never".into());
            self.say(&format!("job {}: {} next at {next}", job.name, job.settings.does));
        }
        self.say(match jobs.is_empty() {
            true => "next: [jobs.bill] with cron and does in meterhouse.toml",
            false => "next: meterhouse serve does them when they are due",
        });
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
