//! What is counted of all that has landed, before a run publishes it: what a run would make of the tables behind the
//! answer is made beside the warehouse, and kept until something lands or is published. One is made at a time, and all
//! who ask meanwhile get it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;

use super::problem::Problem;
use super::published::State as Tables;
use super::read::{ENTITLEMENT, KNOWN_CONTRACT, KNOWN_CUSTOMER};
use super::{Service, landing};
use crate::catalog;
use crate::error::{Error, Result, While};
use crate::ledger::{Entry, files_hash};
use crate::project::{LANDED, Query};
use crate::run;

/// The queries that are asked of what is counted so.
const BEHIND: [&str; 3] = [ENTITLEMENT, KNOWN_CONTRACT, KNOWN_CUSTOMER];

/// Of which run, and of what had landed.
type Seen = (u64, BTreeMap<String, String>);

/// The tables of the last such run.
struct Kept {
    seen: Seen,
    tables: Arc<Tables>,
}

/// What was counted last.
#[derive(Default)]
pub(super) struct Fresh(tokio::sync::Mutex<Option<Kept>>);

impl Service {
    /// The tables behind entitlements as a run would publish them now. `head` in them is that of the newest run, with
    /// the last landing that was counted.
    pub(super) async fn fresh(self: &Arc<Self>) -> Result<Arc<Tables>, Problem> {
        let service = self.clone();
        // On a thread with a large stack, and to its end also where whoever asked goes away.
        let made = self.published.threads().spawn(async move { service.counted().await }).await;
        let made = made.during(|| "counting what has landed".into()).flatten();
        made.map_err(|error| match error {
            Error::Data { .. } => Problem::of(&error)
                .status(StatusCode::CONFLICT)
                .hint("a run would not be published either; without fresh=true there are the figures of the last one"),
            error => Problem::of(&error),
        })
    }

    async fn counted(&self) -> Result<Arc<Tables>> {
        landing::land(&self.project, &self.warehouse, &self.metrics).await?;
        let mut kept = self.fresh.0.lock().await;
        let tables = self.published.state().await?;
        let (head, files) = catalog::readable(&tables.project, &self.warehouse).await?;
        let Some(head) = head else { return Ok(tables) };
        let landed = files.iter().filter(|(table, _)| LANDED.contains(&table.as_str()));
        let landed: BTreeMap<String, String> =
            landed.map(|(table, files)| (table.clone(), files_hash(files))).collect();
        if tables.run() == Some(head.run) && head.landed == landed {
            return Ok(tables);
        }
        let seen = (head.run, landed);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.seen == seen) {
            return Ok(kept.tables.clone());
        }
        let now = (self.clock)();
        let request = run::Request::new(now, now, "the service".into())?;
        let behind: Vec<&Query> =
            BEHIND.iter().filter_map(|name| tables.project.service.get(*name)).collect();
        let made = run::aside(&tables.project, &self.warehouse, &request, &behind).await?;
        let head = Entry { last_landing: made.last_landing, tables: BTreeMap::new(), ..head };
        let tables = Arc::new(Tables::aside(tables.project.clone(), made.context, head));
        *kept = Some(Kept { seen, tables: tables.clone() });
        Ok(tables)
    }
}
