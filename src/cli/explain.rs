//! What an explanation consists of is said by `queries/explain/`; here it is asked for, and shown.

use std::collections::BTreeMap;

use super::shown::{in_reading_order, title};
use super::{Opened, Out};
use crate::encode::answer::Tables;
use crate::engine::plan::{Values, execution_error, stream_of};
use crate::error::{Error, Result};
use crate::land::identity;
use crate::project::{Query, USAGE_RECORD};

impl Opened {
    pub(super) async fn explain(
        &self,
        line_id: Option<&str>,
        usage: Option<&str>,
        source: Option<&str>,
        out: Out<'_>,
    ) -> Result<()> {
        if self.read().await?.is_none() {
            return Err(Error::usage("nothing was published yet", "meterhouse run"));
        }
        if let Some(id) = usage {
            self.explain_usage(id, source, out).await?;
            self.say("next: meterhouse explain LINE_ID, for one of its lines");
        }
        if let Some(id) = line_id {
            self.explain_line(id, out).await?;
            self.say("next: meterhouse explain --usage TRANSACTION_ID, for one of its records; describe TABLE, for the file that makes it");
        }
        Ok(())
    }

    /// How a line comes to its amount.
    ///
    /// # Errors
    /// A line that is not there, a project that explains none.
    async fn explain_line(&self, id: &str, out: Out<'_>) -> Result<()> {
        let values = Values::of_line(self.as_of, id);
        if self.show_all("queries/explain/line", &self.project.explain_line, &values, out).await? {
            return Ok(());
        }
        let hint = "meterhouse sql \"select line_id, description from invoice_line\" shows all lines";
        Err(Error::usage(format!("no line has the line_id {id}"), hint))
    }

    /// Where a record went, and why.
    ///
    /// # Errors
    /// A record that has never arrived, one that several sources have, a project that explains none.
    async fn explain_usage(&self, id: &str, source: Option<&str>, out: Out<'_>) -> Result<()> {
        let sources = identity::sources(&self.context, id).await?;
        if source.is_none() && sources.len() > 1 {
            return Err(Error::usage(identity::ambiguous(id, &sources), ""));
        }
        let values = Values::of_usage(self.as_of, id, source);
        if self.show_all("queries/explain/usage", &self.project.explain_usage, &values, out).await? {
            return Ok(());
        }
        let of = source.map(|source| format!(" of source {source}")).unwrap_or_default();
        let what = format!("no record{of} has the transaction_id {id}");
        Err(Error::usage(what, identity::hint(USAGE_RECORD)))
    }

    /// Shows what all queries of a folder say; nothing, and false, where the first has no row.
    async fn show_all(
        &self,
        folder: &str,
        queries: &BTreeMap<String, Query>,
        values: &Values,
        out: Out<'_>,
    ) -> Result<bool> {
        if queries.is_empty() {
            let hint = "take its queries from the sample, or set `extends`";
            return Err(Error::usage(format!("the project has no {folder}/"), hint));
        }
        let mut tables = Tables::begin(out, self.format(), queries.len())?;
        for (number, query) in in_reading_order(queries).into_iter().enumerate() {
            let rows = stream_of(&self.context, query, values.clone()).await?;
            let failed = |error: &_| execution_error(error, &query.name);
            let count = tables.add(&query.name, title(query), rows, &failed).await?;
            if number == 0 && count == 0 {
                // What there is of the document goes nowhere.
                return Ok(false);
            }
        }
        tables.end(None)?;
        Ok(true)
    }
}
