//! Rating a closed period again: with the usage of today, by the rules of its closing, or by those of
//! today where somebody let them reach back.
//!
//! What its lines would be now goes to `rerated_line`; that and what was billed is all that `correction_line` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::prelude::SessionContext;

use super::checks::{Broken, broken, first_rows};
use super::event::Event;
use super::taken::{AllTaken, Taken, taken_of};
use super::{Rerate, Run};
use crate::catalog::{register, register_view};
use crate::engine::plan::{BILLING_PERIOD, execution_error};
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::closing::{Rules, keep_project, kept_project};
use crate::ledger::{self, Entry, TableEntry, content};
use crate::project::{
    BILLED_ITEM, BILLED_LINE, CLOSED_TABLE, GUIDED_USAGE, INVOICE_LINE, PERIOD_CHANGE, Project, Query,
    RERATED_LINE, RERATING,
};
use crate::refresh::{Making, Scope, is_made_by_period};
use crate::table::checksum;
use crate::table::file::DataFile;
use crate::table::write::TableWriter;

/// Tables with the files that were written of them.
type Written = Vec<(String, Vec<DataFile>)>;

/// What a closing kept: its queries, how their tables are taken, and the run with the contracts and prices that count.
#[derive(Clone, Copy)]
struct OfClosing<'a> {
    pinned: &'a Project,
    taken: &'a AllTaken,
    entry: &'a Entry,
}

/// Refuses to rate a period again that is not closed.
pub fn is_closed(head: Option<&Entry>, period: &str) -> Result<()> {
    if head.is_some_and(|head| head.is_closed(period)) {
        return Ok(());
    }
    let hint = "an open period is rated by the rules of today in every run: meterhouse run";
    Err(Error::usage(format!("{period} is not closed"), hint))
}

impl Run<'_> {
    /// Rates each closed period again whose usage has changed since it was last rated.
    pub(super) async fn rerate_changed(&mut self) -> Result<()> {
        if self.closings.is_empty() {
            return Ok(());
        }
        let changes = self.period_changes().await?;
        // What an earlier period hands on has changed: balances, levels, minimums.
        let mut is_carried = false;
        let mut closings = self.closings.clone();
        closings.sort_by(|one, other| one.billing_period.cmp(&other.billing_period));
        for closing in closings {
            let period = &closing.billing_period;
            let change = changes.get(period).cloned().unwrap_or_default();
            let now = match self.rules.get(period) {
                None => change,
                Some(rules) => format!("{change} by the rules of run {}", rules.run),
            };
            let before = self.rerated.get(period).cloned().unwrap_or_default();
            if now == before && !is_carried {
                continue;
            }
            let started = std::time::Instant::now();
            let rules = closing.rules(&self.rules);
            let (made, tables) = self.rerate(period, &rules).await?;
            for (table, files) in tables {
                is_carried |= self.carry(&table, period, files)?;
            }
            is_carried |= self.request.rerate.iter().any(|rerate| rerate.period == *period);
            (self.hear)(&Event::Rerated { period: period.clone(), took: started.elapsed() });
            let others = self.tables.get(RERATED_LINE).map(|table| table.files.clone()).unwrap_or_default();
            let scope = Scope::Only(period.clone());
            let others = others.into_iter().filter(|file| !scope.takes_file(file));
            let files: Vec<DataFile> = others.chain(made).collect();
            self.put(RERATED_LINE, files)?;
            self.rerated.insert(period.clone(), now);
        }
        Ok(())
    }

    /// Makes the items and prices of periods that are let rate again, so that usage finds its place among them.
    pub(super) async fn renew(&mut self, query: &Query) -> Result<()> {
        let name = &query.name;
        let is_before_usage = is_made_by_period(self.project, name)
            && !self.project.is_made_from(name, GUIDED_USAGE)
            && self.project.is_made_from(INVOICE_LINE, name);
        for rerate in self.request.rerate.iter().filter(|_| is_before_usage) {
            let scope = Scope::Only(rerate.period.clone());
            let stem = format!("{}-{}", self.stem, rerate.period);
            let (files, _) = self.making(&self.project.schemas[name], query, scope, stem).make().await?;
            self.carry(name, &rerate.period, files)?;
        }
        Ok(())
    }

    /// Writes the items and prices of periods that are let rate again to the books, where usage looks for its place.
    pub(super) async fn book_items(&mut self, items: Option<&Query>) -> Result<()> {
        let Some(items) = items else { return Ok(()) };
        let schema = &self.project.schemas[BILLED_ITEM];
        for rerate in &self.request.rerate {
            let scope = Scope::Only(rerate.period.clone());
            let stem = format!("{}-{}", self.stem, rerate.period);
            let (files, _) = self.making(schema, items, scope, stem).make().await?;
            let before = self.tables.get(BILLED_ITEM).map(|table| table.files.clone()).unwrap_or_default();
            self.put(BILLED_ITEM, before.into_iter().chain(files).collect())?;
        }
        Ok(())
    }

    /// The hash of what changed, by closed period.
    async fn period_changes(&self) -> Result<BTreeMap<String, String>> {
        let working = || format!("reading {PERIOD_CHANGE}");
        let frame = self.context.table(PERIOD_CHANGE).await.during(working)?;
        let frame = frame.select_columns(&[BILLING_PERIOD, "change_hash"]).during(working)?;
        let mut changes = BTreeMap::new();
        for batch in frame.collect().await.map_err(|error| execution_error(&error, PERIOD_CHANGE))? {
            let periods = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(working)?;
            let hashes = batch.column(1).as_primitive::<Decimal128Type>().clone();
            for (period, hash) in periods.as_string::<i32>().iter().zip(&hashes) {
                changes.insert(
                    period.unwrap_or_default().to_string(),
                    hash.map(|hash| hash.to_string()).unwrap_or_default(),
                );
            }
        }
        Ok(changes)
    }

    /// Lets closed periods be rated by the rules of this run, which are those of today.
    pub(super) async fn let_rerate(&mut self, rerates: &[Rerate]) -> Result<()> {
        if rerates.is_empty() {
            return Ok(());
        }
        for rerate in rerates {
            is_closed(self.head.as_ref(), &rerate.period)?;
        }
        let Some(schema) = self.project.schemas.get(RERATING) else {
            return Err(Error::data(
                format!("the project has no table `{RERATING}`"),
                "take it from the sample",
            ));
        };
        let before = self.tables.get(RERATING).cloned().unwrap_or_default();
        let text = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let last_closed = self.closed().last().cloned().unwrap_or_default();
        let numbers: Vec<i64> =
            (1..=rerates.len() as i64).map(|number| before.rows() as i64 + number).collect();
        let as_of = TimestampMicrosecondArray::from(vec![self.request.as_of; rerates.len()]);
        let rows = RecordBatch::try_from_iter([
            ("rerate_number", Arc::new(Int64Array::from(numbers.clone())) as ArrayRef),
            (BILLING_PERIOD, text(rerates.iter().map(|rerate| rerate.period.as_str()).collect())),
            ("last_closed", text(vec![last_closed.as_str(); rerates.len()])),
            ("rerated_as_of", Arc::new(as_of.with_timezone("UTC")) as ArrayRef),
            ("rerated_by", text(rerates.iter().map(|rerate| rerate.by.as_str()).collect())),
            ("reason", text(rerates.iter().map(|rerate| rerate.reason.as_str()).collect())),
        ])
        .during(|| "rating a period again".into())?;
        let mut writer = TableWriter::new(self.context, self.warehouse, schema, self.stem.clone())?;
        writer.write(&rows).await?;
        let files = writer.finish().await?.files;
        self.put(RERATING, before.files.into_iter().chain(files).collect())?;
        let periods = rerates.iter().map(|rerate| rerate.period.as_str());
        let taken = self.taken_rows(&numbers.into_iter().zip(periods).collect::<Vec<_>>()).await?;
        let before = self.tables.get(CLOSED_TABLE).map(|table| table.files.clone()).unwrap_or_default();
        self.put(CLOSED_TABLE, before.into_iter().chain(taken).collect())?;
        let project = keep_project(self.warehouse, self.project).await?;
        for rerate in rerates {
            let rules = Rules { run: self.number, project: project.clone() };
            self.rules.insert(rerate.period.clone(), rules);
        }
        Ok(())
    }

    /// Replaces the files of a table of the books.
    pub(super) fn put(&mut self, name: &str, mut files: Vec<DataFile>) -> Result<()> {
        files.sort();
        register(self.context, &self.project.schemas[name], files.clone())?;
        let entry = TableEntry { changed_in: self.number, files, ..TableEntry::default() };
        self.tables.insert(name.into(), entry);
        Ok(())
    }

    /// Lets later cycles carry on from what a closed period would be now; returns whether its rows have changed.
    fn carry(&mut self, table: &str, period: &str, files: Vec<DataFile>) -> Result<bool> {
        let entry = self.tables.get(table).cloned().unwrap_or_else(|| self.before(table));
        let scope = Scope::Only(period.into());
        let before: Vec<DataFile> =
            entry.carried().into_iter().filter(|file| scope.takes_file(file)).collect();
        let is_other = content(&before) != content(&files);
        self.again.entry(table.into()).or_default().insert(period.into(), files.clone());
        // Its readers read other rows than were compared.
        self.changes.remove(table);
        if let Some(entry) = self.tables.get_mut(table) {
            entry.again.insert(period.into(), files);
            register(self.context, &self.project.schemas[table], entry.carried())?;
        }
        Ok(is_other)
    }

    /// The lines of a closed period as they would be now, and the tables of the period that they are made from.
    async fn rerate(&self, period: &str, rules: &Rules) -> Result<(Vec<DataFile>, Written)> {
        let pinned = kept_project(self.warehouse, &rules.project).await?;
        // This run has no entry yet.
        let entry = match &self.head {
            Some(head) if rules.run == self.number => {
                let mut entry = head.clone();
                entry.tables.extend(self.tables.clone());
                entry
            }
            _ => ledger::entry(self.warehouse, rules.run).await?,
        };
        let context = session(&self.project.settings, Some(self.warehouse))?;
        checksum::demand(&context);
        let stem = format!("{}-{period}", self.stem);
        let mut written = Written::new();
        let taken = taken_of(self.context, period).await?;
        let of_closing = OfClosing { pinned: &pinned, taken: &taken, entry: &entry };
        let made = self.rerate_into(&context, of_closing, period, &stem, &mut written).await;
        let is_carried = |table: &str| {
            made.is_ok() && taken.get(table) == Some(&Taken::Period) && self.is_carried(&pinned, table)
        };
        let (carried, others): (Written, Written) =
            written.into_iter().partition(|(table, _)| is_carried(table));
        // The others were only needed on the way.
        for (table, files) in &others {
            if let Some(schema) = pinned.schemas.get(table) {
                self.delete_new(schema, files, &[]).await?;
            }
        }
        made.map(|lines| (lines, carried)).map_err(|error| match error {
            Error::Project(mistakes) => {
                let first = mistakes.first().map(|mistake| mistake.what.clone()).unwrap_or_default();
                let what =
                    format!("a query that {period} was closed under can no longer be planned: {first}");
                let hint =
                    "a function that changes its meaning needs a new name; use the program it closed with";
                Error::data(what, hint)
            }
            other => other,
        })
    }

    async fn rerate_into(
        &self,
        context: &SessionContext,
        of_closing: OfClosing<'_>,
        period: &str,
        stem: &str,
        written: &mut Written,
    ) -> Result<Vec<DataFile>> {
        let OfClosing { pinned, taken, entry } = of_closing;
        let is_again = |name: &str| taken.get(name).is_some_and(|taken| taken.is_again());
        let is_of_today = |name: &str| taken.get(name) == Some(&Taken::Today);
        for (name, schema) in pinned.schemas.iter().filter(|(name, _)| !is_again(name)) {
            let schema = match is_of_today(name) {
                true => self.project.schemas.get(name).unwrap_or(schema),
                false => schema,
            };
            register(context, schema, self.files_for(is_of_today(name), entry, name))?;
        }
        let checks: Vec<_> = pinned
            .checks
            .values()
            .filter(|check| check.reads.keys().any(|name| is_again(name)))
            .filter(|check| {
                pinned
                    .tables_behind(check)
                    .iter()
                    .any(|name| pinned.schemas[name].is_partitioned_by(BILLING_PERIOD))
            })
            .collect();
        let lines = pinned.closing.get(BILLED_LINE).ok_or_else(|| {
            Error::data(format!("the queries of {period} do not say which lines are billed"), "")
        })?;
        let wanted: BTreeSet<&String> =
            checks.iter().chain([&lines]).flat_map(|query| query.reads.keys()).collect();
        // What the queries of today read and those of the closing did not.
        let taken_now = super::taken::taken(self.project);
        for (name, schema) in
            self.project.schemas.iter().filter(|(name, _)| !pinned.schemas.contains_key(*name))
        {
            let is_of_today =
                taken_now.get(name).is_some_and(|taken| *taken == Taken::Today || taken.is_again());
            register(context, schema, self.files_for(is_of_today, entry, name))?;
        }
        for name in &self.project.order {
            let is_before = name == GUIDED_USAGE || self.project.is_made_from(GUIDED_USAGE, name);
            if is_before && !self.project.schemas.contains_key(name) {
                register_view(context, &self.project.queries[name], self.request.as_of).await?;
            }
        }
        for name in pinned.order.iter().filter(|name| !is_of_today(name)) {
            let is_needed =
                wanted.contains(name) || wanted.iter().any(|wanted| pinned.is_made_from(wanted, name));
            let query = &pinned.queries[name];
            match pinned.schemas.get(name) {
                None if is_needed => register_view(context, query, self.request.as_of).await?,
                Some(schema) if is_needed && is_again(name) => {
                    let scope = match taken.get(name) {
                        Some(Taken::Period) => Scope::Only(period.into()),
                        _ => Scope::All,
                    };
                    let others = self.other_periods(name, &scope);
                    let renewed = self.again.get(name).and_then(|again| again.get(period));
                    let files = match renewed {
                        Some(files) => files.clone(),
                        None => {
                            let making = self.making(schema, query, scope, stem.into());
                            let (files, _) = Making { context: context.clone(), ..making }.make().await?;
                            written.push((name.clone(), files.clone()));
                            files
                        }
                    };
                    register(context, schema, others.into_iter().chain(files).collect())?;
                }
                _ => {}
            }
        }
        // What is wrong in another period stops nobody here.
        let found = broken(context, &checks, self.request.as_of, Some(period), self.at_once()).await?;
        if let Some(Broken { check, rows }) = found.first() {
            let what = format!("rating {period} again: check `{}` found\n{}", check.name, first_rows(rows)?);
            return Err(Error::data(what, "what was published before is unchanged"));
        }
        let schema = &self.project.schemas[RERATED_LINE];
        let making = self.making(schema, lines, Scope::Only(period.into()), stem.into());
        let (files, _) = Making { context: context.clone(), ..making }.make().await?;
        Ok(files)
    }

    /// Whether later cycles may carry on from a table: it is kept by period, its columns are still the same, and lines
    /// are made from it. The lines themselves stay as they were billed.
    fn is_carried(&self, pinned: &Project, table: &str) -> bool {
        is_made_by_period(self.project, table)
            && self.project.schemas[table].arrow() == pinned.schemas[table].arrow()
            && self.project.is_made_from(INVOICE_LINE, table)
    }

    /// The files of a table for the periods out of scope, as they are: a balance goes on from cycle to cycle.
    fn other_periods(&self, name: &str, scope: &Scope) -> Vec<DataFile> {
        let now = self.tables.get(name).cloned().unwrap_or_else(|| self.before(name));
        let is_other =
            |file: &DataFile| file.partition.get(BILLING_PERIOD).is_some_and(|period| !scope.takes(period));
        now.carried().into_iter().filter(is_other).collect()
    }

    fn files_for(&self, is_of_today: bool, entry: &Entry, name: &str) -> Vec<DataFile> {
        if let Some(landed) = self.landed_files.get(name) {
            return landed.clone();
        }
        let found = if is_of_today { self.tables.get(name) } else { entry.tables.get(name) };
        match found {
            Some(table) if is_of_today => table.carried(),
            Some(table) => table.files.clone(),
            None => Vec::new(),
        }
    }
}
