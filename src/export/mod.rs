//! `meterhouse export`: files for the invoicing system, per customer or for a whole billing period.
//!
//! Owns how rows become files, and what the files are called. What is exported is written in `queries/export/`: each
//! query yields `customer_id` first and a `billing_period`, and its file bears its name. An HTML page is made of the
//! rows of these and of `queries/export/html/`. What always holds: the same rows give the same bytes; no more is held
//! in memory than a batch for each query, or the page of one customer; what an earlier export of the period wrote in
//! the same format is gone.

mod file_name;
mod manifest;
mod page;
mod sorted;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::cast as cast_expr;
use datafusion::prelude::{SessionContext, col, lit};

pub use self::file_name::folder_name;
use self::manifest::{About, FileEntry, Manifest, Totals};
use self::page::Pages;
use self::sorted::{Customers, Sorted};
pub use self::sorted::{Whose, rows};
use self::target::{FileWriter, Target};
use crate::catalog;
use crate::encode::{Encoder, Format};
use crate::engine::plan::{BILLING_PERIOD, CUSTOMER, execution_error, plan};
use crate::error::{Error, Result, While};
use crate::ledger::Entry;
use crate::project::{INVOICE_LINE, Project, Query};
use crate::run;
use crate::store::warehouse::Warehouse;

/// The column of lines that says how many records are behind each.
const RECORD_COUNT: &str = "record_count";
/// Memory for each record of the customers that are asked for at once: it is joined, and sorted three times.
const BYTES_OF_RECORD: usize = 4096;

/// What is exported.
#[derive(Debug, Clone)]
pub struct Request {
    /// The billing period, such as 2026-10.
    pub period: String,
    /// The instant that `$as_of` stands for, in microseconds since the epoch.
    pub as_of: i64,
    /// A directory, or an `s3://`, `gs://` or `az://` URL.
    pub to: String,
    /// One file for the period instead of one for each customer.
    pub one_file: bool,
    /// CSV, JSON, NDJSON, Parquet or HTML.
    pub format: Format,
}

/// What was exported.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Customers.
    pub customers: u64,
    /// Files, without the manifest.
    pub files: u64,
    /// Where the manifest is, below the target.
    pub manifest: String,
    /// The customers who were left out, with the check that holds them back.
    pub parked: Vec<(String, String)>,
}

/// What the reader of the files has to know. Its text is a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The period is not closed.
    Draft {
        /// The billing period.
        period: String,
    },
    /// Usage has landed that is not in it.
    Later {
        /// The run that it shows.
        run: u64,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft { period } => {
                write!(text, "warning: {period} is not closed: what is exported is a draft")
            }
            Self::Later { run } => {
                write!(text, "warning: usage landed after run {run}, and is not in this export")
            }
        }
    }
}

/// How the export writes: rows, those of a whole period among them, or pages.
enum Way<'a> {
    Rows(BTreeMap<&'a str, RowFile>),
    Pages(Box<Pages>),
}

/// Exports one billing period as the last run published it. After each customer `progress` hears how many there were;
/// `remark` hears what the reader of the files has to know.
///
/// # Errors
/// A project that has changed since it was published, a period that has nothing to export, a format that is not a file,
/// a query that does not plan or run, a target that cannot be written. Nothing is removed before the queries have
/// begun to yield rows.
pub async fn export(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    remark: &(dyn Fn(Remark) + Sync),
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report> {
    let mut way = way(project, request)?;
    let extension = request.format.extension();
    let Some(head) = catalog::open(project, warehouse, context, request.as_of).await? else {
        return Err(Error::usage("nothing was published yet", "meterhouse run"));
    };
    up_to_date(project, warehouse, &head, &request.period, remark).await?;
    let state = if head.is_closed(&request.period) { "closed" } else { "draft" };
    let mut queries: Vec<&Query> = project.export.values().collect();
    if let Way::Pages(pages) = &way {
        queries.extend(project.page.values());
        queries.retain(|query| pages.shows(&query.name));
    }
    if queries.is_empty() {
        return Err(Error::usage("the project has no queries/export/", "write one query for each file"));
    }
    let known = customers_of(context, &queries, request).await?;
    // They are asked for part by part, so that the statement of each part fits in memory.
    let parts = Customers::in_parts(&known, (project.settings.engine.memory_mb << 20) / BYTES_OF_RECORD);
    if known.is_empty() {
        let what = format!("there is nothing to export for {}", request.period);
        return Err(Error::data(what, "`meterhouse status` shows the billing periods that have lines"));
    }
    if !head.is_closed(&request.period) {
        remark(Remark::Draft { period: request.period.clone() });
    }
    let mut target = Target::open(&request.to).await?;
    let name = format!("{}/manifest-{extension}.json", request.period);
    let mut contents: BTreeSet<&str> = queries.iter().map(|query| query.name.as_str()).collect();
    contents.extend(matches!(way, Way::Pages(_)).then_some(page::TEMPLATE));
    target.clear(&request.period, &name, extension, &contents).await?;
    let parked: BTreeSet<String> = head.parked.iter().map(|(customer, _)| customer.clone()).collect();
    let about = About { billing_period: &request.period, format: extension, state, parked: &parked };
    let manifest = Manifest::begin(&target, &name, &about).await?;
    let mut work = Work { target: &mut target, manifest, period: &request.period, format: request.format };
    let mut customers = 0;
    for part in &parts {
        let mut inputs = Vec::new();
        for query in &queries {
            inputs.push(Sorted::start(context, query, &request.period, part, request.as_of).await?);
        }
        while let Some(customer) = next_customer(&mut inputs).await? {
            if parked.contains(&customer) {
                skip(&mut inputs, &customer).await?;
                continue;
            }
            match &mut way {
                Way::Rows(period) if request.one_file => {
                    work.add_to_period(&mut inputs, &customer, period).await?;
                }
                Way::Rows(_) => work.customer_files(&mut inputs, &customer).await?,
                Way::Pages(pages) => work.page(&mut inputs, &customer, pages).await?,
            }
            customers += 1;
            progress(customers);
        }
    }
    if let Way::Rows(period) = way {
        for (name, file) in period {
            work.finish(file, name, None).await?;
        }
    }
    let files = work.manifest.finish(work.target).await?;
    Ok(Report { customers, files, manifest: name, parked: head.parked })
}

/// The customers of the period, each with the number of records behind its lines; where there is no line, those whom
/// the first query with rows names.
async fn customers_of(
    context: &SessionContext,
    queries: &[&Query],
    request: &Request,
) -> Result<BTreeMap<String, u64>> {
    let of_period = || col(BILLING_PERIOD).eq(lit(&request.period));
    let failed = |error: DataFusionError| execution_error(&error, INVOICE_LINE);
    if let Ok(lines) = context.table(INVOICE_LINE).await {
        let records = cast_expr(sum(col(RECORD_COUNT)), DataType::UInt64);
        let frame = lines
            .filter(of_period())
            .and_then(|frame| frame.aggregate(vec![col(CUSTOMER)], vec![sum(col(RECORD_COUNT))]))
            .and_then(|frame| frame.select(vec![col(CUSTOMER), records]));
        // A project may have lines of another shape.
        if let Ok(frame) = frame {
            let customers = counted(&frame.collect().await.map_err(failed)?)?;
            if !customers.is_empty() {
                return Ok(customers);
            }
        }
    }
    let mut customers = BTreeMap::new();
    for query in queries {
        if !customers.is_empty() {
            break;
        }
        let failed = |error: DataFusionError| execution_error(&error, &query.name);
        let frame = plan(context, query, request.as_of).await?;
        let customer = col(Column::from_name(frame.schema().field(0).name()));
        let frame = frame
            .filter(of_period())
            .and_then(|frame| frame.aggregate(vec![customer.clone()], vec![count(lit(1)).alias("rows")]))
            .and_then(|frame| frame.select(vec![customer, cast_expr(col("rows"), DataType::UInt64)]));
        customers = counted(&frame.map_err(failed)?.collect().await.map_err(failed)?)?;
    }
    Ok(customers)
}

/// Rows of a customer and a number.
fn counted(rows: &[arrow::array::RecordBatch]) -> Result<BTreeMap<String, u64>> {
    let working = || "reading the customers".to_string();
    let mut customers = BTreeMap::new();
    for batch in rows {
        let names = cast(batch.column(0), &DataType::Utf8).during(working)?;
        let numbers = batch.column(1).as_primitive::<UInt64Type>();
        for (name, number) in names.as_string::<i32>().iter().zip(numbers) {
            customers.insert(name.unwrap_or_default().to_string(), number.unwrap_or_default());
        }
    }
    Ok(customers)
}

/// Refuses to export what the project no longer says: prices and rules that were changed and not run.
async fn up_to_date(
    project: &Project,
    warehouse: &Warehouse,
    head: &Entry,
    period: &str,
    remark: &(dyn Fn(Remark) + Sync),
) -> Result<()> {
    if let Some(other) = head.period.as_ref().filter(|other| *other != period) {
        let what = format!("{period} may be out of date: run {} was for {other} only", head.run);
        return Err(Error::data(
            what,
            format!("meterhouse run --period {period}, or for all: meterhouse run"),
        ));
    }
    let news = run::news(project, warehouse, head).await?;
    if let Some(changed) = news.changed {
        let what = format!("{period} is out of date: {changed} changed after run {}", head.run);
        return Err(Error::data(what, "meterhouse run, then export"));
    }
    if news.has_landed {
        remark(Remark::Later { run: head.run });
    }
    Ok(())
}

fn way<'a>(project: &Project, request: &Request) -> Result<Way<'a>> {
    match request.format {
        Format::Csv | Format::Json | Format::Ndjson | Format::Parquet => Ok(Way::Rows(BTreeMap::new())),
        Format::Html if request.one_file => {
            Err(Error::usage("a page belongs to one customer", "leave out --one-file"))
        }
        Format::Html => Ok(Way::Pages(Box::new(Pages::new(project)?))),
        Format::Table | Format::Markdown | Format::Arrow => {
            let hint = "--format csv, json, ndjson, parquet or html";
            if request.format == Format::Arrow {
                return Err(Error::usage("a stream of Arrow is an answer of the service, and no file", hint));
            }
            Err(Error::usage("an export is made of files, not of tables on a screen", hint))
        }
    }
}

/// The first customer of whom any input has rows.
async fn next_customer(inputs: &mut [Sorted<'_>]) -> Result<Option<String>> {
    let mut next: Option<String> = None;
    for input in inputs {
        if let Some(customer) = input.customer().await?
            && next.as_deref().is_none_or(|next| customer < next)
        {
            next = Some(customer.into());
        }
    }
    Ok(next)
}

async fn skip(inputs: &mut [Sorted<'_>], customer: &str) -> Result<()> {
    for input in inputs {
        while input.of(customer).await?.is_some() {}
    }
    Ok(())
}

/// A file of rows that is being written.
struct RowFile {
    out: FileWriter,
    encoder: Encoder,
    totals: Totals,
}

/// What files are added to.
struct Work<'a> {
    target: &'a mut Target,
    manifest: Manifest,
    period: &'a str,
    format: Format,
}

impl Work<'_> {
    /// A file for each query that has rows of the customer.
    async fn customer_files(&mut self, inputs: &mut [Sorted<'_>], customer: &str) -> Result<()> {
        let folder = format!("{}/{}", self.period, folder_name(customer));
        for input in inputs {
            let mut open = None;
            while let Some(rows) = input.of(customer).await? {
                let file = match &mut open {
                    Some(file) => file,
                    none => none.insert(self.open(&folder, input)?),
                };
                file.write(&rows).await?;
            }
            if let Some(file) = open {
                self.finish(file, input.name(), Some(customer)).await?;
            }
        }
        Ok(())
    }

    /// The rows of the customer to the files of the period.
    async fn add_to_period<'a>(
        &mut self,
        inputs: &mut [Sorted<'a>],
        customer: &str,
        files: &mut BTreeMap<&'a str, RowFile>,
    ) -> Result<()> {
        for input in inputs {
            if !files.contains_key(input.name()) {
                files.insert(input.name(), self.open(self.period, input)?);
            }
            let Some(file) = files.get_mut(input.name()) else { continue };
            while let Some(rows) = input.of(customer).await? {
                file.write(&rows).await?;
            }
        }
        Ok(())
    }

    /// The customer's page.
    async fn page(&mut self, inputs: &mut [Sorted<'_>], customer: &str, pages: &Pages) -> Result<()> {
        let page = pages.render(inputs, customer, self.period).await?;
        let path = format!("{}/{}/{}.html", self.period, folder_name(customer), page::TEMPLATE);
        let mut out = self.target.file(&path)?;
        out.write(page.text.into_bytes()).await?;
        let written = out.finish(self.target).await?;
        let entry = FileEntry {
            path,
            content: page::TEMPLATE.into(),
            customer_id: Some(customer.into()),
            rows: page.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            totals: Vec::new(),
        };
        self.manifest.add(&entry, &Totals::rows(page.rows)).await
    }

    fn open(&self, folder: &str, input: &Sorted<'_>) -> Result<RowFile> {
        Ok(RowFile {
            out: self.target.file(&format!("{folder}/{}.{}", input.name(), self.format.extension()))?,
            encoder: Encoder::for_file(self.format, input.schema())?,
            totals: Totals::by(input.totals_by()),
        })
    }

    async fn finish(&mut self, file: RowFile, content: &str, customer: Option<&str>) -> Result<()> {
        let RowFile { mut out, encoder, totals } = file;
        out.write(encoder.finish()?).await?;
        let path = out.path().to_string();
        let written = out.finish(self.target).await?;
        let entry = FileEntry {
            path,
            content: content.into(),
            customer_id: customer.map(String::from),
            rows: totals.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            totals: totals.shown(),
        };
        self.manifest.add(&entry, &totals).await
    }
}

impl RowFile {
    async fn write(&mut self, rows: &arrow::array::RecordBatch) -> Result<()> {
        self.totals.add(rows)?;
        self.out.write(self.encoder.rows(rows)?).await
    }
}
