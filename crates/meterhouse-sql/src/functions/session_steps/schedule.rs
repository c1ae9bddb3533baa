//! Windows of the clock and the rates in each.

use std::ops::Range;

use arrow::array::{Decimal128Array, Int32Array, Time64MicrosecondArray};
use datafusion::common::Result;

use super::super::arguments::{Column, Kind, Lists, Rows};
use crate::cycle::LocalDate;

/// Microseconds in a day of 24 hours.
const DAY: i64 = 86_400_000_000;

/// What each rate of a schedule says.
pub(super) const RATE: [(&str, Kind); 8] = [
    ("window_number", Kind::WholeNumber),
    ("weekdays", Kind::WholeNumbers),
    ("months", Kind::WholeNumbers),
    ("month_days", Kind::WholeNumbers),
    ("start_time", Kind::TimeOfDay),
    ("rate_number", Kind::WholeNumber),
    ("elapsed_from", Kind::Money),
    ("increment", Kind::Money),
];

/// The schedules of all rows, column by column.
pub(super) struct Schedules {
    lists: Rows,
    windows: Column<Int32Array>,
    weekdays: Lists,
    months: Lists,
    month_days: Lists,
    starts: Column<Time64MicrosecondArray>,
    rates: Column<Int32Array>,
    elapsed: Column<Decimal128Array>,
    increments: Column<Decimal128Array>,
}

impl Schedules {
    pub(super) fn new(lists: Rows) -> Result<Self> {
        Ok(Self {
            windows: lists.numbers("window_number")?,
            weekdays: lists.lists("weekdays")?,
            months: lists.lists("months")?,
            month_days: lists.lists("month_days")?,
            starts: lists.numbers("start_time")?,
            rates: lists.numbers("rate_number")?,
            elapsed: lists.numbers("elapsed_from")?,
            increments: lists.numbers("increment")?,
            lists,
        })
    }

    /// The rates of a row's schedule; `None` where it has none.
    pub(super) fn of(&self, row: usize) -> Option<Range<usize>> {
        self.lists.range(row)
    }

    /// The window, the rate and the increment in force at a local time, after so many seconds: of the first window
    /// that holds the first rate that is reached. Seconds and increments are unscaled `decimal(38, 12)`.
    pub(super) fn step_at(
        &self,
        mut schedule: Range<usize>,
        local: i64,
        elapsed: i128,
    ) -> Option<(i32, i32, i128)> {
        let days = local.div_euclid(DAY);
        let (_, month, day) = LocalDate::from_days(i32::try_from(days).ok()?).year_month_day();
        // 1970-01-01 was a Thursday.
        let weekday = (days + 3).rem_euclid(7) + 1;
        let time = local.rem_euclid(DAY);
        let holds =
            |list: &[i32], value: i64| list.is_empty() || list.iter().any(|one| i64::from(*one) == value);
        let first = schedule.find(|&rate| {
            self.starts.get(rate).is_some_and(|start| start <= time)
                && holds(self.weekdays.get(rate), weekday)
                && holds(self.months.get(rate), month)
                && holds(self.month_days.get(rate), day)
        })?;
        let window = self.windows.get(first)?;
        let mut rates = (first..schedule.end).take_while(|&rate| self.windows.get(rate) == Some(window));
        let rate = rates.find(|&rate| self.elapsed.get(rate).is_some_and(|from| from <= elapsed))?;
        let increment = self.increments.get(rate).filter(|increment| *increment > 0)?;
        Some((window, self.rates.get(rate)?, increment))
    }
}
