//! `prorate`: a share of an amount, multiplied before it is divided.

use std::sync::Arc;

use arrow::array::Decimal128Array;
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::arguments::{Arguments, Kind, MONEY, MONEY_PRECISION, MONEY_SCALE, coerce, failed};

const NAME: &str = "prorate";

/// `prorate(amount, part, whole)`: amount x part / whole, as `decimal(38, 12)`, a half going away from zero.
///
/// SQL divides a decimal to four more places than it has and cuts off the rest; here the product has all its digits
/// and is divided once. A null gives null; a whole of zero and a result of more than 26 digits before the point are
/// errors. `prorate(amount, whole, whole)` is the amount, so shares taken as differences of running parts sum to it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Prorate {
    signature: Signature,
}

impl Prorate {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// All three are unscaled `decimal(38, 12)`, and so is the result.
fn prorate(amount: i128, part: i128, whole: i128) -> std::result::Result<i128, &'static str> {
    if whole == 0 {
        return Err("the whole is zero");
    }
    // Two factors of at most 38 digits have at most 76, which is what i256 holds.
    let product =
        i256::from_i128(amount).checked_mul(i256::from_i128(part)).ok_or("the product overflows")?;
    let whole = i256::from_i128(whole);
    let quotient = product.checked_div(whole).ok_or("the division overflows")?;
    let rest = product.checked_rem(whole).ok_or("the division overflows")?;
    let rest = rest.wrapping_abs();
    let missing = whole.wrapping_abs().wrapping_sub(rest);
    let negative = (product < i256::ZERO) != (whole < i256::ZERO);
    let rounded = match (rest >= missing && rest != i256::ZERO, negative) {
        (false, _) => quotient,
        (true, false) => quotient.wrapping_add(i256::ONE),
        (true, true) => quotient.wrapping_sub(i256::ONE),
    };
    rounded
        .to_i128()
        .filter(|value| value.unsigned_abs() < 10_u128.pow(u32::from(MONEY_PRECISION)))
        .ok_or("the result has more than 38 digits")
}

impl ScalarUDFImpl for Prorate {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &[("amount", Kind::Money), ("part", Kind::Money), ("whole", Kind::Money)], found)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MONEY)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(NAME, &args)?;
        let [amounts, parts, wholes] =
            [0, 1, 2].map(|position| arguments.numbers::<Decimal128Type>(position));
        let (amounts, parts, wholes) = (amounts?, parts?, wholes?);
        let mut values = Decimal128Array::builder(arguments.rows());
        for row in 0..arguments.rows() {
            match (amounts.get(row), parts.get(row), wholes.get(row)) {
                (Some(amount), Some(part), Some(whole)) => {
                    values.append_value(prorate(amount, part, whole).map_err(|what| failed(NAME, what))?);
                }
                _ => values.append_null(),
            }
        }
        let values = values.finish().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
        arguments.finish(Arc::new(values))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::prorate;

    #[test]
    fn a_share_has_all_its_digits_and_shares_sum_to_the_whole() {
        assert_eq!(rows("select prorate(100, 1, 3)").unwrap(), ["33.333333333333"]);
        assert_eq!(rows("select prorate(10.00, 3, 3)").unwrap(), ["10.000000000000"]);
        assert_eq!(rows("select prorate(-100, 2, 3)").unwrap(), ["-66.666666666667"]);
        assert_eq!(rows("select prorate(null, 2, 3) is null").unwrap(), ["true"]);
        let cent = 10_i128.pow(10);
        let shares: i128 =
            (0..7).map(|k| prorate(cent, k + 1, 7).unwrap() - prorate(cent, k, 7).unwrap()).sum();
        assert_eq!(shares, cent);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(rows("select prorate(1, 1, 0)").unwrap_err().contains("the whole is zero"));
        let large = 10_i128.pow(38) - 1;
        assert_eq!(prorate(large, large, large), Ok(large));
        assert!(prorate(large, large, 1).is_err());
    }
}
