//! The types that can be summed, and when a sum of theirs does not fit.

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{Decimal128Type, Decimal256Type, Int64Type, UInt64Type, i256};

use crate::decimal::POWERS_OF_TEN;

/// A type that can be summed: the type of its sums, and how a value becomes one.
pub(super) trait Summable: ArrowPrimitiveType + std::fmt::Debug {
    type Total: Summable<Total = Self::Total>;
    fn widen(value: Self::Native) -> Native<Self::Total>;
    /// The sum of a total and a value, wrapped, and whether it wrapped.
    fn add(total: Native<Self::Total>, value: Self::Native) -> (Native<Self::Total>, bool);
    /// Whether a total has no more digits than its type allows.
    fn fits(total: Native<Self::Total>) -> bool;
}

pub(super) type Native<T> = <T as ArrowPrimitiveType>::Native;

/// A sum as it is stored.
pub(super) type Total<T> = Native<<T as Summable>::Total>;

impl Summable for Int64Type {
    type Total = Decimal128Type;

    fn widen(value: i64) -> i128 {
        i128::from(value)
    }

    fn add(total: i128, value: i64) -> (i128, bool) {
        total.overflowing_add(i128::from(value))
    }

    fn fits(total: i128) -> bool {
        fits_38_digits(total)
    }
}

impl Summable for UInt64Type {
    type Total = Decimal128Type;

    fn widen(value: u64) -> i128 {
        i128::from(value)
    }

    fn add(total: i128, value: u64) -> (i128, bool) {
        total.overflowing_add(i128::from(value))
    }

    fn fits(total: i128) -> bool {
        fits_38_digits(total)
    }
}

impl Summable for Decimal128Type {
    type Total = Self;

    fn widen(value: i128) -> i128 {
        value
    }

    fn add(total: i128, value: i128) -> (i128, bool) {
        total.overflowing_add(value)
    }

    fn fits(total: i128) -> bool {
        fits_38_digits(total)
    }
}

impl Summable for Decimal256Type {
    type Total = Self;

    fn widen(value: i256) -> i256 {
        value
    }

    fn add(total: i256, value: i256) -> (i256, bool) {
        let sum = total.wrapping_add(value);
        (sum, (sum < total) != (value < i256::ZERO))
    }

    fn fits(total: i256) -> bool {
        // 10^76 is 10^38 squared.
        let root = i256::from_i128(POWERS_OF_TEN[38]);
        let bound = root.wrapping_mul(root);
        total < bound && total > bound.wrapping_neg()
    }
}

fn fits_38_digits(total: i128) -> bool {
    total.unsigned_abs() < POWERS_OF_TEN[38].unsigned_abs()
}
