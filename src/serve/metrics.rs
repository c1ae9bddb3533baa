//! What can be seen of the service from outside, in the text format of Prometheus; never a customer in a label.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::Service;
use super::problem::Problem;
use crate::error::Error;

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
struct Answered {
    route: String,
    status: u16,
}

/// Counts since the service began.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    records: Family<Outcome, Counter>,
    commits: Family<Outcome, Counter>,
    commit_bytes: Counter,
    commit_seconds: Histogram,
    refused: Counter,
    failed_landings: Counter,
    job_ended: Family<OfJob, Gauge>,
    posts: Family<OfWebhook, Counter>,
    requests: Family<Answered, Counter>,
    request_seconds: Histogram,
    /// Seconds of requests under way would need a gauge; how many have begun is enough to see a queue.
    begun: Counter<u64, AtomicU64>,
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
        Self {
            registry: Arc::new(registry),
            records,
            commits,
            commit_bytes,
            commit_seconds,
            refused,
            failed_landings,
            job_ended,
            posts,
            requests,
            request_seconds,
            begun,
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

    pub(super) fn refused_for_room(&self) {
        self.refused.inc();
    }

    pub(super) fn failed_landing(&self) {
        self.failed_landings.inc();
    }
}

impl Metrics {
    /// A job has ended, at an instant in microseconds since the epoch.
    pub(super) fn job(&self, job: &str, is_done: bool, ended: i64) {
        let outcome = if is_done { "done" } else { "failed" };
        self.job_ended.get_or_create(&OfJob { job: job.into(), outcome }).set(ended / 1_000_000);
    }
}

impl Metrics {
    /// Events were posted to a webhook.
    pub(super) fn posted(&self, webhook: &str, taken: u64, refused: u64) {
        for (outcome, events) in [("taken", taken), ("refused", refused)] {
            self.posts.get_or_create(&OfWebhook { webhook: webhook.into(), outcome }).inc_by(events);
        }
    }
}

/// All of them.
pub(super) async fn show(State(service): State<Arc<Service>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &service.metrics.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(axum::http::header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            let error = Error::Machine { what: "writing metrics".into(), source: error.into() };
            Problem::of(&error).into_response()
        }
    }
}

/// Counts a request with its answer.
pub(super) async fn count(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let metrics = &service.metrics;
    metrics.begun.inc();
    let began = Instant::now();
    // Never the path that was asked for: anybody may ask for any number of them.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_string();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    metrics.requests.get_or_create(&Answered { route, status }).inc();
    metrics.request_seconds.observe(began.elapsed().as_secs_f64());
    response
}
