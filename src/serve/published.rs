//! What was published, in memory: a session with every table of the newest run, shared by all who read.
//!
//! What always holds: a request sees one run from begin to end, whatever is published meanwhile; two states are never
//! made at one time; a request waits for a new state only where there is none, or nobody has looked for long. What
//! landed without a run is seen when the state is made again, `serve.land_seconds` later at most.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider,
};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;

use super::problem::{Problem, told};
use super::quotas::Access;
use super::{Clock, Reread};
use crate::catalog::{self, Opened};
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::{self, Entry, files_hash};
use crate::project::{LANDED, Project};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

/// How often it is looked for a newer run, at most.
const LOOK: Duration = Duration::from_secs(1);
/// Where nobody has looked for so long, a request waits until it is done.
const LONG: Duration = Duration::from_secs(5);
/// Planning a deep expression recurses.
const STACK_BYTES: usize = 64 << 20;

/// The tables of one published run, and what was landed when they were opened.
pub(super) struct State {
    /// The project, as it was read for this run.
    pub(super) project: Arc<Project>,
    /// With every table and view.
    pub(super) context: SessionContext,
    /// The run; none before the first.
    pub(super) head: Option<Entry>,
    /// The files of every table.
    pub(super) files: BTreeMap<String, Vec<DataFile>>,
    /// A hash of those of the landed tables.
    pub(super) landed: String,
    /// Who may go on; none where the project has no query that says so.
    pub(super) access: Option<Arc<Access>>,
    /// When it was made.
    made: Instant,
}

/// The newest state, and when it is made again.
pub(super) struct Published {
    project: Arc<Project>,
    warehouse: Warehouse,
    clock: Clock,
    reread: Reread,
    /// Without tables; what it may use of the machine is shared by all states.
    base: SessionContext,
    /// Threads of its own, so that a long query does not let a short answer wait.
    threads: Handle,
    state: RwLock<Option<Arc<State>>>,
    looked: Mutex<Option<Instant>>,
    turn: tokio::sync::Mutex<()>,
    is_loading: AtomicBool,
    land: Duration,
}

impl Published {
    pub(super) fn new(
        project: &Arc<Project>,
        warehouse: &Warehouse,
        clock: Clock,
        reread: &Reread,
    ) -> Result<Arc<Self>> {
        let settings = &project.settings;
        let runtime = threads(settings.engine.threads)?;
        let threads = runtime.handle().clone();
        // Not shut down: connections to a bucket that it has opened are used by others too.
        std::mem::forget(runtime);
        Ok(Arc::new(Self {
            base: session(settings, Some(warehouse))?,
            project: project.clone(),
            warehouse: warehouse.clone(),
            clock,
            reread: reread.clone(),
            threads,
            state: RwLock::default(),
            looked: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            is_loading: AtomicBool::new(false),
            land: Duration::from_secs(settings.serve.land_seconds),
        }))
    }

    /// The threads on which queries of the project run.
    pub(super) fn threads(&self) -> &Handle {
        &self.threads
    }

    /// Lets work go on there.
    pub(super) fn start(&self) -> impl FnOnce(BoxFuture<'static, ()>) -> Result<(), Problem> + '_ {
        |work| {
            self.threads.spawn(work);
            Ok(())
        }
    }

    /// The state at hand, which is the newest but for the time that looking and making take.
    ///
    /// # Errors
    /// There is none yet, and it cannot be made.
    pub(super) async fn state(self: &Arc<Self>) -> Result<Arc<State>> {
        let since = self.since_look();
        if let Some(state) = self.at_hand() {
            if since.is_some_and(|since| since < LOOK) || self.is_loading.load(Ordering::Acquire) {
                return Ok(state);
            }
            if since.is_some_and(|since| since < LONG.min(self.land)) {
                if let Ok(turn) = self.turn.try_lock() {
                    drop(turn);
                    self.threads.spawn(self.clone().look());
                }
                return Ok(state);
            }
        }
        // On a thread with a large stack, and to its end also where whoever asked goes away.
        let looked = self.threads.spawn(self.clone().look()).await;
        let looked = looked.during(|| "reading what was published".into()).flatten();
        match (self.at_hand(), looked) {
            (Some(state), _) => Ok(state),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Busy { what: "what was published is being read".into() }),
        }
    }

    /// Makes the first state, so that whoever asks first need not wait for it. What fails is told.
    pub(super) fn open(self: &Arc<Self>) {
        self.threads.spawn(self.clone().look());
    }

    /// Lets whoever asks next wait until it is looked: something was published here.
    pub(super) fn look_again(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn at_hand(&self) -> Option<Arc<State>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long ago somebody looked; none: never.
    fn since_look(&self) -> Option<Duration> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).map(|looked| looked.elapsed())
    }

    /// Looks whether there is a newer run, and makes the state again if so; one at a time. What fails is told, and the
    /// state before stays.
    async fn look(self: Arc<Self>) -> Result<()> {
        let _turn = self.turn.lock().await;
        if self.at_hand().is_some() && self.since_look().is_some_and(|since| since < LOOK) {
            return Ok(());
        }
        let outcome = self.renew().await;
        self.is_loading.store(false, Ordering::Release);
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Err(error) = &outcome {
            warn!("what is read over HTTP stays as it was: {}", told(error));
        }
        outcome
    }

    async fn renew(&self) -> Result<()> {
        let before = self.at_hand();
        if let Some(before) = &before {
            let newest = ledger::newest(&self.warehouse).await?;
            if newest == before.run() && before.made.elapsed() < self.land {
                return Ok(());
            }
            self.is_loading.store(true, Ordering::Release);
        }
        let state = self.make(before.as_deref()).await?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(state));
        Ok(())
    }

    async fn make(&self, before: Option<&State>) -> Result<State> {
        let made = Instant::now();
        let project = self.project_after(before).await?;
        let (mut head, files) = catalog::readable(&project, &self.warehouse).await?;
        let landed = LANDED.iter().filter_map(|table| files.get(*table));
        let landed = landed.map(|files| files_hash(files)).collect::<Vec<_>>().join(" ");
        let context = self.without_tables();
        let as_of = (self.clock)();
        let known = before.filter(|before| Arc::ptr_eq(&before.project, &project));
        let opened = known.map(|before| Opened { context: &before.context, files: &before.files });
        catalog::register_all(&project, &context, files.clone(), as_of, opened).await?;
        let run = head.as_ref().map(|head| head.run);
        let same = known.filter(|before| before.run() == run);
        let access = match (same, project.service.get("access"), run) {
            // Of the same run it is the same: it says itself from when to when.
            (Some(before), ..) => before.access.clone(),
            (None, Some(query), Some(_)) => Some(Arc::new(Access::load(&context, query, as_of).await?)),
            _ => None,
        };
        if let Some(head) = &mut head {
            // They are in `files`.
            head.tables.clear();
        }
        Ok(State { project, context, head, files, landed, access, made })
    }

    /// The project as it is now, where a run was published since: its queries and contracts may be others.
    async fn project_after(&self, before: Option<&State>) -> Result<Arc<Project>> {
        let Some(before) = before else { return Ok(self.project.clone()) };
        if ledger::newest(&self.warehouse).await? == before.run() {
            return Ok(before.project.clone());
        }
        match (self.reread)() {
            Ok(project) => Ok(Arc::new(project)),
            Err(error) => {
                warn!("queries stay as they were: {}", told(&error));
                Ok(before.project.clone())
            }
        }
    }

    /// A session that knows no table.
    pub(super) fn without_tables(&self) -> SessionContext {
        let state = self.base.state();
        let names = &state.config().options().catalog;
        let (catalog, schema) = (names.default_catalog.clone(), names.default_schema.clone());
        let tables = MemoryCatalogProvider::new();
        // Fails where a catalog has no schemas of its own, which this one has.
        let _ = tables.register_schema(&schema, Arc::new(MemorySchemaProvider::new()));
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(catalog, Arc::new(tables));
        let state =
            SessionStateBuilder::new_from_existing(state).with_catalog_list(Arc::new(catalogs)).build();
        SessionContext::new_with_state(state)
    }
}

impl State {
    /// The tables of a run that is not published.
    pub(super) fn aside(project: Arc<Project>, context: SessionContext, head: Entry) -> Self {
        let (files, landed, made) = (BTreeMap::new(), String::new(), Instant::now());
        Self { project, context, head: Some(head), files, landed, access: None, made }
    }

    /// The number of the run; none before the first.
    pub(super) fn run(&self) -> Option<u64> {
        self.head.as_ref().map(|head| head.run)
    }
}

/// So many threads for queries; 0: one for each core.
fn threads(count: usize) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if count > 0 {
        builder.worker_threads(count);
    }
    let runtime = builder.enable_all().thread_stack_size(STACK_BYTES).thread_name("reading").build();
    runtime.during(|| "starting threads that read".into())
}

/// Lets a query that somebody sent go on, on threads of its own that end with it. What such a query does without a
/// pause cannot be stopped: it may keep these threads busy beyond its answer, and its `place`, but nobody else's.
pub(super) fn start_apart(
    count: usize,
    place: OwnedSemaphorePermit,
    work: BoxFuture<'static, ()>,
) -> Result<(), Problem> {
    let whole = move || {
        // Where they cannot be started, the work goes undone, and that is told to who waits for it.
        if let Ok(runtime) = threads(count) {
            runtime.block_on(work);
            // Waits for what is at work still.
            drop(runtime);
        }
        drop(place);
    };
    let started = std::thread::Builder::new().stack_size(STACK_BYTES).name("asked".into()).spawn(whole);
    started.map(|_| ()).map_err(|error| {
        let source = error.into();
        Problem::of(&Error::Machine { what: "starting a thread for a query".into(), source })
    })
}

/// The same session for one query with memory of its own, in MiB: what it takes is missing nowhere else.
pub(super) fn limited(context: &SessionContext, memory_mb: usize) -> Result<SessionContext> {
    let state = context.state();
    let pool = Arc::new(FairSpillPool::new(memory_mb << 20));
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env()).with_memory_pool(pool).build_arc();
    let runtime = runtime.during(|| "starting a query".into())?;
    let state = SessionStateBuilder::new_from_existing(state).with_runtime_env(runtime).build();
    Ok(SessionContext::new_with_state(state))
}
