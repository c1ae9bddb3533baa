//! Rows as bytes, piece by piece: CSV, JSON, NDJSON, Parquet, Arrow, and tables for people.
//!
//! Owns how rows are written, for answers on standard output and for exported files alike. It writes to nobody: whoever
//! asks gets the next bytes, and hands them to a file, a pipe or a connection.
//!
//! What always holds: the bytes depend on the rows and their order, never on how they come in batches; no more is held
//! than a batch, of Arrow a chunk, of Parquet a row group, of tables for people [`table::BLOCK_ROWS`] rows.

pub mod answer;
pub mod cells;
mod ipc;
mod parquet;
mod plain;
mod table;

use std::collections::BTreeSet;
use std::io::IsTerminal;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use clap::ValueEnum;
use serde::Deserialize;

use self::cells::{Cell, Cells, write_json_text};
use self::ipc::Ipc;
use self::parquet::Parquet;
use self::table::{Lines, Table};
use crate::error::{Error, Result, While};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people, with lines around the cells.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// With a header.
    Csv,
    /// A table that can be pasted into a text.
    Markdown,
    /// Parquet, with types.
    Parquet,
    /// A stream of Arrow IPC, with types; only the service writes it.
    #[value(hide = true)]
    Arrow,
    /// A page for each customer; only `export` writes it.
    #[value(hide = true)]
    Html,
}

impl Format {
    /// What was asked for; else a table on a terminal and CSV in a pipe.
    pub fn or_default(asked: Option<Self>) -> Self {
        asked.unwrap_or(if std::io::stdout().is_terminal() { Self::Table } else { Self::Csv })
    }

    /// Refuses a format that cannot hold so many tables.
    pub fn of_tables(self, tables: usize) -> Result<()> {
        if self != Self::Parquet || tables < 2 {
            return Ok(());
        }
        Err(Error::usage(
            format!("a Parquet file holds one table, and these are {tables}"),
            "--format json has all in one document; one of them: meterhouse sql \"select ...\" --format parquet",
        ))
    }

    /// What files of this format end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Table => "txt",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Markdown => "md",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Html => "html",
        }
    }
}

/// What stands around the rows of a table.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Before the first row.
    before: Vec<u8>,
    /// Between two.
    between: &'static str,
    /// Behind each.
    behind: &'static str,
    /// After the last.
    after: &'static str,
    /// Instead of all that, where there is no row; none: before and after.
    empty: Option<Vec<u8>>,
}

/// The encoder of one table.
pub struct Encoder {
    frame: Frame,
    has_rows: bool,
    rows: Rows,
}

enum Rows {
    /// CSV; whether texts that look like formulas are neutralized.
    Csv(bool),
    /// JSON and NDJSON; what stands before each value.
    Json(Vec<String>),
    Parquet(Box<Parquet>),
    Arrow(Box<Ipc>),
    Table(Box<Table>),
}

fn working() -> String {
    "writing rows".into()
}

impl Encoder {
    /// An encoder for rows of these columns, which are a whole document.
    ///
    /// # Errors
    /// A format that does not hold such rows.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self> {
        let mut frame = Frame::default();
        match format {
            Format::Csv => frame.before = header(schema, false)?,
            Format::Json => {
                frame.before = b"{\"schema_version\":1,\"rows\":[\n".into();
                (frame.between, frame.after) = (",\n", "\n]}\n");
                frame.empty = Some(b"{\"schema_version\":1,\"rows\":[]}\n".into());
            }
            Format::Ndjson => frame.behind = "\n",
            Format::Table | Format::Markdown | Format::Parquet | Format::Arrow | Format::Html => {}
        }
        Self::framed(format, schema, frame, None)
    }

    /// The same, whose JSON document says before its rows what they are about; other formats have no place for it.
    pub fn about(mut self, about: &[(&str, serde_json::Value)]) -> Self {
        const BEGIN: &[u8] = b"{\"schema_version\":1,";
        if !matches!(self.rows, Rows::Json(_)) {
            return self;
        }
        let about = about.iter().map(|(name, value)| format!("{}:{value},", serde_json::Value::from(*name)));
        let about = about.collect::<String>().into_bytes();
        let Frame { before, empty, .. } = &mut self.frame;
        for text in std::iter::once(before).chain(empty).filter(|text| text.starts_with(BEGIN)) {
            text.splice(BEGIN.len()..BEGIN.len(), about.iter().copied());
        }
        self
    }

    /// The same for files that people open with a spreadsheet: in CSV, texts that it would run as formulas are
    /// neutralized.
    ///
    /// # Errors
    /// A format that does not hold such rows.
    pub fn for_file(format: Format, schema: &SchemaRef) -> Result<Self> {
        let mut encoder = Self::new(format, schema)?;
        if format == Format::Csv {
            encoder.rows = Rows::Csv(true);
            encoder.frame.before = header(schema, true)?;
        }
        Ok(encoder)
    }

    /// An encoder for one of several tables in a document.
    fn among(format: Format, schema: &SchemaRef, name: &str, title: &str, is_first: bool) -> Result<Self> {
        let mut frame = Frame::default();
        match format {
            Format::Csv => {
                let above = if is_first { "" } else { "\n" };
                frame.before = format!("{above}# {name}: {title}\n").into_bytes();
                frame.before.extend(header(schema, false)?);
            }
            Format::Json => {
                let comma = if is_first { "" } else { "," };
                frame.before = format!("{comma}{}:[", serde_json::Value::from(name)).into_bytes();
                (frame.between, frame.after) = (",", "]");
            }
            Format::Ndjson => frame.behind = "\n",
            Format::Table | Format::Markdown => {
                let gap = if format == Format::Markdown { "\n" } else { "" };
                frame.before = format!("{title}\n{gap}").into_bytes();
                frame.after = "\n";
                frame.empty = Some(Vec::new());
            }
            Format::Parquet | Format::Arrow | Format::Html => {}
        }
        Self::framed(format, schema, frame, Some(name))
    }

    fn framed(format: Format, schema: &SchemaRef, frame: Frame, table: Option<&str>) -> Result<Self> {
        let rows = match format {
            Format::Csv => Rows::Csv(false),
            Format::Json | Format::Ndjson => {
                one_name_each(schema)?;
                let table = table.filter(|_| format == Format::Ndjson);
                Rows::Json(keys(schema, table))
            }
            Format::Parquet => {
                one_name_each(schema)?;
                Rows::Parquet(Box::new(Parquet::new(schema)?))
            }
            Format::Arrow => {
                one_name_each(schema)?;
                Rows::Arrow(Box::new(Ipc::new(schema)?))
            }
            Format::Table => Rows::Table(Box::new(Table::new(Lines::Header, schema))),
            Format::Markdown => Rows::Table(Box::new(Table::new(Lines::Markdown, schema))),
            Format::Html => {
                let hint = "--format table, json, ndjson, csv, markdown or parquet";
                return Err(Error::usage("only `meterhouse export` writes html", hint));
            }
        };
        Ok(Self { frame, has_rows: false, rows })
    }

    /// The next bytes, with these rows.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if batch.num_rows() == 0 {
            return Ok(bytes);
        }
        if !self.has_rows {
            bytes = std::mem::take(&mut self.frame.before);
        }
        match &mut self.rows {
            Rows::Csv(is_neutral) => {
                let mut lines = csv::Writer::from_writer(bytes);
                for row in Cells::of(batch)?.rows() {
                    for cell in row {
                        let text = if *is_neutral { cell.neutral_csv() } else { cell.csv() };
                        lines.write_field(text.as_bytes()).during(working)?;
                    }
                    lines.write_record(None::<&[u8]>).during(working)?;
                }
                bytes = lines.into_inner().during(working)?;
            }
            Rows::Json(keys) => {
                for (number, row) in Cells::of(batch)?.rows().enumerate() {
                    if self.has_rows || number > 0 {
                        bytes.extend_from_slice(self.frame.between.as_bytes());
                    }
                    for (key, cell) in keys.iter().zip(row) {
                        bytes.extend_from_slice(key.as_bytes());
                        cell.write_json(&mut bytes);
                    }
                    bytes.push(b'}');
                    bytes.extend_from_slice(self.frame.behind.as_bytes());
                }
            }
            Rows::Parquet(parquet) => bytes.extend(parquet.rows(batch)?),
            Rows::Arrow(arrow) => bytes.extend(arrow.rows(batch)?),
            Rows::Table(table) => table.rows(batch, &mut bytes)?,
        }
        self.has_rows = true;
        Ok(bytes)
    }

    /// The last bytes.
    pub fn finish(self) -> Result<Vec<u8>> {
        let Frame { before, after, empty, .. } = self.frame;
        if !self.has_rows
            && let Some(empty) = empty
        {
            return Ok(empty);
        }
        let mut bytes = if self.has_rows { Vec::new() } else { before };
        match self.rows {
            Rows::Csv(_) | Rows::Json(_) => {}
            Rows::Parquet(parquet) => bytes.extend(parquet.finish()?),
            Rows::Arrow(arrow) => bytes.extend(arrow.finish()?),
            Rows::Table(table) => table.finish(&mut bytes),
        }
        bytes.extend_from_slice(after.as_bytes());
        Ok(bytes)
    }
}

/// The rows as people read them, in the text of an error.
pub fn framed(rows: &[RecordBatch]) -> Result<String> {
    text_of(rows, Lines::Frame)
}

/// The rows as people read them, among other lines.
pub fn plain(rows: &[RecordBatch]) -> Result<String> {
    text_of(rows, Lines::Header)
}

fn text_of(rows: &[RecordBatch], lines: Lines) -> Result<String> {
    let Some(first) = rows.first() else { return Ok(String::new()) };
    let mut table = Table::new(lines, first.schema_ref());
    let mut bytes = Vec::new();
    for batch in rows {
        table.rows(batch, &mut bytes)?;
    }
    table.finish(&mut bytes);
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_string())
}

/// The header of a CSV file.
fn header(schema: &Schema, is_neutral: bool) -> Result<Vec<u8>> {
    let mut line = csv::Writer::from_writer(Vec::new());
    for field in schema.fields() {
        let name = Cell::Text(field.name().into());
        let name = if is_neutral { name.neutral_csv() } else { name.csv() };
        line.write_field(name.as_bytes()).during(working)?;
    }
    line.write_record(None::<&[u8]>).during(working)?;
    line.into_inner().during(working)
}

/// What stands before each value of a JSON object, which may say its table first.
fn keys(schema: &Schema, table: Option<&str>) -> Vec<String> {
    let table = table.map(|table| format!("\"table\":{},", serde_json::Value::from(table)));
    let mut open = format!("{{{}", table.unwrap_or_default());
    let mut keys = Vec::new();
    for field in schema.fields() {
        let mut key = std::mem::replace(&mut open, ",".into()).into_bytes();
        write_json_text(field.name(), &mut key);
        key.push(b':');
        keys.push(String::from_utf8_lossy(&key).into_owned());
    }
    keys
}

/// Two columns of one name would look like one to a reader of the rows.
fn one_name_each(schema: &Schema) -> Result<()> {
    let mut names = BTreeSet::new();
    match schema.fields().iter().find(|field| !names.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(Error::usage(
            format!("two columns are called `{}`, and readers of this format would see one", field.name()),
            "give one of them another name: select a.x, b.x as other_x",
        )),
    }
}

#[cfg(test)]
mod tests;
