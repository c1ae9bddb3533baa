//! Landing: files into `usage_record`, what cannot be read into `usage_rejected`.
//!
//! A landing is numbered once for its content, by create-only objects, and every file it writes is named by that
//! number. So landing the same content again, after a kill or by mistake, writes the same paths and counts once. Its
//! last commit, to `landing`, is the acknowledgement: a run reads no file of a landing that is not in there.

mod checks;
mod columnar;
pub mod decision;
mod delimited;
mod foreign;
mod format;
pub mod gathered;
mod gzip;
pub mod identity;
mod inbox;
mod json;
mod landed;
mod mapping;
mod reader;
pub mod receipt;
mod record;
mod reference;
mod registry;
pub mod sent;
mod source;
mod text;
mod times;
mod totals;
mod turn;

use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;

pub use format::Format;
pub use inbox::{Awaited, awaited, inbox_mistakes, inboxes_nowhere, land_inboxes};
pub use landed::{Before, Landed};
pub use mapping::{Outputs, file_schema, landing_plan, outputs};
pub use reference::{ReferenceRows, places_of, read_reference, reference_rows};
pub use registry::{acknowledged, acknowledged_files};
pub use source::Source;

use meterhouse_sql::cycle::TimeZone;
use meterhouse_sql::functions::SEQUENCES;
use meterhouse_sql::name::nearest;

use self::decision::{Author, Decision};
use crate::error::{Error, Result, While};
use crate::project::schema::{ColumnDefault, TableSchema};
use crate::project::{Project, Query, USAGE_RECORD};
use crate::store::warehouse::Warehouse;
use crate::table::file::{By, Change, DataFile};
use crate::table::landings::Landings;
use crate::table::write::TableWriter;
use checks::Checks;
use landed::Reasons;
use mapping::Mapping;
use record::{LandedChunk, LandingColumn, LandingDefault, RecordShape, RecordWriter, Rejected};
use registry::Attempt;
use source::Readable;
use totals::Totals;
use turn::{Turn, turn};

/// Records read, checked and written at a time: few enough to stay in the cache of a processor on their way, and more
/// than those of a small table, also where some are rejected.
const CHUNK_ROWS: usize = 16_384;
/// The table that says which landings are acknowledged.
const LANDING: &str = "landing";
/// The tables that a landing commits to, in this order: the last is its acknowledgement.
pub const COMMITTED: [&str; 3] = ["usage_rejected", USAGE_RECORD, LANDING];

/// What hands chunks of records on, a few ahead of who writes them.
type Chunks = tokio::sync::mpsc::Sender<Result<LandedChunk>>;

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
    /// Its files of each of the tables that are committed.
    files: [Vec<DataFile>; 3],
}

impl Written {
    /// Nothing, where the same content had landed before.
    fn before(file: &Readable, landing_id: i64, before: Before) -> Self {
        let landed = Landed { before: Some(before), ..Landed::of(&file.name, landing_id) };
        Self { landed, files: Default::default() }
    }

    /// Whether there is anything to acknowledge: a file without records is not a landing.
    fn has_records(&self) -> bool {
        self.landed.received > 0
    }
}

/// How files are landed.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// The query that maps a foreign shape.
    pub with: Option<&'a Query>,
    /// No run counts them before they are released.
    pub hold: Option<&'a Hold>,
    /// Whether what has landed lands anew.
    pub again: bool,
    /// Who discards the landing before.
    pub author: Option<&'a Author>,
}

/// Lands one file.
pub async fn land(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    file: &Source,
    how: How<'_>,
) -> Result<Landed> {
    let file = file.fetch().await?;
    let Attempt { landing_id, replaces, .. } =
        match turn(project, warehouse, &file, how, &landings(warehouse).await?).await? {
            Turn::Now(attempt) => attempt,
            Turn::Not(landing_id, before) => return Ok(Written::before(&file, landing_id, before).landed),
        };
    if let Some(Hold { name, author }) = how.hold {
        // Before its first commit, so that no run sees it without.
        let held = Decision::Hold { name: name.clone(), landing_id };
        decision::record(project, warehouse, context, &[held], author).await?;
    }
    let mut written = write(project, warehouse, context, &file, how.with, landing_id).await?;
    if !written.has_records() {
        return Ok(written.landed);
    }
    if let (Some(replaced), Some(author)) = (replaces, how.author) {
        let by = DataFile::stem_of(landing_id);
        decision::discard_for(project, warehouse, context, replaced, &by, author).await?;
        written.landed.replaced = Some(replaced);
    }
    acknowledge(project, warehouse, &[&written]).await?;
    Ok(written.landed)
}

/// The landings that are acknowledged.
async fn landings(warehouse: &Warehouse) -> Result<Landings> {
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
    let (name, stem) = (file.name.clone(), DataFile::stem_of(landing_id));
    let record = &project.schemas[USAGE_RECORD];
    let shape = record_shape(record)?.with_times(&project.settings.source);
    let checks = Checks::new(context, record, &shape)?;
    let shape = if checks.is_empty() { shape } else { shape.keeping_text() };
    // A landing query names the file's columns itself.
    let mut warnings = if with.is_none() { missing_columns(file, &shape)? } else { Vec::new() };
    let mut records = TableWriter::new(context, warehouse, record, stem.clone())?;
    let mut rejected =
        TableWriter::new(context, warehouse, &project.schemas["usage_rejected"], stem.clone())?;
    let mut totals = Totals::default();
    let mut chunks = chunks(project, context, file, with, shape, landing_id * SEQUENCES)?;
    let mut received = 0_u64;
    let mut rejections = 0_u64;
    let mut ambiguous = 0_u64;
    let mut reasons = Reasons::default();
    while let Some(chunk) = chunks.recv().await {
        let mut chunk = chunk?;
        if !checks.is_empty() {
            chunk = checks.reject(chunk)?;
        }
        received += chunk.received;
        rejections += chunk.rejected.len() as u64;
        ambiguous += chunk.ambiguous;
        if received >= SEQUENCES as u64 {
            let what = format!("{name} has more than {SEQUENCES} records");
            return Err(Error::data(what, "split the file"));
        }
        reasons.add(&chunk.rejected);
        totals.add_records(&chunk.records)?;
        totals.add_rejected(&chunk.rejected)?;
        records.write(&chunk.records).await?;
        rejected.write(&rejected_batch(&chunk.rejected, &name)?).await?;
    }
    let rejected = rejected.finish().await?.files;
    let records = records.finish().await?.files;
    let written: u64 = records.iter().chain(&rejected).map(|file| file.rows).sum();
    if written != received {
        let what = format!("{name}: {received} records were received and {written} written");
        return Err(Error::data(what, "nothing of this file is acknowledged; please report this"));
    }
    let landing = &project.schemas[LANDING];
    let mut counted = TableWriter::new(context, warehouse, landing, stem)?;
    if received > 0 {
        counted.write(&totals.batch(landing, landing_id, &name, &file.content)?).await?;
    }
    let counted = counted.finish().await?.files;
    if ambiguous > 0 {
        warnings.push(format!(
            "{ambiguous} at a local time that the clocks show twice, taken as the earlier one where this file has no \
             other with the same id; an offset such as +02:00 says which is meant"
        ));
    }
    let landed =
        Landed { received, rejected: rejections, warnings, reasons, ..Landed::of(&name, landing_id) };
    Ok(Written { landed, files: [rejected, records, counted] })
}

/// Commits what landings wrote, table after table.
async fn acknowledge(project: &Project, warehouse: &Warehouse, written: &[&Written]) -> Result<()> {
    for (number, table) in COMMITTED.iter().enumerate() {
        let has_files = written.iter().filter(|landing| !landing.files[number].is_empty());
        let changes = has_files.map(|landing| {
            let (by, added) = (By::Landing(landing.landed.landing_id), landing.files[number].as_slice());
            Change { by, added, removed: &[] }
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
    let fields = reader::field_names(file.input())?.unwrap_or_default();
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

/// Reads and checks a file on a thread of its own, a few chunks ahead of who writes them.
fn chunks(
    project: &Project,
    context: &SessionContext,
    file: &Readable,
    with: Option<&Query>,
    shape: RecordShape,
    base: i64,
) -> Result<tokio::sync::mpsc::Receiver<Result<LandedChunk>>> {
    let zone = project_zone(project)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    match with {
        None => {
            let read = reader::read(file.input(), None, &shape, &zone, base, CHUNK_ROWS)?;
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
            let writer = RecordWriter::new(&shape, &zone, base)?;
            let mapping = Mapping::new(context, query, file, writer, &shape);
            let input = file.again();
            tokio::spawn(async move {
                if let Err(error) = mapping.feed(&input, &sender).await {
                    // Whoever does not listen any more has an error of its own.
                    let _ = sender.send(Err(error)).await;
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

fn rejected_batch(rejected: &[Rejected], file: &str) -> Result<RecordBatch> {
    let text = |values: Vec<Option<&str>>| -> Arc<dyn Array> { Arc::new(StringArray::from(values)) };
    let sequences = rejected.iter().map(|row| row.sequence).collect::<Vec<_>>();
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
