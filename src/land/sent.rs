//! Usage that somebody sends: cut into one record a line, and read as it will be read when it lands, so that who sends
//! it hears at once what is wrong with which record.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use meterhouse_sql::cycle::TimeZone;
use serde::de::IgnoredAny;

use super::checks::Checks;
use super::delimited::Delimited;
use super::format::{Damage, Format, Input, Opened, open};
use super::json::{Cell, write_json_string};
use super::record::{LandedChunk, RecordShape, Rejected, Sink};
use super::text::{Elements, Ends, Lines, Source as Bytes, Text};
use super::{CHUNK_ROWS, chunks, project_zone, reader, record_shape, source};
use crate::error::{Error, Result, While};
use crate::project::{Project, Query, USAGE_RECORD};

/// What a body is called in errors.
const BODY: &str = "the body";

/// Reads a body, also one that is gzip or zstd, as records: one JSON text a line, in the order of the body. `format` is
/// what it says to be; none: it is told by its first bytes. None if it unpacks to more than `limit` bytes, or its
/// records are longer than that as JSON, which rows of CSV under long names are.
///
/// # Errors
/// A body that is damaged, CSV without a header, Parquet.
pub fn lines(body: Vec<u8>, format: Option<Format>, limit: usize) -> Result<Option<Vec<u8>>> {
    let opened = open(Input::Stream(BODY.into(), Box::new(Cursor::new(body))), format)?;
    let Opened::Text(format, source, damage) = opened else {
        return Err(Error::usage("Parquet cannot be sent", "put it into an inbox, or `meterhouse land` it"));
    };
    let has_ended = Arc::new(AtomicBool::new(false));
    let source: Bytes =
        Box::new(BufReader::new(Limited { source, left: limit, has_ended: has_ended.clone() }));
    let read = cut(source, format, &damage, limit);
    // Whatever was said then follows from it.
    if has_ended.load(Ordering::Relaxed) { Ok(None) } else { read }
}

/// Whether a body is gzip or zstd, by its first bytes.
pub fn is_packed(body: &[u8]) -> bool {
    matches!(body, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..])
}

fn cut(mut source: Bytes, format: Format, damage: &Damage, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut records = Vec::new();
    match format {
        Format::Csv => return csv(source, damage, limit),
        Format::Json => {
            let mut elements = Elements::new(source);
            each(|text| elements.next(text), damage, &mut records)?;
        }
        _ => {
            let ends = Ends::of(source.fill_buf().map_err(|error| damage.error(error))?);
            let mut lines = Lines::new(source, ends);
            each(|text| lines.next(text), damage, &mut records)?;
        }
    }
    Ok(Some(records))
}

/// Writes each text as a line.
fn each(
    mut next: impl FnMut(&mut Text) -> io::Result<bool>,
    damage: &Damage,
    records: &mut Vec<u8>,
) -> Result<()> {
    let mut text = Text::default();
    while next(&mut text).map_err(|error| damage.error(error))? {
        let has_ends = memchr::memchr2(b'\n', b'\r', &text.bytes).is_some();
        // A list is not a record, and as a line it would be read as several.
        if text.bytes.trim_ascii_start().starts_with(b"[") {
            no_record(&String::from_utf8_lossy(&text.bytes), records);
        } else if text.fault.is_none() && !has_ends {
            records.extend_from_slice(&text.bytes);
        } else if text.fault.is_none() && serde_json::from_slice::<IgnoredAny>(&text.bytes).is_ok() {
            // In valid JSON the end of a line stands between words, never in a text.
            let in_one_line = text.bytes.iter().map(|byte| if b"\n\r".contains(byte) { b' ' } else { *byte });
            records.extend(in_one_line);
        } else {
            no_record(&String::from_utf8_lossy(&text.bytes), records);
        }
        records.push(b'\n');
    }
    Ok(())
}

/// Writes a text that is not a record as a JSON text, so that it is rejected with it: joined to one line as it is, a
/// broken one could become valid, and say what nobody sent.
fn no_record(raw: &str, records: &mut Vec<u8>) {
    let mut text = String::new();
    write_json_string(raw, &mut text);
    records.extend_from_slice(text.as_bytes());
}

/// Each row of a CSV body as a JSON object; none if these are longer than `limit` bytes.
fn csv(source: Bytes, damage: &Damage, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut rows = Delimited::new(source, damage.clone())?;
    rows.resolve(|_| None);
    let mut objects = Objects { text: Vec::new(), begun: 0, limit };
    loop {
        let before = objects.text.len();
        rows.feed(&mut objects, CHUNK_ROWS)?;
        if objects.text.len() > limit {
            return Ok(None);
        }
        if objects.text.len() == before {
            return Ok(Some(objects.text));
        }
    }
}

/// Makes JSON objects of rows. Beyond the limit they are not whole any more, and nothing is added.
struct Objects {
    text: Vec<u8>,
    begun: usize,
    limit: usize,
}

impl Objects {
    fn is_full(&self) -> bool {
        self.text.len() > self.limit
    }
}

impl Sink for Objects {
    fn begin(&mut self) {
        self.begun = self.text.len();
    }

    fn field(&mut self, name: &str, _: Option<usize>, cell: Cell<'_>) {
        if self.is_full() {
            return;
        }
        let mut field = String::from(if self.text.len() == self.begun { "{" } else { "," });
        write_json_string(name, &mut field);
        field.push(':');
        cell.write_json(&mut field);
        self.text.extend_from_slice(field.as_bytes());
    }

    fn finish(&mut self, _: u64, _: &mut dyn FnMut() -> String) {
        if !self.is_full() {
            let end: &[u8] = if self.text.len() == self.begun { b"{}\n" } else { b"}\n" };
            self.text.extend_from_slice(end);
        }
    }

    fn abandon(&mut self, _: u64, raw: String, _: String) {
        if !self.is_full() {
            self.text.truncate(self.begun);
            no_record(&raw, &mut self.text);
            self.text.push(b'\n');
        }
    }
}

/// Bytes that fail where they are more than was allowed: a small body can unpack to any size.
struct Limited {
    source: Bytes,
    left: usize,
    /// Whether there were more.
    has_ended: Arc<AtomicBool>,
}

impl Read for Limited {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => {
                self.has_ended.store(true, Ordering::Relaxed);
                return Err(io::Error::other("it is too large"));
            }
        }
        Ok(read)
    }
}

/// How records are read that somebody sends.
#[derive(Clone)]
pub struct Door {
    project: Arc<Project>,
    context: SessionContext,
    shape: RecordShape,
    checks: Arc<Checks>,
    zone: TimeZone,
}

/// What was read of the records of a body.
#[derive(Debug, Default)]
pub struct Received {
    /// How many there are.
    pub records: u64,
    /// Those that cannot be usage, in their order.
    pub refused: Vec<Refused>,
    /// The others by their number, from 0, with the hash of their identity.
    pub good: Vec<(u64, i64)>,
    /// Where the good ones are from: the source of those from this index on.
    sources: Vec<(usize, String)>,
}

impl Received {
    /// Refuses those of the good ones whose source may not be written; their numbers.
    pub fn refuse_sources(&mut self, may_write: impl Fn(&str) -> bool) -> BTreeSet<u64> {
        let mut sources = self.sources.iter().peekable();
        // One whose source is not known may be from any.
        let mut refusal = Some(String::from("the source is not known"));
        let mut refused = BTreeSet::new();
        let mut good = Vec::with_capacity(self.good.len());
        for (index, (number, hash)) in std::mem::take(&mut self.good).into_iter().enumerate() {
            if let Some((_, source)) = sources.next_if(|(first, _)| *first == index) {
                let reason = || format!("`{source}` is not a source that the key may write");
                refusal = (!may_write(source)).then(reason);
            }
            match &refusal {
                None => good.push((number, hash)),
                Some(reason) => {
                    let (field, reason) = (Some("source".into()), reason.clone());
                    self.refused.push(Refused { number, field, reason, transaction_id: None });
                    refused.insert(number);
                }
            }
        }
        self.good = good;
        self.sources.clear();
        self.refused.sort_by_key(|refused| refused.number);
        refused
    }
}

/// A record that cannot be usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number, from 0.
    pub number: u64,
    /// The first field that a reason is against; none if it is against the record as a whole.
    pub field: Option<String>,
    /// All that is wrong with it.
    pub reason: String,
    /// Its transaction id, where that could be read.
    pub transaction_id: Option<String>,
}

impl Door {
    /// The way into the table of usage records of a project.
    pub fn new(project: &Arc<Project>, context: &SessionContext) -> Result<Self> {
        let record = &project.schemas[USAGE_RECORD];
        let shape = record_shape(record)?.with_times(&project.settings.source);
        let checks = Arc::new(Checks::new(context, record, &shape)?);
        let shape = if checks.is_empty() { shape } else { shape.keeping_text() };
        let (project, zone) = (project.clone(), project_zone(project)?);
        Ok(Self { project, context: context.clone(), shape, checks, zone })
    }

    /// Reads records that stand in lines, as they will be read when they land: by the columns of a usage record, or by
    /// a landing query. Works on the thread that asks, unless there is a query.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn read(&self, lines: &[u8], with: Option<&Query>) -> Result<Received> {
        let mut received = Received::default();
        match with {
            None => {
                let input = Input::Stream(BODY.into(), Box::new(Cursor::new(lines.to_vec())));
                let chunks =
                    reader::read(input, Some(Format::Ndjson), &self.shape, &self.zone, 0, CHUNK_ROWS)?;
                for chunk in chunks {
                    self.take(chunk?, &mut received)?;
                }
            }
            Some(query) => {
                let file = source::keep(&mut Cursor::new(lines), BODY, "body.ndjson".into())?;
                let shape = self.shape.clone();
                let mut chunks = chunks(&self.project, &self.context, &file, Some(query), shape, 0)?;
                while let Some(chunk) = chunks.recv().await {
                    self.take(chunk?, &mut received)?;
                }
            }
        }
        received.refused.sort_by_key(|refused| refused.number);
        Ok(received)
    }

    fn take(&self, chunk: LandedChunk, received: &mut Received) -> Result<()> {
        let mut chunk = if self.checks.is_empty() { chunk } else { self.checks.reject(chunk)? };
        received.records += chunk.received;
        let rejected = std::mem::take(&mut chunk.rejected);
        received.refused.extend(rejected.into_iter().map(|row| self.refused(row)));
        let numbers = column::<Int64Type>(&chunk, "landing_sequence")?;
        let hashes = column::<Int64Type>(&chunk, "id_hash")?;
        let first = received.good.len();
        received.good.extend(numbers.iter().map(|number| *number as u64).zip(hashes));
        let sources = chunk.records.column_by_name("source").and_then(|column| column.as_string_view_opt());
        for (index, source) in sources.into_iter().flatten().enumerate() {
            // Never absent: it is a part of the identity.
            let source = source.unwrap_or_default();
            if received.sources.last().is_none_or(|(_, last)| last != source) {
                received.sources.push((first + index, source.into()));
            }
        }
        Ok(())
    }

    fn refused(&self, row: Rejected) -> Refused {
        let field = row.column.map(|column| self.shape.schema().field(column).name().clone());
        let Rejected { sequence, reason, transaction_id, .. } = row;
        Refused { number: sequence as u64, field, reason, transaction_id }
    }
}

fn column<T: arrow::datatypes::ArrowPrimitiveType>(
    chunk: &LandedChunk,
    name: &str,
) -> Result<Vec<T::Native>> {
    let column = chunk.records.column_by_name(name).and_then(|column| column.as_primitive_opt::<T>());
    let column = column.ok_or_else(|| format!("usage_record has no column {name}"));
    Ok(column.during(|| "reading a body".into())?.values().to_vec())
}

/// The lines but for those with these numbers.
pub fn without(lines: &[u8], numbers: &BTreeSet<u64>) -> Vec<u8> {
    let lines = lines.split_inclusive(|byte| *byte == b'\n').zip(0..);
    lines.filter(|(_, number)| !numbers.contains(number)).flat_map(|(line, _)| line).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_another_source_are_refused_and_those_of_none_known() {
        let mut received = Received {
            records: 6,
            good: vec![(0, 10), (2, 12), (3, 13), (5, 15)],
            sources: vec![(0, "a".into()), (1, "b".into()), (3, "a".into())],
            ..Received::default()
        };
        let refused = received.refuse_sources(|source| source == "a");
        assert_eq!(refused, BTreeSet::from([2, 3]));
        assert_eq!(received.good, [(0, 10), (5, 15)]);
        assert_eq!(received.refused[0].reason, "`b` is not a source that the key may write");
        // Where they are from is not known any more.
        assert_eq!(received.refuse_sources(|_| true), BTreeSet::from([0, 5]));
        assert_eq!(without(b"a\nb\nc\n", &BTreeSet::from([1])), b"a\nc\n");
    }

    fn cut(body: &str, format: Option<Format>) -> String {
        String::from_utf8(lines(body.into(), format, 1000).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn each_record_is_one_line_with_the_digits_it_came_with() {
        let two = "{\"a\": 0.10}\n{\"a\": 12345678901234567890.5}\n";
        assert_eq!(cut(two, Some(Format::Ndjson)), two);
        assert_eq!(
            cut("[{\"a\":\n 0.10}, {\"b\": \"\\n\"}]", Some(Format::Json)),
            "{\"a\":  0.10}\n{\"b\": \"\\n\"}\n"
        );
        assert_eq!(cut("{\"a\": 1}", None), "{\"a\": 1}\n");
        assert_eq!(
            cut("a,b\n1,\"x\"\"y\"\n,2\n", Some(Format::Csv)),
            "{\"a\":\"1\",\"b\":\"x\\\"y\"}\n{\"b\":\"2\"}\n"
        );
        assert_eq!(cut("", Some(Format::Ndjson)), "");
    }

    #[test]
    fn what_is_broken_is_not_joined_to_something_valid() {
        // The end of a line is not part of a JSON text, however it is written.
        for (body, format) in [
            ("{\"a\": \"x\ny\"}", Format::Json),
            ("{\"a\": \"x\ry\"}\n", Format::Ndjson),
            ("{\"a\":\n1", Format::Json),
        ] {
            for line in cut(body, Some(format)).lines() {
                let read = serde_json::from_str::<serde_json::Value>(line);
                assert!(!read.is_ok_and(|value| value.is_object()), "{body:?}: {line}");
            }
        }
    }

    #[test]
    fn rows_of_csv_under_long_names_are_bounded_as_json() {
        let body = format!("{}\n{}", "n".repeat(200), "1\n".repeat(100));
        assert_eq!(lines(body.into(), Some(Format::Csv), 1000).unwrap(), None);
    }

    #[test]
    fn what_unpacks_to_more_than_is_allowed_is_refused() {
        let packed = zstd::encode_all(Cursor::new(vec![b' '; 1 << 20]), 1).unwrap();
        assert!(packed.len() < 200);
        for format in [Format::Ndjson, Format::Json, Format::Csv] {
            assert_eq!(lines(packed.clone(), Some(format), 1000).unwrap(), None, "{format:?}");
        }
    }
}
