//! The CHECKs of `usage_record`: a record that breaks one is rejected with it, and the others of its file land.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use datafusion::common::ToDFSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;

use super::record::{LandedChunk, RecordShape, Rejected};
use crate::error::{Error, Result, While};
use crate::project::schema::TableSchema;
use crate::table::write::physical_check;

/// Held already where a record is read, with a reason of its own.
const HELD: &str = "usage_end >= usage_start";

/// The CHECKs that each record is held against once it is read.
pub(super) struct Checks(Vec<(Arc<dyn PhysicalExpr>, String)>);

impl Checks {
    pub(super) fn new(context: &SessionContext, schema: &TableSchema, shape: &RecordShape) -> Result<Self> {
        let columns = shape.schema().to_dfschema().during(|| format!("reading {}", schema.file))?;
        let checks = schema.checks.iter().filter(|check| check.expression != HELD);
        let planned = checks.map(|check| {
            let planned = physical_check(context, &columns, &check.expression, &check.place)?;
            Ok((planned, check.expression.clone()))
        });
        Ok(Self(planned.collect::<Result<_>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves the records that break a CHECK to the rejected ones; the chunk has their texts.
    pub(super) fn reject(&self, mut chunk: LandedChunk) -> Result<LandedChunk> {
        let rows = chunk.records.num_rows();
        let mut reasons: Vec<Vec<String>> = vec![Vec::new(); rows];
        for (check, text) in &self.0 {
            for (row, holds) in holds(check, &chunk.records).into_iter().enumerate() {
                match holds {
                    Some(true) => {}
                    Some(false) => reasons[row].push(format!("breaks CHECK ({text})")),
                    None => reasons[row].push(format!("CHECK ({text}) cannot be answered for it")),
                }
            }
        }
        if reasons.iter().all(Vec::is_empty) {
            return Ok(chunk);
        }
        let records = &chunk.records;
        let sequences = sequences(records)?;
        let text = |name: &str, row: usize| {
            let column = records.column_by_name(name).and_then(|column| column.as_string_view_opt())?;
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        for (row, reasons) in reasons.iter().enumerate().filter(|(_, reasons)| !reasons.is_empty()) {
            let (line, raw) = chunk.kept.get(row).cloned().unwrap_or_default();
            let reason = reasons.join("; ");
            chunk.rejected.push(Rejected {
                sequence: sequences.value(row),
                line,
                raw,
                kind: reason.clone(),
                reason,
                column: None,
                usage_type: text("usage_type", row),
                transaction_id: text("transaction_id", row),
            });
        }
        let good: BooleanArray = reasons.iter().map(|reasons| Some(reasons.is_empty())).collect();
        let records = filter_record_batch(records, &good).during(|| "checking usage records".into())?;
        Ok(LandedChunk { records, kept: Vec::new(), ..chunk })
    }
}

/// Whether each row holds, as in SQL also where the CHECK is null; none if it fails on the row.
fn holds(check: &Arc<dyn PhysicalExpr>, records: &RecordBatch) -> Vec<Option<bool>> {
    let answer = |records: &RecordBatch| {
        let answers = check.evaluate(records).and_then(|value| value.into_array(records.num_rows())).ok()?;
        let answers = answers.as_boolean_opt()?;
        Some((0..answers.len()).map(|row| answers.is_null(row) || answers.value(row)).collect::<Vec<_>>())
    };
    match answer(records) {
        Some(answers) => answers.into_iter().map(Some).collect(),
        // One row that fails fails all of them, so each is asked by itself.
        None => (0..records.num_rows())
            .map(|row| answer(&records.slice(row, 1)).and_then(|answers| answers.first().copied()))
            .collect(),
    }
}

fn sequences(records: &RecordBatch) -> Result<&Int64Array> {
    let column = records.column_by_name("landing_sequence");
    column.and_then(|column| column.as_primitive_opt::<Int64Type>()).ok_or_else(|| {
        Error::data("`usage_record` has no column `landing_sequence`", "take it from the sample")
    })
}
