//! The rows of an export query for one billing period, customer after customer, streamed.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Column;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::engine::plan::{BILLING_PERIOD, CUSTOMER, execution_error, plan, totals_by};
use crate::error::{Error, Result, While};
use crate::project::Query;

/// Customers next to each other in their order.
#[derive(Debug, Clone, Default)]
pub struct Customers {
    /// The first; none: from the beginning.
    pub from: Option<String>,
    /// The first that comes after them; none: to the end.
    pub to: Option<String>,
}

impl Customers {
    /// All customers, in parts of about so many records by what `known` ones have; one with more is a part by itself.
    pub fn in_parts(known: &BTreeMap<String, u64>, records_in_part: usize) -> Vec<Self> {
        let mut parts = vec![Self::default()];
        let mut records = 0;
        for (customer, of_customer) in known {
            // A customer without records has lines and quotas still.
            let of_customer = of_customer + 1;
            if records > 0 && records + of_customer > records_in_part as u64 {
                if let Some(last) = parts.last_mut() {
                    last.to = Some(customer.clone());
                }
                parts.push(Self { from: Some(customer.clone()), to: None });
                records = 0;
            }
            records += of_customer;
        }
        parts
    }
}

/// Whose rows of a period are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// This customer's; none: all customers'.
    pub customer: Option<&'a str>,
    /// But not those of these.
    pub without: &'a BTreeSet<String>,
}

/// The rows of one query for one billing period, in the order of its columns from the left.
///
/// # Errors
/// A query that does not plan, or whose columns cannot be sorted.
pub async fn rows(
    context: &SessionContext,
    query: &Query,
    period: &str,
    whose: Whose<'_>,
    as_of: i64,
) -> Result<SendableRecordBatchStream> {
    let is = whose.customer.map(|is| customer().eq(lit(is)));
    let others = whose.without.iter().map(|other| lit(other.as_str())).collect::<Vec<_>>();
    let is_other = (!others.is_empty()).then(|| customer().in_list(others, true));
    Ok(in_order(context, query, period, is.into_iter().chain(is_other).collect(), as_of).await?.1)
}

/// The column of the customer, which every export has.
fn customer() -> Expr {
    Expr::Column(Column::from_name(CUSTOMER))
}

/// The columns of a query, and its rows of a billing period that pass all these conditions.
async fn in_order(
    context: &SessionContext,
    query: &Query,
    period: &str,
    holds: Vec<Expr>,
    as_of: i64,
) -> Result<(SchemaRef, SendableRecordBatchStream)> {
    let failed = |error: datafusion::error::DataFusionError| execution_error(&error, &query.name);
    let frame = plan(context, query, as_of).await?;
    let schema = SchemaRef::new(frame.schema().as_arrow().clone());
    let column = |name: &str| Expr::Column(Column::from_name(name));
    let order = schema.fields().iter().map(|field| column(field.name()).sort(true, true)).collect();
    let mut frame = frame.filter(column(BILLING_PERIOD).eq(lit(period))).map_err(failed)?;
    for holds in holds {
        frame = frame.filter(holds).map_err(failed)?;
    }
    let rows = frame.sort(order).map_err(failed)?.execute_stream().await.map_err(failed)?;
    Ok((schema, rows))
}

/// The rows of one query, in the order of its columns from the left, so that the same rows are always in one order.
///
/// No more than a batch is held; the sort spills to disk.
pub struct Sorted<'a> {
    query: &'a Query,
    schema: SchemaRef,
    rows: SendableRecordBatchStream,
    /// The batch at hand, its customers, and the first row that was not given out.
    batch: Option<(RecordBatch, StringArray, usize)>,
}

impl<'a> Sorted<'a> {
    /// Starts the query.
    ///
    /// # Errors
    /// A query that does not plan, or whose columns cannot be sorted.
    pub async fn start(
        context: &SessionContext,
        query: &'a Query,
        period: &str,
        customers: &Customers,
        as_of: i64,
    ) -> Result<Self> {
        let from = customers.from.as_ref().map(|from| customer().gt_eq(lit(from.as_str())));
        let to = customers.to.as_ref().map(|to| customer().lt(lit(to.as_str())));
        let holds = from.into_iter().chain(to).collect();
        let (schema, rows) = in_order(context, query, period, holds, as_of).await?;
        Ok(Self { query, schema, rows, batch: None })
    }

    /// The query's name, which its files bear.
    pub fn name(&self) -> &'a str {
        &self.query.name
    }

    /// The column by whose values its rows are added up.
    pub fn totals_by(&self) -> Option<String> {
        totals_by(self.query)
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The customer of the next row; none at the end.
    pub async fn customer(&mut self) -> Result<Option<&str>> {
        while self.batch.as_ref().is_none_or(|(batch, _, from)| *from == batch.num_rows()) {
            let Some(batch) = self.rows.next().await else { return Ok(None) };
            let batch = batch.map_err(|error| execution_error(&error, &self.query.name))?;
            let customers = cast(batch.column(0), &DataType::Utf8)
                .during(|| format!("reading the customers of {}", self.query.name))?;
            let customers = customers.as_string::<i32>().clone();
            if customers.null_count() > 0 {
                let what = format!("`{}` has a row without customer", self.query.name);
                return Err(Error::data(what, format!("see {}", self.query.file)));
            }
            self.batch = Some((batch, customers, 0));
        }
        Ok(self.batch.as_ref().map(|(_, customers, from)| customers.value(*from)))
    }

    /// The next rows of this customer, as many as are at hand; none if the next row is another's.
    pub async fn of(&mut self, customer: &str) -> Result<Option<RecordBatch>> {
        if self.customer().await? != Some(customer) {
            return Ok(None);
        }
        let Some((batch, customers, from)) = &mut self.batch else { return Ok(None) };
        let first = *from;
        *from = (first..batch.num_rows())
            .find(|row| customers.value(*row) != customer)
            .unwrap_or(batch.num_rows());
        Ok(Some(batch.slice(first, *from - first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_customer_once_and_few_records() {
        let known: BTreeMap<String, u64> =
            (0..10).map(|number| (format!("c{number}"), number * number)).collect();
        for records in 1..120 {
            let parts = Customers::in_parts(&known, records);
            let holds = |part: &Customers, customer: &str| {
                part.from.as_deref().is_none_or(|from| customer >= from)
                    && part.to.as_deref().is_none_or(|to| customer < to)
            };
            for customer in known.keys().map(String::as_str).chain(["", "c55", "z"]) {
                let parts_with = parts.iter().filter(|part| holds(part, customer)).count();
                assert_eq!(parts_with, 1, "{customer} in {parts:?}");
            }
            for part in &parts {
                let held: Vec<u64> = known
                    .iter()
                    .filter(|(customer, _)| holds(part, customer))
                    .map(|(_, count)| count + 1)
                    .collect();
                assert!(
                    held.len() == 1 || held.iter().sum::<u64>() <= records as u64,
                    "{held:?} of {records}"
                );
            }
        }
        assert_eq!(Customers::in_parts(&BTreeMap::new(), 3).len(), 1);
    }
}
