//! The protocol of the books: what closing a period, closing what is due, rating again and deciding about records
//! consist of, whoever asks for them.
//!
//! Owns the order of things: a period closes as a run published it just before, the oldest first. What a closing
//! writes, and how a period is rated again, is part of a run (`run`); asking and showing is left to the caller.

mod decide;
pub mod reach_back;

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;
use jiff::{Timestamp, ToSpan};

pub use self::decide::{Asking, Decided, decide};
use self::reach_back::{is_rerated, reached_back};
use crate::engine::plan::rows_of;
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::ledger::{self, Entry, TableEntry};
use crate::project::{PERIOD_END, Project, SUSPENSE};
use crate::run::event::{Event, Hear};
use crate::run::{self, Close, Prepared, Request, Rerate, clock, period_ends};
use crate::store::warehouse::Warehouse;

/// The query of `status` that says what waits, and why.
const SUSPENSE_STATUS: &str = "suspense_age";

/// Whether a period is closed.
pub async fn is_closed(warehouse: &Warehouse, period: &str) -> Result<bool> {
    Ok(ledger::head(warehouse).await?.is_some_and(|head| head.is_closed(period)))
}

/// Runs a last time, and closes a period as that has published it.
///
/// # Errors
/// There is no such period, it has not ended, or an earlier one is open: nothing is published. A guard refuses and
/// nobody accepted: what the last run published stays, and was shown.
pub async fn close(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    close: Close,
    hear: Hear<'_>,
) -> Result<()> {
    let period = close.period.clone();
    clock::closing(request, &period)?;
    let before_closing = Some(period.clone());
    let mut request = Request { by: close.by.clone(), period: None, before_closing, ..request.clone() };
    let report = run::run(project, warehouse, context, &request, hear).await?;
    hear(&Event::Published(report));
    request.before_closing = None;
    request.close = Some(close);
    let prepared = run::prepare(project, warehouse, context, &request, hear).await?;
    match what_waits(project, warehouse, context, &request, &period).await {
        Ok(waiting) => waiting.iter().for_each(hear),
        Err(error) => {
            prepared.discard().await?;
            return Err(error);
        }
    }
    prepared.publish().await?;
    hear(&Event::Closed { period });
    Ok(())
}

/// Closes what is due, oldest first, where the settings say so.
///
/// Not after a run that somebody had to accept, because that accepts no closing, nor after one ahead
/// of the clock.
pub async fn close_due(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    hear: Hear<'_>,
) -> Result<()> {
    let settings = &project.settings;
    if !settings.close.automatic || request.accepted.is_some() || request.as_of > request.now {
        return Ok(());
    }
    close_all_due(project, warehouse, context, request, "settings: close.automatic", hear).await.map(|_| ())
}

/// Closes what is due, oldest first, as the last run of this session published it; returns the periods.
pub async fn close_all_due(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    by: &str,
    hear: Hear<'_>,
) -> Result<Vec<String>> {
    let settings = &project.settings;
    let mut closed = Vec::new();
    for (period, end) in period_ends(context).await? {
        let due = days_after(end, settings.close.after_days, &settings.time_zone)?;
        if due > request.as_of || is_closed(warehouse, &period).await? {
            continue;
        }
        let own = session(settings, Some(warehouse))?;
        let close_it = Close { period: period.clone(), by: by.into() };
        close(project, warehouse, &own, request, close_it, hear).await?;
        closed.push(period);
    }
    Ok(closed)
}

/// The instant so many days of a zone later; both in microseconds since the epoch.
fn days_after(instant: i64, days: u32, zone: &str) -> Result<i64> {
    let working = || "counting the days until a period is closed".to_string();
    let zoned = Timestamp::from_microsecond(instant).during(working)?.in_tz(zone).during(working)?;
    Ok(zoned.checked_add(i64::from(days).days()).during(working)?.timestamp().as_microsecond())
}

/// The oldest period that has ended and is not closed.
pub async fn next_due(
    project: &Project,
    context: &SessionContext,
    head: &Entry,
    as_of: i64,
) -> Result<Option<String>> {
    if !project.queries.contains_key(PERIOD_END) {
        return Ok(None);
    }
    let ends: BTreeMap<String, i64> = period_ends(context).await?;
    let due = ends.into_iter().find(|(period, end)| *end <= as_of && !head.is_closed(period));
    Ok(due.map(|(period, _)| period))
}

/// What will not be in the books of a period that is about to close; nothing if nothing waits.
async fn what_waits(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    period: &str,
) -> Result<Option<Event>> {
    let head = ledger::head(warehouse).await?;
    let records = head.and_then(|head| head.tables.get(SUSPENSE).map(TableEntry::rows)).unwrap_or(0);
    if records == 0 {
        return Ok(None);
    }
    let shown = match project.status.get(SUSPENSE_STATUS) {
        Some(query) => rows_of(context, query, request.as_of).await?,
        None => Vec::new(),
    };
    Ok(Some(Event::Waiting { period: period.into(), records, shown }))
}

/// Runs, and rates a closed period again by the rules of today: to be shown, then published or discarded. Nothing if
/// it is rated by them already.
pub async fn rerate<'a>(
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a mut Request,
    rerate: Rerate,
    hear: Hear<'a>,
) -> Result<Option<Prepared<'a>>> {
    run::is_closed(ledger::head(warehouse).await?.as_ref(), &rerate.period)?;
    let report = run::run(project, warehouse, context, request, hear).await?;
    hear(&Event::Published(report));
    if is_rerated(project, warehouse, &rerate.period).await? {
        return Ok(None);
    }
    request.rerate.push(rerate);
    run::prepare(project, warehouse, context, request, hear).await.map(Some)
}

/// Rates all closed periods again that the rules of today reach back into: to be shown, and discarded. Nothing if
/// they reach into none.
pub async fn reach_back<'a>(
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a mut Request,
    head: &Entry,
    hear: Hear<'a>,
) -> Result<Option<Prepared<'a>>> {
    let reached = reached_back(project, warehouse, head).await?;
    if reached.is_empty() {
        return Ok(None);
    }
    let by = request.by.clone();
    let why = |period| Rerate { period, by: by.clone(), reason: "to be shown".into() };
    request.rerate = reached.into_iter().map(why).collect();
    // Nothing is published, whatever the time.
    request.accepted = Some(request.by.clone());
    run::prepare(project, warehouse, context, request, hear).await.map(Some)
}
