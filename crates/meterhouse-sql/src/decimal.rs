//! Exact decimals from text: the one place where written digits become a number.
//!
//! Nothing is rounded and nothing goes through a double. What does not fit is refused, with the reason.

/// Why a text is not a decimal of the wanted precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with an optional sign, point and exponent.
    #[error("not a number")]
    NotANumber,
    /// A digit other than zero stands beyond the scale.
    #[error("more decimal places than fit")]
    SurplusDecimals,
    /// More digits in front of the point than the precision leaves room for.
    #[error("too large")]
    TooLarge,
}

/// The powers of ten that a 128-bit decimal can hold: `POWERS_OF_TEN[n]` is 10 to the n.
pub const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The most digits before the point that a number of a usage record has: a million of the largest can be summed in
/// 38 digits, 12 of them decimals.
pub const SUMMABLE_DIGITS: usize = 20;

/// Exponents are cut off here: far beyond any precision, far from the limits of `i64`.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000;

/// Reads a decimal exactly, as the unscaled integer of `decimal(precision, scale)`.
///
/// Accepts an optional sign, digits with an optional point (`5`, `5.0`, `.5`, `5.`) and an optional exponent.
/// Zeros beyond the scale are fine, any other digit there is an error, and so is everything that is not a
/// number in this sense: the empty text, spaces, `NaN`, `Infinity`, separators of thousands.
/// Precision is in digits, at most 38.
///
/// ```
/// use meterhouse_sql::decimal::{DecimalError, parse_decimal};
///
/// assert_eq!(parse_decimal("-1.50", 38, 2), Ok(-150));
/// assert_eq!(parse_decimal("1.5e3", 38, 2), Ok(150_000));
/// assert_eq!(parse_decimal("1.500", 38, 2), Ok(150));
/// assert_eq!(parse_decimal("1.505", 38, 2), Err(DecimalError::SurplusDecimals));
/// assert_eq!(parse_decimal("1000", 5, 2), Err(DecimalError::TooLarge));
/// assert_eq!(parse_decimal("1_000", 38, 2), Err(DecimalError::NotANumber));
/// ```
///
/// # Errors
/// The [`DecimalError`] that applies; a text that is too large and has surplus decimals is too large.
pub fn parse_decimal(text: &str, precision: u8, scale: i8) -> Result<i128, DecimalError> {
    if let Some(value) = parse_short(text.as_bytes(), precision, scale) {
        return Ok(value);
    }
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };

    // The significant digits run from the first to the last that is not zero. Zeros wait in `zeros_behind` until
    // another digit shows that they are inside, so `mantissa` never holds trailing zeros.
    let mut mantissa: i128 = 0;
    let mut significant: i64 = 0;
    let mut zeros_behind: i64 = 0;
    let mut any_digit = false;
    let mut decimals: Option<i64> = None;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                any_digit = true;
                if let Some(count) = &mut decimals {
                    *count += 1;
                }
                if *byte == b'0' {
                    zeros_behind += i64::from(mantissa != 0);
                } else {
                    significant += zeros_behind + 1;
                    if let (..=38, Ok(zeros)) = (significant, usize::try_from(zeros_behind)) {
                        mantissa = mantissa * POWERS_OF_TEN[zeros] * 10 + i128::from(byte - b'0');
                    }
                    zeros_behind = 0;
                }
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            b'e' | b'E' => break,
            _ => return Err(DecimalError::NotANumber),
        }
        rest = tail;
    }
    let exponent = parse_exponent(rest).ok_or(DecimalError::NotANumber)?;
    if !any_digit {
        return Err(DecimalError::NotANumber);
    }
    if mantissa == 0 {
        return Ok(0);
    }

    // The number is mantissa x 10^lowest; the digits before the point of the unscaled integer end at `highest`.
    let lowest = exponent - decimals.unwrap_or(0) + zeros_behind + i64::from(scale);
    let highest = lowest + significant;
    if highest > i64::from(precision.min(38)) {
        return Err(DecimalError::TooLarge);
    }
    let power = usize::try_from(lowest).map_err(|_| DecimalError::SurplusDecimals)?;
    // highest <= 38 bounds both factors: significant digits + power <= 38.
    let value = mantissa * POWERS_OF_TEN[power];
    Ok(if negative { -value } else { value })
}

/// The common case, a few plain digits, in machine words; `None` where the general way must decide.
fn parse_short(bytes: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value: i64 = 0;
    let mut point = None;
    for (position, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(position),
            _ => return None,
        }
    }
    let decimals = match point {
        Some(position) if digits.len() > 1 => digits.len() - 1 - position,
        Some(_) => return None,
        None => 0,
    };
    let power = usize::try_from(i64::from(scale) - i64::try_from(decimals).ok()?).ok()?;
    let value = POWERS_OF_TEN.get(power)?.checked_mul(i128::from(value))?;
    if value >= *POWERS_OF_TEN.get(usize::from(precision))? {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// The exponent of `e5`, `E-05`; nothing at all is 0; `None` for anything else.
fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [] => return Some(0),
        [_, b'-', rest @ ..] => (true, rest),
        [_, b'+', rest @ ..] | [_, rest @ ..] => (false, rest),
    };
    let mut exponent: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT);
    }
    (!digits.is_empty()).then_some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecimalError::{NotANumber, SurplusDecimals, TooLarge};

    #[test]
    fn numbers() {
        for (text, cents) in [
            ("0", 0),
            ("-0", 0),
            ("7", 700),
            ("+7", 700),
            ("007.10", 710),
            (".5", 50),
            ("5.", 500),
            ("-1.5", -150),
            ("1e2", 10_000),
            ("1.25E+1", 1_250),
            ("125e-2", 125),
            ("1000e-1", 10_000),
            ("0.0100000000000000000000000000000000000000000000000", 1),
            ("0e999999999999999999999", 0),
            ("0.0000e-99999999999999999999999", 0),
        ] {
            assert_eq!(parse_decimal(text, 38, 2), Ok(cents), "{text}");
        }
        assert_eq!(parse_decimal(&format!("1{}e-40", "0".repeat(40)), 38, 2), Ok(100));
    }

    #[test]
    fn refused() {
        for text in [
            "", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e5.0", "NaN", "Infinity", "inf", "1_000", " 1",
            "1 ", "1,5",
        ] {
            assert_eq!(parse_decimal(text, 38, 2), Err(NotANumber), "{text}");
        }
        for text in ["--1", "1.2.3", "0x10", "١", "1e--5", "+-1", "1e1e1"] {
            assert_eq!(parse_decimal(text, 38, 2), Err(NotANumber), "{text}");
        }
        for text in ["0.001", "1e-3", "-1.505", "0.00000000000000000000000000000000000000000000000001"] {
            assert_eq!(parse_decimal(text, 38, 2), Err(SurplusDecimals), "{text}");
        }
        for text in ["1e36", "1e999999999999999999999", "123456789012345678901234567890123456789"] {
            assert_eq!(parse_decimal(text, 38, 2), Err(TooLarge), "{text}");
        }
    }

    #[test]
    fn limits_of_precision() {
        let nines = "9".repeat(38);
        assert_eq!(parse_decimal(&nines, 38, 0), Ok(POWERS_OF_TEN[38] - 1));
        assert_eq!(parse_decimal(&format!("-{nines}"), 38, 0), Ok(1 - POWERS_OF_TEN[38]));
        assert_eq!(parse_decimal(&format!("1{}", "0".repeat(38)), 38, 0), Err(TooLarge));
        assert_eq!(
            parse_decimal(&format!("{}.{}", "9".repeat(26), "9".repeat(12)), 38, 12),
            Ok(POWERS_OF_TEN[38] - 1)
        );
        assert_eq!(parse_decimal("999.99", 5, 2), Ok(99_999));
        assert_eq!(parse_decimal("1000.00", 5, 2), Err(TooLarge));
        assert_eq!(parse_decimal("1200", 5, -2), Ok(12));
        assert_eq!(parse_decimal("1250", 5, -2), Err(SurplusDecimals));
    }
}
