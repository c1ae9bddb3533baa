//! Bringing a table of sums and counts up to date: what it was, plus the rows that are new, less those that are gone.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::datasource::provider_as_source;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::Run;
use super::update::{COMPARED_ROWS, Updated, in_scope};
use crate::engine::plan::execution_error;
use crate::error::Result;
use crate::ledger::TableEntry;
use crate::project::schema::TableSchema;
use crate::refresh::by::Columns;
use crate::refresh::fold::Fold;
use crate::refresh::touched::{as_before, collected, comparing, differing, distinct};
use crate::refresh::{Scope, write_rows};
use crate::table::file::DataFile;
use crate::table::rows::Rows;
use crate::table::scan::FileTable;

impl Run<'_> {
    /// Folds what changed into a table that does nothing but add up; none if it does more, or the changes are not
    /// known by a key of its rows.
    pub(super) async fn fold(
        &self,
        schema: &TableSchema,
        scope: &Scope,
        before: &TableEntry,
        columns: &Columns,
    ) -> Result<Option<Updated>> {
        let failed = |error| execution_error(&error, &schema.name);
        let Some((fold, each)) = columns.fold().map_err(failed)? else { return Ok(None) };
        for by in each {
            let Some(keys) = self.keys(&by, &columns.changes, COMPARED_ROWS).await.map_err(failed)? else {
                continue;
            };
            let new = by.restricted(&fold.rows, &columns.changes, columns.few_rows, keys.source());
            let Ok(new) = new.map_err(failed)? else { continue };
            let gone = as_before(&new, &columns.changes).map_err(failed)?;
            return self.folded(schema, scope, before, by.column, (fold, new, gone)).await.map(Some);
        }
        Ok(None)
    }

    /// What a table was, plus rows that are new, less rows that are gone; groups in which nothing changes stay.
    async fn folded(
        &self,
        schema: &TableSchema,
        scope: &Scope,
        before: &TableEntry,
        by: String,
        (fold, new, gone): (Fold, LogicalPlan, LogicalPlan),
    ) -> Result<Updated> {
        let failed = |error| execution_error(&error, &schema.name);
        let sum = self.context.state().udaf("sum").map_err(failed)?;
        let change = fold.change(schema, &sum, (new, gone)).map_err(failed)?;
        let change = collected(self.context, change).await.map_err(failed)?;
        let mut keys = None;
        if let Some((column, number)) = fold.key(schema) {
            let values = distinct(self.context, &change, &number).await.map_err(failed)?;
            keys = Some((column, values));
        }
        let mut touched = None;
        if let Some((column, values)) = &keys {
            touched = self.touched_files(schema, before, scope, column, values).await?;
        }
        let old: Arc<dyn TableProvider> = match &touched {
            Some(touched) => Rows::of(&schema.arrow(), touched.rows.clone()).map_err(failed)?,
            None => Arc::new(FileTable::new(schema, in_scope(before, scope).0)),
        };
        let rows = |table| LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?.build();
        let now = rows(Arc::clone(&old))
            .and_then(|old| fold.folded(schema, &sum, old, rows(Arc::clone(&change) as _)?));
        let now = comparing(self.context, now.map_err(failed)?);
        let made = write_rows(self.context, self.warehouse, schema, now, &self.stem).await?;
        let (files, rows) = match (touched, keys) {
            (Some(touched), Some((column, values))) => {
                self.replaced(schema, touched, made.files, &column, &values).await?
            }
            (_, keys) => self.replaced_whole(schema, in_scope(before, scope), made.files, keys).await?,
        };
        Ok(Updated { by, files, rows, may_repeat: made.may_repeat })
    }

    /// Takes files for those that a table had in scope, which are the first, and not for the others; what differs is
    /// looked for among rows of these keys.
    async fn replaced_whole(
        &self,
        schema: &TableSchema,
        (old, mut files): (Vec<DataFile>, Vec<DataFile>),
        made: Vec<DataFile>,
        keys: Option<(String, Arc<Rows>)>,
    ) -> Result<(Vec<DataFile>, Arc<Rows>)> {
        let failed = |error| execution_error(&error, &schema.name);
        let of_keys = |files: &[DataFile]| -> datafusion::common::Result<Arc<dyn TableProvider>> {
            Ok(match &keys {
                Some((column, keys)) => {
                    self.of_keys(schema, files.to_vec(), column, keys, JoinType::LeftSemi)?.into_view()
                }
                None => Arc::new(FileTable::new(schema, files.to_vec())),
            })
        };
        let (before, now) = (of_keys(&old).map_err(failed)?, of_keys(&made).map_err(failed)?);
        let rows = differing(self.context, before, now).await.map_err(failed)?;
        let (stay, _) = self.keep_same(schema, (old, made), &rows).await?;
        files.extend(stay);
        files.sort();
        Ok((files, rows))
    }
}
