//! `meterhouse export`: files for the invoicing system, per customer or for a whole billing period.
//!
//! Owns how rows become files, and what the files are called. What is exported is written in `queries/export/`: each
//! query yields `customer_id` first and a `billing_period`, and its file bears its name. An HTML page is made of the
//! rows of these and of `queries/export/html/`. What always holds: the same rows give the same bytes; no more is held in
//! memory than a batch for each query, or the page of one customer; what an earlier export of the period wrote in the
//! same format is gone.

mod cells;
mod encode;
mod file_name;
mod manifest;
mod page;
mod sorted;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;

use self::encode::{Encoder, Form};
pub use self::file_name::folder_name;
use self::manifest::{FileEntry, Manifest, Totals};
use self::page::Pages;
use self::sorted::Sorted;
use self::target::FileWriter;
pub use self::target::Target;
use crate::error::{Error, Result};
use crate::output::Format;
use crate::project::{Project, Query};

/// What is exported.
#[derive(Debug, Clone)]
pub struct Request {
    /// The billing period, such as 2026-10.
    pub period: String,
    /// The instant that `$as_of` stands for, in microseconds since the epoch.
    pub as_of: i64,
    /// One file for the period instead of one for each customer.
    pub one_file: bool,
    /// CSV, JSON, NDJSON, Parquet or HTML.
    pub format: Format,
    /// The customers who are left out.
    pub parked: BTreeSet<String>,
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
}

/// How the export writes: rows in a form, or pages.
enum Way<'a> {
    Rows { form: Form, period: BTreeMap<&'a str, RowFile> },
    Pages(Box<Pages>),
}

/// Exports one billing period. After each customer `progress` hears how many there were.
///
/// # Errors
/// A format that is no file, a query that does not plan or run, a target that cannot be written.
pub async fn export(
    project: &Project,
    context: &SessionContext,
    target: &mut Target,
    request: &Request,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report> {
    let (extension, mut way) = way(project, request)?;
    let mut queries: Vec<&Query> = project.export.values().collect();
    if matches!(way, Way::Pages(_)) {
        queries.extend(project.page.values());
    }
    if queries.is_empty() {
        return Err(Error::usage("the project has no queries/export/", "write one query for each file"));
    }
    let mut inputs = Vec::new();
    for query in queries {
        inputs.push(Sorted::start(context, query, &request.period, request.as_of).await?);
    }
    let name = format!("{}/manifest-{extension}.json", request.period);
    target.clear(&name).await?;
    let parked: Vec<String> = request.parked.iter().cloned().collect();
    let manifest = Manifest::begin(target, &name, &request.period, extension, &parked).await?;
    let mut work = Work { target, manifest, period: &request.period };
    let mut customers = 0;
    while let Some(customer) = next_customer(&mut inputs).await? {
        if request.parked.contains(&customer) {
            skip(&mut inputs, &customer).await?;
            continue;
        }
        match &mut way {
            Way::Rows { form, period } if request.one_file => {
                work.add_to_period(&mut inputs, &customer, *form, period).await?;
            }
            Way::Rows { form, .. } => work.customer_files(&mut inputs, &customer, *form).await?,
            Way::Pages(pages) => work.page(&mut inputs, &customer, pages).await?,
        }
        customers += 1;
        progress(customers);
    }
    if let Way::Rows { period, .. } = way {
        for (name, file) in period {
            work.finish(file, name, None).await?;
        }
    }
    let files = work.manifest.finish(work.target).await?;
    Ok(Report { customers, files, manifest: name })
}

fn way<'a>(project: &Project, request: &Request) -> Result<(&'static str, Way<'a>)> {
    let form = match request.format {
        Format::Csv => Form::Csv,
        Format::Json => Form::Json,
        Format::Ndjson => Form::Ndjson,
        Format::Parquet => Form::Parquet,
        Format::Html if request.one_file => {
            return Err(Error::usage("a page belongs to one customer", "leave out --one-file"));
        }
        Format::Html => return Ok(("html", Way::Pages(Box::new(Pages::new(project)?)))),
        Format::Table | Format::Markdown => {
            let hint = "--format csv, json, ndjson, parquet or html";
            return Err(Error::usage("an export is made of files, not of tables on a screen", hint));
        }
    };
    Ok((form.extension(), Way::Rows { form, period: BTreeMap::new() }))
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
}

impl Work<'_> {
    /// A file for each query that has rows of the customer.
    async fn customer_files(&mut self, inputs: &mut [Sorted<'_>], customer: &str, form: Form) -> Result<()> {
        let folder = format!("{}/{}", self.period, folder_name(customer));
        for input in inputs {
            let mut open = None;
            while let Some(rows) = input.of(customer).await? {
                let file = match &mut open {
                    Some(file) => file,
                    none => none.insert(self.open(&folder, input, form)?),
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
        form: Form,
        files: &mut BTreeMap<&'a str, RowFile>,
    ) -> Result<()> {
        for input in inputs {
            if !files.contains_key(input.name()) {
                files.insert(input.name(), self.open(self.period, input, form)?);
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

    fn open(&self, folder: &str, input: &Sorted<'_>, form: Form) -> Result<RowFile> {
        Ok(RowFile {
            out: self.target.file(&format!("{folder}/{}.{}", input.name(), form.extension()))?,
            encoder: Encoder::new(form, input.schema())?,
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
