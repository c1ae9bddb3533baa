//! What went wrong, as a problem document (RFC 9457): what, why, and what to do about it.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Outcome;
use crate::error::{Error, in_words};

/// How long the rest of a body that is refused is taken.
const LINGER: Duration = Duration::from_secs(1);

/// What became of one record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordResult {
    /// Its number in the request, from 0.
    pub(super) record: u64,
    /// `duplicate` or `rejected`.
    pub(super) status: &'static str,
    /// Its id, as far as it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction_id: Option<String>,
    /// The first field that is wrong; none where the record as a whole is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// A problem, small to hand on.
#[derive(Debug)]
pub(super) struct Problem(Box<Document>);

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// What kind of problem it is; this service tells them apart by status and title.
    r#type: &'static str,
    /// The kind in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
    /// The records that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<RecordResult>,
    /// Where it is in the text of a query, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The letter of that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            r#type: "about:blank",
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into(),
            hint: String::new(),
            records: Vec::new(),
            line: None,
            column: None,
            retry_after: None,
        }))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// The same with another status.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status.as_u16();
        self
    }

    pub(super) fn records(mut self, records: Vec<RecordResult>) -> Self {
        self.0.records = records;
        self
    }

    /// It in one line.
    pub(super) fn told(&self) -> String {
        if self.0.detail.is_empty() {
            self.0.title.clone()
        } else {
            format!("{}: {}", self.0.title, self.0.detail)
        }
    }

    /// After so many seconds the same may be sent again.
    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The document of an error: one of the request where it can be mended there, else of the service.
    pub(super) fn of(error: &Error) -> Self {
        let (status, title) = match error {
            Error::Usage { .. } | Error::Query { .. } => {
                (StatusCode::BAD_REQUEST, "the request cannot be done")
            }
            Error::Data { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "the data breaks a rule"),
            Error::Busy { .. } | Error::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, "not now"),
            Error::Project(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the project has mistakes"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the service could not do it"),
        };
        let mut problem = Self::new(status, title, in_words(&error.to_string())).hint(error.hint());
        if let Error::Query { mistake, .. } = error {
            let known = |number: u64| Some(number).filter(|number| *number > 0);
            (problem.0.line, problem.0.column) = (known(mistake.place.line), known(mistake.place.column));
            problem.0.hint.clone_from(&mistake.hint);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE { problem.retry_after(1) } else { problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let outcome = Outcome(self.0.title.clone());
        let mut response = (status, Json(self.0)).into_response();
        response.extensions_mut().insert(outcome);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What stands in the path of a request.
pub(super) struct Within<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Within<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let within = Path::<T>::from_request_parts(parts, state).await;
        within
            .map(|Path(within)| Self(within))
            .map_err(|error| cannot_be_done(error.status(), error.body_text()))
    }
}

/// A body as it comes, which is not packed.
pub(super) struct Whole(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        packed_by(request.headers(), &[])?;
        whole(request, state).await.map(Self)
    }
}

/// All of a body, however it is packed.
pub(super) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let whole = Bytes::from_request(request, state).await;
    whole.map_err(|error| Problem::new(error.status(), "the body cannot be taken", error.body_text()))
}

/// Makes sure that a body is packed in one of these ways, or is not.
pub(super) fn packed_by(headers: &HeaderMap, known: &[&str]) -> Result<(), Problem> {
    let packed = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
    let packed = packed.unwrap_or_default().to_ascii_lowercase();
    if ["", "identity"].contains(&packed.as_str()) || known.contains(&packed.as_str()) {
        return Ok(());
    }
    let title = format!("`{packed}` is no way of packing a body that is known here");
    let hint = if known.is_empty() { "send it as it is".into() } else { known.join(" or ") };
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, title, "").hint(hint))
}

/// What a body says as a JSON object. A list of the same values is none, though serde would take it.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    match body.trim_ascii_start().first() {
        Some(b'{') | None => serde_json::from_slice(body),
        Some(_) => Err(serde::de::Error::custom("a JSON object was expected")),
    }
}

fn cannot_be_done(status: StatusCode, detail: String) -> Problem {
    Problem::new(status, "the request cannot be done", detail)
}

/// What stands behind the `?` of a request.
pub(super) type Parameters<T> = Result<Query<T>, QueryRejection>;

/// The same, or what is wrong with it.
pub(super) fn parameters<T>(asked: Parameters<T>) -> Result<T, Problem> {
    asked
        .map(|Query(asked)| asked)
        .map_err(|error| cannot_be_done(StatusCode::BAD_REQUEST, error.body_text()))
}

/// An error on one line, with its mistakes and what to do about it.
pub(super) fn told(error: &Error) -> String {
    let mistakes = match error {
        Error::Project(mistakes) => {
            mistakes.iter().map(|one| format!("; {}: {}", one.place, one.what)).collect()
        }
        _ => String::new(),
    };
    let hint = match error.hint() {
        "" => String::new(),
        hint => format!("; {hint}"),
    };
    format!("{error}{mistakes}{hint}").replace('\n', " ")
}

/// RFC 3339 in UTC, of microseconds since the epoch.
pub(super) fn instant_text(instant: i64) -> String {
    jiff::Timestamp::from_microsecond(instant).map(|instant| instant.to_string()).unwrap_or_default()
}

/// Nothing is there.
pub(super) async fn no_route(uri: Uri) -> Problem {
    nothing_at(&uri)
}

/// Nothing is there, or nothing that may be seen: no difference can be told.
pub(super) fn nothing_at(uri: &Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here", uri.path())
}

/// Lets a body that is refused come to its end, and keeps nothing of it: a client that is still sending when the
/// connection ends may not see its answer. One that takes longer than [`LINGER`] has to look for it.
pub(super) async fn pass_over(body: Body) {
    let mut pieces = body.into_data_stream();
    let _ = tokio::time::timeout(LINGER, async { while let Some(Ok(_)) = pieces.next().await {} }).await;
}

/// Something is there, but not for this method.
pub(super) async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here", detail)
}

/// A fault in the program; it was told on standard error where it happened.
pub(super) fn fault(_: Box<dyn Any + Send>) -> Response {
    let title = "a fault in the program";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, title, "please report it with the request")
        .into_response()
}
