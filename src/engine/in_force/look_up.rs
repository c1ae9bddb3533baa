//! Rows of one side of a join that look up those of the other which are in force.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::{BatchCoalescer, take};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::common::cast::{as_boolean_array, as_primitive_array};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::metrics::{BaselineMetrics, Count};
use futures::TryStreamExt;

use super::index::{Index, NONE, keys_of};
use super::range::whole;
use super::terms::Terms;

/// As many times the rows of a batch are looked up before they come out.
const AT_ONCE: usize = 4;

/// The rows of one partition that look others up, as they come.
pub struct LookUp {
    terms: Arc<Terms>,
    index: Arc<Index>,
    input: SendableRecordBatchStream,
    /// What is being looked up.
    batch: Option<Batch>,
    /// Whether all has been looked up.
    is_done: bool,
    out: BatchCoalescer,
    batch_rows: usize,
    metrics: BaselineMetrics,
    input_rows: Count,
}

impl LookUp {
    pub fn new(
        terms: Arc<Terms>,
        index: Arc<Index>,
        input: SendableRecordBatchStream,
        batch_rows: usize,
        metrics: BaselineMetrics,
        input_rows: Count,
    ) -> Self {
        // Where nothing is in force, what would look it up need not be made.
        let is_done = index.is_empty() && terms.needs_what_is_kept();
        let out = BatchCoalescer::new(terms.schema.clone(), batch_rows)
            .with_biggest_coalesce_batch_size(Some(batch_rows / 2));
        Self { terms, index, input, batch: None, is_done, out, batch_rows, metrics, input_rows }
    }

    /// The next rows of the join: at most as many as the engine wants in a batch.
    pub async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(rows) = self.out.next_completed_batch() {
                self.metrics.record_output(rows.num_rows());
                return Ok(Some((rows, self)));
            }
            match self.batch.take() {
                Some(batch) => self.join(batch)?,
                None if self.is_done => return Ok(None),
                None => match self.input.try_next().await? {
                    Some(rows) => {
                        let _timer = self.metrics.elapsed_compute().timer();
                        self.input_rows.add(rows.num_rows());
                        self.batch = Some(Batch::of(rows, &self.terms, &self.index)?);
                    }
                    None => {
                        self.is_done = true;
                        self.out.finish_buffered_batch()?;
                    }
                },
            }
        }
    }

    /// Looks up some rows of a batch, which is kept where it has more.
    fn join(&mut self, mut batch: Batch) -> Result<()> {
        let _timer = self.metrics.elapsed_compute().timer();
        let most = self.batch_rows;
        let mut pairs = batch.in_force(&self.index, most * AT_ONCE);
        if let Some(rest) = &self.terms.rest {
            pairs = pairs.that_pass(rest, &self.index.rows, &batch.rows)?;
        }
        let pairs = batch.with_rows_due(self.terms.join_type, pairs);
        let count = pairs.looked_up.len();
        // Parts of one size: what is small would be copied to fill it up.
        let part = count.div_ceil(count.div_ceil(most).max(1)).max(1);
        for start in (0..count).step_by(part) {
            let end = count.min(start + part);
            let rows = pairs.part(start, end).rows(&self.terms, &self.index.rows, &batch.rows)?;
            // What is large is passed on as it is, and not copied to fill up what is small.
            if rows.num_rows() > most / 2 {
                self.out.finish_buffered_batch()?;
            }
            self.out.push_batch(rows)?;
        }
        if batch.next < batch.rows.num_rows() {
            self.batch = Some(batch);
        }
        Ok(())
    }
}

/// Rows that look others up, and how far they are.
pub struct Batch {
    rows: RecordBatch,
    /// Of each row the span that starts its key's, and the one after the last that has begun.
    begun: Vec<(u32, u32)>,
    times: ScalarBuffer<i64>,
    /// The first row that has not met all that is in force.
    next: usize,
    /// The span after those that it has still to meet, where it has met some.
    to_meet: Option<u32>,
    /// The first row that has not come out.
    due: usize,
}

impl Batch {
    fn of(rows: RecordBatch, terms: &Terms, index: &Index) -> Result<Self> {
        let mut keys = index.look_up(&keys_of(&terms.looked_up_on, &rows)?, rows.num_rows())?;
        let times = whole(rows.column(terms.range.time))?;
        let times = as_primitive_array::<Int64Type>(&times)?;
        if let Some(known) = times.nulls() {
            keys.iter_mut().zip(known).filter(|(_, is_known)| !is_known).for_each(|(key, _)| *key = NONE);
        }
        let times = times.values().clone();
        let begun = |(key, time): (&u32, &i64)| match *key {
            NONE => (0, 0),
            key => index.begun(key, *time),
        };
        let begun = keys.iter().zip(&times).map(begun).collect();
        Ok(Self { rows, begun, times, next: 0, to_meet: None, due: 0 })
    }

    /// The next rows with what is in force for each, the latest first: at most so many pairs.
    fn in_force(&mut self, index: &Index, most: usize) -> Pairs {
        let mut pairs = Pairs::with_capacity(most.min(self.begun.len() - self.next));
        while self.next < self.begun.len() {
            let ((start, begun), time) = (self.begun[self.next], self.times[self.next]);
            let mut to_meet = self.to_meet.take().unwrap_or(begun);
            while to_meet > start {
                if pairs.kept.len() == most {
                    self.to_meet = Some(to_meet);
                    return pairs;
                }
                to_meet -= 1;
                let span = index.span(to_meet);
                if span.last >= time {
                    pairs.push(span.row, self.next);
                }
                if span.reach < time {
                    break;
                }
            }
            self.next += 1;
        }
        pairs
    }

    /// The pairs that come out, with the rows before them that have met nothing where these come out, too.
    fn with_rows_due(&mut self, join_type: JoinType, pairs: Pairs) -> Pairs {
        if join_type == JoinType::Inner {
            return pairs;
        }
        let mut out = Pairs::with_capacity(pairs.looked_up.len().max(self.next.saturating_sub(self.due)));
        let alone = join_type != JoinType::RightSemi;
        for (kept, row) in pairs.kept.iter().zip(&pairs.looked_up) {
            let is_first = self.due <= *row as usize;
            if alone {
                (self.due..*row as usize).for_each(|row| out.push(NONE, row));
            }
            if join_type == JoinType::Right || (join_type == JoinType::RightSemi && is_first) {
                out.push(*kept, *row as usize);
            }
            self.due = self.due.max(*row as usize + 1);
        }
        if alone {
            (self.due..self.next).for_each(|row| out.push(NONE, row));
        }
        self.due = self.due.max(self.next);
        out
    }
}

/// Rows of both sides that belong together, by their places; [`NONE`] where a row is alone.
struct Pairs {
    kept: Vec<u32>,
    looked_up: Vec<u32>,
}

impl Pairs {
    fn with_capacity(pairs: usize) -> Self {
        Self { kept: Vec::with_capacity(pairs), looked_up: Vec::with_capacity(pairs) }
    }

    fn push(&mut self, kept: u32, looked_up: usize) {
        self.kept.push(kept);
        self.looked_up.push(looked_up as u32);
    }

    fn part(&self, start: usize, end: usize) -> Self {
        let part = |rows: &[u32]| rows[start..end].to_vec();
        Self { kept: part(&self.kept), looked_up: part(&self.looked_up) }
    }

    /// The pairs of which the rest of the condition holds.
    fn that_pass(self, rest: &JoinFilter, kept: &RecordBatch, looked_up: &RecordBatch) -> Result<Self> {
        let places = Places::of(self);
        let rows = places.rows(rest.schema(), rest.column_indices(), kept, looked_up)?;
        let passes = rest.expression().evaluate(&rows)?.into_array(rows.num_rows())?;
        let passes = as_boolean_array(&passes)?;
        let mut passing = Self::with_capacity(passes.true_count());
        let pairs = places.kept.values().iter().zip(places.looked_up.values());
        for ((kept, row), _) in pairs.zip(passes).filter(|(_, passes)| *passes == Some(true)) {
            passing.push(*kept, *row as usize);
        }
        Ok(passing)
    }

    fn rows(self, terms: &Terms, kept: &RecordBatch, looked_up: &RecordBatch) -> Result<RecordBatch> {
        Places::of(self).rows(&terms.schema, &terms.columns, kept, looked_up)
    }
}

/// Places of rows of both sides, from which columns can be taken.
struct Places {
    kept: UInt32Array,
    looked_up: UInt32Array,
    /// The place of the first looked up, where the others follow it one by one.
    run: Option<usize>,
}

impl Places {
    fn of(pairs: Pairs) -> Self {
        let follow = pairs.looked_up.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let run = pairs.looked_up.first().filter(|_| follow).map(|first| *first as usize);
        let known = pairs.kept.contains(&NONE);
        let known = known.then(|| pairs.kept.iter().map(|row| *row != NONE).collect::<NullBuffer>());
        let kept = UInt32Array::new(pairs.kept.into(), known);
        Self { kept, looked_up: pairs.looked_up.into(), run }
    }

    fn rows(
        &self,
        schema: &SchemaRef,
        columns: &[ColumnIndex],
        kept: &RecordBatch,
        looked_up: &RecordBatch,
    ) -> Result<RecordBatch> {
        let count = self.looked_up.len();
        let column = |column: &ColumnIndex| -> Result<ArrayRef> {
            if column.side == JoinSide::Left {
                let values = kept.column(column.index);
                return Ok(match values.is_empty() {
                    true => new_null_array(values.data_type(), count),
                    false => take(values, &self.kept, None)?,
                });
            }
            let values = looked_up.column(column.index);
            Ok(match self.run {
                Some(first) => values.slice(first, count),
                None => take(values, &self.looked_up, None)?,
            })
        };
        let columns = columns.iter().map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }
}
