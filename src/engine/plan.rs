//! Planning a query, and what is wrong with it in the words of the person who wrote it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::sqlparser::ast::Visit;

use super::foreign_sql::{self, Foreign};
use super::words::with_sql_types;
use crate::error::{Error, Mistake, Place, Result};
use crate::project::Query;
use crate::project::schema::{TableSchema, accepts, header, sql_type};
use crate::table::checksum::Unlike;

/// What the parameters of a query stand for, by their names; all queries may read `$as_of`, a number of microseconds
/// since the epoch is that alone.
#[derive(Debug, Clone)]
pub struct Values(BTreeMap<&'static str, ScalarValue>);

impl From<i64> for Values {
    fn from(as_of: i64) -> Self {
        Self(BTreeMap::from([("as_of", ScalarValue::TimestampMicrosecond(Some(as_of), Some("UTC".into())))]))
    }
}

impl Values {
    /// For the queries that explain a line: `$line_id`.
    pub fn of_line(as_of: i64, line_id: &str) -> Self {
        Self::from(as_of).with("line_id", Some(line_id))
    }

    /// For the queries that explain a record: `$transaction_id`, and `$source`, which is null where none is named.
    pub fn of_usage(as_of: i64, transaction_id: &str, source: Option<&str>) -> Self {
        Self::from(as_of).with("transaction_id", Some(transaction_id)).with("source", source)
    }

    fn with(mut self, name: &'static str, text: Option<&str>) -> Self {
        self.0.insert(name, ScalarValue::Utf8(text.map(String::from)));
        self
    }

    /// Those that a query mentions.
    fn bound(&self, query: &Query) -> Result<Vec<(String, ScalarValue)>, Mistake> {
        let value = |(name, place): (&String, &Place)| match self.0.get(name.as_str()) {
            Some(value) => Ok((name.clone(), value.clone())),
            None => {
                let known: Vec<String> = self.0.keys().map(|name| format!("${name}")).collect();
                let what = format!("nothing is bound to `${name}`");
                Err(Mistake {
                    place: place.clone(),
                    what,
                    hint: format!("here there is {}", known.join(", ")),
                })
            }
        };
        query.parameters.iter().map(value).collect()
    }
}

/// What is asked of the queries of the service.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfService<'a> {
    /// `$as_of`, and `$used_from` and `$used_to`, in microseconds since the epoch.
    pub as_of: i64,
    /// Usage from here on, inclusive.
    pub used_from: i64,
    /// Usage to here, exclusive.
    pub used_to: i64,
    /// `$contract_id`; none where it is not about one.
    pub contract_id: Option<&'a str>,
    /// `$customer_id`; none where it is not about one.
    pub customer_id: Option<&'a str>,
    /// `$granularity`: hour, day or month.
    pub granularity: Option<&'a str>,
    /// `$group_by`: usage_type or contract_item.
    pub group_by: Option<&'a str>,
}

impl From<OfService<'_>> for Values {
    fn from(asked: OfService<'_>) -> Self {
        let instant = |at: i64| ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()));
        let mut values = Self::from(asked.as_of)
            .with("contract_id", asked.contract_id)
            .with("customer_id", asked.customer_id)
            .with("granularity", asked.granularity)
            .with("group_by", asked.group_by);
        values.0.insert("used_from", instant(asked.used_from));
        values.0.insert("used_to", instant(asked.used_to));
        values
    }
}

/// Plans a query with its parameters bound.
pub async fn plan(context: &SessionContext, query: &Query, values: impl Into<Values>) -> Result<DataFrame> {
    try_plan(context, query, &values.into()).await.map_err(|mistake| Error::Project(vec![mistake]))
}

/// The same for whoever collects mistakes.
pub async fn try_plan(
    context: &SessionContext,
    query: &Query,
    values: &Values,
) -> Result<DataFrame, Mistake> {
    let mistake = |error: DataFusionError| query_mistake(&error, query);
    let values = values.bound(query)?;
    let state = context.state();
    let plan = state.statement_to_plan(query.statement()).await.map_err(mistake)?;
    let plan = if values.is_empty() { plan } else { plan.with_param_values(values).map_err(mistake)? };
    match whole_division(&plan, query) {
        None => Ok(DataFrame::new(state, plan)),
        Some(mistake) => Err(mistake),
    }
}

/// A division of two whole numbers: SQL drops what is left over, so that 7 / 2 is 3, which nobody sees in an amount.
/// Who means that says so by a cast to a whole number around it.
pub fn whole_division(plan: &LogicalPlan, query: &Query) -> Option<Mistake> {
    let mut found = None;
    let _ = plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let is_whole = |side: &Expr| side.get_type(&schema).is_ok_and(|kind| kind.is_integer());
        node.apply_expressions(|expression| {
            expression.apply(|part| match part {
                Expr::Cast(cast) if cast.field.data_type().is_integer() => Ok(TreeNodeRecursion::Jump),
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right })
                    if is_whole(left) && is_whole(right) =>
                {
                    found = Some((Expr::clone(left), Expr::clone(right)));
                    Ok(TreeNodeRecursion::Stop)
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    });
    let (left, right) = found?;
    let columns = left.column_refs().into_iter().chain(right.column_refs());
    let span = columns.filter_map(|column| column.spans.first()).next();
    let (line, column) = span.map_or((0, 0), |span| (span.start.line, span.start.column));
    let (left, right) = (left.human_display(), right.human_display());
    Some(Mistake {
        place: Place { file: query.file.clone(), line, column },
        what: format!("`{left}` by `{right}`: whole numbers are divided without what is left over, 7 / 2 is 3"),
        hint: "cast one side: cast(x as decimal(38, 12)) / y; where the whole part is meant: cast(x / y as bigint)"
            .into(),
    })
}

/// What is wrong with a query file, from what the planner says and from its syntax.
pub fn query_mistake(error: &DataFusionError, query: &Query) -> Mistake {
    syntax_mistake(planning_mistake(error, &query.file), query.syntax())
}

/// The mistake of a statement that does not plan, or what in it is written otherwise here: that tells more.
pub fn syntax_mistake(mistake: Mistake, statement: &impl Visit) -> Mistake {
    let missing = mistake.what.strip_prefix(NO_FIELD).filter(|_| mistake.place.line == 0);
    let missing = missing.map(|rest| rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), "")));
    // The planner has no place for some.
    if let Some((name, rest)) = missing
        && let Some(at) = foreign_sql::place_of(statement, name)
    {
        let place = Place { line: at.line, column: at.column, ..mistake.place };
        if name.eq_ignore_ascii_case("all") {
            let hint = "name the columns, or give their numbers: order by 1, 2".into();
            return Mistake { place, what: "`all` stands for no columns here".into(), hint };
        }
        let meant = rest.strip_prefix("Did you mean '").and_then(|rest| rest.strip_suffix("'?"));
        let hint = meant.map_or(mistake.hint, |meant| format!("did you mean `{meant}`?"));
        return Mistake { place, what: format!("there is no column `{name}`"), hint };
    }
    let Some(Foreign { at, what, hint }) = foreign_sql::find(statement) else { return mistake };
    Mistake { place: Place { line: at.line, column: at.column, ..mistake.place }, what, hint }
}

/// How the planner says that a column is not there, where it has no place for it.
const NO_FIELD: &str = "No field named ";

/// What is wrong with a query, from what the planner says; its spans give the place.
pub fn planning_mistake(error: &DataFusionError, file: &str) -> Mistake {
    // An optimizer rule wraps what it stumbled over; the reader needs to know over what.
    let whole = error.find_root().strip_backtrace();
    let mut place = Place { file: file.into(), line: 0, column: 0 };
    let mut hint = String::new();
    let mut what = whole.lines().next().unwrap_or_default().to_string();
    if let Some(diagnostic) = error.diagnostic() {
        what.clone_from(&diagnostic.message);
        if let Some(span) = diagnostic.span {
            place.line = span.start.line;
            place.column = span.start.column;
        }
        let notes = diagnostic.helps.iter().map(|help| &help.message);
        let notes = notes.chain(diagnostic.notes.iter().map(|note| &note.message));
        hint = notes.cloned().collect::<Vec<_>>().join("; ");
    }
    Mistake { place, what: without_layers(&what), hint: with_sql_types(&hint) }
}

/// A message without the names of the layers that it came through.
fn without_layers(message: &str) -> String {
    const LAYERS: [&str; 14] = [
        "Error during planning: ",
        "Schema error: ",
        "Optimizer rule 'simplify_expressions' failed",
        "type_coercion",
        "caused by",
        "Execution error: ",
        "External error: ",
        "Arrow error: ",
        "Compute error: ",
        "Cast error: ",
        "Parser error: ",
        "Arithmetic overflow: ",
        "Invalid argument error: ",
        "This feature is not implemented: ",
    ];
    let mut rest = message.trim();
    while let Some(inner) = LAYERS.iter().find_map(|layer| rest.strip_prefix(layer)) {
        rest = inner.trim_start();
    }
    // What follows is the syntax tree as the parser keeps it.
    if rest.starts_with("Unsupported ast node") {
        return "this is not understood here".into();
    }
    if let Some((said, _)) = rest.split_once(" { expr: ") {
        rest = said;
    }
    // A function says itself what it takes; the planner repeats it with types.
    if let Some((_, own)) = rest.split_once("coercion failed with: Error during planning: ") {
        rest = own.split_once(" No function matches").map_or(own, |(own, _)| own).trim_end_matches('.');
    }
    with_sql_types(&rest.replace("Invalid argument error: ", ""))
}

/// Where the query's output does not fit the table's contract; empty where it does.
pub fn misfits(plan: &LogicalPlan, schema: &TableSchema, query: &Query) -> Vec<Mistake> {
    let mistake = |column: &str, what: String, hint: String| {
        let place = query.columns.get(column).cloned();
        let place = place.unwrap_or_else(|| Place { file: query.file.clone(), line: 0, column: 0 });
        Mistake { place, what, hint }
    };
    let mut mistakes = Vec::new();
    for column in &schema.columns {
        let Ok(field) = plan.schema().field_with_unqualified_name(&column.name) else {
            let what = format!("yields no column `{}`", column.name);
            mistakes.push(mistake(&column.name, what, format!("declared at {}", column.place)));
            continue;
        };
        if !accepts(&column.data_type, field.data_type()) {
            let (given, declared) = (sql_type(field.data_type()), sql_type(&column.data_type));
            let what = format!("yields `{}` as {given}", column.name);
            let hint = format!("declared as {declared} at {}", column.place);
            mistakes.push(mistake(&column.name, what, hint));
        }
    }
    for field in plan.schema().fields() {
        if schema.column(field.name()).is_none() {
            let what = format!("yields column `{}`, which `{}` does not declare", field.name(), schema.name);
            let hint = format!("{} has {}", schema.file, schema.column_list());
            mistakes.push(mistake(field.name(), what, hint));
        }
    }
    mistakes
}

/// The column by which rows belong to a customer.
pub const CUSTOMER: &str = "customer_id";
/// The column by which rows belong to a month.
pub const BILLING_PERIOD: &str = "billing_period";

/// Where a query's output cannot be exported: its first column is the customer, another the billing period.
pub fn export_misfits(plan: &LogicalPlan, query: &Query) -> Vec<Mistake> {
    let names: Vec<&str> = plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let mut mistakes = Vec::new();
    let mut mistake = |what: &str| {
        let place = Place { file: query.file.clone(), line: 0, column: 0 };
        let hint = "rows are exported by customer and billing period".into();
        mistakes.push(Mistake { place, what: what.into(), hint });
    };
    if names.first() != Some(&CUSTOMER) {
        mistake("the first column of an export is `customer_id`");
    }
    if !names.contains(&BILLING_PERIOD) {
        mistake("an export has a column `billing_period`");
    }
    if let Some(column) = totals_by(query).filter(|column| !names.contains(&column.as_str())) {
        mistake(&format!("totals are by `{column}`, which is no column"));
    }
    mistakes
}

/// The column by whose values the manifest of an export adds up decimals, where the header says `totals: by COLUMN`: a
/// sum over several currencies says nothing.
pub fn totals_by(query: &Query) -> Option<String> {
    let header = header(&query.text);
    let line = header.iter().find_map(|line| line.trim().strip_prefix("totals:"));
    line.and_then(|line| line.trim().strip_prefix("by ")).map(|column| column.trim().to_string())
}

/// An error of a running query: an overflow or a value a function refuses is the data's, the rest the machine's.
pub fn execution_error(error: &DataFusionError, table: &str) -> Error {
    match failure(error, &format!("`{table}`")) {
        Failure::OfMachine(error) => error,
        Failure::OfData(cause) => Error::data(
            format!("`{table}` cannot be made: {cause}"),
            "what was published before is unchanged",
        ),
    }
}

/// Who can do something about a query that failed while it ran.
pub enum Failure {
    /// Whoever looks after the machine.
    OfMachine(Error),
    /// Whoever wrote the query or the data: this is wrong.
    OfData(String),
}

/// Why a running query failed; `whose` it is is said where memory was too little.
pub fn failure(error: &DataFusionError, whose: &str) -> Failure {
    if let Some(unlike) = Unlike::behind(error) {
        return Failure::OfMachine(unlike.told());
    }
    let kinds: Vec<Kind> = causes(error).filter_map(kind).collect();
    if kinds.contains(&Kind::Memory) {
        return Failure::OfMachine(Error::usage(
            format!("{whose} needs more memory than the engine may use"),
            "let it have more: `memory_mb` under [engine] in meterhouse.toml, or --set engine.memory_mb=8192; \
             one thread needs less than several: --set engine.threads=1",
        ));
    }
    if kinds.contains(&Kind::Machine) {
        let source = error.strip_backtrace().into();
        return Failure::OfMachine(Error::Machine { what: format!("making {whose}"), source });
    }
    let whole = error.find_root().strip_backtrace();
    Failure::OfData(without_layers(whole.lines().next().unwrap_or_default()))
}

/// What a cause of a failure says of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Too little memory was allowed.
    Memory,
    /// A store, a disk or the engine itself has failed.
    Machine,
}

/// An error and what is behind it.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<Kind> {
    let of_engine = |error: &DataFusionError| match error {
        DataFusionError::ResourcesExhausted(_) => Some(Kind::Memory),
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) | DataFusionError::Internal(_) => {
            Some(Kind::Machine)
        }
        _ => None,
    };
    // One failure that several partitions wait for is shared by them.
    if let Some(shared) = cause.downcast_ref::<Arc<DataFusionError>>() {
        return of_engine(shared);
    }
    if let Some(error) = cause.downcast_ref::<DataFusionError>() {
        return of_engine(error);
    }
    let is_machine = cause.is::<std::io::Error>()
        || cause.is::<object_store::Error>()
        || matches!(cause.downcast_ref(), Some(arrow::error::ArrowError::IoError(..)));
    is_machine.then_some(Kind::Machine)
}

/// The rows of a query as they come; what fails on the way is told by [`execution_error`].
pub async fn stream_of(
    context: &SessionContext,
    query: &Query,
    values: impl Into<Values>,
) -> Result<SendableRecordBatchStream> {
    let frame = plan(context, query, values).await?;
    frame.execute_stream().await.map_err(|error| execution_error(&error, &query.name))
}

/// The few rows of a query.
pub async fn rows_of(
    context: &SessionContext,
    query: &Query,
    values: impl Into<Values>,
) -> Result<Vec<RecordBatch>> {
    let frame = plan(context, query, values).await?;
    frame.collect().await.map_err(|error| execution_error(&error, &query.name))
}
