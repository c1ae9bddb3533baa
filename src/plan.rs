//! Planning a query, and what is wrong with it in the words of the person who wrote it.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::error::{Error, Mistake, Place, Result};
use crate::project::Query;
use crate::schema::{TableSchema, accepts, header, sql_type};

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
    let mistake = |error: DataFusionError| planning_mistake(&error, &query.file);
    let values = values.bound(query)?;
    let state = context.state();
    let plan = state.statement_to_plan(query.statement()).await.map_err(mistake)?;
    let plan = if values.is_empty() { plan } else { plan.with_param_values(values).map_err(mistake)? };
    Ok(DataFrame::new(state, plan))
}

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
    for prefix in ["Error during planning: ", "Schema error: ", "type_coercion\ncaused by\n"] {
        what = what.trim_start_matches(prefix).to_string();
    }
    Mistake { place, what, hint }
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
    let text = error.strip_backtrace();
    let of_machine = ["Object Store error", "IO error", "Resources exhausted", "Internal error"];
    if of_machine.iter().any(|machine| text.contains(machine)) {
        return Error::Machine { what: format!("making {table}"), source: text.into() };
    }
    let text = text.lines().next().unwrap_or_default().trim_start_matches("Execution error: ");
    Error::data(format!("`{table}` cannot be made: {text}"), "what was published before is unchanged")
}
