//! The rules that a run is held against: rows that break one stop it, or park the customers they name.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::{DataFrame, SessionContext};

use super::Run;
use super::event::Event;
use crate::check::reference::{self, Declared};
use crate::encode;
use crate::engine::plan::{BILLING_PERIOD, CUSTOMER, execution_error, plan};
use crate::error::{Error, Place, Result, While};
use crate::ledger::closing::project_hash;
use crate::project::Query;
use crate::refresh::Scope;
use crate::refresh::by::By;
use crate::refresh::restrict::rows_read;

/// Rows of a failed check that a message shows.
const ROWS_SHOWN: usize = 10;
/// A check is asked of all rows if changes touch more of its keys than this.
const TOUCHED_KEYS: u64 = 1 << 16;

/// A check that did not hold, and its rows.
pub(super) struct Broken<'a> {
    pub(super) check: &'a Query,
    pub(super) rows: Vec<RecordBatch>,
}

/// The checks that do not hold; for one billing period, if it is given: rows that name another period do not count.
/// So many are asked at a time.
pub(super) async fn broken<'a>(
    context: &SessionContext,
    checks: &[&'a Query],
    as_of: i64,
    period: Option<&str>,
    at_once: usize,
) -> Result<Vec<Broken<'a>>> {
    let scope = period.map_or(Scope::All, |period| Scope::Only(period.into()));
    let mut broken = Vec::new();
    for checks in checks.chunks(at_once) {
        let asked: Vec<_> = checks
            .iter()
            .map(|check| SpawnedTask::spawn(rows(context.clone(), Query::clone(check), as_of, scope.clone())))
            .collect();
        for (check, asked) in checks.iter().zip(asked) {
            let rows = asked.join().await.during(|| format!("asking check {}", check.name))??;
            if rows.iter().any(|batch| batch.num_rows() > 0) {
                broken.push(Broken { check, rows });
            }
        }
    }
    Ok(broken)
}

async fn rows(context: SessionContext, check: Query, as_of: i64, scope: Scope) -> Result<Vec<RecordBatch>> {
    let mut frame = plan(&context, &check, as_of).await?;
    if frame.schema().has_column_with_unqualified_name(BILLING_PERIOD) {
        frame = scope.limit(frame).during(|| format!("asking check {}", check.name))?;
    }
    frame.collect().await.map_err(|error| execution_error(&error, &check.name))
}

impl Run<'_> {
    /// Refuses rows that name nothing.
    pub(super) async fn check_names(&self, declared: &[Declared<'_>]) -> Result<()> {
        let as_of = self.request.as_of;
        let mistakes =
            reference::mistakes(self.project, self.context, declared, as_of, self.at_once()).await?;
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Project(mistakes)) }
    }

    /// Runs checks; their rows stop the run, or park the customers they name.
    pub(super) async fn check(&self, checks: &[&Query]) -> Result<Vec<(String, String)>> {
        let mut parked = Vec::new();
        let mut failed = Vec::new();
        let (mut whole, mut found) = (Vec::new(), Vec::new());
        // Why a check is asked of all rows.
        let mut why = BTreeMap::new();
        let hash = project_hash(self.project)?;
        for check in checks {
            let rows = match self.was_not_held(check, &hash) {
                Some(why) => Err(why.to_string()),
                // Whatever keeps it from being asked so: it can be asked whole, or then says what is wrong.
                None => self.rows_since(check).await.unwrap_or_else(|error| Err(error.to_string())),
            };
            match rows {
                Ok(rows) if rows.iter().all(|batch| batch.num_rows() == 0) => {}
                Ok(rows) => found.push(Broken { check, rows }),
                Err(reason) => {
                    whole.push(*check);
                    why.insert(&check.name, reason);
                }
            }
        }
        found.extend(broken(self.context, &whole, self.request.as_of, None, self.at_once()).await?);
        let checked = |check: &Query, parked| Event::Checked {
            check: check.name.clone(),
            parked,
            why: why.get(&check.name).cloned(),
        };
        for held in checks.iter().filter(|check| found.iter().all(|broken| broken.check.name != check.name)) {
            (self.hear)(&checked(held, 0));
        }
        for broken in found {
            let customers = customers(&broken.rows)?;
            if customers.is_empty() {
                failed.push(broken);
                continue;
            }
            (self.hear)(&checked(broken.check, customers.len()));
            parked.extend(customers.into_iter().map(|customer| (customer, broken.check.name.clone())));
        }
        let Some(first) = failed.first() else { return Ok(parked) };
        let place = Some(Place { file: first.check.file.clone(), line: 0, column: 0 });
        let mut what = "nothing was published:".to_string();
        for Broken { check, rows } in &failed {
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            what.push_str(&format!(
                " check `{}` found {count} row{}\n{}\n",
                check.name,
                if count == 1 { "" } else { "s" },
                first_rows(rows)?
            ));
        }
        let hint = "mend what the rows show and run again; what was published before is unchanged".into();
        Err(Error::Data { what: what.trim_end().into(), place, hint })
    }

    /// Why a check, as it is, is not known to have held when the run before was published, at whatever as-of.
    fn was_not_held(&self, check: &Query, project_hash: &str) -> Option<&'static str> {
        let Some(head) = &self.head else { return Some("no run was published before") };
        if head.project != project_hash {
            return Some("the project has changed");
        }
        if self.project.reads_as_of(check) {
            return Some("it reads the as-of");
        }
        let held_back = head.parked.iter().any(|(_, name)| *name == check.name);
        held_back.then_some("it held customers back in the run before")
    }

    /// The rows that a check finds among those touched by changes since it last held; or why it has to be asked of all.
    async fn rows_since(&self, check: &Query) -> Result<std::result::Result<Vec<RecordBatch>, String>> {
        let changes = match self.changes_since(check) {
            Ok(changes) => changes,
            Err(why) => return Ok(Err(why.to_string())),
        };
        if changes.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let failed = |error| execution_error(&error, &check.name);
        let rows = plan(self.context, check, self.request.as_of).await?;
        let (rows, few_rows) = (rows.into_optimized_plan().map_err(failed)?, self.few_rows());
        if rows_read(&rows) < few_rows {
            return Ok(Err("it reads few rows".into()));
        }
        for by in By::each(&rows, &changes, few_rows).map_err(failed)? {
            let Some(keys) = self.keys(&by, &changes, TOUCHED_KEYS).await.map_err(failed)? else { continue };
            if keys.count == 0 {
                return Ok(Ok(Vec::new()));
            }
            let touched = by.restricted(&rows, &changes, few_rows, keys.source()).map_err(failed)?;
            let Ok(touched) = touched else { continue };
            let touched = DataFrame::new(self.context.state(), touched);
            return touched.collect().await.map(Ok).map_err(failed);
        }
        Ok(Err("too many of its rows may have changed, or which ones cannot be told".into()))
    }
}

/// The customers that a check's rows name; none if a row names nobody.
fn customers(rows: &[RecordBatch]) -> Result<BTreeSet<String>> {
    let mut customers = BTreeSet::new();
    for batch in rows {
        let Some(column) = batch.column_by_name(CUSTOMER) else { return Ok(BTreeSet::new()) };
        let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8)
            .during(|| "reading a check's rows".into())?;
        for customer in column.as_string::<i32>() {
            match customer {
                Some(customer) => customers.insert(customer.to_string()),
                None => return Ok(BTreeSet::new()),
            };
        }
    }
    Ok(customers)
}

pub(super) fn first_rows(rows: &[RecordBatch]) -> Result<String> {
    let mut left = ROWS_SHOWN;
    let mut shown = Vec::new();
    for batch in rows {
        let some = batch.slice(0, batch.num_rows().min(left));
        left -= some.num_rows();
        shown.push(some);
    }
    encode::framed(&shown)
}
