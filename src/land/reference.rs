//! Reference files: `data/*.csv` as rows of their tables, and every mistake in them at its line and column.

mod file;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::ToDFSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::prelude::SessionContext;

use crate::encode::cells::value_text;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::Project;
use crate::project::schema::{Check, TableSchema};
use crate::table::key::KeyHashes;
use crate::table::write::physical_check;
use file::ReferenceFile;

/// The rows of a reference table, and what is wrong with its files.
pub struct ReferenceRows {
    /// The rows, also those that break a CHECK or have the key of another.
    pub batches: Vec<RecordBatch>,
    /// Every line that breaks the contract.
    pub mistakes: Vec<Mistake>,
    /// Whether each line could be read, so that no row is missing.
    pub is_whole: bool,
}

/// The rows of all files of a reference table, held against its contract: types, NOT NULL, CHECKs and the primary key.
///
/// # Errors
/// The mistakes: every line that breaks one, all of them at once.
pub fn read_reference(
    context: &SessionContext,
    project: &Project,
    schema: &TableSchema,
    paths: &[PathBuf],
) -> Result<Vec<RecordBatch>> {
    let ReferenceRows { batches, mistakes, .. } = reference_rows(context, project, schema, paths)?;
    if mistakes.is_empty() { Ok(batches) } else { Err(Error::Project(mistakes)) }
}

/// The same with the rows that could be read, whatever is wrong with others.
///
/// A time without an offset is in the zone of its row, where the table has a column `time_zone`, else in the project's.
pub fn reference_rows(
    context: &SessionContext,
    project: &Project,
    schema: &TableSchema,
    paths: &[PathBuf],
) -> Result<ReferenceRows> {
    let checks = physical_checks(context, schema)?;
    let mut files = Vec::new();
    let mut mistakes = Vec::new();
    let mut is_whole = true;
    for path in paths {
        match ReferenceFile::read(project, schema, path) {
            Ok(mut file) => {
                is_whole &= file.mistakes.is_empty();
                mistakes.append(&mut file.mistakes);
                mistakes.extend(broken(&file, schema, &checks)?);
                files.push(file);
            }
            Err(Error::Project(found)) => {
                is_whole = false;
                mistakes.extend(found);
            }
            Err(error) => return Err(error),
        }
    }
    if is_whole {
        mistakes.extend(repeated_keys(&files, schema)?);
    }
    let batches = files.into_iter().flat_map(|file| file.batches).collect();
    Ok(ReferenceRows { batches, mistakes, is_whole })
}

/// The places of the rows that have one of these values in some columns, with the value, in the order of the file.
/// Values are written as SQL casts them to text.
pub fn places_of(
    project: &Project,
    schema: &TableSchema,
    path: &Path,
    columns: &[String],
    values: &[Vec<String>],
) -> Result<Vec<(Vec<String>, Place)>> {
    let file = ReferenceFile::read(project, schema, path)?;
    let lines = file.lines()?;
    let mut places = Vec::new();
    let mut number = 0;
    for batch in &file.batches {
        let texts = columns.iter().filter_map(|column| batch.column_by_name(column));
        let texts = texts.map(|column| cast(column, &DataType::Utf8View)).collect::<Result<Vec<_>, _>>();
        let texts = texts.during(|| format!("reading {}", file.shown))?;
        for row in 0..batch.num_rows() {
            let value: Vec<String> =
                texts.iter().map(|texts| texts.as_string_view().value(row).to_string()).collect();
            if values.contains(&value) {
                places.push((value, file.place(&lines, number, columns.first().map(String::as_str))));
            }
            number += 1;
        }
    }
    Ok(places)
}

type PhysicalChecks<'a> = Vec<(Arc<dyn PhysicalExpr>, &'a Check)>;

fn physical_checks<'a>(context: &SessionContext, schema: &'a TableSchema) -> Result<PhysicalChecks<'a>> {
    let columns = schema.arrow().to_dfschema().during(|| format!("reading {}", schema.file))?;
    let check = |check: &'a Check| -> Result<(Arc<dyn PhysicalExpr>, &'a Check)> {
        Ok((physical_check(context, &columns, &check.expression, &check.place)?, check))
    };
    schema.checks.iter().map(check).collect()
}

/// The rows that break a CHECK; as in SQL, one that is null holds.
fn broken(file: &ReferenceFile, schema: &TableSchema, checks: &PhysicalChecks<'_>) -> Result<Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut first = 0;
    for batch in &file.batches {
        // By the contract's order, in which the CHECKs were planned.
        let places = schema.arrow();
        let places = places.fields().iter().map(|field| batch.schema().index_of(field.name()));
        let places = places.collect::<Result<Vec<_>, _>>().during(|| format!("reading {}", file.shown))?;
        let batch = batch.project(&places).during(|| format!("reading {}", file.shown))?;
        for (expression, check) in checks {
            let held = expression
                .evaluate(&batch)
                .and_then(|value| value.into_array(batch.num_rows()))
                .during(|| format!("checking {}", check.expression))?;
            let held: &BooleanArray = held.as_boolean();
            for row in (0..batch.num_rows()).filter(|row| held.is_valid(*row) && !held.value(*row)) {
                mistakes.push(broken_row(file, &batch, row, first + row, expression, check)?);
            }
        }
        first += batch.num_rows();
    }
    mistakes.sort();
    Ok(mistakes)
}

fn broken_row(
    file: &ReferenceFile,
    batch: &RecordBatch,
    row: usize,
    number: usize,
    expression: &Arc<dyn PhysicalExpr>,
    check: &Check,
) -> Result<Mistake> {
    let mut columns: Vec<_> = collect_columns(expression).into_iter().collect();
    // In the order in which the CHECK mentions them.
    columns.sort_by_key(|column| (check.expression.find(column.name()), column.index()));
    let values = columns.iter().map(|column| {
        let value = value_text(batch.column(column.index()), row);
        format!("`{}` {}", column.name(), value.as_deref().unwrap_or("(empty)"))
    });
    let what = format!("{} breaks CHECK ({})", values.collect::<Vec<_>>().join(", "), check.expression);
    let lines = file.lines()?;
    let place = file.place(&lines, number, columns.first().map(|column| column.name()));
    Ok(Mistake { place, what, hint: format!("declared at {}", check.place) })
}

/// The rows whose primary key an earlier one has.
fn repeated_keys(files: &[ReferenceFile], schema: &TableSchema) -> Result<Vec<Mistake>> {
    if schema.primary_key.is_empty() {
        return Ok(Vec::new());
    }
    let working = || format!("checking the key of {}", schema.name);
    let fields = schema.primary_key.iter().filter_map(|name| schema.column(name));
    let fields = fields.map(|column| SortField::new(column.data_type.clone())).collect();
    let converter = RowConverter::new(fields).during(working)?;
    let mut keys = Vec::new();
    let mut hashes = KeyHashes::default();
    for batch in files.iter().flat_map(|file| &file.batches) {
        let columns = schema.primary_key.iter().filter_map(|name| batch.column_by_name(name)).cloned();
        let rows = converter.convert_columns(&columns.collect::<Vec<_>>()).during(working)?;
        rows.iter().for_each(|key| hashes.push(xxhash_rust::xxh3::xxh3_64(key.as_ref())));
        keys.push(rows);
    }
    if !KeyHashes::may_repeat(vec![hashes]) {
        return Ok(Vec::new());
    }
    let mut keys = keys.iter();
    let mut first: HashMap<Vec<u8>, Place> = HashMap::new();
    let mut mistakes = Vec::new();
    for file in files {
        let lines = file.lines()?;
        let rows = file.batches.iter().zip(&mut keys);
        let rows = rows.flat_map(|(batch, keys)| keys.iter().enumerate().map(move |row| (batch, row)));
        for (number, (batch, (row, key))) in rows.enumerate() {
            let place = file.place(&lines, number, schema.primary_key.first().map(String::as_str));
            let Some(earlier) = first.get(key.as_ref()) else {
                first.insert(key.as_ref().to_vec(), place);
                continue;
            };
            let values = schema.primary_key.iter().filter_map(|name| {
                let value = value_text(batch.column_by_name(name)?, row)?;
                Some(format!("`{name}` {value}"))
            });
            let values = values.collect::<Vec<_>>().join(", ");
            mistakes.push(Mistake {
                what: format!("{values} is the key of another row of `{}`", schema.name),
                hint: format!("the other one is at {}:{}; keep one of them", earlier.file, earlier.line),
                place,
            });
        }
    }
    Ok(mistakes)
}
