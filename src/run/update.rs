//! Making a table by what changed: the rows of the keys that changes touch are taken out and made again, the others
//! stay as they are.
//!
//! By which key, follows from the plan of the table's query (`refresh::restrict`): the first column, those of the
//! primary key before others, that can be followed down to what the plan reads. Whatever is found, the rows are those
//! of a table that is made whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::{MemTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::Run;
use super::merge::{MANY, is_small as is_small_file};
use crate::engine::plan::{execution_error, plan};
use crate::error::{Result, While};
use crate::ledger::TableEntry;
use crate::project::schema::{Column as Declared, TableSchema};
use crate::project::{LANDED, Query};
use crate::refresh::restrict::{Following, KEY, Source, TOUCHED};
use crate::refresh::touched::{Change, Changes, differing, is_known, rows_of, touched};
use crate::refresh::{Scope, fingerprint, write_rows};
use crate::table::file::DataFile;
use crate::table::scan::FileTable;
use crate::table::write::TableWriter;

/// Rows of which it is quick to say which are other than before.
const COMPARED_ROWS: u64 = 1 << 20;
/// A plan over tables with fewer rows together is quick to make as it was and as it is.
const SMALL_ROWS: usize = 1 << 18;
/// A table is made whole where more than one in so many of its rows may be touched.
const FEW: u64 = 4;

/// A table that was made by what changed.
pub(super) struct Updated {
    /// Its files now.
    pub files: Vec<DataFile>,
    /// The rows that were taken out, and those that are new.
    pub rows: Arc<dyn TableProvider>,
    /// Whether two of its rows may have the same primary key.
    pub may_repeat: bool,
}

impl Run<'_> {
    /// Makes a table by what changed; none where it has to be made whole.
    pub(super) async fn update(
        &self,
        schema: &TableSchema,
        query: &Query,
        scope: &Scope,
        before: &TableEntry,
    ) -> Result<Option<Updated>> {
        let Some(changes) = self.changes_behind(schema, query, before) else { return Ok(None) };
        let working = || format!("bringing {} up to date", schema.name);
        let failed = |error| execution_error(&error, &schema.name);
        let frame = plan(self.context, query, self.request.as_of).await?;
        let rows = scope.limit(frame).during(working)?.into_optimized_plan().map_err(failed)?;
        for declared in candidates(schema) {
            let Some(by) = follow(declared, &rows, &changes).during(working)? else { continue };
            let Some(keys) = self.keys(&by, &changes, before.rows() / FEW).await.map_err(failed)? else {
                continue;
            };
            if self.are_few(schema, before, &by, &keys).await? {
                return self.update_by(schema, &rows, scope, before, (by, keys, changes)).await;
            }
        }
        Ok(None)
    }

    /// Makes the rows of touched keys of a table again.
    async fn update_by(
        &self,
        schema: &TableSchema,
        rows: &LogicalPlan,
        scope: &Scope,
        before: &TableEntry,
        (by, keys, changes): (By, Keys, Changes),
    ) -> Result<Option<Updated>> {
        let working = || format!("bringing {} up to date", schema.name);
        let failed = |error| execution_error(&error, &schema.name);
        if keys.count == 0 {
            let none = Arc::new(FileTable::new(schema, Vec::new()));
            return Ok(Some(Updated { files: before.files.clone(), rows: none, may_repeat: false }));
        }
        let touched = Some((provider_as_source(Arc::clone(&keys.table)), by.data_type.clone()));
        let mut following = Following { changed: names(&changes), is_small, touched, sources: Vec::new() };
        let Ok(restricted) = following.restrict(rows, &by.key).during(working)? else { return Ok(None) };
        let frame = DataFrame::new(self.context.state(), restricted);
        let made = write_rows(self.context, self.warehouse, schema, frame, &self.stem).await?;
        let (mut files, out) = self.without(schema, before, scope, &by, &keys).await?;
        let new = Arc::new(FileTable::new(schema, made.files.clone()));
        let rows = differing(self.context, out, new).await.map_err(failed)?;
        files.extend(made.files);
        files.sort();
        let may_repeat = made.may_repeat || !schema.primary_key.contains(&by.column);
        Ok(Some(Updated { files, rows, may_repeat }))
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

    /// The touched keys; none where they are more than that.
    async fn keys(
        &self,
        by: &By,
        changes: &Changes,
        at_most: u64,
    ) -> datafusion::common::Result<Option<Keys>> {
        if rows_of(&by.sources, changes) > at_most {
            return Ok(None);
        }
        let keys = touched(self.context, &by.sources, &by.data_type, changes).await?;
        let count: u64 = keys.iter().map(|keys| keys.num_rows() as u64).sum();
        if count > at_most {
            return Ok(None);
        }
        let column = Arc::new(Schema::new(vec![Field::new(KEY, by.data_type.clone(), true)]));
        let keys = keys.into_iter().map(|keys| Ok(keys.with_schema(Arc::clone(&column))?));
        let keys = keys.collect::<datafusion::common::Result<_>>()?;
        Ok(Some(Keys { table: Arc::new(MemTable::try_new(column, vec![keys])?), count }))
    }

    /// The changes of the tables behind a query; none where it is not known of one, or where the table was not made by
    /// this query from what the run before had.
    fn changes_behind(&self, schema: &TableSchema, query: &Query, before: &TableEntry) -> Option<Changes> {
        let head = self.head.as_ref()?;
        let is_plain = self.request.close.is_none()
            && self.request.rerate.is_empty()
            && self.request.period.is_none()
            && before.again.is_empty();
        if !is_plain || before.files.is_empty() {
            return None;
        }
        let then = |table: &str| match self.landed_then.get(table) {
            Some(content) => content.clone(),
            None => head.tables.get(table).map(TableEntry::content).unwrap_or_default(),
        };
        let as_of = &self.request.as_of_text;
        let made_from = fingerprint::of_table(self.project, schema, query, as_of, None, then);
        if made_from != before.fingerprint {
            return None;
        }
        let changed =
            self.project.tables_behind(query).into_iter().filter(|table| then(table) != self.content(table));
        // One without rows is known to be empty when a query is planned, so the plan does not show how it was read.
        let changed = changed.map(|table| {
            let change = self.changes.get(&table).filter(|_| !self.is_empty(&table))?;
            Some((table, change.clone()))
        });
        changed.collect()
    }

    fn is_empty(&self, table: &str) -> bool {
        match self.landed_files.get(table) {
            Some(files) => files.is_empty(),
            None => self.tables.get(table).is_none_or(|table| table.rows() == 0),
        }
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
            None if count <= COMPARED_ROWS => {
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

/// Whether a file is small, and one of many such of its partition.
fn has_many_small(files: &[DataFile], file: &DataFile) -> bool {
    let is_beside = |other: &&DataFile| is_small_file(other) && other.partition == file.partition;
    is_small_file(file) && files.iter().filter(is_beside).count() > MANY
}

/// By what a table is made.
struct By {
    /// The key, over the rows of its plan.
    key: Expr,
    /// The column of the table that has it.
    column: String,
    /// The type of that.
    data_type: DataType,
    /// What touches keys.
    sources: Vec<Source>,
}

/// Touched keys.
struct Keys {
    table: Arc<dyn TableProvider>,
    count: u64,
}

/// The columns by which a table may be made, those of its primary key first.
fn candidates(schema: &TableSchema) -> impl Iterator<Item = &Declared> {
    let is_of_key = |column: &&Declared| schema.primary_key.contains(&column.name);
    let (first, others): (Vec<_>, Vec<_>) = schema.columns.iter().partition(is_of_key);
    first.into_iter().chain(others).filter(|column| column.required)
}

/// What touches the keys of a plan by one column of its rows; none where that is lost, or not known.
fn follow(
    declared: &Declared,
    rows: &LogicalPlan,
    changes: &Changes,
) -> datafusion::common::Result<Option<By>> {
    let made = rows.schema().columns().into_iter().find(|column| column.name == declared.name);
    let Some(key) = made.map(Expr::Column) else { return Ok(None) };
    let mut following = Following { changed: names(changes), is_small, touched: None, sources: Vec::new() };
    if following.restrict(rows, &key)?.is_err() || !is_known(&following.sources, changes) {
        return Ok(None);
    }
    let (column, data_type) = (declared.name.clone(), declared.data_type.clone());
    Ok(Some(By { key, column, data_type, sources: following.sources }))
}

fn names(changes: &Changes) -> BTreeSet<String> {
    changes.keys().cloned().collect()
}

/// Whether the tables of a plan have few rows together.
fn is_small(plan: &LogicalPlan) -> bool {
    use datafusion::common::tree_node::TreeNodeRecursion;
    let mut rows = 0;
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let known = source_as_provider(&scan.source)?.statistics();
            let known = known.and_then(|known| known.num_rows.get_value().copied());
            rows += known.unwrap_or(SMALL_ROWS);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    rows < SMALL_ROWS
}
