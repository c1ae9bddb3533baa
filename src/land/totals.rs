//! Control totals: what a landing received, counted before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::{Decimal128Type, Int64Type};
use meterhouse_sql::decimal::POWERS_OF_TEN;
use meterhouse_sql::functions::hash_of_bigint;

use super::record::Rejected;
use crate::error::{Error, Result, While};
use crate::project::schema::TableSchema;

/// What a landing received, by usage type and unit, counted before anything is written.
#[derive(Default)]
pub(super) struct Totals {
    by_type: BTreeMap<(String, String), Total>,
}

#[derive(Default)]
struct Total {
    records: i64,
    quantity: i128,
    id_hash: i128,
}

impl Totals {
    pub(super) fn add_records(&mut self, records: &RecordBatch) -> Result<()> {
        let text = |name: &str| records.column_by_name(name).and_then(|column| column.as_string_view_opt());
        let (Some(types), Some(units)) = (text("usage_type"), text("unit")) else {
            return Err(Error::data(
                "`usage_record` needs the columns usage_type and unit (varchar)",
                "take them from the sample's schema",
            ));
        };
        let quantities = records
            .column_by_name("quantity")
            .and_then(|column| column.as_primitive_opt::<Decimal128Type>())
            .ok_or_else(|| Error::data("`usage_record` needs quantity decimal(38, 12)", ""))?;
        let sequences = records
            .column_by_name("landing_sequence")
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| Error::data("`usage_record` needs landing_sequence bigint", ""))?;
        let mut key: (&str, &str) = ("", "");
        let mut total = Total::default();
        let value = |column: &StringViewArray, row: usize| -> bool { column.is_valid(row) };
        for row in 0..records.num_rows() {
            let now = (types.value(row), if value(units, row) { units.value(row) } else { "" });
            if now != key {
                self.add(key, std::mem::take(&mut total))?;
                key = now;
            }
            total.records += 1;
            total.id_hash += i128::from(hash_of_bigint(sequences.value(row)));
            if quantities.is_valid(row) {
                total.quantity = sum(total.quantity, quantities.value(row))?;
            }
        }
        self.add(key, total)
    }

    pub(super) fn add_rejected(&mut self, rejected: &[Rejected]) -> Result<()> {
        for row in rejected {
            let id_hash = i128::from(hash_of_bigint(row.sequence));
            let total = Total { records: 1, quantity: 0, id_hash };
            self.add((row.usage_type.as_deref().unwrap_or_default(), ""), total)?;
        }
        Ok(())
    }

    fn add(&mut self, (usage_type, unit): (&str, &str), more: Total) -> Result<()> {
        if more.records > 0 {
            let total = self.by_type.entry((usage_type.into(), unit.into())).or_default();
            total.records += more.records;
            total.quantity = sum(total.quantity, more.quantity)?;
            total.id_hash = total.id_hash.checked_add(more.id_hash).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// The rows of `landing`.
    pub(super) fn batch(
        self,
        schema: &TableSchema,
        landing_id: i64,
        file: &str,
        content: &str,
    ) -> Result<RecordBatch> {
        let rows = self.by_type.len();
        let decimal = |values: Vec<i128>, scale: i8| -> Result<Arc<dyn Array>> {
            let array = arrow::array::Decimal128Array::from(values).with_precision_and_scale(38, scale);
            Ok(Arc::new(array.during(|| format!("writing {}", schema.name))?))
        };
        let text = |values: Vec<&str>| -> Arc<dyn Array> { Arc::new(StringArray::from(values)) };
        let totals: Vec<&Total> = self.by_type.values().collect();
        RecordBatch::try_from_iter([
            ("landing_id", Arc::new(Int64Array::from(vec![landing_id; rows])) as Arc<dyn Array>),
            ("usage_type", text(self.by_type.keys().map(|(usage_type, _)| usage_type.as_str()).collect())),
            ("unit", text(self.by_type.keys().map(|(_, unit)| unit.as_str()).collect())),
            ("file_name", text(vec![file; rows])),
            ("content_hash", text(vec![content; rows])),
            (
                "record_count",
                Arc::new(Int64Array::from_iter_values(totals.iter().map(|total| total.records))),
            ),
            ("record_quantity", decimal(totals.iter().map(|total| total.quantity).collect(), 12)?),
            ("id_hash", decimal(totals.iter().map(|total| total.id_hash).collect(), 0)?),
        ])
        .during(|| format!("writing {}", schema.name))
    }
}

/// A sum that is stored in 38 digits.
fn sum(one: i128, other: i128) -> Result<i128> {
    let sum = one.checked_add(other).filter(|sum| sum.unsigned_abs() < POWERS_OF_TEN[38].unsigned_abs());
    sum.ok_or_else(overflow)
}

fn overflow() -> Error {
    Error::data("the quantities of one file sum to more than 38 digits", "look at the largest ones")
}
