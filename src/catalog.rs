//! What whoever reads now sees: the tables of the newest published run, and the landed ones as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::ToDFSchema;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::future::{try_join, try_join_all};

use crate::engine::plan::plan;
use crate::error::{Error, Result, While};
use crate::land::{acknowledged, acknowledged_files};
use crate::ledger::{self, Entry};
use crate::project::schema::TableSchema;
use crate::project::{JOURNAL, LANDED, LEFT_USAGE, Project, Query, USAGE_RECORD};
use crate::store::warehouse::Warehouse;
use crate::table::checksum;
use crate::table::file::DataFile;
use crate::table::scan::{FileTable, with_fields};

/// The version of each landed table, and its files.
pub type Pinned = BTreeMap<String, (u64, Vec<DataFile>)>;

/// How often what has landed is looked at until it is of one moment.
const LOOKS: usize = 8;

/// A session with every table of a published run, and the landed ones as they are now; each file that it reads is
/// compared with what was written.
pub async fn open(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    as_of: i64,
) -> Result<Option<Entry>> {
    let (head, files) = readable(project, warehouse).await?;
    register_all(project, context, files, as_of, None).await?;
    Ok(head)
}

/// A session with every table and view of the same project, and the files of its tables.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// The session.
    pub context: &'a SessionContext,
    /// The files, by table.
    pub files: &'a BTreeMap<String, Vec<DataFile>>,
}

/// Makes every table readable by its files, and every view; each file that is read is compared with what was written.
/// What is as it was when another session was opened is taken from there: planning views is most of the work.
pub async fn register_all(
    project: &Project,
    context: &SessionContext,
    mut files: BTreeMap<String, Vec<DataFile>>,
    as_of: i64,
    before: Option<Opened<'_>>,
) -> Result<()> {
    checksum::demand(context);
    let mut changed = BTreeSet::new();
    for schema in project.schemas.values() {
        let (name, files) = (schema.name.as_str(), files.remove(&schema.name).unwrap_or_default());
        match before.filter(|before| before.files.get(name) == Some(&files)) {
            Some(before) => take(context, before.context, name).await?,
            None => {
                register(context, schema, files)?;
                changed.insert(name);
            }
        }
    }
    for query in project.order.iter().filter(|name| !project.schemas.contains_key(*name)) {
        let query = &project.queries[query];
        let is_same = || {
            let tables = project.tables_behind(query);
            !project.reads_as_of(query) && tables.iter().all(|table| !changed.contains(table.as_str()))
        };
        match before.filter(|_| is_same()) {
            Some(before) => take(context, before.context, &query.name).await?,
            None => register_view(context, query, as_of).await?,
        }
    }
    Ok(())
}

/// Makes readable what another session has under a name.
async fn take(context: &SessionContext, from: &SessionContext, name: &str) -> Result<()> {
    let opening = || format!("opening {name}");
    let table = from.table_provider(name).await.during(opening)?;
    context.register_table(name, table).during(opening)?;
    Ok(())
}

/// The newest published run, and the files of every table as whoever reads now has to see them.
pub async fn readable(
    project: &Project,
    warehouse: &Warehouse,
) -> Result<(Option<Entry>, BTreeMap<String, Vec<DataFile>>)> {
    let head = ledger::head(warehouse).await?;
    let landed = async {
        match &head {
            Some(head) => pin_all(warehouse, head).await,
            None => pin(warehouse).await,
        }
    };
    let (mut landed, journal) = try_join(landed, journal(warehouse)).await?;
    landed.extend(journal);
    let of_table = |schema: &TableSchema| match landed.get(&schema.name) {
        Some((_, files)) => files.clone(),
        None => {
            let table = head.as_ref().and_then(|head| head.tables.get(&schema.name));
            table.map(|table| table.files.clone()).unwrap_or_default()
        }
    };
    let files = project.schemas.values().map(|schema| (schema.name.clone(), of_table(schema))).collect();
    Ok((head, files))
}

/// What services wrote of what they did: each commit counts by itself.
pub async fn journal(warehouse: &Warehouse) -> Result<Pinned> {
    let tables = JOURNAL.map(|table| async move { Ok((table.into(), warehouse.delta_files(table).await?)) });
    Ok(try_join_all(tables).await?.into_iter().collect())
}

/// The rows of a table that services write.
pub async fn journal_rows(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    table: &str,
) -> Result<DataFrame> {
    checksum::demand(context);
    register(context, &project.schemas[table], warehouse.delta_files(table).await?.1)?;
    context.table(table).await.during(|| format!("opening {table}"))
}

/// The landed tables' files that belong to acknowledged landings. `landing` is read first: a landing commits it last,
/// so that whatever it names is there in the others.
pub async fn pin(warehouse: &Warehouse) -> Result<Pinned> {
    pin_at(warehouse, None).await
}

/// The same as a run had pinned them; without its versions, as they are now.
pub async fn pin_at(warehouse: &Warehouse, versions: Option<&BTreeMap<String, u64>>) -> Result<Pinned> {
    // What was merged in between is there the next time; what is torn for good is not.
    for _ in 0..LOOKS {
        if let Some(pinned) = pin_once(warehouse, versions).await? {
            return Ok(pinned);
        }
    }
    let what = "a part of what had landed is gone: the Delta log of `landing` does not name all landings whose rows are in \
                merged files";
    Err(Error::data(what, "bring it back from a copy of the warehouse"))
}

/// None where files were merged that had not landed yet when `landing` was read.
async fn pin_once(warehouse: &Warehouse, versions: Option<&BTreeMap<String, u64>>) -> Result<Option<Pinned>> {
    let (version, landing) = files_at(warehouse, versions, "landing").await?;
    let landings = acknowledged(&landing);
    let mut pinned = BTreeMap::from([("landing".to_string(), (version, landing))]);
    let others = LANDED.into_iter().filter(|table| *table != "landing");
    let others = others.map(|table| async move {
        let found = files_at(warehouse, versions, table).await?;
        Result::Ok((table, found))
    });
    for (table, (version, files)) in try_join_all(others).await? {
        let Some(files) = acknowledged_files(files, &landings) else { return Ok(None) };
        pinned.insert(table.to_string(), (version, files));
    }
    Ok(Some(pinned))
}

/// The same as [`pin`], where all is there still that a published run read.
///
/// # Errors
/// A Delta log that is shorter than it was, or names other files for what the run read: a bill without them would
/// balance all the same.
pub async fn pin_all(warehouse: &Warehouse, head: &Entry) -> Result<Pinned> {
    Ok(pin_since(warehouse, head).await?.0)
}

/// The same, and what the run had read, where that is another.
pub async fn pin_since(warehouse: &Warehouse, head: &Entry) -> Result<(Pinned, Option<Pinned>)> {
    let pinned = pin(warehouse).await?;
    let mut gone = gone(head, &pinned);
    if gone.is_empty() {
        let then = pinned_then(warehouse, head, &pinned).await?;
        gone = renamed(head, then.as_ref().unwrap_or(&pinned));
        if gone.is_empty() {
            return Ok((pinned, then));
        }
    }
    let what = format!("a part of what had landed is gone:\n  {}", gone.join("\n  "));
    Err(Error::data(what, "bring it back from a copy of the warehouse"))
}

/// What a published run had read; none where that is what there is.
async fn pinned_then(warehouse: &Warehouse, head: &Entry, pinned: &Pinned) -> Result<Option<Pinned>> {
    let is_then =
        pinned.iter().all(|(table, (version, _))| head.inputs.get(table).copied() == Some(*version));
    match is_then {
        true => Ok(None),
        false => pin_at(warehouse, Some(&head.inputs)).await.map(Some),
    }
}

/// The landed tables whose Delta logs name other files for what a published run read, given what they name for its
/// versions.
pub fn renamed(head: &Entry, then: &Pinned) -> Vec<String> {
    let is_other = |(table, (_, files)): &(&String, &(u64, Vec<DataFile>))| {
        head.landed.get(*table).is_some_and(|known| *known != ledger::files_hash(files))
    };
    let run = head.run;
    let text = |(table, _)| format!("{table}: its Delta log does not name the files that run {run} read");
    then.iter().filter(is_other).map(text).collect()
}

/// The landed tables that are not what a published run read, but older.
pub fn gone(head: &Entry, pinned: &Pinned) -> Vec<String> {
    let mut gone = Vec::new();
    for (table, before) in &head.inputs {
        let now = pinned.get(table).map_or(0, |(version, _)| *version);
        if now < *before {
            let run = head.run;
            gone.push(format!(
                "{table}: its Delta log has {now} of the {before} commits that run {run} read"
            ));
        }
    }
    gone
}

async fn files_at(
    warehouse: &Warehouse,
    versions: Option<&BTreeMap<String, u64>>,
    table: &str,
) -> Result<(u64, Vec<DataFile>)> {
    let Some(versions) = versions else { return warehouse.delta_files(table).await };
    // A table that came later had nothing then.
    let version = versions.get(table).copied().unwrap_or(0);
    Ok((version, warehouse.delta_files_at(table, version).await?))
}

/// Makes a table's files readable under its name.
///
/// One without files is known to be empty when a query is planned, so that what is joined to it is not planned or read:
/// a charge model that nobody uses takes no time.
pub fn register(context: &SessionContext, schema: &TableSchema, files: Vec<DataFile>) -> Result<()> {
    register_written(context, schema, files, None)
}

/// The same with the rows of the files, where they are known.
pub fn register_written(
    context: &SessionContext,
    schema: &TableSchema,
    files: Vec<DataFile>,
    rows: Option<Vec<RecordBatch>>,
) -> Result<()> {
    let opening = || format!("opening {}", schema.name);
    let table: Arc<dyn TableProvider> = if files.is_empty() {
        let columns = schema.arrow().to_dfschema_ref().during(opening)?;
        let empty = EmptyRelation { produce_one_row: false, schema: columns };
        Arc::new(ViewTable::new(LogicalPlan::EmptyRelation(empty), None))
    } else {
        match rows {
            Some(rows) => Arc::new(FileTable::of_rows(schema, files, &rows).during(opening)?),
            None => Arc::new(FileTable::new(schema, files)),
        }
    };
    register_provider(context, schema, table)
}

/// Makes what has a table's rows readable under its name.
pub fn register_provider(
    context: &SessionContext,
    schema: &TableSchema,
    table: Arc<dyn TableProvider>,
) -> Result<()> {
    let opening = || format!("opening {}", schema.name);
    context.deregister_table(schema.name.as_str()).during(opening)?;
    let table = match schema.name.as_str() {
        name @ (USAGE_RECORD | LEFT_USAGE) => with_fields(name, table).during(opening)?,
        _ => table,
    };
    context.register_table(schema.name.as_str(), table).during(opening)?;
    Ok(())
}

/// Makes a query readable under its name; what it reads has to be registered already.
pub async fn register_view(context: &SessionContext, query: &Query, as_of: i64) -> Result<()> {
    let frame = plan(context, query, as_of).await?;
    let view = ViewTable::new(frame.logical_plan().clone(), None);
    let opening = || format!("opening {}", query.name);
    context.deregister_table(query.name.as_str()).during(opening)?;
    context.register_table(query.name.as_str(), Arc::new(view)).during(opening)?;
    Ok(())
}
