//! What began to hold and what ended, since the events that are there.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{LogicalPlan, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Happened;
use crate::encode::{Encoder, Format};
use crate::engine::plan::{CUSTOMER, execution_error};
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::{EVENT, Query};

/// The column that says which condition of its kind a row is.
pub const KEY: &str = "event_key";
/// How it is written.
const HINT: &str = "a list of texts, such as make_array(customer_id, billing_period) as event_key";
/// What stands in a key as it is. A full stop does not: it divides what webhooks sign.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// Something that holds, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The name of the query that knows it.
    pub kind: String,
    /// Which one of its kind.
    pub key: String,
    /// Whom it is about; none: all, or nobody.
    pub customer_id: Option<String>,
    /// What is said of it, as a JSON object.
    pub data: String,
}

/// What is wrong with the columns of an event query.
pub fn misfit(plan: &LogicalPlan, query: &Query) -> Option<Mistake> {
    let key = plan.schema().fields().iter().find(|field| field.name() == KEY);
    let is_texts = |field: &&FieldRef| match field.data_type() {
        DataType::List(part) => matches!(part.data_type(), DataType::Utf8 | DataType::Utf8View),
        _ => false,
    };
    key.filter(is_texts).is_none().then(|| Mistake {
        place: Place { file: query.file.clone(), line: 0, column: 0 },
        what: format!("an event query says in `{KEY}` which one of its kind a row is"),
        hint: HINT.into(),
    })
}

/// Compares the conditions of a kind that hold with the events in the session's table `event`: what ended, then what
/// began to hold, each by key.
///
/// # Errors
/// Two rows with one key, or one without a key.
pub async fn since(context: &SessionContext, kind: &str, holding: DataFrame) -> Result<Vec<Happened>> {
    let failed = |error| execution_error(&error, kind);
    let mut known = last_ordinals(context, kind).await?;
    let mut began: Vec<Happened> = Vec::new();
    let mut rows = holding.execute_stream().await.map_err(failed)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(failed)?;
        let keys = keys(&batch, kind)?;
        let mut new: Vec<(u32, i64)> = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            let (last, is_holding) = known.entry(key.clone()).or_default();
            if std::mem::replace(is_holding, true) {
                let what = format!("event `{kind}`: two rows have the key {key}");
                return Err(Error::data(
                    what,
                    "one condition is one row: add to event_key what tells them apart",
                ));
            }
            if *last % 2 == 0 {
                new.push((row as u32, *last + 1));
            }
        }
        let conditions = conditions(&batch, kind, &keys, new.iter().map(|(row, _)| *row))?;
        let new = conditions.into_iter().zip(new);
        began.extend(new.map(|(condition, (_, ordinal))| Happened { condition, ordinal }));
    }
    let ended = known.into_iter().filter(|(_, (last, is_holding))| last % 2 == 1 && !is_holding);
    let ended: HashMap<String, i64> = ended.map(|(key, (last, _))| (key, last)).collect();
    let mut happened = as_they_were(context, kind, &ended).await?;
    happened.sort_by(|one, other| one.condition.key.cmp(&other.condition.key));
    began.sort_by(|one, other| one.condition.key.cmp(&other.condition.key));
    happened.extend(began);
    Ok(happened)
}

/// The last ordinal of each condition of a kind, and that it is not known to hold yet.
async fn last_ordinals(context: &SessionContext, kind: &str) -> Result<HashMap<String, (i64, bool)>> {
    let failed = |error| execution_error(&error, EVENT);
    let frame = context.table(EVENT).await.map_err(failed)?;
    let frame = frame.filter(col("kind").eq(lit(kind))).map_err(failed)?;
    let last = max(col("ordinal")).alias("last");
    let frame = frame.aggregate(vec![col(KEY)], vec![last]).map_err(failed)?;
    let mut known = HashMap::new();
    for batch in frame.collect().await.map_err(failed)? {
        let keys = texts(batch.column(0))?;
        let last = batch.column(1).as_primitive::<Int64Type>();
        known
            .extend(keys.iter().zip(last).filter_map(|(key, last)| Some((key?.to_string(), (last?, false)))));
    }
    Ok(known)
}

/// The end of conditions, with what was said when they last began to hold.
async fn as_they_were(
    context: &SessionContext,
    kind: &str,
    ended: &HashMap<String, i64>,
) -> Result<Vec<Happened>> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error| execution_error(&error, EVENT);
    let frame = context.table(EVENT).await.map_err(failed)?;
    let frame = frame.filter(col("kind").eq(lit(kind)).and(col("has_ended").is_false())).map_err(failed)?;
    let frame = frame.select_columns(&[KEY, "ordinal", CUSTOMER, "data"]).map_err(failed)?;
    let mut happened = Vec::new();
    for batch in frame.collect().await.map_err(failed)? {
        let (keys, customers, data) =
            (texts(batch.column(0))?, texts(batch.column(2))?, texts(batch.column(3))?);
        let ordinals = batch.column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            if ended.get(keys.value(row)) != Some(&ordinals.value(row)) {
                continue;
            }
            let condition = Condition {
                kind: kind.into(),
                key: keys.value(row).into(),
                customer_id: customers.is_valid(row).then(|| customers.value(row).into()),
                data: data.value(row).into(),
            };
            happened.push(Happened { condition, ordinal: ordinals.value(row) + 1 });
        }
    }
    Ok(happened)
}

/// The key of each row: the parts of its list, as they stand in a path.
fn keys(batch: &RecordBatch, kind: &str) -> Result<Vec<String>> {
    let reading = || format!("reading the keys of event `{kind}`");
    let column = batch.column_by_name(KEY).ok_or_else(|| lacks_key(kind))?;
    let list = DataType::List(Field::new_list_field(DataType::Utf8, true).into());
    let lists = cast(column, &list).during(reading)?;
    let lists: &ListArray = lists.as_list();
    let mut keys = Vec::new();
    for row in 0..lists.len() {
        if lists.is_null(row) || lists.value_length(row) == 0 {
            return Err(lacks_key(kind));
        }
        let parts = lists.value(row);
        let parts = parts.as_string::<i32>().iter();
        let parts = parts.map(|part| utf8_percent_encode(part.unwrap_or_default(), KEPT).to_string());
        keys.push(parts.collect::<Vec<_>>().join("/"));
    }
    Ok(keys)
}

fn lacks_key(kind: &str) -> Error {
    Error::data(format!("event `{kind}`: a row has no key"), HINT)
}

/// What is said of some rows of a batch.
fn conditions(
    batch: &RecordBatch,
    kind: &str,
    keys: &[String],
    rows: impl Iterator<Item = u32>,
) -> Result<Vec<Condition>> {
    let writing = || format!("writing event `{kind}`");
    let rows: Vec<u32> = rows.collect();
    let taken = take_record_batch(batch, &UInt32Array::from(rows.clone())).during(writing)?;
    let customers = taken.column_by_name(CUSTOMER).map(texts).transpose()?;
    let fields = taken.schema();
    let said = fields.fields().iter().enumerate().filter(|(_, field)| field.name() != KEY);
    let said = taken.project(&said.map(|(index, _)| index).collect::<Vec<_>>()).during(writing)?;
    let lines = Encoder::new(Format::Ndjson, &said.schema())?.rows(&said)?;
    let lines = String::from_utf8(lines).during(writing)?;
    let conditions = rows.iter().zip(lines.lines()).enumerate().map(|(number, (row, line))| Condition {
        kind: kind.into(),
        key: keys[*row as usize].clone(),
        customer_id: customers
            .as_ref()
            .filter(|customers| customers.is_valid(number))
            .map(|customers| customers.value(number).into()),
        data: line.into(),
    });
    Ok(conditions.collect())
}

fn texts(column: &ArrayRef) -> Result<StringArray> {
    let texts = cast(column, &DataType::Utf8).during(|| "reading events".into())?;
    Ok(texts.as_string::<i32>().clone())
}
