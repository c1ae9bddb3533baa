//! The rules of the optimizer: those of DataFusion, one of which is held back where it loses a condition, and our own:
//! one for what a query says, two for how it is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::compact::Compact;
use super::in_force::InForce;
use super::qualified::Qualified;

/// The rule after which our own stands.
const AFTER: &str = "propagate_empty_relation";
/// The rule that changes nothing and looks at what the others have made.
const LAST: &str = "SanityCheckPlan";

/// The rules, in their order.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    for rule in rules.iter_mut().filter(|rule| rule.name() == HeldBack.name()) {
        *rule = Arc::new(HeldBack);
    }
    let place = rules.iter().position(|rule| rule.name() == AFTER);
    rules.insert(place.map_or(rules.len(), |place| place + 1), Arc::new(Qualified));
    rules
}

/// The rules for how a query is done, in their order.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let place = rules.iter().position(|rule| rule.name() == LAST);
    let place = place.unwrap_or(rules.len());
    rules.splice(place..place, [Arc::new(InForce) as _, Arc::new(Compact) as _]);
    rules
}

/// Puts inner joins in another order, where that is safe.
///
/// Where a condition compares a table with an expression over two others, and both come after it, DataFusion's rule
/// loses the condition, and each row meets every other.
#[derive(Debug)]
struct HeldBack;

impl OptimizerRule for HeldBack {
    fn name(&self) -> &str {
        "eliminate_cross_join"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match joins_over_two(&plan)? {
            true => Ok(Transformed::no(plan)),
            false => EliminateCrossJoin::new().rewrite(plan, config),
        }
    }
}

/// Whether a plan joins by an expression over several tables.
fn joins_over_two(plan: &LogicalPlan) -> Result<bool> {
    let is_over_two = |key: &Expr| {
        let tables: BTreeSet<_> = key.column_refs().into_iter().map(|column| &column.relation).collect();
        tables.len() > 1
    };
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node
            && join.join_type == JoinType::Inner
            && join.on.iter().any(|(left, right)| is_over_two(left) || is_over_two(right))
        {
            found = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    fn own() -> SessionContext {
        crate::engine::microseconds::context(SessionConfig::new(), Default::default())
    }

    /// Two tables of four rows with the same `number`, and `c` with one row.
    async fn with_tables(context: SessionContext) -> SessionContext {
        for text in [
            "create table a (number bigint, x varchar) as values (1, '1'), (2, '2'), (3, '3'), (4, '4')",
            "create table b (number bigint, y varchar) as values (1, '1'), (2, '2'), (3, '3'), (4, '4')",
            "create table c (k varchar) as values ('11')",
        ] {
            context.sql(text).await.unwrap().collect().await.unwrap();
        }
        context
    }

    #[tokio::test]
    async fn a_condition_over_two_tables_is_kept() {
        let sql =
            "select * from c inner join (a inner join b on a.number = b.number) on c.k = concat(a.x, b.y)";
        let rows = async |context| {
            let context = with_tables(context).await;
            context.sql(sql).await.unwrap().count().await.unwrap()
        };
        assert_eq!(rows(own()).await, 1);
        assert_eq!(
            rows(SessionContext::new()).await,
            4,
            "DataFusion does so itself now: its rule may come back"
        );
    }

    #[tokio::test]
    async fn tables_with_conditions_under_where_are_joined_by_them() {
        let context = with_tables(own()).await;
        let sql = "select * from a, b, c where c.k = concat(a.x, b.y) and a.number = b.number and b.y = '1'";
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().into_optimized_plan().unwrap().display_indent().to_string();
        assert!(!plan.contains("Cross Join"), "{plan}");
        assert_eq!(frame.count().await.unwrap(), 1);
    }
}
