//! Sums and counts over rows of which few are other than before: what they came to, plus the rows that are new, less
//! those that are gone.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, col, lit,
};

use super::restrict::{columns, of_input};
use super::touched::numbered;
use crate::project::schema::TableSchema;

/// What a plan adds up.
pub struct Fold {
    /// The rows that it adds up.
    pub rows: LogicalPlan,
    groups: Vec<Expr>,
    summed: Vec<Summed>,
    /// The table's names of the groups and of what is summed.
    names: Vec<String>,
}

/// What is summed of each row.
enum Summed {
    /// One.
    Count,
    /// A value that is never null, so that the sum of none, which is null, does not come up.
    Value(Expr),
}

impl Fold {
    /// What a plan adds up; none where it does more than that, or does not count the rows of a group: one without rows
    /// has to go.
    pub fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        let outputs = plan.schema().columns();
        let mut made_of: Vec<Expr> = outputs.iter().cloned().map(Expr::Column).collect();
        let mut plan = plan;
        let Aggregate { input, group_expr, aggr_expr, schema, .. } = loop {
            let (input, schema, exprs) = match plan {
                LogicalPlan::Aggregate(aggregate) => break aggregate,
                LogicalPlan::Projection(made) => (&made.input, &made.schema, made.expr.clone()),
                LogicalPlan::SubqueryAlias(alias) => {
                    (&alias.input, &alias.schema, columns(alias.input.schema()))
                }
                _ => return Ok(None),
            };
            for made_of in &mut made_of {
                let Some(below) = of_input(made_of, schema, &exprs)? else { return Ok(None) };
                *made_of = below;
            }
            plan = input;
        };
        let place = |column: &Expr| made_of.iter().position(|made_of| without_cast(made_of) == column);
        let names = schema.columns().into_iter().map(|column| {
            place(&Expr::Column(column))
                .and_then(|place| outputs.get(place))
                .map(|column| column.name.clone())
        });
        let summed =
            aggr_expr.iter().map(|summed| Summed::of(summed, input)).collect::<Result<Option<Vec<_>>>>()?;
        let (Some(names), Some(summed)) = (names.collect::<Option<Vec<_>>>(), summed) else {
            return Ok(None);
        };
        let is_set = group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)));
        let has_count = summed.iter().any(|summed| matches!(summed, Summed::Count));
        if is_set || !has_count || names.len() != outputs.len() {
            return Ok(None);
        }
        let groups = group_expr.iter().map(|group| group.clone().unalias_nested().data).collect();
        let mut fold = Self { rows: LogicalPlan::clone(input), groups, summed, names };
        while fold.descend()? {}
        Ok(Some(fold))
    }

    /// Takes for its rows those that they are made of, one by one, since these have keys that are not added up.
    fn descend(&mut self) -> Result<bool> {
        let LogicalPlan::Projection(made) = &self.rows else { return Ok(false) };
        let below = |expr: &Expr| of_input(expr, &made.schema, &made.expr);
        let groups = self.groups.iter().map(below).collect::<Result<Option<Vec<_>>>>()?;
        let summed = self.summed.iter().map(|summed| match summed {
            Summed::Count => Ok(Some(Summed::Count)),
            Summed::Value(value) => Ok(below(value)?.map(Summed::Value)),
        });
        let summed = summed.collect::<Result<Option<Vec<_>>>>()?;
        let Some((groups, summed)) = groups.zip(summed) else { return Ok(false) };
        (self.groups, self.summed) = (groups, summed);
        self.rows = LogicalPlan::clone(&made.input);
        Ok(true)
    }

    /// What new rows add to each group, less what rows that are gone did; `sum` is that of the session. The columns
    /// have the numbers of [`Self::names`] for names.
    pub fn change(
        &self,
        schema: &TableSchema,
        sum: &Arc<AggregateUDF>,
        (new, gone): (LogicalPlan, LogicalPlan),
    ) -> Result<LogicalPlan> {
        let parts = LogicalPlanBuilder::from(self.signed(new, 1)?).union(self.signed(gone, -1)?)?;
        let sums = self.groups.len()..self.names.len();
        let is_other = sums.map(|number| col(numbered(number)).not_eq(lit(0_i64))).reduce(Expr::or);
        self.added_up(parts, sum)?
            .filter(is_other.unwrap_or_else(|| lit(true)))?
            .project(self.typed(schema)?)?
            .build()
    }

    /// The group column by which most of a table's rows are told apart: the first of its primary key; with its number.
    pub fn key(&self, schema: &TableSchema) -> Option<(String, String)> {
        let first = schema.primary_key.first()?;
        let number = self.names[..self.groups.len()].iter().position(|name| name == first)?;
        Some((first.clone(), numbered(number)))
    }

    /// Rows of a table as they are now: what they were, and what changes in their groups.
    pub fn folded(
        &self,
        schema: &TableSchema,
        sum: &Arc<AggregateUDF>,
        old: LogicalPlan,
        change: LogicalPlan,
    ) -> Result<LogicalPlan> {
        let named = self.names.iter().enumerate().map(|(number, name)| col(name).alias(numbered(number)));
        let all = LogicalPlanBuilder::from(old).project(named)?.union(change)?;
        let mut now = self.added_up(all, sum)?;
        for (number, summed) in self.summed.iter().enumerate() {
            if matches!(summed, Summed::Count) {
                now = now.filter(col(numbered(self.groups.len() + number)).not_eq(lit(0_i64)))?;
            }
        }
        let place = |name: &String| self.names.iter().position(|named| named == name).unwrap_or_default();
        let columns = schema.columns.iter().map(|column| {
            cast(col(numbered(place(&column.name))), column.data_type.clone()).alias(&column.name)
        });
        now.project(columns)?.build()
    }

    /// The groups of rows and what is summed of each, taken so many times; the columns have numbers for names.
    fn signed(&self, rows: LogicalPlan, times: i64) -> Result<LogicalPlan> {
        let summed = self.summed.iter().map(|summed| match summed {
            Summed::Count => lit(times),
            Summed::Value(value) if times < 0 => Expr::Negative(Box::new(value.clone())),
            Summed::Value(value) => value.clone(),
        });
        let columns = self.groups.iter().cloned().chain(summed);
        let columns = columns.enumerate().map(|(number, column)| column.alias(numbered(number)));
        LogicalPlanBuilder::from(rows).project(columns)?.build()
    }

    fn added_up(&self, parts: LogicalPlanBuilder, sum: &Arc<AggregateUDF>) -> Result<LogicalPlanBuilder> {
        let count = self.groups.len();
        let groups = (0..count).map(|number| col(numbered(number)));
        let sums = (count..count + self.summed.len())
            .map(|number| sum.call(vec![col(numbered(number))]).alias(numbered(number)));
        parts.aggregate(groups, sums)
    }

    /// The columns that have numbers for names, of the types that the table has.
    fn typed(&self, schema: &TableSchema) -> Result<Vec<Expr>> {
        let typed = self.names.iter().enumerate().map(|(number, name)| {
            let column = schema.columns.iter().find(|column| column.name == *name);
            let column = column.map(|column| cast(col(numbered(number)), column.data_type.clone()));
            let Some(column) = column else {
                return datafusion::common::plan_err!("{} has no column {name}", schema.name);
            };
            Ok(column.alias(numbered(number)))
        });
        typed.collect()
    }
}

impl Summed {
    fn of(aggregate: &Expr, rows: &LogicalPlan) -> Result<Option<Self>> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) =
            aggregate.clone().unalias_nested().data
        else {
            return Ok(None);
        };
        let is_plain = !params.distinct && params.filter.is_none() && params.order_by.is_empty();
        let [value] = params.args.as_slice() else { return Ok(None) };
        if !is_plain || value.nullable(rows.schema())? {
            return Ok(None);
        }
        Ok(match func.name() {
            "count" => Some(Self::Count),
            "sum" => Some(Self::Value(value.clone())),
            _ => None,
        })
    }
}

fn without_cast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => without_cast(&cast.expr),
        other => other,
    }
}
