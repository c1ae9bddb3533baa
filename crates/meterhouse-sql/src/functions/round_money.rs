//! `round_money`: rounding to a declared number of decimals, in a declared way.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int32Type, i256};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, MONEY, MONEY_PRECISION, MONEY_SCALE, failed};
use super::scalar::Scalar;
use crate::decimal::POWERS_OF_TEN;

const NAME: &str = "round_money";

pub(super) const ROUND_MONEY: Scalar = Scalar {
    name: NAME,
    meaning: "An amount rounded to so many decimals, once, from all the digits that it has. A null amount stays \
        null; any other null, an unknown mode and a result of more than 26 digits before the point are \
        errors.",
    parameters: &[
        ("amount", Kind::Decimal, "any decimal, not rounded before"),
        ("decimals", Kind::WholeNumber, "-12 to 12; negative ones round to tens, hundreds and so on"),
        (
            "mode",
            Kind::Text,
            "`half_up` (a half goes away from zero), `half_even` (to the even neighbour), `ceil` (any rest goes to the larger number) or `floor` (to the smaller one)",
        ),
    ],
    result: || MONEY,
    example: "select round_money(0.125, 2, 'half_up'), round_money(0.125, 2, 'half_even')\n-- 0.13 0.12",
    compute,
};

/// Where a rest goes.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// To the nearest; a half away from zero.
    HalfUp,
    /// To the nearest; a half to the even neighbour.
    HalfEven,
    /// To the larger one.
    Ceil,
    /// To the smaller one.
    Floor,
}

impl Mode {
    /// The mode of this name; the error says which there are.
    pub(super) fn parse(text: Option<&str>) -> std::result::Result<Self, String> {
        match text {
            Some("half_up") => Ok(Self::HalfUp),
            Some("half_even") => Ok(Self::HalfEven),
            Some("ceil") => Ok(Self::Ceil),
            Some("floor") => Ok(Self::Floor),
            _ => {
                let text = text.unwrap_or("null");
                Err(format!("unknown mode `{text}`; use half_up, half_even, ceil or floor"))
            }
        }
    }

    /// Whether a quotient is moved away from zero: how its rest compares with a half (none: there is no rest), and
    /// whether
    /// the value is negative and the quotient odd.
    pub(super) fn moves_away(self, rest: Option<Ordering>, negative: bool, odd: bool) -> bool {
        match (self, rest) {
            (_, None) => false,
            (Self::Ceil, _) => !negative,
            (Self::Floor, _) => negative,
            (_, Some(Ordering::Equal)) => matches!(self, Self::HalfUp) || odd,
            (_, Some(rest)) => rest == Ordering::Greater,
        }
    }
}

/// The integers that decimals are stored as.
pub(super) trait Unscaled: ArrowNativeTypeOp {
    const TEN: Self;
    fn to_money(self) -> Option<i128>;
}

impl Unscaled for i128 {
    const TEN: Self = 10;

    fn to_money(self) -> Option<i128> {
        Some(self)
    }
}

impl Unscaled for i256 {
    const TEN: Self = i256::from_i128(10);

    fn to_money(self) -> Option<i128> {
        self.to_i128()
    }
}

/// Rounds `value` x 10^-`scale`; the result is unscaled `decimal(38, 12)`, `None` where it does not fit.
pub(super) fn round<T: Unscaled>(value: T, scale: i32, decimals: i32, mode: Mode) -> Option<i128> {
    let surplus = u32::try_from(scale - decimals).unwrap_or(0);
    let negative = value.is_lt(T::ZERO);
    let (quotient, rest, odd) = match T::TEN.pow_checked(surplus) {
        _ if surplus == 0 || value.is_zero() => (value, None, false),
        // Less than a tenth of what the last digit kept is worth.
        Err(_) => (T::ZERO, Some(Ordering::Less), false),
        Ok(unit) => {
            let (quotient, rest) = (value.div_checked(unit).ok()?, value.mod_checked(unit).ok()?);
            let rest = if negative { rest.neg_wrapping() } else { rest };
            let two = T::ONE.add_wrapping(T::ONE);
            // Comparing with what is missing to a whole unit cannot overflow, as doubling could.
            let half = (!rest.is_zero()).then(|| rest.compare(unit.sub_wrapping(rest)));
            (quotient, half, !quotient.mod_checked(two).ok()?.is_zero())
        }
    };
    let rounded = match (mode.moves_away(rest, negative, odd), negative) {
        (false, _) => quotient,
        (true, false) => quotient.add_checked(T::ONE).ok()?,
        (true, true) => quotient.sub_checked(T::ONE).ok()?,
    };
    if rounded.is_zero() {
        return Some(0);
    }
    let missing = u32::try_from(i32::from(MONEY_SCALE) - scale.min(decimals)).ok()?;
    let money = rounded.mul_checked(T::TEN.pow_checked(missing).ok()?).ok()?.to_money()?;
    (money.unsigned_abs() < POWERS_OF_TEN[usize::from(MONEY_PRECISION)].unsigned_abs()).then_some(money)
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    match arguments.data_type(0) {
        Some(DataType::Decimal256(_, scale)) => {
            let amounts = arguments.numbers::<Decimal256Type>(0)?;
            round_rows(arguments, |row| amounts.get(row), i32::from(*scale))
        }
        Some(DataType::Decimal128(_, scale)) => {
            let amounts = arguments.numbers::<Decimal128Type>(0)?;
            round_rows(arguments, |row| amounts.get(row), i32::from(*scale))
        }
        _ => Err(failed(NAME, "`amount` must be a decimal; cast it")),
    }
}

/// Rounds all rows of a call.
fn round_rows<T: Unscaled>(
    arguments: &Arguments,
    amount: impl Fn(usize) -> Option<T>,
    scale: i32,
) -> Result<ArrayRef> {
    let decimals = arguments.numbers::<Int32Type>(1)?;
    let modes = arguments.texts(2)?;
    let mut rounded = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let Some(amount) = amount(row) else {
            rounded.push(None);
            continue;
        };
        let decimals = match decimals.get(row) {
            Some(decimals @ -12..=12) => decimals,
            Some(decimals) => {
                return Err(failed(NAME, format_args!("`decimals` is {decimals}; use -12 to 12")));
            }
            None => return Err(failed(NAME, "`decimals` is null; use -12 to 12")),
        };
        let mode = Mode::parse(modes.get(row)).map_err(|what| failed(NAME, what))?;
        match round(amount, scale, decimals, mode) {
            Some(money) => rounded.push(Some(money)),
            None => {
                let what = format!("an amount rounded to {decimals} decimals does not fit decimal(38, 12)");
                return Err(failed(NAME, what));
            }
        }
    }
    Ok(Arc::new(Decimal128Array::from(rounded).with_data_type(MONEY)))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    fn rounded(amount: &str, decimals: i32, mode: &str) -> String {
        value(&format!("round_money({amount}, {decimals}, '{mode}')")).unwrap_or_else(|error| error)
    }

    #[test]
    fn halves() {
        for (amount, decimals, up, even) in [
            ("0.335", 2, "0.340000000000", "0.340000000000"),
            ("0.325", 2, "0.330000000000", "0.320000000000"),
            ("-0.325", 2, "-0.330000000000", "-0.320000000000"),
            ("0.3249999", 2, "0.320000000000", "0.320000000000"),
            ("0.3250001", 2, "0.330000000000", "0.330000000000"),
            ("-0.3250001", 2, "-0.330000000000", "-0.330000000000"),
            ("2.5", 0, "3.000000000000", "2.000000000000"),
            ("3.5", 0, "4.000000000000", "4.000000000000"),
            ("25", -1, "30.000000000000", "20.000000000000"),
            ("-4", -1, "0.000000000000", "0.000000000000"),
            ("1.234", 2, "1.230000000000", "1.230000000000"),
            ("1.23", 2, "1.230000000000", "1.230000000000"),
            ("1.23", 12, "1.230000000000", "1.230000000000"),
            ("499999999999", -12, "0.000000000000", "0.000000000000"),
            ("500000000000", -12, "1000000000000.000000000000", "0.000000000000"),
            // Rounded once: by way of 12 places this would become 0.01.
            ("0.0049999999999999", 2, "0.000000000000", "0.000000000000"),
            ("cast(0.0049999999999999 as decimal(76, 60))", 2, "0.000000000000", "0.000000000000"),
            ("cast(-0.005 as decimal(76, 60))", 2, "-0.010000000000", "0.000000000000"),
            ("cast(0.07 as decimal(38, 38))", 1, "0.100000000000", "0.100000000000"),
        ] {
            assert_eq!(rounded(amount, decimals, "half_up"), up, "{amount}");
            assert_eq!(rounded(amount, decimals, "half_even"), even, "{amount}");
        }
    }

    #[test]
    fn to_one_side() {
        for (amount, decimals, up, down) in [
            ("1.001", 2, "1.010000000000", "1.000000000000"),
            ("-1.009", 2, "-1.000000000000", "-1.010000000000"),
            ("1.01", 2, "1.010000000000", "1.010000000000"),
            ("123.456", -2, "200.000000000000", "100.000000000000"),
            ("0", -2, "0.000000000000", "0.000000000000"),
        ] {
            assert_eq!(rounded(amount, decimals, "ceil"), up, "{amount}");
            assert_eq!(rounded(amount, decimals, "floor"), down, "{amount}");
        }
    }

    #[test]
    fn per_row() {
        let sql = "select round_money(amount, decimals, mode) from (values
            (2.345, 2, 'half_up'), (2.345, 2, 'half_even'), (2345.000, -1, 'half_even'), (null, 2, 'half_up'))
            as line(amount, decimals, mode)";
        assert_eq!(rows(sql).unwrap(), ["2.350000000000", "2.340000000000", "2340.000000000000", "null"]);
    }

    #[test]
    fn refused() {
        for (expression, message) in [
            (
                "round_money(1.5, 2, 'half_down')",
                "round_money: unknown mode `half_down`; use half_up, half_even, ceil or floor",
            ),
            ("round_money(1.5, 2, null)", "round_money: unknown mode `null`"),
            ("round_money(1.5, null, 'half_up')", "round_money: `decimals` is null"),
            ("round_money(1.5, 13, 'half_up')", "round_money: `decimals` is 13; use -12 to 12"),
            (
                "round_money(1.5::double, 2, 'half_up')",
                "round_money: `amount` must be a decimal, not Float64; cast it",
            ),
            ("round_money(99999999999999999999999999.9, 0, 'half_up')", "does not fit decimal(38, 12)"),
            (
                "round_money(cast(1 as decimal(38, 0)) * 1000000000000000000000000000, 0, 'half_up')",
                "does not fit",
            ),
        ] {
            let error = value(expression).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
