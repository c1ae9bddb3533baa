//! Who may go on: what a query says of every contract and usage type, kept in memory, where an application can ask
//! before each thing that it does.
//!
//! The query says for each row from when to when it is in force, so that an answer is right beyond the end of a cycle
//! too. Nothing is decided here but that a contract may go on where each row in force lets it.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::encode::{Encoder, Format};
use crate::engine::plan::{OfService, execution_error, stream_of};
use crate::error::{Error, Result, While};
use crate::project::Query;

/// The columns that the query yields first; the others are shown as they are, `has_access` among them.
const FIRST: [&str; 5] = ["contract_id", "customer_id", "usage_type", "in_force_from", "in_force_to"];
/// The column that says whether there is a quota to show.
const QUOTA: &str = "quota_id";
/// The column that says whether it may go on.
const HAS_ACCESS: &str = "has_access";

/// By contract, what each of its usage types may.
#[derive(Debug, Default)]
pub(super) struct Access(HashMap<Box<str>, Contract>);

#[derive(Debug)]
struct Contract {
    customer_id: Box<str>,
    rows: Vec<Row>,
}

/// What one item of a contract says of a usage type, for a time.
#[derive(Debug)]
struct Row {
    usage_type: Box<str>,
    /// Microseconds since the epoch, inclusive.
    from: i64,
    /// Exclusive.
    to: i64,
    has_access: bool,
    /// The other columns as JSON; empty where there is no quota.
    shown: Box<[u8]>,
}

/// What is in force at an instant.
pub(super) struct InForce<'a> {
    /// Whose contract it is.
    pub(super) customer_id: &'a str,
    /// Whether it may go on: some row is in force, and each lets it.
    pub(super) has_access: bool,
    /// Whether any row is in force.
    pub(super) is_metered: bool,
    /// The quotas, each as a JSON object.
    pub(super) quotas: Vec<&'a [u8]>,
}

impl Access {
    /// Asks the query, for now and later.
    ///
    /// # Errors
    /// A query that does not plan, fails, or has other columns.
    pub(super) async fn load(context: &SessionContext, query: &Query, as_of: i64) -> Result<Self> {
        let asked = OfService { as_of, ..OfService::default() };
        let mut rows = stream_of(context, query, asked).await?;
        let mut access = Self::default();
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| execution_error(&error, &query.name))?;
            access.add(&batch, query)?;
        }
        Ok(access)
    }

    /// Whether it knows of anything that the contract meters, and what is in force of this usage type at an instant.
    pub(super) fn at(&self, contract: &str, usage_type: &str, now: i64) -> Option<InForce<'_>> {
        let Contract { customer_id, rows } = self.0.get(contract)?;
        let in_force =
            rows.iter().filter(|row| &*row.usage_type == usage_type && row.from <= now && now < row.to);
        let in_force: Vec<&Row> = in_force.collect();
        Some(InForce {
            customer_id,
            has_access: !in_force.is_empty() && in_force.iter().all(|row| row.has_access),
            is_metered: !in_force.is_empty(),
            quotas: in_force.iter().map(|row| &*row.shown).filter(|shown| !shown.is_empty()).collect(),
        })
    }

    fn add(&mut self, batch: &RecordBatch, query: &Query) -> Result<()> {
        let reading = || format!("reading {}", query.file);
        let schema = batch.schema();
        let begins = FIRST.iter().zip(schema.fields()).all(|(name, field)| name == field.name());
        let (Some(quota), Some(has_access), true) =
            (batch.column_by_name(QUOTA), batch.column_by_name(HAS_ACCESS), begins)
        else {
            let what = format!("{} has not the columns that the service reads", query.file);
            return Err(Error::data(what, format!("{} first, then {QUOTA}, {HAS_ACCESS}", FIRST.join(", "))));
        };
        let text = |at: usize| cast(batch.column(at), &DataType::Utf8).during(reading);
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let time = |at: usize| cast(batch.column(at), &micros).during(reading);
        let (contracts, customers, usage_types) = (text(0)?, text(1)?, text(2)?);
        let [contracts, customers, usage_types] =
            [&contracts, &customers, &usage_types].map(|column| column.as_string::<i32>());
        let (from, to) = (time(3)?, time(4)?);
        let from = from.as_primitive::<TimestampMicrosecondType>();
        let to = to.as_primitive::<TimestampMicrosecondType>();
        let has_access = cast(has_access, &DataType::Boolean).during(reading)?;
        let has_access = has_access.as_boolean();
        let shown = batch.project(&(FIRST.len()..batch.num_columns()).collect::<Vec<_>>()).during(reading)?;
        let lines = Encoder::new(Format::Ndjson, &shown.schema())?.rows(&shown)?;
        for (row, line) in lines.split(|byte| *byte == b'\n').take(batch.num_rows()).enumerate() {
            let found = Row {
                usage_type: usage_types.value(row).into(),
                from: if from.is_valid(row) { from.value(row) } else { i64::MIN },
                to: if to.is_valid(row) { to.value(row) } else { i64::MAX },
                has_access: has_access.is_valid(row) && has_access.value(row),
                shown: if quota.is_valid(row) { line.into() } else { Box::default() },
            };
            let contract = || Contract { customer_id: customers.value(row).into(), rows: Vec::new() };
            self.0.entry(contracts.value(row).into()).or_insert_with(contract).rows.push(found);
        }
        Ok(())
    }
}
