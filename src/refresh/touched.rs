//! Which keys the changes of tables touch: what was taken out and what is new, compared row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::restrict::{KEY, Source, columns, found, of_input, rows_read};
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
    let mut plans = Vec::new();
    let mut meetings: Vec<Meeting> = Vec::new();
    for source in sources {
        match source {
            Source::Met { rows, key, other, on } => {
                let meeting = Meeting::of(context, (rows, key), (other, on), (changes, few_rows)).await?;
                let Some(meeting) = meeting else { continue };
                match meetings.iter_mut().find(|one| one.is_of_the_rows_of(&meeting)) {
                    Some(one) => one.met.extend(meeting.met),
                    None => meetings.push(meeting),
                }
            }
            other => plans.push(keys(other, data_type, changes, few_rows)?),
        }
    }
    for meeting in meetings {
        plans.extend(meeting.keys(context, data_type).await?);
    }
    let mut all: Option<LogicalPlanBuilder> = None;
    for keys in plans {
        all = Some(match all {
            None => LogicalPlanBuilder::from(keys),
            Some(others) => others.union(keys)?,
        });
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

/// A plan over the keys that the rows of one table or plan touch by themselves.
fn keys(source: &Source, data_type: &DataType, changes: &Changes, few_rows: usize) -> Result<LogicalPlan> {
    let (plan, key) = match source {
        Source::Changed { scan, key } => {
            let scan = match rows_in(scan, changes) {
                Some(rows) => of_rows(scan, rows),
                None => scan.clone(),
            };
            (LogicalPlan::TableScan(scan), key.clone())
        }
        Source::Met { rows: plan, key, .. } | Source::Other { plan, key } => {
            (asked_of_others(plan, std::slice::from_ref(key), changes, few_rows)?, col(numbered(0)))
        }
    };
    LogicalPlanBuilder::from(plan).project([named(&key, data_type)])?.build()
}

fn named(key: &Expr, data_type: &DataType) -> Expr {
    cast(key.clone(), data_type.clone()).alias(KEY)
}

/// What rows of another plan are met by, as a table.
const MET: &str = "met";
/// The rows that may meet them, as a table.
const MEETING: &str = "meeting";

/// Rows of a plan that meet those of other plans: looked for once, whatever they meet.
struct Meeting {
    rows: LogicalPlan,
    /// The key of a row.
    key: Expr,
    /// That by which the rows are looked for.
    by: Expr,
    met: Vec<Met>,
}

/// Some rows that are met.
struct Met {
    rows: Arc<Rows>,
    /// What each of their columns is equal to in a row that meets them.
    mine: Vec<Expr>,
    /// The values by which those that meet them are looked for.
    values: Arc<Rows>,
}

impl Meeting {
    /// The rows of a plan that may meet those of another which are other than before: by that of the columns which has
    /// the most values. None where there is nothing to meet.
    async fn of(
        context: &SessionContext,
        (rows, key): (&LogicalPlan, &Expr),
        (other, on): (&LogicalPlan, &[(Expr, Expr)]),
        (changes, few_rows): (&Changes, usize),
    ) -> Result<Option<Self>> {
        let (mine, others): (Vec<Expr>, Vec<Expr>) = on.iter().cloned().unzip();
        let met = asked_of_others(other, &others, changes, few_rows)?;
        let met = collected(context, LogicalPlanBuilder::from(met).distinct()?.build()?).await?;
        let mut most: Option<(usize, Arc<Rows>)> = None;
        for number in 0..mine.len() {
            let values = distinct(context, &met, &numbered(number)).await?;
            if most.as_ref().is_none_or(|(_, most)| values.count > most.count) {
                most = Some((number, values));
            }
        }
        let Some((by, values)) = most.filter(|(_, values)| values.count > 0) else { return Ok(None) };
        // The key comes first.
        let (rows, mut asked) = below_joins(rows, [std::slice::from_ref(key), &mine].concat())?;
        let mine = asked.split_off(1);
        let (key, by) = (asked.remove(0), mine[by].clone());
        Ok(Some(Self { rows, key, by, met: vec![Met { rows: met, mine, values }] }))
    }

    /// Whether rows of the same plan are looked for by the same.
    fn is_of_the_rows_of(&self, other: &Self) -> bool {
        (&self.key, &self.by) == (&other.key, &other.by) && self.rows == other.rows
    }

    /// Plans that together have the keys of all rows that meet some.
    async fn keys(self, context: &SessionContext, data_type: &DataType) -> Result<Vec<LogicalPlan>> {
        let Self { rows, key, by, met } = self;
        let of_values = |values: &Arc<Rows>| LogicalPlanBuilder::scan("rows", values.source(), None)?.build();
        let Some((first, others)) = met.split_first() else { return Ok(Vec::new()) };
        let value_type = first.values.schema().field(0).data_type().clone();
        if others.is_empty() {
            let found = found(&rows, &by, &first.values.source(), &value_type)?;
            return found.into_iter().map(|rows| first.keys(rows, &key, &first.mine, data_type)).collect();
        }
        let mut values = LogicalPlanBuilder::from(of_values(&first.values)?);
        for met in others {
            values = values.union(of_values(&met.values)?)?;
        }
        let values = collected(context, values.distinct()?.build()?).await?;
        let asked: Vec<&Expr> = std::iter::once(&key).chain(met.iter().flat_map(|met| &met.mine)).collect();
        let mut all: Option<LogicalPlanBuilder> = None;
        for rows in found(&rows, &by, &values.source(), &value_type)? {
            let asked =
                asked.iter().enumerate().map(|(number, asked)| (*asked).clone().alias(numbered(number)));
            let rows = LogicalPlanBuilder::from(rows).project(asked)?;
            all = Some(match all {
                None => rows,
                Some(others) => others.union(rows.build()?)?,
            });
        }
        let Some(all) = all else { return Ok(Vec::new()) };
        let rows = collected(context, all.build()?).await?;
        let column = |number| Expr::Column(Column::new(Some(MEETING), numbered(number)));
        let mut first = 1;
        let plans = met.iter().map(|met| {
            let mine: Vec<Expr> = (first..first + met.mine.len()).map(column).collect();
            first += met.mine.len();
            let rows = LogicalPlanBuilder::scan(MEETING, rows.source(), None)?.build()?;
            met.keys(rows, &column(0), &mine, data_type)
        });
        plans.collect()
    }
}

impl Met {
    /// The keys of rows that meet these.
    fn keys(
        &self,
        rows: LogicalPlan,
        key: &Expr,
        mine: &[Expr],
        data_type: &DataType,
    ) -> Result<LogicalPlan> {
        let column = |number| Expr::Column(Column::new(Some(MET), numbered(number)));
        let met = (0..mine.len()).map(column).collect();
        LogicalPlanBuilder::scan(MET, self.rows.source(), None)?
            .join_with_expr_keys(rows, JoinType::Inner, (met, mine.to_vec()), None)?
            .project([named(key, data_type)])?
            .build()
    }
}

/// The plan below outer joins whose rows say what is asked: those lose none of them, so that one plan has the rows
/// which several tables are joined to one after the other.
fn below_joins(plan: &LogicalPlan, asked: Vec<Expr>) -> Result<(LogicalPlan, Vec<Expr>)> {
    let of_input = |outputs, made_of: &[Expr]| -> Result<Option<Vec<Expr>>> {
        asked.iter().map(|asked| of_input(asked, outputs, made_of)).collect()
    };
    let below = match plan {
        LogicalPlan::Projection(made) => of_input(&made.schema, &made.expr)?.zip(Some(&made.input)),
        LogicalPlan::SubqueryAlias(alias) => {
            of_input(&alias.schema, &columns(alias.input.schema()))?.zip(Some(&alias.input))
        }
        LogicalPlan::Join(join) => {
            let side = match join.join_type {
                JoinType::Left => Some(&join.left),
                JoinType::Right => Some(&join.right),
                _ => None,
            };
            side.filter(|side| is_of(side, &asked)).map(|side| (asked.clone(), side))
        }
        _ => None,
    };
    match below {
        Some((asked, input)) => below_joins(input, asked),
        None => Ok((plan.clone(), asked)),
    }
}

/// Whether all that is asked is of the rows of a plan.
fn is_of(plan: &LogicalPlan, asked: &[Expr]) -> bool {
    asked.iter().flat_map(Expr::column_refs).all(|column| plan.schema().has_column(column))
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
