//! Calendars: time zones, written times, and the billing cycles of a contract.
//!
//! Instants are `i64` microseconds since 1970-01-01T00:00Z, as in all our tables. The rules of the time zones come
//! from jiff, which stays inside this module; they are laid out once per zone as a table of offsets, so that a lookup
//! is a binary search without locks. What always holds: the cycles of a contract tile its validity without gap or
//! overlap, and a boundary never depends on the boundary before it.

mod date;
mod instant;
mod interval;
mod zone;

pub use date::LocalDate;
pub use instant::{Time, parse_instant, parse_time};
pub use interval::CycleInterval;
pub use zone::{TimeZone, ZoneLookup};

use date::{days_in_month, days_of};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day of 24 hours.
const DAY: i64 = 86_400 * SECOND;
/// The longest rest that [`FirstCycle::Joined`] joins: no two zones are further apart.
const JOINED_REST: i64 = 26 * 3_600 * SECOND;
/// Days from 1970 that cycles may reach, 13,000 years either way: all arithmetic on them stays within `i64`.
const DAY_LIMIT: i64 = 5_000_000;

/// What can be wrong with a zone, a time or an interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The time zone database has no zone of this name.
    #[error("unknown time zone `{0}`; use an IANA name such as Europe/Berlin or UTC")]
    UnknownZone(String),
    /// The text is not a time.
    #[error("`{text}` is not a time: {reason}")]
    NotATime {
        /// The text, cut off where it is long.
        text: String,
        /// What is wrong with it, and what is expected.
        reason: &'static str,
    },
    /// A day of the month that is none, or that the interval does not have.
    #[error("`billing_day` is {0}; use 1 to 31, with an interval of months")]
    NoBillingDay(i64),
    /// The text is no way to begin.
    #[error("unknown first cycle `{0}`; use anchored, unanchored or joined")]
    UnknownFirstCycle(String),
    /// The text names no cycle interval.
    #[error("unknown cycle interval `{0}`; use day, week, month, quarter or year, or several: 3 months")]
    UnknownInterval(String),
    /// A cycle would reach beyond what a calendar can say.
    #[error("the instant {0} (microseconds since 1970) is too far away for a calendar")]
    OutOfRange(i64),
}

/// What the first cycle is taken to be where a contract begins between two boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstCycle {
    /// A part of the cycle between these two boundaries.
    #[default]
    Anchored,
    /// A part of the cycle that begins one interval before the boundary it ends at, counted back from that date: a stub
    /// to 28 February, where cycles begin on the 31st, is a part of the 31 days from 28 January. (Kill Bill.)
    Unanchored,
    /// A whole cycle; and a rest of at most 26 hours is joined to the cycle after it: so cycles go on where those of an
    /// earlier time zone ended. (Lago.)
    Joined,
}

impl std::str::FromStr for FirstCycle {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text {
            "anchored" => Ok(Self::Anchored),
            "unanchored" => Ok(Self::Unanchored),
            "joined" => Ok(Self::Joined),
            _ => Err(TimeError::UnknownFirstCycle(instant::shorten(text))),
        }
    }
}

/// Where the billing cycles of a contract begin and end, its validity left aside.
///
/// Boundary k is local midnight at the start of the day anchor + k intervals, for all whole k, always counted from
/// the anchor; in a month that is too short it is the month's last day. So 31 January is followed by 28 February and
/// 31 March. Without an anchor, cycles follow the calendar: weeks from Monday, months from the 1st, quarters from
/// January, April, July and October, years from 1 January. An anchor that is an instant keeps its local time of day.
#[derive(Debug, Clone)]
pub struct CycleCalendar {
    interval: CycleInterval,
    /// Months since the year 0, and the day of the month, which that month may be too short for.
    anchor: (i64, i64),
    /// The exact instant of the anchor and its local time of day.
    exact: Option<(i64, i64)>,
    zone: TimeZone,
    first: FirstCycle,
}

/// One billing cycle of a contract. All times are instants; ends are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// 0 for the cycle that holds the contract's first instant.
    pub number: i64,
    /// Where it begins: `full_start`, or the contract's first instant in between.
    pub cycle_start: i64,
    /// Where it ends: `full_end`, or the contract's end in between.
    pub cycle_end: i64,
    /// The boundary at or before `cycle_start`; for the first cycle what [`FirstCycle`] says.
    pub full_start: i64,
    /// The boundary at or after `cycle_end`.
    pub full_end: i64,
}

/// The month, counted from the year 0, and the day of the month of a date.
fn month_and_day(date: LocalDate) -> (i64, i64) {
    let (year, month, day) = date.year_month_day();
    (year * 12 + month - 1, day)
}

/// The day of a month counted from the year 0, or its last one.
fn clamped_day(month: i64, day: i64) -> i64 {
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    days_of(year, month, day.min(days_in_month(year, month)))
}

impl CycleCalendar {
    /// Cycles of this interval, counted from `anchor`, or along the calendar without one, by the clocks of `zone`.
    pub fn new(interval: CycleInterval, anchor: Option<LocalDate>, zone: TimeZone) -> Self {
        // 1970-01-05 was a Monday, and 1970-01-01 begins a month, a quarter and a year.
        let calendar = LocalDate::from_days(if interval.is_weekly() { 4 } else { 0 });
        let anchor = month_and_day(anchor.unwrap_or(calendar));
        Self { interval, anchor, exact: None, zone, first: FirstCycle::Anchored }
    }

    /// The same, counted from an exact instant.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] more than 13,000 years from 1970.
    pub fn anchored_at(mut self, instant: i64) -> Result<Self, TimeError> {
        let local = self.zone.local_time(in_range(instant)?)?;
        self.anchor = month_and_day(self.zone.local_date(instant)?);
        self.exact = Some((instant, local.rem_euclid(DAY)));
        Ok(self)
    }

    /// The same, on a day of the month, counted from the local month of an instant.
    ///
    /// # Errors
    /// [`TimeError::NoBillingDay`] where the interval is not one of months or there is no such day.
    pub fn on_billing_day(mut self, day: i64, instant: i64) -> Result<Self, TimeError> {
        if !(1..=31).contains(&day) || self.interval.months == 0 {
            return Err(TimeError::NoBillingDay(day));
        }
        self.anchor = (month_and_day(self.zone.local_date(in_range(instant)?)?).0, day);
        Ok(self)
    }

    /// The same, with another first cycle.
    pub fn beginning(mut self, first: FirstCycle) -> Self {
        self.first = first;
        self
    }

    /// The zone whose midnights are the boundaries.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The instant of boundary k: the local start of the day anchor + k intervals.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] more than 13,000 years from 1970.
    pub fn boundary(&self, k: i64) -> Result<i64, TimeError> {
        let far = || TimeError::OutOfRange(if k < 0 { i64::MIN } else { i64::MAX });
        if k.abs_diff(0) > 10_000_000_000 {
            return Err(far());
        }
        let (month, day) = self.anchor;
        let day = clamped_day(month + self.interval.months * k, day) + self.interval.days * k;
        self.start_on(day)
            .zip(self.interval.seconds.checked_mul(k).and_then(|seconds| seconds.checked_mul(SECOND)))
            .and_then(|(start, elapsed)| start.checked_add(elapsed))
            .filter(|instant| in_range(*instant).is_ok())
            .ok_or_else(far)
    }

    /// Where a cycle begins on a local day; none where it is too far away.
    fn start_on(&self, day: i64) -> Option<i64> {
        (-DAY_LIMIT..=DAY_LIMIT).contains(&day).then(|| match self.exact {
            None => self.zone.start_of_day(day),
            Some((instant, _)) if self.interval.is_elapsed() => instant,
            Some((_, time_of_day)) => self.zone.instant_of(day * DAY + time_of_day),
        })
    }

    /// The k of the cycle that holds an instant: `boundary(k) <= instant < boundary(k + 1)`.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] more than 13,000 years from 1970.
    pub fn index_at(&self, instant: i64) -> Result<i64, TimeError> {
        let since = in_range(instant)? - self.boundary(0)?;
        // By mean months the estimate is off by a few at most.
        let mut k = since.div_euclid(self.interval.mean_seconds() * SECOND);
        while self.boundary(k)? > instant {
            k -= 1;
        }
        while self.boundary(k + 1)? <= instant {
            k += 1;
        }
        Ok(k)
    }

    /// The cycles of a contract valid in `[valid_from, valid_to)` that overlap `[from, until)`, in order of time. They
    /// are cut to the contract's validity, not to the window. An empty validity or window has none.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`], here or from the iterator, more than 13,000 years from 1970.
    pub fn cycles(
        &self,
        valid_from: i64,
        valid_to: Option<i64>,
        from: i64,
        until: i64,
    ) -> Result<Cycles<'_>, TimeError> {
        let valid_to = valid_to.unwrap_or(i64::MAX);
        let (from, until) = (from.max(valid_from), until.min(valid_to));
        let mut cycles =
            Cycles { calendar: self, valid_from, valid_to, until, first: 0, k: 0, full_start: until };
        if from >= until {
            return Ok(cycles);
        }
        let mut first = self.index_at(valid_from)?;
        let mut first_start = self.boundary(first)?;
        if first_start < valid_from {
            let first_end = self.boundary(first + 1)?;
            match self.first {
                FirstCycle::Anchored => {}
                FirstCycle::Unanchored => {
                    let (month, day) = month_and_day(self.zone.local_date(first_end)?);
                    let day = clamped_day(month - self.interval.months, day) - self.interval.days;
                    first_start = self.start_on(day).ok_or(TimeError::OutOfRange(first_end))?;
                }
                FirstCycle::Joined => {
                    first_start = valid_from;
                    first += i64::from(first_end - valid_from <= JOINED_REST);
                }
            }
        }
        cycles.first = first;
        cycles.k = if from == valid_from { first } else { self.index_at(from)?.max(first) };
        cycles.full_start = if cycles.k == first { first_start } else { self.boundary(cycles.k)? };
        Ok(cycles)
    }
}

/// The instant, if a calendar can say it.
fn in_range(instant: i64) -> Result<i64, TimeError> {
    let limit = (DAY_LIMIT * DAY).unsigned_abs();
    if instant.unsigned_abs() <= limit { Ok(instant) } else { Err(TimeError::OutOfRange(instant)) }
}

/// An iterator over the cycles of a contract; see [`CycleCalendar::cycles`].
#[derive(Debug)]
pub struct Cycles<'a> {
    calendar: &'a CycleCalendar,
    valid_from: i64,
    valid_to: i64,
    until: i64,
    first: i64,
    k: i64,
    full_start: i64,
}

impl Iterator for Cycles<'_> {
    type Item = Result<Cycle, TimeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.full_start < self.until {
            let full_start = self.full_start;
            let full_end = match self.calendar.boundary(self.k + 1) {
                Ok(full_end) => full_end,
                Err(error) => {
                    self.full_start = self.until;
                    return Some(Err(error));
                }
            };
            let cycle = Cycle {
                number: self.k - self.first,
                cycle_start: full_start.max(self.valid_from),
                cycle_end: full_end.min(self.valid_to),
                full_start,
                full_end,
            };
            self.k += 1;
            self.full_start = full_end;
            // A day that the clocks of a place skipped has no cycle of its own.
            if full_start < full_end {
                return Some(Ok(cycle));
            }
        }
        None
    }
}

/// The billing period of a cycle, such as `2026-10`: the local month of the instant just before `cycle_end`.
///
/// # Errors
/// [`TimeError::OutOfRange`] at the very ends of the 64-bit range.
pub fn billing_period(cycle_end: i64, zone: &TimeZone) -> Result<String, TimeError> {
    zone.local_period(cycle_end.checked_sub(1).ok_or(TimeError::OutOfRange(cycle_end))?)
}

#[cfg(test)]
mod tests;
