//! The operator: it keeps one side, once for all threads, and lets the rows of the other stream past.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{DataFusionError, Result, Statistics, internal_datafusion_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PhysicalExpr, PlanProperties, ReplaceChildrenOptions, StatisticsArgs,
};
use futures::future::{BoxFuture, FutureExt, Shared, TryFutureExt};
use futures::{StreamExt, TryStreamExt, stream};

use super::index::Index;
use super::look_up::LookUp;
use super::terms::Terms;

/// A hash join, by ranges of time.
pub struct InForceExec {
    /// The join that it stands for, which knows its inputs and what comes out.
    join: HashJoinExec,
    terms: Arc<Terms>,
    /// What is kept, by partition: of one, or of each, as the join has it.
    kept: Vec<OnceLock<Keeping>>,
    metrics: ExecutionPlanMetricsSet,
}

type Keeping = Shared<BoxFuture<'static, Result<Kept, Arc<DataFusionError>>>>;

/// The side that is kept.
#[derive(Clone)]
enum Kept {
    /// By its keys, and under each by when rows are in force.
    Index(Arc<Index>),
    /// With about one row a key there is nothing to look up: joined as ever.
    Few(Arc<dyn ExecutionPlan>),
}

impl InForceExec {
    /// Stands for a hash join, where that looks up what is in force.
    pub fn in_place_of(join: &HashJoinExec) -> Result<Option<Self>> {
        let Some(terms) = Terms::of(join) else { return Ok(None) };
        let join = join.builder().build()?;
        Ok(Some(Self::with(join, Arc::new(terms))))
    }

    fn with(join: HashJoinExec, terms: Arc<Terms>) -> Self {
        let kept = join.left().output_partitioning().partition_count();
        let kept = (0..kept).map(|_| OnceLock::new()).collect();
        Self { join, terms, kept, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn keeping(&self, partition: usize, context: &Arc<TaskContext>) -> Keeping {
        let rows = self.join.left().execute(partition, context.clone());
        let memory = MemoryConsumer::new("InForceIndex").register(context.memory_pool());
        let time = MetricBuilder::new(&self.metrics).subset_time("build_time", partition);
        let kept_rows = MetricBuilder::new(&self.metrics).counter("build_input_rows", partition);
        let taken = MetricBuilder::new(&self.metrics).gauge("build_mem_used", partition);
        let terms = self.terms.clone();
        let is_kept_once = *self.join.partition_mode() == PartitionMode::CollectLeft;
        let join = is_kept_once.then(|| self.join.builder());
        let looked_up = self.join.right().clone();
        let keeping = async move {
            let (batches, memory) = collected(rows?, memory).await?;
            let _timer = time.timer();
            let index = terms.index(batches, memory)?;
            kept_rows.add(index.rows.num_rows());
            if let Some(join) = join.filter(|_| index.has_few_a_key()) {
                let rows = [vec![index.rows.clone()]];
                let rows = MemorySourceConfig::try_new_exec(&rows, index.rows.schema(), None)?;
                let join = join.with_new_children(vec![rows, looked_up])?.build()?;
                return Ok(Kept::Few(Arc::new(join)));
            }
            taken.add(index.memory.size());
            Ok(Kept::Index(Arc::new(index)))
        };
        keeping.map_err(Arc::new).boxed().shared()
    }
}

/// All rows of a stream, with the memory that they take.
async fn collected(
    mut rows: SendableRecordBatchStream,
    memory: MemoryReservation,
) -> Result<(Vec<RecordBatch>, MemoryReservation)> {
    let mut batches = Vec::new();
    let mut counter = RecordBatchMemoryCounter::new();
    while let Some(batch) = rows.try_next().await? {
        memory.try_grow(counter.count_batch(&batch))?;
        batches.push(batch);
    }
    Ok((batches, memory))
}

impl ExecutionPlan for InForceExec {
    fn name(&self) -> &str {
        "InForceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.join.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.join.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(visit)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let join = match options.children_properties {
            ChildrenPropertiesMode::Keep => self.join.builder(),
            ChildrenPropertiesMode::Recompute => self.join.builder().recompute_properties(),
        };
        Ok(Arc::new(Self::with(join.with_new_children(children)?.build()?, self.terms.clone())))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let of = if self.kept.len() == 1 { 0 } else { partition };
        let kept = self.kept.get(of).ok_or_else(|| internal_datafusion_err!("no partition {partition}"))?;
        let kept = kept.get_or_init(|| self.keeping(of, &context)).clone();
        let batch_rows = context.session_config().batch_size();
        let looked_up = self.join.right().clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input_rows = MetricBuilder::new(&self.metrics).counter("input_rows", partition);
        let terms = self.terms.clone();
        let schema = terms.schema.clone();
        let rows = async move {
            let index = match kept.await.map_err(DataFusionError::Shared)? {
                Kept::Index(index) => index,
                Kept::Few(join) => return Ok(join.execute(partition, context)?.boxed()),
            };
            let input = looked_up.execute(partition, context)?;
            let look_up = LookUp::new(terms, index, input, batch_rows, metrics, input_rows);
            Ok(stream::try_unfold(look_up, LookUp::next).boxed())
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten_stream())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        arguments: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, arguments)
    }
}

impl fmt::Debug for InForceExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InForceExec").field(&self.join).finish()
    }
}

impl DisplayAs for InForceExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms = &self.terms;
        let range = terms.range.shown(&self.join.left().schema(), &self.join.right().schema());
        if format == DisplayFormatType::TreeRender {
            return writeln!(f, "join_type={}\nin_force={range}", terms.join_type);
        }
        let on: Vec<_> = self.join.on().iter().map(|(kept, other)| format!("({kept}, {other})")).collect();
        write!(f, "InForceExec: mode={:?}, ", self.join.partition_mode())?;
        write!(f, "join_type={}, on=[{}], in_force=[{range}]", terms.join_type, on.join(", "))?;
        if let Some(rest) = &terms.rest {
            write!(f, ", filter={}", rest.expression())?;
        }
        if self.join.contains_projection() {
            let columns = terms.schema.fields().iter().map(|field| field.name().as_str());
            write!(f, ", projection=[{}]", columns.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
