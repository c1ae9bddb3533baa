//! The service: usage comes in over HTTP and is on the disk, or in the bucket, when it is answered.
//!
//! The warehouse is its only state, so any number of services may stand side by side on one, beside runs by hand.
//! Nothing is decided here: what a record is, what counts, what it costs is said by the rooms behind this one.

mod audit;
mod connections;
mod feed;
mod fresh;
mod gather;
mod health;
pub mod jobs;
mod landing;
mod metrics;
mod newest;
mod openapi;
mod page;
mod part;
mod problem;
mod published;
mod quotas;
mod reach;
mod read;
mod receipt;
mod recent;
mod routes;
mod rows;
mod seen;
mod sql;
mod tls;
mod usage;
mod void;
mod webhook;
mod who;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tracing::{info, warn};

use self::audit::Audit;
use self::connections::Limits;
use self::fresh::Fresh;
use self::gather::Gatherer;
use self::health::Ready;
use self::jobs::{Asking, Job};
use self::metrics::Metrics;
use self::openapi::Description;
use self::problem::Problem;
use self::published::Published;
use self::reach::Reach;
use self::recent::Recent;
pub use self::routes::rules;
use self::tls::Tls;
use self::webhook::Webhook;
pub use self::webhook::redeliver;
use self::who::Gate;
pub use self::who::Rule;
use crate::access::key::Keys;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::land::sent::Door;
use crate::project::Project;
use crate::store::warehouse::Warehouse;

/// Reads the clock, in microseconds since the epoch.
pub type Clock = fn() -> i64;
/// Reads the project again, as it is now.
pub type Reread = Arc<dyn Fn() -> Result<Project> + Send + Sync>;

/// What is left of the time of a request for saying that it takes too long.
const ANSWER: Duration = Duration::from_millis(250);

/// The most that one request may be allowed to send, in MiB.
const MOST_MB: usize = 1024;

/// What every request may use.
struct Service {
    project: Arc<Project>,
    warehouse: Warehouse,
    clock: Clock,
    reread: Reread,
    door: Door,
    gatherer: Gatherer,
    recent: Recent,
    metrics: Metrics,
    gate: Gate,
    rules: Vec<Rule>,
    description: Description,
    audit: Audit,
    asking: Asking,
    published: Arc<Published>,
    fresh: Fresh,
    ready: Ready,
    /// Queries that may begin.
    sql: Arc<Semaphore>,
    /// How long the answer of a query may take.
    answer_time: Duration,
    /// The most that a body may have, in bytes: as it comes, and unpacked.
    body_bytes: usize,
}

/// A service that is bound and not yet at work.
pub struct Bound {
    listener: TcpListener,
    tls: Option<Tls>,
    service: Arc<Service>,
    jobs: Vec<Job>,
    webhooks: Vec<Webhook>,
    stopping: watch::Sender<()>,
    committing: tokio::task::JoinHandle<()>,
    request_time: Duration,
    limits: Limits,
}

/// Binds the address that the settings say, and makes sure that the warehouse keeps what it is given. `is_insecure`:
/// other machines may reach it without a key, or in plain text.
///
/// # Errors
/// An address that other machines reach, without a key or TLS; one that is taken; a certificate that cannot be used; a
/// store that loses what it acknowledged.
pub async fn bind(
    project: Project,
    warehouse: Warehouse,
    clock: Clock,
    reread: Reread,
    is_insecure: bool,
) -> Result<Bound> {
    let settings = project.settings.serve.clone();
    let jobs = Job::all(&project.settings)?;
    let webhooks = Webhook::all(&project)?;
    let address: SocketAddr = settings.bind.parse().map_err(|_| {
        let what = format!("`{}` is no address with a port", settings.bind);
        project.settings.wrong("serve.bind", what, "such as 127.0.0.1:8473")
    })?;
    if !(1..=MOST_MB).contains(&settings.body_mb) {
        let what = format!("{} MiB is no size for a body", settings.body_mb);
        return Err(project.settings.wrong("serve.body_mb", what, &format!("from 1 to {MOST_MB}")));
    }
    if settings.waiting_mb < settings.body_mb {
        let what = "one request may send more than may wait, so that it would never be taken".to_string();
        return Err(project.settings.wrong("serve.waiting_mb", what, "at least as much as serve.body_mb"));
    }
    let tls = Tls::of(&project)?;
    let reach = Reach { address, is_insecure, has_tls: tls.is_some() };
    let keys = Keys::default().read_again(&warehouse).await?;
    for text in reach.check(&project.settings, &keys)? {
        match text.strip_prefix("warning: ") {
            Some(text) => warn!("{text}"),
            None => info!("{text}"),
        }
    }
    let gate = Gate::new(warehouse.clone(), keys, reach.is_open());
    warehouse.probe().await?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let hint = "another program may have it: --set serve.bind=127.0.0.1:PORT";
        Error::usage(format!("{address} cannot be bound: {error}"), hint)
    })?;
    let project = Arc::new(project);
    let context = session(&project.settings, Some(&warehouse))?;
    let door = Door::new(&project, &context)?;
    let metrics = Metrics::default();
    // So that one which has posted nothing is seen.
    project.settings.webhooks.keys().for_each(|webhook| metrics.posted(webhook, 0, 0));
    let (gatherer, committing) = Gatherer::start(warehouse.clone(), clock, &settings, metrics.clone());
    let (stopping, stopped) = watch::channel(());
    let service = Service {
        published: Published::new(&project, &warehouse, clock, &reread)?,
        fresh: Fresh::default(),
        ready: Ready::default(),
        sql: Arc::new(Semaphore::new(settings.sql_queries)),
        // So that it is told before the request is given up.
        answer_time: Duration::from_secs(settings.request_seconds).saturating_sub(ANSWER),
        door,
        gatherer,
        metrics,
        clock,
        reread,
        warehouse,
        project,
        recent: Recent::default(),
        gate,
        rules: rules(),
        description: routes::described()?,
        audit: Audit::default(),
        asking: Asking::new(stopped),
        body_bytes: settings.body_mb << 20,
    };
    Ok(Bound {
        listener,
        tls,
        service: Arc::new(service),
        jobs,
        webhooks,
        stopping,
        committing,
        request_time: Duration::from_secs(settings.request_seconds),
        limits: Limits {
            per_address: settings.address_connections,
            reading: Duration::from_secs(settings.request_seconds),
            stopping: Duration::from_secs(settings.stop_seconds),
        },
    })
}

impl Bound {
    /// Where it can be reached.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().during(|| "reading the address".into())
    }

    /// The same as a URL.
    pub fn url(&self) -> Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.address()?))
    }

    /// Answers until `stop` comes: then no more is taken, what is on its way is answered, and all that was gathered is
    /// acknowledged and landed.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self { listener, tls, service, jobs, webhooks, stopping, committing, request_time, limits } =
            self;
        service.published.open();
        let stopped = stopping.subscribe();
        let landing = tokio::spawn(landing::from_time_to_time(service.clone(), stopped.clone()));
        let working = tokio::spawn(jobs::by_the_clock(service.clone(), jobs, stopped.clone()));
        let posting: Vec<_> = webhooks
            .into_iter()
            .map(|webhook| tokio::spawn(webhook::deliver(service.clone(), webhook, stopped.clone())))
            .collect();
        let noting = tokio::spawn(audit::from_time_to_time(service.clone(), stopped.clone()));
        let following = tls.clone().map(|tls| tokio::spawn(tls.follow(stopped)));
        let router = router(&service, request_time);
        connections::accept(listener, tls, router, stop, stopping, limits, &service.metrics).await;
        // A landing under way is brought to its end, a job is left.
        landing.await.during(|| "landing what was sent".into())?;
        working.await.during(|| "doing jobs".into())?;
        for posting in posting {
            posting.await.during(|| "posting events".into())?;
        }
        service.asking.left().await;
        let (project, warehouse) = (service.project.clone(), service.warehouse.clone());
        service.gatherer.close();
        committing.await.during(|| "keeping what was sent".into())?;
        noting.await.during(|| "noting what was changed".into())?;
        if let Some(following) = following {
            following.await.during(|| "looking at the certificate".into())?;
        }
        // Nobody can ask for anything any more, so that these are the last notes.
        audit::keep(&service).await;
        landing::land(&project, &warehouse, &service.metrics).await
    }
}

fn router(service: &Arc<Service>, request_time: Duration) -> Router {
    routes::router()
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(from_fn_with_state(service.clone(), large))
        .layer(from_fn_with_state(service.clone(), who::ask))
        .layer(DefaultBodyLimit::max(service.body_bytes))
        .layer(from_fn_with_state(request_time, in_time))
        .layer(CatchPanicLayer::custom(problem::fault))
        .layer(from_fn_with_state(service.clone(), seen::see))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(Numbered))
        .with_state(service.clone())
}

/// Refuses a body that says itself that it is too large; nothing of it is kept meanwhile.
async fn large(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() <= service.body_bytes as u64 {
        return next.run(request).await;
    }
    problem::pass_over(request.into_body()).await;
    let hint = format!("send at most {} bytes at one time", service.body_bytes);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", "").hint(hint).into_response()
}

/// Gives up a request that takes too long, whoever is slow.
async fn in_time(State(time): State<Duration>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(time, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let detail = format!("more than {} s; whether it was done is open", time.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "the request takes too long", detail)
            .hint("send it again: what was kept all the same counts once")
            .into_response()
    })
}

/// Gives each request an id, which its answer has too.
#[derive(Clone)]
struct Numbered;

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        uuid::Uuid::new_v4().to_string().parse().ok().map(RequestId::new)
    }
}
