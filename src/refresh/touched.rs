//! Which keys the changes of tables touch: what was taken out and what is new, compared row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::restrict::{KEY, Source, reads_few};

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

/// The most rows of one table that are other.
pub fn rows_of(sources: &[Source], changes: &Changes) -> u64 {
    let rows = sources.iter().filter_map(|source| match source {
        Source::Changed { scan, .. } => rows_in(scan, changes)?.statistics()?.num_rows.get_value().copied(),
        Source::Met { .. } | Source::Other { .. } => None,
    });
    rows.max().unwrap_or(0) as u64
}

fn rows_in<'a>(scan: &TableScan, changes: &'a Changes) -> Option<&'a Arc<dyn TableProvider>> {
    changes.get(scan.table_name.table())?.rows.as_ref()
}

/// The distinct keys that changes touch, as one column [`KEY`] of a type.
pub async fn touched(
    context: &SessionContext,
    sources: &[Source],
    data_type: &DataType,
    changes: &Changes,
) -> Result<Vec<RecordBatch>> {
    let mut all: Option<LogicalPlanBuilder> = None;
    for source in sources {
        let keys = keys(source, data_type, changes)?;
        all = Some(match all {
            None => LogicalPlanBuilder::from(keys),
            Some(others) => others.union(keys)?,
        });
    }
    let Some(all) = all else { return Ok(Vec::new()) };
    let distinct = all.distinct()?.filter(col(KEY).is_not_null())?.build()?;
    comparing(context, distinct).collect().await
}

/// The rows that only one of two tables has, or one more often.
pub async fn differing(
    context: &SessionContext,
    before: Arc<dyn TableProvider>,
    now: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let schema = now.schema();
    let rows = |table| LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?.build();
    let compared = compared(rows(now)?, &[], rows(before)?)?;
    let names =
        schema.fields().iter().enumerate().map(|(number, field)| col(numbered(number)).alias(field.name()));
    let plan = LogicalPlanBuilder::from(compared).project(names)?.build()?;
    let batches = comparing(context, plan).collect().await?;
    let batches = batches.into_iter().map(|batch| Ok(batch.with_schema(Arc::clone(&schema))?));
    Ok(Arc::new(MemTable::try_new(Arc::clone(&schema), vec![batches.collect::<Result<_>>()?])?))
}

/// A plan that reads a table as it is and as it was. Where both are cut up by the same columns, DataFusion interleaves
/// them, and then finds its own plan wrong.
pub fn comparing(context: &SessionContext, plan: LogicalPlan) -> DataFrame {
    let mut state = context.state();
    state.config_mut().options_mut().optimizer.prefer_existing_union = true;
    DataFrame::new(state, plan)
}

fn keys(source: &Source, data_type: &DataType, changes: &Changes) -> Result<LogicalPlan> {
    let named = |key: Expr| cast(key, data_type.clone()).alias(KEY);
    match source {
        Source::Changed { scan, key } => {
            let scan = match rows_in(scan, changes) {
                Some(rows) => of_rows(scan, rows),
                None => scan.clone(),
            };
            LogicalPlanBuilder::from(LogicalPlan::TableScan(scan)).project([named(key.clone())])?.build()
        }
        Source::Met { rows, key, other, on } => {
            let (mine, others): (Vec<Expr>, Vec<Expr>) = on.iter().cloned().unzip();
            let met = LogicalPlanBuilder::from(asked_of_others(other, &others, changes)?).distinct()?;
            let columns = (0..others.len()).map(|number| col(numbered(number))).collect();
            met.join_with_expr_keys(rows.clone(), JoinType::Inner, (columns, mine), None)?
                .project([named(key.clone())])?
                .build()
        }
        Source::Other { plan, key } => {
            let others = asked_of_others(plan, std::slice::from_ref(key), changes)?;
            LogicalPlanBuilder::from(others).project([named(col(numbered(0)))])?.build()
        }
    }
}

/// What is asked of the rows of a plan that are other than before; the columns have numbers for names.
fn asked_of_others(plan: &LogicalPlan, asked: &[Expr], changes: &Changes) -> Result<LogicalPlan> {
    if let Some(others) = row_by_row(plan, changes)? {
        let asked = asked.iter().cloned().enumerate().map(|(number, asked)| asked.alias(numbered(number)));
        return LogicalPlanBuilder::from(others).project(asked)?.build();
    }
    let first = plan.schema().fields().len();
    let compared = compared(plan.clone(), asked, as_before(plan, changes)?)?;
    let asked = (0..asked.len()).map(|number| col(numbered(first + number)).alias(numbered(number)));
    LogicalPlanBuilder::from(compared).project(asked)?.build()
}

/// Whether much has to be made as it was and as it is, to say which keys are touched.
pub fn is_dear(sources: &[Source], changes: &Changes, few_rows: usize) -> Result<bool> {
    for source in sources {
        let (Source::Met { other, .. } | Source::Other { plan: other, .. }) = source else { continue };
        if row_by_row(other, changes)?.is_none() && !reads_few(other, few_rows) {
            return Ok(true);
        }
    }
    Ok(false)
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
