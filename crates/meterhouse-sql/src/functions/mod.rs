//! What SQL cannot say, one SQL function a file, and nothing commercial.
//!
//! All functions are immutable: the same arguments give the same result on every machine. A value that cannot be
//! computed exactly is an error, never a wrapped, rounded or missing one.

mod arguments;
mod billing_cycles;
mod burn_down;
mod checked_sum;
mod fields;
mod json_decimal;
mod json_text;
mod landing_of;
mod list_product;
mod local_time;
mod number_text;
mod prorate;
mod round_money;
mod row_hash;
mod scalar;
mod session_steps;

pub use arguments::instant;
pub use landing_of::SEQUENCES;
pub use row_hash::{hash_of_bigint, hash_of_texts};

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

/// Makes all our functions known to a session. `sum` replaces DataFusion's own, which wraps.
pub fn register(context: &SessionContext) {
    for function in aggregates() {
        context.register_udaf(function);
    }
    for function in scalars() {
        context.register_udf(function);
    }
}

/// Our functions of many rows.
pub fn aggregates() -> Vec<AggregateUDF> {
    vec![AggregateUDF::from(checked_sum::CheckedSum::new())]
}

/// Our functions of one row, by name.
pub fn scalars() -> Vec<ScalarUDF> {
    let scalars = [
        &billing_cycles::BILLING_CYCLES,
        &burn_down::BURN_DOWN,
        &fields::FIELD_IS,
        &fields::FIELD_NAMES,
        &fields::FIELD_NUMBER,
        &fields::FIELD_TEXT,
        &fields::FIELD_TROUBLE,
        &fields::FIELDS_JSON,
        &fields::GROUP_KEY,
        &json_decimal::JSON_DECIMAL,
        &json_text::JSON_TEXT,
        &landing_of::LANDING_OF,
        &list_product::LIST_PRODUCT,
        &local_time::LOCAL_DATE,
        &local_time::LOCAL_PERIOD,
        &local_time::LOCAL_TIME,
        &billing_cycles::NEXT_CYCLE_START,
        &number_text::NUMBER_TEXT,
        &prorate::PRORATE,
        &round_money::ROUND_MONEY,
        &prorate::ROUND_RATIO,
        &session_steps::SESSION_STEPS,
        &prorate::TRY_PRORATE,
        &prorate::TRY_ROUND_RATIO,
    ];
    let mut functions: Vec<ScalarUDF> = scalars.map(scalar::Scalar::function).into();
    functions.push(ScalarUDF::from(row_hash::RowHash::new()));
    functions.sort_by(|one, other| one.name().cmp(other.name()));
    functions
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// A session with our functions, decimal literals and UTC, as the warehouse has it.
    pub(crate) fn session() -> SessionContext {
        let config = SessionConfig::new()
            .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
            .set_str("datafusion.execution.time_zone", "UTC");
        let context = SessionContext::new_with_config(config);
        super::register(&context);
        context
    }

    /// The rows of a query, each as its values separated by a blank; or the error.
    pub(crate) fn rows(sql: &str) -> Result<Vec<String>, String> {
        rows_in(&session(), sql)
    }

    /// [`rows`] in a session of one's own.
    pub(crate) fn rows_in(context: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let batches = runtime
            .block_on(async { context.sql(sql).await?.collect().await })
            .map_err(|error| error.strip_backtrace())?;
        let options = FormatOptions::default().with_null("null");
        let mut rows = Vec::new();
        for batch in batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                rows.push(
                    columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" "),
                );
            }
        }
        Ok(rows)
    }

    /// The one value of a query without tables, such as `1 + 1`; or the error.
    pub(crate) fn value(expression: &str) -> Result<String, String> {
        rows(&format!("select {expression}")).map(|rows| rows.join("\n"))
    }
}
