//! Landing: files into `usage_record`, what cannot be read into `usage_rejected`.
//!
//! A landing is numbered once for its content, by create-only objects, and every file it writes is named by that
//! number. So landing the same content again, after a kill or by mistake, writes the same paths and counts once. Its
//! last commit, to `landing`, is the acknowledgement: a run reads no file of a landing that is not in there.

mod columnar;
mod delimited;
mod format;
mod json;
mod mapping;
mod reader;
mod record;
mod reference;
mod registry;
mod source;
mod text;
mod totals;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;

pub use format::Format;
pub use mapping::{FILE_TABLE, file_columns, file_schema, landing_plan};
pub use reference::{places_of, read_reference};
pub use registry::{acknowledged, acknowledged_files};
pub use source::Source;

use crate::cycle::TimeZone;
use crate::data_file::TableWriter;
use crate::decision::{self, Author, Decision};
use crate::digest::sha256;
use crate::error::{Error, Result, While, nearest};
use crate::project::{Project, Query, USAGE_RECORD};
use crate::schema::{ColumnDefault, TableSchema};
use crate::warehouse::{Change, DataFile, Warehouse};
use mapping::map;
use record::{LandedChunk, LandingColumn, LandingDefault, RecordShape, Rejected};
use registry::reserve;
use source::Readable;
use totals::Totals;

/// Records of one landing are numbered from `landing id x this`.
pub const SEQUENCES: i64 = 1_000_000_000;
/// Records read, checked and written at a time.
const CHUNK_ROWS: usize = 65_536;
/// Files of an inbox that are landed side by side, if they are this small together, in bytes.
const TOGETHER: usize = 16;
const TOGETHER_BYTES: u64 = 16 << 20;
/// The table that says which landings are acknowledged.
const LANDING: &str = "landing";
/// The tables that a landing commits to, in this order: the last is its acknowledgement.
const COMMITTED: [&str; 3] = ["usage_rejected", USAGE_RECORD, LANDING];

/// What became of one file.
#[derive(Debug, Clone)]
pub struct Landed {
    /// The file as it was named.
    pub file: String,
    /// The number of its landing.
    pub landing_id: i64,
    /// How many records it holds.
    pub received: u64,
    /// How many of them could not be read.
    pub rejected: u64,
    /// Whether the same content had landed before.
    pub before: bool,
    /// What is wrong with the file as a whole, and with each of its records for that.
    pub warnings: Vec<String>,
}

/// The shape of records by the contract of a table; landing's own columns are filled by it.
pub fn record_shape(schema: &TableSchema) -> Result<RecordShape> {
    let columns = schema.columns.iter().map(|column| LandingColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        required: column.required,
        default: column.default.clone().map(|default| match default {
            ColumnDefault::Text(text) => LandingDefault::Text(text),
            ColumnDefault::Column(other) => LandingDefault::Column(other),
        }),
    });
    RecordShape::new(columns.collect())
}

/// A batch that is landed and not yet counted.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// Who holds it, and why.
    pub author: Author,
}

/// A landing whose files are written; no run counts it before it is acknowledged.
struct Written {
    landed: Landed,
    /// Names its files, and its commits.
    stem: String,
    /// Its files of each of the tables that are committed.
    files: [Vec<DataFile>; 3],
}

impl Written {
    /// Nothing, where the same content had landed before.
    fn before(file: &Readable, landing_id: i64) -> Self {
        let landed = Landed {
            file: file.name.clone(),
            landing_id,
            received: 0,
            rejected: 0,
            before: true,
            warnings: Vec::new(),
        };
        Self { landed, stem: stem(landing_id), files: Default::default() }
    }
}

/// The name of a landing.
fn stem(landing_id: i64) -> String {
    format!("landing-{landing_id}")
}

/// Lands one file; `with` maps a foreign shape, and with `hold` no run counts it before it is released.
pub async fn land(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    file: &Source,
    with: Option<&Query>,
    hold: Option<&Hold>,
) -> Result<Landed> {
    let file = file.fetch().await?;
    let landing_id = reserve(warehouse, &file.content).await?;
    if landings(warehouse).await?.contains(&stem(landing_id)) {
        return Ok(Written::before(&file, landing_id).landed);
    }
    if let Some(Hold { name, author }) = hold {
        // Before its first commit, so that no run sees it without.
        let held = Decision::Hold { name: name.clone(), landing_id };
        decision::record(project, warehouse, context, &[held], author).await?;
    }
    let written = write(project, warehouse, context, &file, with, landing_id).await?;
    acknowledge(project, warehouse, std::slice::from_ref(&written)).await?;
    Ok(written.landed)
}

/// The names of the landings that are acknowledged.
async fn landings(warehouse: &Warehouse) -> Result<BTreeSet<String>> {
    Ok(acknowledged(&warehouse.delta_files(LANDING).await?.1))
}

/// Reads a file and writes what is in it, under the number it was given.
async fn write(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    file: &Readable,
    with: Option<&Query>,
    landing_id: i64,
) -> Result<Written> {
    let (name, stem) = (file.name.clone(), stem(landing_id));
    let record = &project.schemas[USAGE_RECORD];
    // A landing query names the file's columns itself.
    let warnings = if with.is_none() { missing_columns(file, &record_shape(record)?)? } else { Vec::new() };
    let mut records = TableWriter::new(context, warehouse, record, stem.clone())?;
    let mut rejected =
        TableWriter::new(context, warehouse, &project.schemas["usage_rejected"], stem.clone())?;
    let mut totals = Totals::default();
    let mut chunks = chunks(project, context, file, with, landing_id * SEQUENCES).await?;
    let mut received = 0_u64;
    let mut rejections = 0_u64;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        let first = landing_id * SEQUENCES + received as i64;
        received += chunk.received;
        rejections += chunk.rejected.len() as u64;
        if received >= SEQUENCES as u64 {
            let what = format!("{name} has more than {SEQUENCES} records");
            return Err(Error::data(what, "split the file"));
        }
        let rejected_sequences = sequences_between(&chunk, first)?;
        totals.add_records(&chunk.records)?;
        totals.add_rejected(&chunk.rejected, &rejected_sequences)?;
        records.write(&chunk.records).await?;
        rejected.write(&rejected_batch(&chunk.rejected, rejected_sequences, &name)?).await?;
    }
    let rejected = rejected.finish().await?.files;
    let records = records.finish().await?.files;
    let written: u64 = records.iter().chain(&rejected).map(|file| file.rows).sum();
    if written != received {
        let what = format!("{name}: {received} records were received and {written} written");
        return Err(Error::data(what, "nothing of this file is acknowledged; please report this"));
    }
    let landing = &project.schemas[LANDING];
    let mut counted = TableWriter::new(context, warehouse, landing, stem.clone())?;
    counted.write(&totals.batch(landing, landing_id, &name, &file.content)?).await?;
    let counted = counted.finish().await?.files;
    let landed = Landed { file: name, landing_id, received, rejected: rejections, before: false, warnings };
    Ok(Written { landed, stem, files: [rejected, records, counted] })
}

/// Commits what landings wrote, table after table.
async fn acknowledge(project: &Project, warehouse: &Warehouse, written: &[Written]) -> Result<()> {
    for (number, table) in COMMITTED.iter().enumerate() {
        let has_files = written.iter().filter(|landing| !landing.files[number].is_empty());
        let changes = has_files.map(|landing| {
            let (application, added) = (landing.stem.as_str(), landing.files[number].as_slice());
            Change { application, version: 1, added, removed: &[] }
        });
        let changes: Vec<Change<'_>> = changes.collect();
        if !changes.is_empty() {
            warehouse.commit_all(&project.schemas[*table], &changes).await?;
        }
    }
    Ok(())
}

/// The required columns that a file has no field for: said once, because each of its records is rejected for it.
fn missing_columns(file: &Readable, shape: &RecordShape) -> Result<Vec<String>> {
    let fields = reader::field_names(file.input())?;
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let unused = || fields.iter().map(String::as_str).filter(|field| shape.column_of(field).is_none());
    let warning = |column: &str| {
        let meant = match nearest(column, unused()) {
            Some(field) => format!("; is `{field}` meant?"),
            None => String::new(),
        };
        let fields = fields.join(", ");
        format!("no column for `{column}`, so each record is rejected (its columns are {fields}{meant})")
    };
    Ok(shape.missing(&fields).into_iter().map(warning).collect())
}

/// Lands the new files of every inbox; a file is looked at again only when its size or time changed.
pub async fn land_inboxes(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let mut seen = None;
    for inbox in project.settings.inbox.values() {
        let with = inbox.with.as_ref().and_then(|with| project.landing.get(with));
        let files = Source::of_inbox(&project.root, &inbox.files).await?;
        if files.is_empty() {
            continue;
        }
        if seen.is_none() {
            seen = Some(warehouse.list("registry/seen").await?);
        }
        let is_seen = |mark: &String| seen.as_ref().is_some_and(|seen| seen.contains(mark));
        let new = files.into_iter().map(|file| (sha256(&file.version), file));
        let mut new: VecDeque<(String, Source)> = new.filter(|(mark, _)| !is_seen(mark)).collect();
        while !new.is_empty() {
            let together = together(&mut new);
            land_together(project, warehouse, context, &together, with, notice).await?;
        }
    }
    Ok(())
}

/// Takes the next files that are landed side by side: small ones, or one that is not.
fn together(files: &mut VecDeque<(String, Source)>) -> Vec<(String, Source)> {
    let mut bytes = 0;
    let mut together = Vec::new();
    while let Some((_, file)) = files.front() {
        bytes += file.size;
        if !together.is_empty() && (bytes > TOGETHER_BYTES || together.len() == TOGETHER) {
            break;
        }
        together.extend(files.pop_front());
    }
    together
}

/// Lands files that are numbered in their order, and acknowledges them at once; where one fails, those before it are
/// landed all the same.
async fn land_together(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    files: &[(String, Source)],
    with: Option<&Query>,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let mut known = landings(warehouse).await?;
    let mut failed = None;
    let mut writing: Vec<BoxFuture<'_, Result<Written>>> = Vec::new();
    for (_, file) in files {
        let numbered = async {
            let file = file.fetch().await?;
            let landing_id = reserve(warehouse, &file.content).await?;
            Ok((file, landing_id))
        };
        match numbered.await {
            Ok((file, landing_id)) if known.insert(stem(landing_id)) => writing.push(
                async move { write(project, warehouse, context, &file, with, landing_id).await }.boxed(),
            ),
            Ok((file, landing_id)) => {
                writing.push(async move { Ok(Written::before(&file, landing_id)) }.boxed())
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let mut landed = Vec::new();
    let mut outcomes = futures::stream::iter(writing).buffered(TOGETHER);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(written) => landed.push(written),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    acknowledge(project, warehouse, &landed).await?;
    for ((mark, _), Written { landed, .. }) in files.iter().zip(&landed) {
        warehouse.create(&Path::from(format!("registry/seen/{mark}")), Vec::new()).await?;
        notice(landed);
    }
    failed.map_or(Ok(()), Err)
}

/// Reads and checks a file on a thread of its own, a few chunks ahead of who writes them.
async fn chunks(
    project: &Project,
    context: &SessionContext,
    file: &Readable,
    with: Option<&Query>,
    base: i64,
) -> Result<tokio::sync::mpsc::Receiver<Result<LandedChunk>>> {
    let zone = project_zone(project)?;
    let shape = record_shape(&project.schemas[USAGE_RECORD])?;
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let input = file.input();
    match with {
        None => {
            let read = reader::read(input, None, &shape, &zone, base, CHUNK_ROWS)?;
            tokio::task::spawn_blocking(move || {
                for chunk in read {
                    let failed = chunk.is_err();
                    if sender.blocking_send(chunk).is_err() || failed {
                        break;
                    }
                }
            });
        }
        Some(query) => {
            let columns: Vec<String> = file_columns(query);
            let read = reader::read_raw(input, None, &columns, CHUNK_ROWS)?;
            let (context, query) = (context.clone(), query.clone());
            tokio::spawn(async move {
                let mut base = base;
                for raw in read {
                    let chunk = match raw {
                        Ok(raw) => map(&context, &query, raw, &shape, &zone, &mut base).await,
                        Err(error) => Err(error),
                    };
                    let failed = chunk.is_err();
                    if sender.send(chunk).await.is_err() || failed {
                        break;
                    }
                }
            });
        }
    }
    Ok(receiver)
}

/// The zone of times without an offset.
pub fn project_zone(project: &Project) -> Result<TimeZone> {
    TimeZone::get(&project.settings.time_zone).map_err(|error| Error::usage(error.to_string(), ""))
}

/// The landing sequences that a chunk's records leave out: those of its rejected records, in order.
fn sequences_between(chunk: &LandedChunk, first: i64) -> Result<Vec<i64>> {
    let column = chunk.records.column_by_name("landing_sequence").ok_or_else(|| {
        Error::data("`usage_record` has no column `landing_sequence`", "take it from the sample")
    })?;
    let mut taken = column.as_primitive::<Int64Type>().values().iter().copied().peekable();
    let mut free = Vec::with_capacity(chunk.rejected.len());
    for sequence in first..first + chunk.received as i64 {
        if taken.peek() == Some(&sequence) {
            taken.next();
        } else {
            free.push(sequence);
        }
    }
    if free.len() != chunk.rejected.len() || taken.next().is_some() {
        return Err(Error::data("a landing numbered its records wrongly", "please report this"));
    }
    Ok(free)
}

fn rejected_batch(rejected: &[Rejected], sequences: Vec<i64>, file: &str) -> Result<RecordBatch> {
    let text = |values: Vec<Option<&str>>| -> Arc<dyn Array> { Arc::new(StringArray::from(values)) };
    let lines = rejected.iter().map(|row| row.line as i64).collect::<Vec<_>>();
    RecordBatch::try_from_iter_with_nullable([
        ("landing_sequence", Arc::new(Int64Array::from(sequences)) as Arc<dyn Array>, false),
        ("file_name", text(vec![Some(file); rejected.len()]), false),
        ("line_number", Arc::new(Int64Array::from(lines)), false),
        ("usage_type", text(rejected.iter().map(|row| row.usage_type.as_deref()).collect()), true),
        ("transaction_id", text(rejected.iter().map(|row| row.transaction_id.as_deref()).collect()), true),
        ("reject_reason", text(rejected.iter().map(|row| Some(row.reason.as_str())).collect()), false),
        ("raw_text", text(rejected.iter().map(|row| Some(row.raw.as_str())).collect()), false),
    ])
    .during(|| "writing rejections".into())
}
