//! The feed of events: what has happened behind a place in it, at once or when there is something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::Service;
use super::problem::{Parameters, Problem, parameters};
use super::who::Who;
use crate::events::message::{Message, Wanted, messages};

/// How often it is looked while somebody waits.
const LOOK: Duration = Duration::from_millis(500);
/// Events of an answer, where nobody says how many.
const SOME: usize = 100;
/// The most that an answer has.
const MOST: usize = 1000;
/// The longest that somebody may wait, in seconds.
const LONGEST: u64 = 60;

/// What may stand behind the path of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedFeed {
    /// The place behind which events are wanted; without it, from the first.
    #[serde(default)]
    after: i64,
    /// So many at most; without it 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Of this kind; without it, of all.
    kind: Option<String>,
    /// How long to wait where there is none, in seconds.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: u64,
}

/// Events, and the place behind the last of them.
#[derive(Debug, Serialize)]
struct Feed {
    after: i64,
    events: Vec<Message>,
}

/// The events behind a place.
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    asked: Parameters<AskedFeed>,
) -> Result<Response, Problem> {
    let asked = parameters(asked)?;
    let limit = asked.limit.unwrap_or(SOME);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit={limit}");
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "so many events are not answered at one time",
            detail,
        )
        .hint(format!("from 1 to {MOST}")));
    }
    if asked.wait > LONGEST {
        let detail = format!("wait={}", asked.wait);
        return Err(Problem::new(StatusCode::BAD_REQUEST, "nobody may wait so long", detail)
            .hint(format!("up to {LONGEST} seconds, and then again")));
    }
    let wanted = Wanted {
        after: asked.after,
        kinds: asked.kind.into_iter().collect(),
        customers: who.customers().map(|customers| customers.iter().cloned().collect()),
        most: limit,
    };
    let until = Instant::now() + Duration::from_secs(asked.wait).min(service.answer_time);
    let mut seen = None;
    loop {
        let tables = service.published.state().await.map_err(|error| Problem::of(&error))?;
        let run = Some(tables.run());
        let found = match std::mem::replace(&mut seen, run) == run {
            true => Vec::new(),
            false => messages(&tables.context, &wanted).await.map_err(|error| Problem::of(&error))?,
        };
        let left = until.saturating_duration_since(Instant::now());
        if !found.is_empty() || left.is_zero() {
            let after = found.last().map_or(asked.after, |last| last.number);
            return Ok(([(CACHE_CONTROL, "no-store")], Json(Feed { after, events: found })).into_response());
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
