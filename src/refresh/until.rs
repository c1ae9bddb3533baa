//! Until when a table that reads the as-of stays as it is, while the as-of moves on.
//!
//! It follows from the query: where all that reads `$as_of` is the last argument of `billing_cycles`, the rows are the
//! same until the next cycle of any contract starts.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use crate::project::{Project, Query};

/// The function of the cycles of a contract, and that of the next one.
const CYCLES: &str = "billing_cycles";
const NEXT: &str = "next_cycle_start";

/// The first as-of after this one, in microseconds since the epoch, for which the rows of a query may be other; none
/// where there is none, or, in the outer one, where it is not known.
pub async fn next_change(
    context: &SessionContext,
    project: &Project,
    query: &Query,
    as_of: i64,
) -> Result<Option<Option<i64>>> {
    let mut first: Option<i64> = None;
    for query in project.behind_as_of(query) {
        let plan = context.state().statement_to_plan(query.statement()).await?;
        let Some(calls) = calls(&plan)? else { return Ok(None) };
        for call in calls {
            let next = next_start(context, call, as_of).await?;
            first = [first, next].into_iter().flatten().min();
        }
    }
    Ok(Some(first))
}

/// A call of `billing_cycles` up to the as-of.
struct Call {
    /// The rows that it is called for.
    rows: LogicalPlan,
    /// What else it is given.
    arguments: Vec<Expr>,
}

/// The calls of `billing_cycles` up to the as-of; none where anything else reads a parameter.
fn calls(plan: &LogicalPlan) -> Result<Option<Vec<Call>>> {
    let (mut calls, mut read) = (Vec::new(), 0);
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                match part {
                    Expr::Placeholder(_) => read += 1,
                    Expr::ScalarFunction(function) if function.name() == CYCLES => {
                        if let ([arguments @ .., Expr::Placeholder(_)], [input]) =
                            (function.args.as_slice(), node.inputs().as_slice())
                        {
                            calls.push(Call {
                                rows: LogicalPlan::clone(input),
                                arguments: arguments.to_vec(),
                            });
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok((calls.len() == read).then_some(calls))
}

async fn next_start(context: &SessionContext, call: Call, as_of: i64) -> Result<Option<i64>> {
    let Call { rows, mut arguments } = call;
    arguments.push(lit(ScalarValue::TimestampMicrosecond(Some(as_of), Some(Arc::from("UTC")))));
    let next = context.state().udf(NEXT)?.call(arguments).alias(NEXT);
    let none: [Expr; 0] = [];
    let plan = LogicalPlanBuilder::from(rows)
        .project([next])?
        .aggregate(none, [min(col(NEXT)).alias(NEXT)])?
        .build()?;
    let rows = DataFrame::new(context.state(), plan).collect().await?;
    let next = rows.iter().filter_map(|batch| {
        batch.column(0).as_primitive_opt::<TimestampMicrosecondType>()?.iter().flatten().next()
    });
    Ok(next.min())
}
