//! Exact decimals and times, as the cases write them.

use std::fmt;

/// Decimal places kept: more than any case has.
const SCALE: u32 = 18;

/// An exact decimal of up to 20 digits before the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub i128);

impl Decimal {
    pub const ZERO: Self = Self(0);

    /// Reads `-1.50`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > SCALE as usize {
            return None;
        }
        let text = format!("{whole}{fraction:0<width$}", width = SCALE as usize);
        let value: i128 = text.parse().ok()?;
        Some(Self(if negative { -value } else { value }))
    }

    /// To so many decimals; half up goes away from zero.
    pub fn round(self, decimals: u32, mode: &str) -> Self {
        let Some(surplus) = SCALE.checked_sub(decimals) else { return self };
        let unit = 10_i128.pow(surplus);
        let (quotient, rest) = (self.0.div_euclid(unit), self.0.rem_euclid(unit));
        let up = match mode {
            "ceil" => rest > 0,
            "floor" => false,
            _ if self.0 < 0 => rest * 2 > unit,
            _ => rest * 2 >= unit,
        };
        Self((quotient + i128::from(up)) * unit)
    }

    /// A hundredth of it.
    pub fn percent(self) -> Self {
        Self(self.0 / 100)
    }
}

impl std::ops::Add for Decimal {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for Decimal {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::iter::Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, |total, value| total + value)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.pow(SCALE);
        let (whole, fraction) = (self.0.unsigned_abs() / unit, self.0.unsigned_abs() % unit);
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = format!("{fraction:018}");
        match fraction.trim_end_matches('0') {
            "" => write!(out, "{sign}{whole}"),
            fraction => write!(out, "{sign}{whole}.{fraction}"),
        }
    }
}

/// Microseconds since 1970 of `2024-01-31T00:00:00Z` or `2024-01-31`.
pub fn instant(text: &str) -> Option<i64> {
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_string() };
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// An instant as the project's files write it.
pub fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|time| time.to_string()).unwrap_or_default()
}
