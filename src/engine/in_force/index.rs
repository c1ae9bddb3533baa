//! The side of a join that is kept, by its keys, and under each key by when its rows are in force.

use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DynComparator, MAX_INLINE_VIEW_LEN, RecordBatch, StringViewArray, UInt32Array,
    make_comparator,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use datafusion::common::cast::{as_int64_array, as_string_view_array};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{DataFusionError, NullEquality, Result, resources_datafusion_err};
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
    /// The keys that they have, each once.
    keys: Vec<ArrayRef>,
    null_equality: NullEquality,
    /// Places of `keys`, which are never all taken; see [`Slot`].
    slots: Vec<Slot>,
    /// Where the spans of each key start, and last where all end.
    starts: Vec<u32>,
    /// The first time of each span: key by key, and of one key in order.
    firsts: Vec<i64>,
    /// The spans in the same order. They are apart, since of those that have not begun no more is read.
    spans: Vec<Span>,
    /// What the above takes of the memory that the engine may use.
    pub memory: MemoryReservation,
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
            keys: Vec::new(),
            null_equality,
            slots: vec![0; 16],
            starts: Vec::new(),
            firsts: Vec::new(),
            spans: Vec::new(),
            memory,
        };
        let spans = range.spans(&index.rows)?;
        let hashes = hashes_of(&keys, index.rows.num_rows())?;
        let matchable = index.matchable(&keys);
        let alike = Alike::between(&keys, &keys, null_equality)?;
        // Of each key its hash, and a row that has it.
        let (mut hashes_of_keys, mut rows_of_keys) = (Vec::new(), Vec::new());
        let mut placed = Vec::new();
        for (row, span) in spans.into_iter().enumerate() {
            let Some((first, last)) = span.filter(|_| matchable.as_ref().is_none_or(|it| it.is_valid(row)))
            else {
                continue;
            };
            let is_it = |key: u32| alike.are(rows_of_keys[key as usize] as usize, row);
            let key = match index.find(hashes[row], is_it) {
                NONE => {
                    hashes_of_keys.push(hashes[row]);
                    rows_of_keys.push(row as u32);
                    index.insert(&hashes_of_keys)
                }
                key => key,
            };
            placed.push((key, first, Span { last, reach: i64::MIN, row: row as u32 }));
        }
        placed.sort_by_key(|(key, first, _)| (*key, *first));
        index.arrange(placed);
        let rows_of_keys = UInt32Array::from(rows_of_keys);
        index.keys = keys.iter().map(|key| take(key, &rows_of_keys, None)).collect::<Result<_, _>>()?;
        let taken = size_of_val(&index.slots[..])
            + size_beside(&index.rows, &index.keys)?
            + size_of_val(&index.starts[..])
            + size_of_val(&index.firsts[..])
            + size_of_val(&index.spans[..]);
        index.memory.try_grow(taken)?;
        Ok(index)
    }

    /// Whether most keys have one row.
    pub fn has_few_a_key(&self) -> bool {
        self.spans.len() < (self.starts.len() - 1) * 2
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
        let alike = Alike::between(&self.keys, keys, self.null_equality)?;
        // What is in memory far apart is read for all rows before any waits for it.
        let mut found: Vec<u32> = hashes.iter().map(|hash| self.find(*hash, |_| true)).collect();
        for row in alike.unlike(&found) {
            found[row] = self.find(hashes[row], |key| alike.are(key as usize, row));
        }
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

    /// The key of that hash, as far as its slot has it, of which something holds, or [`NONE`].
    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> u32 {
        let last = self.slots.len() - 1;
        let mut place = hash as usize & last;
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return NONE;
            }
            let key = slot as u32 - 1;
            if slot >> 32 == hash >> 32 && is_it(key) {
                return key;
            }
            place = (place + 1) & last;
        }
    }

    /// Makes a place for the last of these keys.
    fn insert(&mut self, hashes: &[u64]) -> u32 {
        let key = hashes.len() - 1;
        if hashes.len() * 2 > self.slots.len() {
            self.slots = vec![0; self.slots.len() * 2];
            (0..key).for_each(|key| self.settle(key, hashes[key]));
        }
        self.settle(key, hashes[key]);
        key as u32
    }

    fn settle(&mut self, key: usize, hash: u64) {
        let last = self.slots.len() - 1;
        let mut place = hash as usize & last;
        while self.slots[place] != 0 {
            place = (place + 1) & last;
        }
        self.slots[place] = hash >> 32 << 32 | (key as Slot + 1);
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

/// What keys take beside the rows that they are of: the bytes of long texts are shared.
fn size_beside(rows: &RecordBatch, keys: &[ArrayRef]) -> Result<usize> {
    let mut counter = RecordBatchMemoryCounter::new();
    counter.count_batch(rows);
    keys.iter().try_fold(0, |sum, key| {
        let key = RecordBatch::try_from_iter([("key", Arc::clone(key))])?;
        Ok(sum + counter.count_batch(&key))
    })
}

fn hashes_of(keys: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0; rows];
    create_hashes(keys, &HASHES, &mut hashes)?;
    Ok(hashes)
}

/// Whether keys of two sides are the same, nulls among them where these are equal.
struct Alike(Vec<Compared>);

/// One column of the keys of both sides.
enum Compared {
    Texts(StringViewArray, StringViewArray),
    Numbers(ScalarBuffer<i64>, ScalarBuffer<i64>),
    Others(DynComparator),
}

impl Alike {
    fn between(kept: &[ArrayRef], looked_up: &[ArrayRef], nulls: NullEquality) -> Result<Self> {
        let pairs = kept.iter().zip(looked_up);
        let compare = pairs.map(|(kept, other)| {
            // A key that is null is asked for only where nulls are equal.
            let is_known =
                nulls == NullEquality::NullEqualsNothing || kept.null_count() + other.null_count() == 0;
            Ok(match kept.data_type() {
                DataType::Utf8View if is_known => {
                    Compared::Texts(as_string_view_array(kept)?.clone(), as_string_view_array(other)?.clone())
                }
                DataType::Int64 if is_known => {
                    let numbers =
                        |keys: &ArrayRef| Ok::<_, DataFusionError>(as_int64_array(keys)?.values().clone());
                    Compared::Numbers(numbers(kept)?, numbers(other)?)
                }
                _ => Compared::Others(make_comparator(kept, other, SortOptions::default())?),
            })
        });
        Ok(Self(compare.collect::<Result<_>>()?))
    }

    fn are(&self, kept: usize, looked_up: usize) -> bool {
        self.0.iter().all(|compared| match compared {
            Compared::Texts(one, other) => are_one_text(one, kept, other, looked_up),
            Compared::Numbers(one, other) => one[kept] == other[looked_up],
            Compared::Others(compare) => compare(kept, looked_up).is_eq(),
        })
    }

    /// The rows that are not the same as what was found for them.
    fn unlike(&self, found: &[u32]) -> Vec<usize> {
        let pairs = || found.iter().enumerate().filter(|(_, kept)| **kept != NONE);
        let mut unlike = Vec::new();
        for compared in &self.0 {
            let mut differ = |is_same: &dyn Fn(usize, usize) -> bool| {
                let differing = pairs().filter(|(row, kept)| !is_same(**kept as usize, *row));
                unlike.extend(differing.map(|(row, _)| row));
            };
            match compared {
                Compared::Texts(one, other) => differ(&|kept, row| are_one_text(one, kept, other, row)),
                Compared::Numbers(one, other) => differ(&|kept, row| one[kept] == other[row]),
                Compared::Others(compare) => differ(&|kept, row| compare(kept, row).is_eq()),
            }
        }
        unlike
    }
}

fn are_one_text(one: &StringViewArray, kept: usize, other: &StringViewArray, row: usize) -> bool {
    let (of_one, of_other) = (one.views()[kept], other.views()[row]);
    // A short text is all in its view, and of any its length and first bytes are.
    match of_one as u32 <= MAX_INLINE_VIEW_LEN {
        true => of_one == of_other,
        false => of_one as u64 == of_other as u64 && one.value(kept) == other.value(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_keys_share_with_their_rows_count_once() {
        let texts: ArrayRef = Arc::new(
            (0..1000).map(|row| Some(format!("a text of {row} beyond a view"))).collect::<StringViewArray>(),
        );
        let rows = RecordBatch::try_from_iter([("text", Arc::clone(&texts))]).unwrap();
        let keys = [take(&texts, &UInt32Array::from_iter_values(0..1000), None).unwrap()];
        // A view has 16 bytes; buffers may be rounded up.
        let size = size_beside(&rows, &keys).unwrap();
        assert!((16_000..17_000).contains(&size), "{size}");
        assert!(keys[0].get_array_memory_size() > 40_000, "{}", keys[0].get_array_memory_size());
    }
}
