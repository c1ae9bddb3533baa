//! What a join's condition says of when a row is in force: from when and until when, by which time of the other side,
//! and what else has to hold.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use datafusion::common::cast::as_primitive_array;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNullExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, conjunction_opt, split_conjunction};
use datafusion::physical_plan::joins::utils::JoinFilter;

/// From when until when rows of the side that is kept are in force for a time of the side that is looked up.
#[derive(Debug, Clone)]
pub struct Range {
    /// The column of the side that is looked up.
    pub time: usize,
    from: Bound,
    to: Bound,
}

/// A column of the side that is kept, which bounds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    column: usize,
    /// The bound itself is in force.
    is_within: bool,
    /// Where the column is null, there is no bound; else nothing is in force there.
    may_lack: bool,
}

impl Range {
    /// The range within a join's condition, and what is left of the condition; none where there is no lower and upper
    /// bound of one time.
    pub fn within(filter: &JoinFilter) -> Option<(Self, Option<JoinFilter>)> {
        let conditions = split_conjunction(filter.expression());
        let limits = conditions.iter().enumerate();
        let limits =
            limits.filter_map(|(place, condition)| Some((place, Limit::said_by(condition, filter)?)));
        let (lower, upper): (Vec<_>, Vec<_>) = limits.partition(|(_, limit)| limit.end == End::From);
        let pairs = lower.iter().flat_map(|lower| upper.iter().map(move |upper| (lower, upper)));
        // Where both bounds may lack, a time that is null would be within.
        let is_range = |lower: &Limit, upper: &Limit| {
            lower.time == upper.time && !(lower.bound.may_lack && upper.bound.may_lack)
        };
        let ((from_place, from), (to_place, to)) =
            pairs.into_iter().find(|((_, lower), (_, upper))| is_range(lower, upper))?;
        let left =
            conditions.into_iter().enumerate().filter(|(place, _)| ![*from_place, *to_place].contains(place));
        let left = conjunction_opt(left.map(|(_, condition)| condition.clone()));
        let left = left.map(|condition| narrowed(condition, filter)).transpose().ok()?;
        Some((Self { time: from.time, from: from.bound, to: to.bound }, left))
    }

    /// The first and the last time at which each row is in force; none where it never is.
    pub fn spans(&self, rows: &RecordBatch) -> Result<Vec<Option<(i64, i64)>>> {
        let from = self.from.times(rows, i64::MIN, |time| time.checked_add(1))?;
        let to = self.to.times(rows, i64::MAX, |time| time.checked_sub(1))?;
        let span = |(from, to): (Option<i64>, Option<i64>)| from.zip(to).filter(|(from, to)| from <= to);
        Ok(from.into_iter().zip(to).map(span).collect())
    }

    /// How a plan shows it, with the names of both sides.
    pub fn shown(&self, kept: &Schema, looked_up: &Schema) -> String {
        let time = looked_up.field(self.time).name();
        let bound = |bound: &Bound, operator: &str| {
            let column = kept.field(bound.column).name();
            let within = if bound.is_within { "=" } else { "" };
            let lack = if bound.may_lack { " or none" } else { "" };
            format!("{time}@{} {operator}{within} {column}@{}{lack}", self.time, bound.column)
        };
        format!("{}, {}", bound(&self.from, ">"), bound(&self.to, "<"))
    }
}

impl Bound {
    /// The outermost time in force by this bound in each row: `none` where it has none, the `next` to the bound where
    /// the bound itself is not in force.
    fn times(
        &self,
        rows: &RecordBatch,
        none: i64,
        next: impl Fn(i64) -> Option<i64>,
    ) -> Result<Vec<Option<i64>>> {
        let times = whole(rows.column(self.column))?;
        let times = as_primitive_array::<Int64Type>(&times)?;
        let bound = |time: Option<i64>| match time {
            Some(time) if self.is_within => Some(time),
            Some(time) => next(time),
            None => self.may_lack.then_some(none),
        };
        Ok(times.iter().map(bound).collect())
    }
}

/// Times as the numbers that they are kept as.
pub fn whole(times: &dyn Array) -> Result<Arc<dyn Array>> {
    Ok(cast(times, &DataType::Int64)?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

/// One bound of a time, as a condition says it.
#[derive(Debug)]
struct Limit {
    time: usize,
    end: End,
    bound: Bound,
}

impl Limit {
    fn said_by(condition: &Arc<dyn PhysicalExpr>, filter: &JoinFilter) -> Option<Self> {
        let said = condition.downcast_ref::<BinaryExpr>()?;
        if *said.op() == Operator::Or {
            let sides = [(said.left(), said.right()), (said.right(), said.left())];
            return sides.into_iter().find_map(|(lacks, bounds)| {
                let lacking = lacks.downcast_ref::<IsNullExpr>()?.arg();
                let limit = Self::compared(bounds, filter)?;
                let bound = Bound { may_lack: true, ..limit.bound };
                let is_same = column_of(lacking, JoinSide::Left, filter) == Some(bound.column);
                is_same.then_some(Self { bound, ..limit })
            });
        }
        Self::compared(condition, filter)
    }

    fn compared(condition: &Arc<dyn PhysicalExpr>, filter: &JoinFilter) -> Option<Self> {
        let said = condition.downcast_ref::<BinaryExpr>()?;
        let of_time = |side: &Arc<dyn PhysicalExpr>| column_of(side, JoinSide::Right, filter);
        let (time, kept, operator) = match (of_time(said.left()), of_time(said.right())) {
            (Some(time), None) => (time, said.right(), *said.op()),
            (None, Some(time)) => (time, said.left(), said.op().swap()?),
            _ => return None,
        };
        let (end, is_within) = match operator {
            Operator::Gt => (End::From, false),
            Operator::GtEq => (End::From, true),
            Operator::Lt => (End::To, false),
            Operator::LtEq => (End::To, true),
            _ => return None,
        };
        let types = [said.left(), said.right()].map(|side| side.data_type(filter.schema()).ok());
        let is_time = matches!(types[0], Some(DataType::Timestamp(..))) && types[0] == types[1];
        let column = column_of(kept, JoinSide::Left, filter).filter(|_| is_time)?;
        Some(Self { time, end, bound: Bound { column, is_within, may_lack: false } })
    }
}

/// The column of one side that an expression is.
fn column_of(expr: &Arc<dyn PhysicalExpr>, side: JoinSide, filter: &JoinFilter) -> Option<usize> {
    let column = filter.column_indices().get(expr.downcast_ref::<Column>()?.index())?;
    (column.side == side).then_some(column.index)
}

/// A condition of a filter with only the columns that it reads.
fn narrowed(condition: Arc<dyn PhysicalExpr>, filter: &JoinFilter) -> Result<JoinFilter> {
    let mut read: Vec<usize> = collect_columns(&condition).iter().map(Column::index).collect();
    read.sort_unstable();
    let moved = |expr: Arc<dyn PhysicalExpr>| {
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let Ok(place) = read.binary_search(&column.index()) else { return Ok(Transformed::no(expr)) };
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), place)) as _))
    };
    let condition = condition.transform_up(moved).data()?;
    let columns = read.iter().map(|column| filter.column_indices()[*column].clone()).collect();
    let schema = Arc::new(filter.schema().project(&read)?);
    Ok(JoinFilter::new(condition, columns, schema))
}
