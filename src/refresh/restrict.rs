//! The rows of a plan that belong to a few keys, and which keys a change of its tables touches.
//!
//! A key is an expression over the rows of a plan. It is followed down to the scans: what makes a row of one key has to
//! come from rows of the same key, or from tables that say the same of every key. Then the plan over rows of the
//! touched keys makes exactly its rows of these keys, and no others of its rows can be other than before.
//!
//! Nothing here is declared: what cannot be followed is told, and the table is made whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, TableScan, TableSource,
    Union, Unnest, Window, build_join_schema, cast,
};

/// The name under which a plan reads the touched keys, and their one column.
pub const TOUCHED: &str = "touched";
/// The column of [`TOUCHED`].
pub const KEY: &str = "key";

/// Where touched keys come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The rows of a table that were taken out or are new.
    Changed {
        /// How the plan reads the table.
        scan: TableScan,
        /// The key of a row.
        key: Expr,
    },
    /// The rows that meet a row of another plan which is another than before.
    Met {
        /// The plan that makes the rows.
        rows: LogicalPlan,
        /// The key of a row.
        key: Expr,
        /// The other plan.
        other: LogicalPlan,
        /// What is equal in a row and one of the other plan that it meets.
        on: Vec<(Expr, Expr)>,
    },
    /// The rows of a plan that are other than before.
    Other {
        /// The plan.
        plan: LogicalPlan,
        /// The key of a row.
        key: Expr,
    },
}

/// Why a key cannot be followed.
#[derive(Debug)]
pub struct Lost(pub String);

/// What a plan does, or why its key is lost.
type Followed<T> = Result<std::result::Result<T, Lost>>;

/// Follows one key through one plan.
pub struct Following {
    /// The tables that are other than before.
    pub changed: BTreeSet<String>,
    /// A plan over tables with fewer rows together is quick to make as it was and as it is, and to compare.
    pub few_rows: usize,
    /// The touched keys, once they are known.
    pub touched: Option<(Arc<dyn TableSource>, DataType)>,
    /// Where they come from.
    pub sources: Vec<Source>,
    /// Where rows of touched keys are only looked for: then more may be found, and those without a key are not asked
    /// for.
    pub finding: Option<Finding>,
}

/// Where rows are only looked for.
#[derive(Debug, Default)]
pub struct Finding {
    /// Where a key is one of several columns, by which of them.
    part: usize,
    /// How many there are.
    parts: usize,
    /// Whether one was taken.
    is_taken: bool,
}

/// Plans that together have all rows of a plan that have a key of a table, and maybe others, and some twice.
pub fn found(
    plan: &LogicalPlan,
    key: &Expr,
    keys: &Arc<dyn TableSource>,
    data_type: &DataType,
) -> Result<Vec<LogicalPlan>> {
    let (mut plans, mut parts) = (Vec::new(), 1);
    while plans.len() < parts {
        let finding = Finding { part: plans.len(), parts, is_taken: false };
        let mut following = Following {
            changed: BTreeSet::new(),
            few_rows: 0,
            touched: Some((Arc::clone(keys), data_type.clone())),
            sources: Vec::new(),
            finding: Some(finding),
        };
        // Where nothing is changed, nothing is lost.
        plans.push(following.restrict(plan, key)?.unwrap_or_else(|_| plan.clone()));
        parts = following.finding.map_or(parts, |finding| finding.parts);
    }
    Ok(plans)
}

impl Following {
    /// The plan over rows of touched keys.
    pub fn restrict(&mut self, plan: &LogicalPlan, key: &Expr) -> Followed<LogicalPlan> {
        if let Some(parts) = one_of(key)
            && let Some(finding) = &mut self.finding
        {
            if finding.is_taken {
                return self.only_touched(plan.clone(), key).map(Ok);
            }
            finding.parts = finding.parts.max(parts.len());
            finding.is_taken = true;
            let part = parts[finding.part.min(parts.len() - 1)];
            let found = self.restrict(plan, part)?;
            if let Some(finding) = &mut self.finding {
                finding.is_taken = false;
            }
            return Ok(found);
        }
        let before = self.sources.len();
        let lost = match self.descend(plan, key)? {
            Ok(plan) => return Ok(Ok(plan)),
            Err(lost) => lost,
        };
        self.sources.truncate(before);
        if self.is_changed(plan) {
            if rows_read(plan) >= self.few_rows {
                return Ok(Err(lost));
            }
            self.sources.push(Source::Other { plan: plan.clone(), key: key.clone() });
        }
        self.only_touched(plan.clone(), key).map(Ok)
    }

    fn descend(&mut self, plan: &LogicalPlan, key: &Expr) -> Followed<LogicalPlan> {
        let lost = |why: &str| Ok(Err(Lost(format!("{why} `{key}`"))));
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, key),
            LogicalPlan::EmptyRelation(_) => Ok(Ok(plan.clone())),
            LogicalPlan::Filter(filter) => self.through(plan, &filter.input, Some(key.clone())),
            LogicalPlan::Repartition(parts) => self.through(plan, &parts.input, Some(key.clone())),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.through(plan, &sort.input, Some(key.clone()))
            }
            LogicalPlan::Distinct(Distinct::All(input)) => self.through(plan, input, Some(key.clone())),
            LogicalPlan::Projection(made) => {
                self.through(plan, &made.input, of_input(key, &made.schema, &made.expr)?)
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let columns = columns(alias.input.schema());
                self.through(plan, &alias.input, of_input(key, &alias.schema, &columns)?)
            }
            LogicalPlan::Aggregate(Aggregate { input, group_expr, schema, .. }) => {
                let is_set = group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_)));
                match of_input(key, schema, group_expr)?.filter(|_| !is_set) {
                    None => lost("groups are not by"),
                    key => self.through(plan, input, key),
                }
            }
            LogicalPlan::Window(Window { input, window_expr, schema }) => {
                let own = of_input(key, schema, &columns(input.schema()))?;
                match own.filter(|key| window_expr.iter().all(|window| is_parted_by(window, key))) {
                    None => lost("a window is not by"),
                    key => self.through(plan, input, key),
                }
            }
            LogicalPlan::Unnest(Unnest { input, exec_columns, dependency_indices, schema, .. }) => {
                let inputs = columns(input.schema());
                let outputs: Vec<Expr> =
                    dependency_indices.iter().map(|index| inputs[*index].clone()).collect();
                let own = of_input(key, schema, &outputs)?;
                match own.filter(|key| key.column_refs().iter().all(|column| !exec_columns.contains(column)))
                {
                    None => lost("a list is taken apart for"),
                    key => self.through(plan, input, key),
                }
            }
            LogicalPlan::Union(Union { inputs, schema }) => {
                let mut followed = Vec::new();
                for input in inputs {
                    let Some(key) = of_input(key, schema, &columns(input.schema()))? else {
                        return lost("a union does not have");
                    };
                    match self.restrict(input, &key)? {
                        Ok(input) => followed.push(input),
                        Err(lost) => return Ok(Err(lost)),
                    }
                }
                Ok(Ok(plan.with_new_exprs(plan.expressions(), followed)?))
            }
            LogicalPlan::Join(join) => self.join(plan, join, key),
            other => lost(&format!(
                "{} does not keep",
                other.display().to_string().split(':').next().unwrap_or_default()
            )),
        }
    }

    /// A node with one input, whose rows of a key come from rows of a key.
    fn through(
        &mut self,
        plan: &LogicalPlan,
        input: &LogicalPlan,
        key: Option<Expr>,
    ) -> Followed<LogicalPlan> {
        let Some(key) = key else {
            return Ok(Err(Lost("a column is made that is no key of a row below".into())));
        };
        Ok(match self.restrict(input, &key)? {
            Ok(input) => Ok(plan.with_new_exprs(plan.expressions(), vec![input])?),
            Err(lost) => Err(lost),
        })
    }

    fn scan(&mut self, scan: &TableScan, key: &Expr) -> Followed<LogicalPlan> {
        if self.changed.contains(scan.table_name.table()) {
            self.sources.push(Source::Changed { scan: scan.clone(), key: key.clone() });
        }
        if scan.fetch.is_some() {
            return Ok(Err(Lost(format!("{} is read in part", scan.table_name))));
        }
        self.only_touched(LogicalPlan::TableScan(scan.clone()), key).map(Ok)
    }

    /// The side that has the key is restricted to it, the other where it is joined by it; where it is not, what changed
    /// in it touches the keys of the rows that it meets.
    fn join(&mut self, plan: &LogicalPlan, join: &Join, key: &Expr) -> Followed<LogicalPlan> {
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        let is_of =
            |side: &LogicalPlan| key.column_refs().iter().all(|column| side.schema().has_column(column));
        let is_left = match join.join_type {
            Inner if is_of(&join.left) => true,
            Inner if is_of(&join.right) => false,
            Left | LeftSemi | LeftAnti | LeftMark if is_of(&join.left) => true,
            Right | RightSemi | RightAnti | RightMark if is_of(&join.right) => false,
            // A row that meets none of the other side has no key.
            Left if self.finding.is_some() && is_column(key) => false,
            Right if self.finding.is_some() && is_column(key) => true,
            _ => return Ok(Err(Lost(format!("a join does not keep `{key}` of each row")))),
        };
        let (own, other) = if is_left { (&join.left, &join.right) } else { (&join.right, &join.left) };
        let on: Vec<(Expr, Expr)> = match is_left {
            true => join.on.clone(),
            false => join.on.iter().map(|(left, right)| (right.clone(), left.clone())).collect(),
        };
        let restricted = match self.restrict(own, key)? {
            Ok(own) => own,
            Err(lost) => return Ok(Err(lost)),
        };
        let same = on.iter().find(|(one, _)| one == key).filter(|_| !join.null_aware);
        let before = self.sources.len();
        let joined = match same {
            Some((_, key)) => self.restrict(other, key)?.ok(),
            None => None,
        };
        let other = match joined {
            Some(joined) => joined,
            None => {
                self.sources.truncate(before);
                if self.is_changed(other) {
                    let meets_null = join.null_equality == NullEquality::NullEqualsNull;
                    if on.is_empty() || join.null_aware || meets_null {
                        return Ok(Err(Lost(format!("a join reads {} whole", self.changed_in(other)))));
                    }
                    let (rows, other) = (LogicalPlan::clone(own), LogicalPlan::clone(other));
                    self.sources.push(Source::Met { rows, key: key.clone(), other, on });
                }
                LogicalPlan::clone(other)
            }
        };
        let (left, right) = if is_left { (restricted, other) } else { (other, restricted) };
        if matches!((join.join_type, is_left), (Left, false) | (Right, true)) {
            let (left, right) = (Arc::new(left), Arc::new(right));
            let schema = Arc::new(build_join_schema(left.schema(), right.schema(), &Inner)?);
            return Ok(Ok(LogicalPlan::Join(Join { left, right, join_type: Inner, schema, ..join.clone() })));
        }
        Ok(Ok(plan.with_new_exprs(plan.expressions(), vec![left, right])?))
    }

    /// The rows of a plan whose key is touched.
    fn only_touched(&self, plan: LogicalPlan, key: &Expr) -> Result<LogicalPlan> {
        let Some((touched, data_type)) = &self.touched else { return Ok(plan) };
        let rows = columns(plan.schema());
        let key = match key.get_type(plan.schema())? == *data_type {
            true => key.clone(),
            false => cast(key.clone(), data_type.clone()),
        };
        let touched = LogicalPlanBuilder::scan(TOUCHED, Arc::clone(touched), None)?;
        let on = (vec![Expr::Column(Column::new(Some(TOUCHED), KEY))], vec![key]);
        touched.join_with_expr_keys(plan, JoinType::Inner, on, None)?.project(rows)?.build()
    }

    fn is_changed(&self, plan: &LogicalPlan) -> bool {
        !self.changed_in(plan).is_empty()
    }

    /// The first changed table that a plan reads.
    fn changed_in(&self, plan: &LogicalPlan) -> String {
        let mut found = String::new();
        let _ = plan.apply_with_subqueries(|node| match node {
            LogicalPlan::TableScan(scan) if self.changed.contains(scan.table_name.table()) => {
                found = scan.table_name.table().to_string();
                Ok(TreeNodeRecursion::Stop)
            }
            _ => Ok(TreeNodeRecursion::Continue),
        });
        found
    }
}

/// How many rows the tables of a plan have together; one of which it is not known has very many.
pub fn rows_read(plan: &LogicalPlan) -> usize {
    let mut rows: usize = 0;
    let counted = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let known = source_as_provider(&scan.source)?.statistics();
            let known = known.and_then(|known| known.num_rows.get_value().copied());
            rows = rows.saturating_add(known.unwrap_or(usize::MAX));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if counted.is_ok() { rows } else { usize::MAX }
}

/// The columns of which a key is one in each row, as with the first that is not null of several.
fn one_of(key: &Expr) -> Option<Vec<&Expr>> {
    let parts: Vec<&Expr> = match key {
        Expr::Case(case) => case
            .when_then_expr
            .iter()
            .map(|(_, then)| then)
            .chain(&case.else_expr)
            .map(AsRef::as_ref)
            .collect(),
        Expr::ScalarFunction(function) if function.name() == "coalesce" => function.args.iter().collect(),
        _ => return None,
    };
    Some(parts).filter(|parts| parts.iter().all(|part| is_column(part)))
}

/// Whether an expression is a column as it is, so that it is null where that is.
fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => is_column(&cast.expr),
        other => matches!(other, Expr::Column(_)),
    }
}

/// The columns of a schema, as expressions over its rows.
pub(super) fn columns(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// A key over the rows that come out, as one over those that go in: each output column is the expression of the same
/// number. None where it needs a column that has none, or one that is not the same each time.
pub(super) fn of_input(key: &Expr, outputs: &DFSchema, made_of: &[Expr]) -> Result<Option<Expr>> {
    let mut is_known = true;
    let key = key.clone().transform(|part| {
        let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
        let made_of = outputs.maybe_index_of_column(column).and_then(|index| made_of.get(index));
        match made_of.map(|made_of| made_of.clone().unalias_nested().data) {
            // What was put in its place is over other rows, and stays.
            Some(made_of) => Ok(Transformed::new(made_of, true, TreeNodeRecursion::Jump)),
            None => {
                is_known = false;
                Ok(Transformed::no(part))
            }
        }
    })?;
    Ok(Some(key.data).filter(|key| is_known && !key.is_volatile()))
}

/// Whether a window never looks over the rows of two keys.
fn is_parted_by(window: &Expr, key: &Expr) -> bool {
    let window = window.clone().unalias();
    let Expr::WindowFunction(function) = &window else { return false };
    let WindowFunction { params, .. } = function.as_ref();
    let has = |part: &Expr| params.partition_by.contains(part);
    has(key) || key.column_refs().into_iter().all(|column| has(&Expr::Column(column.clone())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn tables() -> SessionContext {
        let context = crate::engine::microseconds::context(SessionConfig::new(), Default::default());
        for table in [
            "create table usage (id bigint, item varchar, quantity bigint) as values (1, 'a', 10), (2, 'b', 20)",
            "create table price (product varchar, amount bigint) as values ('a', 3), ('b', 4)",
            "create table contract (item varchar, name varchar) as values ('a', 'x'), ('b', 'y')",
        ] {
            context.sql(table).await.unwrap().collect().await.unwrap();
        }
        context
    }

    /// Where the touched keys of a query come from, by its first column, where `usage` and `price` are other than
    /// before and `contract` is not; or why its key is lost.
    async fn sources(sql: &str) -> std::result::Result<Vec<String>, String> {
        let context = tables().await;
        let rows: LogicalPlan =
            SessionContext::sql(&context, sql).await.unwrap().into_optimized_plan().unwrap();
        let key = Expr::Column(rows.schema().columns()[0].clone());
        let changed = ["usage", "price"].map(String::from).into();
        let mut following =
            Following { changed, few_rows: 0, touched: None, sources: Vec::new(), finding: None };
        match following.restrict(&rows, &key).unwrap() {
            Err(Lost(why)) => Err(why),
            Ok(_) => Ok(following.sources.iter().map(told).collect()),
        }
    }

    fn told(source: &Source) -> String {
        match source {
            Source::Changed { key, .. } => key.to_string(),
            Source::Met { key, on, .. } => format!("{key} that meets {}", on[0].1),
            Source::Other { key, .. } => format!("{key} of another row"),
        }
    }

    #[tokio::test]
    async fn keys_are_followed_to_what_a_plan_reads() {
        for (sql, expected) in [
            ("select id from usage where quantity > 5", vec!["usage.id"]),
            ("select item, sum(quantity) from usage group by item", vec!["usage.item"]),
            ("select item, row_number() over (partition by item order by id) from usage", vec!["usage.item"]),
            ("select distinct concat(item, '-') from usage", vec!["concat(usage.item, Utf8View(\"-\"))"]),
            ("select id from usage union all select length(name) from contract", vec!["usage.id"]),
            (
                "select usage.id from usage inner join contract on usage.item = contract.item",
                vec!["usage.id"],
            ),
            (
                "select usage.id, price.amount from usage left join price on usage.item = price.product",
                vec!["usage.id", "usage.id that meets price.product"],
            ),
            (
                "select usage.item, price.amount from usage left join price on usage.item = price.product",
                vec!["usage.item", "price.product"],
            ),
            (
                "select name from contract where not exists (select 1 from usage where usage.item = contract.item)",
                vec!["contract.name that meets __correlated_sq_1.item"],
            ),
        ] {
            assert_eq!(sources(sql).await.unwrap(), expected, "{sql}");
        }
    }

    /// The rows of a query that may have a key in one of its columns, sorted.
    async fn rows_found(sql: &str, column: &str, key: &str) -> Vec<String> {
        let context = tables().await;
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let keys = context.sql(&format!("select '{key}' as key")).await.unwrap().into_view();
        let column = plan.schema().columns().into_iter().find(|one| one.name == column).unwrap();
        let keys = datafusion::datasource::provider_as_source(keys);
        let mut rows = Vec::new();
        for plan in found(&plan, &Expr::Column(column), &keys, &DataType::Utf8View).unwrap() {
            let batches = context.execute_logical_plan(plan).await.unwrap().collect().await.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
            rows.extend(shown.lines().filter(|line| line.starts_with("| ")).skip(1).map(String::from));
        }
        rows.sort();
        rows
    }

    #[tokio::test]
    async fn rows_that_have_a_key_are_found_below_outer_joins_and_choices() {
        let left = "select usage.id, price.product from usage left join price on usage.item = price.product";
        assert_eq!(rows_found(left, "product", "a").await, ["| 1  | a       |"]);
        assert_eq!(rows_found(left, "product", "x").await, Vec::<String>::new());
        let right =
            "select usage.id, price.product from price right join usage on usage.item = price.product";
        assert_eq!(rows_found(right, "product", "b").await, ["| 2  | b       |"]);
        // By the name of the contract where there is one, and else by the item: of either there may be rows.
        let either = "select usage.id, coalesce(contract.name, usage.item) as either from usage \
                      left join contract on usage.item = contract.item and contract.name = 'x'";
        assert_eq!(rows_found(either, "either", "x").await, ["| 1  | x      |"]);
        assert_eq!(rows_found(either, "either", "b").await, ["| 2  | b      |"]);
        // More may be found: the item of this one is `a`, and yet it goes by `x`.
        assert_eq!(rows_found(either, "either", "a").await, ["| 1  | x      |"]);
    }

    #[tokio::test]
    async fn where_rows_of_several_keys_come_together_a_key_is_lost() {
        for (sql, expected) in [
            ("select id, sum(quantity) over (partition by item) from usage", "a window is not by `usage.id`"),
            ("select count(*), item from usage group by item", "groups are not by `count(Int64(1))`"),
            ("select id from usage limit 1", "Limit does not keep `usage.id`"),
            (
                "select usage.id from usage inner join price on usage.quantity > price.amount",
                "a join reads price whole",
            ),
        ] {
            let lost = sources(sql).await.unwrap_err();
            assert!(lost.contains(expected), "{sql}\n{lost}");
        }
    }
}
