//! What a run has to tell: the events of the conditions that began to hold with it, or ended.

use super::Run;
use crate::engine::plan::plan;
use crate::error::Result;
use crate::events;
use crate::ledger::Entry;
use crate::project::{EVENT, Query};
use crate::refresh::fingerprint::fingerprint;

impl Run<'_> {
    /// Asks each event query for which something has changed since it was last asked, and writes what happened.
    pub(super) async fn tell(&mut self) -> Result<()> {
        let asked_before = self.head.as_ref().map(|head| head.asked.clone()).unwrap_or_default();
        let (project, mut happened) = (self.project, Vec::new());
        for query in events::of_runs(project) {
            let asks = self.asks(query);
            if asked_before.get(&query.name) != Some(&asks) {
                let holding = plan(self.context, query, self.request.as_of).await?;
                happened.extend(events::since(self.context, &query.name, holding).await?);
            }
            self.asked.insert(query.name.clone(), asks);
        }
        let Some(schema) = project.schemas.get(EVENT).filter(|_| !happened.is_empty()) else { return Ok(()) };
        let before = self.tables.get(EVENT).map(|table| table.files.clone()).unwrap_or_default();
        let (stem, by) = (self.stem.clone(), (self.number, self.request.as_of));
        let files = events::write(self.context, self.warehouse, schema, stem, &before, &happened, by).await?;
        self.put(EVENT, files)
    }

    /// Whether an event query itself has changed since it was last asked, though all that it reads may be the same.
    pub(super) fn asks_otherwise(&self, head: &Entry) -> bool {
        events::of_runs(self.project).any(|query| head.asked.get(&query.name) != Some(&self.asks(query)))
    }

    /// A hash of an event query, the views behind it, and what is in the tables it reads.
    fn asks(&self, query: &Query) -> String {
        let tables = self.project.tables_behind(query);
        let mut asks = vec![self.project.text_behind(query)];
        asks.extend(tables.iter().map(|table| format!("{table} {}", self.content(table))));
        fingerprint(asks.iter().map(String::as_str))
    }
}
