//! Which keys the changes of tables touch: what was taken out and what is new, compared row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::restrict::{KEY, Source, found, rows_read};
use crate::table::rows::Rows;

/// How a table is another than before.
#[derive(Debug, Clone)]
pub struct Change {
    /// The table as it was.
    pub before: Arc<dyn TableProvider>,
    /// The rows that were taken out, and those that are new; none where nobody compared them.
    pub rows: Option<Arc<dyn TableProvider>>,
}

/// The changed tables that something reads, by name.
pub type Changes = BTreeMap<String, Change>;

/// The first table of which it is asked, and not known, which rows are other.
pub fn unknown<'a>(sources: &'a [Source], changes: &Changes) -> Option<&'a str> {
    sources.iter().find_map(|source| match source {
        Source::Changed { scan, .. } => rows_in(scan, changes).is_none().then(|| scan.table_name.table()),
        Source::Met { .. } | Source::Other { .. } => None,
    })
}

/// The most rows of one table that are other, as far as that is known.
pub fn rows_of(sources: &[Source], changes: &Changes) -> u64 {
    let mut most = 0;
    let mut count = |scan: &TableScan| {
        let known = rows_in(scan, changes).and_then(|rows| rows.statistics()?.num_rows.get_value().copied());
        most = most.max(known.unwrap_or(0));
    };
    for source in sources {
        match source {
            Source::Changed { scan, .. } => count(scan),
            Source::Met { other: plan, .. } | Source::Other { plan, .. } => {
                let counted = plan.apply_with_subqueries(|node| {
                    if let LogicalPlan::TableScan(scan) = node {
                        count(scan);
                    }
                    Ok(TreeNodeRecursion::Continue)
                });
                // Nothing fails above.
                _ = counted;
            }
        }
    }
    most as u64
}

fn rows_in<'a>(scan: &TableScan, changes: &'a Changes) -> Option<&'a Arc<dyn TableProvider>> {
    changes.get(scan.table_name.table())?.rows.as_ref()
}

/// The distinct keys that changes touch, as one column [`KEY`] of a type; a table with fewer rows is quick to compare.
pub async fn touched(
    context: &SessionContext,
    sources: &[Source],
    data_type: &DataType,
    changes: &Changes,
    few_rows: usize,
) -> Result<Arc<Rows>> {
    let mut all: Option<LogicalPlanBuilder> = None;
    for source in sources {
        for keys in keys(context, source, data_type, changes, few_rows).await? {
            all = Some(match all {
                None => LogicalPlanBuilder::from(keys),
                Some(others) => others.union(keys)?,
            });
        }
    }
    let keys = match all {
        None => Vec::new(),
        Some(all) => {
            let distinct = all.distinct()?.filter(col(KEY).is_not_null())?.build()?;
            comparing(context, distinct).collect().await?
        }
    };
    let column = Arc::new(Schema::new(vec![Field::new(KEY, data_type.clone(), true)]));
    Rows::of(&column, keys)
}

/// The rows that only one of two tables has, or one more often.
pub async fn differing(
    context: &SessionContext,
    before: Arc<dyn TableProvider>,
    now: Arc<dyn TableProvider>,
) -> Result<Arc<Rows>> {
    let schema = now.schema();
    let rows = |table| LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?.build();
    let compared = compared(rows(now)?, &[], rows(before)?)?;
    let names =
        schema.fields().iter().enumerate().map(|(number, field)| col(numbered(number)).alias(field.name()));
    let plan = LogicalPlanBuilder::from(compared).project(names)?.build()?;
    Rows::of(&schema, comparing(context, plan).collect().await?)
}

/// A plan that reads a table as it is and as it was. Where both are cut up by the same columns, DataFusion interleaves
/// them, and then finds its own plan wrong.
pub fn comparing(context: &SessionContext, plan: LogicalPlan) -> DataFrame {
    let mut state = context.state();
    state.config_mut().options_mut().optimizer.prefer_existing_union = true;
    DataFrame::new(state, plan)
}

/// The keys that a source touches, by plans that together have all of them.
async fn keys(
    context: &SessionContext,
    source: &Source,
    data_type: &DataType,
    changes: &Changes,
    few_rows: usize,
) -> Result<Vec<LogicalPlan>> {
    let named = |key: Expr| cast(key, data_type.clone()).alias(KEY);
    match source {
        Source::Changed { scan, key } => {
            let scan = match rows_in(scan, changes) {
                Some(rows) => of_rows(scan, rows),
                None => scan.clone(),
            };
            let rows = LogicalPlanBuilder::from(LogicalPlan::TableScan(scan));
            Ok(vec![rows.project([named(key.clone())])?.build()?])
        }
        Source::Met { rows, key, other, on } => {
            let (mine, others): (Vec<Expr>, Vec<Expr>) = on.iter().cloned().unzip();
            let met = LogicalPlanBuilder::from(asked_of_others(other, &others, changes, few_rows)?)
                .distinct()?
                .build()?;
            let met = collected(context, met).await?;
            let columns: Vec<Expr> = (0..others.len()).map(|number| col(numbered(number))).collect();
            let plans = meeting(context, rows, &mine, &met).await?.into_iter().map(|rows| {
                LogicalPlanBuilder::scan(MET, met.source(), None)?
                    .join_with_expr_keys(rows, JoinType::Inner, (columns.clone(), mine.clone()), None)?
                    .project([named(key.clone())])?
                    .build()
            });
            plans.collect()
        }
        Source::Other { plan, key } => {
            let others = asked_of_others(plan, std::slice::from_ref(key), changes, few_rows)?;
            Ok(vec![LogicalPlanBuilder::from(others).project([named(col(numbered(0)))])?.build()?])
        }
    }
}

/// What rows of another plan are met by, as a table.
const MET: &str = "met";

/// Plans that together have the rows of a plan that may meet those of a table, by that of its columns which has the
/// most values; none where the table has no rows that can be met.
async fn meeting(
    context: &SessionContext,
    rows: &LogicalPlan,
    mine: &[Expr],
    met: &Arc<Rows>,
) -> Result<Vec<LogicalPlan>> {
    let mut most: Option<(&Expr, Arc<Rows>)> = None;
    for (number, mine) in mine.iter().enumerate() {
        let values = distinct(context, met, &numbered(number)).await?;
        if most.as_ref().is_none_or(|(_, most)| values.count > most.count) {
            most = Some((mine, values));
        }
    }
    let Some((mine, values)) = most.filter(|(_, values)| values.count > 0) else { return Ok(Vec::new()) };
    let data_type = values.schema().field(0).data_type().clone();
    found(rows, mine, &values.source(), &data_type)
}

/// The rows of a plan, in memory.
pub async fn collected(context: &SessionContext, plan: LogicalPlan) -> Result<Arc<Rows>> {
    let frame = comparing(context, plan);
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Rows::of(&schema, frame.collect().await?)
}

/// The values of one column of some rows, as one column [`KEY`].
pub async fn distinct(context: &SessionContext, rows: &Arc<Rows>, column: &str) -> Result<Arc<Rows>> {
    let key = col(column);
    let values = LogicalPlanBuilder::scan("rows", rows.source(), None)?
        .filter(key.clone().is_not_null())?
        .project([key.alias(KEY)])?
        .distinct()?
        .build()?;
    collected(context, values).await
}

/// What is asked of the rows of a plan that are other than before; the columns have numbers for names.
fn asked_of_others(
    plan: &LogicalPlan,
    asked: &[Expr],
    changes: &Changes,
    few_rows: usize,
) -> Result<LogicalPlan> {
    // A row may be another in a column that is not read: where that is quick to see, it is no other row.
    let many = Some(plan).filter(|plan| rows_read(plan) >= few_rows);
    if let Some(others) = many.map(|plan| row_by_row(plan, changes)).transpose()?.flatten() {
        let asked = asked.iter().cloned().enumerate().map(|(number, asked)| asked.alias(numbered(number)));
        return LogicalPlanBuilder::from(others).project(asked)?.build();
    }
    let first = plan.schema().fields().len();
    let compared = compared(plan.clone(), asked, as_before(plan, changes)?)?;
    let asked = (0..asked.len()).map(|number| col(numbered(first + number)).alias(numbered(number)));
    LogicalPlanBuilder::from(compared).project(asked)?.build()
}

/// How many rows have to be read as they were and as they are, to say which keys are touched; none where that is quick.
pub fn compared_rows(sources: &[Source], changes: &Changes, few_rows: usize) -> Result<Option<usize>> {
    let mut most = None;
    for source in sources {
        let (Source::Met { other, .. } | Source::Other { plan: other, .. }) = source else { continue };
        let rows = rows_read(other);
        if row_by_row(other, changes)?.is_none() && rows >= few_rows {
            most = most.max(Some(rows.saturating_mul(2)));
        }
    }
    Ok(most)
}

/// A plan over the rows of its table that are other than before, where it looks at each row alone and they are known.
fn row_by_row(plan: &LogicalPlan, changes: &Changes) -> Result<Option<LogicalPlan>> {
    let input = match plan {
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            return Ok(rows_in(scan, changes).map(|rows| LogicalPlan::TableScan(of_rows(scan, rows))));
        }
        LogicalPlan::Projection(made) => &made.input,
        LogicalPlan::Filter(filter) => &filter.input,
        LogicalPlan::SubqueryAlias(alias) => &alias.input,
        _ => return Ok(None),
    };
    let input = row_by_row(input, changes)?;
    input.map(|input| plan.with_new_exprs(plan.expressions(), vec![input])).transpose()
}

/// The rows that only one of two plans makes, or one more often, with what else is asked of each row; the columns have
/// numbers for names.
fn compared(now: LogicalPlan, asked: &[Expr], before: LogicalPlan) -> Result<LogicalPlan> {
    let side = |plan: LogicalPlan, times: i64| {
        let columns = plan.schema().columns().into_iter().map(Expr::Column).chain(asked.iter().cloned());
        let columns = columns.enumerate().map(|(number, column)| column.alias(numbered(number)));
        let columns: Vec<Expr> = columns.chain([lit(times).alias(TIMES)]).collect();
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    };
    let count = now.schema().fields().len() + asked.len();
    let columns = || (0..count).map(|number| col(numbered(number)));
    LogicalPlanBuilder::from(side(now, 1)?)
        .union(side(before, -1)?)?
        .aggregate(columns(), [sum(col(TIMES)).alias(TIMES)])?
        .filter(col(TIMES).not_eq(lit(0_i64)))?
        .project(columns())?
        .build()
}

/// How often a row is there now, less how often it was.
const TIMES: &str = "times";

pub(super) fn numbered(number: usize) -> String {
    format!("column_{number}")
}

/// A plan over the tables as they were.
pub fn as_before(plan: &LogicalPlan, changes: &Changes) -> Result<LogicalPlan> {
    let before = plan.clone().transform(|node| match &node {
        LogicalPlan::TableScan(scan) => Ok(match changes.get(scan.table_name.table()) {
            Some(change) => Transformed::yes(LogicalPlan::TableScan(of_rows(scan, &change.before))),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(before.data)
}

fn of_rows(scan: &TableScan, rows: &Arc<dyn TableProvider>) -> TableScan {
    TableScan { source: provider_as_source(Arc::clone(rows)), ..scan.clone() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use datafusion::prelude::SessionConfig;

    use super::super::restrict::Following;
    use super::*;

    /// The records that another price touches, where so many rows are few.
    async fn records_touched(sql: &str, few_rows: usize) -> usize {
        let context = crate::engine::microseconds::context(SessionConfig::new(), Default::default());
        let table = async |sql: &str| {
            let frame = context.sql(sql).await.unwrap();
            let schema = Arc::new(frame.schema().as_arrow().clone());
            Rows::of(&schema, frame.collect().await.unwrap()).unwrap()
        };
        let usage = table("select * from (values (1, 'a'), (2, 'b'), (3, 'b')) as usage (id, item)").await;
        let price = async |amount: &str| {
            table(&format!("select * from (values ('a', 3), ('b', {amount})) as price (product, amount)"))
                .await
        };
        let (before, now) = (price("4").await, price("5").await);
        let rows = differing(&context, Arc::clone(&before) as _, Arc::clone(&now) as _).await.unwrap();
        context.register_table("usage", usage).unwrap();
        context.register_table("price", now).unwrap();
        let changes = Changes::from([("price".into(), Change { before, rows: Some(rows) })]);
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let key = Expr::Column(plan.schema().columns()[0].clone());
        let changed = ["price".to_string()].into();
        let mut following =
            Following { changed, few_rows, touched: None, sources: Vec::new(), finding: None };
        following.restrict(&plan, &key).unwrap().unwrap();
        touched(&context, &following.sources, &DataType::Int64, &changes, few_rows).await.unwrap().count
    }

    #[tokio::test]
    async fn what_a_query_does_not_read_touches_nothing_of_it() {
        let amount = "select id, amount from usage left join price on item = product";
        assert_eq!(records_touched(amount, 100).await, 2);
        assert_eq!(records_touched(amount, 0).await, 2);
        let product = "select id, product from usage left join price on item = product";
        assert_eq!(records_touched(product, 100).await, 0);
        // Of many rows it is not asked.
        assert_eq!(records_touched(product, 0).await, 2);
    }
}
