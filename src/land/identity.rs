//! Which landed records an id means: what people name when they decide about usage, or ask where it went.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::decision::{Decision, Identity, RESTORE, USAGE_START, WRITE_OFF};
use crate::error::{Error, Result, While};
use crate::project::{ANNULLED_USAGE, SUSPENSE, USAGE_DECISION, USAGE_RECORD};

/// Which of the records with an id are meant.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those of this source.
    pub source: Option<String>,
    /// The one of this time, in microseconds since the epoch.
    pub usage_start: Option<i64>,
    /// All, where several are told apart by their time.
    pub all: bool,
}

/// The records of one id, by source and `usage_start`.
type Records = BTreeMap<String, BTreeMap<i64, Found>>;

/// Records of one source, id and time.
#[derive(Debug, Clone, Default)]
struct Found {
    usage_type: String,
    last_landing_sequence: i64,
}

/// What a command that names records asks for.
#[derive(Debug, Default)]
pub struct Asked {
    /// The records.
    pub identities: Vec<Identity>,
    /// The ids whose last decision was this one, so that there is nothing to decide.
    pub again: BTreeSet<String>,
}

/// The landed identities of transaction ids; all that is wrong with the ids is told at once. An id that is not in
/// `table` because the same was decided about it before is not a mistake.
///
/// # Errors
/// An id that no record has, that several sources have while none is named, or several records while none is told.
pub async fn identities(
    context: &SessionContext,
    table: &str,
    transaction_ids: &[String],
    which: &Which,
) -> Result<Asked> {
    let decided = decided(context, transaction_ids).await?;
    let landed = records(context, USAGE_RECORD, transaction_ids).await?;
    let found =
        if table == USAGE_RECORD { landed.clone() } else { records(context, table, transaction_ids).await? };
    let is_restored = table == ANNULLED_USAGE;
    let listed = if is_restored { listed(context, transaction_ids).await? } else { BTreeSet::new() };
    let mut wrong = Vec::new();
    let mut asked = Asked::default();
    let mut hint = hint(table);
    for id in transaction_ids.iter().collect::<BTreeSet<_>>() {
        let mut sources = found.get(id).cloned().unwrap_or_default();
        if let Some(source) = &which.source {
            sources.retain(|found, _| found == source);
        }
        let made = if is_restored { RESTORE } else { WRITE_OFF };
        let was_made = || {
            let mut of_id =
                decided.iter().filter(|row| row.is_of(id, which.source.as_deref(), which.usage_start));
            of_id.next_back().is_some_and(|last| last.word == made)
        };
        if sources.is_empty() && table != USAGE_RECORD && was_made() {
            asked.again.insert(id.clone());
            continue;
        }
        if sources.is_empty() && is_restored && landed.contains_key(id) {
            wrong.push(format!("{id} is neither void nor written off"));
            hint = "meterhouse sql \"select transaction_id, decision, reason from usage_decision\" shows what was decided";
            continue;
        }
        if sources.is_empty() {
            let table = if is_restored { USAGE_RECORD } else { table };
            wrong.push(format!("no record of `{table}` has the transaction_id {id}"));
            continue;
        }
        if listed.contains(id) {
            wrong.push(format!("{id} is void since a list says so"));
            hint = "take it off data/usage_void.csv: then it counts again";
            continue;
        }
        if sources.len() > 1 {
            wrong.push(ambiguous(id, &sources.into_keys().collect()));
            continue;
        }
        let Some((source, mut starts)) = sources.pop_first() else { continue };
        let of_source = landed.get(id).and_then(|of_id| of_id.get(&source));
        let others = describe(&starts)?;
        if let Some(start) = which.usage_start {
            starts.retain(|found, _| *found == start);
        }
        if starts.is_empty() {
            wrong.push(format!("{id} has no record of that --usage-start, but\n{others}"));
        } else if starts.len() > 1 && !which.all {
            wrong.push(format!("{id} is the id of {} records\n{others}", starts.len()));
            hint = "say which by --usage-start TIME, or take --all";
        } else {
            // Where a time tells nothing, a decision does not depend on it.
            let is_alone = of_source.is_none_or(|all| all.len() <= 1);
            asked.identities.extend(starts.into_iter().map(|(start, found)| {
                let landed = of_source.and_then(|all| all.get(&start)).unwrap_or(&found);
                Identity {
                    source: source.clone(),
                    transaction_id: id.clone(),
                    usage_start: (!is_alone).then_some(start),
                    last_landing_sequence: landed.last_landing_sequence,
                }
            }));
        }
    }
    if wrong.is_empty() { Ok(asked) } else { Err(Error::usage(wrong.join("\n"), hint)) }
}

/// Whether any landed record has a transaction id, also of that source alone.
pub async fn is_known(context: &SessionContext, transaction_id: &str, source: Option<&str>) -> Result<bool> {
    let found = records(context, USAGE_RECORD, &[transaction_id.to_string()]).await?;
    let sources = found.get(transaction_id);
    Ok(sources.is_some_and(|sources| source.is_none_or(|source| sources.contains_key(source))))
}

/// Takes out of decisions on records those that were made before, and count still; returns their ids.
///
/// A record that landed since under the same id is another one, about which nothing was decided.
pub async fn take_out_made(
    context: &SessionContext,
    decisions: &mut Vec<Decision>,
) -> Result<BTreeSet<String>> {
    let ids: Vec<String> =
        decisions.iter().filter_map(Decision::identity).map(|id| id.transaction_id.clone()).collect();
    let decided = decided(context, &ids).await?;
    let mut made = BTreeSet::new();
    decisions.retain(|decision| {
        let Some(identity) = decision.identity() else { return true };
        let Identity { source, transaction_id, usage_start, last_landing_sequence } = identity;
        let mut of_record =
            decided.iter().filter(|row| row.is_of(transaction_id, Some(source), *usage_start));
        let is_made = of_record.next_back().is_some_and(|last| {
            last.word == decision.word()
                && last.replaced_by.as_deref() == decision.replaced_by()
                && last.last_landing_sequence.is_none_or(|last| last >= *last_landing_sequence)
        });
        if is_made {
            made.insert(transaction_id.clone());
        }
        !is_made
    });
    Ok(made)
}

/// A decision on a record, as it was written.
#[derive(Debug)]
struct Decided {
    word: String,
    source: String,
    transaction_id: String,
    usage_start: Option<i64>,
    last_landing_sequence: Option<i64>,
    replaced_by: Option<String>,
}

impl Decided {
    /// Whether it is on a record; what is not known of either tells nothing apart.
    fn is_of(&self, transaction_id: &str, source: Option<&str>, usage_start: Option<i64>) -> bool {
        self.transaction_id == transaction_id
            && source.is_none_or(|source| source == self.source)
            && self.usage_start.zip(usage_start).is_none_or(|(one, other)| one == other)
    }
}

/// What was decided of records that have one of some ids, oldest first.
async fn decided(context: &SessionContext, transaction_ids: &[String]) -> Result<Vec<Decided>> {
    let working = || format!("looking up records in {USAGE_DECISION}");
    let frame = of_ids(context, USAGE_DECISION, transaction_ids).await?;
    let columns =
        ["decision", "source", "transaction_id", "replaced_by", USAGE_START, "last_landing_sequence"];
    let frame = frame
        .sort(vec![col("decision_number").sort(true, false)])
        .and_then(|frame| frame.select_columns(&columns))
        .during(working)?;
    let mut decided = Vec::new();
    for batch in frame.collect().await.during(working)? {
        let text =
            |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8).during(working);
        let texts = [text(0)?, text(1)?, text(2)?, text(3)?];
        let starts = instants(batch.column(4)).during(working)?;
        let last = batch.column(5).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let value = |column: usize| {
                let column = texts[column].as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_string())
            };
            decided.push(Decided {
                word: value(0).unwrap_or_default(),
                source: value(1).unwrap_or_default(),
                transaction_id: value(2).unwrap_or_default(),
                replaced_by: value(3),
                usage_start: starts.is_valid(row).then(|| starts.value(row)),
                last_landing_sequence: last.is_valid(row).then(|| last.value(row)),
            });
        }
    }
    Ok(decided)
}

/// Refuses a record that is said to amend others and is not there, or is the one it amends.
pub async fn check_replacement(context: &SessionContext, id: &str, amended: &[Identity]) -> Result<()> {
    if records(context, USAGE_RECORD, &[id.to_string()]).await?.is_empty() {
        let what = format!("no record of `{USAGE_RECORD}` has the transaction_id {id}, which is to amend it");
        return Err(Error::usage(what, "land it first: meterhouse land FILE"));
    }
    if amended.iter().any(|amended| amended.transaction_id == id && amended.usage_start.is_none()) {
        return Err(Error::usage(format!("{id} cannot amend itself"), "name the record that is right"));
    }
    Ok(())
}

/// A line for each record of an id.
fn describe(records: &BTreeMap<i64, Found>) -> Result<String> {
    let lines = records.iter().map(|(start, found)| {
        let start = jiff::Timestamp::from_microsecond(*start).during(|| "writing a time".into())?;
        Ok(format!("  {start}  {}", found.usage_type))
    });
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
}

/// The records that have one of some ids, by id.
async fn records(
    context: &SessionContext,
    table: &str,
    transaction_ids: &[String],
) -> Result<BTreeMap<String, Records>> {
    let working = || format!("looking up records in {table}");
    let frame = of_ids(context, table, transaction_ids).await?;
    let columns = ["source", "transaction_id", "usage_type", "usage_start", "landing_sequence"];
    let frame = frame.select_columns(&columns).during(working)?;
    let mut found: BTreeMap<String, Records> = BTreeMap::new();
    for batch in frame.collect().await.during(working)? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (sources, ids) = (text(0).during(working)?, text(1).during(working)?);
        let types = text(2).during(working)?;
        let starts = instants(batch.column(3)).during(working)?;
        let sequences = batch.column(4).as_primitive::<Int64Type>();
        let texts = sources.as_string::<i32>().iter().zip(ids.as_string::<i32>());
        let records = texts.zip(types.as_string::<i32>()).zip(&starts).zip(sequences);
        for ((((source, id), usage_type), start), sequence) in records {
            let (Some(source), Some(id)) = (source, id) else { continue };
            let of_source = found.entry(id.into()).or_default().entry(source.into()).or_default();
            let at = of_source.entry(start.unwrap_or_default()).or_default();
            at.usage_type = usage_type.unwrap_or_default().into();
            at.last_landing_sequence = at.last_landing_sequence.max(sequence.unwrap_or_default());
        }
    }
    Ok(found)
}

async fn of_ids(context: &SessionContext, table: &str, transaction_ids: &[String]) -> Result<DataFrame> {
    let working = || format!("looking up records in {table}");
    let wanted = transaction_ids.iter().map(|id| lit(id.as_str())).collect();
    let frame = context.table(table).await.during(working)?;
    frame.filter(col("transaction_id").in_list(wanted, false)).during(working)
}

fn instants(column: &ArrayRef) -> std::result::Result<TimestampMicrosecondArray, ArrowError> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
    Ok(arrow::compute::cast(column, &instant)?.as_primitive::<TimestampMicrosecondType>().clone())
}

/// Those of some ids that a list keeps void.
async fn listed(context: &SessionContext, transaction_ids: &[String]) -> Result<BTreeSet<String>> {
    let working = || format!("looking up records in {ANNULLED_USAGE}");
    let frame = of_ids(context, ANNULLED_USAGE, transaction_ids).await?;
    let frame = frame.filter(col("is_listed")).during(working)?;
    let frame = frame.select_columns(&["transaction_id"]).during(working)?;
    let mut listed = BTreeSet::new();
    for batch in frame.collect().await.during(working)? {
        let ids = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(working)?;
        listed.extend(ids.as_string::<i32>().iter().flatten().map(String::from));
    }
    Ok(listed)
}

/// What is wrong with an id that several sources have.
pub fn ambiguous(id: &str, sources: &BTreeSet<String>) -> String {
    let sources = sources.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{id} is in several sources ({sources}): name one with --source")
}

/// How to find the ids of a table.
pub fn hint(table: &str) -> &'static str {
    if table != SUSPENSE {
        "meterhouse sql \"select source, transaction_id from usage_record\" shows what has landed"
    } else {
        "only what waits in suspense can be written off; a run brings it up to date"
    }
}

/// The sources of landed records that have an id.
pub async fn sources(context: &SessionContext, id: &str) -> Result<BTreeSet<String>> {
    let found = records(context, USAGE_RECORD, &[id.to_string()]).await?;
    Ok(found.into_values().flat_map(BTreeMap::into_keys).collect())
}
