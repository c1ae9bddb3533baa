//! One usage record: cells by column in, a checked row or a rejection out.
//!
//! Owns the rules of a record, the same for every format: types, what is required, defaults, and that all reasons
//! against a record are said at once. Knows nothing of files. Always holds: `received` = rows of `records` +
//! `rejected`.

mod shape;
mod value;

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::json::{Cell, FieldNames, each_field, with_cell, write_json_string};
use crate::cycle::TimeZone;
use crate::error::{Error, Result, While};
pub(super) use shape::Kind;
use shape::{Fallback, Origin};
pub use shape::{LandingColumn, LandingDefault, RecordShape};
pub(super) use value::Slot;
use value::{Builder, slot_of};

/// The most of a rejected record's text that is kept, in bytes.
pub const RAW_LIMIT: usize = 64 << 10;

/// A record that did not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The line of the file it begins on, from 1; in Parquet the row.
    pub line: u64,
    /// Its text, cut at [`RAW_LIMIT`]; for Parquet the row as a JSON object.
    pub raw: String,
    /// All that is wrong with it, joined by `; `.
    pub reason: String,
    /// The first column, by its number, that a reason is against; none where the record could not be taken apart.
    pub column: Option<usize>,
    /// Its usage type, where that could be read.
    pub usage_type: Option<String>,
    /// Its transaction id, where that could be read.
    pub transaction_id: Option<String>,
}

/// What became of a run of records of one file.
#[derive(Debug)]
pub struct LandedChunk {
    /// How many records were read.
    pub received: u64,
    /// The good ones, by [`RecordShape::schema`], in the order of the file.
    pub records: RecordBatch,
    /// The others, in the order of the file.
    pub rejected: Vec<Rejected>,
}

/// The text of a rejected record as it is kept: at most [`RAW_LIMIT`] bytes, with a mark where it was cut; bytes that
/// are not UTF-8 become replacement characters.
pub fn raw_text(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(RAW_LIMIT)];
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if kept.len() < bytes.len() {
        // The cut may go through a character.
        while text.ends_with('\u{FFFD}') {
            text.pop();
        }
        text.push_str(&format!(" ... [cut, {} bytes in all]", bytes.len()));
    }
    text
}

/// What takes the cells of records, one record after the other.
pub(super) trait Sink {
    /// Begins a record.
    fn begin(&mut self);
    /// Takes one field; `column` is what its name stands for.
    fn field(&mut self, name: &str, column: Option<usize>, cell: Cell<'_>);
    /// Ends the record that began on this line.
    fn finish(&mut self, line: u64, raw: &mut dyn FnMut() -> String);
    /// Ends the record as one that could not be read to its end.
    fn abandon(&mut self, line: u64, raw: String, reason: String);
}

/// Collects checked records. Between records it keeps its buffers, so a record costs no allocation of its own.
pub(super) struct RecordWriter {
    shape: RecordShape,
    zone: TimeZone,
    next_sequence: i64,
    builders: Vec<Builder>,
    slots: Vec<Slot>,
    // Texts of the record; the defaults' texts stand in front and stay.
    texts: String,
    default_texts: usize,
    defaults: Vec<(usize, Slot)>,
    copies: Vec<(usize, usize)>,
    rest: Rest,
    reasons: String,
    // The first column with a reason.
    blamed: Option<usize>,
    received: u64,
    rejected: Vec<Rejected>,
}

impl RecordWriter {
    /// A writer whose first record has the landing sequence `base`.
    pub(super) fn new(shape: &RecordShape, zone: &TimeZone, base: i64) -> Result<Self> {
        let mut texts = String::new();
        let mut defaults = Vec::new();
        let mut copies = Vec::new();
        for (index, column) in shape.columns.iter().enumerate() {
            match &column.origin {
                Origin::Fixed(text) | Origin::Field { or: Some(Fallback::Text(text)) } => {
                    let slot =
                        slot_of(column.kind, Cell::Text(text), &mut texts, zone).map_err(|reason| {
                            let what = format!("the default of column `{}` {reason}", column.name);
                            Error::data(what, "change it in schemas/usage_record.sql")
                        })?;
                    defaults.push((index, slot));
                }
                Origin::Field { or: Some(Fallback::Column(other)) } => copies.push((index, *other)),
                _ => {}
            }
        }
        Ok(Self {
            builders: shape.columns.iter().map(|column| Builder::new(column.kind)).collect(),
            slots: vec![Slot::Absent; shape.columns.len()],
            default_texts: texts.len(),
            next_sequence: base,
            shape: shape.clone(),
            zone: zone.clone(),
            texts,
            defaults,
            copies,
            rest: Rest::new(),
            reasons: String::new(),
            blamed: None,
            received: 0,
            rejected: Vec::new(),
        })
    }

    /// The shape it writes.
    pub(super) fn shape(&self) -> &RecordShape {
        &self.shape
    }

    /// The type of a column.
    pub(super) fn kind(&self, column: usize) -> Kind {
        self.shape.columns[column].kind
    }

    /// How many records came since the last [`Self::take`].
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Puts a value that needs no reading into a column.
    pub(super) fn put(&mut self, column: usize, slot: Slot) {
        if self.slots[column] != Slot::Absent {
            self.object(column, "is given twice");
        } else {
            self.slots[column] = slot;
        }
    }

    /// Hands over what was collected.
    pub(super) fn take(&mut self) -> Result<LandedChunk> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let records = RecordBatch::try_new(self.shape.schema(), columns)
            .during(|| "collecting usage records".into())?;
        let received = std::mem::take(&mut self.received);
        Ok(LandedChunk { received, records, rejected: std::mem::take(&mut self.rejected) })
    }

    fn object(&mut self, column: usize, reason: &str) {
        self.blamed.get_or_insert(column);
        let name = &self.shape.columns[column].name;
        add_reason(&mut self.reasons, &[&["`", name, "` ", reason].concat()]);
    }

    fn unmapped(&mut self, name: &str, cell: Cell<'_>) {
        if self.shape.rest.is_none() {
            if cell != Cell::Null {
                add_reason(&mut self.reasons, &["`", name, "` is not a column"]);
            }
        } else if cell == Cell::Unreadable {
            add_reason(&mut self.reasons, &["`", name, "` is not readable text"]);
        } else if !self.rest.add(name, cell) {
            add_reason(&mut self.reasons, &["`", name, "` is given twice"]);
        }
    }

    /// Takes a field that is named like the column for the rest: its members join the fields without a column, so that
    /// an exported record lands as it was.
    fn members(&mut self, column: usize, cell: Cell<'_>) {
        let (Cell::Text(text) | Cell::Nested(text) | Cell::Number(text)) = cell else {
            if cell != Cell::Null {
                self.object(column, "is not a JSON object");
            }
            return;
        };
        if text.trim().is_empty() {
            return;
        }
        let (rest, reasons) = (&mut self.rest, &mut self.reasons);
        let mut names = FieldNames::new(|_| None);
        let read = each_field(text, &mut names, |name, _, json| {
            if !with_cell(json, |cell| rest.add(name, cell)) {
                add_reason(reasons, &["`", name, "` is given twice"]);
            }
        });
        if let Err(reason) = read {
            self.object(column, &reason);
        }
    }

    fn fill_defaults(&mut self) {
        let empty = |slot: Slot| matches!(slot, Slot::Absent | Slot::Null);
        for (column, slot) in &self.defaults {
            if empty(self.slots[*column]) {
                self.slots[*column] = *slot;
            }
        }
        for (column, other) in &self.copies {
            if empty(self.slots[*column]) {
                self.slots[*column] = self.slots[*other];
            }
        }
        if let Some(column) = self.shape.rest
            && let Some(object) = self.rest.object()
        {
            let from = self.texts.len();
            self.texts.push_str(object);
            self.slots[column] = Slot::Text { from, to: self.texts.len() };
        }
        let start = self.instant(self.shape.usage_start);
        for (column, slot) in self.shape.columns.iter().zip(&mut self.slots) {
            match (&column.origin, start) {
                (Origin::Sequence, _) => *slot = Slot::Int64(self.next_sequence),
                (Origin::UsageDate, Some(start)) => {
                    *slot = Slot::Date(start.div_euclid(86_400_000_000) as i32)
                }
                // Its reason is that `usage_start` is missing or bad, which is said there.
                (Origin::UsageDate, None) if self.shape.usage_start.is_some() => *slot = Slot::Bad,
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        for column in 0..self.slots.len() {
            let missing = match self.slots[column] {
                Slot::Absent | Slot::Null => true,
                Slot::Text { from, to } => from == to,
                _ => false,
            };
            if missing && self.shape.columns[column].required {
                self.object(column, "is missing");
            }
        }
        let (start, end) = (self.instant(self.shape.usage_start), self.instant(self.shape.usage_end));
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            add_reason(&mut self.reasons, &["`usage_end` is before `usage_start`"]);
        }
    }

    fn instant(&self, column: Option<usize>) -> Option<i64> {
        match self.slots[column?] {
            Slot::Instant(instant) => Some(instant),
            _ => None,
        }
    }

    fn text(&self, column: Option<usize>) -> Option<String> {
        match self.slots[column?] {
            Slot::Text { from, to } if from < to => Some(self.texts[from..to].to_owned()),
            _ => None,
        }
    }

    fn reject(&mut self, line: u64, raw: String, reason: String, column: Option<usize>) {
        let usage_type = self.text(self.shape.usage_type);
        let transaction_id = self.text(self.shape.transaction_id);
        self.rejected.push(Rejected { line, raw, reason, column, usage_type, transaction_id });
    }
}

impl Sink for RecordWriter {
    fn begin(&mut self) {
        self.slots.fill(Slot::Absent);
        self.texts.truncate(self.default_texts);
        self.reasons.clear();
        self.blamed = None;
        self.rest.begin();
    }

    fn field(&mut self, name: &str, column: Option<usize>, cell: Cell<'_>) {
        let Some(index) = column else { return self.unmapped(name, cell) };
        if column == self.shape.rest {
            return self.members(index, cell);
        }
        let slot = match slot_of(self.shape.columns[index].kind, cell, &mut self.texts, &self.zone) {
            Ok(slot) => slot,
            Err(reason) => {
                self.object(index, &reason);
                Slot::Bad
            }
        };
        self.put(index, slot);
    }

    fn finish(&mut self, line: u64, raw: &mut dyn FnMut() -> String) {
        self.fill_defaults();
        self.check();
        self.received += 1;
        self.next_sequence += 1;
        if self.reasons.is_empty() {
            for (builder, slot) in self.builders.iter_mut().zip(&self.slots) {
                builder.append(*slot, &self.texts);
            }
        } else {
            let reason = self.reasons.clone();
            self.reject(line, raw(), reason, self.blamed);
        }
    }

    fn abandon(&mut self, line: u64, raw: String, reason: String) {
        self.received += 1;
        self.next_sequence += 1;
        self.reject(line, raw, reason, None);
    }
}

fn add_reason(reasons: &mut String, parts: &[&str]) {
    if !reasons.is_empty() {
        reasons.push_str("; ");
    }
    reasons.extend(parts.iter().copied());
}

/// The fields without a column, as one JSON object.
struct Rest {
    object: String,
    // The number of the record in which a name was seen last.
    seen: HashMap<Box<str>, u64>,
    record: u64,
}

impl Rest {
    fn new() -> Self {
        Self { object: String::new(), seen: HashMap::new(), record: 0 }
    }

    fn begin(&mut self) {
        self.object.clear();
        self.record += 1;
        if self.seen.len() > 4096 {
            self.seen.clear();
        }
    }

    /// Adds a field; false where the record had the name already.
    fn add(&mut self, name: &str, cell: Cell<'_>) -> bool {
        if let Some(record) = self.seen.get_mut(name) {
            if *record == self.record {
                return false;
            }
            *record = self.record;
        } else {
            self.seen.insert(name.into(), self.record);
        }
        self.object.push(if self.object.is_empty() { '{' } else { ',' });
        write_json_string(name, &mut self.object);
        self.object.push(':');
        cell.write_json(&mut self.object);
        true
    }

    /// The object; none without a field.
    fn object(&mut self) -> Option<&str> {
        if self.object.is_empty() {
            return None;
        }
        self.object.push('}');
        Some(&self.object)
    }
}
