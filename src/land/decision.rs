//! What people decide about landed usage: hold a batch back, release or discard it, void records, write them off,
//! restore them. Each decision is one row of `usage_decision`; none is ever changed, and the last one counts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;

use super::registry::acknowledged_files;
use crate::engine::plan::plan;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::project::{Project, USAGE_DECISION};
use crate::store::warehouse::Warehouse;
use crate::table::landings::Landings;
use crate::table::scan::FileTable;
use crate::table::write::TableWriter;

/// Decisions of one batch are numbered from `batch x this`.
const NUMBERS: i64 = 1_000_000;
const NUMBERED: &str = "registry/decision";

pub(super) const USAGE_START: &str = "usage_start";
pub(super) const WRITE_OFF: &str = "write_off";
pub(super) const RESTORE: &str = "restore";
/// The query that says which landings do not count.
const LANDING_HOLD: &str = "landing_hold";

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
    /// Where several records of its source have the id, the time that tells it from the others, in microseconds since
    /// the epoch; none: all that have it.
    pub usage_start: Option<i64>,
    /// The last of them that has landed: what comes later is not meant.
    pub last_landing_sequence: i64,
}

impl Decision {
    /// As it is written.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Release(_) => "release",
            Self::Discard(_) => "discard",
            Self::Void(..) => "void",
            Self::WriteOff(_) => WRITE_OFF,
            Self::Restore(_) => RESTORE,
        }
    }

    fn hold_name(&self) -> Option<&str> {
        match self {
            Self::Hold { name, .. } | Self::Release(name) | Self::Discard(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn replaced_by(&self) -> Option<&str> {
        match self {
            Self::Void(_, replaced_by) => replaced_by.as_deref(),
            _ => None,
        }
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
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
    write(project, warehouse, context, decisions, author, None).await
}

/// Discards a landing for another that takes its place: as part of that one, so that it counts from the moment on in
/// which that one does.
pub(super) async fn discard_for(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    replaced: i64,
    by: &str,
    author: &Author,
) -> Result<()> {
    let name = format!("landing {replaced} was landed again");
    let held = Decision::Hold { name: name.clone(), landing_id: replaced };
    write(project, warehouse, context, &[held, Decision::Discard(name)], author, Some(by)).await
}

/// Writes decisions; those that belong to a landing are there when it is.
async fn write(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    decisions: &[Decision],
    author: &Author,
    landing: Option<&str>,
) -> Result<()> {
    let working = || "writing decisions".to_string();
    let schema = project
        .schemas
        .get(USAGE_DECISION)
        .ok_or_else(|| Error::data("the project has no table `usage_decision`", "take it from the sample"))?;
    let batch = warehouse.take_number(NUMBERED, &uuid::Uuid::new_v4().to_string()).await?;
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let each = |value: &str| text(vec![Some(value); decisions.len()]);
    let numbers = (0..decisions.len() as i64).map(|number| batch * NUMBERS + number);
    let landings = decisions.iter().map(|decision| match decision {
        Decision::Hold { landing_id, .. } => Some(*landing_id),
        _ => None,
    });
    let replaced = decisions.iter().map(Decision::replaced_by);
    let identities: Vec<_> = decisions.iter().map(Decision::identity).collect();
    let starts = identities.iter().map(|id| id.and_then(|id| id.usage_start));
    let starts = TimestampMicrosecondArray::from_iter(starts).with_timezone("UTC");
    let last = identities.iter().map(|id| id.map(|id| id.last_landing_sequence));
    if starts.null_count() < starts.len() && schema.column(USAGE_START).is_none() {
        let what = format!(
            "`{USAGE_DECISION}` has no column `{USAGE_START}`, by which records of one id are told apart"
        );
        return Err(Error::data(what, "take its schema and the query of `usage_exclusion` from the sample"));
    }
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
        (USAGE_START, Arc::new(starts), true),
        ("last_landing_sequence", Arc::new(Int64Array::from_iter(last)), true),
        ("reason", each(&author.reason), false),
        ("decided_by", each(&author.by), false),
        ("decided_at", Arc::new(at), false),
    ])
    .during(working)?;
    let decision = format!("decision-{batch:010}");
    // Whoever lands the same at the same time, or again after a kill, decides it once.
    let (stem, application) = match landing {
        Some(landing) => (format!("{landing}-{decision}"), format!("{landing}-decision")),
        None => (decision.clone(), decision),
    };
    let mut writer = TableWriter::new(context, warehouse, schema, stem.clone())?;
    writer.write(&rows).await?;
    let files = writer.finish().await?.files;
    warehouse.commit(schema, &application, 1, &files, &[]).await
}

/// What became of a held batch: none if there is none of that name.
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

/// Whether a landing is held or discarded, by the query that says so; none if it counts, or where no query says it.
/// `known` are the landings that are acknowledged.
pub async fn landing_place(
    project: &Project,
    warehouse: &Warehouse,
    landing_id: i64,
    known: &Landings,
) -> Result<Option<String>> {
    let working = || format!("reading {USAGE_DECISION}");
    let (Some(query), Some(schema)) =
        (project.queries.get(LANDING_HOLD), project.schemas.get(USAGE_DECISION))
    else {
        return Ok(None);
    };
    let context = session(&project.settings, Some(warehouse))?;
    // A file of decisions is of one landing, or of none.
    let files = acknowledged_files(warehouse.delta_files(USAGE_DECISION).await?.1, known);
    let decisions = FileTable::new(schema, files.unwrap_or_default());
    context.register_table(USAGE_DECISION, Arc::new(decisions)).during(working)?;
    let frame = plan(&context, query, 0).await?;
    let frame = frame.filter(col("landing_id").eq(lit(landing_id))).during(working)?;
    let frame = frame.select_columns(&["place"]).during(working)?;
    for batch in frame.collect().await.during(working)? {
        let places = arrow::compute::cast(batch.column(0), &DataType::Utf8).during(working)?;
        if let Some(place) = places.as_string::<i32>().iter().flatten().next() {
            return Ok(Some(place.into()));
        }
    }
    Ok(None)
}
