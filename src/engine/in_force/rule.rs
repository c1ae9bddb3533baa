//! The rule that finds joins by key and range of time.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use super::join::InForceExec;

/// Puts a look-up of what is in force in place of a hash join that is one.
///
/// It stands after all rules that move things about, so that they see the join that they know: filters and projections
/// have passed it, and its inputs are divided and ordered as it needs them.
#[derive(Debug)]
pub struct InForce;

impl PhysicalOptimizerRule for InForce {
    fn name(&self) -> &str {
        "in_force"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let looked_up = |plan: Arc<dyn ExecutionPlan>| {
            let Some(join) = plan.downcast_ref::<HashJoinExec>() else { return Ok(Transformed::no(plan)) };
            if tells_a_scan(join)? {
                return Ok(Transformed::no(plan));
            }
            Ok(match InForceExec::in_place_of(join)? {
                Some(in_force) => Transformed::yes(Arc::new(in_force) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(plan),
            })
        };
        plan.transform_up(looked_up).data()
    }
}

/// Whether a join tells what it looks up, while it runs, which keys it keeps: then files and records that have none of
/// them are not read, which saves more than pairs do.
fn tells_a_scan(join: &HashJoinExec) -> Result<bool> {
    let told: Vec<u64> =
        join.dynamic_expressions_produced().iter().filter_map(|told| told.expression_id()).collect();
    let mut hears = false;
    if told.is_empty() {
        return Ok(hears);
    }
    join.right().apply(|plan| {
        let is_told = plan.apply_expressions(&mut |expr| {
            let is_one = expr.exists(|part| Ok(part.expression_id().is_some_and(|id| told.contains(&id))))?;
            Ok(if is_one { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        hears |= is_told == TreeNodeRecursion::Stop;
        Ok(is_told)
    })?;
    Ok(hears)
}
