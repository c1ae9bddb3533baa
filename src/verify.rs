//! `meterhouse verify`: whether anything that was published or closed is another than it was.
//!
//! The ledger is a chain: each entry has the hash of the one before. So is closing. Each file that the newest entry
//! names is read, and its size and the hash of its rows compared with what was written.

use datafusion::prelude::SessionContext;

use crate::books::kept_texts;
use crate::data_file::row_hash;
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::publish::{self, Entry};
use crate::warehouse::Warehouse;

/// What was found right.
#[derive(Debug, Default)]
pub struct Verified {
    /// Entries of the ledger.
    pub runs: u64,
    /// Closed periods.
    pub closings: usize,
    /// Files of tables.
    pub files: usize,
}

/// Compares everything with what was published; all that differs is told at once.
pub async fn verify(project: &Project, warehouse: &Warehouse, context: &SessionContext) -> Result<Verified> {
    let Some(head) = publish::head(warehouse).await? else { return Ok(Verified::default()) };
    let mut wrong = Vec::new();
    verify_ledger(warehouse, &head, &mut wrong).await?;
    verify_closings(warehouse, &head, &mut wrong).await?;
    let mut files = 0;
    for (name, table) in &head.tables {
        // A table that left the project has no contract to read it by.
        let Some(schema) = project.schemas.get(name) else { continue };
        for file in &table.files {
            files += 1;
            match row_hash(context, warehouse, schema, file).await {
                Ok(hash) if hash == file.hash => {}
                Ok(_) => {
                    wrong.push(format!("{name}/{}: its rows are not those that were written", file.path))
                }
                Err(error) => wrong.push(format!("{name}/{}: {error}", file.path)),
            }
        }
    }
    if wrong.is_empty() {
        return Ok(Verified { runs: head.run, closings: head.closings.len(), files });
    }
    let hint = "restore these objects from a backup of the warehouse";
    Err(Error::data(format!("what was published has been changed:\n  {}", wrong.join("\n  ")), hint))
}

async fn verify_ledger(warehouse: &Warehouse, head: &Entry, wrong: &mut Vec<String>) -> Result<()> {
    let mut before = String::new();
    for run in 1..=head.run {
        let Some(bytes) = publish::entry_bytes(warehouse, run).await? else {
            wrong.push(format!("ledger: the entry of run {run} is gone"));
            continue;
        };
        match serde_json::from_slice::<Entry>(&bytes) {
            Ok(entry) if entry.previous != before => {
                wrong.push(format!("ledger: the entry of run {} is not what run {run} followed", run - 1));
            }
            Ok(_) => {}
            Err(error) => wrong.push(format!("ledger: the entry of run {run} cannot be read: {error}")),
        }
        before = sha256(&bytes);
    }
    Ok(())
}

async fn verify_closings(warehouse: &Warehouse, head: &Entry, wrong: &mut Vec<String>) -> Result<()> {
    let mut before = "";
    for closing in &head.closings {
        let period = &closing.billing_period;
        if closing.previous != before || closing.computed_hash()? != closing.hash {
            wrong.push(format!("closing {}: {period} is not as it was closed", closing.number));
        }
        before = &closing.hash;
        if let Err(error) = kept_texts(warehouse, &closing.project).await {
            wrong.push(format!("closing of {period}: {error}"));
        }
        for (table, files) in &closing.files {
            let now = head.tables.get(table).map(|table| table.files.as_slice()).unwrap_or_default();
            for file in files.iter().filter(|file| !now.contains(file)) {
                wrong.push(format!("closing of {period}: {table}/{} is no longer in the books", file.path));
            }
        }
    }
    Ok(())
}
