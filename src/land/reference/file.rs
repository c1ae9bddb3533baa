//! One reference file: its header, its rows, each read in its own time zone, and where each of them stands.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use meterhouse_sql::cycle::TimeZone;
use meterhouse_sql::name::{did_you_mean, nearest};

use crate::error::{Error, Mistake, Place, Result, While};
use crate::land::delimited::Delimited;
use crate::land::format::{Format, Input, Opened, open};
use crate::land::json::Cell;
use crate::land::record::{RecordShape, Rejected, Sink};
use crate::land::{CHUNK_ROWS, project_zone, reader, record_shape};
use crate::project::Project;
use crate::project::schema::TableSchema;

/// A reference file that was read.
pub(super) struct ReferenceFile {
    path: PathBuf,
    /// The path as the user knows it.
    pub(super) shown: String,
    shape: RecordShape,
    /// Its rows, without the lines that could not be read.
    pub(super) batches: Vec<RecordBatch>,
    /// Of each row the number of its record among those that could be read; none: they are in order.
    records: Option<Vec<usize>>,
    /// The lines that could not be read.
    unread: BTreeSet<u64>,
    /// What is wrong with them.
    pub(super) mistakes: Vec<Mistake>,
    lines: OnceCell<Rc<Option<Lines>>>,
}

/// Where each record that could be read stands in a CSV file; it is looked for only where something is wrong.
pub(super) struct Lines {
    table: Delimited,
    records: Vec<(u64, String)>,
}

impl ReferenceFile {
    /// Reads a file; lines that cannot be read are among its mistakes.
    ///
    /// # Errors
    /// A file that cannot be read as a whole, or whose header does not fit the table.
    pub(super) fn read(project: &Project, schema: &TableSchema, path: &Path) -> Result<Self> {
        let zone = project_zone(project)?;
        let shape = record_shape(schema)?;
        let shown = project.shown(path);
        let header = csv(path)?.map(|table| header_mistakes(&table, schema, &shape, &shown));
        // A wrong name in the header is wrong in each line, so it is said once and not there.
        if let Some(mistakes) = header.filter(|mistakes| !mistakes.is_empty()) {
            return Err(Error::Project(mistakes));
        }
        let (batches, rejected) = read_in(&zone, &shape, path)?;
        let mut file = Self {
            path: path.into(),
            shown,
            shape,
            batches,
            records: None,
            unread: rejected.iter().map(|row| row.line).collect(),
            mistakes: Vec::new(),
            lines: OnceCell::new(),
        };
        if !rejected.is_empty() {
            let table = csv(path)?;
            let mistake = |row: Rejected| Mistake {
                place: Place {
                    file: file.shown.clone(),
                    line: row.line,
                    column: table.as_ref().and_then(|table| column_of(table, &file.shape, &row)).unwrap_or(0),
                },
                what: row.reason,
                hint: format!("{} has {}", schema.file, schema.column_list()),
            };
            file.mistakes = rejected.into_iter().map(mistake).collect();
        }
        let zones = schema.references.iter().find(|reference| reference.is_time_zone());
        if let Some(column) = zones.and_then(|reference| reference.columns.first()) {
            file.in_their_zones(column, &zone)?;
        }
        Ok(file)
    }

    /// Where its records stand; none in a file that is not CSV.
    pub(super) fn lines(&self) -> Result<Rc<Option<Lines>>> {
        if let Some(lines) = self.lines.get() {
            return Ok(Rc::clone(lines));
        }
        let found = csv(&self.path)?.map(|mut table| {
            let mut records = Records::default();
            loop {
                let before = records.seen;
                table.feed(&mut records, CHUNK_ROWS)?;
                if records.seen == before {
                    break;
                }
            }
            records.all.retain(|(line, _)| !self.unread.contains(line));
            Ok::<_, Error>(Lines { table, records: records.all })
        });
        let found = Rc::new(found.transpose()?);
        Ok(Rc::clone(self.lines.get_or_init(|| found)))
    }

    /// Where a row stands, by its number in the batches, and a column of it.
    pub(super) fn place(&self, lines: &Option<Lines>, row: usize, column: Option<&str>) -> Place {
        let record = self.records.as_ref().map_or(Some(row), |records| records.get(row).copied());
        let found = lines.as_ref().and_then(|lines| {
            let (line, raw) = lines.records.get(record?)?;
            let column = column.and_then(|column| self.shape.column_of(column));
            let field = lines.table.header.iter().position(|name| {
                let column_of = self.shape.column_of(name);
                column_of.is_some() && column_of == column
            });
            // A column that the header leaves out is wrong by its default, in the whole line.
            Some((*line, field.and_then(|field| lines.table.start_of(raw, field)).unwrap_or(0)))
        });
        let (line, column) = found.unwrap_or((0, 0));
        Place { file: self.shown.clone(), line, column }
    }

    /// Reads the rows each in its own zone: the file is read once for each zone in it, and each time the rows of that
    /// zone are kept.
    fn in_their_zones(&mut self, column: &str, project_zone: &TimeZone) -> Result<()> {
        let zones: BTreeSet<&str> =
            self.batches.iter().flat_map(|batch| zones_of(batch, column)).flatten().collect();
        let mut kept = Vec::new();
        let mut records = Vec::new();
        let mut unknown = BTreeSet::new();
        for name in zones {
            let Ok(zone) = TimeZone::get(name) else {
                unknown.insert(name.to_string());
                continue;
            };
            let is_project = name == project_zone.name();
            let read = if is_project { None } else { Some(read_in(&zone, &self.shape, &self.path)?.0) };
            let mut number = 0;
            for batch in read.as_ref().unwrap_or(&self.batches) {
                let of_zone: BooleanArray =
                    zones_of(batch, column).map(|zone| Some(zone == Some(name))).collect();
                records
                    .extend((0..batch.num_rows()).filter(|row| of_zone.value(*row)).map(|row| number + row));
                number += batch.num_rows();
                let rows = filter_record_batch(batch, &of_zone);
                kept.push(rows.during(|| format!("reading {}", self.shown))?);
            }
        }
        if !unknown.is_empty() {
            let lines = self.lines()?;
            let rows = self.batches.iter().flat_map(|batch| zones_of(batch, column)).enumerate();
            let unknown =
                rows.filter_map(|(row, zone)| Some((row, zone.filter(|zone| unknown.contains(*zone))?)));
            let mistakes = unknown.map(|(row, zone)| Mistake {
                place: self.place(&lines, row, Some(column)),
                what: format!("`{column}` {zone} is not a time zone"),
                hint: match TimeZone::nearest(zone) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write an IANA name, such as Europe/Berlin".into(),
                },
            });
            let mistakes: Vec<Mistake> = mistakes.collect();
            self.mistakes.extend(mistakes);
        }
        self.batches = kept;
        self.records = Some(records);
        Ok(())
    }
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

/// A file with its header read, where it is CSV.
fn csv(path: &Path) -> Result<Option<Delimited>> {
    Ok(match open(Input::File(path.to_path_buf()), None)? {
        Opened::Text(Format::Csv, source, damage) => Some(Delimited::new(source, damage)?),
        _ => None,
    })
}

/// The zone of each row.
fn zones_of<'a>(batch: &'a RecordBatch, column: &str) -> impl Iterator<Item = Option<&'a str>> {
    let column = batch.column_by_name(column).and_then(|column| column.as_string_view_opt());
    column.into_iter().flat_map(|zones| zones.iter())
}

/// The names in the header that no column has or that are there twice, and the required columns that no name feeds.
fn header_mistakes(table: &Delimited, schema: &TableSchema, shape: &RecordShape, file: &str) -> Vec<Mistake> {
    let at = |column| Place { file: file.into(), line: 1, column };
    // Without its header a file may be one that was cut short, and a bill without prices is wrong.
    if table.header.is_empty() {
        return vec![Mistake {
            place: at(0),
            what: "the file is empty".into(),
            hint: format!("a table without rows is its header: {}", schema.column_list().replace(", ", ",")),
        }];
    }
    let line = table.header_text.as_str();
    let mut missing = shape.missing(&table.header);
    let mut seen = BTreeSet::new();
    let mut mistakes = Vec::new();
    for (index, name) in table.header.iter().enumerate() {
        let place = at(table.start_of(line, index).unwrap_or(0));
        match shape.column_of(name) {
            Some(column) if seen.insert(column) => {}
            Some(_) => mistakes.push(Mistake {
                place,
                what: format!("the header has `{name}` twice"),
                hint: "leave one of the two columns out".into(),
            }),
            // What a spreadsheet leaves behind the last column; a value below it is a mistake of its line.
            None if name.is_empty() => {}
            None => {
                let columns = || schema.columns.iter().map(|column| column.name.as_str());
                if let Some(meant) = nearest(name, columns()) {
                    missing.retain(|column| *column != meant);
                }
                let hint = match did_you_mean(name, columns()) {
                    hint if hint.is_empty() => format!("{} has {}", schema.file, schema.column_list()),
                    hint => hint,
                };
                let what = format!("`{name}` is not a column of `{}`", schema.name);
                mistakes.push(Mistake { place, what, hint });
            }
        }
    }
    let end = table.start_of(line, table.header.len()).unwrap_or(0);
    mistakes.extend(missing.into_iter().map(|column| Mistake {
        place: at(end),
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

/// Takes the line and the text of each record that is whole.
#[derive(Default)]
struct Records {
    seen: usize,
    all: Vec<(u64, String)>,
}

impl Sink for Records {
    fn begin(&mut self) {
        self.seen += 1;
    }

    fn field(&mut self, _: &str, _: Option<usize>, _: Cell<'_>) {}

    fn finish(&mut self, line: u64, raw: &mut dyn FnMut() -> String) {
        self.all.push((line, raw()));
    }

    fn abandon(&mut self, _: u64, _: String, _: String) {}
}
