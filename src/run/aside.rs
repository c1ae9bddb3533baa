//! A run that is made beside the warehouse, for whoever wants to know now what the next one would say.

use datafusion::prelude::SessionContext;

use super::event::Event;
use super::start::{last_landing, stem_after};
use super::{Request, Run, first_and_last};
use crate::engine::session::session;
use crate::error::Result;
use crate::ledger;
use crate::project::Project;
use crate::store::warehouse::Warehouse;
use crate::table::checksum;

/// What a run would publish.
pub struct Aside {
    /// With every table and view as they would be; their files go with it, and with the last who reads them.
    pub context: SessionContext,
    /// The newest landing that it has seen; 0: none.
    pub last_landing: i64,
}

/// Makes a run beside the warehouse: nothing is written there, and nothing is published.
///
/// # Errors
/// Whatever the run would refuse.
pub async fn aside(project: &Project, warehouse: &Warehouse, request: &Request) -> Result<Aside> {
    let head = ledger::head(warehouse).await?;
    let stem = stem_after(head.as_ref());
    let beside = warehouse.with_scratch(&stem)?;
    let context = session(&project.settings, Some(&beside))?;
    checksum::demand(&context);
    let unheard = |_: &Event| {};
    let mut run = Run::start(project, &beside, &context, request, &unheard, head, stem).await?;
    let (first, last) = first_and_last(project);
    let parked = run.begin(&first).await?;
    run.make_all(parked, &first, &last).await?;
    let last_landing = last_landing(&run.landed_files);
    Ok(Aside { context: context.clone(), last_landing })
}
