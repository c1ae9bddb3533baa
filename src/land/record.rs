//! One usage record: cells by column in, a checked row or a rejection out.
//!
//! Owns the rules of a record, the same for every format: types, what is required, defaults, and that all reasons
//! against a record are said at once. Knows nothing of files. Always holds: `received` = rows of `records` +
//! `rejected`.

pub(super) mod chunk;
mod reasons;
mod rest;
mod shape;
mod value;

use std::collections::HashSet;

use arrow::array::RecordBatch;
use meterhouse_sql::cycle::{Time, TimeZone};
use meterhouse_sql::decimal::SUMMABLE_DIGITS;
use meterhouse_sql::functions::{SEQUENCES, hash_of_texts};
use xxhash_rust::xxh3::xxh3_128;

use super::json::{Cell, FieldNames, each_field, with_cell};
use super::times;
use crate::error::{Error, Result, While};
pub use chunk::{LandedChunk, Rejected, raw_text};
use reasons::Reasons;
use rest::Rest;
pub(super) use shape::Kind;
use shape::{Column, Fallback, Origin};
pub use shape::{LandingColumn, LandingDefault, RecordShape};
pub(super) use value::Slot;
use value::{A_NUMBER, Builder, Fault, slot_of};

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
    // The columns that landing fills by itself, and those that are required or limited.
    filled: Vec<usize>,
    checked: Vec<usize>,
    rest: Rest,
    reasons: Reasons,
    // The first column with a reason.
    blamed: Option<usize>,
    // Times of the record that the rule of its source may read: column, text, what is wrong without one.
    pending: Vec<(usize, Slot, Fault)>,
    // The second time that clocks show a local time of the record, by column.
    later: Vec<(usize, i64)>,
    // Identities with such a time that the file has had.
    repeated: HashSet<u128>,
    // How many records have one.
    ambiguous: u64,
    // Room for the bytes of an identity.
    encoded: Vec<u8>,
    // A field of the record that holds a list of objects.
    list: Option<String>,
    received: u64,
    rejected: Vec<Rejected>,
    kept: Vec<(u64, String)>,
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
        let those = |are: fn(&Column) -> bool| {
            let columns = shape.columns.iter().enumerate();
            columns.filter(|(_, column)| are(column)).map(|(index, _)| index).collect()
        };
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
            filled: those(|column| {
                use Origin::{IdHash, LandingId, Sequence, UsageDate};
                matches!(column.origin, Sequence | LandingId | IdHash | UsageDate)
            }),
            checked: those(|column| column.required || column.limit < u128::MAX),
            rest: Rest::new(),
            reasons: Reasons::default(),
            blamed: None,
            pending: Vec::new(),
            later: Vec::new(),
            repeated: HashSet::new(),
            ambiguous: 0,
            encoded: Vec::new(),
            list: None,
            received: 0,
            rejected: Vec::new(),
            kept: Vec::new(),
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
            self.object(column, &"is given twice".into());
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
        let (rejected, kept) = (std::mem::take(&mut self.rejected), std::mem::take(&mut self.kept));
        let ambiguous = std::mem::take(&mut self.ambiguous);
        Ok(LandedChunk { received, records, rejected, kept, ambiguous })
    }

    fn object(&mut self, column: usize, fault: &Fault) {
        self.blamed.get_or_insert(column);
        self.reasons.add(&self.shape.columns[column].name, &fault.value, &fault.what);
    }

    fn unmapped(&mut self, name: &str, cell: Cell<'_>) {
        if let Cell::Nested(text) = cell
            && self.list.is_none()
            && text.strip_prefix('[').is_some_and(|items| items.trim_start().starts_with('{'))
        {
            self.list = Some(name.into());
        }
        if self.shape.rest.is_none() {
            if cell != Cell::Null {
                self.reasons.add(name, "", "is not a column");
            }
        } else if cell == Cell::Unreadable {
            self.reasons.add(name, "", "is not readable text");
        } else if !self.rest.add(name, cell) {
            self.reasons.add(name, "", "is given twice");
        }
    }

    /// Takes a field that is named like the column for the rest: its members join the fields without a column, so that
    /// an exported record lands as it was.
    fn members(&mut self, column: usize, cell: Cell<'_>) {
        let (Cell::Text(text) | Cell::Nested(text) | Cell::Number(text)) = cell else {
            if cell != Cell::Null {
                self.object(column, &"is not a JSON object".into());
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
                reasons.add(name, "", "is given twice");
            }
        });
        if let Err(reason) = read {
            self.object(column, &reason.as_str().into());
        }
    }

    /// Takes a time; what cannot be read as ISO 8601 waits until the source of the record is known.
    fn time(&mut self, column: usize, cell: Cell<'_>) -> Slot {
        let (text, fault) = match cell {
            Cell::Text(text) => match text.trim() {
                "" => return Slot::Null,
                text => match times::iso(text, &self.zone, false) {
                    Ok(time) => return self.read_time(column, time),
                    Err(what) => (text, Fault::of(text, what)),
                },
            },
            Cell::Number(text) => (text, A_NUMBER.into()),
            other => match slot_of(Kind::Instant, other, &mut self.texts, &self.zone) {
                Ok(slot) => return slot,
                Err(fault) => ("", fault),
            },
        };
        if self.shape.times.is_empty() || text.is_empty() {
            self.object(column, &fault);
        } else {
            let from = self.texts.len();
            self.texts.push_str(text);
            self.pending.push((column, Slot::Text { from, to: self.texts.len() }, fault));
        }
        Slot::Bad
    }

    fn read_time(&mut self, column: usize, time: Time) -> Slot {
        self.later.extend(time.later.map(|later| (column, later)));
        Slot::Instant(time.instant)
    }

    /// Reads the times that wait, by the rule of the record's source.
    fn read_by_source(&mut self) {
        let source = self.shape.source.map(|column| match self.slots[column] {
            Slot::Absent | Slot::Null => {
                let default = self.defaults.iter().find(|(index, _)| *index == column);
                default.map_or(Slot::Null, |(_, slot)| *slot)
            }
            slot => slot,
        });
        let source = source.map(|slot| self.text_of(slot)).unwrap_or_default();
        let rule = self.shape.times.get(source).copied();
        for (column, text, fault) in std::mem::take(&mut self.pending) {
            let text = self.text_of(text);
            let read = match &rule {
                Some(rule) => times::read(rule, text, &self.zone).map_err(|what| Fault::of(text, what)),
                None => Err(fault),
            };
            match read {
                Ok(time) => self.slots[column] = self.read_time(column, time),
                Err(fault) => self.object(column, &fault),
            }
        }
    }

    /// Where clocks fall back, a local time has two instants. The earlier one is taken, and the later one where the
    /// file has had the identity at that time before.
    fn choose_later(&mut self) {
        if self.later.iter().any(|(column, _)| Some(*column) == self.shape.usage_start) {
            self.ambiguous += 1;
            let start = self.instant(self.shape.usage_start).unwrap_or_default();
            let ids = [self.shape.source, self.shape.transaction_id];
            let [source, id] = ids.map(|column| self.text(column).unwrap_or_default());
            let identity = xxh3_128(format!("{source}\0{id}\0{start}").as_bytes());
            if !self.repeated.insert(identity) {
                for (column, later) in std::mem::take(&mut self.later) {
                    self.slots[column] = Slot::Instant(later);
                }
            }
        }
        self.later.clear();
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
        let id_hash = if self.shape.has_id_hash { self.id_hash() } else { 0 };
        for column in &self.filled {
            self.slots[*column] = match (&self.shape.columns[*column].origin, start) {
                (Origin::Sequence, _) => Slot::Int64(self.next_sequence),
                (Origin::LandingId, _) => Slot::Int64(self.next_sequence / SEQUENCES),
                (Origin::IdHash, _) => Slot::Int64(id_hash),
                (Origin::UsageDate, Some(start)) => Slot::Date(start.div_euclid(86_400_000_000) as i32),
                // Its reason is that `usage_start` is missing or bad, which is said there.
                (Origin::UsageDate, None) if self.shape.usage_start.is_some() => Slot::Bad,
                _ => continue,
            }
        }
    }

    /// By what the record is found again when it comes again, or somebody decides about it.
    fn id_hash(&mut self) -> i64 {
        let mut encoded = std::mem::take(&mut self.encoded);
        let ids = [self.shape.source, self.shape.transaction_id];
        let texts = ids.into_iter().flatten().map(|column| self.text_of(self.slots[column]));
        let hash = hash_of_texts(texts, &mut encoded);
        self.encoded = encoded;
        hash
    }

    fn check(&mut self) {
        let mut missing_columns = 0;
        for number in 0..self.checked.len() {
            let column = self.checked[number];
            let missing = match self.slots[column] {
                Slot::Absent | Slot::Null => true,
                Slot::Text { from, to } => from == to,
                _ => false,
            };
            if missing && self.shape.columns[column].required {
                missing_columns += 1;
                self.object(column, &"is missing".into());
            }
            if let Slot::Decimal(number) = self.slots[column]
                && number.unsigned_abs() >= self.shape.columns[column].limit
            {
                let what = format!("has more than {SUMMABLE_DIGITS} digits before the point");
                self.object(column, &what.as_str().into());
            }
        }
        if let Some(list) = self.list.take().filter(|_| missing_columns > 1) {
            self.reasons.clear();
            let what = "holds a list: land the list itself, or its objects one a line";
            self.reasons.add(&list, "", what);
        }
        let (start, end) = (self.instant(self.shape.usage_start), self.instant(self.shape.usage_end));
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            self.reasons.add("usage_end", "", "is before `usage_start`");
        }
    }

    fn instant(&self, column: Option<usize>) -> Option<i64> {
        match self.slots[column?] {
            Slot::Instant(instant) => Some(instant),
            _ => None,
        }
    }

    fn text(&self, column: Option<usize>) -> Option<String> {
        Some(self.text_of(self.slots[column?])).filter(|text| !text.is_empty()).map(String::from)
    }

    fn text_of(&self, slot: Slot) -> &str {
        match slot {
            Slot::Text { from, to } => &self.texts[from..to],
            _ => "",
        }
    }

    fn reject(&mut self, line: u64, raw: String, reason: String, kind: String) {
        let usage_type = self.text(self.shape.usage_type);
        let transaction_id = self.text(self.shape.transaction_id);
        let (sequence, column) = (self.next_sequence, self.blamed);
        self.rejected.push(Rejected {
            sequence,
            line,
            raw,
            reason,
            kind,
            column,
            usage_type,
            transaction_id,
        });
    }
}

impl Sink for RecordWriter {
    fn begin(&mut self) {
        self.slots.fill(Slot::Absent);
        self.texts.truncate(self.default_texts);
        self.reasons.clear();
        self.blamed = None;
        self.list = None;
        self.pending.clear();
        self.later.clear();
        self.rest.begin();
    }

    fn field(&mut self, name: &str, column: Option<usize>, cell: Cell<'_>) {
        let Some(index) = column else { return self.unmapped(name, cell) };
        if column == self.shape.rest {
            return self.members(index, cell);
        }
        let kind = self.shape.columns[index].kind;
        let slot = match kind {
            Kind::Instant => self.time(index, cell),
            _ => match slot_of(kind, cell, &mut self.texts, &self.zone) {
                Ok(slot) => slot,
                Err(fault) => {
                    self.object(index, &fault);
                    Slot::Bad
                }
            },
        };
        self.put(index, slot);
    }

    fn finish(&mut self, line: u64, raw: &mut dyn FnMut() -> String) {
        if !self.pending.is_empty() {
            self.read_by_source();
        }
        if !self.later.is_empty() {
            self.choose_later();
        }
        self.fill_defaults();
        self.check();
        if self.reasons.texts.is_empty() {
            for (builder, slot) in self.builders.iter_mut().zip(&self.slots) {
                builder.append(*slot, &self.texts);
            }
            if self.shape.keeps_text {
                self.kept.push((line, raw()));
            }
        } else {
            let Reasons { texts, kinds } = self.reasons.clone();
            self.reject(line, raw(), texts, kinds);
        }
        self.received += 1;
        self.next_sequence += 1;
    }

    fn abandon(&mut self, line: u64, raw: String, reason: String) {
        let kind = reason.split(" (column ").next().unwrap_or_default().to_owned();
        self.blamed = None;
        self.reject(line, raw, reason, kind);
        self.received += 1;
        self.next_sequence += 1;
    }
}
