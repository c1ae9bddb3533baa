//! Whether the service is there, and whether it can keep what it is given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tracing::warn;

use super::Service;
use super::problem::{Problem, told};
use crate::ledger;

/// How long its answer counts.
const FRESH: Duration = Duration::from_secs(1);
/// How long the warehouse may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether the warehouse answered when it was asked last.
#[derive(Default)]
pub(super) struct Ready(tokio::sync::Mutex<Option<(Instant, bool)>>);

/// The warehouse answers too. Anybody may ask, so that it is asked once for all who do, and why it does not answer is
/// told in the log alone.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let mut known = service.ready.0.lock().await;
    let is_ready = match *known {
        Some((at, is_ready)) if at.elapsed() < FRESH => is_ready,
        _ => {
            let asked = tokio::time::timeout(PATIENCE, ledger::head(&service.warehouse)).await;
            match &asked {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => warn!("the warehouse does not answer: {}", told(error)),
                Err(_) => warn!("the warehouse does not answer in {} s", PATIENCE.as_secs()),
            }
            let is_ready = matches!(asked, Ok(Ok(_)));
            *known = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    if is_ready {
        return "ready\n".into_response();
    }
    let title = "the warehouse does not answer";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, "the log of the service says why").into_response()
}
