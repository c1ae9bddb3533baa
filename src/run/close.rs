//! Closing a period: its lines, their statement and the usage behind them are written to the books, for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use super::checks::first_rows;
use super::{Close, Run, clock};
use crate::catalog;
use crate::engine::plan::{BILLING_PERIOD, execution_error, plan};
use crate::error::{Error, Result, While};
use crate::ledger::closing::{Closing, keep_project};
use crate::project::schema::TableSchema;
use crate::project::{CLOSED_PERIOD, CLOSED_TABLE, PERIOD_END};
use crate::refresh::Scope;
use crate::table::file::DataFile;
use crate::table::write::TableWriter;

impl Run<'_> {
    /// Closes a period as the run before left it.
    pub(super) async fn close(&mut self, close: &Close) -> Result<()> {
        // Opened before anything of this run: they say what stands behind the lines while the period is open.
        let head = catalog::open(self.project, self.warehouse, self.context, self.request.as_of).await?;
        self.may_close(&close.period).await?;
        let parked = head.map(|head| head.parked).unwrap_or_default();
        let reasons = self.reasons_against(close, &parked).await?;
        if !reasons.is_empty() && self.request.accepted.is_none() {
            let what = format!("{} was not closed:\n{}", close.period, reasons.join("\n"));
            return Err(Error::data(what, "mend what the rows show, or close it with --accept \"WHY\""));
        }
        let mut added = BTreeMap::new();
        self.is_accepted |= clock::closing(self.request, &close.period)? || !reasons.is_empty();
        let closed = self.closed_row(close).await?;
        self.add(CLOSED_PERIOD, closed, &mut added)?;
        let taken = self.taken_rows(&[(0, &close.period)]).await?;
        self.add(CLOSED_TABLE, taken, &mut added)?;
        for query in self.project.closing.values() {
            let schema = self.book(&query.name)?;
            // A query that reads which periods are closed says itself which rows this one adds.
            let says_itself = query.reads.contains_key(CLOSED_PERIOD);
            let scope = if says_itself { Scope::All } else { Scope::Only(close.period.clone()) };
            let (files, _) = self.making(schema, query, scope, self.stem.clone()).make().await?;
            self.add(&query.name, files, &mut added)?;
        }
        let closing = Closing {
            billing_period: close.period.clone(),
            number: self.closings.len() as u64 + 1,
            run: self.number,
            as_of: self.request.as_of_text.clone(),
            project: keep_project(self.warehouse, self.project).await?,
            files: added,
            previous: self.closings.last().map(|last| last.hash.clone()).unwrap_or_default(),
            hash: String::new(),
        };
        self.closings.push(closing.sealed()?);
        Ok(())
    }

    /// Refuses what cannot be closed, whatever anybody accepts.
    pub(super) async fn may_close(&self, period: &str) -> Result<()> {
        let closed = self.closed();
        if closed.contains(period) {
            return Err(Error::usage(format!("{period} is closed already"), "meterhouse status"));
        }
        let ends = period_ends(self.context).await?;
        let Some(end) = ends.get(period) else {
            let hint = "meterhouse status shows the periods that have cycles";
            return Err(Error::usage(format!("no billing cycle ends in {period}"), hint));
        };
        if *end > self.request.as_of {
            let what = format!("{period} was not closed: its last cycle has not ended");
            return Err(Error::data(what, "close it when it is due: meterhouse status"));
        }
        // A contract that reaches back may give a period to the time before; it closes when somebody says so.
        let last = closed.last();
        let open = ends
            .keys()
            .find(|other| other.as_str() < period && last.is_none_or(|last| other.as_str() > last.as_str()));
        match open {
            Some(other) => {
                let hint = format!("meterhouse close --period {other}");
                Err(Error::data(format!("{period} was not closed: {other} is still open"), hint))
            }
            None => Ok(()),
        }
    }

    /// Why the period had better stay open: parked customers, and what the guards find.
    async fn reasons_against(&self, close: &Close, parked: &[(String, String)]) -> Result<Vec<String>> {
        let mut reasons: Vec<String> = parked
            .iter()
            .map(|(customer, check)| format!("customer {customer} is parked by check `{check}`"))
            .collect();
        for guard in self.project.guards.values() {
            let frame = plan(self.context, guard, self.request.as_of).await?;
            let has_period = frame.schema().has_column_with_unqualified_name(BILLING_PERIOD);
            let frame = if has_period { Scope::Only(close.period.clone()).limit(frame) } else { Ok(frame) };
            let frame = frame.during(|| format!("asking guard {}", guard.name))?;
            let rows = frame.collect().await.map_err(|error| execution_error(&error, &guard.name))?;
            if rows.iter().any(|batch| batch.num_rows() > 0) {
                reasons.push(format!("guard `{}` found\n{}", guard.name, first_rows(&rows)?));
            }
        }
        Ok(reasons)
    }

    fn book(&self, name: &str) -> Result<&TableSchema> {
        self.project.schemas.get(name).ok_or_else(|| {
            Error::data(format!("the project has no table `{name}`"), "take its schema from the sample")
        })
    }

    /// Appends files to a table of the books.
    fn add(
        &mut self,
        name: &str,
        new: Vec<DataFile>,
        added: &mut BTreeMap<String, Vec<DataFile>>,
    ) -> Result<()> {
        let before = self.tables.get(name).map(|table| table.files.clone()).unwrap_or_default();
        added.insert(name.into(), new.clone());
        self.put(name, before.into_iter().chain(new).collect())
    }

    async fn closed_row(&self, close: &Close) -> Result<Vec<DataFile>> {
        let schema = self.book(CLOSED_PERIOD)?;
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let number = self.closings.len() as i64 + 1;
        let as_of = TimestampMicrosecondArray::from(vec![self.request.as_of]).with_timezone("UTC");
        let accepted = self.request.accepted.as_deref().filter(|_| self.is_accepted);
        let row = RecordBatch::try_from_iter_with_nullable([
            (BILLING_PERIOD, text(Some(&close.period)), false),
            ("close_number", Arc::new(Int64Array::from(vec![number])) as ArrayRef, false),
            ("closed_as_of", Arc::new(as_of) as ArrayRef, false),
            ("closed_by", text(Some(&close.by)), false),
            ("accepted", text(accepted), true),
        ])
        .during(|| "closing a period".into())?;
        let mut writer = TableWriter::new(self.context, self.warehouse, schema, self.stem.clone())?;
        writer.write(&row).await?;
        Ok(writer.finish().await?.files)
    }
}

/// When the last cycle of each period ends, in microseconds since the epoch.
pub async fn period_ends(context: &datafusion::prelude::SessionContext) -> Result<BTreeMap<String, i64>> {
    let working = || format!("reading {PERIOD_END}");
    let frame = context.table(PERIOD_END).await.during(working)?;
    let frame = frame.select_columns(&[BILLING_PERIOD, "ends_at"]).during(working)?;
    let mut ends = BTreeMap::new();
    for batch in frame.collect().await.map_err(|error| execution_error(&error, PERIOD_END))? {
        let periods = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(working)?;
        let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
        let instants = arrow::compute::cast(batch.column(1), &instant).during(working)?;
        let instants = instants.as_primitive::<TimestampMicrosecondType>();
        for (period, end) in periods.as_string::<i32>().iter().zip(instants) {
            if let (Some(period), Some(end)) = (period, end) {
                ends.insert(period.to_string(), end);
            }
        }
    }
    Ok(ends)
}
