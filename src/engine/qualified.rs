//! Columns keep the name of their table where a union loses an arm that has no rows, or where a union within a union
//! has other types.
//!
//! What DataFusion puts in place of such unions names columns alone. A filter that passes the first stops at the next
//! window or group, which knows its columns with their tables: a query for one billing period would read all. A filter
//! that passes the second goes on to a join with the bare name, and there means whichever side has a column of that
//! name first: rows would be lost.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Stands after the rule that takes arms out of unions.
#[derive(Debug)]
pub struct Qualified;

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
        // What stands for a union passes its columns on, of another type at most, and does nothing else. Other
        // projections are left alone: later rules take fields of structs out of them, and would find two columns of
        // one name.
        if !projection.expr.iter().all(passes_on)
            || !projection.expr.iter().any(|expr| full_name(passed_on(expr), input).is_some())
        {
            return Ok(Transformed::no(plan));
        }
        let qualified = |expr: &Expr| {
            let name = expr.schema_name().to_string();
            let full = |expr| match full_name(&expr, input) {
                Some(column) => Ok(Transformed::yes(Expr::Column(column))),
                None => Ok(Transformed::no(expr)),
            };
            Ok(expr.clone().unalias().transform_up(full)?.data.alias(name))
        };
        let columns = projection.expr.iter().map(qualified).collect::<Result<_>>()?;
        let (input, schema) = (projection.input.clone(), projection.schema.clone());
        let projection = Projection::try_new_with_schema(columns, input, schema)?;
        Ok(Transformed::yes(LogicalPlan::Projection(projection)))
    }
}

/// Whether an expression is a bare column, of another type or under another name at most.
fn passes_on(expr: &Expr) -> bool {
    matches!(passed_on(expr), Expr::Column(Column { relation: None, .. }))
}

/// What an expression passes on.
fn passed_on(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => passed_on(&alias.expr),
        Expr::Cast(cast) => passed_on(&cast.expr),
        expr => expr,
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

    /// How many rows a filter leaves of a union of three, of which the last has another type, and whose first arm joins
    /// two tables that both have `x`.
    fn left(context: &SessionContext) -> usize {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rows = runtime.block_on(async {
            for text in [
                "create table a as select 1 as k, cast(null as decimal(10, 2)) as x, 5 as y",
                "create table b as select 1 as k, cast(7 as decimal(8, 2)) as x",
                "create view joined as select a.k, a.y, b.x from a inner join b on a.k = b.k",
                "create view three as select joined.k, joined.y, joined.x from joined
                    union all select b.k, 5 as y, b.x from b where b.k > 1
                    union all select a.k, a.y, cast(a.x as decimal(12, 4)) as x from a where a.k > 1",
            ] {
                context.sql(text).await?.collect().await?;
            }
            context.sql("select three.x from three where abs(three.x) + three.y < 100").await?.count().await
        });
        rows.unwrap()
    }

    #[test]
    fn a_filter_means_the_column_of_its_union() {
        let context = crate::engine::microseconds::context(SessionConfig::new(), Default::default());
        assert_eq!(left(&context), 1);
        assert_eq!(
            left(&SessionContext::new()),
            0,
            "DataFusion does so itself now: this rule may be smaller"
        );
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
