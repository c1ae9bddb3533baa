//! The rows of an export query for one billing period, customer after customer, streamed.

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Column;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::error::{Error, Result, While};
use crate::plan::{BILLING_PERIOD, execution_error, plan, totals_by};
use crate::project::Query;

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
    pub async fn start(context: &SessionContext, query: &'a Query, period: &str, as_of: i64) -> Result<Self> {
        let failed = |error: datafusion::error::DataFusionError| execution_error(&error, &query.name);
        let frame = plan(context, query, as_of).await.map_err(|mistake| Error::Project(vec![mistake]))?;
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        let column = |name: &str| Expr::Column(Column::from_name(name));
        let order = schema.fields().iter().map(|field| column(field.name()).sort(true, true)).collect();
        let frame = frame.filter(column(BILLING_PERIOD).eq(lit(period))).map_err(failed)?;
        let frame = frame.sort(order).map_err(failed)?;
        let rows = frame.execute_stream().await.map_err(failed)?;
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

    /// The next rows of this customer, as many as are at hand; none where the next row is another's.
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
