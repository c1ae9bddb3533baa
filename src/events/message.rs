//! How an event is told: as a CloudEvent, one JSON document.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::plan::execution_error;
use crate::error::{Result, While};
use crate::project::EVENT;

/// What the type of each event begins with.
const TYPE: &str = "meterhouse";
/// Where events come from.
const SOURCE: &str = "/meterhouse";

/// An event, as those are told who want to be (CloudEvents 1.0, structured mode).
#[derive(Debug, Serialize)]
pub struct Message {
    specversion: &'static str,
    /// Another one for each event.
    pub id: String,
    source: &'static str,
    /// `meterhouse.<kind>`, with `.ended` where the condition ended.
    pub r#type: String,
    /// Which condition of its kind.
    subject: String,
    /// The as-of of the run, or when it was looked at.
    time: String,
    datacontenttype: &'static str,
    /// Its place among all events: what comes later has a higher one.
    sequence: String,
    data: Box<RawValue>,
    /// The same as a number.
    #[serde(skip)]
    pub number: i64,
    /// What knows the condition.
    #[serde(skip)]
    pub kind: String,
    /// Whom it is about; none: all, or nobody.
    #[serde(skip)]
    pub customer_id: Option<String>,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those behind this number.
    pub after: i64,
    /// Of these kinds; none: of all.
    pub kinds: Vec<String>,
    /// About these customers; none: about all, and about nobody.
    pub customers: Option<Vec<String>>,
    /// So many at most; 0: all.
    pub most: usize,
}

/// The rows of the session's table of events that are wanted, in their order.
pub async fn rows(context: &SessionContext, wanted: &Wanted) -> Result<DataFrame> {
    let failed = |error| execution_error(&error, EVENT);
    let mut frame = context.table(EVENT).await.map_err(failed)?;
    frame = frame.filter(col("event_number").gt(lit(wanted.after))).map_err(failed)?;
    let among = |column: &str, values: &[String]| -> Expr {
        col(column).in_list(values.iter().map(|value| lit(value.as_str())).collect(), false)
    };
    if !wanted.kinds.is_empty() {
        frame = frame.filter(among("kind", &wanted.kinds)).map_err(failed)?;
    }
    if let Some(customers) = &wanted.customers {
        frame = frame.filter(among("customer_id", customers)).map_err(failed)?;
    }
    let frame = frame.sort(vec![col("event_number").sort(true, false)]).map_err(failed)?;
    if wanted.most == 0 { Ok(frame) } else { frame.limit(0, Some(wanted.most)).map_err(failed) }
}

/// The same as they are told.
pub async fn messages(context: &SessionContext, wanted: &Wanted) -> Result<Vec<Message>> {
    let failed = |error| execution_error(&error, EVENT);
    let columns = [
        "event_number",
        "event_id",
        "kind",
        "event_key",
        "has_ended",
        "customer_id",
        "happened_as_of",
        "data",
    ];
    let frame = rows(context, wanted).await?.select_columns(&columns).map_err(failed)?;
    let mut messages = Vec::new();
    for batch in frame.collect().await.map_err(failed)? {
        of_batch(&batch, &mut messages)?;
    }
    Ok(messages)
}

fn of_batch(batch: &RecordBatch, messages: &mut Vec<Message>) -> Result<()> {
    let reading = || "reading events".to_string();
    let text = |index: usize| {
        Ok(cast(batch.column(index), &DataType::Utf8).during(reading)?.as_string::<i32>().clone())
    };
    let numbers = batch.column(0).as_primitive::<Int64Type>();
    let (ids, kinds, keys) = (text(1)?, text(2)?, text(3)?);
    let ended = batch.column(4).as_boolean();
    let customers = text(5)?;
    let times = cast(batch.column(6), &DataType::Timestamp(TimeUnit::Microsecond, None)).during(reading)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let data = text(7)?;
    for row in 0..batch.num_rows() {
        let end = if ended.value(row) { ".ended" } else { "" };
        let time = jiff::Timestamp::from_microsecond(times.value(row)).during(reading)?;
        messages.push(Message {
            specversion: "1.0",
            id: ids.value(row).into(),
            source: SOURCE,
            r#type: format!("{TYPE}.{}{end}", kinds.value(row)),
            subject: keys.value(row).into(),
            time: time.to_string(),
            datacontenttype: "application/json",
            sequence: format!("{:020}", numbers.value(row)),
            data: RawValue::from_string(data.value(row).into()).during(reading)?,
            number: numbers.value(row),
            kind: kinds.value(row).into(),
            customer_id: customers.is_valid(row).then(|| customers.value(row).into()),
        });
    }
    Ok(())
}
