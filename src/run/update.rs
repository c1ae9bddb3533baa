//! Making a table by what changed: the rows of the keys that changes touch are taken out and made again, the others
//! stay as they are.
//!
//! Whether that can be done is decided before (`decide`), and by which column of the table (`refresh::by`). Whatever is
//! found, the rows are those of a table that is made whole.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::Run;
use super::event::Event;
use super::merge::{MANY, is_small as is_small_file};
use crate::engine::plan::execution_error;
use crate::error::{Result, While};
use crate::ledger::TableEntry;
use crate::project::LANDED;
use crate::project::schema::TableSchema;
use crate::refresh::by::{By, Columns};
use crate::refresh::restrict::{KEY, TOUCHED};
use crate::refresh::touched::{Change, differing, touched};
use crate::refresh::why::Why;
use crate::refresh::{Scope, write_rows};
use crate::table::file::DataFile;
use crate::table::scan::FileTable;
use crate::table::write::TableWriter;

/// Rows of which it is quick to say which are other than before.
const COMPARED_ROWS: u64 = 1 << 20;
/// A table is made whole where more than one in so many of its rows may be touched.
pub(super) const FEW: u64 = 4;

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
        while let Some(by) = columns.next_by().during(working)? {
            let keys =
                self.keys(&by, &columns).await.map_err(|error| execution_error(&error, &schema.name))?;
            if let Some(keys) = keys
                && self.are_few(schema, before, &by, &keys).await?
            {
                return self.update_by(schema, scope, before, (columns, by, keys)).await;
            }
            columns.pass_over(&by);
        }
        Ok(Err(columns.why_none()))
    }

    /// Makes the rows of touched keys of a table again.
    async fn update_by(
        &self,
        schema: &TableSchema,
        scope: &Scope,
        before: &TableEntry,
        (columns, by, keys): (Columns, By, Keys),
    ) -> Result<std::result::Result<Updated, Why>> {
        let working = || format!("bringing {} up to date", schema.name);
        let failed = |error| execution_error(&error, &schema.name);
        if keys.count == 0 {
            let rows = Arc::new(FileTable::new(schema, Vec::new()));
            let files = before.files.clone();
            return Ok(Ok(Updated { by: by.column, files, rows, may_repeat: false }));
        }
        let touched = provider_as_source(Arc::clone(&keys.table));
        let restricted = match columns.restricted(&by, touched).during(working)? {
            Ok(restricted) => restricted,
            Err(why) => return Ok(Err(why)),
        };
        let frame = DataFrame::new(self.context.state(), restricted);
        let made = write_rows(self.context, self.warehouse, schema, frame, &self.stem).await?;
        let (mut files, out) = self.without(schema, before, scope, &by, &keys).await?;
        let new = Arc::new(FileTable::new(schema, made.files.clone()));
        let rows = differing(self.context, out, new).await.map_err(failed)?;
        files.extend(made.files);
        files.sort();
        let may_repeat = made.may_repeat || !schema.primary_key.contains(&by.column);
        Ok(Ok(Updated { by: by.column, files, rows, may_repeat }))
    }

    /// Whether few rows of a table have touched keys.
    async fn are_few(&self, schema: &TableSchema, before: &TableEntry, by: &By, keys: &Keys) -> Result<bool> {
        if keys.count == 0 {
            return Ok(true);
        }
        let working = || format!("counting touched rows of {}", schema.name);
        let rows =
            self.of_keys(schema, before.files.clone(), by, keys, JoinType::LeftSemi).during(working)?;
        let rows = rows.count().await.map_err(|error| execution_error(&error, &schema.name))?;
        Ok(rows as u64 <= before.rows() / FEW)
    }

    /// The touched keys; none where they are too many.
    async fn keys(&self, by: &By, columns: &Columns) -> datafusion::common::Result<Option<Keys>> {
        let keys = touched(self.context, &by.sources, &by.data_type, &columns.changes).await?;
        let count: u64 = keys.iter().map(|keys| keys.num_rows() as u64).sum();
        if count > columns.at_most {
            return Ok(None);
        }
        let column = Arc::new(Schema::new(vec![Field::new(KEY, by.data_type.clone(), true)]));
        let keys = keys.into_iter().map(|keys| Ok(keys.with_schema(Arc::clone(&column))?));
        let keys = keys.collect::<datafusion::common::Result<_>>()?;
        Ok(Some(Keys { table: Arc::new(MemTable::try_new(column, vec![keys])?), count }))
    }

    /// Notes how a table is another than before.
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
                Some(compared.map_err(|error| execution_error(&error, &schema.name))?)
            }
            None => None,
        };
        let before = Arc::new(FileTable::new(schema, before.to_vec()));
        self.changes.insert(schema.name.clone(), Change { before, rows });
        Ok(())
    }

    /// The files of a table without the rows of touched keys, and these rows. Files that have such rows are written
    /// anew, and with them small ones where they have become many; the others stay.
    async fn without(
        &self,
        schema: &TableSchema,
        before: &TableEntry,
        scope: &Scope,
        by: &By,
        keys: &Keys,
    ) -> Result<(Vec<DataFile>, Arc<dyn TableProvider>)> {
        let working = || format!("taking rows out of {}", schema.name);
        let failed = |error| execution_error(&error, &schema.name);
        let of_keys = |files, kind| self.of_keys(schema, files, by, keys, kind);
        let (mut files, mut anew, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for file in &before.files {
            // What is out of scope is as it was closed.
            if !file.partition.values().all(|value| scope.takes(value)) {
                files.push(file.clone());
                continue;
            }
            let rows = of_keys(vec![file.clone()], JoinType::LeftSemi).during(working)?;
            let rows = rows.collect().await.map_err(failed)?;
            match rows.iter().all(|batch| batch.num_rows() == 0) && !has_many_small(&before.files, file) {
                true => files.push(file.clone()),
                false => anew.push(file.clone()),
            }
            out.extend(rows);
        }
        let mut kept =
            of_keys(anew, JoinType::LeftAnti).during(working)?.execute_stream().await.map_err(failed)?;
        let mut writer =
            TableWriter::new(self.context, self.warehouse, schema, format!("{}-kept", self.stem))?;
        while let Some(batch) = kept.next().await {
            writer.write(&batch.map_err(failed)?).await?;
        }
        files.extend(writer.finish().await?.files);
        Ok((files, Arc::new(MemTable::try_new(schema.arrow(), vec![out]).during(working)?)))
    }

    /// The rows of files that have touched keys, or those that have none.
    fn of_keys(
        &self,
        schema: &TableSchema,
        files: Vec<DataFile>,
        by: &By,
        keys: &Keys,
        kind: JoinType,
    ) -> datafusion::common::Result<DataFrame> {
        let table: Arc<dyn TableProvider> = Arc::new(FileTable::new(schema, files));
        let rows = LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?;
        let keys = provider_as_source(Arc::clone(&keys.table));
        let keys = LogicalPlanBuilder::scan(TOUCHED, keys, None)?.build()?;
        let on = (vec![Column::from_name(&by.column)], vec![Column::from_name(KEY)]);
        Ok(DataFrame::new(self.context.state(), rows.join(keys, kind, on, None)?.build()?))
    }
}

/// Whether it is quick to say which rows are other, where so many were taken out or are new.
pub(super) fn is_compared(rows: u64) -> bool {
    rows <= COMPARED_ROWS
}

/// Whether a file is small, and one of many such of its partition.
fn has_many_small(files: &[DataFile], file: &DataFile) -> bool {
    let is_beside = |other: &&DataFile| is_small_file(other) && other.partition == file.partition;
    is_small_file(file) && files.iter().filter(is_beside).count() > MANY
}

/// Touched keys.
struct Keys {
    table: Arc<dyn TableProvider>,
    count: u64,
}
