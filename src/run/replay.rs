//! Repeating a published run: from the inputs it had pinned, by the queries it was published with, somewhere else.
//!
//! Every table is a function of the same inputs, so each has to have the same rows again, also those that were up to
//! date in that run and not made. What is not made again is taken as that run published it: reference tables, the
//! books, and the periods that were closed or out of its scope. Nothing is written to the warehouse.

use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use meterhouse_sql::cycle::{TimeZone, parse_instant};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::event::{Event, Hear};
use super::tables::{divide_work, rows_of};
use crate::catalog::{pin_at, register, register_view};
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::closing::kept_project;
use crate::ledger::vacuum::{that_removed, told};
use crate::ledger::{self, Entry, TableEntry, content};
use crate::project::{BOOKS, Project};
use crate::refresh::{Making, Scope, is_limited};
use crate::store::warehouse::Warehouse;
use crate::table::checksum;
use crate::table::file::DataFile;

/// Files that are asked for at a time.
const ASKED: usize = 16;
/// Files that are gone, or tables that differ, that a message names.
const NAMED: usize = 20;

/// Repeats a run and compares the rows of every table with what it published; returns how many tables there are.
///
/// # Errors
/// There was no such run; its inputs or queries are gone, or do not plan any more; a table has other rows.
pub async fn replay(project: &Project, warehouse: &Warehouse, number: u64, hear: Hear<'_>) -> Result<usize> {
    let entry = published(warehouse, number).await?;
    let pinned = queries_of(warehouse, &entry).await?;
    let stem = format!("replay-{}", uuid::Uuid::new_v4().simple());
    let scratch = warehouse.with_scratch(&stem)?;
    let context = session(&project.settings, Some(&scratch))?;
    checksum::demand(&context);
    let batch_rows = project.settings.engine.batch_rows;
    let again = Again {
        pinned: &pinned,
        warehouse: &scratch,
        context: &context,
        entry: &entry,
        stem: &stem,
        batch_rows,
    };
    again.take_inputs().await?;
    again.make(hear).await.map_err(|error| not_as_it_was(number, error))
}

async fn published(warehouse: &Warehouse, number: u64) -> Result<Entry> {
    let last = ledger::newest(warehouse).await?.unwrap_or(0);
    if (1..=last).contains(&number) {
        return ledger::entry(warehouse, number).await;
    }
    let hint = match last {
        0 => "nothing was published yet: meterhouse run".into(),
        last => format!("the last one is {last}: meterhouse status"),
    };
    Err(Error::usage(format!("there is no run {number}"), hint))
}

/// The project as it was when the run was published.
async fn queries_of(warehouse: &Warehouse, entry: &Entry) -> Result<Project> {
    kept_project(warehouse, &entry.project).await.map_err(|error| not_as_it_was(entry.run, error))
}

/// Says of queries that do not plan that they once did.
fn not_as_it_was(number: u64, error: Error) -> Error {
    let Error::Project(mistakes) = error else { return error };
    let first = mistakes.first().map(|mistake| format!("{}: {}", mistake.place, mistake.what));
    let what = format!(
        "run {number} cannot be repeated: a query of it can no longer be planned: {}",
        first.unwrap_or_default(),
    );
    Error::data(what, "use the program that published it")
}

/// A run that is made again.
struct Again<'a> {
    pinned: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    entry: &'a Entry,
    stem: &'a str,
    /// How many rows are worked on at a time, now.
    batch_rows: usize,
}

impl Again<'_> {
    /// Registers what the run read, after looking whether it is all there still.
    async fn take_inputs(&self) -> Result<()> {
        let number = self.entry.run;
        let landed = pin_at(self.warehouse, Some(&self.entry.inputs)).await.map_err(|error| {
            let what = format!("run {number} cannot be repeated: {error}");
            Error::data(what, "restore the Delta log from a backup of the warehouse")
        })?;
        let mut inputs: Vec<(String, Vec<DataFile>)> =
            landed.into_iter().map(|(table, (_, files))| (table, files)).collect();
        let references = self.pinned.reference().map(|schema| schema.name.as_str());
        let as_published = references.chain(BOOKS).map(|name| (name.to_string(), self.published(name).files));
        inputs.extend(as_published);
        let mut needed: Vec<(&str, DataFile)> = Vec::new();
        for (table, files) in &inputs {
            needed.extend(files.iter().map(|file| (table.as_str(), file.clone())));
        }
        for name in self.pinned.order.iter().filter(|name| self.pinned.schemas.contains_key(*name)) {
            let carried = out_of(&self.scope(name), &self.published(name));
            needed.extend(carried.into_iter().map(|file| (name.as_str(), file)));
        }
        self.are_there(needed).await?;
        let rows = inputs.iter().map(|(_, files)| rows_of(files));
        let rows = rows.chain(self.entry.tables.values().map(TableEntry::rows));
        divide_work(self.context, self.batch_rows, rows);
        for (table, files) in inputs {
            if let Some(schema) = self.pinned.schemas.get(&table) {
                register(self.context, schema, files)?;
            }
        }
        Ok(())
    }

    async fn are_there(&self, needed: Vec<(&str, DataFile)>) -> Result<()> {
        let mut asked: Vec<BoxFuture<'_, Result<Option<String>>>> = Vec::new();
        for (table, file) in needed {
            let path = Path::from(format!("{table}/{}", file.path));
            let ask = async move {
                match self.warehouse.store().head(&path).await {
                    Ok(found) if found.size == file.size => Ok(None),
                    Ok(_) => Ok(Some(format!("{path} is another file now"))),
                    Err(object_store::Error::NotFound { .. }) => Ok(Some(format!("{path} is gone"))),
                    Err(error) => Err(error).during(|| format!("looking for {path}")),
                }
            };
            asked.push(ask.boxed());
        }
        let found: Vec<Option<String>> = futures::stream::iter(asked).buffered(ASKED).try_collect().await?;
        let gone: Vec<String> = found.into_iter().flatten().collect();
        if gone.is_empty() {
            return Ok(());
        }
        if let Some(vacuumed) = that_removed(self.warehouse, self.entry.run).await? {
            let what =
                format!("run {} cannot be repeated: vacuum removed what it read or made", self.entry.run);
            let runs = told(&vacuumed.kept_runs);
            return Err(Error::usage(
                what,
                format!("vacuum kept what {runs} read and made, for `{}`", vacuumed.by),
            ));
        }
        let what = format!(
            "run {} cannot be repeated: {} of the files it read are not as they were\n  {}",
            self.entry.run,
            gone.len(),
            first_of(&gone)
        );
        Err(Error::data(what, "restore them from a backup of the warehouse"))
    }

    /// Makes every table, and compares each with what the run published.
    async fn make(&self, hear: Hear<'_>) -> Result<usize> {
        let as_of = parse_instant(&self.entry.as_of, &TimeZone::utc())
            .during(|| format!("reading the as-of of run {}", self.entry.run))?;
        let (mut tables, mut unlike) = (0, Vec::new());
        for name in &self.pinned.order {
            let Some(made) = self.make_one(name, as_of).await? else { continue };
            tables += 1;
            register(self.context, &self.pinned.schemas[name], self.compare(name, made, hear, &mut unlike))?;
        }
        if unlike.is_empty() {
            return Ok(tables);
        }
        let what = format!(
            "run {} repeated: {} of {tables} tables have other rows than it published\n  {}",
            self.entry.run,
            unlike.len(),
            first_of(&unlike)
        );
        let hint = "`meterhouse verify` tells whether what it read has been changed; if not, use the program that \
                    published it";
        Err(Error::data(what, hint))
    }

    /// Makes what the run would have made of a table, or a view.
    async fn make_one(&self, name: &str, as_of: i64) -> Result<Option<Vec<DataFile>>> {
        let query = &self.pinned.queries[name];
        let Some(schema) = self.pinned.schemas.get(name) else {
            register_view(self.context, query, as_of).await?;
            return Ok(None);
        };
        let making = Making {
            context: self.context.clone(),
            warehouse: self.warehouse.clone(),
            schema: schema.clone(),
            query: query.clone(),
            as_of,
            scope: self.scope(name),
            stem: self.stem.into(),
        };
        Ok(Some(making.make().await?.0))
    }

    /// Compares a table with what the run published; returns its files.
    fn compare(
        &self,
        name: &str,
        made: Vec<DataFile>,
        hear: Hear<'_>,
        unlike: &mut Vec<String>,
    ) -> Vec<DataFile> {
        let then = self.published(name);
        let mut files = made;
        files.extend(out_of(&self.scope(name), &then));
        files.sort();
        let count = |files: &[DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
        let (rows, rows_then) = (count(&files), count(&then.carried()));
        if content(&files) == then.content() {
            hear(&Event::Repeated { table: name.into(), rows });
        } else if rows == rows_then {
            unlike.push(format!("{name}: {rows} rows, some with other values"));
        } else {
            unlike.push(format!("{name}: {rows} rows, published were {rows_then}"));
        }
        files
    }

    /// A table as the run left it.
    fn published(&self, name: &str) -> TableEntry {
        self.entry.tables.get(name).cloned().unwrap_or_default()
    }

    /// What the run would have made of a table, had it made it.
    fn scope(&self, name: &str) -> Scope {
        let (schema, query) = (&self.pinned.schemas[name], &self.pinned.queries[name]);
        if !is_limited(self.pinned, schema, query) {
            return Scope::All;
        }
        match &self.entry.period {
            Some(period) => Scope::Only(period.clone()),
            None => {
                let closed = self.entry.closings.iter().map(|closing| closing.billing_period.clone());
                Scope::Without(closed.collect())
            }
        }
    }
}

/// The files of a table for the periods that are not made.
fn out_of(scope: &Scope, table: &TableEntry) -> Vec<DataFile> {
    if matches!(scope, Scope::All) {
        return Vec::new();
    }
    let is_other = |file: &DataFile| !scope.takes_file(file);
    table.carried().into_iter().filter(is_other).collect()
}

fn first_of(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("\n  ");
    if all.len() > NAMED {
        text.push_str(&format!("\n  and {} more", all.len() - NAMED));
    }
    text
}
