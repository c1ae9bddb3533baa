//! Whether the service is there, and whether it can keep what it is given.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Service;
use super::problem::Problem;
use crate::ledger;

/// How long the warehouse may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// The warehouse answers too.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let asked = tokio::time::timeout(PATIENCE, ledger::head(&service.warehouse)).await;
    match asked {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(error)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the warehouse does not answer", error.to_string())
                .into_response()
        }
        Err(_) => {
            let detail = format!("no answer in {} s", PATIENCE.as_secs());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the warehouse does not answer", detail)
                .into_response()
        }
    }
}
