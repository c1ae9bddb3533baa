//! Whether a file lands: a content lands once, and again where what came of it did not do.

use super::decision;
use super::registry::{Attempt, attempt, last_attempt};
use super::source::Readable;
use super::{Before, How};
use crate::error::{Result, While};
use crate::project::{Project, Query, USAGE_RECORD};
use crate::store::digest::sha256;
use crate::store::warehouse::Warehouse;
use crate::table::landings::Landings;

/// What tells how a file was read: the landing query, and how sources write their times.
pub(super) fn mapping_of(project: &Project, with: Option<&Query>) -> Result<String> {
    let times = &project.settings.source;
    if with.is_none() && times.is_empty() {
        return Ok(String::new());
    }
    let times = serde_json::to_string(times).during(|| "reading the settings".into())?;
    let query = with.map(|query| query.text.as_str()).unwrap_or_default();
    Ok(sha256(format!("{query}\0{times}")))
}

/// Under which number a file lands, or why it does not.
pub(super) enum Turn {
    Now(Attempt),
    Not(i64, Before),
}

/// What comes next of a content.
enum Next {
    /// It lands for the first time.
    First,
    /// It lands once more after this try, in place of a landing.
    After(Attempt, Option<i64>),
    /// This try was cut short, and goes on.
    GoesOn(Attempt),
    /// It does not land.
    Not(i64, Before),
}

/// Decides whether a content lands: it does where it is new, where its landing was discarded, where nothing of it was
/// taken and it is read in another way now, and where that is asked for.
pub(super) async fn turn(
    project: &Project,
    warehouse: &Warehouse,
    file: &Readable,
    how: How<'_>,
    known: &Landings,
) -> Result<Turn> {
    let mapping = mapping_of(project, how.with)?;
    let content = &file.content;
    Ok(match next(project, warehouse, content, how, known).await? {
        Next::First => Turn::Now(attempt(warehouse, content, None, &mapping, None).await?),
        Next::After(last, replaces) => {
            Turn::Now(attempt(warehouse, content, Some(&last), &mapping, replaces).await?)
        }
        Next::GoesOn(last) => Turn::Now(last),
        Next::Not(landing_id, before) => Turn::Not(landing_id, before),
    })
}

/// The same without a number for it: whether a content would land.
pub(super) async fn would_land(
    project: &Project,
    warehouse: &Warehouse,
    content: &str,
    how: How<'_>,
    known: &Landings,
) -> Result<bool> {
    Ok(!matches!(next(project, warehouse, content, how, known).await?, Next::Not(..)))
}

async fn next(
    project: &Project,
    warehouse: &Warehouse,
    content: &str,
    how: How<'_>,
    known: &Landings,
) -> Result<Next> {
    let Some(last) = last_attempt(warehouse, content).await? else { return Ok(Next::First) };
    let is_same = last.mapping == mapping_of(project, how.with)?;
    if !last.is_of(warehouse, content).await? {
        // Cut short, and somebody else's number.
        let replaces = last.replaces;
        return Ok(Next::After(last, replaces));
    }
    if !known.has(last.landing_id) {
        // It was cut short; read in another way its files would be others.
        let replaces = last.replaces;
        return Ok(if is_same { Next::GoesOn(last) } else { Next::After(last, replaces) });
    }
    let taken = warehouse.delta_files(USAGE_RECORD).await?.1;
    let has_taken = taken.iter().any(|file| file.of_landings().has(last.landing_id));
    let is_discarded = decision::landing_place(project, warehouse, last.landing_id, known).await?.as_deref()
        == Some("discarded");
    if !how.again && !is_discarded && (has_taken || is_same) {
        let before = if has_taken { Before::Counted } else { Before::Rejected };
        return Ok(Next::Not(last.landing_id, before));
    }
    let replaces = (has_taken && !is_discarded).then_some(last.landing_id);
    Ok(Next::After(last, replaces))
}
