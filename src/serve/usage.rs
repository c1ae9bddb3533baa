//! Usage in: records of a request, read, kept with those of others, and answered when they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::audit::Outcome;
use super::problem::{Parameters, Problem, RecordResult, instant_text, packed_by, parameters, whole};
use super::who::Who;
use crate::error::Error;
use crate::land::Format;
use crate::land::sent::{self, Received, Refused};

/// The landing query that maps CloudEvents.
const CLOUDEVENTS: &str = "cloudevents";
/// How a body may be packed.
const PACKED: [&str; 3] = ["gzip", "x-gzip", "zstd"];
/// Bodies that are read by the thread which took them; larger ones let others go on.
const AT_ONCE: usize = 64 << 10;
/// Seconds until more may be sent where too much waits.
const LATER: u32 = 1;

/// How records are to be taken.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// All of them or none.
    #[serde(default)]
    atomic: bool,
    /// The landing query that maps records of a foreign shape.
    with: Option<String>,
}

/// What became of the records of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Taken)]
pub(super) struct Answer {
    /// Records that are kept and will count, those that came before among them.
    accepted: u64,
    /// Accepted ones that are known to have come before; they count once.
    duplicate: u64,
    /// Records that cannot be usage.
    rejected: u64,
    /// Those that are not simply accepted.
    records: Vec<RecordResult>,
}

/// Takes records.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    asked: Parameters<Asked>,
    request: Request,
) -> Response {
    let taken = async { take(&service, &who, parameters(asked)?, request).await };
    taken.await.unwrap_or_else(IntoResponse::into_response)
}

/// Takes events as OpenMeter's clients send them, to whom 204 alone says that all are accepted.
pub(super) async fn post_events(
    service: State<Arc<Service>>,
    who: Extension<Who>,
    asked: Parameters<Asked>,
    request: Request,
) -> Response {
    let answer = post(service, who, asked, request).await;
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let mut accepted = StatusCode::NO_CONTENT.into_response();
    *accepted.extensions_mut() = answer.extensions().clone();
    accepted
}

async fn take(
    service: &Arc<Service>,
    who: &Who,
    asked: Asked,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    packed_by(&headers, &PACKED)?;
    let shape = shape(&headers)?;
    // There is room for a body before anything of it is in memory.
    let mut room = service.room(service.room_for(&headers))?;
    let with = asked.with.or(shape.with.map(String::from));
    let query = with.as_ref().map(|name| {
        service.project.landing.get(name).ok_or_else(|| {
            let title = format!("there is no queries/landing/{name}.sql");
            Problem::new(StatusCode::BAD_REQUEST, title, "").hint("the project has to have it")
        })
    });
    let query = query.transpose()?;
    let body = whole(request, &()).await?;
    if sent::is_packed(&body) {
        let more = service.body_bytes.saturating_sub(room.num_permits());
        room.merge(service.room(more)?);
    }
    let (format, limit) = (shape.format, service.body_bytes);
    let body = shape.event(body);
    let is_small = body.len() <= AT_ONCE;
    let cut = move || sent::lines(body, format, limit);
    let lines = if is_small { cut() } else { blocking(cut).await? };
    let lines = lines.map_err(|error| Problem::of(&error))?.ok_or_else(|| {
        let title = "the body is too large when it is unpacked";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, title, "").hint("send fewer records at one time")
    })?;
    let mut lines =
        if with.as_deref() == Some(CLOUDEVENTS) { timed(&lines, (service.clock)()) } else { lines };
    // A row of CSV is longer as JSON than it was.
    if let Some(more) = lines.len().checked_sub(room.num_permits()) {
        room.merge(service.room(more)?);
    }
    let mut received = read(service, &lines, query).await?;
    if received.records == 0 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "there is no record in the body", ""));
    }
    if who.sources().is_some() {
        lines = of_own_sources(service, who, lines, query, &mut received).await?;
    }
    let hashes: Vec<i64> = received.good.iter().map(|(_, hash)| *hash).collect();
    let known = service.recent.known(&hashes);
    let answer = Answer::of(received, &known);
    if asked.atomic && answer.rejected > 0 {
        service.metrics.received(0, 0, answer.rejected);
        return Err(answer.none("none is accepted, because all or none was asked for"));
    }
    // What was reserved is more than what is kept now.
    let surplus = room.num_permits().saturating_sub(lines.len());
    drop(room.split(surplus));
    let is_kept = !lines.is_empty();
    if is_kept {
        service.gatherer.keep(with, lines, room).await.map_err(|error| {
            let problem = Problem::of(&error);
            problem.hint("send it again: what was kept all the same counts once")
        })?;
    }
    service.recent.note(&hashes);
    service.metrics.received(answer.accepted, answer.duplicate, answer.rejected);
    let outcome = Outcome(answer.to_string());
    let mut response = match (answer.accepted, answer.rejected) {
        (_, 0) => Json(answer).into_response(),
        (0, _) if is_kept => answer.none("each is kept in usage_rejected").into_response(),
        (0, _) => answer.none("none is kept").into_response(),
        _ => (StatusCode::MULTI_STATUS, Json(answer)).into_response(),
    };
    response.extensions_mut().insert(outcome);
    Ok(response)
}

/// Reads records as they will be read when they land.
async fn read(
    service: &Service,
    lines: &[u8],
    query: Option<&crate::project::Query>,
) -> Result<Received, Problem> {
    let received = match query {
        None if lines.len() > AT_ONCE => {
            let (door, lines) = (service.door.clone(), lines.to_vec());
            blocking(move || futures::executor::block_on(door.read(&lines, None))).await?
        }
        _ => service.door.read(lines, query).await,
    };
    received.map_err(|error| match &error {
        // What a landing query needs, and no record has.
        Error::Project(mistakes) => {
            let title = "the records are not what the landing query reads";
            let detail: Vec<String> = mistakes.iter().map(|mistake| mistake.what.clone()).collect();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, title, detail.join("; "))
        }
        _ => Problem::of(&error),
    })
}

/// Refuses records of sources that the key may not write; the lines without theirs.
///
/// What is left is read once more, because a line may have several records: it has to have none of another source, and
/// all the others.
async fn of_own_sources(
    service: &Service,
    who: &Who,
    lines: Vec<u8>,
    query: Option<&crate::project::Query>,
    received: &mut Received,
) -> Result<Vec<u8>, Problem> {
    let others = received.refuse_sources(|source| who.may_write(source));
    if others.is_empty() {
        return Ok(lines);
    }
    let own = sent::without(&lines, &others);
    let mut left = read(service, &own, query).await?;
    let is_whole = left.good.len() == received.good.len();
    if is_whole && left.refuse_sources(|source| who.may_write(source)).is_empty() {
        return Ok(own);
    }
    let title = "records of sources that the key may not write stand among others";
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, title, "none is kept")
        .hint("send the others without them"))
}

impl std::fmt::Display for Answer {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{} accepted, {} duplicate, {} rejected", self.accepted, self.duplicate, self.rejected)
    }
}

impl Answer {
    fn of(received: Received, known: &[bool]) -> Self {
        let again = received.good.iter().zip(known).filter(|(_, known)| **known);
        let again = again.map(|((number, _), _)| RecordResult {
            record: *number,
            status: "duplicate",
            transaction_id: None,
            field: None,
            reason: None,
        });
        let mut records: Vec<RecordResult> = again.collect();
        let duplicate = records.len() as u64;
        let rejected = received.refused.len() as u64;
        records.extend(received.refused.into_iter().map(
            |Refused { number, field, reason, transaction_id }| RecordResult {
                record: number,
                status: "rejected",
                transaction_id,
                field,
                reason: Some(reason),
            },
        ));
        records.sort_by_key(|record| record.record);
        Self { accepted: received.good.len() as u64, duplicate, rejected, records }
    }

    /// The problem that no record is accepted.
    fn none(self, detail: &str) -> Problem {
        let title = if self.rejected == 1 {
            "the record is rejected".into()
        } else {
            format!("{} records are rejected", self.rejected)
        };
        let rejected = self.records.into_iter().filter(|record| record.status == "rejected");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, title, detail).records(rejected.collect())
    }
}

impl Service {
    /// Bytes to reserve for a body before it is there, as if it were not packed.
    fn room_for(&self, headers: &HeaderMap) -> usize {
        let length =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        // As JSON with its names, a row of CSV is longer.
        length.map_or(self.body_bytes, |length| length.saturating_mul(4)).clamp(1, self.body_bytes)
    }

    /// Room for so many bytes.
    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        self.gatherer.room(bytes).ok_or_else(|| {
            self.metrics.refused_for_room();
            let title = "too much waits to be kept";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, title, "").retry_after(LATER)
        })
    }
}

/// What a body is.
struct Shape<'a> {
    /// None: told by its first bytes.
    format: Option<Format>,
    with: Option<&'static str>,
    /// The attributes of a CloudEvent whose data is the body.
    event: Option<BTreeMap<&'a str, &'a str>>,
}

/// What the headers say that the body is.
fn shape(headers: &HeaderMap) -> Result<Shape<'_>, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let attributes = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix("ce-")?, value.to_str().ok()?)));
    let attributes: BTreeMap<&str, &str> = attributes.collect();
    if attributes.contains_key("id") {
        return Ok(Shape { format: Some(Format::Json), with: Some(CLOUDEVENTS), event: Some(attributes) });
    }
    let (format, with) = match kind.as_str() {
        "application/json" => (Some(Format::Json), None),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonl" => {
            (Some(Format::Ndjson), None)
        }
        "text/csv" => (Some(Format::Csv), None),
        "application/cloudevents+json" | "application/cloudevents-batch+json" => {
            (Some(Format::Json), Some(CLOUDEVENTS))
        }
        "" | "application/octet-stream" | "application/gzip" | "application/zstd" => (None, None),
        other => {
            let title = format!("`{other}` is no kind of usage that is known");
            let hint = "application/json, application/x-ndjson, text/csv, application/cloudevents+json or \
                        application/cloudevents-batch+json, also packed by gzip or zstd";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, title, "").hint(hint));
        }
    };
    Ok(Shape { format, with, event: None })
}

impl Shape<'_> {
    /// The body; of a CloudEvent in binary mode the event with it.
    fn event(&self, body: Bytes) -> Vec<u8> {
        let Some(attributes) = &self.event else { return body.to_vec() };
        let mut event = serde_json::Map::new();
        for (name, value) in attributes {
            event.insert((*name).into(), (*value).into());
        }
        let mut text = serde_json::Value::Object(event).to_string().into_bytes();
        if !body.trim_ascii().is_empty() {
            text.pop();
            text.extend_from_slice(b",\"data\":");
            // JSON as it came: its numbers keep their digits.
            match serde_json::from_slice::<&RawValue>(&body) {
                Ok(data) => text.extend_from_slice(data.get().as_bytes()),
                Err(_) => {
                    let data = String::from_utf8_lossy(&body).into_owned();
                    text.extend_from_slice(serde_json::Value::from(data).to_string().as_bytes());
                }
            }
            text.push(b'}');
        }
        text
    }
}

/// The same events, each with a time: one that says none is of the time at which it came.
fn timed(lines: &[u8], now: i64) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Time {
        time: Option<serde::de::IgnoredAny>,
    }
    let now = instant_text(now);
    let mut timed = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let lacks_it = serde_json::from_slice::<Time>(line).is_ok_and(|event| event.time.is_none());
        match line.iter().position(|byte| *byte == b'{').filter(|_| lacks_it) {
            Some(at) => {
                let (before, after) = line.split_at(at + 1);
                let is_last = after.trim_ascii_start().starts_with(b"}");
                timed.extend_from_slice(before);
                timed.extend_from_slice(
                    format!("\"time\":\"{now}\"{}", if is_last { "" } else { "," }).as_bytes(),
                );
                timed.extend_from_slice(after);
            }
            None => timed.extend_from_slice(line),
        }
    }
    timed
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault in the program", "please report it")
    })
}
