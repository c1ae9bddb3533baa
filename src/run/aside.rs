//! A run that is made beside the warehouse, for whoever wants to know now what the next one would say.

use datafusion::prelude::SessionContext;

use super::event::Event;
use super::start::{last_landing, stem_after};
use super::{Request, Run, first_and_last};
use crate::engine::session::session;
use crate::error::Result;
use crate::ledger;
use crate::project::{PERIOD_CHANGE, Project, Query};
use crate::store::warehouse::Warehouse;
use crate::table::checksum;

/// What a run would publish.
pub struct Aside {
    /// With the tables and views that are behind what is asked, as they would be; their files go with it, and with the
    /// last who reads them.
    pub context: SessionContext,
    /// The newest landing that it has seen; 0: none.
    pub last_landing: i64,
}

/// Makes what a run would make of the tables behind some queries, beside the warehouse: nothing is written there, and
/// nothing is published. Of the checks, those are asked that read nothing else.
///
/// # Errors
/// What a run would refuse of these tables.
pub async fn aside(
    project: &Project,
    warehouse: &Warehouse,
    request: &Request,
    queries: &[&Query],
) -> Result<Aside> {
    let head = ledger::head(warehouse).await?;
    let stem = stem_after(head.as_ref());
    let beside = warehouse.with_scratch(&stem)?;
    let context = session(&project.settings, Some(&beside))?;
    checksum::demand(&context);
    let unheard = |_: &Event| {};
    let mut run = Run::start(project, &beside, &context, request, &unheard, head, stem).await?;
    let (first, last) = first_and_last(project);
    run.begin(&first).await?;
    // Also whether closed periods are other ones now, from which later ones carry on.
    let is_wanted = |name: &str| {
        name == PERIOD_CHANGE
            || project.is_made_from(PERIOD_CHANGE, name)
            || queries.iter().any(|query| project.is_behind(query, name))
    };
    run.make_tables(is_wanted).await?;
    let is_there = |name: &String| is_wanted(name) || !project.queries.contains_key(name);
    let last: Vec<&Query> = last.into_iter().filter(|check| check.reads.keys().all(is_there)).collect();
    run.check(&last).await?;
    let last_landing = last_landing(&run.landed_files);
    Ok(Aside { context: context.clone(), last_landing })
}
