//! `list_product`: the product of a list of decimals.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::arguments::{MONEY, failed};
use super::round_money::{Mode, round};

const NAME: &str = "list_product";

/// `list_product(list of decimal)`: the product of the values that are not null, as `decimal(38, 12)`.
///
/// SQL has a sum of any number of values and no product. It is exact, and rounded once at the end, a half going away
/// from zero. A list that is null or has no value gives 1. A product of more than 76 digits, not counting zeros at the
/// end of its factors, or of more than 26 before the point is an error.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ListProduct {
    signature: Signature,
}

impl ListProduct {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

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
    round(product, places, 12, Mode::HalfUp)
}

impl ScalarUDFImpl for ListProduct {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        match found {
            [DataType::List(item)] if matches!(item.data_type(), DataType::Decimal128(..)) => {
                Ok(found.to_vec())
            }
            _ => plan_err!("{NAME} takes a list of decimals, such as array_agg(...)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MONEY)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(lists) = lists.first().and_then(|lists| lists.as_list_opt::<i32>()) else {
            return Err(failed(NAME, "the argument has not the type it was planned with"));
        };
        let mut products = Vec::with_capacity(lists.len());
        for list in lists.iter() {
            let product = list.map_or(Some(1_000_000_000_000), |list| product(list.as_ref()));
            products.push(product.ok_or_else(|| failed(NAME, "the product does not fit decimal(38, 12)"))?);
        }
        Ok(ColumnarValue::Array(Arc::new(Decimal128Array::from(products).with_data_type(MONEY))))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::rows;

    #[test]
    fn products() {
        let product =
            |values: &str| rows(&format!("select list_product(array_agg(x)) from (values {values}) as t(x)"));
        assert_eq!(product("(1.337), (1.42)").unwrap(), ["1.898540000000"]);
        assert_eq!(product("(-0.1), (2.00), (null)").unwrap(), ["-0.200000000000"]);
        let rows_of = |value: &str, count: usize| vec![format!("({value})"); count].join(", ");
        assert_eq!(product(&rows_of("0.1", 12)).unwrap(), ["0.000000000001"]);
        assert_eq!(product(&rows_of("1.5", 4)).unwrap(), ["5.062500000000"]);
        assert!(product(&rows_of("1000000000.1", 4)).unwrap_err().contains("does not fit"));
        let empty = "select list_product(array_agg(x) filter (where x > 2)) from (values (1.5)) as t(x)";
        assert_eq!(rows(empty).unwrap(), ["1.000000000000"]);
    }
}
