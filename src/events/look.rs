//! Looking at what no run brings about: the clock, and what became of jobs.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use object_store::path::Path;

use super::{Happened, are_wanted, of_clock, since, write};
use crate::catalog;
use crate::engine::plan::plan;
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::ledger::{self, Entry, TableEntry};
use crate::project::{EVENT, Project};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

/// How an instant is looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// The instant, in microseconds since the epoch.
    pub now: i64,
    /// Who looks.
    pub by: String,
    /// The conditions that somebody else knows, by their kind: all that hold, with the columns of an event query.
    pub known: BTreeMap<String, RecordBatch>,
}

/// Asks which conditions hold now that the clock or somebody else brings about, and publishes the events of that; how
/// many they are. Before the first run there is nothing to tell.
///
/// # Errors
/// Somebody else has published meanwhile: it can be looked again at once.
pub async fn look(project: &Project, warehouse: &Warehouse, look: &Look) -> Result<usize> {
    let Some(schema) = project.schemas.get(EVENT).filter(|_| are_wanted(project)) else { return Ok(0) };
    if ledger::recover(warehouse, project).await?.is_none() {
        return Ok(0);
    }
    let context = session(&project.settings, Some(warehouse))?;
    let Some(head) = catalog::open(project, warehouse, &context, look.now).await? else { return Ok(0) };
    let mut happened: Vec<Happened> = Vec::new();
    for query in of_clock(project) {
        let holding = plan(&context, query, look.now).await?;
        happened.extend(since(&context, &query.name, holding).await?);
    }
    for (kind, holding) in &look.known {
        let holding = context.read_batch(holding.clone()).during(|| format!("reading event `{kind}`"))?;
        happened.extend(since(&context, kind, holding).await?);
    }
    if happened.is_empty() {
        return Ok(0);
    }
    let run = head.run + 1;
    let before = head.tables.get(EVENT).map(|table| table.files.clone()).unwrap_or_default();
    let stem = format!("events-{run:06}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let files = write(&context, warehouse, schema, stem, &before, &happened, (run, look.now)).await?;
    // Everything else is as it was: the same inputs, tables, rules and closings.
    let mut tables = head.tables.clone();
    tables.insert(EVENT.into(), TableEntry { changed_in: run, files, ..TableEntry::default() });
    let mut entry = Entry { run, by: look.by.clone(), tables, ..head.clone() };
    if let Err(error) = ledger::publish(warehouse, project, Some(&head), &mut entry).await {
        // What cannot be deleted either is left to `vacuum`.
        let _ = delete_unless_published(warehouse, &entry, &before).await;
        return Err(error);
    }
    Ok(happened.len())
}

/// Deletes what was written behind these files for an entry, where another one was published under its number. Only
/// the ledger knows: the entry may stand there though following it up failed.
async fn delete_unless_published(warehouse: &Warehouse, entry: &Entry, before: &[DataFile]) -> Result<()> {
    if ledger::entry_bytes(warehouse, entry.run).await?.is_none() {
        return Ok(());
    }
    let first = ledger::entry(warehouse, entry.run).await?;
    let stands: BTreeSet<&str> = paths(first.tables.get(EVENT).map_or(&[], |table| &table.files));
    let old = paths(before);
    let written = paths(&entry.tables[EVENT].files).into_iter().filter(|path| !old.contains(path));
    let lost =
        written.filter(|path| !stands.contains(path)).map(|path| Path::from(format!("{EVENT}/{path}")));
    warehouse.delete(lost.collect()).await
}

fn paths(files: &[DataFile]) -> BTreeSet<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}
