//! How a table is to be made: not at all, by what changed, or whole, and why. A run does it, a plan tells it.

use super::Run;
use crate::engine::plan::{execution_error, plan};
use crate::error::{Result, While};
use crate::ledger::TableEntry;
use crate::project::Query;
use crate::project::schema::TableSchema;
use crate::refresh::by::Columns;
use crate::refresh::touched::Changes;
use crate::refresh::why::Why;
use crate::refresh::{Scope, fingerprint, is_limited};

/// How a table is to be made.
pub(super) enum Decided {
    /// It is up to date.
    UpToDate,
    /// By what changed, by the first of its columns that will do; where none does, whole.
    Update(Box<Columns>),
    /// Whole.
    Whole(Why),
}

/// A table as it is, and how it is to be made.
pub(super) struct Decision {
    /// As the run before left it.
    pub before: TableEntry,
    /// What it is made from now, as one hash.
    pub fingerprint: String,
    /// Its rows of these periods are made.
    pub scope: Scope,
    pub decided: Decided,
}

impl Run<'_> {
    /// Decides how a table is to be made; what it reads has been made, or its forecast is known.
    pub(super) async fn decide(&self, schema: &TableSchema, query: &Query) -> Decision {
        let is_limited = is_limited(self.project, schema, query);
        let period = self.request.period.as_deref().filter(|_| is_limited);
        let scope = match period {
            Some(period) => Scope::Only(period.into()),
            // A closed period never changes.
            None if is_limited => Scope::Without(self.closed()),
            None => Scope::All,
        };
        let content = |table: &str| self.content(table);
        let before = self.before(&schema.name);
        let of_table = |as_of| fingerprint::of_table(self.project, schema, query, as_of, period, content);
        if before.fingerprint == of_table(self.as_of_of(&before)) {
            let fingerprint = before.fingerprint.clone();
            return Decision { before, fingerprint, scope, decided: Decided::UpToDate };
        }
        let fingerprint = of_table(&self.request.as_of_text);
        let decided = match self.changes_behind(schema, query, &before) {
            Err(why) => Decided::Whole(why),
            // Whatever keeps it from being followed: it can be made whole, or then says what is wrong.
            Ok(changes) => match self.columns(schema, query, &scope, &before, changes).await {
                Ok(columns) => Decided::Update(Box::new(columns)),
                Err(error) => Decided::Whole(Why::Failed(error.to_string())),
            },
        };
        Decision { before, fingerprint, scope, decided }
    }

    /// The as-of that a table was made as of, where it has the same rows as of now.
    fn as_of_of<'b>(&'b self, before: &'b TableEntry) -> &'b str {
        let same = before.made_as_of.as_ref().filter(|made| made.holds(self.request.as_of));
        same.map_or(&self.request.as_of_text, |made| &made.from)
    }

    /// The columns by which a table may be made.
    async fn columns(
        &self,
        schema: &TableSchema,
        query: &Query,
        scope: &Scope,
        before: &TableEntry,
        changes: Changes,
    ) -> Result<Columns> {
        let frame = plan(self.context, query, self.request.as_of).await?;
        let frame = scope.limit(frame).during(|| format!("limiting {} to its periods", schema.name))?;
        let rows = frame.into_optimized_plan().map_err(|error| execution_error(&error, &schema.name))?;
        let read = self.project.tables_behind(query).iter().map(|table| self.rows_of(table)).max();
        let read = read.unwrap_or(0);
        // Of a table that has few rows of many that it reads, as those that came twice, more keys may be touched than
        // are few of its own: they are looked for among the others. A fifth of what is few of those is still much less
        // to read than all.
        let at_most = self.few(before).max(self.few_of(read / 5));
        Ok(Columns::of(schema, rows, changes, (at_most, read, self.few_rows())))
    }

    /// The tables behind a query that have changed since the run before read them.
    pub(super) fn changed_behind(&self, query: &Query) -> Vec<String> {
        let behind = self.project.tables_behind(query).into_iter();
        behind.filter(|table| self.content_then(table) != self.content(table)).collect()
    }

    /// The changes of the tables behind a query; or why the table has to be made whole, whatever its plan.
    fn changes_behind(
        &self,
        schema: &TableSchema,
        query: &Query,
        before: &TableEntry,
    ) -> std::result::Result<Changes, Why> {
        if before.changed_in == 0 {
            return Err(Why::First);
        }
        self.is_plain()?;
        if !before.again.is_empty() {
            return Err(Why::RatedAgain);
        }
        if before.files.is_empty() {
            return Err(Why::NoRows);
        }
        self.was_made_so(schema, query, before)?;
        self.changes_since(query)
    }

    /// Whether the run does nothing that makes tables whole; else what that is.
    fn is_plain(&self) -> std::result::Result<(), Why> {
        let request = self.request;
        if request.close.is_some() {
            return Err(Why::Closes);
        }
        if !request.rerate.is_empty() {
            return Err(Why::Rerates);
        }
        match &request.period {
            Some(period) => Err(Why::Limited(period.clone())),
            None => Ok(()),
        }
    }

    /// How the tables behind a query have changed since the run before; or why that is not known.
    pub(super) fn changes_since(&self, query: &Query) -> std::result::Result<Changes, Why> {
        self.is_plain()?;
        let changed = self.changed_behind(query).into_iter().map(|table| {
            // One without rows is known to be empty when a query is planned, so the plan does not show how it was read.
            if self.is_empty(&table) {
                return Err(Why::Emptied(table));
            }
            match self.changes.get(&table) {
                Some(change) => Ok((table, change.clone())),
                None => Err(Why::NotKnown(table)),
            }
        });
        changed.collect()
    }

    /// Whether a table was made by this query from what the run before had; if not, what has changed.
    fn was_made_so(
        &self,
        schema: &TableSchema,
        query: &Query,
        before: &TableEntry,
    ) -> std::result::Result<(), Why> {
        let was_made = |as_of: &str, period: Option<&str>| {
            let then = |table: &str| self.content_then(table);
            let made_from = fingerprint::of_table(self.project, schema, query, as_of, period, then);
            made_from == before.fingerprint
        };
        if was_made(self.as_of_of(before), None) {
            return Ok(());
        }
        let Some(head) = &self.head else { return Err(Why::First) };
        let period = head.period.as_deref();
        let as_of = before.made_as_of.as_ref().map_or(&head.as_of, |made| &made.from);
        Err(if was_made(as_of, None) {
            Why::AsOf(as_of.clone())
        } else if period.is_some() && was_made(as_of, period) {
            Why::WasLimited
        } else {
            Why::Rewritten
        })
    }

    /// What a table held when the run before read it, as far as fingerprints are concerned.
    fn content_then(&self, table: &str) -> String {
        if let Some(landed) = self.landed_then.get(table) {
            return landed.clone();
        }
        let before = self.head.as_ref().and_then(|head| head.tables.get(table));
        before.map(TableEntry::content).unwrap_or_default()
    }

    fn rows_of(&self, table: &str) -> u64 {
        match self.landed_files.get(table) {
            Some(files) => files.iter().map(|file| file.rows).sum(),
            None => self.tables.get(table).map_or(0, TableEntry::rows),
        }
    }

    fn is_empty(&self, table: &str) -> bool {
        match self.landed_files.get(table) {
            _ if self.assumed.contains(table) => false,
            Some(files) => files.is_empty(),
            None => self.tables.get(table).is_none_or(|table| table.rows() == 0),
        }
    }
}
