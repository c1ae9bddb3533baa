//! Usage out: a record that was sent is taken out of every count, and stays to be seen.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meterhouse_sql::cycle::parse_instant;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Parameters, Problem, Within, parameters};
use super::who::Who;
use super::{Service, landing};
use crate::books::{self, Asking};
use crate::engine::session::session;
use crate::error::{Error, Result};
use crate::land::decision::{Author, Decision};
use crate::land::{identity, project_zone};
use crate::project::USAGE_RECORD;

/// Which record, and why.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Where it is from, if several sources have the id.
    source: Option<String>,
    /// When it was used, if records of the source with one id are told apart by their time.
    usage_start: Option<String>,
    /// The record that amends it.
    replaced_by: Option<String>,
    /// Why; it is kept with the decision.
    #[param(min_length = 1, example = "counted+twice")]
    reason: String,
    /// Who.
    by: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Voided)]
pub(super) struct Answer {
    /// The record.
    transaction_id: String,
    /// Records that are void from the next run on; 0 where it was void already.
    voided: usize,
}

/// Voids a record.
pub(super) async fn void(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(id): Within<String>,
    asked: Parameters<Asked>,
) -> Result<Json<Answer>, Problem> {
    let mut asked = parameters(asked).map_err(|problem| {
        problem
            .hint("DELETE /subscriptions/v1/usage/ID?reason=WHY, where needed with source=, usage_start=, replaced_by=")
    })?;
    if asked.reason.trim().is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "no reason was given", "").hint("?reason=WHY"));
    }
    asked.source = source(&who, asked.source)?;
    asked.by = Some(who.author(asked.by));
    let source = asked.source.clone();
    match done(&service, &id, asked).await {
        Ok(answer) => Ok(Json(answer)),
        Err(error @ Error::Usage { .. }) => {
            let is_known = is_known(&service, &id, source.as_deref()).await;
            let problem = Problem::of(&error);
            Err(if is_known.is_ok_and(|is_known| !is_known) {
                problem.status(StatusCode::NOT_FOUND)
            } else {
                problem
            })
        }
        Err(error) => Err(Problem::of(&error)),
    }
}

/// Where the record has to be from, for the key that is used.
fn source(who: &Who, asked: Option<String>) -> Result<Option<String>, Problem> {
    let Some(own) = who.sources() else { return Ok(asked) };
    match asked {
        Some(source) if who.may_write(&source) => Ok(Some(source)),
        None if own.len() == 1 => Ok(own.first().cloned()),
        None => {
            let title = "the key is for some sources, and none of them is named";
            Err(Problem::new(StatusCode::BAD_REQUEST, title, "").hint("?source=SOURCE"))
        }
        Some(source) => {
            let detail = format!("it is not for the source `{source}`");
            Err(Problem::new(StatusCode::FORBIDDEN, "the key is not for this", detail))
        }
    }
}

async fn done(service: &Service, id: &str, asked: Asked) -> Result<Answer> {
    let (project, warehouse, now) = (&service.project, &service.warehouse, (service.clock)());
    // It may have been sent a moment ago.
    landing::land(project, warehouse, &service.metrics).await?;
    let zone = project_zone(project)?;
    let usage_start = asked.usage_start.as_deref().map(|text| parse_instant(text, &zone)).transpose();
    let usage_start = usage_start.map_err(|error| Error::usage(format!("usage_start: {error}"), ""))?;
    let by = asked.by.unwrap_or_default();
    let ids = [id.to_string()];
    let asking = Asking {
        table: USAGE_RECORD,
        ids: &ids,
        which: identity::Which { source: asked.source, usage_start, all: false },
        replaced_by: asked.replaced_by.as_deref(),
        author: Author { by, at: now, reason: asked.reason },
    };
    let context = session(&project.settings, Some(warehouse))?;
    let replaced_by = asked.replaced_by.clone();
    let make = |identity| Decision::Void(identity, replaced_by.clone());
    let decided = books::decide(project, warehouse, &context, now, asking, make).await?;
    Ok(Answer { transaction_id: id.into(), voided: decided.made })
}

async fn is_known(service: &Service, id: &str, source: Option<&str>) -> Result<bool> {
    let context = session(&service.project.settings, Some(&service.warehouse))?;
    crate::catalog::open(&service.project, &service.warehouse, &context, (service.clock)()).await?;
    identity::is_known(&context, id, source).await
}
