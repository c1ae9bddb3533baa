//! `landing_of`: the landing of a record, which its sequence begins with.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind};
use super::scalar::Scalar;

/// Records of one landing are numbered from `landing id x this`.
pub const SEQUENCES: i64 = 1_000_000_000;

pub(super) const LANDING_OF: Scalar = Scalar {
    name: "landing_of",
    meaning: "The landing that a record came with: its `landing_sequence` begins with its `landing_id`. Null where \
        the argument is null.",
    parameters: &[("landing_sequence", Kind::Sequence, "the record's")],
    result: || DataType::Int64,
    example: "select landing_of(7000000012)\n-- 7",
    compute,
};

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let sequences = arguments.numbers::<Int64Type>(0)?;
    let landing = |row| sequences.get(row).map(|sequence: i64| sequence.div_euclid(SEQUENCES));
    Ok(Arc::new((0..arguments.rows()).map(landing).collect::<Int64Array>()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::value;

    #[test]
    fn landings() {
        for (sequence, landing) in [("1000000000", "1"), ("1999999999", "1"), ("0", "0")] {
            assert_eq!(value(&format!("landing_of({sequence})")).unwrap(), landing);
        }
        assert_eq!(value("landing_of(null) is null").unwrap(), "true");
    }
}
