//! What can be seen of the service from outside, in the text format of Prometheus; never a customer in a label.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::problem::Problem;
use super::{Service, newest};
use crate::error::Error;

/// The kind of content that they are.
pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    job: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWebhook {
    webhook: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

/// Counts since the service began, and what is seen of the warehouse.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    records: Family<Outcome, Counter>,
    commits: Family<Outcome, Counter>,
    commit_bytes: Counter,
    commit_seconds: Histogram,
    refused: Counter,
    refused_connections: Counter,
    failed_landings: Counter,
    job_ended: Family<OfJob, Gauge>,
    posts: Family<OfWebhook, Counter>,
    requests: Family<Answered, Counter>,
    request_seconds: Histogram,
    /// Seconds of requests under way would need a gauge; how many have begun is enough to see a queue.
    begun: Counter<u64, AtomicU64>,
    landed: Family<Outcome, Counter>,
    /// What is asked of the warehouse when somebody looks, by one at a time.
    pub(super) looking: Arc<tokio::sync::Mutex<()>>,
    pub(super) waiting: Gauge,
    pub(super) gathered: Gauge,
    pub(super) run: Gauge,
    pub(super) run_as_of: Gauge,
    suspense: Family<Reason, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let mut registry = Registry::with_prefix("meterhouse");
        let records = Family::<Outcome, Counter>::default();
        registry.register("records", "usage records sent, by what became of them", records.clone());
        let commits = Family::<Outcome, Counter>::default();
        registry.register("commits", "batches of records written to the warehouse", commits.clone());
        let commit_bytes = Counter::default();
        registry.register_with_unit(
            "commit",
            "bytes of these batches, unpacked",
            Unit::Bytes,
            commit_bytes.clone(),
        );
        let commit_seconds = seconds();
        registry.register("commit_seconds", "how long writing a batch took", commit_seconds.clone());
        let refused = Counter::default();
        registry.register("refused_for_room", "requests refused because too much waited", refused.clone());
        let refused_connections = Counter::default();
        let help = "connections closed at once because their address had too many";
        registry.register("refused_connections", help, refused_connections.clone());
        let failed_landings = Counter::default();
        registry.register("failed_landings", "tries to land batches that failed", failed_landings.clone());
        let job_ended = Family::<OfJob, Gauge>::default();
        let help = "when each job last ended, by what came of it, in seconds since 1970";
        registry.register("job_ended_seconds", help, job_ended.clone());
        let posts = Family::<OfWebhook, Counter>::default();
        registry.register("posts", "events posted to webhooks, by whether they were taken", posts.clone());
        let requests = Family::<Answered, Counter>::default();
        registry.register("requests", "requests answered", requests.clone());
        let request_seconds = seconds();
        registry.register("request_seconds", "how long an answer took", request_seconds.clone());
        let begun = Counter::default();
        registry.register("requests_begun", "requests that began", begun.clone());
        let landed = Family::<Outcome, Counter>::default();
        registry.register("landed_records", "records landed, by what became of them", landed.clone());
        let gauge = |registry: &mut Registry, name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let waiting = gauge(&mut registry, "waiting_bytes", "bytes that wait in memory to be kept");
        let gathered = gauge(&mut registry, "gathered_bytes", "bytes that are kept and not landed, packed");
        let run = gauge(&mut registry, "run_number", "the newest run");
        let help = "the time that the newest run is for, in seconds since 1970";
        let run_as_of = gauge(&mut registry, "run_as_of_seconds", help);
        let suspense = Family::<Reason, Gauge>::default();
        let help = "records that wait in suspense since the newest run, by reason";
        registry.register("suspense_records", help, suspense.clone());
        Self {
            registry: Arc::new(registry),
            records,
            commits,
            commit_bytes,
            commit_seconds,
            refused,
            refused_connections,
            failed_landings,
            job_ended,
            posts,
            requests,
            request_seconds,
            begun,
            landed,
            looking: Arc::default(),
            waiting,
            gathered,
            run,
            run_as_of,
            suspense,
        }
    }
}

impl Metrics {
    pub(super) fn received(&self, accepted: u64, duplicate: u64, rejected: u64) {
        for (outcome, records) in
            [("accepted", accepted - duplicate), ("duplicate", duplicate), ("rejected", rejected)]
        {
            self.records.get_or_create(&Outcome { outcome }).inc_by(records);
        }
    }

    pub(super) fn committed(&self, took: Duration, bytes: usize, is_kept: bool) {
        let outcome = if is_kept { "kept" } else { "failed" };
        self.commits.get_or_create(&Outcome { outcome }).inc();
        self.commit_bytes.inc_by(bytes as u64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A request begins.
    pub(super) fn begun(&self) {
        self.begun.inc();
    }

    /// A request is answered.
    pub(super) fn answered(&self, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Answered { route: route.into(), status }).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn refused_for_room(&self) {
        self.refused.inc();
    }

    pub(super) fn refused_connection(&self) {
        self.refused_connections.inc();
    }

    pub(super) fn failed_landing(&self) {
        self.failed_landings.inc();
    }

    pub(super) fn landed(&self, received: u64, rejected: u64) {
        for (outcome, records) in [("landed", received - rejected), ("rejected", rejected)] {
            self.landed.get_or_create(&Outcome { outcome }).inc_by(records);
        }
    }

    /// A job has ended, at an instant in microseconds since the epoch.
    pub(super) fn job(&self, job: &str, outcome: &'static str, ended: i64) {
        self.job_ended.get_or_create(&OfJob { job: job.into(), outcome }).set(ended / 1_000_000);
    }

    /// How many records wait for which reason, all there are.
    pub(super) fn suspense(&self, by_reason: Vec<(String, i64)>) {
        self.suspense.clear();
        for (reason, records) in by_reason {
            self.suspense.get_or_create(&Reason { reason }).set(records);
        }
    }

    /// Events were posted to a webhook.
    pub(super) fn posted(&self, webhook: &str, taken: u64, refused: u64) {
        for (outcome, events) in [("taken", taken), ("refused", refused)] {
            self.posts.get_or_create(&OfWebhook { webhook: webhook.into(), outcome }).inc_by(events);
        }
    }
}

/// All of them.
pub(super) async fn show(State(service): State<Arc<Service>>) -> Response {
    newest::look(&service).await;
    let mut text = String::new();
    match encode(&mut text, &service.metrics.registry) {
        Ok(()) => ([(axum::http::header::CONTENT_TYPE, KIND)], text).into_response(),
        Err(error) => {
            let error = Error::Machine { what: "writing metrics".into(), source: error.into() };
            Problem::of(&error).into_response()
        }
    }
}
