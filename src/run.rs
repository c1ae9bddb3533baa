//! One run: pin what has landed, bring every table up to date, check, publish.
//!
//! A run is a function of the queries, the reference files, the landed records and the as-of. It reads no clock; where
//! nothing that it depends on has changed, it does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

use crate::config;
use crate::data_file::TableWriter;
use crate::error::{Error, Place, Result, While};
use crate::land::{self, Landed, acknowledged, acknowledged_files};
use crate::plan::plan;
use crate::primary_key::check_key;
use crate::project::{LANDED, Project, Query};
use crate::publish::{self, Entry, TableEntry};
use crate::refresh::{fingerprint, is_limited, rebuild};
use crate::schema::TableSchema;
use crate::table::FileTable;
use crate::warehouse::{DataFile, Warehouse};

/// The column by which a check says whose lines are held back.
const CUSTOMER: &str = "customer_id";
/// Rows of a failed check that a message shows.
const ROWS_SHOWN: usize = 10;

/// Who hears of each step as it ends.
pub type Notice<'a> = &'a (dyn Fn(&str) + Sync);

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The instant it is made for, in microseconds since the epoch.
    pub as_of: i64,
    /// The same as text, RFC 3339.
    pub as_of_text: String,
    /// The one billing period whose cycle-grain tables are made; none: all.
    pub period: Option<String>,
}

/// What happened to one table.
#[derive(Debug, Clone)]
pub struct Step {
    /// The table.
    pub table: String,
    /// `snapshot`, `rebuild`, or `same` where it was made again and had the same rows.
    pub way: &'static str,
    /// Its rows now.
    pub rows: u64,
    /// How long it took.
    pub took: Duration,
}

/// What a run did.
#[derive(Debug)]
pub struct Report {
    /// The files landed from inboxes.
    pub landed: Vec<Landed>,
    /// The tables that were made; those that were skipped are left out.
    pub steps: Vec<Step>,
    /// The tables that nothing had changed for.
    pub skipped: usize,
    /// The number it was published under; none where there was nothing to do.
    pub published: Option<u64>,
    /// The customers that a check holds back, with the check.
    pub parked: Vec<(String, String)>,
    /// How many checks held.
    pub checks: usize,
}

/// A session with every table of a published run, and the landed ones as they are now.
pub async fn open(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    as_of: i64,
) -> Result<Option<Entry>> {
    let head = publish::head(warehouse).await?;
    let landed = pin(warehouse).await?;
    for schema in project.schemas.values() {
        let files = match landed.get(&schema.name) {
            Some((_, files)) => files.clone(),
            None => head
                .as_ref()
                .and_then(|head| head.tables.get(&schema.name))
                .map(|table| table.files.clone())
                .unwrap_or_default(),
        };
        register(context, schema, files)?;
    }
    for name in &project.order {
        if !project.schemas.contains_key(name) {
            register_view(context, &project.queries[name], as_of).await?;
        }
    }
    Ok(head)
}

/// The landed tables' files that belong to acknowledged landings. `landing` is read first: a landing commits it last,
/// so that whatever it names is there in the others.
async fn pin(warehouse: &Warehouse) -> Result<BTreeMap<String, (u64, Vec<DataFile>)>> {
    let (version, landing) = warehouse.delta_files("landing").await?;
    let landings = acknowledged(&landing);
    let mut pinned = BTreeMap::from([("landing".to_string(), (version, landing))]);
    for table in LANDED {
        if table != "landing" {
            let (version, files) = warehouse.delta_files(table).await?;
            pinned.insert(table.to_string(), (version, acknowledged_files(files, &landings)));
        }
    }
    Ok(pinned)
}

fn register(context: &SessionContext, schema: &TableSchema, files: Vec<DataFile>) -> Result<()> {
    context.deregister_table(schema.name.as_str()).during(|| format!("opening {}", schema.name))?;
    context
        .register_table(schema.name.as_str(), Arc::new(FileTable::new(schema, files)))
        .during(|| format!("opening {}", schema.name))?;
    Ok(())
}

async fn register_view(context: &SessionContext, query: &Query, as_of: i64) -> Result<()> {
    let frame = plan(context, query, as_of).await.map_err(|mistake| Error::Project(vec![mistake]))?;
    let view = ViewTable::new(frame.logical_plan().clone(), None);
    context
        .register_table(query.name.as_str(), Arc::new(view))
        .during(|| format!("opening {}", query.name))?;
    Ok(())
}

/// Runs and publishes; `notice` hears of each step as it ends.
pub async fn run(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    notice: Notice<'_>,
) -> Result<Report> {
    let head = publish::recover(warehouse, project).await?;
    if head.is_none() {
        warehouse.probe().await?;
    }
    let landed =
        land::land_inboxes(project, warehouse, context, &|one| notice(&describe_landed(one))).await?;
    let mut run = Run::start(project, warehouse, context, request, head).await?;
    run.snapshot_references().await?;
    let references: BTreeSet<&str> = project.reference().map(|schema| schema.name.as_str()).collect();
    // Two prices in force at one instant are found before anything is rated.
    let (first, last): (Vec<&Query>, Vec<&Query>) = project
        .checks
        .values()
        .partition(|check| check.reads.keys().all(|name| references.contains(name.as_str())));
    let mut parked = if run.steps.is_empty() { Vec::new() } else { run.check(&first).await? };
    for name in &project.order {
        let query = &project.queries[name];
        match project.schemas.get(name) {
            Some(schema) => run.refresh(schema, query, notice).await?,
            None => register_view(context, query, request.as_of).await?,
        }
    }
    if !run.has_news() {
        run.discard().await?;
        let parked = run.head.map(|head| head.parked).unwrap_or_default();
        let skipped = run.tables.len();
        return Ok(Report { landed, steps: Vec::new(), skipped, published: None, parked, checks: 0 });
    }
    parked.extend(run.check(&last).await?);
    parked.sort();
    parked.dedup();
    let entry = Entry {
        schema_version: 1,
        run: run.number,
        as_of: request.as_of_text.clone(),
        period: request.period.clone(),
        inputs: run.inputs,
        tables: run.tables,
        parked: parked.clone(),
    };
    publish::publish(warehouse, project, &entry).await?;
    let skipped = entry.tables.len() - run.steps.len();
    let broken: BTreeSet<&String> = parked.iter().map(|(_, check)| check).collect();
    let checks = project.checks.len() - broken.len();
    Ok(Report { landed, steps: run.steps, skipped, published: Some(entry.run), parked, checks })
}

/// `usage.ndjson: 1000 received, 2 rejected`, and a line for each thing wrong with the file as a whole.
pub fn describe_landed(landed: &Landed) -> String {
    if landed.before {
        return format!("{}: landed before, as landing {}", landed.file, landed.landing_id);
    }
    let (file, received, rejected) = (&landed.file, landed.received, landed.rejected);
    let mut text = format!("{file}: {received} received, {rejected} rejected");
    for warning in &landed.warnings {
        text.push_str(&format!("\n{file}: {warning}"));
    }
    text
}

struct Run<'a> {
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a Request,
    head: Option<Entry>,
    number: u64,
    /// Names the files of this attempt, so that two runners never write one path.
    stem: String,
    inputs: BTreeMap<String, u64>,
    /// What each landed table holds, as far as fingerprints are concerned.
    landed: BTreeMap<String, String>,
    tables: BTreeMap<String, TableEntry>,
    steps: Vec<Step>,
}

impl<'a> Run<'a> {
    async fn start(
        project: &'a Project,
        warehouse: &'a Warehouse,
        context: &'a SessionContext,
        request: &'a Request,
        head: Option<Entry>,
    ) -> Result<Self> {
        let number = head.as_ref().map_or(0, |head| head.run) + 1;
        let attempt = uuid::Uuid::new_v4().simple().to_string();
        let mut inputs = BTreeMap::new();
        let mut landed = BTreeMap::new();
        for (table, (version, files)) in pin(warehouse).await? {
            inputs.insert(table.clone(), version);
            landed.insert(table.clone(), fingerprint(files.iter().map(|file| file.path.as_str())));
            register(context, &project.schemas[&table], files)?;
        }
        Ok(Self {
            project,
            warehouse,
            context,
            request,
            head,
            number,
            stem: format!("run-{number:06}-{}", &attempt[..8]),
            inputs,
            landed,
            tables: BTreeMap::new(),
            steps: Vec::new(),
        })
    }

    fn before(&self, table: &str) -> TableEntry {
        let before = self.head.as_ref().and_then(|head| head.tables.get(table));
        before.cloned().unwrap_or_default()
    }

    /// Takes the reference files that changed into the warehouse; all unreadable lines are reported at once.
    async fn snapshot_references(&mut self) -> Result<()> {
        let mut mistakes = Vec::new();
        for schema in self.project.reference() {
            let started = Instant::now();
            let paths = reference_files(self.project, &schema.name)?;
            if paths.is_empty() {
                let columns: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
                return Err(Error::Data {
                    what: format!("the reference table `{0}` has no file data/{0}.csv", schema.name),
                    place: Some(Place { file: schema.file.clone(), line: 0, column: 0 }),
                    hint: format!(
                        "write a CSV with the header {}, or name one under [reference] in {}",
                        columns.join(","),
                        config::FILE
                    ),
                });
            }
            let mut texts = vec![schema.text.clone()];
            for path in &paths {
                let bytes = std::fs::read(path).during(|| format!("reading {}", path.display()))?;
                texts.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            let fingerprint = fingerprint(texts.iter().map(String::as_str));
            let before = self.before(&schema.name);
            if before.fingerprint == fingerprint {
                register(self.context, schema, before.files.clone())?;
                self.tables.insert(schema.name.clone(), before);
                continue;
            }
            let mut batches = Vec::new();
            let found_before = mistakes.len();
            for path in &paths {
                match land::read_reference(self.project, schema, path) {
                    Ok(read) => batches.extend(read),
                    Err(Error::Project(found)) => mistakes.extend(found),
                    Err(error) => return Err(error),
                }
            }
            if mistakes.len() > found_before {
                continue;
            }
            let mut writer = TableWriter::new(self.context, self.warehouse, schema, self.stem.clone())?;
            for batch in &batches {
                writer.write(batch).await?;
            }
            let files = writer.finish().await?.files;
            let paths: Vec<String> = paths.iter().map(|path| self.project.shown(path)).collect();
            let hint = format!(
                "what was published before is unchanged; keep one of the lines in {}",
                paths.join(" and ")
            );
            check_key(self.context, schema, &files, &hint).await?;
            self.keep(schema, before, files, fingerprint, "snapshot", started).await?;
        }
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Project(mistakes)) }
    }

    /// Brings one table up to date.
    async fn refresh(&mut self, schema: &TableSchema, query: &Query, notice: Notice<'_>) -> Result<()> {
        let started = Instant::now();
        let period = self.request.period.as_deref().filter(|_| is_limited(self.project, schema, query));
        let mut depends = vec![self.project.text_behind(query), schema.text.clone()];
        for table in self.project.tables_behind(query) {
            let content = match self.landed.get(&table) {
                Some(landed) => landed.clone(),
                None => self.tables.get(&table).map(TableEntry::content).unwrap_or_default(),
            };
            depends.push(format!("{table} {content}"));
        }
        if self.project.reads_as_of(query) {
            depends.push(self.request.as_of_text.clone());
        }
        // Made for one period, a table is not up to date for a run of all.
        depends.extend(period.map(|period| format!("only {period}")));
        let fingerprint = fingerprint(depends.iter().map(String::as_str));
        let before = self.before(&schema.name);
        if before.fingerprint == fingerprint {
            register(self.context, schema, before.files.clone())?;
            self.tables.insert(schema.name.clone(), before);
            return Ok(());
        }
        let frame = plan(self.context, query, self.request.as_of)
            .await
            .map_err(|mistake| Error::Project(vec![mistake]))?;
        let (mut files, may_repeat) =
            rebuild(self.context, self.warehouse, schema, frame, period, &self.stem).await.map_err(
                |error| match error {
                    Error::Data { what, place, hint } => {
                        let place =
                            place.or_else(|| Some(Place { file: query.file.clone(), line: 0, column: 0 }));
                        Error::Data { what, place, hint }
                    }
                    other => other,
                },
            )?;
        if let Some(period) = period {
            let others =
                before.files.iter().filter(|file| file.partition.values().all(|value| value != period));
            files.extend(others.cloned());
            files.sort();
        }
        let hint = "what was published before is unchanged; a join in the query finds two rows for one";
        if may_repeat || period.is_some() {
            check_key(self.context, schema, &files, hint).await?;
        }
        self.keep(schema, before, files, fingerprint, "rebuild", started).await?;
        if let Some(step) = self.steps.last().filter(|step| step.table == schema.name) {
            let seconds = step.took.as_secs_f64();
            notice(&format!("{} {}: {} rows ({seconds:.1} s)", step.way, step.table, step.rows));
        }
        Ok(())
    }

    /// Takes a table's new files, or keeps the old ones where the rows are the same.
    async fn keep(
        &mut self,
        schema: &TableSchema,
        before: TableEntry,
        files: Vec<DataFile>,
        fingerprint: String,
        way: &'static str,
        started: Instant,
    ) -> Result<()> {
        let is_first = before.changed_in == 0;
        let made = TableEntry { changed_in: self.number, fingerprint, files };
        let is_same = !is_first && made.content() == before.content();
        let entry = if is_same {
            self.delete_new(schema, &made.files, &before.files).await?;
            TableEntry { fingerprint: made.fingerprint, ..before }
        } else {
            made
        };
        register(self.context, schema, entry.files.clone())?;
        let way = if is_same { "same" } else { way };
        let (table, rows, took) = (schema.name.clone(), entry.rows(), started.elapsed());
        self.steps.push(Step { table, way, rows, took });
        self.tables.insert(schema.name.clone(), entry);
        Ok(())
    }

    async fn delete_new(&self, schema: &TableSchema, new: &[DataFile], old: &[DataFile]) -> Result<()> {
        use object_store::ObjectStoreExt;
        for file in new.iter().filter(|file| !old.contains(file)) {
            let path = object_store::path::Path::from(format!("{}/{}", schema.name, file.path));
            self.warehouse.store().delete(&path).await.during(|| format!("deleting {path}"))?;
        }
        Ok(())
    }

    /// Whether there is anything to publish: a changed table, or one that need not be made again next time.
    fn has_news(&self) -> bool {
        let Some(head) = &self.head else { return true };
        self.tables.iter().any(|(name, table)| match head.tables.get(name) {
            None => true,
            Some(before) => {
                // What reads the as-of is made again whenever that moves; the same rows are no news.
                let by_as_of =
                    self.project.queries.get(name).is_some_and(|query| self.project.reads_as_of(query));
                table.files != before.files || (!by_as_of && table.fingerprint != before.fingerprint)
            }
        })
    }

    /// Nothing was published, so nothing is left behind.
    async fn discard(&self) -> Result<()> {
        for step in self.steps.iter().filter(|step| step.way != "same") {
            let before = self.before(&step.table);
            self.delete_new(
                &self.project.schemas[&step.table],
                &self.tables[&step.table].files,
                &before.files,
            )
            .await?;
        }
        Ok(())
    }

    /// Runs checks; their rows stop the run, or park the customers they name.
    async fn check(&self, checks: &[&Query]) -> Result<Vec<(String, String)>> {
        let mut parked = Vec::new();
        let mut failed = Vec::new();
        for check in checks {
            let frame = plan(self.context, check, self.request.as_of)
                .await
                .map_err(|mistake| Error::Project(vec![mistake]))?;
            let rows =
                frame.collect().await.map_err(|error| crate::plan::execution_error(&error, &check.name))?;
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            if count == 0 {
                continue;
            }
            let customers = customers(&rows)?;
            if customers.is_empty() {
                failed.push((check, rows, count));
            }
            parked.extend(customers.into_iter().map(|customer| (customer, check.name.clone())));
        }
        let Some((check, _, _)) = failed.first() else { return Ok(parked) };
        let place = Some(Place { file: check.file.clone(), line: 0, column: 0 });
        let mut what = "nothing was published:".to_string();
        for (check, rows, count) in &failed {
            what.push_str(&format!(
                " check `{}` found {count} row{}\n{}\n",
                check.name,
                if *count == 1 { "" } else { "s" },
                first_rows(rows)?
            ));
        }
        let hint = "mend what the rows show and run again; what was published before is unchanged".into();
        Err(Error::Data { what: what.trim_end().into(), place, hint })
    }
}

/// The customers that a check's rows name; none where a row names nobody.
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

fn first_rows(rows: &[RecordBatch]) -> Result<String> {
    let mut left = ROWS_SHOWN;
    let mut shown = Vec::new();
    for batch in rows {
        let some = batch.slice(0, batch.num_rows().min(left));
        left -= some.num_rows();
        shown.push(some);
    }
    Ok(pretty_format_batches(&shown).during(|| "showing a check's rows".into())?.to_string())
}

/// The CSV files of a reference table: `data/<table>.csv` and those of that name in the folders of `data/`.
fn reference_files(project: &Project, table: &str) -> Result<Vec<PathBuf>> {
    let patterns = match project.settings.reference.get(table) {
        Some(path) => vec![config::path(&project.root, path)?],
        None => ["data/", "data/*/"].map(|folder| project.root.join(format!("{folder}{table}.csv"))).into(),
    };
    let mut files = Vec::new();
    for pattern in patterns {
        let found = glob::glob(&pattern.to_string_lossy()).during(|| format!("looking for {table}.csv"))?;
        for file in found {
            files.push(file.during(|| format!("looking for {table}.csv"))?);
        }
    }
    Ok(files)
}
