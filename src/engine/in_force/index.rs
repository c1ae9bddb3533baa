//! The side of a join that is kept, by its keys, and under each key by when its rows are in force.

use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DynComparator, RecordBatch, make_comparator};
use arrow::buffer::NullBuffer;
use arrow::compute::SortOptions;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{NullEquality, Result, resources_datafusion_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::PhysicalExpr;

use super::range::Range;

/// Other hashes than those by which DataFusion cuts rows up between threads: these leave each thread few of all.
const HASHES: RandomState = RandomState::with_seed(0x6d65_7465_7268_6f75);
/// So many spans of a key are counted.
const FEW: usize = 16;
/// No key: of a row whose key is not kept.
pub const NONE: u32 = u32::MAX;

/// Rows by their keys and by when they are in force.
#[derive(Debug)]
pub struct Index {
    /// All rows, those that are never in force among them.
    pub rows: RecordBatch,
    keys: Vec<ArrayRef>,
    null_equality: NullEquality,
    /// Places of `distinct`, which is never full; see [`Slot`].
    slots: Vec<Slot>,
    distinct: Vec<Key>,
    /// Where the spans of each key start, and last where all end.
    starts: Vec<u32>,
    /// The first time of each span: key by key, and of one key in order.
    firsts: Vec<i64>,
    /// The spans in the same order. They are apart, since of those that have not begun no more is read.
    spans: Vec<Span>,
    /// What the above takes of the memory that the engine may use.
    pub memory: MemoryReservation,
}

/// A key, and a row that has it.
#[derive(Debug, Clone)]
struct Key {
    hash: u64,
    row: u32,
}

/// Until when a row is in force.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The last time at which it is in force.
    pub last: i64,
    /// The last time at which one before it under its key is in force.
    pub reach: i64,
    /// Its place among the rows.
    pub row: u32,
}

/// Where a key is looked for: half of its hash, and one more than its place, so that a slot without a key is zero.
type Slot = u64;

impl Index {
    /// Rows by `on`, in force in their `range`.
    pub fn of(
        rows: RecordBatch,
        on: &[Arc<dyn PhysicalExpr>],
        range: &Range,
        null_equality: NullEquality,
        memory: MemoryReservation,
    ) -> Result<Self> {
        if rows.num_rows() >= NONE as usize {
            return Err(resources_datafusion_err!("a join keeps {} rows", rows.num_rows()));
        }
        let keys = keys_of(on, &rows)?;
        let mut index = Self {
            rows,
            keys: keys.clone(),
            null_equality,
            slots: vec![0; 16],
            distinct: Vec::new(),
            starts: Vec::new(),
            firsts: Vec::new(),
            spans: Vec::new(),
            memory,
        };
        let spans = range.spans(&index.rows)?;
        let hashes = hashes_of(&keys, index.rows.num_rows())?;
        let matchable = index.matchable(&keys);
        let alike = Alike::between(&keys, &keys)?;
        let mut placed = Vec::new();
        for (row, span) in spans.into_iter().enumerate() {
            let Some((first, last)) = span.filter(|_| matchable.as_ref().is_none_or(|it| it.is_valid(row)))
            else {
                continue;
            };
            let key = match index.find(hashes[row], |other| alike.are(other, row)) {
                NONE => index.insert(hashes[row], row as u32),
                key => key,
            };
            placed.push((key, first, Span { last, reach: i64::MIN, row: row as u32 }));
        }
        placed.sort_by_key(|(key, first, _)| (*key, *first));
        index.arrange(placed);
        let taken = size_of_val(&index.slots[..])
            + size_of_val(&index.distinct[..])
            + size_of_val(&index.starts[..])
            + size_of_val(&index.firsts[..])
            + size_of_val(&index.spans[..]);
        index.memory.try_grow(taken)?;
        Ok(index)
    }

    /// Whether most keys have one row.
    pub fn has_few_a_key(&self) -> bool {
        self.spans.len() < self.distinct.len() * 2
    }

    /// Whether no row is ever in force.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The key of each row of the other side, or [`NONE`].
    pub fn look_up(&self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        if self.is_empty() {
            return Ok(vec![NONE; rows]);
        }
        let hashes = hashes_of(keys, rows)?;
        let alike = Alike::between(&self.keys, keys)?;
        let key = |(row, hash): (usize, &u64)| self.find(*hash, |other| alike.are(other, row));
        let mut found: Vec<u32> = hashes.iter().enumerate().map(key).collect();
        if let Some(matchable) = self.matchable(keys) {
            let never = found.iter_mut().zip(&matchable).filter(|(_, is_matchable)| !is_matchable);
            never.for_each(|(key, _)| *key = NONE);
        }
        Ok(found)
    }

    /// Of spans the one that starts the key's, and the one after the last that has begun at a time.
    pub fn begun(&self, key: u32, time: i64) -> (u32, u32) {
        let (start, end) = (self.starts[key as usize], self.starts[key as usize + 1]);
        let firsts = &self.firsts[start as usize..end as usize];
        let begun = match firsts.len() {
            // A few are counted sooner than searched: what is read does not wait for what was read before.
            ..=FEW => firsts.iter().filter(|first| **first <= time).count(),
            _ => firsts.partition_point(|first| *first <= time),
        };
        (start, start + begun as u32)
    }

    /// A span by its place.
    pub fn span(&self, place: u32) -> Span {
        self.spans[place as usize]
    }

    /// Which keys may be equal to others: where nulls equal nothing, those that have none.
    fn matchable(&self, keys: &[ArrayRef]) -> Option<NullBuffer> {
        let nulls: Vec<_> = match self.null_equality {
            NullEquality::NullEqualsNull => return None,
            NullEquality::NullEqualsNothing => keys.iter().map(|key| key.logical_nulls()).collect(),
        };
        NullBuffer::union_many(nulls.iter().map(Option::as_ref)).filter(|nulls| nulls.null_count() > 0)
    }

    /// The key with that hash of whose row something holds, or [`NONE`].
    fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> u32 {
        let last = self.slots.len() - 1;
        let mut place = hash as usize & last;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return NONE;
            }
            let key = slot as u32 - 1;
            if slot >> 32 == hash >> 32 && is_it(self.distinct[key as usize].row as usize) {
                return key;
            }
            place = (place + 1) & last;
        }
    }

    /// Makes a new key of a row.
    fn insert(&mut self, hash: u64, row: u32) -> u32 {
        let key = self.distinct.len() as u32;
        self.distinct.push(Key { hash, row });
        if self.distinct.len() * 2 > self.slots.len() {
            self.slots = vec![0; self.slots.len() * 2];
            for key in 0..key {
                self.settle(key);
            }
        }
        self.settle(key);
        key
    }

    fn settle(&mut self, key: u32) {
        let hash = self.distinct[key as usize].hash;
        let last = self.slots.len() - 1;
        let mut place = hash as usize & last;
        while self.slots[place] != 0 {
            place = (place + 1) & last;
        }
        self.slots[place] = hash >> 32 << 32 | (Slot::from(key) + 1);
    }

    /// Takes spans that are in the order of their keys and of when they begin.
    fn arrange(&mut self, placed: Vec<(u32, i64, Span)>) {
        self.firsts.reserve_exact(placed.len());
        self.spans.reserve_exact(placed.len());
        let mut reach = i64::MIN;
        for (key, first, span) in placed {
            if self.starts.len() <= key as usize {
                self.starts.push(self.spans.len() as u32);
                reach = i64::MIN;
            }
            self.firsts.push(first);
            self.spans.push(Span { reach, ..span });
            reach = reach.max(span.last);
        }
        self.starts.push(self.spans.len() as u32);
    }
}

/// The values of keys in a batch.
pub fn keys_of(on: &[Arc<dyn PhysicalExpr>], rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
    on.iter().map(|key| key.evaluate(rows)?.into_array(rows.num_rows())).collect()
}

fn hashes_of(keys: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0; rows];
    create_hashes(keys, &HASHES, &mut hashes)?;
    Ok(hashes)
}

/// Whether keys of two sides are the same, nulls among them.
struct Alike(Vec<DynComparator>);

impl Alike {
    fn between(kept: &[ArrayRef], looked_up: &[ArrayRef]) -> Result<Self> {
        let pairs = kept.iter().zip(looked_up);
        let compare = pairs.map(|(kept, other)| Ok(make_comparator(kept, other, SortOptions::default())?));
        Ok(Self(compare.collect::<Result<_>>()?))
    }

    fn are(&self, kept: usize, looked_up: usize) -> bool {
        self.0.iter().all(|compare| compare(kept, looked_up).is_eq())
    }
}
