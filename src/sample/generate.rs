//! Sample data of any size, by the queries in `queries/generate/`: the same numbers give the same bytes.
//!
//! The queries may read `contract_number` and `record_number` (one column, `value`, from 0), `$contracts`, `$records`,
//! `$months`, and each other. One that is named for a reference table makes that table's CSV; one that yields a column
//! `file` makes usage files, its rows in their order, each in the file that the column names; any other is there to be
//! read. What a contract is, the queries know.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl};
use datafusion::common::ScalarValue;
use datafusion::datasource::{TableProvider, ViewTable};
use datafusion::functions_table::generate_series::RangeFunc;
use datafusion::logical_expr::lit;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::engine::plan::{execution_error, planning_mistake};
use crate::engine::session::session;
use crate::error::{Error, Mistake, Result, While};
use crate::project::{Project, Query};

/// The column that names the file of a usage record.
const FILE: &str = "file";
/// Where usage files go, below the others.
const USAGE_FOLDER: &str = "usage/";

/// How much is generated.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Contracts, 16 at least: two blocks of eight.
    pub contracts: i64,
    /// Usage records.
    pub records: i64,
    /// Months of usage.
    pub months: i64,
}

/// How usage is written; reference data is always CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UsageFormat {
    /// One JSON object a line.
    Ndjson,
    /// With a header.
    Csv,
    /// zstd Parquet.
    Parquet,
}

/// Writes the sample into `folder`: `<table>.csv`, and `usage/<file>`. Each file's name and rows go to `notice`.
///
/// # Errors
/// A query that does not plan, or a folder that cannot be written.
pub async fn generate(
    project: &Project,
    size: Size,
    format: UsageFormat,
    folder: &Path,
    notice: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    if project.generate.is_empty() {
        return Err(Error::usage("the project has no queries/generate/", "write one query for each table"));
    }
    let planned = plans(project, size).await.map_err(|mistake| Error::Project(vec![mistake]))?;
    std::fs::create_dir_all(folder.join(USAGE_FOLDER)).during(|| format!("making {}", folder.display()))?;
    for (query, frame) in planned {
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let by_file = schema.fields().first().is_some_and(|field| field.name() == FILE);
        if !by_file && !project.schemas.contains_key(&query.name) {
            continue;
        }
        let mut rows = frame.execute_stream().await.map_err(|error| execution_error(&error, &query.name))?;
        let mut out = Files { folder, format, open: None, notice };
        if !by_file {
            out.reopen(&format!("{}.csv", query.name), &schema, UsageFormat::Csv)?;
        }
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| execution_error(&error, &query.name))?;
            if by_file { out.split(&batch)? } else { out.write(&batch)? }
        }
        out.close()?;
    }
    Ok(())
}

/// The queries with their plans, in reading order.
async fn plans(project: &Project, size: Size) -> Result<Vec<(&Query, DataFrame)>, Mistake> {
    let mut settings = project.settings.clone();
    // One thread keeps the rows in their order.
    settings.engine.threads = 1;
    let machine = |error: Error| Mistake {
        place: crate::error::Place { file: "queries/generate".into(), line: 0, column: 0 },
        what: error.to_string(),
        hint: String::new(),
    };
    let context = session(&settings, None).map_err(machine)?;
    for (name, count) in [("contract_number", size.contracts), ("record_number", size.records)] {
        let numbers = numbers(&context, count).and_then(|table| context.register_table(name, table));
        numbers.map_err(|error| planning_mistake(&error, "queries/generate"))?;
    }
    let values = [("contracts", size.contracts), ("records", size.records), ("months", size.months)];
    let values: Vec<_> =
        values.into_iter().map(|(name, value)| (name, ScalarValue::Int64(Some(value)))).collect();
    let mut queries: Vec<&Query> = project.generate.values().collect();
    queries.sort_by(|a, b| a.file.cmp(&b.file));
    let mut planned = Vec::new();
    for query in queries {
        let mistake = |error| planning_mistake(&error, &query.file);
        let state = context.state();
        let plan = state.statement_to_plan(query.statement()).await.map_err(mistake)?;
        let plan = plan.with_param_values(values.clone()).map_err(mistake)?;
        let view = ViewTable::new(plan.clone(), None);
        context.register_table(query.name.as_str(), Arc::new(view)).map_err(mistake)?;
        planned.push((query, DataFrame::new(state, plan)));
    }
    Ok(planned)
}

/// What does not plan in `queries/generate/`.
pub async fn check(project: &Project) -> Vec<Mistake> {
    plans(project, Size { contracts: 16, records: 1, months: 1 }).await.err().into_iter().collect()
}

/// The table of the numbers from 0 to `count`, exclusive.
fn numbers(context: &SessionContext, count: i64) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let bounds = [lit(0_i64), lit(count)];
    RangeFunc {}.call_with_args(TableFunctionArgs::new(&bounds, &context.state()))
}

/// The file that rows go to, one after the other.
struct Files<'a> {
    folder: &'a Path,
    format: UsageFormat,
    open: Option<(String, u64, Rows)>,
    notice: &'a (dyn Fn(&str) + Sync),
}

enum Rows {
    Csv(Box<arrow::csv::Writer<File>>),
    Ndjson(arrow::json::LineDelimitedWriter<File>),
    Parquet(Box<ArrowWriter<File>>),
}

impl Files<'_> {
    /// Closes the file before and opens another.
    fn reopen(&mut self, name: &str, schema: &SchemaRef, format: UsageFormat) -> Result<()> {
        self.close()?;
        let making = || format!("making {name}");
        let file = File::create(self.folder.join(name)).during(making)?;
        let rows = match format {
            UsageFormat::Csv => {
                Rows::Csv(Box::new(arrow::csv::WriterBuilder::new().with_header(true).build(file)))
            }
            UsageFormat::Ndjson => Rows::Ndjson(arrow::json::LineDelimitedWriter::new(file)),
            UsageFormat::Parquet => {
                let zstd = Compression::ZSTD(ZstdLevel::try_new(1).during(making)?);
                let properties = WriterProperties::builder().set_compression(zstd).build();
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).during(making)?;
                Rows::Parquet(Box::new(writer))
            }
        };
        self.open = Some((name.into(), 0, rows));
        Ok(())
    }

    /// Writes rows to the files that their first column names; rows of one file are neighbours.
    fn split(&mut self, batch: &RecordBatch) -> Result<()> {
        let working = || "splitting usage into files".to_string();
        let names =
            arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).during(working)?;
        let names = names.as_string::<i32>();
        let columns: Vec<usize> = (1..batch.num_columns()).collect();
        let rows = batch.project(&columns).during(working)?;
        let mut from = 0;
        while from < rows.num_rows() {
            let stem = names.value(from);
            let count = (from..rows.num_rows()).take_while(|row| names.value(*row) == stem).count();
            let extension = match self.format {
                UsageFormat::Csv => "csv",
                UsageFormat::Ndjson => "ndjson",
                UsageFormat::Parquet => "parquet",
            };
            let name = format!("{USAGE_FOLDER}{stem}.{extension}");
            if self.open.as_ref().is_none_or(|(open, ..)| *open != name) {
                self.reopen(&name, &rows.schema(), self.format)?;
            }
            self.write(&rows.slice(from, count))?;
            from += count;
        }
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some((name, count, rows)) = &mut self.open else { return Ok(()) };
        *count += batch.num_rows() as u64;
        match rows {
            Rows::Csv(writer) => writer.write(batch).during(|| format!("writing {name}")),
            Rows::Ndjson(writer) => writer.write(batch).during(|| format!("writing {name}")),
            Rows::Parquet(writer) => writer.write(batch).during(|| format!("writing {name}")),
        }
    }

    fn close(&mut self) -> Result<()> {
        let Some((name, count, rows)) = self.open.take() else { return Ok(()) };
        match rows {
            Rows::Csv(_) => {}
            Rows::Ndjson(mut writer) => writer.finish().during(|| format!("writing {name}"))?,
            Rows::Parquet(writer) => {
                writer.close().during(|| format!("writing {name}"))?;
            }
        }
        (self.notice)(&format!("{name}: {count} rows"));
        Ok(())
    }
}
