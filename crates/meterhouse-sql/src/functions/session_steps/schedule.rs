//! Windows of the clock and the rates in each, read from text.

use super::super::arguments::{MONEY_PRECISION, MONEY_SCALE};
use crate::cycle::LocalDate;
use crate::decimal::parse_decimal;

/// Microseconds in a day of 24 hours.
const DAY: i64 = 86_400_000_000;

/// The windows of a schedule, the strongest first.
pub(super) struct Schedule(Vec<Window>);

/// When a window is in force, as lists of which an empty one means all, and its rates by where they begin.
struct Window {
    number: i32,
    weekdays: Vec<i64>,
    months: Vec<i64>,
    month_days: Vec<i64>,
    /// Microseconds after local midnight.
    start: i64,
    weight: i64,
    /// Number, elapsed seconds from which it counts, and increment; unscaled `decimal(38, 12)`, the increment positive.
    rates: Vec<(i32, i128, i128)>,
}

impl Schedule {
    /// The schedule that a text writes; `None` where it writes none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut windows: Vec<Window> = text.split(';').map(Window::parse).collect::<Option<_>>()?;
        windows.sort_by_key(|window| (-window.weight, -window.start, window.number));
        Some(Self(windows))
    }

    /// The window, the rate and the increment in force at a local time, after so many seconds.
    pub(super) fn step_at(&self, local: i64, elapsed: i128) -> Option<(i32, i32, i128)> {
        let days = local.div_euclid(DAY);
        let date = LocalDate::from_days(i32::try_from(days).ok()?);
        let (_, month, day) = date.year_month_day();
        // 1970-01-01 was a Thursday.
        let weekday = (days + 3).rem_euclid(7) + 1;
        let time = local.rem_euclid(DAY);
        let holds = |list: &[i64], value: i64| list.is_empty() || list.contains(&value);
        let window = self.0.iter().find(|window| {
            window.start <= time
                && holds(&window.weekdays, weekday)
                && holds(&window.months, month)
                && holds(&window.month_days, day)
        })?;
        let (rate, _, increment) = window.rates.iter().rev().find(|(_, from, _)| *from <= elapsed)?;
        Some((window.number, *rate, *increment))
    }
}

impl Window {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let [number, weekdays, months, month_days, start, weight, rates] = parts.as_slice() else {
            return None;
        };
        let mut clock = start.split(':').map(|part| part.parse::<i64>().ok());
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
        let mut rates: Vec<_> = rates.split(',').map(rate).collect::<Option<_>>()?;
        rates.sort_by_key(|(number, from, _)| (*from, *number));
        Some(Self {
            number: number.parse().ok()?,
            weekdays: list(weekdays)?,
            months: list(months)?,
            month_days: list(month_days)?,
            start: ((hour * 60 + minute) * 60 + second) * 1_000_000,
            weight: weight.parse().ok()?,
            rates,
        })
    }
}

fn list(text: &str) -> Option<Vec<i64>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|number| number.trim().parse().ok()).collect()
}

fn rate(text: &str) -> Option<(i32, i128, i128)> {
    let decimal = |text| parse_decimal(text, MONEY_PRECISION, MONEY_SCALE).ok();
    let mut parts = text.split(':');
    let (number, from) = (parts.next()?.parse().ok()?, decimal(parts.next()?)?);
    let increment = decimal(parts.next()?).filter(|increment| *increment > 0)?;
    parts.next().is_none().then_some((number, from, increment))
}
