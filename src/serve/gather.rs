//! Records of many requests are kept together: one object acknowledges all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tracing::field::Empty;
use tracing::{Instrument, info, info_span, warn};

use super::Clock;
use super::metrics::Metrics;
use super::problem::told;
use crate::error::Error;
use crate::land::gathered;
use crate::project::settings::ServeSettings;
use crate::store::warehouse::Warehouse;

/// What of the log is about commits.
const TARGET: &str = "meterhouse::commit";
/// What is kept at one time, at most.
const TOGETHER: usize = 4096;

/// What became of records: they are kept, or why not.
pub(super) type Kept = Result<(), Arc<Error>>;

/// Records of one request that wait to be kept.
struct Waiting {
    with: Option<String>,
    lines: Vec<u8>,
    kept: oneshot::Sender<Kept>,
    /// Given back when they are kept.
    _room: OwnedSemaphorePermit,
}

/// Takes records of requests, and keeps them together.
pub(super) struct Gatherer {
    /// None once nothing more is taken.
    waiting: Mutex<Option<UnboundedSender<Waiting>>>,
    /// Bytes that may wait, as far as they do not.
    room: Arc<Semaphore>,
    /// All that may.
    all: usize,
}

impl Gatherer {
    pub(super) fn start(
        warehouse: Warehouse,
        clock: Clock,
        settings: &ServeSettings,
        metrics: Metrics,
    ) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = unbounded_channel();
        let pause = Duration::from_millis(settings.gather_ms);
        let committing = tokio::spawn(commit(warehouse, clock, pause, receiver, metrics));
        let all = settings.waiting_mb.saturating_mul(1 << 20).min(Semaphore::MAX_PERMITS);
        let (waiting, room) = (Mutex::new(Some(sender)), Arc::new(Semaphore::new(all)));
        (Self { waiting, room, all }, committing)
    }

    /// Room for a body that unpacks to so many bytes; none where too much waits already.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// Keeps records; returns when they are kept, or could not be.
    pub(super) async fn keep(
        &self,
        with: Option<String>,
        lines: Vec<u8>,
        room: OwnedSemaphorePermit,
    ) -> Kept {
        let stopped = || Arc::new(Error::Busy { what: "the service is stopping".into() });
        let (kept, answer) = oneshot::channel();
        let waiting = Waiting { with, lines, kept, _room: room };
        {
            let sender = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let sender = sender.as_ref().ok_or_else(stopped)?;
            sender.send(waiting).map_err(|_| stopped())?;
        }
        answer.await.map_err(|_| stopped())?
    }

    /// Bytes for which room is taken.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.all.saturating_sub(self.room.available_permits())
    }

    /// Takes no more; what waits is kept.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Keeps what waits, again and again: the first at once, and what comes meanwhile together, at most once in `pause`.
async fn commit(
    warehouse: Warehouse,
    clock: Clock,
    pause: Duration,
    mut receiver: UnboundedReceiver<Waiting>,
    metrics: Metrics,
) {
    let mut last: Option<Instant> = None;
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, TOGETHER).await > 0 {
        if let Some(rest) = last.and_then(|last| pause.checked_sub(last.elapsed())) {
            tokio::time::sleep(rest).await;
            while waiting.len() < TOGETHER {
                let Ok(one) = receiver.try_recv() else { break };
                waiting.push(one);
            }
        }
        last = Some(Instant::now());
        let mut by_shape: BTreeMap<Option<String>, Vec<Waiting>> = BTreeMap::new();
        for one in waiting.drain(..) {
            by_shape.entry(one.with.clone()).or_default().push(one);
        }
        for (with, together) in by_shape {
            let lines: Vec<u8> = together.iter().flat_map(|one| one.lines.iter().copied()).collect();
            let began = Instant::now();
            let (bytes, requests) = (lines.len(), together.len());
            let span = info_span!(target: TARGET, "commit", bytes, requests, otel.status_code = Empty);
            let keeping = gathered::keep(&warehouse, with.as_deref(), &lines, clock());
            let kept = keeping.instrument(span.clone()).await;
            let seconds = began.elapsed().as_secs_f64();
            metrics.committed(began.elapsed(), bytes, kept.is_ok());
            match &kept {
                Ok(()) => info!(target: TARGET, bytes, requests, seconds, "what was sent is kept"),
                Err(error) => {
                    span.record("otel.status_code", "ERROR");
                    warn!(target: TARGET, bytes, requests, seconds, "what was sent is not kept: {}", told(error));
                }
            }
            let kept = kept.map_err(Arc::new);
            for one in together {
                // Whoever does not wait any more has lost the connection, and sends again.
                let _ = one.kept.send(kept.clone());
            }
        }
    }
}
