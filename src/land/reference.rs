//! Reference files: `data/*.csv` as rows of their tables, and every mistake in them at its line and column.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::delimited::Delimited;
use super::format::{Format, Input, Opened, open};
use super::record::{RecordShape, Rejected};
use super::{CHUNK_ROWS, project_zone, reader, record_shape};
use crate::cycle::TimeZone;
use crate::error::{Error, Mistake, Place, Result, While, did_you_mean, nearest};
use crate::project::Project;
use crate::schema::TableSchema;

/// The column whose zone the other times of its row are in.
const TIME_ZONE: &str = "time_zone";

/// The rows of a reference file, checked against the contract; every bad line is reported at once.
///
/// A time without an offset is in the zone of its row, where the table has a column `time_zone`, else in the project's.
pub fn read_reference(project: &Project, schema: &TableSchema, path: &Path) -> Result<Vec<RecordBatch>> {
    let zone = project_zone(project)?;
    let shape = record_shape(schema)?;
    // Without its header a file may be one that was cut short, and a bill without prices is wrong.
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Err(Error::Project(vec![Mistake {
            place: Place { file: project.shown(path), line: 1, column: 0 },
            what: "the file is empty".into(),
            hint: format!("a table without rows is its header: {}", schema.column_list().replace(", ", ",")),
        }]));
    }
    let (batches, rejected) = read_in(&zone, &shape, path)?;
    if rejected.is_empty() {
        return match schema.column(TIME_ZONE) {
            Some(_) => in_their_zones(batches, &zone, &shape, path, &project.shown(path)),
            None => Ok(batches),
        };
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

/// The rows of a file whose times without an offset are in one zone.
fn read_in(zone: &TimeZone, shape: &RecordShape, path: &Path) -> Result<(Vec<RecordBatch>, Vec<Rejected>)> {
    let chunks = reader::read(Input::File(path.to_path_buf()), None, shape, zone, 0, CHUNK_ROWS)?;
    let mut batches = Vec::new();
    let mut rejected = Vec::new();
    for chunk in chunks {
        let chunk = chunk?;
        rejected.extend(chunk.rejected);
        batches.push(chunk.records);
    }
    Ok((batches, rejected))
}

/// The same rows, each read in its own zone: the file is read once for each zone in it, and each time the rows of that
/// zone are kept.
fn in_their_zones(
    batches: Vec<RecordBatch>,
    project_zone: &TimeZone,
    shape: &RecordShape,
    path: &Path,
    shown: &str,
) -> Result<Vec<RecordBatch>> {
    let zones: BTreeSet<String> = batches.iter().flat_map(zones_of).flatten().map(String::from).collect();
    let mut kept = Vec::new();
    let mut mistakes = Vec::new();
    for name in zones {
        let zone = match TimeZone::get(&name) {
            Ok(zone) => zone,
            Err(error) => {
                mistakes.push(Mistake {
                    place: Place { file: shown.into(), line: 0, column: 0 },
                    what: error.to_string(),
                    hint: "write an IANA name, such as Europe/Berlin".into(),
                });
                continue;
            }
        };
        let read = if name == project_zone.name() { None } else { Some(read_in(&zone, shape, path)?.0) };
        for batch in read.as_ref().unwrap_or(&batches) {
            let of_zone: BooleanArray =
                zones_of(batch).map(|zone| Some(zone == Some(name.as_str()))).collect();
            let rows = filter_record_batch(batch, &of_zone).during(|| format!("reading {shown}"))?;
            kept.push(rows);
        }
    }
    if mistakes.is_empty() { Ok(kept) } else { Err(Error::Project(mistakes)) }
}

/// The zone of each row.
fn zones_of(batch: &RecordBatch) -> impl Iterator<Item = Option<&str>> {
    let column = batch.column_by_name(TIME_ZONE).and_then(|column| column.as_string_view_opt());
    column.into_iter().flat_map(|zones| zones.iter())
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
