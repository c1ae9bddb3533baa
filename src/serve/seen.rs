//! Each request is seen from outside: counted, told in the log, and a span.
//!
//! A customer may stand in its path and a secret in its headers, so that of both nothing is told: only the route, the
//! id that its answer has, and the id of the key.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument, Span, info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::Service;
use super::who::{KeyId, request_id};

/// What of the log is about requests.
const TARGET: &str = "meterhouse::request";

/// A request that is under way. It is told when it ends, also where nobody waits for the answer any more.
struct Seen {
    service: Arc<Service>,
    began: Instant,
    span: Span,
    method: Method,
    route: String,
    id: String,
    is_answered: bool,
}

/// Sees a request and its answer.
pub(super) async fn see(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    service.metrics.begun();
    // Never the path that was asked for: anybody may ask for any number of them.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_string();
    let (method, id) = (request.method().clone(), request_id(request.headers()));
    let span = info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
        request_id = id,
        key_id = Empty,
    );
    // Where whoever asks has a trace, this is a part of it. Fails where spans go nowhere.
    let caller = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
    let _ = span.set_parent(caller);
    let mut seen = Seen { service, began: Instant::now(), span, method, route, id, is_answered: false };
    let response = next.run(request).instrument(seen.span.clone()).await;
    let key = response.extensions().get::<KeyId>().map(|KeyId(id)| id.as_str());
    seen.end(Some(response.status().as_u16()), key);
    response
}

impl Seen {
    fn end(&mut self, status: Option<u16>, key_id: Option<&str>) {
        self.is_answered = true;
        let Self { method, route, id, span, .. } = self;
        let took = self.began.elapsed();
        if let Some(status) = status {
            self.service.metrics.answered(route, status, took);
            span.record("http.response.status_code", status);
            if status >= 500 {
                span.record("otel.status_code", "ERROR");
            }
        }
        if let Some(key_id) = key_id {
            span.record("key_id", key_id);
        }
        let text = status.map_or_else(|| "not answered".into(), |status| status.to_string());
        let seconds = took.as_secs_f64();
        info!(
            target: TARGET,
            parent: &*span,
            method = method.as_str(),
            route,
            status,
            seconds,
            request_id = id,
            key_id,
            "{method} {route} {text} in {seconds:.3} s"
        );
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if !self.is_answered {
            self.end(None, None);
        }
    }
}
