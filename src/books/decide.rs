//! What people decide about records: void, written off, restored.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;

use crate::catalog;
use crate::error::Result;
use crate::land::decision::{self, Author, Decision, Identity};
use crate::land::identity::{self, Which};
use crate::project::Project;
use crate::store::warehouse::Warehouse;

/// The records of a decision.
pub struct Asking<'a> {
    /// The table that has to have them.
    pub table: &'a str,
    /// Their transaction ids.
    pub ids: &'a [String],
    /// Which of the records with such an id.
    pub which: Which,
    /// The record that amends it.
    pub replaced_by: Option<&'a str>,
    /// Who decides, and why.
    pub author: Author,
}

/// What was decided.
#[derive(Debug, Default)]
pub struct Decided {
    /// The ids for which the same was decided before.
    pub again: BTreeSet<String>,
    /// How many decisions were written.
    pub made: usize,
}

/// One decision for each record for which the same was not decided before; all ids are looked up first.
///
/// # Errors
/// An id that no record has, or several: then nothing is decided.
pub async fn decide(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    as_of: i64,
    asking: Asking<'_>,
    make: impl Fn(Identity) -> Decision,
) -> Result<Decided> {
    let Asking { table, ids, which, replaced_by, author } = asking;
    catalog::open(project, warehouse, context, as_of).await?;
    let identity::Asked { identities, mut again } = identity::identities(context, table, ids, &which).await?;
    if let Some(id) = replaced_by {
        identity::check_replacement(context, id, &identities).await?;
    }
    let mut decisions: Vec<Decision> = identities.into_iter().map(make).collect();
    again.extend(identity::take_out_made(context, &mut decisions).await?);
    if !decisions.is_empty() {
        decision::record(project, warehouse, context, &decisions, &author).await?;
    }
    Ok(Decided { again, made: decisions.len() })
}
