//! Files of foreign shape, made usage records by a query under `queries/landing/`.
//!
//! The query reads one table, `file`: the file's own columns and what [`own_columns`] adds. A column that the file does
//! not have is a mistake: for CSV and Parquet when the query is planned, for JSON, where each record names its fields
//! itself, when the file has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use meterhouse_sql::name::nearest;

use super::Chunks;
use super::columnar;
use super::reader::{self, RawChunk};
use super::record::{LandedChunk, RecordShape, RecordWriter, Sink};
use super::source::Readable;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::{Query, USAGE_RECORD};

/// The table that a landing query selects from.
pub const FILE_TABLE: &str = "file";

/// The file's name without its folders.
const FILE: &str = "_file";
/// The SHA-256 of its bytes.
const HASH: &str = "_hash";
/// The number of the record in it, from 1.
const ROW: &str = "_row";
/// The line that the record begins on.
const LINE: &str = "_line";
/// The text of the record; Parquet has none.
const TEXT: &str = "_text";

/// What `file` has besides the file's own columns.
fn own_columns() -> [Field; 5] {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    [text(FILE), text(HASH), number(ROW), number(LINE), text(TEXT)]
}

/// Maps the chunks of one file, in their order.
pub(super) struct Mapping {
    context: SessionContext,
    query: Query,
    writer: RecordWriter,
    shape: RecordShape,
    /// The file's name without its folders, and the hash of its bytes.
    file: (String, String),
}

/// The names of the fields that a file had, where its records name them.
type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Records that are mapped at a time.
const MAPPED_ROWS: usize = 65_536;

/// Names that are kept to suggest one; a file with more is not helped by a list.
const SUGGESTED: usize = 1000;

impl Mapping {
    pub(super) fn new(
        context: &SessionContext,
        query: &Query,
        file: &Readable,
        writer: RecordWriter,
        shape: &RecordShape,
    ) -> Self {
        let name = file.name.rsplit(['/', '\\']).next().unwrap_or(&file.name).to_owned();
        Self {
            context: context.clone(),
            query: query.clone(),
            writer,
            shape: shape.clone(),
            file: (name, file.content.clone()),
        }
    }

    /// Reads a file and maps it, chunk by chunk.
    pub(super) async fn feed(mut self, file: &Readable, into: &Chunks) -> Result<()> {
        let plan = landing_plan(&self.context, &self.query, file_schema(&self.query), Vec::new()).await?;
        let mistakes = outputs(&self.query, &plan, &self.shape).mistakes;
        if !mistakes.is_empty() {
            return Err(Error::Project(mistakes));
        }
        let used = used_columns(&plan)?;
        let names = reader::field_names(file.input())?;
        let columns = match &names {
            Some(names) => {
                let unknown = unknown_columns(&self.context, &self.query, names).await?;
                if let Some(mistake) = unknown.filter(|_| !names.is_empty()) {
                    return Err(Error::Project(vec![mistake]));
                }
                names.iter().filter(|name| self.query.names.contains_key(*name)).cloned().collect()
            }
            None => foreign_names(&self.query),
        };
        let seen = Seen::default();
        let hears = Arc::clone(&seen);
        let (is_json, wanted) = (names.is_none(), used.clone());
        let hear = move |name: &str| {
            let mut seen = hears.lock().unwrap_or_else(PoisonError::into_inner);
            if is_json && (seen.len() < SUGGESTED || wanted.contains(name)) {
                seen.insert(name.to_owned());
            }
        };
        let mut has_rows = false;
        for raw in reader::read_raw(file.input(), &columns, MAPPED_ROWS, hear)? {
            let raw = raw?;
            has_rows |= !raw.rows.is_empty();
            let chunk = self.map(raw).await?;
            if into.send(Ok(chunk)).await.is_err() {
                return Ok(());
            }
        }
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        if is_json && has_rows { self.check_fields(&used, &seen) } else { Ok(()) }
    }

    /// Refuses a query that names a field which no record of the file has.
    fn check_fields(&self, used: &BTreeSet<String>, seen: &BTreeSet<String>) -> Result<()> {
        let mut mistakes = Vec::from_iter(taken(&self.query, used, |own| seen.contains(own)));
        let unknown = used.iter().filter(|name| !is_own(name) && !seen.contains(*name));
        mistakes.extend(unknown.map(|name| {
            let mut mistake = no_column(&self.query, name, seen.iter().map(String::as_str));
            mistake.hint += &format!("; a field that a file may lack is json_text(file.{TEXT}, '{name}')");
            mistake
        }));
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Project(mistakes)) }
    }

    /// Maps a chunk by the query and checks the result as usage records.
    async fn map(&mut self, raw: RawChunk) -> Result<LandedChunk> {
        let query = &self.query;
        let working = || format!("mapping a file with {}", query.file);
        let rows = raw.rows.len();
        let records = self.with_own_columns(&raw)?;
        let schema = records.schema();
        let plan = landing_plan(&self.context, query, schema.clone(), vec![records]).await?;
        // One thread keeps the rows in the order of the file, by which they are told apart from here on.
        let config = self.context.copied_config().with_target_partitions(1);
        let in_order =
            SessionStateBuilder::new_from_existing(self.context.state()).with_config(config).build();
        let batches = DataFrame::new(in_order, plan)
            .collect()
            .await
            .map_err(|error| crate::engine::plan::execution_error(&error, &query.file))?;
        let first = batches.first().map(RecordBatch::schema).unwrap_or(schema);
        let mapped = arrow::compute::concat_batches(&first, &batches).during(working)?;
        if mapped.num_rows() != rows {
            let what = format!("{} yields {} rows for {rows} records", query.file, mapped.num_rows());
            return Err(Error::data(
                what,
                "a landing query maps one record each; leave out in usage_filtered",
            ));
        }
        let mut fed = 0;
        let mut feed_to = |end: usize, writer: &mut RecordWriter| {
            let line = |row: usize| raw.lines.get(fed + row).copied().unwrap_or((fed + row) as u64 + 1);
            let texts = raw.raw.as_ref().map(|texts| texts.slice(fed, end - fed));
            columnar::feed(&mapped.slice(fed, end - fed), line, texts.as_ref(), writer)?;
            fed = end;
            Result::Ok(())
        };
        // Records that could not be taken apart stand where they came, so that each has the number that it came with.
        for broken in raw.broken {
            feed_to(raw.lines.partition_point(|line| *line < broken.line), &mut self.writer)?;
            self.writer.begin();
            self.writer.abandon(broken.line, broken.raw, broken.reason);
        }
        feed_to(rows, &mut self.writer)?;
        self.writer.take()
    }

    /// The records with those of `file`'s own columns that the query names.
    fn with_own_columns(&self, raw: &RawChunk) -> Result<RecordBatch> {
        let rows = raw.rows.len();
        let mut fields: Vec<_> =
            raw.records.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
        let mut columns = raw.records.columns().to_vec();
        let each = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(vec![text; rows])) };
        for field in own_columns() {
            if !self.query.names.contains_key(field.name()) {
                continue;
            }
            let column: ArrayRef = match field.name().as_str() {
                FILE => each(&self.file.0),
                HASH => each(&self.file.1),
                ROW => Arc::new(Int64Array::from(raw.rows.clone())),
                LINE => Arc::new(Int64Array::from_iter_values(raw.lines.iter().map(|line| *line as i64))),
                _ => match &raw.raw {
                    Some(texts) => Arc::new(texts.clone()),
                    None => arrow::array::new_null_array(&DataType::Utf8View, rows),
                },
            };
            fields.push(field);
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .during(|| format!("mapping a file with {}", self.query.file))
    }
}

/// What a landing query names that a file with these columns does not have; the first of it.
pub async fn unknown_columns(
    context: &SessionContext,
    query: &Query,
    names: &[String],
) -> Result<Option<Mistake>> {
    let plan = landing_plan(context, query, file_schema(query), Vec::new()).await?;
    let used = used_columns(&plan)?;
    if let Some(mistake) = taken(query, &used, |own| names.iter().any(|name| name == own)) {
        return Ok(Some(mistake));
    }
    let unknown = used.iter().find(|name| !is_own(name) && !names.contains(name));
    Ok(unknown.map(|name| no_column(query, name, names.iter().map(String::as_str))))
}

/// A column that the query reads, and that both the file and landing have.
fn taken(query: &Query, used: &BTreeSet<String>, has: impl Fn(&str) -> bool) -> Option<Mistake> {
    let name = used.iter().find(|name| is_own(name) && has(name))?;
    let what = format!("the file has a column `{name}`, which is the name of one that landing adds");
    Some(Mistake { place: place_of(query, name), what, hint: "rename it in the file".into() })
}

fn is_own(name: &str) -> bool {
    own_columns().iter().any(|own| own.name() == name)
}

fn place_of(query: &Query, name: &str) -> Place {
    let whole = || Place { file: query.file.clone(), line: 0, column: 0 };
    query.names.get(name).cloned().unwrap_or_else(whole)
}

/// A column that a file does not have.
fn no_column<'a>(query: &Query, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Mistake {
    let by_case = known.clone().find(|known| known.eq_ignore_ascii_case(name));
    let hint = match by_case.or_else(|| nearest(name, known.clone())) {
        Some(meant) if meant.chars().any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')) => {
            format!("did you mean file.\"{meant}\"? A name with capitals or blanks needs the quotes")
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it has {}", known.take(40).collect::<Vec<_>>().join(", ")),
    };
    Mistake { place: place_of(query, name), what: format!("the file has no column `{name}`"), hint }
}

/// The names of the columns that a plan reads.
fn used_columns(plan: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut used = BTreeSet::new();
    plan.apply(|node| {
        for expression in node.expressions() {
            used.extend(expression.column_refs().into_iter().map(|column| column.name.clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .during(|| "planning a landing query".into())?;
    Ok(used)
}

/// Plans a landing query over the file's columns; anything but one row for each record is refused.
pub async fn landing_plan(
    context: &SessionContext,
    query: &Query,
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
) -> Result<LogicalPlan> {
    let mistake =
        |error: DataFusionError| Error::Project(vec![crate::engine::plan::query_mistake(&error, query)]);
    let table = MemTable::try_new(schema, vec![rows]).map_err(mistake)?;
    // Each chunk is planned with a catalog of its own, so that landings side by side do not see each other's file.
    // A state that is only cloned shares its list of catalogs with the session.
    let state = SessionStateBuilder::new_from_existing(context.state())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let own = SessionContext::new_with_state(state);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new())).map_err(mistake)?;
    own.register_catalog("datafusion", catalog);
    own.register_table(FILE_TABLE, Arc::new(table)).map_err(mistake)?;
    let plan = own.state().statement_to_plan(query.statement()).await.map_err(mistake)?;
    let mut refused = None;
    plan.apply(|node| {
        if !matches!(
            node,
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::TableScan(_)
        ) {
            refused = Some(node.display().to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(mistake)?;
    match refused {
        None => match crate::engine::plan::whole_division(&plan, query) {
            None => Ok(plan),
            Some(mistake) => Err(Error::Project(vec![mistake])),
        },
        Some(node) => Err(Error::Project(vec![Mistake {
            place: Place { file: query.file.clone(), line: 0, column: 0 },
            what: format!("a landing query maps each record by itself, and this has {node}"),
            hint: "select expressions from `file` and nothing else; leave usage out in usage_filtered".into(),
        }])),
    }
}

/// What a landing query yields, held against what a usage record needs.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Columns that are missing, or that are probably spelled wrongly.
    pub mistakes: Vec<Mistake>,
    /// Those that no column of a usage record takes: they become attributes.
    pub attributes: Vec<String>,
}

/// Holds what a landing query yields against what a usage record needs.
pub fn outputs(query: &Query, plan: &LogicalPlan, shape: &RecordShape) -> Outputs {
    let given: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let place = |name: &str| {
        let whole = || Place { file: query.file.clone(), line: 0, column: 0 };
        query.columns.get(name).cloned().unwrap_or_else(whole)
    };
    let mut outputs = Outputs::default();
    let mut missing: BTreeMap<&str, String> = BTreeMap::new();
    for column in shape.missing(&given) {
        missing.insert(column, format!("yields no `{column}`, so each record would be rejected"));
    }
    for name in given.iter().filter(|name| shape.column_of(name).is_none()) {
        let unfed = shape.names().filter(|column| given.iter().all(|name| !shape.is_same(name, column)));
        let slip = unfed.into_iter().find(|column| is_slip(name, column));
        if slip.is_none() && shape.has_rest() {
            outputs.attributes.push(name.clone());
            continue;
        }
        let hint = match slip {
            Some(column) => {
                missing.remove(column);
                format!("did you mean `{column}`? If not, select null as {column} too")
            }
            None => "add the column to schemas/usage_record.sql".into(),
        };
        let what = format!("`{name}` is not a column of `{USAGE_RECORD}`");
        outputs.mistakes.push(Mistake { place: place(name), what, hint });
    }
    let hint = "select it from `file`, or a constant";
    outputs.mistakes.extend(missing.into_values().map(|what| Mistake {
        place: place(""),
        what,
        hint: hint.into(),
    }));
    outputs
}

/// Whether one name is the other but for a letter, or for two that changed places.
fn is_slip(name: &str, column: &str) -> bool {
    const LETTERS: usize = 4;
    name.len() > LETTERS && strsim::osa_distance(&name.to_lowercase(), column) == 1
}

/// The names in a query that may be fields of the file.
fn foreign_names(query: &Query) -> Vec<String> {
    query.names.keys().filter(|name| *name != FILE_TABLE && !is_own(name)).cloned().collect()
}

/// The file's columns as text, and what landing adds, for planning without a file.
pub fn file_schema(query: &Query) -> SchemaRef {
    let fields = foreign_names(query).into_iter().map(|name| Field::new(name, DataType::Utf8View, true));
    Arc::new(Schema::new(fields.chain(own_columns()).collect::<Vec<_>>()))
}
