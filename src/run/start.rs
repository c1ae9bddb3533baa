//! The beginning of a run: what has landed and what the books hold is pinned, and it is noted what has landed since the
//! run before.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;

use super::event::Hear;
use super::{Request, Run};
use crate::catalog::{pin, pin_since, register};
use crate::error::Result;
use crate::ledger::{Entry, content};
use crate::project::{BOOKS, Project};
use crate::refresh::touched::Changes;
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

fn number_after(head: Option<&Entry>) -> u64 {
    head.map_or(0, |head| head.run) + 1
}

/// Names the files of an attempt at a run, so that two runners never write one path.
pub(super) fn stem_after(head: Option<&Entry>) -> String {
    let attempt = uuid::Uuid::new_v4().simple().to_string();
    format!("run-{:06}-{}", number_after(head), &attempt[..8])
}

/// The newest landing among these files; 0: there is none.
pub(super) fn last_landing(landed: &BTreeMap<String, Vec<DataFile>>) -> i64 {
    let landings = landed.get("landing").into_iter().flatten().map(DataFile::of_landings);
    landings.filter_map(|landings| landings.ranges().last().map(|(_, last)| *last)).max().unwrap_or(0)
}

impl<'a> Run<'a> {
    /// A run after this one, that has pinned what has landed, under a stem for the names of its files.
    pub(super) async fn start(
        project: &'a Project,
        warehouse: &'a Warehouse,
        context: &'a SessionContext,
        request: &'a Request,
        hear: Hear<'a>,
        head: Option<Entry>,
        stem: String,
    ) -> Result<Self> {
        let number = number_after(head.as_ref());
        let mut inputs = BTreeMap::new();
        let mut landed = BTreeMap::new();
        let mut landed_files = BTreeMap::new();
        let (pinned, then) = match &head {
            Some(head) => pin_since(warehouse, head).await?,
            None => (pin(warehouse).await?, None),
        };
        let then = then.unwrap_or_else(|| pinned.clone());
        for (table, (version, files)) in pinned {
            inputs.insert(table.clone(), version);
            landed.insert(table.clone(), content(&files));
            register(context, &project.schemas[&table], files.clone())?;
            landed_files.insert(table, files);
        }
        let mut tables = BTreeMap::new();
        for schema in BOOKS.iter().filter_map(|name| project.schemas.get(*name)) {
            let before = head.as_ref().and_then(|head| head.tables.get(&schema.name));
            let before = before.cloned().unwrap_or_default();
            register(context, schema, before.files.clone())?;
            tables.insert(schema.name.clone(), before);
        }
        let closings = head.as_ref().map(|head| head.closings.clone()).unwrap_or_default();
        let rerated = head.as_ref().map(|head| head.rerated.clone()).unwrap_or_default();
        let rules = head.as_ref().map(|head| head.rules.clone()).unwrap_or_default();
        let landed_then = then.iter().map(|(table, (_, files))| (table.clone(), content(files))).collect();
        let mut run = Self {
            project,
            warehouse,
            context,
            request,
            hear,
            head,
            number,
            stem,
            inputs,
            landed,
            landed_files,
            landed_then,
            changes: Changes::new(),
            assumed: BTreeSet::new(),
            tables,
            steps: Vec::new(),
            is_accepted: false,
            closings,
            rerated,
            rules,
            asked: BTreeMap::new(),
            again: BTreeMap::new(),
        };
        for (table, (_, before)) in then {
            let now = run.landed_files.get(&table).cloned().unwrap_or_default();
            if content(&before) != content(&now) {
                run.note_change(&project.schemas[&table], &before, &now, None).await?;
            }
        }
        Ok(run)
    }
}
