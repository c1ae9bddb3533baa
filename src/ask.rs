//! One query of whoever asks: read-only, planned, and its rows written.

use std::io::Write;

use datafusion::common::ScalarValue;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;

use crate::error::{Error, Result};
use crate::output::{self, Format};
use crate::plan;

/// Writes the rows of a query, in which `$as_of` may stand, and returns how many they are.
///
/// # Errors
/// SQL that does not plan, anything but a query, a query that fails on the data.
pub async fn ask(
    context: &SessionContext,
    text: &str,
    as_of: i64,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<usize> {
    // Reading is all that a session from outside may do.
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let failed = |error: datafusion::error::DataFusionError| {
        let mut mistake = plan::planning_mistake(&error, "query");
        if mistake.what.contains(" not supported: ") {
            mistake.what = format!("`meterhouse sql` only reads ({})", mistake.what);
            mistake.hint = "prices and contracts change in data/, rules in queries/".into();
        }
        Error::Project(vec![mistake])
    };
    let frame = context.sql_with_options(text, options).await.map_err(failed)?;
    let instant = ScalarValue::TimestampMicrosecond(Some(as_of), Some("UTC".into()));
    let frame = if text.contains("$as_of") {
        frame.with_param_values(vec![("as_of", instant)]).map_err(failed)?
    } else {
        frame
    };
    let schema = frame.schema().as_arrow().clone();
    let rows = frame.collect().await.map_err(|error| plan::execution_error(&error, "query"))?;
    output::write(out, &schema, &rows, format)?;
    Ok(rows.iter().map(|batch| batch.num_rows()).sum())
}
