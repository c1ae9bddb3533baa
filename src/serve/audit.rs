//! Changes are noted: who asked for what, and what came of it.
//!
//! Notes are gathered, and kept from time to time and when the service stops. So a service that is killed loses the
//! notes of the last [`PAUSE`], and nothing else: what was changed is kept before it is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::Service;
use crate::access::audit::{self, Batch, Change};
use crate::access::key;
use crate::error::Result;
use crate::project::Project;
use crate::store::warehouse::Warehouse;

/// Notes are kept at most once in this time.
const PAUSE: Duration = Duration::from_secs(10);
/// The most that waits to be kept, in notes: about 100 MiB. Where the warehouse does not answer for long, those that
/// are more are lost, which is told.
const WAITING: usize = 250_000;
/// What a note says of a request that was given up before it was answered.
const NOT_ANSWERED: &str = "not answered; whether it was done is open";

/// What came of a request, said by who answers it.
#[derive(Debug, Clone)]
pub(super) struct Outcome(pub(super) String);

/// Notes that wait to be kept.
#[derive(Default)]
pub(super) struct Audit {
    waiting: Mutex<Waiting>,
    /// What is being kept; only one does so at a time, and what failed is tried again as it was.
    batch: tokio::sync::Mutex<Option<Batch>>,
}

#[derive(Default)]
struct Waiting {
    changes: Vec<Change>,
    lost: u64,
    /// The last day on which each key was used, as far as that is not kept.
    uses: BTreeSet<(String, String)>,
    /// What is kept of that.
    used: BTreeMap<String, String>,
}

/// A change that is under way. It is noted when it ends, also where nobody waits for the answer any more.
pub(super) struct Begun {
    service: Arc<Service>,
    /// None once it is noted.
    change: Option<Change>,
}

impl Begun {
    /// A change that begins; its time and outcome come with the answer.
    pub(super) fn new(service: Arc<Service>, change: Change) -> Self {
        Self { service, change: Some(change) }
    }

    /// Notes its answer.
    pub(super) fn end(mut self, status: u16, outcome: String) {
        if let Some(change) = self.change.take() {
            self.note(Change { status: Some(status), outcome, ..change });
        }
    }

    fn note(&self, change: Change) {
        let at = (self.service.clock)();
        self.service.audit.note(Change { at, ..change });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.note(Change { outcome: NOT_ANSWERED.into(), ..change });
        }
    }
}

impl Audit {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: Change) {
        let mut waiting = self.waiting();
        if waiting.changes.len() < WAITING {
            waiting.changes.push(change);
        } else {
            waiting.lost += 1;
        }
    }

    /// Notes that a key is used on a day.
    pub(super) fn used(&self, id: &str, day: &str) {
        let mut waiting = self.waiting();
        if waiting.used.get(id).is_none_or(|used| used != day) {
            waiting.uses.insert((id.into(), day.into()));
            waiting.used.insert(id.into(), day.into());
        }
    }

    /// Keeps what waits.
    async fn keep(&self, project: &Project, warehouse: &Warehouse) -> Result<()> {
        let mut batch = self.batch.lock().await;
        loop {
            if batch.is_none() {
                let (changes, lost) = {
                    let mut waiting = self.waiting();
                    (std::mem::take(&mut waiting.changes), std::mem::take(&mut waiting.lost))
                };
                if lost > 0 {
                    warn!(
                        lost,
                        "{lost} changes are not in the audit: the warehouse did not take it for long"
                    );
                }
                if changes.is_empty() {
                    break;
                }
                *batch = Some(Batch::of(changes));
            }
            if let Some(batch) = &*batch {
                audit::keep(project, warehouse, batch).await?;
            }
            *batch = None;
        }
        let uses: Vec<_> = self.waiting().uses.iter().cloned().collect();
        for (id, day) in uses {
            key::note_use(warehouse, &id, &day).await?;
            self.waiting().uses.remove(&(id, day));
        }
        Ok(())
    }
}

/// Keeps notes, until the service stops.
pub(super) async fn from_time_to_time(service: Arc<Service>, mut stopped: watch::Receiver<()>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stopped.changed() => return,
        }
        keep(&service).await;
    }
}

/// Keeps the notes there are; what fails is told, and is tried again.
pub(super) async fn keep(service: &Service) {
    if let Err(error) = service.audit.keep(&service.project, &service.warehouse).await {
        warn!("what was changed is not in the audit yet: {error}");
    }
}
