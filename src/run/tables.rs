//! Bringing tables up to date: reference files that are taken in, and what queries make, several tables at a time
//! where that pays.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::Run;
use super::decide::{Decided, Decision};
use super::event::{Event, Step, Way};
use super::update::Updated;
use crate::catalog::{register, register_view, register_written};
use crate::check::reference;
use crate::engine::plan::execution_error;
use crate::engine::session::work_undivided;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::land;
use crate::ledger::{AsOf, TableEntry};
use crate::project::schema::TableSchema;
use crate::project::{Query, Wave};
use crate::refresh::until::next_change;
use crate::refresh::why::Why;
use crate::refresh::{MadeRows, Making, Scope, fingerprint};
use crate::table::file::DataFile;
use crate::table::key::check_key;
use crate::table::write::{TableWriter, Written};

/// Up to so many landed records, tables are made side by side.
const LITTLE_USAGE: u64 = 1 << 20;
/// Tables that are made at a time then.
const AT_ONCE: usize = 8;
/// What to say of a table whose new rows are refused.
const UNCHANGED: &str = "what was published before is unchanged";

/// A table that was made again.
struct Made<'a> {
    schema: &'a TableSchema,
    before: TableEntry,
    /// Its files now; none if it is up to date.
    files: Option<Vec<DataFile>>,
    /// The rows of all these files, where they fit a batch.
    rows: Option<Vec<RecordBatch>>,
    /// By what it was made, where that is what changed.
    change: Option<ByChange>,
    /// Why it was made whole.
    why: Option<Why>,
    fingerprint: String,
    started: Instant,
    /// How long it stays as it is, where it reads the as-of.
    made_as_of: Option<AsOf>,
}

/// The column by which a table was made, and the rows in which it differs from before.
struct ByChange {
    column: String,
    rows: Arc<dyn TableProvider>,
}

impl<'a> Made<'a> {
    /// One that is up to date.
    fn up_to_date(
        schema: &'a TableSchema,
        before: TableEntry,
        fingerprint: String,
        started: Instant,
    ) -> Self {
        Self {
            schema,
            before,
            files: None,
            rows: None,
            change: None,
            why: None,
            fingerprint,
            started,
            made_as_of: None,
        }
    }
}

/// Lets no thread share its work where each table that is there fits a batch: one batch is not worth dividing, tables
/// that do not read each other are made side by side as it is, and each thread takes memory.
pub(super) fn divide_work(context: &SessionContext, batch_rows: usize, rows: impl Iterator<Item = u64>) {
    if rows.max().unwrap_or(0) <= batch_rows as u64 {
        work_undivided(context);
    }
}

/// The rows of files.
pub(super) fn rows_of(files: &[DataFile]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

impl<'a> Run<'a> {
    /// Takes the reference files that changed into the warehouse; all unreadable lines are reported at once.
    pub(super) async fn snapshot_references(&mut self) -> Result<()> {
        let mut taking: Vec<BoxFuture<'_, Result<Made<'a>>>> = Vec::new();
        for schema in self.project.reference() {
            let hide = |error| reference::hide(self.project, schema, error);
            taking.push(self.snapshot(schema).map(move |taken| taken.map_err(hide)).boxed());
        }
        let taken: Vec<Result<Made<'a>>> = futures::stream::iter(taking).buffered(AT_ONCE).collect().await;
        let mut mistakes = Vec::new();
        for made in taken {
            match made {
                Ok(made) => self.take(made, Way::Snapshot).await?,
                Err(Error::Project(found)) => mistakes.extend(found),
                Err(error) => return Err(error),
            }
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        // Besides what is wrong within files all that names nothing, unless that may follow from one that is not there.
        match reference::check(self.project).await {
            Err(Error::Project(all)) if mistakes.iter().all(|mistake| all.contains(mistake)) => {
                Err(Error::Project(all))
            }
            _ => Err(Error::Project(mistakes)),
        }
    }

    /// Takes the files of one reference table into the warehouse, unless they are there.
    async fn snapshot(&self, schema: &'a TableSchema) -> Result<Made<'a>> {
        let started = Instant::now();
        let (paths, fingerprint) = fingerprint::of_reference(self.project, schema)?;
        let before = self.before(&schema.name);
        if before.fingerprint == fingerprint {
            return Ok(Made::up_to_date(schema, before, fingerprint, started));
        }
        if paths.is_empty() {
            self.missing(schema, &before)?;
        }
        let batches = land::read_reference(self.context, self.project, schema, &paths)?;
        let writer = TableWriter::new(self.context, self.warehouse, schema, self.stem.clone())?;
        let mut writer = writer.keeping_rows();
        for batch in &batches {
            writer.write(batch).await?;
        }
        let Written { files, rows, .. } = writer.finish().await?;
        let made = Made::up_to_date(schema, before, fingerprint, started);
        Ok(Made { files: Some(files), rows, ..made })
    }

    /// A table without a file has no rows, unless it had some, or its file is named in the settings.
    fn missing(&self, schema: &TableSchema, before: &TableEntry) -> Result<()> {
        let name = &schema.name;
        if let Some(path) = self.project.settings.reference.get(name) {
            let what = format!("the reference table `{name}` has no file: there is no {path}");
            let hint = format!("mend the path, or leave it out for data/{name}.csv");
            return Err(self.project.settings.wrong(&format!("reference.{name}"), what, &hint));
        }
        if before.rows() == 0 {
            return Ok(());
        }
        let columns: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        Err(Error::Project(vec![Mistake {
            place: Place { file: format!("data/{name}.csv"), line: 0, column: 0 },
            what: "the file is gone; the last run read rows from it".into(),
            hint: format!(
                "bring it back; if the rows are to go, write it with nothing but the header {}",
                columns.join(",")
            ),
        }]))
    }

    /// How many tables are made at a time: where there is little usage, planning takes longer than the work, and
    /// memory suffices for several.
    pub(super) fn at_once(&self) -> usize {
        let files = self.landed_files.values().flatten();
        let is_little = files.map(|file| file.rows).sum::<u64>() <= LITTLE_USAGE;
        if is_little { AT_ONCE } else { 1 }
    }

    /// Divides work among threads, where that is worth it.
    pub(super) fn divide_work(&self) {
        let landed = self.landed_files.values().map(|files| rows_of(files));
        let rows = landed.chain(self.tables.values().map(TableEntry::rows));
        divide_work(self.context, self.project.settings.engine.batch_rows, rows);
    }

    /// Brings tables up to date, wave after wave, and the views between them.
    pub(super) async fn refresh_all(&mut self, waves: Vec<Wave<'_>>) -> Result<()> {
        for wave in waves {
            for tables in wave.tables.chunks(self.at_once()) {
                self.refresh(tables).await?;
            }
            for view in wave.views {
                register_view(self.context, view, self.request.as_of).await?;
            }
        }
        Ok(())
    }

    /// Brings tables up to date that do not read each other.
    pub(super) async fn refresh(&mut self, queries: &[&Query]) -> Result<()> {
        let mut making: Vec<BoxFuture<'_, Result<Made<'a>>>> = Vec::new();
        for query in queries {
            making.push(self.make(query).boxed());
        }
        let made: Vec<Made<'a>> = futures::stream::iter(making).buffered(AT_ONCE).try_collect().await?;
        for made in made {
            self.take(made, Way::Rebuild).await?;
        }
        for query in queries {
            self.renew(query).await?;
        }
        Ok(())
    }

    /// Makes one table, unless it is up to date.
    async fn make(&self, query: &Query) -> Result<Made<'a>> {
        let schema = &self.project.schemas[&query.name];
        let started = Instant::now();
        let Decision { before, fingerprint, scope, decided } = self.decide(schema, query).await;
        let updated = match decided {
            Decided::UpToDate => return Ok(Made::up_to_date(schema, before, fingerprint, started)),
            Decided::Whole(why) => Err(why),
            Decided::Update(columns) => {
                let updated = self.update(schema, &scope, &before, *columns).await;
                // It can be made whole, or then says what is wrong.
                updated.unwrap_or_else(|error| Err(Why::Failed(error.to_string())))
            }
        };
        let made_as_of = self.holds(query).await?;
        let why = match updated {
            Ok(Updated { by, files, rows, may_repeat }) => {
                if may_repeat {
                    check_key(self.context, schema, &files, UNCHANGED).await?;
                }
                let change = Some(ByChange { column: by, rows });
                let files = Some(files);
                let made = Made::up_to_date(schema, before, fingerprint, started);
                return Ok(Made { files, change, made_as_of, ..made });
            }
            Err(why) => why,
        };
        if let Why::Failed(_) = why {
            (self.hear)(&Event::NotUpdated { table: schema.name.clone(), why: why.clone() });
        }
        (self.hear)(&Event::Begun { table: schema.name.clone() });
        let is_limited = !matches!(scope, Scope::All);
        let making = self.making(schema, query, scope.clone(), self.stem.clone());
        let made = SpawnedTask::spawn(making.make_rows()).join().await;
        let made = made.during(|| format!("making {}", schema.name))?;
        let MadeRows { mut files, mut rows, may_repeat } = made.map_err(|error| match error {
            Error::Data { what, place, hint } => {
                let place = place.or_else(|| Some(Place { file: query.file.clone(), line: 0, column: 0 }));
                Error::Data { what, place, hint }
            }
            other => other,
        })?;
        if is_limited {
            let others = before.files.iter().filter(|file| !scope.takes_file(file));
            let made = files.len();
            files.extend(others.cloned());
            rows = rows.filter(|_| files.len() == made);
            files.sort();
        }
        let hint = if self.closings.is_empty() {
            "what was published before is unchanged; a join in the query finds two rows for one"
        } else {
            "what was published before is unchanged; a join in the query finds two rows for one, or what was billed in a \
             closed period is now said to belong to another"
        };
        if may_repeat || matches!(scope, Scope::Only(_)) {
            check_key(self.context, schema, &files, hint).await?;
        }
        let (files, why) = (Some(files), Some(why));
        Ok(Made { files, rows, why, made_as_of, ..Made::up_to_date(schema, before, fingerprint, started) })
    }

    /// How long a table that is made now has the same rows, where it reads the as-of.
    async fn holds(&self, query: &Query) -> Result<Option<AsOf>> {
        if !self.project.reads_as_of(query) {
            return Ok(None);
        }
        let next = next_change(self.context, self.project, query, self.request.as_of).await;
        let Some(next) = next.map_err(|error| execution_error(&error, &query.name))? else { return Ok(None) };
        let until = next.map(jiff::Timestamp::from_microsecond).transpose();
        let until = until.during(|| format!("asking how long {} stays as it is", query.name))?;
        Ok(Some(AsOf { from: self.request.as_of_text.clone(), until: until.map(|until| until.to_string()) }))
    }

    pub(super) fn making(&self, schema: &TableSchema, query: &Query, scope: Scope, stem: String) -> Making {
        Making {
            context: self.context.clone(),
            warehouse: self.warehouse.clone(),
            schema: schema.clone(),
            query: query.clone(),
            as_of: self.request.as_of,
            scope,
            stem,
        }
    }

    /// Takes a table's new files, or keeps the old ones where it is up to date or the rows are the same.
    async fn take(&mut self, made: Made<'a>, way: Way) -> Result<()> {
        let Made { schema, before, files, rows, change, why, fingerprint, started, made_as_of } = made;
        let Some(files) = files else {
            register(self.context, schema, before.carried())?;
            self.tables.insert(schema.name.clone(), before);
            return Ok(());
        };
        let is_first = before.changed_in == 0;
        let (by, change) = change.map(|change| (change.column, change.rows)).unzip();
        // Before closed periods of it were rated again in this run: for whoever reads it that is a change, too.
        let published = self.head.as_ref().and_then(|head| head.tables.get(&schema.name));
        let files_before = published.map(TableEntry::carried).unwrap_or_default();
        let again = before.again.clone();
        let made = TableEntry { changed_in: self.number, fingerprint, files, again, made_as_of };
        let is_same = !is_first && made.content() == before.content();
        let entry = if is_same {
            self.delete_new(schema, &made.files, &before.files).await?;
            TableEntry { fingerprint: made.fingerprint, made_as_of: made.made_as_of, ..before }
        } else {
            made
        };
        if !is_same && !is_first {
            self.note_change(schema, &files_before, &entry.carried(), change).await?;
        }
        // Where closed periods were rated again, others are carried on from than those that were made.
        let rows = rows.filter(|_| entry.again.is_empty());
        register_written(self.context, schema, entry.carried(), rows)?;
        let way = match way {
            _ if is_same => Way::Same,
            Way::Rebuild if by.is_some() => Way::Update,
            way => way,
        };
        let (table, rows, took) = (schema.name.clone(), entry.rows(), started.elapsed());
        let step = Step { table, way, by, why, rows, took };
        (self.hear)(&Event::Made(step.clone()));
        self.steps.push(step);
        self.tables.insert(schema.name.clone(), entry);
        Ok(())
    }

    pub(super) async fn delete_new(
        &self,
        schema: &TableSchema,
        new: &[DataFile],
        old: &[DataFile],
    ) -> Result<()> {
        use object_store::ObjectStoreExt;
        for file in new.iter().filter(|file| !old.contains(file)) {
            let path = object_store::path::Path::from(format!("{}/{}", schema.name, file.path));
            self.warehouse.store().delete(&path).await.during(|| format!("deleting {path}"))?;
        }
        Ok(())
    }

    /// What came of a step; where it failed, nothing is published, and what was written is no more use.
    pub(super) async fn or_discard<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            // What cannot be deleted either is left to `vacuum`.
            let _ = self.discard().await;
        }
        outcome
    }
}
