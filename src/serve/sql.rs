//! One query over HTTP, read-only: the tables as they were published, within limits of rows, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use datafusion::error::DataFusionError;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::problem::{Parameters, Problem, Whole, instant_text, object, parameters};
use super::published::{State as Tables, limited, start_apart};
use super::rows::{self, Shape};
use super::who::Who;
use crate::answer::{ask, own};
use crate::catalog::{self, Opened};
use crate::error::Error;

/// The longest text of a query, in bytes: each term of an expression takes from the stack.
pub(super) const TEXT_BYTES: usize = 256 << 10;

/// How long a query waits for a place among those that are answered.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the answer is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// How rows are written; without it by `Accept`.
    #[param(inline, value_type = Option<rows::Names>)]
    format: Option<String>,
}

/// A query as JSON.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// One query.
    #[schema(min_length = 1)]
    query: String,
    /// What `$as_of` stands for, in the query and in views; without it now.
    as_of: Option<String>,
}

/// Answers a query.
pub(super) async fn answer(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    asked: Parameters<Asked>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let asked = parameters(asked)?;
    let format = rows::format(asked.format.as_deref(), &headers)?;
    let Question { query, as_of } = question(&headers, &body)?;
    let given = as_of.as_deref().map(|text| service.instant("as_of", Some(text))).transpose()?;
    let began = Instant::now();
    let place = tokio::time::timeout(PATIENCE, service.sql.clone().acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        let title = "as many queries as are allowed are being answered";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, title, "").retry_after(1));
    };
    let tables = service.published.state().await.map_err(|error| Problem::of(&error))?;
    let as_of = given.unwrap_or_else(|| (service.clock)());
    let mut about = vec![("run", json!(tables.run()))];
    if let Some(head) = &tables.head {
        about.push(("as_of", json!(head.as_of)));
    }
    about.extend(given.map(|given| ("asked_as_of", json!(instant_text(given)))));
    let settings = &service.project.settings.serve;
    let memory_mb = settings.sql_memory_mb;
    let shape = Shape {
        most: Some(settings.sql_rows),
        time: Some((began, service.answer_time)),
        ..Shape::of(format, about, failed)
    };
    let published = service.published.clone();
    let work = async move {
        let wrong = |error: Error| Problem::of(&error);
        let Tables { project, context, .. } = &*tables;
        let mut context = context.clone();
        if let Some(as_of) = given {
            context = published.without_tables();
            let opened = Opened { context: &tables.context, files: &tables.files };
            let files = tables.files.clone();
            catalog::register_all(project, &context, files, as_of, Some(opened)).await.map_err(wrong)?;
        }
        if let Some(customers) = who.customers() {
            let own = published.without_tables();
            own::only_of(&context, &own, customers).await.map_err(wrong)?;
            context = own;
        }
        let context = limited(&context, memory_mb).map_err(wrong)?;
        ask::rows(project, &context, &query, as_of).await.map_err(wrong)
    };
    let start = |work| start_apart(service.project.settings.engine.threads, place, work);
    Ok(rows::answer(start, shape, work).await)
}

/// The query of a body: JSON, or the text itself.
fn question(headers: &HeaderMap, body: &Bytes) -> Result<Question, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let wrong = |detail: String| {
        let hint =
            "the query as text/plain, or as application/json {\"query\": \"select ...\", \"as_of\": \"...\"}";
        Problem::new(StatusCode::BAD_REQUEST, "the body is no query", detail).hint(hint)
    };
    if kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return object(body).map_err(|error| wrong(error.to_string()));
    }
    let query = std::str::from_utf8(body).map_err(|error| wrong(error.to_string()))?;
    Ok(Question { query: query.into(), as_of: None })
}

/// What an error of the engine says to whoever asked over HTTP.
fn failed(error: &DataFusionError) -> Error {
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        let hint = "read less, or group by fewer columns; `sql_memory_mb` under [serve] is the limit";
        return Error::usage("the query needs more memory than it may use", hint);
    }
    ask::failed(error)
}
