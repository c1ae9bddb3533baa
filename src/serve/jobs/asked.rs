//! Work that somebody asks for over HTTP: a run, the closing of a period, a job now.
//!
//! It goes on in the service, whether whoever asked for it waits or not, and is in the register as a job that was due
//! when it was asked for. So every service knows what came of it, and of several that are asked for the same one does
//! it. One piece of work is done in a service at a time, beside its jobs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use datafusion::logical_expr::{col, lit};
use datafusion::scalar::ScalarValue;
use meterhouse_sql::name::did_you_mean;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::register::{Done, Register, due_of, due_text};
use super::task::{Came, Task};
use super::{HOLDS, Job, done, history};
use crate::catalog;
use crate::encode::{Encoder, Format};
use crate::engine::plan::execution_error;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::project::JOB_RUN;
use crate::project::settings::{Does, JobSettings};
use crate::serve::Service;
use crate::serve::audit::Outcome;
use crate::serve::problem::{Parameters, Problem, Whole, Within, instant_text, object, parameters, told};
use crate::serve::rows::{self, Shape};
use crate::serve::who::Who;

/// What work is called in the register that is no job; no job may be called so.
pub(super) const NO_JOB: &str = "http.";
const RUN: &str = "http.run";
const CLOSE: &str = "http.close";
const SECOND: i64 = 1_000_000;

/// The work that is asked for.
pub(in crate::serve) struct Asking {
    /// Whoever has it works.
    place: Arc<Semaphore>,
    /// This service, as it is told apart from others.
    holder: String,
    stopped: watch::Receiver<()>,
}

impl Asking {
    /// For a service that is stopped then.
    pub(in crate::serve) fn new(stopped: watch::Receiver<()>) -> Self {
        Self { place: Arc::new(Semaphore::new(1)), holder: uuid::Uuid::new_v4().to_string(), stopped }
    }

    /// Waits until work that was under way is left.
    pub(in crate::serve) async fn left(&self) {
        // It is never closed.
        let _ = self.place.acquire().await;
    }
}

/// Why it is to be done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct Why {
    /// Why it is done though a guard refuses.
    accept: Option<String>,
    /// Who asks for it.
    by: Option<String>,
}

/// Where it stands: `left` where whoever did it does not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// Somebody does it.
    Running,
    /// It was done.
    Done,
    /// It could not be done, and nothing of it is published.
    Failed,
    /// Whoever did it does not any more.
    Left,
}

/// What came of work, as the table of jobs has it.
#[derive(Debug, Default, Deserialize)]
struct Ended {
    does: Option<String>,
    began_at: Option<String>,
    ended_at: Option<String>,
    detail: Option<String>,
    run_number: Option<u64>,
}

/// Work that was asked for, or was due.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Work {
    /// What it is called.
    job: String,
    /// When it was due or asked for.
    due_at: String,
    /// Where this can be asked for.
    place: String,
    #[schema(inline)]
    state: Standing,
    /// What was done: land, run, close, export, events or vacuum.
    #[serde(skip_serializing_if = "Option::is_none")]
    does: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    began_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// What came of it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The run that it published; none where there was nothing to publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_number: Option<u64>,
}

impl Work {
    fn new(job: &str, due: i64, state: Standing, ended: Ended) -> Self {
        let place = place_of(job, due);
        let Ended { does, began_at, ended_at, detail, run_number } = ended;
        let due_at = instant_text(due);
        Self { job: job.into(), due_at, place, state, does, began_at, ended_at, detail, run_number }
    }

    fn of(done: Done) -> Self {
        let state = match done.outcome {
            super::Outcome::Failed => Standing::Failed,
            _ => Standing::Done,
        };
        let ended = Ended {
            does: Some(done.does.to_string()),
            began_at: Some(instant_text(done.began)),
            ended_at: Some(instant_text(done.ended)),
            detail: Some(done.detail),
            run_number: done.published,
        };
        Self::new(&done.job, done.due, state, ended)
    }
}

/// Where work can be asked for; a job may be called anything.
fn place_of(job: &str, due: i64) -> String {
    let due = due_text(due);
    let mut place = Url::parse("http://localhost").ok();
    if let Some(mut parts) = place.as_mut().and_then(|place| place.path_segments_mut().ok()) {
        parts.extend(["v1", "jobs", job, "runs", &due]);
    }
    place.map(|place| place.path().to_string()).unwrap_or_default()
}

/// Makes a run now.
pub(in crate::serve) async fn run(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let Why { accept: accepted, by } = why(&body)?;
    let settings = by_hand(Does::Run);
    let task = Task { name: RUN.into(), settings, by: who.author(by), accepted, period: None };
    begin(service, task, None, &headers).await
}

/// Closes a period.
pub(in crate::serve) async fn close(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(period): Within<String>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    rows::is_period(&period)?;
    let Why { accept: accepted, by } = why(&body)?;
    let settings = by_hand(Does::Close);
    let task = Task { name: CLOSE.into(), settings, by: who.author(by), accepted, period: Some(period) };
    begin(service, task, None, &headers).await
}

/// Does a job now.
pub(in crate::serve) async fn start(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(name): Within<String>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let Why { accept, by } = why(&body)?;
    let wrong = |error: Error| Problem::of(&error);
    let jobs = Job::all(&service.project.settings).map_err(wrong)?;
    let Some(job) = jobs.iter().find(|job| job.name == name) else {
        let hint = did_you_mean(&name, jobs.iter().map(|job| job.name.as_str()));
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no job {name}"), "").hint(hint));
    };
    let by = format!("{}, job {name}", who.author(by));
    let last = job.last_due((service.clock)()).map_err(wrong)?;
    begin(service, Task { accepted: accept, ..Task::of(job, by) }, last, &headers).await
}

/// What work by hand does.
fn by_hand(does: Does) -> JobSettings {
    JobSettings { cron: String::new(), does, time_zone: None, to: None, format: None, keep_days: 0 }
}

/// Why something is to be done; nothing has to be said.
fn why(body: &[u8]) -> Result<Why, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Why::default());
    }
    let wrong = |detail: String| {
        let hint = r#"nothing, or {"accept": "why it is done though a guard refuses", "by": "who asks"}"#;
        Problem::new(StatusCode::BAD_REQUEST, "the body does not say why", detail).hint(hint)
    };
    let why: Why = object(body).map_err(|error| wrong(error.to_string()))?;
    match &why.accept {
        Some(accept) if accept.trim().is_empty() => Err(wrong("`accept` has no reason".into())),
        _ => Ok(why),
    }
}

/// Begins work, and answers what came of it; where that takes longer than a request, or nobody wants to wait, where to
/// look. `last`: when it was due last, which is done with it.
async fn begin(
    service: Arc<Service>,
    task: Task,
    last: Option<i64>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let asked = Instant::now();
    let under_way = |hint: String| {
        Problem::new(StatusCode::CONFLICT, "this is under way already", "").hint(hint).retry_after(1)
    };
    let Ok(place) = service.asking.place.clone().try_acquire_owned() else {
        return Err(under_way("GET /v1/jobs tells what came of it when it ends".into()));
    };
    let wrong = |error: Error| Problem::of(&error);
    let register = Register::of(&service.warehouse);
    let (name, now, holder) = (task.name.clone(), (service.clock)(), service.asking.holder.clone());
    let of_job = register.of_job(&name).await.map_err(wrong)?;
    let claims = register.claims(&of_job).await.map_err(wrong)?;
    if let Some((due, _)) = claims.into_iter().find(|(_, until)| *until > now) {
        return Err(under_way(format!("GET {}", place_of(&name, due))));
    }
    let due = match last {
        Some(last) if !of_job.is_new() && !of_job.is_done(last, now) => last,
        // One second has one of them.
        _ => of_job.newest(now).map_or(0, |newest| newest + SECOND).max(now / SECOND * SECOND),
    };
    let Some(claim) = register.claim(&name, due, &holder, now, HOLDS).await.map_err(wrong)? else {
        return Err(under_way("GET /v1/jobs tells what came of it when it ends".into()));
    };
    let (sender, came) = oneshot::channel::<Result<Came>>();
    let (working, mut stopped) = (service.clone(), service.asking.stopped.clone());
    tokio::spawn(async move {
        let came = tokio::select! {
            came = done(&working, &task, due, claim, &holder) => {
                if let Err(error) = &came {
                    warn!(job = task.name, "job {}: {}", task.name, told(error));
                }
                came.flatten()
            }
            _ = stopped.changed() => {
                Register::of(&working.warehouse).give_back(&holder).await;
                Err(Error::Busy { what: "the service stops, and nothing of it is published".into() })
            }
        };
        // Before the answer, so that whoever has it can ask for the next.
        drop(place);
        // Whoever asked may be gone.
        let _ = sender.send(came);
    });
    let wants = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let is_waiting = !wants.flat_map(|value| value.split(',')).any(|wish| wish.trim() == "respond-async");
    let until = if is_waiting { asked + service.answer_time } else { asked };
    let work = match timeout_at(until, came).await {
        Ok(Ok(Ok(_))) => look(&service, &name, due).await.map_err(wrong)?,
        Ok(Ok(Err(error))) => return Err(refused(&error)),
        Ok(Err(_)) => {
            let title = "a fault in the program";
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, title, "please report it"));
        }
        Err(_) => None,
    };
    let (status, work) = match work {
        Some(work) => (StatusCode::OK, work),
        None => (StatusCode::ACCEPTED, Work::new(&name, due, Standing::Running, Ended::default())),
    };
    let outcome = work.detail.clone().unwrap_or_else(|| format!("under way: {}", work.place));
    let mut response = (status, [(LOCATION, work.place.clone())], Json(work)).into_response();
    response.extensions_mut().insert(Outcome(outcome));
    Ok(response)
}

/// What cannot be done as things stand (409), and what the data or the project stand against (422).
fn refused(error: &Error) -> Problem {
    let problem = Problem::of(error);
    let problem = match error.hint() {
        hint if hint.contains("--accept") => problem.hint(r#"mend what is told, or send {"accept": "WHY"}"#),
        _ => problem,
    };
    match error {
        Error::Usage { .. } => problem.status(StatusCode::CONFLICT),
        Error::Project(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the project has mistakes", told(error))
                .hint("meterhouse check")
        }
        _ => problem,
    }
}

/// What came of work.
pub(in crate::serve) async fn get(
    State(service): State<Arc<Service>>,
    Within((name, due)): Within<(String, String)>,
) -> Result<Json<Work>, Problem> {
    let found = match due_of(&due) {
        Some(at) => look(&service, &name, at).await.map_err(|error| Problem::of(&error))?,
        None => None,
    };
    found.map(Json).ok_or_else(|| {
        let title = format!("{name} was not begun for {due}");
        Problem::new(StatusCode::NOT_FOUND, title, "").hint("GET /v1/jobs shows what was done when")
    })
}

/// Work for a time, where it stands.
async fn look(service: &Service, name: &str, due: i64) -> Result<Option<Work>> {
    let register = Register::of(&service.warehouse);
    if let Some(done) = register.done_at(name, due).await? {
        return Ok(Some(Work::of(done)));
    }
    let claims = register.claims(&register.of_job(name).await?).await?;
    if let Some(until) = claims.get(&due) {
        let is_held = *until > (service.clock)();
        let state = if is_held { Standing::Running } else { Standing::Left };
        return Ok(Some(Work::new(name, due, state, Ended::default())));
    }
    // What came of it long ago is in the table only.
    let (project, warehouse) = (&service.project, &service.warehouse);
    let context = session(&project.settings, Some(warehouse))?;
    let at = ScalarValue::TimestampMicrosecond(Some(due), Some("UTC".into()));
    let is_meant = col("job").eq(lit(name)).and(col("due_at").eq(lit(at)));
    let rows = catalog::journal_rows(project, warehouse, &context, JOB_RUN).await?;
    let rows = rows.filter(is_meant).during(|| format!("reading {JOB_RUN}"))?;
    let mut encoder = Encoder::new(Format::Ndjson, &Arc::new(rows.schema().as_arrow().clone()))?;
    let mut line = Vec::new();
    for batch in rows.collect().await.map_err(|error| execution_error(&error, JOB_RUN))? {
        line.extend(encoder.rows(&batch)?);
    }
    #[derive(Deserialize)]
    struct Row {
        outcome: Standing,
        #[serde(flatten)]
        ended: Ended,
    }
    if line.is_empty() {
        return Ok(None);
    }
    let Row { outcome, ended } = serde_json::from_slice(&line).during(|| format!("reading {JOB_RUN}"))?;
    Ok(Some(Work::new(name, due, outcome, ended)))
}

/// How what was done is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct Listed {
    /// How rows are written; without it by `Accept`.
    #[param(inline, value_type = Option<rows::Names>)]
    format: Option<String>,
}

/// What was done when, the newest first, and when each job is due next.
pub(in crate::serve) async fn list(
    State(service): State<Arc<Service>>,
    asked: Parameters<Listed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = rows::format(parameters(asked)?.format.as_deref(), &headers)?;
    let wrong = |error: Error| Problem::of(&error);
    let now = (service.clock)();
    let mut jobs = Vec::new();
    for job in Job::all(&service.project.settings).map_err(wrong)? {
        let next = job.next_due(now).map_err(wrong)?.map(instant_text);
        jobs.push(json!({"job": job.name, "does": job.settings.does, "next_at": next}));
    }
    let about = vec![("jobs", json!(jobs))];
    let shape = Shape::of(format, about, |error| execution_error(error, JOB_RUN));
    let served = service.clone();
    let work = async move {
        let wrong = |error: Error| Problem::of(&error);
        let context = session(&served.project.settings, Some(&served.warehouse)).map_err(wrong)?;
        history(&served.project, &served.warehouse, &context).await.map_err(wrong)
    };
    Ok(rows::answer(service.published.start(), shape, work).await)
}
