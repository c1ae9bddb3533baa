//! Bringing a table of sums and counts up to date: what it was, plus the rows that are new, less those that are gone.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::Run;
use super::update::{COMPARED_ROWS, Updated};
use crate::engine::plan::execution_error;
use crate::error::Result;
use crate::ledger::TableEntry;
use crate::project::schema::TableSchema;
use crate::refresh::by::Columns;
use crate::refresh::fold::Fold;
use crate::refresh::touched::{as_before, comparing, differing};
use crate::refresh::{Scope, write_rows};
use crate::table::file::DataFile;
use crate::table::scan::FileTable;

impl Run<'_> {
    /// Folds what changed into a table that does nothing but add up; none where it does more, or the changes are not
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

    /// What a table was, plus rows that are new, less rows that are gone.
    async fn folded(
        &self,
        schema: &TableSchema,
        scope: &Scope,
        before: &TableEntry,
        by: String,
        (fold, new, gone): (Fold, LogicalPlan, LogicalPlan),
    ) -> Result<Updated> {
        let failed = |error| execution_error(&error, &schema.name);
        // What is out of scope is as it was closed.
        let is_in_scope = |file: &DataFile| file.partition.values().all(|value| scope.takes(value));
        let (old, mut files): (Vec<DataFile>, Vec<DataFile>) =
            before.files.iter().cloned().partition(is_in_scope);
        let old: Arc<dyn TableProvider> = Arc::new(FileTable::new(schema, old));
        let sum = self.context.state().udaf("sum").map_err(failed)?;
        let rows = LogicalPlanBuilder::scan("rows", provider_as_source(Arc::clone(&old)), None);
        let rows = rows.and_then(LogicalPlanBuilder::build).map_err(failed)?;
        let now = fold.folded(schema, &sum, rows, (new, gone)).map_err(failed)?;
        let now = comparing(self.context, now);
        let made = write_rows(self.context, self.warehouse, schema, now, &self.stem).await?;
        let new = Arc::new(FileTable::new(schema, made.files.clone()));
        let rows = differing(self.context, old, new).await.map_err(failed)?;
        files.extend(made.files);
        files.sort();
        Ok(Updated { by, files, rows, may_repeat: made.may_repeat })
    }
}
