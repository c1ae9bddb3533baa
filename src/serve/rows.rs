//! Rows of a query as an answer: in the format that was asked for, streamed, and no more once nobody takes them.
//!
//! What always holds: an answer of up to [`HELD_BYTES`] is whole or a problem document; a longer one that fails on its
//! way ends without its end, which every client of HTTP takes for an error. The query runs on other threads than
//! connections do, and stops when its connection goes or its time is over.

use std::future::Future;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use axum::body::Body;
use axum::http::header::{ACCEPT, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clap::ValueEnum;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::warn;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::page::Page;
use super::part::{Part, Whole};
use super::problem::Problem;
use crate::encode::{Encoder, Format};
use crate::error::Error;

/// So much is held back before the answer begins.
const HELD_BYTES: usize = 1 << 20;
/// Pieces of rows that may wait for the connection.
const PIECES: usize = 2;
/// A client that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(60);
/// The formats that rows can be asked for in, with the kinds of content that stand for them; the first is the usual.
pub(super) const FORMATS: [(Format, &[&str]); 5] = [
    (Format::Json, &["application/json"]),
    (Format::Ndjson, &["application/x-ndjson", "application/ndjson", "application/jsonl"]),
    (Format::Csv, &["text/csv"]),
    (Format::Parquet, &["application/vnd.apache.parquet", "application/x-parquet"]),
    (Format::Arrow, &["application/vnd.apache.arrow.stream"]),
];

/// How rows are answered.
pub(super) struct Shape {
    pub(super) format: Format,
    /// What the rows are about: before them in a JSON document, and as headers for all formats.
    pub(super) about: Vec<(&'static str, Value)>,
    /// The tag of these rows; none: they have none that holds.
    pub(super) tag: Option<String>,
    /// The rows of these that are wanted; none: all.
    pub(super) page: Option<Page>,
    /// The bytes of these that are wanted; none: all.
    pub(super) part: Option<Part>,
    /// Whether people open them with a spreadsheet: texts that it would run as formulas are neutralized in CSV.
    pub(super) is_file: bool,
    /// The most rows that there may be.
    pub(super) most: Option<usize>,
    /// When it was asked for, and how long all of it may take from then on.
    pub(super) time: Option<(Instant, Duration)>,
    /// What an error of the engine says.
    pub(super) failed: fn(&DataFusionError) -> Error,
}

impl Shape {
    /// All rows, as they come and for as long as they take.
    pub(super) fn of(
        format: Format,
        about: Vec<(&'static str, Value)>,
        failed: fn(&DataFusionError) -> Error,
    ) -> Self {
        let (tag, page, part, is_file, most, time) = (None, None, None, false, None, None);
        Self { format, about, tag, page, part, is_file, most, time, failed }
    }
}

/// A piece of an answer; none: it is whole.
type Piece = Result<Option<Vec<u8>>, Problem>;

/// What the formats are called in a request.
pub(super) struct Names;

impl PartialSchema for Names {
    fn schema() -> RefOr<Schema> {
        let names = FORMATS.iter().map(|(format, _)| format.extension());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Names {}

/// The format of an answer: `format` as it was asked for, else what the client accepts.
///
/// # Errors
/// 406 where rows cannot be written so.
pub(super) fn format(asked: Option<&str>, headers: &HeaderMap) -> Result<Format, Problem> {
    if let Some(name) = asked {
        let format = Format::from_str(name, true).ok();
        let format = format.filter(|format| FORMATS.iter().any(|(known, _)| known == format));
        return format.ok_or_else(|| none_of(name));
    }
    let accepted: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepted = accepted.join(",");
    if accepted.trim().is_empty() {
        return Ok(Format::Json);
    }
    best(&accepted).ok_or_else(|| none_of(&accepted))
}

/// The format that is accepted most; of those that are accepted alike the first in the header.
fn best(accepted: &str) -> Option<Format> {
    let mut best: Option<(u32, Format)> = None;
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(Some(1000), thousandths).unwrap_or(0);
        let is_meant = |known: &str| {
            kind == "*/*"
                || kind == known
                || kind.strip_suffix('*').is_some_and(|begin| known.starts_with(begin))
        };
        let format = FORMATS.iter().find(|(_, kinds)| kinds.iter().any(|known| is_meant(known)));
        if let Some((format, _)) = format
            && weight > best.map_or(0, |(weight, _)| weight)
        {
            best = Some((weight, *format));
        }
    }
    best.map(|(_, format)| format)
}

/// A weight from 0 to 1, of three decimals at most, in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = format!("{decimals:0<3}");
    Some((whole.parse::<u32>().ok()? * 1000 + decimals.get(..3)?.parse::<u32>().ok()?).min(1000))
}

fn none_of(asked: &str) -> Problem {
    let title = "rows cannot be written so";
    let hint = "format=json, ndjson, csv, parquet or arrow, or Accept: application/json, application/x-ndjson, text/csv, \
                application/vnd.apache.parquet or application/vnd.apache.arrow.stream";
    Problem::new(StatusCode::NOT_ACCEPTABLE, title, asked).hint(hint)
}

/// Makes sure that a text is a billing period.
pub(super) fn is_period(text: &str) -> Result<(), Problem> {
    if text.len() == 7 && format!("{text}-01").parse::<jiff::civil::Date>().is_ok() {
        return Ok(());
    }
    let title = format!("`{text}` is no billing period");
    Err(Problem::new(StatusCode::NOT_FOUND, title, "").hint("/periods shows all; such as 2026-10"))
}

/// The answer that what the client has is still right; none where it has to be sent.
pub(super) fn unchanged(tag: &str, headers: &HeaderMap) -> Option<Response> {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known =
        known.flat_map(|value| value.split(',')).map(|known| known.trim().trim_start_matches("W/"));
    known.any(|known| known == "*" || known == tag).then(|| {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        tagged(response.headers_mut(), tag);
        response
    })
}

fn tagged(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
}

/// Answers with the rows that `work` begins to yield; `start` lets that go on, on threads where it may take its time.
pub(super) async fn answer(
    start: impl FnOnce(BoxFuture<'static, ()>) -> Result<(), Problem>,
    shape: Shape,
    work: impl Future<Output = Result<SendableRecordBatchStream, Problem>> + Send + 'static,
) -> Response {
    let mut response = Response::builder().status(StatusCode::OK);
    if let Some(headers) = response.headers_mut() {
        let kinds = FORMATS.iter().find(|(format, _)| *format == shape.format).map(|(_, kinds)| kinds[0]);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kinds.unwrap_or("application/octet-stream")));
        for (name, header) in
            [("run", "meterhouse-run"), ("as_of", "meterhouse-as-of"), ("state", "meterhouse-state")]
        {
            let value = shape.about.iter().find(|(about, _)| *about == name).map(|(_, value)| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(header, value);
            }
        }
        match &shape.tag {
            Some(tag) => {
                tagged(headers, tag);
                headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            }
            None => {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
    }
    if shape.page.is_some() {
        return page(start, shape, response, work).await;
    }
    let (sender, receiver) = channel(PIECES);
    let mut pieces = Pieces { receiver, time: shape.time };
    let part = shape.part;
    if let Err(problem) = start(Box::pin(produce(shape, work, sender))) {
        return problem.into_response();
    }
    if let Some(part) = part {
        let whole = response.body(Body::empty()).unwrap_or_else(|_| fault().into_response());
        return of_whole(part, pieces, whole).await.unwrap_or_else(IntoResponse::into_response);
    }
    let mut held = Vec::new();
    loop {
        match pieces.next().await {
            Ok(Some(bytes)) => held.extend(bytes),
            Ok(None) => return response.body(Body::from(held)).unwrap_or_else(|_| fault().into_response()),
            Err(problem) => return problem.into_response(),
        }
        if held.len() > HELD_BYTES {
            let rest = rest(pieces);
            let first = stream::once(async move { Ok(Bytes::from(held)) });
            let body = Body::from_stream(first.chain(rest));
            return response.body(body).unwrap_or_else(|_| fault().into_response());
        }
    }
}

/// Answers with a page of the rows.
async fn page(
    start: impl FnOnce(BoxFuture<'static, ()>) -> Result<(), Problem>,
    mut shape: Shape,
    response: axum::http::response::Builder,
    work: impl Future<Output = Result<SendableRecordBatchStream, Problem>> + Send + 'static,
) -> Response {
    let (mut sender, receiver) = oneshot::channel::<Result<(Vec<u8>, Option<String>), Problem>>();
    let making = async move {
        let taken = async {
            let page = shape.page.take().ok_or_else(fault)?;
            let rows = work.await?;
            let schema = rows.schema();
            let taken = page.taken(rows).await;
            let (batches, next) = taken.map_err(|error| Problem::of(&(shape.failed)(&error)))?;
            shape.about.push(("next", next.clone().into()));
            let document = encoded(&shape, &schema, &batches).map_err(|error| Problem::of(&error))?;
            Ok((document, next))
        };
        tokio::select! {
            taken = taken => {
                let _ = sender.send(taken);
            }
            () = sender.closed() => {}
        }
    };
    if let Err(problem) = start(Box::pin(making)) {
        return problem.into_response();
    }
    match receiver.await {
        Ok(Ok((bytes, next))) => {
            let response = match next {
                Some(next) => response.header("meterhouse-next", next),
                None => response,
            };
            response.body(Body::from(bytes)).unwrap_or_else(|_| fault().into_response())
        }
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => fault().into_response(),
    }
}

/// Makes all of an answer, and answers with a part of it.
async fn of_whole(part: Part, mut pieces: Pieces, response: Response) -> Result<Response, Problem> {
    let wrong = |error: Error| Problem::of(&error);
    let mut whole = Whole::new().map_err(wrong)?;
    while let Some(bytes) = pieces.next().await? {
        whole.add(&bytes).await.map_err(wrong)?;
    }
    whole.part(part, response).await.map_err(wrong)
}

/// Rows as one whole document.
fn encoded(shape: &Shape, schema: &SchemaRef, batches: &[RecordBatch]) -> crate::error::Result<Vec<u8>> {
    let mut encoder = encoder(shape, schema)?;
    let mut document = Vec::new();
    for batch in batches {
        document.extend(encoder.rows(batch)?);
    }
    document.extend(encoder.finish()?);
    Ok(document)
}

fn encoder(shape: &Shape, schema: &SchemaRef) -> crate::error::Result<Encoder> {
    let format = shape.format;
    let encoder =
        if shape.is_file { Encoder::for_file(format, schema) } else { Encoder::new(format, schema) };
    Ok(encoder?.about(&shape.about))
}

fn fault() -> Problem {
    let title = "a fault in the program";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, title, "please report it with the request")
}

/// The pieces of an answer as they come, until its time is over: a query that is at work without a pause does not see
/// that, and whoever waits for it has to.
struct Pieces {
    receiver: Receiver<Piece>,
    time: Option<(Instant, Duration)>,
}

impl Pieces {
    async fn next(&mut self) -> Piece {
        let piece = self.receiver.recv();
        let piece = match self.time {
            Some((began, time)) => tokio::time::timeout_at(began + time, piece).await.unwrap_or_else(|_| {
                let title = format!("it takes longer than {} s", time.as_secs());
                let hint =
                    "ask for less, or ask `meterhouse sql`; `request_seconds` under [serve] is the limit";
                Some(Err(Problem::new(StatusCode::REQUEST_TIMEOUT, title, "").hint(hint)))
            }),
            None => piece.await,
        };
        // The other side goes without a word only where the program fails.
        piece.unwrap_or_else(|| Err(fault()))
    }
}

/// The pieces after the first; where one fails, the connection is broken off.
fn rest(pieces: Pieces) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some(pieces), |state| async {
        let mut pieces = state?;
        match pieces.next().await {
            Ok(Some(bytes)) => Some((Ok(Bytes::from(bytes)), Some(pieces))),
            Ok(None) => None,
            Err(problem) => {
                warn!("an answer ends in the middle: {}", problem.told());
                Some((Err(std::io::Error::other(problem.told())), None))
            }
        }
    })
}

/// Begins the query and sends its rows, until all are sent or nobody takes them.
async fn produce(
    shape: Shape,
    work: impl Future<Output = Result<SendableRecordBatchStream, Problem>>,
    sender: Sender<Piece>,
) {
    let outcome = tokio::select! {
        outcome = send(&shape, work, &sender) => outcome,
        // Nobody waits for the rest: what is under way is dropped.
        () = sender.closed() => return,
    };
    let last = match outcome {
        Ok(()) => Ok(None),
        Err(problem) => Err(problem),
    };
    // Whoever asked may be gone by now.
    let _ = sender.send(last).await;
}

async fn send(
    shape: &Shape,
    work: impl Future<Output = Result<SendableRecordBatchStream, Problem>>,
    sender: &Sender<Piece>,
) -> Result<(), Problem> {
    let wrong = |error: Error| Problem::of(&error);
    let mut rows = work.await?;
    let mut encoder = encoder(shape, &rows.schema()).map_err(wrong)?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| wrong((shape.failed)(&error)))?;
        count += batch.num_rows();
        if let Some(most) = shape.most.filter(|most| count > *most) {
            let title = format!("the query has more than {most} rows");
            let hint = format!("add `limit {most}`, or sum up; `sql_rows` under [serve] is the limit");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, title, "").hint(hint));
        }
        let bytes = encoder.rows(&batch).map_err(wrong)?;
        if !bytes.is_empty() {
            put(sender, bytes).await?;
        }
    }
    put(sender, encoder.finish().map_err(wrong)?).await
}

async fn put(sender: &Sender<Piece>, bytes: Vec<u8>) -> Result<(), Problem> {
    match tokio::time::timeout(STALLED, sender.send(Ok(Some(bytes)))).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the answer is not taken", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_accepted_most() {
        for (accepted, wanted) in [
            ("*/*", Some(Format::Json)),
            ("text/html, */*;q=0.8", Some(Format::Json)),
            ("text/csv", Some(Format::Csv)),
            ("text/*", Some(Format::Csv)),
            ("application/json;q=0.5, application/x-ndjson", Some(Format::Ndjson)),
            ("application/json;q=0, text/csv;q=0.001", Some(Format::Csv)),
            ("Application/VND.apache.parquet; q=0.9", Some(Format::Parquet)),
            ("text/html", None),
        ] {
            assert_eq!(best(accepted), wanted, "{accepted}");
        }
    }

    #[test]
    fn a_name_wins_over_what_is_accepted() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/csv"));
        assert_eq!(format(Some("parquet"), &headers).unwrap(), Format::Parquet);
        assert_eq!(format(None, &headers).unwrap(), Format::Csv);
        assert!(format(Some("table"), &headers).is_err() && format(Some("html"), &headers).is_err());
    }
}
