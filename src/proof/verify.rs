//! `meterhouse verify`: whether anything that was published or closed has changed since.
//!
//! The ledger is a chain: each entry has the hash of the one before. So is closing. Each file that the newest entry
//! names or has read is read again, and its bytes compared with what was written. What closing counted, so that no run
//! has to count it again, is counted again here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use futures::StreamExt;
use object_store::path::Path;

use crate::catalog::{self, gone, pin, pin_at, renamed};
use crate::encode::{self, Format, answer};
use crate::engine::plan::{execution_error, plan};
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::closing::kept_texts;
use crate::ledger::written::Written;
use crate::ledger::{self, Entry};
use crate::project::Project;
use crate::store::digest::sha256;
use crate::store::warehouse::Warehouse;
use crate::table::checksum::compare;
use crate::table::file::DataFile;

/// Files that are compared at a time.
const COMPARED: usize = 8;
/// So many wrong rows are shown.
const SHOWN: usize = 5;

/// What was found right.
#[derive(Debug, Default)]
pub struct Verified {
    /// Entries of the ledger.
    pub runs: u64,
    /// SHA-256 of the newest entry; empty where there is none.
    pub head: String,
    /// Closed periods.
    pub closings: usize,
    /// Files of tables.
    pub files: usize,
}

impl Verified {
    /// Writes the number and the hash of the newest entry; no row where there is none.
    pub fn write_head(&self, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
        let working = || "writing the ledger's head".to_string();
        let head = RecordBatch::try_from_iter([
            ("run", Arc::new(UInt64Array::from(vec![self.runs])) as ArrayRef),
            ("sha256", Arc::new(StringArray::from(vec![self.head.as_str()])) as ArrayRef),
        ])
        .during(working)?;
        answer::write(out, &head.slice(0, usize::from(!self.head.is_empty())), format)
    }
}

/// Compares everything with what was published; all differences are reported at once.
///
/// `known` is the hash of an entry that was kept elsewhere: the ledger must still have it. Without one, a ledger that
/// was rewritten as a whole would not be noticed.
pub async fn verify(project: &Project, warehouse: &Warehouse, known: Option<&str>) -> Result<Verified> {
    let newest = ledger::newest(warehouse).await?;
    let mut wrong = Vec::new();
    let mut hashes = verify_ledger(warehouse, newest.unwrap_or(0), &mut wrong).await?;
    if let Some(known) = known.filter(|known| !hashes.iter().any(|hash| hash == known)) {
        wrong.push(format!("ledger: no entry has the SHA-256 {known}"));
    }
    let head = match ledger::head(warehouse).await {
        // What the newest run published cannot be said without these.
        Err(_) if !wrong.is_empty() => return Err(changed(&wrong)),
        head => head?,
    };
    let Some(head) = head else {
        return if wrong.is_empty() { Ok(Verified::default()) } else { Err(changed(&wrong)) };
    };
    verify_closings(warehouse, &head, &mut wrong).await?;
    verify_delta(project, warehouse, &head, &mut wrong).await?;
    let mut files = landed_files(warehouse, &head, &mut wrong).await?;
    files.extend(files_of(&head));
    // A late record of a closed period is rated by the contracts and prices of its closing.
    let pinned: BTreeSet<u64> = head.closings.iter().map(|closing| closing.rules(&head.rules).run).collect();
    for run in pinned {
        // One that cannot be read was told with the ledger.
        if let Ok(entry) = ledger::entry(warehouse, run).await {
            files.extend(files_of(&entry));
        }
    }
    let count = files.len();
    let compared = futures::stream::iter(files).map(|(table, file)| async move {
        let path = Path::from(format!("{table}/{}", file.path));
        match compare(warehouse.store(), &path, &file).await {
            Ok(Ok(())) => None,
            Ok(Err(unlike)) => Some(unlike.to_string()),
            Err(error) => Some(format!("{path}: {error}")),
        }
    });
    let compared: Vec<Option<String>> = compared.buffered(COMPARED).collect().await;
    wrong.extend(compared.into_iter().flatten());
    if wrong.is_empty() {
        verify_kept(project, warehouse, &mut wrong).await?;
    }
    if wrong.is_empty() {
        return Ok(Verified {
            runs: head.run,
            head: hashes.pop().unwrap_or_default(),
            closings: head.closings.len(),
            files: count,
        });
    }
    Err(changed(&wrong))
}

/// Whether what closing counted once and for all is what the books come to, as the project's queries compare them.
async fn verify_kept(project: &Project, warehouse: &Warehouse, wrong: &mut Vec<String>) -> Result<()> {
    let context = session(&project.settings, Some(warehouse))?;
    catalog::open(project, warehouse, &context, 0).await?;
    for query in project.verify.values() {
        let frame = plan(&context, query, 0).await?.limit(0, Some(SHOWN)).during(|| query.name.clone())?;
        let rows = frame.collect().await.map_err(|error| execution_error(&error, &query.name))?;
        if rows.iter().any(|batch| batch.num_rows() > 0) {
            let rows = encode::framed(&rows)?;
            wrong.push(format!("{} is not what it was made from:\n{rows}", query.name));
        }
    }
    Ok(())
}

fn files_of(entry: &Entry) -> impl Iterator<Item = (String, DataFile)> {
    entry.tables.iter().flat_map(|(name, table)| {
        let files = table.files.iter().chain(table.again.values().flatten());
        files.map(|file| (name.clone(), file.clone()))
    })
}

/// Whether the Delta logs, which other engines read, name the files of the newest run.
async fn verify_delta(
    project: &Project,
    warehouse: &Warehouse,
    head: &Entry,
    wrong: &mut Vec<String>,
) -> Result<()> {
    let mut found = Vec::new();
    match ledger::replayed(warehouse).await? {
        Some(run) if run > head.run => {
            found.push(format!("ledger: the Delta logs follow run {run}, whose entry is gone"));
        }
        Some(run) if run == head.run => {
            for (name, table) in head.tables.iter().filter(|(name, _)| project.schemas.contains_key(*name)) {
                match warehouse.delta_files(name).await {
                    Ok((_, named)) if are_those(&named, &table.files) => {}
                    Ok(_) => found.push(format!(
                        "{name}: its Delta log does not name the files that run {run} published"
                    )),
                    Err(error) => found.push(error.to_string()),
                }
            }
        }
        // The next command goes on with the replay.
        _ => {}
    }
    // A run that was published meanwhile has gone on with the logs.
    if ledger::head(warehouse).await?.is_some_and(|now| now.run == head.run) {
        wrong.extend(found);
    }
    Ok(())
}

/// Whether a Delta log names these files.
fn are_those(named: &[DataFile], files: &[DataFile]) -> bool {
    let is_that = |(named, file): (&DataFile, &DataFile)| {
        named.path == file.path
            && named.size == file.size
            && named.hash == file.hash
            && named.checksum == file.checksum
    };
    named.len() == files.len() && named.iter().zip(files).all(is_that)
}

/// The files of landed tables, those that the newest run read and those that came after it.
async fn landed_files(
    warehouse: &Warehouse,
    head: &Entry,
    wrong: &mut Vec<String>,
) -> Result<BTreeSet<(String, DataFile)>> {
    let now = pin(warehouse).await?;
    let gone = gone(head, &now);
    let then = if gone.is_empty() { pin_at(warehouse, Some(&head.inputs)).await? } else { BTreeMap::new() };
    wrong.extend(gone);
    wrong.extend(renamed(head, &then));
    let all = then
        .into_iter()
        .chain(now)
        .flat_map(|(table, (_, files))| files.into_iter().map(move |file| (table.clone(), file)));
    Ok(all.collect())
}

fn changed(wrong: &[String]) -> Error {
    let hint = "restore these objects from a backup of the warehouse";
    Error::data(format!("what was published has been changed:\n  {}", wrong.join("\n  ")), hint)
}

/// Compares each entry of the ledger with the hash that the next one has; the hashes, oldest first.
async fn verify_ledger(warehouse: &Warehouse, newest: u64, wrong: &mut Vec<String>) -> Result<Vec<String>> {
    let mut hashes: Vec<String> = Vec::new();
    let mut projects = BTreeSet::new();
    for run in 1..=newest {
        let Some(bytes) = ledger::entry_bytes(warehouse, run).await? else {
            wrong.push(format!("ledger: the entry of run {run} is gone"));
            continue;
        };
        match Written::parse(run, &bytes) {
            Ok(Written { entry, .. }) => {
                if entry.previous != hashes.last().map_or("", String::as_str) {
                    wrong
                        .push(format!("ledger: the entry of run {} is not what run {run} followed", run - 1));
                }
                projects.insert(entry.project);
            }
            Err(error) => wrong.push(format!("ledger: {error}")),
        }
        hashes.push(sha256(&bytes));
    }
    for project in projects {
        if let Err(error) = kept_texts(warehouse, &project).await {
            wrong.push(format!("the queries of a run: {error}"));
        }
    }
    Ok(hashes)
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
