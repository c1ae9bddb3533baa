//! `prorate` and `round_ratio`: a share of an amount, multiplied before it is divided.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::datatypes::{Decimal128Type, Int32Type, i256};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, MONEY, MONEY_PRECISION, MONEY_SCALE, failed};
use super::round_money::Mode;
use super::scalar::Scalar;
use crate::decimal::{POWERS_OF_TEN, SUMMABLE_DIGITS};

pub(super) const PRORATE: Scalar = Scalar {
    name: "prorate",
    meaning: "amount x part / whole, a half of the twelfth decimal going away from zero. SQL divides a decimal to \
        four more places than it has and cuts off the rest; here the product has all its digits and is \
        divided once. A null gives null; a whole of zero and a result of more than 26 digits before the \
        point are errors. `prorate(amount, whole, whole)` is the amount, so shares that are taken as \
        differences of running parts sum to it.",
    parameters: &[
        ("amount", Kind::WideMoney, "what is shared"),
        ("part", Kind::Money, "of the whole, in its unit"),
        ("whole", Kind::Money, "not zero"),
    ],
    result: || MONEY,
    example: "select prorate(100, 1, 3)\n-- 33.333333333333",
    compute: |arguments| prorated(arguments, true),
};

pub(super) const TRY_PRORATE: Scalar = Scalar {
    name: "try_prorate",
    meaning: "`prorate`, but null where that is an error, or where the result has more than 20 digits before the point.",
    example: "select coalesce(try_prorate(100, 1, 0), -1)\n-- -1",
    compute: |arguments| prorated(arguments, false),
    ..PRORATE
};

/// amount x part / whole, to `decimals` places. All three have twelve decimal places, and so has the result, which is a
/// `decimal(38, 12)`.
fn ratio(
    amount: i256,
    part: i128,
    whole: i128,
    decimals: u32,
    mode: Mode,
) -> std::result::Result<i128, &'static str> {
    if whole == 0 {
        return Err("the whole is zero");
    }
    // Two factors of at most 38 digits have at most 76, which is what i256 holds.
    let product = amount.checked_mul(i256::from_i128(part)).ok_or("the product overflows")?;
    let unit = i256::from_i128(POWERS_OF_TEN[12 - decimals as usize]);
    // At most 38 + 12 digits.
    let whole = i256::from_i128(whole).wrapping_mul(unit);
    let quotient = product.checked_div(whole).ok_or("the division overflows")?;
    let rest = product.checked_rem(whole).ok_or("the division overflows")?.wrapping_abs();
    let missing = whole.wrapping_abs().wrapping_sub(rest);
    let negative = (product < i256::ZERO) != (whole < i256::ZERO);
    let half = (rest != i256::ZERO).then(|| rest.cmp(&missing));
    let odd = quotient.checked_rem(i256::from_i128(2)).ok_or("the division overflows")? != i256::ZERO;
    let rounded = match (mode.moves_away(half, negative, odd), negative) {
        (false, _) => quotient,
        (true, false) => quotient.wrapping_add(i256::ONE),
        (true, true) => quotient.wrapping_sub(i256::ONE),
    };
    rounded
        .checked_mul(unit)
        .and_then(i256::to_i128)
        .filter(|value| value.unsigned_abs() < 10_u128.pow(u32::from(MONEY_PRECISION)))
        .ok_or("the result has more than 38 digits")
}

fn prorate(amount: i256, part: i128, whole: i128) -> std::result::Result<i128, &'static str> {
    ratio(amount, part, whole, 12, Mode::HalfUp)
}

/// A result that can be summed, a million times, for the functions that are tried; else the error.
fn or_null(
    is_strict: bool,
    result: std::result::Result<i128, &'static str>,
) -> std::result::Result<Option<i128>, &'static str> {
    const LIMIT: u128 = POWERS_OF_TEN[SUMMABLE_DIGITS + 12].unsigned_abs();
    match result {
        result if is_strict => result.map(Some),
        result => Ok(result.ok().filter(|value| value.unsigned_abs() < LIMIT)),
    }
}

pub(super) const ROUND_RATIO: Scalar = Scalar {
    name: "round_ratio",
    meaning: "amount x part / whole, rounded once. The product has all its digits and is divided once, so that \
        started blocks are counted and never one too many. A null amount, part or whole gives null; any \
        other null, a whole of zero and a result of more than 26 digits before the point are errors.",
    parameters: &[
        ("amount", Kind::WideMoney, "what is shared"),
        ("part", Kind::Money, "of the whole, in its unit"),
        ("whole", Kind::Money, "not zero"),
        ("decimals", Kind::WholeNumber, "that are kept, 0 to 12"),
        ("mode", Kind::Text, "as for `round_money`"),
    ],
    result: || MONEY,
    example: "select round_ratio(2500, 1, 1024, 0, 'ceil')\n-- 3",
    compute: |arguments| round_ratio(arguments, true),
};

pub(super) const TRY_ROUND_RATIO: Scalar = Scalar {
    name: "try_round_ratio",
    meaning: "`round_ratio`, but null for a whole of zero, and where the result has more than 20 digits before the point.",
    example: "select coalesce(try_round_ratio(2500, 1, 0, 0, 'ceil'), -1)\n-- -1",
    compute: |arguments| round_ratio(arguments, false),
    ..ROUND_RATIO
};

fn round_ratio(arguments: &Arguments, is_strict: bool) -> Result<ArrayRef> {
    let fail = |what: &str| failed(ROUND_RATIO.name, what);
    let [parts, wholes] = [1, 2].map(|position| arguments.numbers::<Decimal128Type>(position));
    let (amounts, parts, wholes) = (arguments.wide_numbers(0)?, parts?, wholes?);
    let (decimals, modes) = (arguments.numbers::<Int32Type>(3)?, arguments.texts(4)?);
    let mut values = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let (Some(amount), Some(part), Some(whole)) = (amounts.get(row), parts.get(row), wholes.get(row))
        else {
            values.push(None);
            continue;
        };
        let decimals = decimals.get(row).and_then(|decimals| u32::try_from(decimals).ok());
        let decimals =
            decimals.filter(|decimals| *decimals <= 12).ok_or_else(|| fail("use 0 to 12 `decimals`"))?;
        let mode = Mode::parse(modes.get(row)).map_err(|what| fail(&what))?;
        values.push(or_null(is_strict, ratio(amount, part, whole, decimals, mode)).map_err(fail)?);
    }
    Ok(Arc::new(Decimal128Array::from(values).with_data_type(MONEY)))
}

fn prorated(arguments: &Arguments, is_strict: bool) -> Result<ArrayRef> {
    let [parts, wholes] = [1, 2].map(|position| arguments.numbers::<Decimal128Type>(position));
    let (amounts, parts, wholes) = (arguments.wide_numbers(0)?, parts?, wholes?);
    let mut values = Decimal128Array::builder(arguments.rows());
    for row in 0..arguments.rows() {
        match (amounts.get(row), parts.get(row), wholes.get(row)) {
            (Some(amount), Some(part), Some(whole)) => {
                let value = or_null(is_strict, prorate(amount, part, whole));
                values.append_option(value.map_err(|what| failed(PRORATE.name, what))?);
            }
            _ => values.append_null(),
        }
    }
    let values = values.finish().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    Ok(Arc::new(values))
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    fn prorate(amount: i128, part: i128, whole: i128) -> Result<i128, &'static str> {
        super::prorate(arrow::datatypes::i256::from_i128(amount), part, whole)
    }

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
    fn a_ratio_is_rounded_once() {
        for (arguments, expected) in [
            ("2500, 1, 1024, 0, 'ceil'", "3.000000000000"),
            ("2048, 1, 1024, 0, 'ceil'", "2.000000000000"),
            ("-2500, 1, 1024, 0, 'ceil'", "-2.000000000000"),
            ("-2500, 1, 1024, 0, 'floor'", "-3.000000000000"),
            ("5, 1, 2, 0, 'half_up'", "3.000000000000"),
            ("5, 1, 2, 0, 'half_even'", "2.000000000000"),
            ("1400, 1, 1000, 12, 'half_up'", "1.400000000000"),
            ("299, 20, 31, 5, 'ceil'", "192.903230000000"),
        ] {
            assert_eq!(rows(&format!("select round_ratio({arguments})")).unwrap(), [expected], "{arguments}");
        }
        assert!(rows("select round_ratio(1, 1, 0, 0, 'ceil')").unwrap_err().contains("the whole is zero"));
        assert!(
            rows("select round_ratio(1, 1, 1, 13, 'ceil')").unwrap_err().contains("use 0 to 12 `decimals`")
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(rows("select prorate(1, 1, 0)").unwrap_err().contains("the whole is zero"));
        let large = 10_i128.pow(38) - 1;
        assert_eq!(prorate(large, large, large), Ok(large));
        assert!(prorate(large, large, 1).is_err());
        let wide = "cast(10000000000000000 as decimal(76, 12)) * cast(2678400000000 as decimal(19, 0))";
        assert_eq!(
            rows(&format!("select prorate({wide}, 1, 2678400000000)")).unwrap(),
            ["10000000000000000.000000000000"]
        );
        assert_eq!(rows("select try_prorate(1, 1, 0) is null").unwrap(), ["true"]);
        assert_eq!(rows("select try_prorate(100, 1, 3)").unwrap(), ["33.333333333333"]);
    }
}
