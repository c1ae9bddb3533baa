//! Reference files: `data/*.csv` as rows of their tables, and every mistake in them at its line and column.

use std::path::Path;

use arrow::array::RecordBatch;

use super::delimited::Delimited;
use super::format::{Format, Input, Opened, open};
use super::record::{RecordShape, Rejected};
use super::{CHUNK_ROWS, project_zone, reader, record_shape};
use crate::error::{Error, Mistake, Place, Result, did_you_mean, nearest};
use crate::project::Project;
use crate::schema::TableSchema;

/// The rows of a reference file, checked against the contract; every bad line is reported at once.
pub fn read_reference(project: &Project, schema: &TableSchema, path: &Path) -> Result<Vec<RecordBatch>> {
    let zone = project_zone(project)?;
    let shape = record_shape(schema)?;
    let chunks = reader::read(Input::File(path.to_path_buf()), None, &shape, &zone, 0, CHUNK_ROWS)?;
    let mut batches = Vec::new();
    let mut rejected = Vec::new();
    for chunk in chunks {
        let chunk = chunk?;
        rejected.extend(chunk.rejected);
        batches.push(chunk.records);
    }
    if rejected.is_empty() {
        return Ok(batches);
    }
    let table = match open(Input::File(path.to_path_buf()), None)? {
        Opened::Text(Format::Csv, source, damage) => Some(Delimited::new(source, damage)?),
        _ => None,
    };
    let file = project.shown(path);
    let mut mistakes = match &table {
        Some(table) => header_mistakes(table, schema, &shape, &file),
        None => Vec::new(),
    };
    // A wrong name in the header is wrong in each line, so it is said once and not there.
    if mistakes.is_empty() {
        mistakes.extend(rejected.into_iter().map(|row| {
            let column = table.as_ref().and_then(|table| column_of(table, &shape, &row)).unwrap_or(0);
            Mistake {
                place: Place { file: file.clone(), line: row.line, column },
                what: row.reason,
                hint: format!("{} has {}", schema.file, schema.column_list()),
            }
        }));
    }
    Err(Error::Project(mistakes))
}

/// The names in the header that no column has, and the required columns that no name feeds.
fn header_mistakes(table: &Delimited, schema: &TableSchema, shape: &RecordShape, file: &str) -> Vec<Mistake> {
    let line = table.header_text.as_str();
    let mut missing = shape.missing(&table.header);
    let mut mistakes = Vec::new();
    for (index, name) in table.header.iter().enumerate() {
        if shape.column_of(name).is_some() {
            continue;
        }
        let columns = || schema.columns.iter().map(|column| column.name.as_str());
        if let Some(meant) = nearest(name, columns()) {
            missing.retain(|column| *column != meant);
        }
        let hint = match did_you_mean(name, columns()) {
            hint if hint.is_empty() => format!("{} has {}", schema.file, schema.column_list()),
            hint => hint,
        };
        let column = table.start_of(line, index).unwrap_or(0);
        let place = Place { file: file.into(), line: 1, column };
        let what = format!("`{name}` is no column of `{}`", schema.name);
        mistakes.push(Mistake { place, what, hint });
    }
    let end = table.start_of(line, table.header.len()).unwrap_or(0);
    mistakes.extend(missing.into_iter().map(|column| Mistake {
        place: Place { file: file.into(), line: 1, column: end },
        what: format!("the header has no `{column}`"),
        hint: format!("{} has {}", schema.file, schema.column_list()),
    }));
    mistakes
}

/// Where in its line a record is wrong, in characters from 1.
fn column_of(table: &Delimited, shape: &RecordShape, row: &Rejected) -> Option<u64> {
    let field = match row.column {
        Some(column) => table.header.iter().position(|name| shape.column_of(name) == Some(column))?,
        // Where the number of fields is wrong, the first that is too many or missing.
        None => table.header.len(),
    };
    table.start_of(&row.raw, field)
}
