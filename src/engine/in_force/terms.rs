//! What is joined, and how: read from a hash join, where that looks up what is in force.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{JoinType, NullEquality, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter, build_join_schema};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use super::index::Index;
use super::range::Range;

/// What is joined, and how. The side that is kept is the left one.
pub struct Terms {
    pub join_type: JoinType,
    kept_schema: SchemaRef,
    kept_on: Vec<Arc<dyn PhysicalExpr>>,
    pub looked_up_on: Vec<Arc<dyn PhysicalExpr>>,
    null_equality: NullEquality,
    pub range: Range,
    /// What else has to hold.
    pub rest: Option<JoinFilter>,
    /// The columns that come out, and from where.
    pub columns: Vec<ColumnIndex>,
    pub schema: SchemaRef,
}

impl Terms {
    /// The terms of a join; none where it is another, or one whose keys are not plain values.
    pub fn of(join: &HashJoinExec) -> Option<Self> {
        let join_type = *join.join_type();
        let is_by_row = matches!(
            join_type,
            JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
        );
        let is_divided = *join.partition_mode() != PartitionMode::Auto;
        if !is_by_row || !is_divided || join.null_aware || join.fetch().is_some() {
            return None;
        }
        let (kept, looked_up) = (join.left().schema(), join.right().schema());
        let are_plain = join.on().iter().all(|(of_kept, other)| {
            let types = (of_kept.data_type(&kept), other.data_type(&looked_up));
            matches!(types, (Ok(one), Ok(other)) if one == other && is_plain(&one))
        });
        let (range, rest) = Range::within(join.filter()?).filter(|_| are_plain)?;
        let (_, columns) = build_join_schema(&kept, &looked_up, &join_type);
        let columns = match &join.projection {
            Some(places) => places.iter().map(|place| columns[*place].clone()).collect(),
            None => columns,
        };
        let (kept_on, looked_up_on) = join.on().iter().cloned().unzip();
        let (null_equality, schema) = (join.null_equality(), join.schema());
        let kept_schema = kept;
        Some(Self {
            join_type,
            kept_schema,
            kept_on,
            looked_up_on,
            null_equality,
            range,
            rest,
            columns,
            schema,
        })
    }

    /// Whether rows come out only with what is in force.
    pub fn needs_what_is_kept(&self) -> bool {
        matches!(self.join_type, JoinType::Inner | JoinType::RightSemi)
    }

    /// What is kept, by its keys.
    pub fn index(&self, batches: Vec<RecordBatch>, memory: MemoryReservation) -> Result<Index> {
        let rows = concat_batches(&self.kept_schema, &batches)?;
        drop(batches);
        memory.try_resize(get_record_batch_memory_size(&rows))?;
        Index::of(rows, &self.kept_on, &self.range, self.null_equality, memory)
    }
}

/// Types whose equal values are the same bytes.
fn is_plain(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_decimal()
        || data_type.is_temporal()
        || data_type.is_string()
        || matches!(data_type, DataType::Boolean)
}
