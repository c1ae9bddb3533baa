//! What people decide about landed usage: hold a batch back, release or discard it, void records, write them off,
//! restore them. Each decision is one row of `usage_decision`; none is ever changed, and the last one counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;

use crate::data_file::TableWriter;
use crate::error::{Error, Result, While};
use crate::project::{Project, USAGE_DECISION, USAGE_RECORD};
use crate::warehouse::Warehouse;

/// Decisions of one batch are numbered from `batch x this`.
const NUMBERS: i64 = 1_000_000;
const NUMBERED: &str = "registry/decision";

/// Who decides, when, and why.
#[derive(Debug, Clone)]
pub struct Author {
    /// The person.
    pub by: String,
    /// In microseconds since the epoch.
    pub at: i64,
    /// Why.
    pub reason: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A landing waits, as a part of a named batch.
    Hold {
        /// The batch.
        name: String,
        /// The landing.
        landing_id: i64,
    },
    /// A batch counts from now on.
    Release(String),
    /// A batch never counts.
    Discard(String),
    /// A record never was; the one that amends it, if any.
    Void(Identity, Option<String>),
    /// A record that waits in suspense is given up.
    WriteOff(Identity),
    /// A record counts again.
    Restore(Identity),
}

/// What identifies a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Where it is from.
    pub source: String,
    /// Its id there.
    pub transaction_id: String,
}

impl Decision {
    fn word(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Release(_) => "release",
            Self::Discard(_) => "discard",
            Self::Void(..) => "void",
            Self::WriteOff(_) => "write_off",
            Self::Restore(_) => "restore",
        }
    }

    fn hold_name(&self) -> Option<&str> {
        match self {
            Self::Hold { name, .. } | Self::Release(name) | Self::Discard(name) => Some(name),
            _ => None,
        }
    }

    fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Void(identity, _) | Self::WriteOff(identity) | Self::Restore(identity) => Some(identity),
            _ => None,
        }
    }
}

/// Writes decisions, in their order and all at once; when this returns they are there.
pub async fn record(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    decisions: &[Decision],
    author: &Author,
) -> Result<()> {
    let working = || "writing decisions".to_string();
    let schema = project
        .schemas
        .get(USAGE_DECISION)
        .ok_or_else(|| Error::data("the project has no table `usage_decision`", "take it from the sample"))?;
    let batch = warehouse.take_number(NUMBERED).await?;
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let each = |value: &str| text(vec![Some(value); decisions.len()]);
    let numbers = (0..decisions.len() as i64).map(|number| batch * NUMBERS + number);
    let landings = decisions.iter().map(|decision| match decision {
        Decision::Hold { landing_id, .. } => Some(*landing_id),
        _ => None,
    });
    let replaced = decisions.iter().map(|decision| match decision {
        Decision::Void(_, replaced_by) => replaced_by.as_deref(),
        _ => None,
    });
    let identities: Vec<_> = decisions.iter().map(Decision::identity).collect();
    let at = TimestampMicrosecondArray::from(vec![author.at; decisions.len()]).with_timezone("UTC");
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("decision_number", Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef, false),
        ("decision", text(decisions.iter().map(|decision| Some(decision.word())).collect()), false),
        ("hold_name", text(decisions.iter().map(Decision::hold_name).collect()), true),
        ("landing_id", Arc::new(Int64Array::from_iter(landings)), true),
        ("source", text(identities.iter().map(|id| id.map(|id| id.source.as_str())).collect()), true),
        (
            "transaction_id",
            text(identities.iter().map(|id| id.map(|id| id.transaction_id.as_str())).collect()),
            true,
        ),
        ("replaced_by", text(replaced.collect()), true),
        ("reason", each(&author.reason), false),
        ("decided_by", each(&author.by), false),
        ("decided_at", Arc::new(at), false),
    ])
    .during(working)?;
    let stem = format!("decision-{batch:010}");
    let mut writer = TableWriter::new(context, warehouse, schema, stem.clone())?;
    writer.write(&rows).await?;
    let files = writer.finish().await?.files;
    warehouse.commit(schema, &stem, 1, &files, &[]).await
}

/// The landed identities of transaction ids; all that is wrong with the ids is told at once.
///
/// # Errors
/// An id that no record has, or that several sources have while none is named.
pub async fn identities(
    context: &SessionContext,
    table: &str,
    transaction_ids: &[String],
    source: Option<&str>,
) -> Result<Vec<Identity>> {
    let found = sources(context, table, transaction_ids, source).await?;
    let mut wrong = Vec::new();
    let mut identities = Vec::new();
    for id in transaction_ids {
        let sources = found.get(id).cloned().unwrap_or_default();
        match sources.len() {
            0 => wrong.push(format!("no record of `{table}` has the transaction_id {id}")),
            1 => identities
                .extend(sources.into_iter().map(|source| Identity { source, transaction_id: id.clone() })),
            _ => wrong.push(ambiguous(id, &sources)),
        }
    }
    if wrong.is_empty() {
        return Ok(identities);
    }
    Err(Error::usage(wrong.join("\n"), hint(table)))
}

/// What is wrong with an id that several sources have.
pub fn ambiguous(id: &str, sources: &BTreeSet<String>) -> String {
    let sources = sources.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{id} is in several sources ({sources}): name one with --source")
}

/// How to find the ids of a table.
pub fn hint(table: &str) -> &'static str {
    if table == USAGE_RECORD {
        "meterhouse sql \"select source, transaction_id from usage_record\" shows what has landed"
    } else {
        "only what waits in suspense can be written off; a run brings it up to date"
    }
}

/// The sources of a table that have transaction ids, or whether the one that is named has them.
pub async fn sources(
    context: &SessionContext,
    table: &str,
    transaction_ids: &[String],
    source: Option<&str>,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let working = || format!("looking up records in {table}");
    let wanted = transaction_ids.iter().map(|id| lit(id.as_str())).collect();
    let mut frame = context.table(table).await.during(working)?;
    frame = frame.filter(col("transaction_id").in_list(wanted, false)).during(working)?;
    if let Some(source) = source {
        frame = frame.filter(col("source").eq(lit(source))).during(working)?;
    }
    let frame = frame.select_columns(&["source", "transaction_id"]).and_then(|frame| frame.distinct());
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for batch in frame.during(working)?.collect().await.during(working)? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (sources, ids) = (text(0).during(working)?, text(1).during(working)?);
        for (source, id) in sources.as_string::<i32>().iter().zip(ids.as_string::<i32>()) {
            let (Some(source), Some(id)) = (source, id) else { continue };
            found.entry(id.into()).or_default().insert(source.into());
        }
    }
    Ok(found)
}

/// What became of a held batch: none where there is none of that name.
pub async fn hold_state(context: &SessionContext, name: &str) -> Result<Option<String>> {
    let working = || format!("reading {USAGE_DECISION}");
    let frame = context.table(USAGE_DECISION).await.during(working)?;
    let frame = frame.filter(col("hold_name").eq(lit(name))).during(working)?;
    let frame = frame
        .sort(vec![col("decision_number").sort(true, false)])
        .and_then(|frame| frame.select_columns(&["decision"]))
        .during(working)?;
    let mut last = None;
    for batch in frame.collect().await.during(working)? {
        let words = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(working)?;
        last = words.as_string::<i32>().iter().flatten().last().map(String::from).or(last);
    }
    Ok(last)
}
