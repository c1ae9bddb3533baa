//! How long a billing cycle is, as a contract writes it.

use super::TimeError;
use super::instant::shorten;

/// The length of a billing cycle: whole months, days and seconds, counted in this order. It is never nothing.
///
/// Written as a unit, `month`, as a number and a unit, `3 months`, or as several of them, `1 month 15 days`. Units are
/// second, minute, hour, day, week, month, quarter and year. Months are those of the calendar and days those of the
/// local clock; hours, minutes and seconds are elapsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CycleInterval {
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) seconds: i64,
}

/// The longest that an interval may be in each of its parts: more than 1,000 years.
const LIMITS: [i64; 3] = [12_000, 400_000, 40_000_000_000];

impl CycleInterval {
    /// Seven days.
    pub const WEEK: Self = Self { months: 0, days: 7, seconds: 0 };
    /// One calendar month.
    pub const MONTH: Self = Self { months: 1, days: 0, seconds: 0 };
    /// Three calendar months.
    pub const QUARTER: Self = Self { months: 3, days: 0, seconds: 0 };
    /// Twelve calendar months.
    pub const YEAR: Self = Self { months: 12, days: 0, seconds: 0 };

    /// The mean length in seconds: a month is a 4,800th of 400 years.
    pub(super) fn mean_seconds(self) -> i64 {
        self.months * 2_629_746 + self.days * 86_400 + self.seconds
    }

    /// Whether it is counted in weeks alone, so that the calendar's cycles begin on Mondays.
    pub(super) fn is_weekly(self) -> bool {
        self.months == 0 && self.seconds == 0 && self.days % 7 == 0
    }

    /// Whether it is elapsed time alone, whatever the clocks do.
    pub(super) fn is_elapsed(self) -> bool {
        self.months == 0 && self.days == 0
    }
}

impl std::str::FromStr for CycleInterval {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let unknown = || TimeError::UnknownInterval(shorten(text));
        let mut parts = [0_i64; 3];
        let mut words = text.split(' ');
        while let Some(word) = words.next() {
            let (count, unit) = match word.parse::<i64>() {
                Ok(count) if !(0..=LIMITS[2]).contains(&count) => return Err(unknown()),
                Ok(count) => (count, words.next().ok_or_else(unknown)?),
                Err(_) => (1, word),
            };
            let (part, size) = match unit.strip_suffix('s').unwrap_or(unit) {
                "second" => (2, 1),
                "minute" => (2, 60),
                "hour" => (2, 3_600),
                "day" => (1, 1),
                "week" => (1, 7),
                "month" => (0, 1),
                "quarter" => (0, 3),
                "year" => (0, 12),
                _ => return Err(unknown()),
            };
            parts[part] += count * size;
        }
        if parts == [0; 3] || parts.iter().zip(LIMITS).any(|(part, limit)| *part > limit) {
            return Err(unknown());
        }
        let [months, days, seconds] = parts;
        Ok(Self { months, days, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        for (text, months, days, seconds) in [
            ("week", 0, 7, 0),
            ("month", 1, 0, 0),
            ("3 months", 3, 0, 0),
            ("1 year 2 weeks 1 hour", 12, 14, 3_600),
            ("2678400 seconds", 0, 0, 2_678_400),
            ("9999999999 seconds", 0, 0, 9_999_999_999),
        ] {
            assert_eq!(text.parse(), Ok(CycleInterval { months, days, seconds }), "{text}");
        }
        for text in [
            "",
            "fortnight",
            "0 days",
            "3",
            "month 3",
            "-1 month",
            "9999999 months",
            "1  day",
            "99999999999 seconds",
        ] {
            assert!(text.parse::<CycleInterval>().is_err(), "{text}");
        }
    }
}
