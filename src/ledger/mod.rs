//! The ledger: one numbered object for each published run, and the Delta logs that follow it.
//!
//! A run is published by one conditional create of `ledger/<n>.json`, which says which files each table has. That is
//! the only atomic moment: before it readers see the run before, after it the new one. Then the changes are replayed
//! into the Delta logs, each once under the run's number, so that a replay cut short is finished by whoever comes next.

pub mod closing;
pub mod vacuum;
pub mod written;

use std::collections::BTreeMap;

use futures::StreamExt;
use serde::{Deserialize, Serialize};

use self::closing::{Closing, Rules};
use self::written::{Written, whole_before};
use crate::error::{Error, Result, While};
use crate::project::Project;
use crate::store::digest::{Digest, sha256};
use crate::store::warehouse::{Warehouse, numbered};
use crate::table::file::DataFile;

const FOLDER: &str = "ledger";
const REPLAYED: &str = "ledger_replayed";
/// The name under which runs commit to Delta logs.
const APPLICATION: &str = "meterhouse-run";
/// Delta logs that are written at a time.
const COMMITS: usize = 8;
/// Entries that are read at a time.
const READ: usize = 8;

/// The form of the entries that this program writes, and the only one that it reads.
pub const FORM: u32 = 3;

/// One published run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The version of this document's form, [`FORM`].
    pub schema_version: u32,
    /// The run's number, from 1.
    pub run: u64,
    /// The as-of the run was given, RFC 3339.
    pub as_of: String,
    /// Who ran it.
    pub by: String,
    /// How long it took to make and check, to the millisecond [s].
    pub took_seconds: f64,
    /// SHA-256 of the texts of its queries, and their name in the warehouse.
    pub project: String,
    /// The billing period it was limited to.
    pub period: Option<String>,
    /// The versions of the landed tables' Delta logs it read.
    pub inputs: BTreeMap<String, u64>,
    /// What files it read of each landed table, as [`files_hash`] has them.
    pub landed: BTreeMap<String, String>,
    /// The newest landing that it has seen; 0: none.
    #[serde(default)]
    pub last_landing: i64,
    /// Every table as it is since this run.
    #[serde(skip)]
    pub tables: BTreeMap<String, TableEntry>,
    /// Why it was run though a guard refused; none: no guard did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The customers a check holds back, with the check's name.
    pub parked: Vec<(String, String)>,
    /// The periods that are closed, in the order of their closing.
    #[serde(skip)]
    pub closings: Vec<Closing>,
    /// By what closed periods are rated that a person let rate again; the others, by the rules of their closing.
    pub rules: BTreeMap<String, Rules>,
    /// For which changed usage each closed period was rated again, as `period_change` has it.
    pub rerated: BTreeMap<String, String>,
    /// Of what each query of `queries/event/` was asked last, as `refresh::fingerprint` has it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, String>,
    /// SHA-256 of the entry before; empty for the first.
    pub previous: String,
}

impl Entry {
    /// Whether a billing period is closed.
    pub fn is_closed(&self, period: &str) -> bool {
        self.closings.iter().any(|closing| closing.billing_period == period)
    }
}

/// The as-ofs for which a table that reads the as-of has the same rows, while what else it reads is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// That of the run that made it, RFC 3339.
    pub from: String,
    /// The first one for which rows may be other, RFC 3339; none: they stay for ever.
    pub until: Option<String>,
}

impl AsOf {
    /// Whether its rows are those of another as-of, in microseconds since the epoch.
    pub fn holds(&self, as_of: i64) -> bool {
        let instant = |text: &String| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond);
        instant(&self.from).is_ok_and(|from| from <= as_of)
            && self.until.as_ref().is_none_or(|until| instant(until).is_ok_and(|until| as_of < until))
    }
}

/// One table as a run left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// The run that last changed it.
    pub changed_in: u64,
    /// A hash of all that it was made from: query, views, contract, and the tables it read.
    pub fingerprint: String,
    /// All its files.
    pub files: Vec<DataFile>,
    /// What rating closed periods again made of it, by period: later cycles carry on from there, not from what was
    /// closed. Nobody else reads it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<String, Vec<DataFile>>,
    /// How long it stays as it is while the as-of moves on, where it reads that and this is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_as_of: Option<AsOf>,
}

impl TableEntry {
    /// Its number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The files that the next run carries on from: those of closed periods as they were last rated again.
    pub fn carried(&self) -> Vec<DataFile> {
        let is_again =
            |file: &&DataFile| file.partition.values().any(|period| self.again.contains_key(period));
        let closed = self.files.iter().filter(|file| !is_again(file));
        let mut files: Vec<DataFile> = closed.chain(self.again.values().flatten()).cloned().collect();
        files.sort();
        files
    }

    /// Rows and their hash: equal for equal content, whatever the files.
    pub fn content(&self) -> String {
        content(&self.carried())
    }
}

/// Rows and their hash.
pub fn content(files: &[DataFile]) -> String {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let sum = files
        .iter()
        .fold(0_u128, |sum, file| sum.wrapping_add(u128::from_str_radix(&file.hash, 16).unwrap_or_default()));
    format!("{rows} {sum:032x}")
}

/// SHA-256 of the paths, sizes, row hashes and checksums of files.
pub fn files_hash(files: &[DataFile]) -> String {
    let mut hash = Digest::default();
    for file in files {
        hash.update(format!("{} {} {} {}\n", file.path, file.size, file.hash, file.checksum));
    }
    hash.finish()
}

/// The number of the newest published run, or `None` before the first.
pub async fn newest(warehouse: &Warehouse) -> Result<Option<u64>> {
    warehouse.newest(FOLDER).await
}

/// The newest published run, or `None` before the first.
pub async fn head(warehouse: &Warehouse) -> Result<Option<Entry>> {
    match newest(warehouse).await? {
        Some(run) => Ok(Some(entry(warehouse, run).await?)),
        None => Ok(None),
    }
}

/// What a run published; an error if there was none of that number.
pub async fn entry(warehouse: &Warehouse, run: u64) -> Result<Entry> {
    let read = futures::stream::iter(whole_before(run)..=run)
        .map(|run| async move { Ok((run, entry_bytes(warehouse, run).await?)) })
        .buffered(READ);
    let read: Vec<Result<(u64, Option<Vec<u8>>)>> = read.collect().await;
    let mut entry = None;
    for read in read {
        let (number, bytes) = read?;
        let Some(bytes) = bytes else {
            let hint = "restore it from a backup of the warehouse";
            return Err(Error::data(format!("ledger: the entry of run {number} is gone"), hint));
        };
        entry = Some(Written::parse(number, &bytes)?.after(entry));
    }
    entry.ok_or_else(|| Error::data(format!("there was no run {run}"), "meterhouse status"))
}

/// The bytes of a run's entry; none if there was no such run.
pub async fn entry_bytes(warehouse: &Warehouse, run: u64) -> Result<Option<Vec<u8>>> {
    warehouse.read(&numbered(FOLDER, run, ".json")).await
}

/// The newest run that the Delta logs have followed; none before the first.
pub async fn replayed(warehouse: &Warehouse) -> Result<Option<u64>> {
    warehouse.newest(REPLAYED).await
}

/// Publishes a run that follows another, or says who came first.
pub async fn publish(
    warehouse: &Warehouse,
    project: &Project,
    before: Option<&Entry>,
    entry: &mut Entry,
) -> Result<()> {
    let path = numbered(FOLDER, entry.run, ".json");
    entry.previous = match entry_bytes(warehouse, entry.run - 1).await? {
        Some(bytes) => sha256(&bytes),
        None => String::new(),
    };
    let written = Written::of(entry, before);
    let bytes = serde_json::to_vec_pretty(&written).during(|| "writing the ledger".into())?;
    let found = warehouse.settle(&path, bytes.clone()).await?;
    if found != bytes {
        let first = Written::parse(entry.run, &found).ok();
        let by = first.map(|first| first.entry.by).filter(|by| !by.is_empty());
        let by = by.map_or_else(|| "somebody else".into(), |by| format!("`{by}`"));
        let what = format!("nothing was published: {by} was first, and published run {}", entry.run);
        return Err(Error::Busy { what });
    }
    replay(warehouse, project, entry).await.map_err(|error| match error {
        Error::Machine { what, source } => {
            let run = entry.run;
            let what =
                format!("run {run} is published, and the next command goes on with its Delta logs: {what}");
            Error::Machine { what, source }
        }
        other => other,
    })
}

/// Finishes what a killed run left: replays the newest run into the Delta logs if that was cut short.
pub async fn recover(warehouse: &Warehouse, project: &Project) -> Result<Option<Entry>> {
    let Some(entry) = head(warehouse).await? else { return Ok(None) };
    replay(warehouse, project, &entry).await?;
    Ok(Some(entry))
}

async fn replay(warehouse: &Warehouse, project: &Project, entry: &Entry) -> Result<()> {
    let mark = numbered(REPLAYED, entry.run, "");
    if warehouse.read(&mark).await?.is_some() {
        return Ok(());
    }
    let before = match entry.run {
        1 => BTreeMap::new(),
        run => self::entry(warehouse, run - 1).await?.tables,
    };
    // Each table has a log of its own, and a store far away takes its time for each.
    let mut commits = Vec::new();
    for (table, now) in entry.tables.iter().filter(|(_, table)| table.changed_in == entry.run) {
        // A table that left the project since has no contract to write by; its files stay as they are.
        let Some(schema) = project.schemas.get(table) else { continue };
        let old = before.get(table).map(|table| table.files.as_slice()).unwrap_or_default();
        let added: Vec<_> = now.files.iter().filter(|file| !old.contains(file)).cloned().collect();
        let removed: Vec<_> = old.iter().filter(|file| !now.files.contains(file)).cloned().collect();
        let (warehouse, schema, run) = (warehouse.clone(), schema.clone(), entry.run);
        commits.push(async move { warehouse.commit(&schema, APPLICATION, run, &added, &removed).await });
    }
    let mut commits = futures::stream::iter(commits).map(tokio::spawn).buffer_unordered(COMMITS);
    let (mut waiting, mut failed) = (0, None);
    while let Some(committed) = commits.next().await {
        let committed = committed.during(|| "following the ledger".into()).flatten();
        if let Err(error) = committed {
            waiting += 1;
            failed = failed.or(Some(error));
        }
    }
    let what = match (failed, waiting) {
        (Some(Error::Busy { what }), _) => return Err(Error::Busy { what }),
        (Some(error), 1) => (error, "the Delta log of 1 table waits".to_string()),
        (Some(error), _) => (error, format!("the Delta logs of {waiting} tables wait")),
        (None, _) => match warehouse.settle(&mark, b"done".to_vec()).await {
            Ok(_) => return Ok(()),
            Err(error) => (error, "the mark that its Delta logs are written waits".into()),
        },
    };
    let (error, waits) = what;
    let what = format!("run {} is published; {waits}", entry.run);
    Err(Error::Unfinished { what, source: error.into() })
}
