//! Rows are made compact before they are sorted.
//!
//! A text column may point into buffers that it shares with many other rows: after a hash join, into all that the join
//! has kept. A sort counts such buffers as its own, once for every batch, so it would run out of memory that nobody
//! has taken.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr,
    PlanProperties, ReplaceChildrenOptions, StatisticsArgs,
};
use futures::StreamExt;

/// Texts are copied where their buffers hold more than so many times what they need.
const LOOSE: usize = 2;

/// Puts [`CompactExec`] before every sort of rows that have text.
#[derive(Debug)]
pub struct Compact;

impl PhysicalOptimizerRule for Compact {
    fn name(&self) -> &str {
        "compact"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let compacted = |plan: Arc<dyn ExecutionPlan>| {
            // The first rows of an order are compacted by what keeps them.
            let Some(sort) = plan.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none()) else {
                return Ok(Transformed::no(plan));
            };
            let input = sort.input();
            let has_text =
                input.schema().fields().iter().any(|field| *field.data_type() == DataType::Utf8View);
            if !has_text {
                return Ok(Transformed::no(plan));
            }
            let input = Arc::new(CompactExec { input: input.clone() });
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(plan.replace_children(vec![input], same)?))
        };
        plan.transform_up(compacted).data()
    }
}

/// The rows of its input, whose texts share their buffers with no other rows.
#[derive(Debug)]
struct CompactExec {
    input: Arc<dyn ExecutionPlan>,
}

impl ExecutionPlan for CompactExec {
    fn name(&self) -> &str {
        "CompactExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("nothing to compact"))?;
        Ok(Arc::new(Self { input }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?.map(|rows| compact(&rows?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), rows)))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        inputs.first().cloned().ok_or_else(|| internal_datafusion_err!("nothing to compact"))
    }
}

impl DisplayAs for CompactExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactExec")
    }
}

/// The same rows, without what their texts do not need.
fn compact(rows: &RecordBatch) -> Result<RecordBatch> {
    let column = |column: &ArrayRef| match column.as_string_view_opt() {
        Some(texts) if is_loose(texts) => Arc::new(texts.gc()) as ArrayRef,
        _ => column.clone(),
    };
    Ok(RecordBatch::try_new(rows.schema(), rows.columns().iter().map(column).collect())?)
}

/// Whether much of what a column of texts holds is not its own.
fn is_loose(texts: &StringViewArray) -> bool {
    let held: usize = texts.data_buffers().iter().map(|buffer| buffer.len()).sum();
    held > 0 && held > LOOSE * texts.total_buffer_bytes_used()
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::SessionConfig;

    use super::*;

    #[test]
    fn few_of_many_texts_take_little() {
        let texts: StringViewArray =
            (0..10_000).map(|number| Some(format!("a text that is long {number}"))).collect();
        let rows = RecordBatch::try_from_iter([("text", Arc::new(texts.slice(7, 3)) as ArrayRef)]).unwrap();
        let compacted = compact(&rows).unwrap();
        assert_eq!(compacted, rows);
        assert!(rows.get_array_memory_size() > 100_000, "{}", rows.get_array_memory_size());
        assert!(compacted.get_array_memory_size() < 1_000, "{}", compacted.get_array_memory_size());
    }

    /// What the join keeps is 12 MB, and the sort has 32 MB for itself.
    #[tokio::test]
    async fn what_a_join_keeps_is_not_counted_for_every_batch_that_is_sorted() {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(64 << 20)));
        let config = SessionConfig::new().with_target_partitions(2);
        let context = crate::engine::microseconds::context(config, runtime.build_arc().unwrap());
        for sql in [
            "create table kept as select value as key, cast(repeat('a text that is long ', 20) as varchar) as text \
             from generate_series(1, 40000)",
            "create table asked as select value as key from generate_series(1, 80000)",
        ] {
            context.sql(sql).await.unwrap().collect().await.unwrap();
        }
        let sql = "select kept.key, kept.text from kept inner join asked on kept.key = asked.key order by text, key";
        assert_eq!(context.sql(sql).await.unwrap().count().await.unwrap(), 40_000);
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 40_000);
    }
}
