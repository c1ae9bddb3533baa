//! Object stores that fail: one that dies after so many writes, as if the process had been killed, and others that lie.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Barrier;

/// Whether the last write before death happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It did not.
    Before,
    /// It did, and nobody was told.
    After,
    /// It did, an error was told instead, and the store lives on.
    Lie,
}

/// Lets `writes` writes happen and then dies.
#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    writes: usize,
    death: Death,
    seen: AtomicUsize,
    published: AtomicUsize,
    is_forgetful: bool,
    /// How long a create is refused, and when each was first asked for.
    busy: Duration,
    asked: Mutex<BTreeMap<Path, Instant>>,
    /// What the first two creates have in their path, both of which win.
    both: Option<(&'static str, Barrier)>,
    winners: AtomicUsize,
}

impl FaultStore {
    /// A store that dies at the write numbered `writes`, from 0.
    pub fn new(inner: Arc<dyn ObjectStore>, writes: usize, death: Death) -> Self {
        let (seen, published) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let (busy, asked, winners) = (Duration::ZERO, Mutex::default(), AtomicUsize::new(0));
        Self { inner, writes, death, seen, published, is_forgetful: false, busy, asked, both: None, winners }
    }

    /// A store that lives, and for so long refuses each create as if another were under way.
    pub fn busy(inner: Arc<dyn ObjectStore>, busy: Duration) -> Self {
        Self { busy, ..Self::new(inner, usize::MAX, Death::Before) }
    }

    /// A store that lives, and creates what is there already, as if nobody had asked for a condition.
    pub fn forgetful(inner: Arc<dyn ObjectStore>) -> Self {
        Self { is_forgetful: true, ..Self::new(inner, usize::MAX, Death::Before) }
    }

    /// A store that lives, and lets the first two creates of a path with this part come at one moment and both win.
    pub fn of_two_winners(inner: Arc<dyn ObjectStore>, part: &'static str) -> Self {
        Self { both: Some((part, Barrier::new(2))), ..Self::new(inner, usize::MAX, Death::Before) }
    }

    /// How many writes were asked for.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// The number of the write that published, where one did.
    pub fn published(&self) -> usize {
        self.published.load(Ordering::SeqCst)
    }

    /// Counts a write; `true` where it is the one at which the store dies.
    fn write(&self) -> Result<bool> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        match (number.cmp(&self.writes), self.death) {
            (std::cmp::Ordering::Less, _) => Ok(false),
            (std::cmp::Ordering::Greater, Death::Lie) => Ok(false),
            (std::cmp::Ordering::Equal, Death::After | Death::Lie) => Ok(true),
            _ => Err(killed()),
        }
    }

    fn alive(&self) -> Result<()> {
        let is_alive = self.seen() <= self.writes || self.death == Death::Lie;
        if is_alive { Ok(()) } else { Err(killed()) }
    }
}

fn killed() -> Error {
    Error::Generic { store: "fault", source: "killed".into() }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "fault({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.is_forgetful {
            options.mode = PutMode::Overwrite;
        }
        if options.mode == PutMode::Create {
            let first = *self.asked.lock().unwrap().entry(path.clone()).or_insert_with(Instant::now);
            if first.elapsed() < self.busy {
                return Err(Error::AlreadyExists { path: path.to_string(), source: "under way".into() });
            }
        }
        if let Some((part, barrier)) = &self.both
            && options.mode == PutMode::Create
            && path.as_ref().contains(part)
            && self.winners.fetch_add(1, Ordering::SeqCst) < 2
        {
            barrier.wait().await;
            options.mode = PutMode::Overwrite;
        }
        if path.as_ref().contains("/ledger/") {
            self.published.fetch_min(self.seen(), Ordering::SeqCst);
        }
        let is_last = self.write()?;
        let done = self.inner.put_opts(path, payload, options).await;
        if is_last { Err(killed()) } else { done }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let is_last = self.write()?;
        let done = self.inner.put_multipart_opts(path, options).await;
        if is_last { Err(killed()) } else { done }
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.write() {
            Ok(false) => self.inner.delete_stream(paths),
            _ => futures::stream::once(async { Err(killed()) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let is_last = self.write()?;
        let done = self.inner.copy_opts(from, to, options).await;
        if is_last { Err(killed()) } else { done }
    }
}
