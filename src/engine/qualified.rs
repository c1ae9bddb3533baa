//! Columns keep the name of their table where a union loses an arm that has no rows.
//!
//! What DataFusion puts in place of such a union names columns alone, and a filter that passes it then stops at the
//! next window or group: it knows their columns with their tables. A query for one billing period would read all.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};

/// The rule after which this one stands.
const AFTER: &str = "propagate_empty_relation";

/// The rules of the optimizer, and this one.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let place = rules.iter().position(|rule| rule.name() == AFTER);
    rules.insert(place.map_or(rules.len(), |place| place + 1), Arc::new(Qualified));
    rules
}

#[derive(Debug)]
struct Qualified;

impl OptimizerRule for Qualified {
    fn name(&self) -> &str {
        "qualified"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = &plan else { return Ok(Transformed::no(plan)) };
        let input = projection.input.schema();
        // What stands for a union passes its columns on and does nothing else. Other projections are left alone: later
        // rules take fields of structs out of them, and would find two columns of one name.
        let passes_on =
            projection.expr.iter().all(|expr| matches!(expr, Expr::Column(Column { relation: None, .. })));
        if !passes_on || !projection.expr.iter().any(|expr| full_name(expr, input).is_some()) {
            return Ok(Transformed::no(plan));
        }
        let qualified = |expr: &Expr| match full_name(expr, input) {
            Some(column) => Expr::Column(column.clone()).alias(column.name),
            None => expr.clone(),
        };
        let columns = projection.expr.iter().map(qualified).collect();
        let (input, schema) = (projection.input.clone(), projection.schema.clone());
        let projection = Projection::try_new_with_schema(columns, input, schema)?;
        Ok(Transformed::yes(LogicalPlan::Projection(projection)))
    }
}

/// A column with its table, where an expression is that column without it.
fn full_name(expr: &Expr, input: &DFSchema) -> Option<Column> {
    let Expr::Column(Column { relation: None, name, .. }) = expr else { return None };
    match input.qualified_fields_with_unqualified_name(name)[..] {
        [(Some(table), field)] => Some(Column::new(Some(table.clone()), field.name())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// The plan of a query over a table `used` with rows and a table `none` that is known to be empty.
    fn planned(context: &SessionContext, sql: &str) -> String {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let plan = runtime.block_on(async {
            for text in [
                "create table used (period varchar, line varchar) as values ('a', 'b'), ('c', 'd')",
                "create view none as select * from used where false",
                "create view numbered as select *, row_number() over (partition by period) as row from used",
                "create view one_of_two as select * from numbered union all select *, 1 from none",
            ] {
                context.sql(text).await?.collect().await?;
            }
            context.sql(sql).await?.into_optimized_plan()
        });
        plan.unwrap().display_indent().to_string()
    }

    #[test]
    fn a_filter_passes_a_union_that_lost_an_arm() {
        let is_below = |context: &SessionContext| {
            let plan = planned(context, "select * from one_of_two where period = 'a'");
            let place = |node: &str| plan.find(node).unwrap_or_else(|| panic!("no {node} in {plan}"));
            place("Filter") > place("WindowAggr")
        };
        assert!(is_below(&crate::engine::microseconds::context(SessionConfig::new(), Default::default())));
        assert!(!is_below(&SessionContext::new()), "DataFusion does so itself now: this rule may go");
    }
}
