//! `try_list_product`: the product of a list of decimals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, MONEY};
use super::round_money::{Mode, round};
use super::scalar::Scalar;
use crate::decimal::{POWERS_OF_TEN, SUMMABLE_DIGITS};

pub(super) const LIST_PRODUCT: Scalar = Scalar {
    name: "try_list_product",
    meaning: "The product of the values that are not null. It is exact, and rounded once at the end, a half going \
        away from zero. A list that is null or has no value gives 1. Null where the product has more than 76 \
        digits, not counting zeros at the end of its factors, or more than 20 before the point.",
    parameters: &[("factors", Kind::Decimals, "such as `array_agg(price_modifier.factor)`")],
    result: || MONEY,
    example: "select try_list_product([0.9, 1.05, null])\n-- 0.945",
    compute,
};

fn product(values: &dyn Array) -> Option<i128> {
    let DataType::Decimal128(_, scale) = values.data_type() else { return None };
    let (mut product, mut places) = (i256::ONE, 0_i32);
    for value in values.as_primitive_opt::<Decimal128Type>()?.iter().flatten() {
        let (mut value, mut scale) = (value, i32::from(*scale));
        while scale > 0 && value % 10 == 0 {
            value /= 10;
            scale -= 1;
        }
        product = product.checked_mul(i256::from_i128(value))?;
        places += scale;
    }
    let product = round(product, places, 12, Mode::HalfUp)?;
    (product.unsigned_abs() < POWERS_OF_TEN[SUMMABLE_DIGITS + 12].unsigned_abs()).then_some(product)
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let lists = arguments.lists(0)?;
    let mut products = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let product = lists.get(row).map_or(Some(1_000_000_000_000), |list| product(list.as_ref()));
        products.push(product);
    }
    Ok(Arc::new(Decimal128Array::from(products).with_data_type(MONEY)))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::rows;

    #[test]
    fn products() {
        let product = |values: &str| {
            rows(&format!("select try_list_product(array_agg(x)) from (values {values}) as t(x)"))
        };
        assert_eq!(product("(1.337), (1.42)").unwrap(), ["1.898540000000"]);
        assert_eq!(product("(-0.1), (2.00), (null)").unwrap(), ["-0.200000000000"]);
        let rows_of = |value: &str, count: usize| vec![format!("({value})"); count].join(", ");
        assert_eq!(product(&rows_of("0.1", 12)).unwrap(), ["0.000000000001"]);
        assert_eq!(product(&rows_of("1.5", 4)).unwrap(), ["5.062500000000"]);
        assert_eq!(product(&rows_of("100000.1", 4)).unwrap(), ["null"]);
        let empty = "select try_list_product(array_agg(x) filter (where x > 2)) from (values (1.5)) as t(x)";
        assert_eq!(rows(empty).unwrap(), ["1.000000000000"]);
    }
}
