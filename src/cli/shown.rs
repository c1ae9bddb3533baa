//! What commands show: the rows of queries under their titles, and whom a check holds back.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;

use super::stderr;
use crate::encode;
use crate::error::{Error, Result};
use crate::project::Query;

/// Nothing if nobody is parked; else whose files are missing, and why.
pub(super) fn held_back(parked: &[(String, String)]) -> Result<()> {
    if parked.is_empty() {
        return Ok(());
    }
    let customers: std::collections::BTreeSet<&str> =
        parked.iter().map(|(customer, _)| customer.as_str()).collect();
    let rows = parked.iter().map(|(customer, check)| format!("\n  {customer}, by check `{check}`"));
    let what = format!(
        "{} parked and not exported{}",
        if customers.len() == 1 {
            "1 customer is".into()
        } else {
            format!("{} customers are", customers.len())
        },
        rows.collect::<String>()
    );
    Err(Error::data(what, "mend what the checks show, run, and export again; the others are exported"))
}

/// Says, also to who asked for quiet, that a customer's lines are not fit to be invoiced.
pub(super) fn warn_parked(customer: &str, check: &str) {
    stderr::line(&format!(
        "warning: customer {customer} is parked: do not invoice its lines, check `{check}` did not hold\n\
         hint: queries/checks/{check}.sql says what has to be mended"
    ));
}

/// Shows what waits, and what comes of it, where a period closes without it.
pub(super) fn warn_waiting(shown: &[RecordBatch]) {
    // A table that cannot be drawn is no reason not to close.
    if let Ok(text) = encode::plain(shown)
        && !text.is_empty()
    {
        stderr::line(&text);
    }
    stderr::line(
        "hint: what finds its place later makes corrections; data/close_limit.csv says how much may wait",
    );
}

/// Queries by the number in their file's name.
pub(super) fn in_reading_order(queries: &BTreeMap<String, Query>) -> Vec<&Query> {
    let mut queries: Vec<&Query> = queries.values().collect();
    queries.sort_by_key(|query| Path::new(&query.file).file_name());
    queries
}

/// What a query shows, by the first line of its comment.
pub(super) fn title(query: &Query) -> &str {
    let title = crate::project::schema::header(&query.text);
    title.first().and_then(|line| line.split_once(": ")).map_or("", |(_, title)| title)
}
