//! A plan: what the next run would do and why, before anything is done.
//!
//! The same code decides as in a run (`decide`). Reference files are taken in, and what reads the as-of is made,
//! beside the warehouse, because only their rows tell whether anything has changed. All else is forecast: a table that
//! would be made counts as changed, though its rows may turn out the same, and what that touches is not counted. So
//! nothing is made in a run that is not in the plan, but where closed periods have to be rated again, which it says;
//! and a table that is to be made by what changed is made whole where that turns out to be too much.
//!
//! To know which rows would change, let it count: everything is then made beside the warehouse, as a run would make it.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::catalog::TableProvider;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::{col, lit};

use super::decide::{Decided, Decision};
use super::event::{Event, Hear, Step, Way};
use super::start::stem_after;
use super::update::is_compared;
use super::{Request, Run, clock, first_and_last};
use crate::catalog::{register, register_provider, register_view};
use crate::engine::plan::{BILLING_PERIOD, CUSTOMER, execution_error};
use crate::engine::session::session;
use crate::error::{Result, While};
use crate::land::{self, Awaited};
use crate::ledger::{self, TableEntry};
use crate::project::schema::TableSchema;
use crate::project::{BOOKS, PERIOD_CHANGE, Project, Query};
use crate::refresh::by::Columns;
use crate::refresh::fingerprint;
use crate::refresh::touched::Change;
use crate::refresh::why::Why;
use crate::store::warehouse::Warehouse;
use crate::table::checksum;
use crate::table::file::DataFile;
use crate::table::scan::FileTable;

/// What the next run would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The files of the inboxes that it lands first.
    pub awaited: Vec<Awaited>,
    /// The tables that it makes, in that order.
    pub tables: Vec<Planned>,
    /// How many tables are up to date.
    pub up_to_date: usize,
    /// Whether closed periods are rated again where their usage turns out to be another, and tables that carry on from
    /// these are made whole.
    pub may_rerate: bool,
    /// Whether it was made beside the warehouse, so that it is known which rows would change.
    pub is_counted: bool,
}

/// A table that would be made.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The table.
    pub table: String,
    /// How.
    pub way: Way,
    /// The columns by which it can be made by what changed: a run takes the first by which few rows are touched.
    pub by: Vec<String>,
    /// Why all of it is made.
    pub why: Option<Why>,
    /// The tables it reads that have changed, or may have by then.
    pub changed: Vec<String>,
    /// Its rows as they are.
    pub rows: u64,
    /// The rows of the tables that its query reads; by what changed, it reads at most these.
    pub rows_to_read: u64,
    /// The same in bytes.
    pub bytes_to_read: u64,
    /// What would change, where that was counted.
    pub counted: Option<Counted>,
}

/// What would change in a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// The rows of the files that are written.
    pub rows_to_write: u64,
    /// The same in bytes.
    pub bytes_to_write: u64,
    /// The rows that are taken out, and those that are new; none if they are too many to be compared.
    pub rows: Option<u64>,
    /// The billing periods of these; none if the table does not have them.
    pub periods: Option<u64>,
    /// The customers of these; none if the table does not have them.
    pub customers: Option<u64>,
}

/// What the next run would do; nothing is written to the warehouse. What would change is counted on demand, unless
/// files have to land first.
///
/// # Errors
/// What the run would refuse before it makes a table: mistakes in the project or its reference data, an as-of before
/// the last closing, a closed period. If it counts, all that the run would refuse.
pub async fn plan(
    project: &Project,
    warehouse: &Warehouse,
    request: &Request,
    counts: bool,
    hear: Hear<'_>,
) -> Result<Plan> {
    crate::check::check(project, &session(&project.settings, None)?).await?;
    let head = ledger::head(warehouse).await?;
    clock::before_closing(request, head.as_ref())?;
    clock::tell(request, head.as_ref(), hear)?;
    for inbox in land::inboxes_nowhere(project) {
        hear(&Event::Nowhere { inbox });
    }
    let awaited = land::awaited(project, warehouse).await?;
    let stem = stem_after(head.as_ref());
    let beside = warehouse.with_scratch(&stem)?;
    let context = session(&project.settings, Some(&beside))?;
    checksum::demand(&context);
    // What is made here is no event of a run.
    let hear: Hear<'_> = &|_: &Event| {};
    let mut run = Run::start(project, &beside, &context, request, hear, head, stem).await?;
    let (first, last) = first_and_last(project);
    let parked = run.begin(&first).await?;
    // A file without a byte has no record.
    let has_awaited = awaited.iter().any(|file| file.bytes > 0);
    let is_counted = counts && !has_awaited;
    let (made, may_rerate) = if is_counted {
        run.make_all(parked, &first, &last).await?;
        let is_rerated = run.head.as_ref().is_some_and(|head| head.rerated != run.rerated);
        (run.counted_all().await?, is_rerated)
    } else {
        if has_awaited {
            run.assume_landed()?;
        }
        let tables = run.forecast_all().await?;
        let may_rerate = !run.closings.is_empty() && run.assumed.contains(PERIOD_CHANGE);
        let snapshots = run.steps.iter().filter(|step| !project.queries.contains_key(&step.table));
        let mut made = snapshots.map(|step| run.taken_in(step)).collect::<Result<Vec<Planned>>>()?;
        made.extend(tables);
        (made, may_rerate)
    };
    let is_made = |name: &&String| made.iter().any(|planned| planned.table == **name);
    let known = run.tables.keys().filter(|name| !BOOKS.contains(&name.as_str()));
    let up_to_date = known.filter(|name| !is_made(name)).count();
    Ok(Plan { awaited, tables: made, up_to_date, may_rerate, is_counted })
}

impl Run<'_> {
    /// How each table would be made that is not up to date, in the order of a run.
    async fn forecast_all(&mut self) -> Result<Vec<Planned>> {
        let mut tables = Vec::new();
        for wave in self.project.waves(|_| true) {
            for query in wave.tables {
                tables.extend(self.forecast(query).await?);
            }
            for view in wave.views {
                register_view(self.context, view, self.request.as_of).await?;
            }
        }
        Ok(tables)
    }

    /// How a table would be made; none if it is up to date. Whoever reads it is told what it will be then.
    async fn forecast(&mut self, query: &Query) -> Result<Option<Planned>> {
        let schema = &self.project.schemas[&query.name];
        let Decision { before, scope, decided, .. } = self.decide(schema, query).await;
        let (by, why) = match decided {
            Decided::UpToDate => {
                register(self.context, schema, before.carried())?;
                self.tables.insert(schema.name.clone(), before);
                return Ok(None);
            }
            Decided::Whole(why) => (Vec::new(), Some(why)),
            Decided::Update(columns) => all_of(*columns),
        };
        let changed = self.changed_behind(query);
        let (rows_to_read, bytes_to_read) = self.to_read(query);
        let is_assumed = changed.iter().any(|table| self.assumed.contains(table));
        let way = if by.is_empty() { Way::Rebuild } else { Way::Update };
        let (table, rows) = (schema.name.clone(), before.rows());
        let counted = None;
        let mut planned =
            Planned { table, way, by, why, changed, rows, rows_to_read, bytes_to_read, counted };
        if !self.project.reads_as_of(query) || is_assumed || before.changed_in == 0 {
            let made = before.files.iter().filter(|file| scope.takes_file(file));
            let made: u64 = made.map(|file| file.rows).sum();
            self.assume(schema, before, !planned.by.is_empty() || is_compared(2 * made))?;
            return Ok(Some(planned));
        }
        // As time goes on, it is seldom another: what that comes to is what a run finds out.
        let moved_only = planned.changed.is_empty() && matches!(planned.why, Some(Why::AsOf(_)));
        self.refresh(&[query]).await?;
        let made = self.steps.last().filter(|step| step.table == schema.name);
        match made.map(|step| (step.way, step.by.clone(), step.why.clone())) {
            Some((Way::Same, ..)) if moved_only => Ok(None),
            Some((way, by, why)) => {
                (planned.way, planned.by, planned.why) = (way, by.into_iter().collect(), why);
                Ok(Some(planned))
            }
            None => Ok(None),
        }
    }

    /// A reference table that was taken in.
    fn taken_in(&self, step: &Step) -> Result<Planned> {
        let mut bytes_to_read = 0;
        for path in fingerprint::reference_files(self.project, &step.table)? {
            let file = std::fs::metadata(&path).during(|| format!("reading {}", path.display()))?;
            bytes_to_read += file.len();
        }
        Ok(Planned {
            table: step.table.clone(),
            way: step.way,
            by: Vec::new(),
            why: None,
            changed: Vec::new(),
            rows: self.before(&step.table).rows(),
            rows_to_read: step.rows,
            bytes_to_read,
            counted: None,
        })
    }

    /// What was made of each table, with what has changed in it.
    async fn counted_all(&self) -> Result<Vec<Planned>> {
        let mut tables = Vec::new();
        for step in &self.steps {
            let planned = match self.project.queries.get(&step.table) {
                None => self.taken_in(step)?,
                Some(query) => {
                    let (rows_to_read, bytes_to_read) = self.to_read(query);
                    Planned {
                        table: step.table.clone(),
                        way: step.way,
                        by: step.by.iter().cloned().collect(),
                        why: step.why.clone(),
                        changed: self.changed_behind(query),
                        rows: self.before(&step.table).rows(),
                        rows_to_read,
                        bytes_to_read,
                        counted: None,
                    }
                }
            };
            tables.push(Planned { counted: Some(self.counted(step).await?), ..planned });
        }
        Ok(tables)
    }

    /// What has changed in a table.
    async fn counted(&self, step: &Step) -> Result<Counted> {
        if step.way == Way::Same {
            return Ok(Counted { rows: Some(0), ..Counted::default() });
        }
        let schema = &self.project.schemas[&step.table];
        let before = self.before(&step.table);
        let files = self.tables[&step.table].files.iter().filter(|file| !before.files.contains(file));
        let files: Vec<DataFile> = files.cloned().collect();
        let (rows_to_write, bytes_to_write) = rows_and_bytes(&files);
        let counted = Counted { rows_to_write, bytes_to_write, ..Counted::default() };
        let rows: Arc<dyn TableProvider> = match self.changes.get(&step.table) {
            Some(Change { rows: Some(rows), .. }) => Arc::clone(rows),
            Some(_) => return Ok(counted),
            // Nobody has compared one that is made for the first time.
            None => Arc::new(FileTable::new(schema, files)),
        };
        let has = |name: &str| schema.columns.iter().any(|column| column.name == name);
        let asked: Vec<&str> = [BILLING_PERIOD, CUSTOMER].into_iter().filter(|name| has(name)).collect();
        let distinct = asked.iter().map(|name| count_distinct(col(*name)).alias(*name));
        let numbers = [count(lit(1_i64)).alias("rows")].into_iter().chain(distinct).collect();
        let table = self.context.read_table(rows).and_then(|rows| rows.aggregate(Vec::new(), numbers));
        let failed = |error| execution_error(&error, &step.table);
        let batches = table.map_err(failed)?.collect().await.map_err(failed)?;
        let number = |name: &str| {
            let column = batches.iter().find_map(|batch| batch.column_by_name(name)).cloned()?;
            column.as_primitive_opt::<Int64Type>().and_then(|column| column.iter().flatten().next())
        };
        let number = |name: &str| number(name).map(|number| number as u64);
        Ok(Counted {
            rows: number("rows"),
            periods: number(BILLING_PERIOD),
            customers: number(CUSTOMER),
            ..counted
        })
    }

    /// Takes the landed tables for longer than they are.
    fn assume_landed(&mut self) -> Result<()> {
        for name in land::COMMITTED {
            let schema = &self.project.schemas[name];
            let files = self.landed_files.get(name).cloned().unwrap_or_default();
            self.assume_changed(schema, files, true)?;
        }
        Ok(())
    }

    /// Takes a table for made. Nobody has compared one that is made for the first time with what it was.
    fn assume(&mut self, schema: &TableSchema, before: TableEntry, is_known: bool) -> Result<()> {
        let (is_first, files) = (before.changed_in == 0, before.carried());
        self.tables.insert(schema.name.clone(), before);
        match is_first {
            true => {
                self.assumed.insert(schema.name.clone());
                register(self.context, schema, files)
            }
            false => self.assume_changed(schema, files, is_known),
        }
    }

    /// Takes a table for changed, and what it holds now for what it held; where it is known which rows
    /// differ, nobody knows how many.
    fn assume_changed(&mut self, schema: &TableSchema, files: Vec<DataFile>, is_known: bool) -> Result<()> {
        let name = schema.name.clone();
        // Also one without rows is read as one that has some.
        let table = Arc::new(FileTable::new(schema, files.clone()));
        register_provider(self.context, schema, table)?;
        let before = Arc::new(FileTable::new(schema, files));
        let rows = is_known.then(|| Arc::new(FileTable::new(schema, Vec::new())) as _);
        // What has landed already is known.
        self.changes.entry(name.clone()).or_insert(Change { before, rows });
        self.assumed.insert(name);
        Ok(())
    }

    /// The rows and bytes of the files of the tables behind a query.
    fn to_read(&self, query: &Query) -> (u64, u64) {
        let files = |table: &String| match self.landed_files.get(table) {
            Some(files) => files.clone(),
            None => self.tables.get(table).map(TableEntry::carried).unwrap_or_default(),
        };
        let files: Vec<DataFile> = self.project.tables_behind(query).iter().flat_map(files).collect();
        rows_and_bytes(&files)
    }
}

fn rows_and_bytes(files: &[DataFile]) -> (u64, u64) {
    (files.iter().map(|file| file.rows).sum(), files.iter().map(|file| file.size).sum())
}

/// The columns by which a table can be made; or why there is none.
fn all_of(mut columns: Columns) -> (Vec<String>, Option<Why>) {
    let mut all: Vec<String> = match columns.fold() {
        Ok(Some((_, each))) => each.into_iter().map(|by| by.column).collect(),
        _ => Vec::new(),
    };
    loop {
        match columns.next_by() {
            Ok(Some(by)) => all.push(by.column),
            Err(error) if all.is_empty() => return (all, Some(Why::Failed(error.to_string()))),
            Ok(None) if all.is_empty() => return (all, Some(columns.why_none())),
            Ok(None) | Err(_) => return (all, None),
        }
    }
}
