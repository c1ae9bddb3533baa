//! Files into checked usage records, chunk by chunk.
//!
//! Owns the two ways to read a file: [`read`] by the shape of the usage record, [`read_raw`] by the file's own columns,
//! for a mapping query. Leaves the rules of a record to `record`, and storing to its caller. Always holds: memory
//! depends on the size of a chunk and never of the file; every record is received, and is then either in a batch or
//! rejected.

mod parquet_rows;
mod raw;

use std::io::Cursor;

use meterhouse_sql::cycle::TimeZone;

use super::columnar;
use super::delimited::Delimited;
use super::format::{Damage, Format, Input, Opened, open};
use super::json::{FieldNames, each_field, each_plain_field, is_followed, with_cell};
use super::record::{LandedChunk, RecordShape, RecordWriter, Sink, raw_text};
use super::text::{Elements, Ends, Lines, Source, Text};
use crate::error::Result;
use parquet_rows::Rows;
pub use raw::RawChunk;
use raw::{RawWriter, pick};

/// The most text that goes into one chunk, in bytes, so that long records do not add up.
const CHUNK_BYTES: usize = 32 << 20;

/// Reads a file as usage records. `base` is the landing sequence of its first record, rejected ones count; a chunk has
/// at most `chunk_rows` records.
///
/// # Errors
/// A file that cannot be opened or read, is cut short or damaged, or a CSV without a header. What is wrong with a
/// single record is not an error but a rejection.
pub fn read(
    input: Input,
    format: Option<Format>,
    shape: &RecordShape,
    zone: &TimeZone,
    base: i64,
    chunk_rows: usize,
) -> Result<Box<dyn Iterator<Item = Result<LandedChunk>> + Send>> {
    let mut writer = RecordWriter::new(shape, zone, base)?;
    match open(input, format)? {
        Opened::Text(format, source, damage) => {
            let resolver = shape.clone();
            let mut texts = Texts::new(format, source, damage, move |name| resolver.column_of(name))?;
            Ok(chunks(move || {
                texts.feed(&mut writer, chunk_rows)?;
                let received = writer.received();
                (received > 0).then(|| writer.take()).transpose()
            }))
        }
        Opened::Parquet(file, name) => {
            let mut rows = Rows::open(file, name, chunk_rows, None)?;
            Ok(chunks(move || {
                let Some(batch) = rows.next()? else { return Ok(None) };
                let before = rows.read - batch.num_rows() as u64;
                columnar::feed(&batch, |row| before + row as u64 + 1, None, &mut writer)?;
                writer.take().map(Some)
            }))
        }
    }
}

/// Reads the named columns of a file as they are; names match exactly, and CSV and Parquet have to have them. `seen`
/// hears of each field name of the file once or more often.
///
/// # Errors
/// As [`read`].
pub fn read_raw(
    input: Input,
    columns: &[String],
    chunk_rows: usize,
    seen: impl Fn(&str) + Send + 'static,
) -> Result<Box<dyn Iterator<Item = Result<RawChunk>> + Send>> {
    match open(input, None)? {
        Opened::Text(format, source, damage) => {
            let mut writer = RawWriter::new(columns);
            let wanted = columns.to_vec();
            let resolve = move |name: &str| {
                seen(name);
                wanted.iter().position(|column| column == name)
            };
            let mut texts = Texts::new(format, source, damage, resolve)?;
            Ok(chunks(move || {
                texts.feed(&mut writer, chunk_rows)?;
                (writer.received > 0).then(|| writer.take()).transpose()
            }))
        }
        Opened::Parquet(file, name) => {
            let wanted = columns.to_vec();
            let mut rows = Rows::open(file, name, chunk_rows, Some(columns))?;
            Ok(chunks(move || {
                let Some(batch) = rows.next()? else { return Ok(None) };
                let first = rows.read - batch.num_rows() as u64 + 1;
                let lines: Vec<u64> = (first..=rows.read).collect();
                let numbers = lines.iter().map(|row| *row as i64).collect();
                let records = pick(&batch, &wanted)?;
                Ok(Some(RawChunk { records, rows: numbers, lines, raw: None, broken: Vec::new() }))
            }))
        }
    }
}

/// The names that all records of a file share: the header of CSV, the columns of Parquet. JSON has none, because there
/// each record names its fields itself.
///
/// # Errors
/// As [`read`].
pub fn field_names(input: Input) -> Result<Option<Vec<String>>> {
    match open(input, None)? {
        Opened::Text(Format::Csv, source, damage) => Ok(Some(Delimited::new(source, damage)?.header)),
        Opened::Text(..) => Ok(None),
        Opened::Parquet(file, name) => Ok(Some(Rows::open(file, name, 1, None)?.names())),
    }
}

/// Chunks until there is none; an error is the last.
fn chunks<T: 'static>(
    mut next: impl FnMut() -> Result<Option<T>> + Send + 'static,
) -> Box<dyn Iterator<Item = Result<T>> + Send> {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let chunk = next().transpose();
        ended = !matches!(chunk, Some(Ok(_)));
        chunk
    }))
}

/// A text file in one of its formats.
enum Texts {
    Lines(Lines, JsonRecords),
    Elements(Elements, JsonRecords),
    Delimited(Delimited),
}

struct JsonRecords {
    names: FieldNames,
    damage: Damage,
    text: Text,
}

impl Texts {
    fn new(
        format: Format,
        mut source: Source,
        damage: Damage,
        resolve: impl Fn(&str) -> Option<usize> + Send + 'static,
    ) -> Result<Self> {
        if format == Format::Csv {
            let mut delimited = Delimited::new(source, damage)?;
            delimited.resolve(resolve);
            return Ok(Texts::Delimited(delimited));
        }
        let ends = Ends::of(source.fill_buf().map_err(|error| damage.error(error))?);
        let records = JsonRecords { names: FieldNames::new(resolve), damage, text: Text::default() };
        Ok(match format {
            Format::Json => Texts::Elements(Elements::new(source), records),
            _ => Texts::Lines(Lines::new(source, ends), records),
        })
    }

    /// Feeds up to so many records; none only at the end of the file.
    fn feed(&mut self, sink: &mut impl Sink, records: usize) -> Result<()> {
        match self {
            Texts::Lines(lines, json) => json.feed(|text| lines.next(text), sink, records),
            Texts::Elements(elements, json) => json.feed(|text| elements.next(text), sink, records),
            Texts::Delimited(delimited) => delimited.feed(sink, records),
        }
    }
}

impl JsonRecords {
    fn feed(
        &mut self,
        mut next: impl FnMut(&mut Text) -> std::io::Result<bool>,
        sink: &mut impl Sink,
        records: usize,
    ) -> Result<()> {
        let mut bytes = 0;
        for _ in 0..records.max(1) {
            if !next(&mut self.text).map_err(|error| self.damage.error(error))? {
                break;
            }
            feed_json(&self.text, &mut self.names, sink);
            bytes += self.text.bytes.len();
            if bytes > CHUNK_BYTES {
                break;
            }
        }
        Ok(())
    }
}

/// Feeds the records of a text: mostly one, and several where objects stand one behind another.
fn feed_json(text: &Text, names: &mut FieldNames, sink: &mut impl Sink) {
    let mut raw = || raw_text(text.bytes.trim_ascii());
    sink.begin();
    if let Some(fault) = text.fault {
        return sink.abandon(text.line, raw(), fault.into());
    }
    let Ok(json) = std::str::from_utf8(&text.bytes) else {
        return sink.abandon(text.line, raw(), "is not valid UTF-8".into());
    };
    if each_plain_field(json, names, |name, column, cell| sink.field(name, column, cell)) {
        return sink.finish(text.line, &mut raw);
    }
    sink.begin();
    let read =
        each_field(json, names, |name, column, json| with_cell(json, |cell| sink.field(name, column, cell)));
    match read {
        Ok(()) => sink.finish(text.line, &mut raw),
        Err(_) if is_followed(json) => {
            let mut elements = Elements::new(Box::new(Cursor::new(text.bytes.clone())));
            let mut one = Text::default();
            // Memory is read without an error; each element is shorter than the text, so this ends.
            while matches!(elements.next(&mut one), Ok(true)) {
                one.line = text.line;
                feed_json(&one, names, sink);
            }
        }
        Err(reason) => sink.abandon(text.line, raw(), reason),
    }
}

#[cfg(test)]
mod tests;
