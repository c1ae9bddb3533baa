//! Removing files of tables that nobody needs any more.
//!
//! A run writes the tables anew that have changed, and the files of the run before stay, for readers and for repeating
//! it. Here those go that no run of the last days and no closed period names. Usage, reference data and the books are
//! never touched, nor is what was written in these days, since a run that is not published yet may have written it. Of
//! usage, and of what services write, only files go whose rows are in merged ones, once whoever read them is done.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Entry, entry, head};
use crate::error::{Result, While};
use crate::project::{BOOKS, EVENT, JOURNAL, LANDED, Project};
use crate::store::warehouse::{Warehouse, numbered};
use crate::table::file::DataFile;
use crate::table::landings::Landings;

/// The register of what was removed when.
const REGISTER: &str = "registry/vacuum";
/// Files that are deleted at a time.
const AT_ONCE: usize = 16;
const DAY: i64 = 86_400_000_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The clock, in microseconds since the epoch.
    pub now: i64,
    /// What runs of so many days name stays.
    pub keep_days: u32,
    /// Who wants it.
    pub by: String,
    /// Whether it is only told.
    pub is_dry: bool,
}

/// What a vacuum left of one table, and took of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfTable {
    /// Files that stay, and their bytes.
    pub kept: (u64, u64),
    /// Files that went, and their bytes.
    pub removed: (u64, u64),
}

/// What was removed when: whoever cannot repeat a run finds the reason here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vacuumed {
    /// The clock then, in microseconds since the epoch.
    pub at: i64,
    /// Who wanted it.
    pub by: String,
    /// The runs that name what stays; the newest is the last.
    pub kept_runs: BTreeSet<u64>,
    /// Those of them that closed periods are rated by.
    pub closed_by: BTreeSet<u64>,
    /// How many files were removed.
    pub files: u64,
    /// And their bytes.
    pub bytes: u64,
}

/// Removes what nobody needs; nothing if nothing was published. `landed` is what has landed, found to be whole.
///
/// # Errors
/// The store fails; what was removed before that is gone, and another try goes on.
pub async fn vacuum(
    project: &Project,
    warehouse: &Warehouse,
    request: &Request,
    landed: &BTreeMap<String, (u64, Vec<DataFile>)>,
) -> Result<Option<(Vacuumed, BTreeMap<String, OfTable>)>> {
    let Some(newest) = head(warehouse).await? else { return Ok(None) };
    let since = request.now - i64::from(request.keep_days) * DAY;
    let closed_by = newest.closings.iter().map(|closing| closing.rules(&newest.rules).run).collect();
    let kept = kept_runs(warehouse, newest, since, &closed_by).await?;
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (table, entry) in kept.values().flat_map(|entry| &entry.tables) {
        let files = entry.files.iter().chain(entry.again.values().flatten());
        named.entry(table).or_default().extend(files.map(|file| file.path.as_str()));
    }
    let mut tables = BTreeMap::new();
    let mut gone = Vec::new();
    for table in project.schemas.keys().filter(|table| is_whole_in_runs(project, table)) {
        let named = named.get(table.as_str());
        let of_table: &mut OfTable = tables.entry(table.clone()).or_default();
        for file in found(warehouse, table).await? {
            let is_named = named.is_some_and(|named| named.contains(file.path.as_str()));
            of_table.take(file, |file| is_named || file.written >= since, &mut gone);
        }
    }
    let landed = landed.iter().map(|(table, (_, files))| (table.as_str(), Some(files)));
    for (table, files) in landed.chain(JOURNAL.map(|table| (table, None))) {
        let of_table: &mut OfTable = tables.entry(table.into()).or_default();
        let merged = files.into_iter().flatten().filter(|file| !file.landings.is_empty());
        let merged: Landings = merged.flat_map(|file| file.landings.ranges()).copied().collect();
        let (may_go, stay): (Vec<Found>, Vec<Found>) = found(warehouse, table)
            .await?
            .into_iter()
            .partition(|file| file.written < since && (files.is_none() || is_merged(&file.path, &merged)));
        stay.into_iter().for_each(|file| of_table.take(file, |_| true, &mut gone));
        if may_go.is_empty() {
            continue;
        }
        let needed = needed(warehouse, table, since, &kept).await?;
        for file in may_go {
            of_table.take(file, |file| needed.contains(&file.path), &mut gone);
        }
    }
    let vacuumed = Vacuumed {
        at: request.now,
        by: request.by.clone(),
        kept_runs: kept.keys().copied().collect(),
        closed_by,
        files: gone.len() as u64,
        bytes: tables.values().map(|of_table| of_table.removed.1).sum(),
    };
    if !request.is_dry && !gone.is_empty() {
        // Told before it is done, so that nobody finds files gone without a reason.
        let noted = serde_json::to_vec_pretty(&vacuumed).during(|| "noting what is removed".into())?;
        warehouse.append(REGISTER, ".json", noted).await?;
        futures::stream::iter(gone)
            .map(|path| async move {
                match warehouse.store().delete(&path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error).during(|| format!("removing {path}")),
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
    }
    Ok(Some((vacuumed, tables)))
}

/// A data file that is there, whoever names it.
struct Found {
    /// Its path below the table.
    path: String,
    object: Path,
    bytes: u64,
    /// In microseconds since the epoch.
    written: i64,
}

async fn found(warehouse: &Warehouse, table: &str) -> Result<Vec<Found>> {
    let mut files = Vec::new();
    let mut objects = warehouse.store().list(Some(&Path::from(table)));
    while let Some(object) = objects.try_next().await.during(|| format!("listing the files of {table}"))? {
        let Some(path) = object.location.as_ref().strip_prefix(&format!("{table}/")) else { continue };
        if path.ends_with(".parquet") && !path.starts_with("_delta_log/") {
            files.push(Found {
                path: path.into(),
                bytes: object.size,
                written: object.last_modified.timestamp_micros(),
                object: object.location,
            });
        }
    }
    Ok(files)
}

impl OfTable {
    /// Counts a file, and notes it where it goes.
    fn take(&mut self, file: Found, is_kept: impl Fn(&Found) -> bool, gone: &mut Vec<Path>) {
        let is_kept = is_kept(&file);
        let (files, bytes) = if is_kept { &mut self.kept } else { &mut self.removed };
        *files += 1;
        *bytes += file.bytes;
        if !is_kept {
            gone.push(file.object);
        }
    }
}

/// Whether a file of a landed table has rows that are in a merged file, or is one that was merged itself.
fn is_merged(path: &str, merged: &Landings) -> bool {
    let file = DataFile { path: path.into(), ..DataFile::default() };
    let landings = file.of_landings();
    file.is_merged() || (!landings.is_empty() && merged.has_all(&landings))
}

/// The files of a landed table that it has, that it had at some time since, or that one of the kept runs read.
async fn needed(
    warehouse: &Warehouse,
    table: &str,
    since: i64,
    kept: &BTreeMap<u64, Entry>,
) -> Result<BTreeSet<String>> {
    let (newest, files) = warehouse.delta_files(table).await?;
    let mut needed: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
    let read = kept.values().filter_map(|entry| entry.inputs.get(table).copied());
    let mut versions: BTreeSet<u64> = read.collect();
    versions.insert(warehouse.delta_version_at(table, newest, since).await?);
    for version in versions.into_iter().filter(|version| *version < newest) {
        let files = warehouse.delta_files_at(table, version).await?;
        needed.extend(files.into_iter().map(|file| file.path));
    }
    Ok(needed)
}

/// Whether all of a table is in the files that a run names: one that is made by a query and nothing but, or that of
/// events, whose small files are merged as runs go on.
fn is_whole_in_runs(project: &Project, table: &str) -> bool {
    table == EVENT
        || project.queries.contains_key(table) && !LANDED.contains(&table) && !BOOKS.contains(&table)
}

/// The runs whose files stay: the newest, those that were published since, and those that closed periods are rated by.
async fn kept_runs(
    warehouse: &Warehouse,
    newest: Entry,
    since: i64,
    closed_by: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Entry>> {
    let mut kept = BTreeMap::new();
    let mut run = newest.run;
    kept.insert(run, newest);
    while run > 1 {
        // A run was the newest until the next one was published.
        let next = numbered(super::FOLDER, run, ".json");
        let published = warehouse.store().head(&next).await.during(|| format!("looking for {next}"))?;
        if published.last_modified.timestamp_micros() < since {
            break;
        }
        run -= 1;
        kept.insert(run, entry(warehouse, run).await?);
    }
    for run in closed_by {
        if !kept.contains_key(run) {
            kept.insert(*run, entry(warehouse, *run).await?);
        }
    }
    Ok(kept)
}

/// The newest vacuum; none if there was none.
pub async fn last(warehouse: &Warehouse) -> Result<Option<Vacuumed>> {
    match warehouse.newest(REGISTER).await? {
        Some(number) => read(warehouse, number).await,
        None => Ok(None),
    }
}

async fn read(warehouse: &Warehouse, number: u64) -> Result<Option<Vacuumed>> {
    let path = numbered(REGISTER, number, ".json");
    let Some(bytes) = warehouse.read(&path).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).during(|| format!("reading {path}"))
}

/// The vacuum after which a run cannot be repeated any more; none if nothing of it was removed.
pub async fn that_removed(warehouse: &Warehouse, run: u64) -> Result<Option<Vacuumed>> {
    let Some(newest) = warehouse.newest(REGISTER).await? else { return Ok(None) };
    for number in (1..=newest).rev() {
        let Some(vacuumed) = read(warehouse, number).await? else { continue };
        let was_there = vacuumed.kept_runs.last().is_some_and(|last| run <= *last);
        if was_there && !vacuumed.kept_runs.contains(&run) {
            return Ok(Some(vacuumed));
        }
    }
    Ok(None)
}

/// Runs as they are told: `run 4 and runs 7 to 12`.
pub fn told(runs: &BTreeSet<u64>) -> String {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for &run in runs {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == run => *last = run,
            _ => parts.push((run, run)),
        }
    }
    let part = |(first, last): &(u64, u64)| match first == last {
        true => format!("run {first}"),
        false => format!("runs {first} to {last}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(" and ")
}
