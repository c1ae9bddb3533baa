//! Times are microseconds in every plan: they reach from the year 1 to 9999 and beyond, as what is written for "no end"
//! does, where nanoseconds end on 2262-04-11 and one later time would stop a whole query.
//!
//! DataFusion plans `timestamp` as nanoseconds, and compares a time with a text or a date in nanoseconds.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::datatype::DataTypeExt;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ExprSchema, Result, ScalarValue, plan_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::logical_expr::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, TryCast};
use datafusion::optimizer::analyzer::{Analyzer, AnalyzerRule};
use datafusion::prelude::{SessionConfig, SessionContext};

/// A session whose times are microseconds, and whose filters reach the tables.
pub fn context(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(Microseconds));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_type_planner(Arc::new(Microseconds))
        .with_analyzer_rules(rules)
        .with_optimizer_rules(super::rules::rules())
        .with_physical_optimizer_rules(super::rules::physical_rules())
        .build();
    SessionContext::new_with_state(state)
}

#[derive(Debug)]
struct Microseconds;

impl TypePlanner for Microseconds {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let SqlType::Timestamp(None | Some(9), zone) = sql_type else { return Ok(None) };
        let zone = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone).then(|| "UTC".into());
        Ok(Some(DataType::Timestamp(TimeUnit::Microsecond, zone).into_nullable_field_ref()))
    }
}

/// Stands before the rule that gives two compared values one type.
impl AnalyzerRule for Microseconds {
    fn name(&self) -> &str {
        "microseconds"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let in_plan = |plan: LogicalPlan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            let changed = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let changed = expr.transform_up(|expr| in_expression(expr, &schema))?;
                Ok(changed.update_data(|expr| name.restore(expr)))
            })?;
            if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
        };
        Ok(plan.transform_up_with_subqueries(in_plan)?.data)
    }
}

fn in_expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(Cast { expr, field }) => match zone_of_instant(field.data_type()) {
            Some(_) if is_number(&expr, schema) => {
                plan_err!(
                    "`{expr}` is a number and no time: to_timestamp_seconds({expr}), to_timestamp_millis({expr}) or \
                     to_timestamp_micros({expr}) makes one of it"
                )
            }
            Some(zone) if is_fine(field.data_type()) => Ok(Transformed::yes(in_microseconds(*expr, zone))),
            _ => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        },
        Expr::TryCast(TryCast { expr, field }) => match zone_of_instant(field.data_type()) {
            Some(zone) if is_fine(field.data_type()) => {
                let wanted = DataType::Timestamp(TimeUnit::Microsecond, zone);
                Ok(Transformed::yes(Expr::TryCast(TryCast::new(expr, wanted))))
            }
            _ => Ok(Transformed::no(Expr::TryCast(TryCast { expr, field }))),
        },
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            let mut sides = [*left, *right];
            let changed = alike(&mut sides, schema);
            let [left, right] = sides.map(Box::new);
            let expr = Expr::BinaryExpr(BinaryExpr { left, op, right });
            Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let mut sides = [*expr, *low, *high];
            let changed = alike(&mut sides, schema);
            let [expr, low, high] = sides.map(Box::new);
            let expr = Expr::Between(Between { expr, negated, low, high });
            Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
        }
        Expr::InList(InList { expr, list, negated }) => {
            let mut sides = vec![*expr];
            sides.extend(list);
            let changed = alike(&mut sides, schema);
            let mut sides = sides.into_iter();
            let Some(expr) = sides.next() else { return plan_err!("an empty list") };
            let expr = Expr::InList(InList { expr: Box::new(expr), list: sides.collect(), negated });
            Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
        }
        other => Ok(Transformed::no(other)),
    }
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Where one of some compared values is a time in microseconds or coarser, the texts, dates and finer times among them
/// become one, too.
fn alike(sides: &mut [Expr], schema: &DFSchema) -> bool {
    let types: Vec<Option<DataType>> = sides.iter().map(|side| side.get_type(schema).ok()).collect();
    let mut instants = types.iter().flatten().filter(|data_type| !is_fine(data_type));
    let Some(zone) = instants.find_map(zone_of_instant) else { return false };
    let mut changed = false;
    for (side, data_type) in sides.iter_mut().zip(types) {
        let Some(data_type) = data_type else { continue };
        let is_other = match &data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
            DataType::Date32 | DataType::Date64 => true,
            other => is_fine(other),
        };
        if is_other {
            let zone = if is_fine(&data_type) { zone_of_instant(&data_type).flatten() } else { zone.clone() };
            *side = in_microseconds(std::mem::replace(side, Expr::Literal(ScalarValue::Null, None)), zone);
            changed = true;
        }
    }
    changed
}

fn in_microseconds(expr: Expr, zone: Option<Arc<str>>) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Timestamp(TimeUnit::Microsecond, zone)))
}

fn is_fine(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Nanosecond, _))
}

/// The zone of a type of times.
fn zone_of_instant(data_type: &DataType) -> Option<Option<Arc<str>>> {
    match data_type {
        DataType::Timestamp(_, zone) => Some(zone.clone()),
        _ => None,
    }
}

fn is_number(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| data_type.is_numeric())
}

#[cfg(test)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use datafusion::prelude::{SessionConfig, SessionContext};

    fn session() -> SessionContext {
        let config = SessionConfig::new().set_str("datafusion.execution.time_zone", "UTC");
        super::context(config, Default::default())
    }

    /// The values of a query of one row, separated by a blank; or the error.
    fn row(context: &SessionContext, sql: &str) -> Result<String, String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rows = runtime.block_on(async { context.sql(sql).await?.collect().await });
        let rows = rows.map_err(|error| error.strip_backtrace())?;
        let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
        let options = FormatOptions::default();
        let values = rows
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap().value(0).to_string());
        Ok(values.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn no_time_is_too_far() {
        let context = session();
        for (sql, shown) in [
            ("select timestamp '9999-12-31T00:00:00'", "9999-12-31T00:00:00"),
            ("select cast('9999-12-31T00:00:00Z' as timestamp with time zone)", "9999-12-31T00:00:00Z"),
            ("select try_cast('0001-01-01T00:00:00Z' as timestamp with time zone)", "0001-01-01T00:00:00Z"),
            ("select t < '2026-01-01', t in ('9999-12-31'), t between '0001-01-01' and '9999-12-31' from far", "false true true"),
            ("select t < date '2026-01-01', date '9999-12-31' = t from far", "false true"),
            ("select t > to_timestamp('2026-01-01T00:00:00Z') from far", "true"),
            ("select t = cast(t as timestamp(9) with time zone) from far", "true"),
            ("select arrow_typeof(t at time zone 'UTC') from far", "Timestamp(µs, \"UTC\")"),
            ("select count(*) from far where t > (select cast(null as timestamp with time zone))", "0"),
            (
                "select x from (select cast(null as timestamp with time zone) as x union all select t from far)
                 where x >= '9999-12-31'",
                "9999-12-31T00:00:00Z",
            ),
        ] {
            let sql = format!(
                "with far as (select cast('9999-12-31' as timestamp(6) with time zone) as t) {sql}"
            );
            assert_eq!(row(&context, &sql).as_deref(), Ok(shown), "{sql}");
        }
    }

    #[test]
    fn a_number_is_no_time() {
        let context = session();
        let said = row(&context, "select cast(1759276800 as timestamp)").unwrap_err();
        assert!(said.contains("to_timestamp_seconds("), "{said}");
        let said = row(&context, "select to_timestamp_seconds(1759276800)");
        assert_eq!(said.as_deref(), Ok("2025-10-01T00:00:00Z"));
    }
}
