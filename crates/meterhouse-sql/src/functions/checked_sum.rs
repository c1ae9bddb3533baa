//! `sum`: exact, and an error where the result does not fit. DataFusion's own wraps to a negative number.

mod summable;

use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field,
    FieldRef, Int64Type, UInt64Type,
};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::scalar::documentation;
use summable::{Native, Summable, Total};

const NAME: &str = "sum";

/// `sum(decimal)` and `sum(integer)`: the exact sum of the values that are not null; null where there is none.
///
/// `decimal(p, s)` gives `decimal(38, s)`, or `decimal(76, s)` where it is stored in 256 bits; integers give
/// `decimal(38, 0)`. A sum of more digits is an error, and so is an intermediate one beyond 128 (256) bits. Floats and
/// `sum(distinct ...)` are refused.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    signature: Signature,
}

impl CheckedSum {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    documentation(
        "sum(value decimal) -> decimal(38, s)",
        "The exact sum of the values that are not null; null where there is none. It stands in for the `sum` of \
        DataFusion, which wraps to a negative number. A `decimal(p, s)` gives a `decimal(38, s)`, or a \
        `decimal(76, s)` where it is stored in 256 bits; whole numbers give a `decimal(38, 0)`. A sum of more \
        digits is an error; floats and `sum(distinct ...)` are refused.",
        &[("value", "a decimal or a whole number")],
        "select sum(amount) from (values (0.10), (0.20), (null)) as line(amount)\n-- 0.30",
    )
});

fn overflow(result: &DataType) -> DataFusionError {
    let what =
        format!("{NAME}: the result does not fit {result}; use a smaller unit or sum in smaller groups");
    DataFusionError::Execution(what)
}

/// Calls `$build::<T>($arguments)` for the type `T` of the values that are summed.
macro_rules! for_type {
    ($args:ident, $build:ident) => {{
        let result = $args.return_field.data_type().clone();
        match $args.expr_fields.first().map(|field| field.data_type()) {
            Some(DataType::Int64) => Ok(Box::new($build::<Int64Type>::new(result))),
            Some(DataType::UInt64) => Ok(Box::new($build::<UInt64Type>::new(result))),
            Some(DataType::Decimal128(..)) => Ok(Box::new($build::<Decimal128Type>::new(result))),
            Some(DataType::Decimal256(..)) => Ok(Box::new($build::<Decimal256Type>::new(result))),
            _ => exec_err!("{NAME}: the values have not the type they were planned with"),
        }
    }};
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let [found] = found else { return plan_err!("{NAME} takes one argument, not {}", found.len()) };
        let coerced = match found {
            DataType::Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                DataType::Decimal128(*precision, *scale)
            }
            DataType::Decimal128(..) | DataType::Decimal256(..) => found.clone(),
            DataType::Null => DataType::Int64,
            found if found.is_signed_integer() => DataType::Int64,
            found if found.is_unsigned_integer() => DataType::UInt64,
            found if found.is_floating() => {
                return plan_err!(
                    "{NAME}: {found} is not exact, so its sum depends on the order; cast it to a decimal"
                );
            }
            found => return plan_err!("{NAME}: the values must be decimals or integers, not {found}"),
        };
        Ok(vec![coerced])
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        match found {
            [DataType::Decimal128(_, scale)] => Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)),
            [DataType::Decimal256(_, scale)] => Ok(DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale)),
            _ => Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{NAME}(distinct ...) is refused; sum over a `select distinct`");
        }
        for_type!(args, SumAccumulator)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, NAME);
        Ok(vec![Arc::new(Field::new(name, args.return_type().clone(), true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        for_type!(args, SumGroups)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The values of a batch; its type was decided when the query was planned.
fn values_of<T: ArrowPrimitiveType>(arrays: &[ArrayRef]) -> Result<&PrimitiveArray<T>> {
    match arrays.first().and_then(|array| array.as_primitive_opt::<T>()) {
        Some(values) => Ok(values),
        None => exec_err!("{NAME}: the values have not the type they were planned with"),
    }
}

/// The sum of one group or window. It can be retracted from, so that it slides.
#[derive(Debug)]
struct SumAccumulator<T: Summable> {
    total: Total<T>,
    /// How many values the total has.
    count: u64,
    result: DataType,
}

impl<T: Summable> SumAccumulator<T> {
    fn new(result: DataType) -> Self {
        Self { total: Total::<T>::ZERO, count: 0, result }
    }

    fn add<A: Summable<Total = T::Total>>(&mut self, values: &PrimitiveArray<A>) -> Result<()> {
        self.each(values, |total, value| total.add_checked(value).ok())?;
        self.count += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    /// Folds the values that are not null into the total; `fold` gives `None` on overflow.
    fn each<A: Summable<Total = T::Total>>(
        &mut self,
        values: &PrimitiveArray<A>,
        fold: impl Fn(Total<T>, Total<T>) -> Option<Total<T>>,
    ) -> Result<()> {
        let total = if values.null_count() == 0 {
            values.values().iter().try_fold(self.total, |total, value| fold(total, A::widen(*value)))
        } else {
            values.iter().flatten().try_fold(self.total, |total, value| fold(total, A::widen(value)))
        };
        self.total = total.ok_or_else(|| overflow(&self.result))?;
        Ok(())
    }
}

impl<T: Summable> Accumulator for SumAccumulator<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values_of::<T>(values)?)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(values_of::<T::Total>(states)?)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values_of::<T>(values)?;
        self.each(values, |total, value| total.sub_checked(value).ok())?;
        self.count = self.count.saturating_sub((values.len() - values.null_count()) as u64);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let total = (self.count > 0).then_some(self.total);
        Ok(vec![ScalarValue::new_primitive::<T::Total>(total, &self.result)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if !T::fits(self.total) {
            return Err(overflow(&self.result));
        }
        let total = (self.count > 0).then_some(self.total);
        ScalarValue::new_primitive::<T::Total>(total, &self.result)
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The sums of many groups at once.
#[derive(Debug)]
struct SumGroups<T: Summable> {
    totals: Vec<Total<T>>,
    /// Which groups have a value; `None` while all of them do, which is the case until a null or a filter comes.
    seen: Option<Vec<bool>>,
    result: DataType,
}

impl<T: Summable> SumGroups<T> {
    fn new(result: DataType) -> Self {
        Self { totals: Vec::new(), seen: None, result }
    }

    fn add<A: Summable<Total = T::Total>>(
        &mut self,
        values: &PrimitiveArray<A>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        let known_groups = self.totals.len();
        self.totals.resize(group_count, Total::<T>::ZERO);
        let totals = self.totals.as_mut_slice();
        let mut overflows = false;
        // Overflow is remembered rather than returned at once, so that the loop does not branch on it.
        let mut add = |group: usize, value: Native<A>| {
            let total = &mut totals[group];
            let (sum, overflow) = A::add(*total, value);
            *total = sum;
            overflows |= overflow;
        };
        if self.seen.is_none() && filter.is_none() && values.null_count() == 0 {
            // Every group that is new was made for one of these rows, so it has a value.
            for (group, value) in groups.iter().zip(values.values()) {
                add(*group, *value);
            }
        } else {
            let seen = self.seen.get_or_insert_with(|| vec![true; known_groups]);
            seen.resize(group_count, false);
            for (row, (group, value)) in groups.iter().zip(values.values()).enumerate() {
                let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
                if passes && values.is_valid(row) {
                    seen[*group] = true;
                    add(*group, *value);
                }
            }
        }
        if overflows { Err(overflow(&self.result)) } else { Ok(()) }
    }

    /// Takes the sums of the first groups, null where a group has no value.
    fn take(&mut self, emit_to: EmitTo) -> PrimitiveArray<T::Total> {
        let totals = emit_to.take_needed(&mut self.totals);
        let nulls = match emit_to {
            EmitTo::All => self.seen.take(),
            EmitTo::First(_) => self.seen.as_mut().map(|seen| emit_to.take_needed(seen)),
        };
        PrimitiveArray::new(totals.into(), nulls.map(NullBuffer::from)).with_data_type(self.result.clone())
    }
}

impl<T: Summable> GroupsAccumulator for SumGroups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(values_of::<T>(values)?, group_indices, opt_filter, total_num_groups)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(values_of::<T::Total>(values)?, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.take(emit_to);
        // The total of a group without values is zero, which fits.
        if sums.values().iter().all(|total| T::fits(*total)) {
            Ok(Arc::new(sums))
        } else {
            Err(overflow(&self.result))
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.take(emit_to))])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values_of::<T>(values)?;
        let passes = opt_filter.map(|filter| match filter.nulls() {
            Some(nulls) => NullBuffer::new(filter.values() & nulls.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let nulls = NullBuffer::union(values.nulls(), passes.as_ref());
        let widened = values.values().iter().map(|value| T::widen(*value)).collect();
        let states = PrimitiveArray::<T::Total>::new(widened, nulls).with_data_type(self.result.clone());
        Ok(vec![Arc::new(states)])
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<Total<T>>() + self.seen.as_ref().map_or(0, Vec::capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::tests::{rows, rows_in, session, value};

    #[test]
    fn sums() {
        let usage =
            "(values (1, 'a', 1.5), (2, 'a', 2.25), (3, 'b', null), (4, 'c', -4.00)) as usage(id, k, q)";
        let sql = format!(
            "select k, sum(q), sum(id), sum(q) filter (where id > 1) from {usage} group by k order by k"
        );
        assert_eq!(rows(&sql).unwrap(), ["a 3.75 3 2.25", "b null 3 null", "c -4.00 4 -4.00"]);
        assert_eq!(rows(&format!("select sum(q), sum(id) from {usage}")).unwrap(), ["-0.25 10"]);
        assert_eq!(rows(&format!("select sum(q) from {usage} where id > 4")).unwrap(), ["null"]);
        assert_eq!(value("arrow_typeof(sum(1.50))").unwrap(), "Decimal128(38, 2)");
        assert_eq!(value("arrow_typeof(sum(1::smallint))").unwrap(), "Decimal128(38, 0)");
        assert_eq!(
            value("arrow_typeof(sum(arrow_cast(1, 'Decimal256(40, 3)')))").unwrap(),
            "Decimal256(76, 3)"
        );
        assert_eq!(value("sum(null)").unwrap(), "null");
        assert_eq!(value("sum(distinct 1.5)").unwrap(), "1.5");
    }

    #[test]
    fn windows() {
        let usage = "(values (1, 1.5), (2, 2.25), (3, null), (4, -4.00)) as usage(id, q)";
        let sql = format!(
            "select sum(q) over (order by id rows between unbounded preceding and current row),
                sum(q) over (order by id rows between 1 preceding and current row),
                sum(q) over (order by id rows between current row and current row),
                sum(q) over ()
            from {usage} order by id"
        );
        assert_eq!(
            rows(&sql).unwrap(),
            [
                "1.50 1.50 1.50 -0.25",
                "3.75 3.75 2.25 -0.25",
                "3.75 2.25 null -0.25",
                "-0.25 -4.00 -4.00 -0.25",
            ]
        );
    }

    #[test]
    fn overflow_is_an_error() {
        let nines = "9".repeat(38);
        let large = format!("(values (1, {nines}), (1, 1), (2, 5)) as large(k, q)");
        for sql in [
            format!("select sum(q) from {large}"),
            format!("select k, sum(q) from {large} group by k"),
            format!("select k, sum(q) from {large} group by k, k + 1"),
            format!(
                "select sum(q) over (order by k rows between unbounded preceding and current row) from {large}"
            ),
            format!("select k, sum({nines}) from {large} group by k"),
        ] {
            let error = rows(&sql).unwrap_err();
            assert!(error.contains("sum: the result does not fit Decimal128(38, 0)"), "{sql}: {error}");
        }
        let all = format!("select sum(q) from (values ({nines}), (1), (-1), (-{nines})) as large(q)");
        assert_eq!(rows(&all).unwrap(), ["0"]);
        // More than a bigint holds.
        assert_eq!(
            rows("select sum(9223372036854775807) from generate_series(1, 3)").unwrap(),
            ["27670116110564327421"]
        );
    }

    #[test]
    fn refused() {
        for (expression, message) in [
            (
                "sum(1.5::double)",
                "sum: Float64 is not exact, so its sum depends on the order; cast it to a decimal",
            ),
            ("sum('x')", "sum: the values must be decimals or integers, not Utf8"),
            ("sum(1, 2)", "sum takes one argument, not 2"),
        ] {
            let error = value(expression).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let distinct =
            rows("select sum(distinct q), sum(distinct k) from (values (1, 1), (2, 1)) as usage(k, q)");
        assert!(distinct.unwrap_err().contains("sum(distinct ...) is refused"));
    }

    #[test]
    fn wide_decimals() {
        let nines = "9".repeat(76);
        let wide = format!("arrow_cast('{nines}', 'Decimal256(76, 0)')");
        assert_eq!(rows(&format!("select sum(q) from (select {wide} as q) as wide")).unwrap(), [nines]);
        let twice = rows(&format!("select sum({wide}) from generate_series(1, 2)"));
        assert!(twice.unwrap_err().contains("does not fit Decimal256(76, 0)"));
    }

    #[test]
    fn states_of_single_rows() {
        let groups = SumGroups::<Int64Type>::new(DataType::Decimal128(38, 0));
        let values: ArrayRef =
            Arc::new(PrimitiveArray::<Int64Type>::from(vec![Some(1), None, Some(3), Some(4)]));
        let filter = BooleanArray::from(vec![Some(true), Some(true), Some(false), None]);
        let states = groups.convert_to_state(&[values], Some(&filter)).unwrap();
        let expected = PrimitiveArray::<Decimal128Type>::from(vec![Some(1), None, None, None]);
        assert_eq!(
            states[0].as_primitive::<Decimal128Type>(),
            &expected.with_data_type(DataType::Decimal128(38, 0))
        );
    }

    #[test]
    fn groups_are_emitted_in_parts() {
        let mut groups = SumGroups::<Int64Type>::new(DataType::Decimal128(38, 0));
        let values =
            |values: Vec<Option<i64>>| vec![Arc::new(PrimitiveArray::<Int64Type>::from(values)) as ArrayRef];
        groups.update_batch(&values(vec![Some(1), Some(2)]), &[0, 1], None, 2).unwrap();
        groups.update_batch(&values(vec![None, Some(5)]), &[2, 1], None, 3).unwrap();
        let part = |part: ArrayRef| part.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>();
        assert_eq!(part(groups.evaluate(EmitTo::First(1)).unwrap()), [Some(1)]);
        groups.update_batch(&values(vec![Some(9)]), &[2], None, 3).unwrap();
        assert_eq!(part(groups.evaluate(EmitTo::All).unwrap()), [Some(7), None, Some(9)]);
    }

    /// Run by hand: `cargo test --release --lib -- --ignored --nocapture speed_of_sum`.
    #[test]
    #[ignore = "prints timings"]
    fn speed_of_sum() {
        let ours = session();
        let built_in = datafusion::prelude::SessionContext::new();
        let table = "create table usage as select value % 200000 as k, value % 10 as small,
            cast(value % 1000 as decimal(38, 12)) as q from generate_series(1, 10000000)";
        for context in [&built_in, &ours] {
            rows_in(context, table).unwrap();
        }
        for sql in [
            "select count(*) from (select k, sum(q) as q from usage group by k) as s where q is null",
            "select count(*) from (select small, sum(q) as q from usage group by small) as s where q is null",
            "select count(*) from (select sum(q) as q from usage) as s where q is null",
            "select count(*) from (select k, sum(small) as q from usage group by k) as s where q is null",
        ] {
            let mut best = [u128::MAX; 2];
            for _ in 0..15 {
                for (best, context) in best.iter_mut().zip([&built_in, &ours]) {
                    let start = std::time::Instant::now();
                    rows_in(context, sql).unwrap();
                    *best = start.elapsed().as_micros().min(*best);
                }
            }
            println!("built-in {:>7} us, checked {:>7} us: {sql}", best[0], best[1]);
        }
    }
}
