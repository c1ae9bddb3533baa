//! Making a table by what changed: the rows of the keys that changes touch are taken out and made again, the others
//! stay as they are.
//!
//! Whether that can be done is decided before (`decide`), and by which column of the table (`refresh::by`). Whatever is
//! found, the rows are those of a table that is made whole.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::Run;
use super::event::Event;
use super::merge::{MANY, is_small as is_small_file};
use crate::engine::plan::execution_error;
use crate::error::{Error, Result, While};
use crate::ledger::TableEntry;
use crate::project::LANDED;
use crate::project::schema::TableSchema;
use crate::refresh::by::{By, Columns};
use crate::refresh::restrict::{KEY, TOUCHED};
use crate::refresh::touched::{Change, Changes, differing, rows_of, touched};
use crate::refresh::why::Why;
use crate::refresh::{Scope, write_rows};
use crate::table::file::DataFile;
use crate::table::rows::Rows;
use crate::table::scan::FileTable;
use crate::table::write::{TableWriter, partitions_of};

/// So many rows can be compared with those before quickly.
pub(super) const COMPARED_ROWS: u64 = 1 << 20;
/// A plan over tables with fewer batches together is quick to make as it was and as it is.
const FEW_BATCHES: usize = 8;

/// A table that was made by what changed.
pub(super) struct Updated {
    /// The column by which it was made.
    pub by: String,
    /// Its files now.
    pub files: Vec<DataFile>,
    /// The rows that were taken out, and those that are new.
    pub rows: Arc<dyn TableProvider>,
    /// Whether two of its rows may have the same primary key.
    pub may_repeat: bool,
}

impl Run<'_> {
    /// Makes a table by what changed, by the first of its columns that will do; or why it has to be made whole.
    pub(super) async fn update(
        &self,
        schema: &TableSchema,
        scope: &Scope,
        before: &TableEntry,
        mut columns: Columns,
    ) -> Result<std::result::Result<Updated, Why>> {
        (self.hear)(&Event::Begun { table: schema.name.clone() });
        let working = || format!("bringing {} up to date", schema.name);
        if let Some(folded) = self.fold(schema, scope, before, &columns).await? {
            return Ok(Ok(folded));
        }
        while let Some(by) = columns.next_by().during(working)? {
            let keys = self.keys(&by, &columns.changes, columns.at_most).await;
            if let Some(keys) = keys.map_err(|error| execution_error(&error, &schema.name))?
                && let Some(touched) = self.touched_files(schema, before, scope, &by.column, &keys).await?
            {
                return self.update_by(schema, before, touched, (columns, by, keys)).await;
            }
            columns.pass_over(&by);
        }
        Ok(Err(columns.why_none()))
    }

    /// Makes the rows of touched keys of a table again.
    async fn update_by(
        &self,
        schema: &TableSchema,
        before: &TableEntry,
        touched: Touched,
        (columns, by, keys): (Columns, By, Arc<Rows>),
    ) -> Result<std::result::Result<Updated, Why>> {
        let working = || format!("bringing {} up to date", schema.name);
        if keys.count == 0 {
            let rows = Arc::new(FileTable::new(schema, Vec::new()));
            let files = before.files.clone();
            return Ok(Ok(Updated { by: by.column, files, rows, may_repeat: false }));
        }
        let restricted = match columns.restricted(&by, keys.source()).during(working)? {
            Ok(restricted) => restricted,
            Err(why) => return Ok(Err(why)),
        };
        let frame = DataFrame::new(self.context.state(), restricted);
        let made = write_rows(self.context, self.warehouse, schema, frame, &self.stem).await?;
        let (files, rows) = self.replaced(schema, touched, made.files, &by.column, &keys).await?;
        let may_repeat = made.may_repeat || !schema.primary_key.contains(&by.column);
        Ok(Ok(Updated { by: by.column, files, rows, may_repeat }))
    }

    /// Puts files that were made in the place of the touched rows, and tells which rows differ. Where none does, the
    /// files stay as they are.
    pub(super) async fn replaced(
        &self,
        schema: &TableSchema,
        touched: Touched,
        made: Vec<DataFile>,
        column: &str,
        keys: &Arc<Rows>,
    ) -> Result<(Vec<DataFile>, Arc<Rows>)> {
        let failed = |error| execution_error(&error, &schema.name);
        let Touched { anew, others: mut files, rows: out } = touched;
        let out = Rows::of(&schema.arrow(), out).map_err(failed)?;
        let new = Arc::new(FileTable::new(schema, made.clone()));
        let rows = differing(self.context, out, new).await.map_err(failed)?;
        let (stay, anew) = self.keep_same(schema, (anew, made), &rows).await?;
        files.extend(stay);
        files.extend(self.without(schema, anew, column, keys).await?);
        files.sort();
        Ok((files, rows))
    }

    /// Of partitions in which rows differ the files that were made, of the others those that were there; and those that
    /// have to go.
    pub(super) async fn keep_same(
        &self,
        schema: &TableSchema,
        (old, made): (Vec<DataFile>, Vec<DataFile>),
        differing: &Rows,
    ) -> Result<(Vec<DataFile>, Vec<DataFile>)> {
        let other = partitions_of(schema, &differing.batches)?;
        let is_other = |file: &DataFile| other.contains(&file.partition);
        let (gone, mut stay): (Vec<DataFile>, Vec<DataFile>) = old.into_iter().partition(is_other);
        let (made, same): (Vec<DataFile>, Vec<DataFile>) = made.into_iter().partition(is_other);
        self.delete_new(schema, &same, &[]).await?;
        stay.extend(made);
        Ok((stay, gone))
    }

    /// With fewer rows together, the tables of a plan are quick to read twice.
    pub(super) fn few_rows(&self) -> usize {
        FEW_BATCHES * self.project.settings.engine.batch_rows
    }

    /// How many touched rows of a table are few; with more it is made whole.
    pub(super) fn few(&self, before: &TableEntry) -> u64 {
        self.few_of(before.rows())
    }

    /// How many of so many rows are few.
    pub(super) fn few_of(&self, rows: u64) -> u64 {
        COMPARED_ROWS.min(rows * self.project.settings.engine.update_percent / 100)
    }

    /// Looks for touched keys in the files of a table; none if too many of its rows have one.
    pub(super) async fn touched_files(
        &self,
        schema: &TableSchema,
        before: &TableEntry,
        scope: &Scope,
        column: &str,
        keys: &Arc<Rows>,
    ) -> Result<Option<Touched>> {
        let mut found = Touched::default();
        if keys.count == 0 {
            found.others.clone_from(&before.files);
            return Ok(Some(found));
        }
        let (files, others) = in_scope(before, scope);
        found.others = others;
        let threads = self.context.state().config().target_partitions();
        let mut looked_into = futures::stream::iter(files)
            .map(|file| async move {
                let working = || format!("looking for touched rows of {}", schema.name);
                let rows = self.of_keys(schema, vec![file.clone()], column, keys, JoinType::LeftSemi);
                let rows = SpawnedTask::spawn(rows.during(working)?.collect()).join().await;
                let rows = rows.during(working)?.map_err(|error| execution_error(&error, &schema.name))?;
                Ok::<_, Error>((file, rows))
            })
            .buffered(threads);
        let mut count = 0;
        while let Some(looked_into) = looked_into.next().await {
            let (file, rows) = looked_into?;
            let touched: usize = rows.iter().map(RecordBatch::num_rows).sum();
            count += touched as u64;
            if count > self.few(before) {
                return Ok(None);
            }
            match touched == 0 && !has_many_small(&before.files, &file) {
                true => found.others.push(file),
                false => found.anew.push(file),
            }
            found.rows.extend(rows);
        }
        Ok(Some(found))
    }

    /// The touched keys; none if they are more than that.
    pub(super) async fn keys(
        &self,
        by: &By,
        changes: &Changes,
        at_most: u64,
    ) -> datafusion::common::Result<Option<Arc<Rows>>> {
        if rows_of(&by.sources, changes) > 2 * at_most {
            return Ok(None);
        }
        let keys = touched(self.context, &by.sources, &by.data_type, changes, self.few_rows()).await?;
        Ok(Some(keys).filter(|keys| keys.count as u64 <= at_most))
    }

    /// Notes how a table has changed.
    pub(super) async fn note_change(
        &mut self,
        schema: &TableSchema,
        before: &[DataFile],
        now: &[DataFile],
        rows: Option<Arc<dyn TableProvider>>,
    ) -> Result<()> {
        let gone: Vec<DataFile> = before.iter().filter(|file| !now.contains(file)).cloned().collect();
        let new: Vec<DataFile> = now.iter().filter(|file| !before.contains(file)).cloned().collect();
        let count: u64 = gone.iter().chain(&new).map(|file| file.rows).sum();
        let rows = match rows {
            Some(rows) => Some(rows),
            // Landed tables only grow.
            None if LANDED.contains(&schema.name.as_str()) && gone.is_empty() => {
                Some(Arc::new(FileTable::new(schema, new)) as Arc<dyn TableProvider>)
            }
            None if is_compared(count) => {
                let table = |files| Arc::new(FileTable::new(schema, files)) as Arc<dyn TableProvider>;
                let compared = differing(self.context, table(gone), table(new)).await;
                Some(compared.map_err(|error| execution_error(&error, &schema.name))? as _)
            }
            None => None,
        };
        let before = Arc::new(FileTable::new(schema, before.to_vec()));
        self.changes.insert(schema.name.clone(), Change { before, rows });
        Ok(())
    }

    /// Writes files of a table anew, without the rows of touched keys.
    async fn without(
        &self,
        schema: &TableSchema,
        files: Vec<DataFile>,
        column: &str,
        keys: &Arc<Rows>,
    ) -> Result<Vec<DataFile>> {
        let failed = |error| execution_error(&error, &schema.name);
        let kept = self.of_keys(schema, files, column, keys, JoinType::LeftAnti).map_err(failed)?;
        let mut kept = kept.execute_stream().await.map_err(failed)?;
        let mut writer =
            TableWriter::new(self.context, self.warehouse, schema, format!("{}-kept", self.stem))?;
        while let Some(batch) = kept.next().await {
            writer.write(&batch.map_err(failed)?).await?;
        }
        Ok(writer.finish().await?.files)
    }

    /// The rows of files that have touched keys, or those that have none.
    pub(super) fn of_keys(
        &self,
        schema: &TableSchema,
        files: Vec<DataFile>,
        column: &str,
        keys: &Arc<Rows>,
        kind: JoinType,
    ) -> datafusion::common::Result<DataFrame> {
        let table: Arc<dyn TableProvider> = Arc::new(FileTable::new(schema, files));
        let rows = LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?;
        let keys = LogicalPlanBuilder::scan(TOUCHED, keys.source(), None)?.build()?;
        let on = (vec![Column::from_name(column)], vec![Column::from_name(KEY)]);
        Ok(DataFrame::new(self.context.state(), rows.join(keys, kind, on, None)?.build()?))
    }
}

/// The files of a table that are in scope, and the others: what is out of scope is as it was closed.
pub(super) fn in_scope(table: &TableEntry, scope: &Scope) -> (Vec<DataFile>, Vec<DataFile>) {
    table.files.iter().cloned().partition(|file| scope.takes_file(file))
}

/// Whether the rows that were taken out and those that are new are few enough to be compared.
pub(super) fn is_compared(rows: u64) -> bool {
    rows <= COMPARED_ROWS
}

/// Whether a file is small, and one of many such of its partition.
fn has_many_small(files: &[DataFile], file: &DataFile) -> bool {
    let is_beside = |other: &&DataFile| is_small_file(other) && other.partition == file.partition;
    is_small_file(file) && files.iter().filter(is_beside).count() > MANY
}

/// Where the rows of touched keys are.
#[derive(Default)]
pub(super) struct Touched {
    /// The files that are written anew: those that have such rows, and small ones where they have become many.
    anew: Vec<DataFile>,
    /// The others.
    others: Vec<DataFile>,
    /// The rows.
    pub rows: Vec<RecordBatch>,
}
