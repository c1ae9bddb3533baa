//! The service: usage comes in over HTTP and is on the disk, or in the bucket, when it is answered.
//!
//! The warehouse is its only state, so any number of services may stand side by side on one, beside runs by hand.
//! Nothing is decided here: what a record is, what counts, what it costs is said by the rooms behind this one.

mod connections;
mod gather;
mod health;
pub mod jobs;
mod landing;
mod metrics;
mod problem;
mod receipt;
mod recent;
mod usage;
mod void;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;

use self::gather::Gatherer;
use self::jobs::Job;
use self::metrics::Metrics;
use self::recent::Recent;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::land::sent::Door;
use crate::project::Project;
use crate::store::warehouse::Warehouse;

/// Reads the clock, in microseconds since the epoch.
pub type Clock = fn() -> i64;
/// Reads the project again, as it is now.
pub type Reread = Arc<dyn Fn() -> Result<Project> + Send + Sync>;
/// Hears what happens, a line each.
pub type Hear = Arc<dyn Fn(&str) + Send + Sync>;

/// What every request may use.
struct Service {
    project: Arc<Project>,
    warehouse: Warehouse,
    clock: Clock,
    reread: Reread,
    hear: Hear,
    door: Door,
    gatherer: Gatherer,
    recent: Recent,
    metrics: Metrics,
    /// The most that a body may have, in bytes: as it comes, and unpacked.
    body_bytes: usize,
}

/// A service that is bound and not yet at work.
pub struct Bound {
    listener: TcpListener,
    service: Arc<Service>,
    jobs: Vec<Job>,
    committing: tokio::task::JoinHandle<()>,
    request_time: Duration,
    stopping_time: Duration,
}

/// Binds the address that the settings say, and makes sure that the warehouse keeps what it is given.
///
/// # Errors
/// An address that is no loopback one, or is taken; a store that loses what it acknowledged.
pub async fn bind(
    project: Project,
    warehouse: Warehouse,
    clock: Clock,
    reread: Reread,
    hear: Hear,
) -> Result<Bound> {
    let settings = project.settings.serve.clone();
    let jobs = Job::all(&project.settings)?;
    let address: SocketAddr = settings.bind.parse().map_err(|_| {
        let what = format!("`{}` is no address with a port", settings.bind);
        project.settings.wrong("serve.bind", what, "such as 127.0.0.1:8473")
    })?;
    if !address.ip().is_loopback() {
        let what =
            format!("{address} can be reached from other machines, and nobody would be asked who they are");
        let hint = "bind 127.0.0.1, and let a proxy with keys and TLS stand before it";
        return Err(project.settings.wrong("serve.bind", what, hint));
    }
    warehouse.probe().await?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let hint = "another program may have it: --set serve.bind=127.0.0.1:PORT";
        Error::usage(format!("{address} cannot be bound: {error}"), hint)
    })?;
    let project = Arc::new(project);
    let context = session(&project.settings, Some(&warehouse))?;
    let door = Door::new(&project, &context)?;
    let metrics = Metrics::default();
    let (gatherer, committing) = Gatherer::start(warehouse.clone(), clock, &settings, metrics.clone());
    let service = Service {
        door,
        gatherer,
        metrics,
        clock,
        reread,
        hear,
        warehouse,
        project,
        recent: Recent::default(),
        body_bytes: settings.body_mb << 20,
    };
    Ok(Bound {
        listener,
        service: Arc::new(service),
        jobs,
        committing,
        request_time: Duration::from_secs(settings.request_seconds),
        stopping_time: Duration::from_secs(settings.stop_seconds),
    })
}

impl Bound {
    /// Where it can be reached.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().during(|| "reading the address".into())
    }

    /// Answers until `stop` comes: then no more is taken, what is on its way is answered, and all that was gathered is
    /// acknowledged and landed.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self { listener, service, jobs, committing, request_time, stopping_time } = self;
        let (stopping, stopped) = watch::channel(());
        let landing = tokio::spawn(landing::from_time_to_time(service.clone(), stopped.clone()));
        let working = tokio::spawn(jobs::by_the_clock(service.clone(), jobs, stopped));
        let router = router(&service, request_time);
        connections::accept(listener, router, stop, stopping, stopping_time).await;
        // A landing under way is brought to its end, a job is left.
        landing.await.during(|| "landing what was sent".into())?;
        working.await.during(|| "doing jobs".into())?;
        let (project, warehouse) = (service.project.clone(), service.warehouse.clone());
        service.gatherer.close();
        committing.await.during(|| "keeping what was sent".into())?;
        landing::land(&project, &warehouse, &service.hear).await
    }
}

fn router(service: &Arc<Service>, request_time: Duration) -> Router {
    Router::new()
        .route("/subscriptions/v1/usage", post(usage::post))
        .route("/subscriptions/v1/usage/{transaction_id}", delete(void::void))
        .route("/periods/{period}/customers/{customer_id}/receipts", post(receipt::post))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(axum::middleware::from_fn_with_state(service.clone(), metrics::count))
        .layer(DefaultBodyLimit::max(service.body_bytes))
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::REQUEST_TIMEOUT, request_time))
        .layer(CatchPanicLayer::custom(problem::fault))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(Numbered))
        .with_state(service.clone())
}

/// Gives each request an id, which its answer has too.
#[derive(Clone)]
struct Numbered;

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        uuid::Uuid::new_v4().to_string().parse().ok().map(RequestId::new)
    }
}
