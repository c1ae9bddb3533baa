//! Calendars: time zones, written times, and the billing cycles of a contract.
//!
//! Instants are `i64` microseconds since 1970-01-01T00:00Z, as in all our tables. The rules of the time zones come
//! from jiff, which stays inside this module; they are laid out once per zone as a table of offsets, so that a lookup
//! is a binary search without locks. What always holds: the cycles of a contract tile its validity without gap or
//! overlap, and a boundary never depends on the boundary before it.

mod date;
mod instant;
mod zone;

pub use date::LocalDate;
pub use instant::parse_instant;
pub use zone::{TimeZone, ZoneLookup};

use date::{days_in_month, days_of};
use instant::shorten;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day of 24 hours.
const DAY: i64 = 86_400 * SECOND;
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
    /// The text names no cycle interval.
    #[error("unknown cycle interval `{0}`; use week, month, quarter or year")]
    UnknownInterval(String),
    /// A cycle would reach beyond what a calendar can say.
    #[error("the instant {0} (microseconds since 1970) is too far away for a calendar")]
    OutOfRange(i64),
}

/// How long a billing cycle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CycleInterval {
    /// Seven days.
    Week,
    /// One calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// Twelve calendar months.
    Year,
}

impl std::str::FromStr for CycleInterval {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text {
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            "quarter" => Ok(Self::Quarter),
            "year" => Ok(Self::Year),
            _ => Err(TimeError::UnknownInterval(shorten(text))),
        }
    }
}

impl CycleInterval {
    /// The length in months; `None` for a week.
    fn months(self) -> Option<i64> {
        match self {
            Self::Week => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Year => Some(12),
        }
    }
}

/// Where the billing cycles of a contract begin and end, its validity left aside.
///
/// Boundary k is local midnight at the start of the day anchor + k intervals, for all whole k, always counted from
/// the anchor; in a month that is too short it is the month's last day. So 31 January is followed by 28 February and
/// 31 March. Without an anchor, cycles follow the calendar: weeks from Monday, months from the 1st, quarters from
/// January, April, July and October, years from 1 January.
#[derive(Debug, Clone)]
pub struct CycleCalendar {
    interval: CycleInterval,
    anchor: LocalDate,
    zone: TimeZone,
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
    /// The boundary at or before `cycle_start`.
    pub full_start: i64,
    /// The boundary at or after `cycle_end`.
    pub full_end: i64,
}

impl CycleCalendar {
    /// Cycles of this interval, counted from `anchor`, or along the calendar without one, by the clocks of `zone`.
    pub fn new(interval: CycleInterval, anchor: Option<LocalDate>, zone: TimeZone) -> Self {
        // 1970-01-05 was a Monday, and 1970-01-01 begins a month, a quarter and a year.
        let calendar = LocalDate::from_days(if interval == CycleInterval::Week { 4 } else { 0 });
        Self { interval, anchor: anchor.unwrap_or(calendar), zone }
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
        let day = if k.abs_diff(0) > 1_000_000 { None } else { Some(self.boundary_day(k)) };
        match day.filter(|day| (-DAY_LIMIT..=DAY_LIMIT).contains(day)) {
            Some(day) => Ok(self.zone.start_of_day(day)),
            None => Err(TimeError::OutOfRange(if k < 0 { i64::MIN } else { i64::MAX })),
        }
    }

    fn boundary_day(&self, k: i64) -> i64 {
        match self.interval.months() {
            None => i64::from(self.anchor.days()) + 7 * k,
            Some(months) => {
                let (year, month, day) = self.anchor.year_month_day();
                let total = year * 12 + month - 1 + months * k;
                let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
                days_of(year, month, day.min(days_in_month(year, month)))
            }
        }
    }

    /// The k of the cycle that holds an instant: `boundary(k) <= instant < boundary(k + 1)`.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] more than 13,000 years from 1970.
    pub fn index_at(&self, instant: i64) -> Result<i64, TimeError> {
        let date = self.zone.local_date(instant)?;
        if i64::from(date.days()).abs() > DAY_LIMIT {
            return Err(TimeError::OutOfRange(instant));
        }
        let mut k = match self.interval.months() {
            None => (i64::from(date.days()) - i64::from(self.anchor.days())).div_euclid(7),
            Some(months) => {
                let (year, month, _) = date.year_month_day();
                let (anchor_year, anchor_month, _) = self.anchor.year_month_day();
                ((year - anchor_year) * 12 + month - anchor_month).div_euclid(months)
            }
        };
        // The estimate ignores the day of the month and skipped midnights: it is off by one at most.
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
        if from >= until {
            return Ok(Cycles {
                calendar: self,
                valid_from,
                valid_to,
                until,
                first: 0,
                k: 0,
                full_start: until,
            });
        }
        let first = self.index_at(valid_from)?;
        let k = if from == valid_from { first } else { self.index_at(from)? };
        Ok(Cycles { calendar: self, valid_from, valid_to, until, first, k, full_start: self.boundary(k)? })
    }
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
        if self.full_start >= self.until {
            return None;
        }
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
        Some(Ok(cycle))
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
mod tests {
    use CycleInterval::{Month, Quarter, Week, Year};
    use jiff::{Timestamp, civil};

    use super::*;
    use zone::tests::all_zones;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        parse_instant(text, &TimeZone::utc()).unwrap()
    }

    fn date(text: &str) -> LocalDate {
        LocalDate::from_days(i32::try_from(at(text) / DAY).unwrap())
    }

    fn starts(
        interval: CycleInterval,
        anchor: Option<&str>,
        name: &str,
        from: &str,
        count: usize,
    ) -> Vec<String> {
        let calendar = CycleCalendar::new(interval, anchor.map(date), zone(name));
        let cycles = calendar.cycles(at(from), None, at(from), i64::MAX).unwrap();
        let text =
            |micros| Timestamp::from_microsecond(micros).unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string();
        cycles.take(count).map(|cycle| text(cycle.unwrap().full_start)).collect()
    }

    #[test]
    fn worked_by_hand() {
        // EXAMPLES.md, section 10.
        let berlin = "Europe/Berlin";
        assert_eq!(
            starts(Month, Some("2024-10-31"), berlin, "2024-10-30T23:00Z", 6),
            [
                "2024-10-30T23:00Z",
                "2024-11-29T23:00Z",
                "2024-12-30T23:00Z",
                "2025-01-30T23:00Z",
                "2025-02-27T23:00Z",
                "2025-03-30T22:00Z",
            ]
        );
        assert_eq!(starts(Month, None, berlin, "2024-10-05", 2), ["2024-09-30T22:00Z", "2024-10-31T23:00Z"]);
        assert_eq!(starts(Week, None, "UTC", "2024-10-30", 2), ["2024-10-28T00:00Z", "2024-11-04T00:00Z"]);
        assert_eq!(starts(Week, Some("2024-10-31"), "UTC", "2024-10-30", 1), ["2024-10-24T00:00Z"]);
        assert_eq!(
            starts(Quarter, None, "America/New_York", "2024-03-31", 2),
            ["2024-01-01T05:00Z", "2024-04-01T04:00Z"]
        );
        // lago-cycle-anchor-010: before the anchor, counted backwards from it.
        assert_eq!(
            starts(Quarter, Some("2021-04-30"), "UTC", "2021-02-28", 3),
            ["2021-01-30T00:00Z", "2021-04-30T00:00Z", "2021-07-30T00:00Z",]
        );
        assert_eq!(
            starts(Year, Some("2024-02-29"), "UTC", "2024-02-29", 5),
            [
                "2024-02-29T00:00Z",
                "2025-02-28T00:00Z",
                "2026-02-28T00:00Z",
                "2027-02-28T00:00Z",
                "2028-02-29T00:00Z",
            ]
        );
        // Midnight of 2 September 2022 was skipped in Chile a week later: 11 September began at 01:00.
        assert_eq!(
            starts(Week, Some("2022-09-11"), "America/Santiago", "2022-09-12", 1),
            ["2022-09-11T04:00Z"]
        );
        // Samoa skipped 30 December 2011.
        assert_eq!(starts(Month, Some("2011-12-30"), "Pacific/Apia", "2011-12-31", 1), ["2011-12-30T10:00Z"]);
    }

    #[test]
    fn stubs_keep_their_full_boundaries() {
        let calendar = CycleCalendar::new(Month, None, TimeZone::utc());
        let (from, to) = (at("2024-01-15T12:00Z"), at("2024-03-10"));
        let cycles: Vec<_> =
            calendar.cycles(from, Some(to), i64::MIN, i64::MAX).unwrap().map(Result::unwrap).collect();
        let days = |cycle: &Cycle| [cycle.cycle_start, cycle.cycle_end, cycle.full_start, cycle.full_end];
        assert_eq!(days(&cycles[0]), [from, at("2024-02-01"), at("2024-01-01"), at("2024-02-01")]);
        assert_eq!(days(&cycles[2]), [at("2024-03-01"), to, at("2024-03-01"), at("2024-04-01")]);
        assert_eq!(cycles.iter().map(|cycle| cycle.number).collect::<Vec<_>>(), [0, 1, 2]);

        let window: Vec<_> = calendar
            .cycles(from, Some(to), at("2024-02-10"), at("2024-02-11"))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(window, [cycles[1]]);
        assert_eq!(calendar.cycles(from, Some(from), i64::MIN, i64::MAX).unwrap().count(), 0);
        assert_eq!(calendar.cycles(from, Some(to), to, i64::MAX).unwrap().count(), 0);
        assert!(calendar.cycles(i64::MIN, None, i64::MIN, i64::MAX).is_err());
        assert!(
            calendar.cycles(at("9999-12-01"), None, i64::MIN, i64::MAX).unwrap().any(|cycle| cycle.is_err())
        );
    }

    #[test]
    fn billing_periods() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(billing_period(at("2026-10-31T23:00Z"), &berlin).unwrap(), "2026-10");
        assert_eq!(billing_period(at("2026-10-31T23:00:00.000001Z"), &berlin).unwrap(), "2026-11");
        assert_eq!(berlin.local_period(at("2026-10-31T23:00Z")).unwrap(), "2026-11");
        assert!(billing_period(i64::MIN, &berlin).is_err());
    }

    /// Every zone, anchors on the 1st to 31st and none, every interval, twenty years: the cycles tile time, and every
    /// boundary is the first instant of the day that jiff's own calendar gives.
    #[test]
    fn cycles_tile_time() {
        let (from, to) = (at("2007-03-10T12:34:56Z"), at("2027-03-10T12:34:56Z"));
        let anchors: Vec<_> = (1..=31).map(|day| LocalDate::new(2016, 1, day)).chain([None]).collect();
        for (ours, rules) in all_zones() {
            for interval in [Week, Month, Quarter, Year] {
                for anchor in &anchors {
                    let calendar = CycleCalendar::new(interval, *anchor, ours.clone());
                    let mut previous: Option<Cycle> = None;
                    let mut count = 0;
                    for cycle in calendar.cycles(from, Some(to), i64::MIN, i64::MAX).unwrap() {
                        let cycle = cycle.unwrap();
                        let expected =
                            previous.map_or((from, cycle.full_start), |last| (last.cycle_end, last.full_end));
                        assert_eq!((cycle.cycle_start, cycle.full_start), expected);
                        assert!(cycle.full_start <= cycle.cycle_start && cycle.cycle_start < cycle.cycle_end);
                        assert_eq!(cycle.number, count);
                        assert_eq!(cycle.cycle_end, cycle.full_end.min(to));
                        previous = Some(cycle);
                        count += 1;
                    }
                    assert_eq!(previous.map(|last| last.cycle_end), Some(to));
                    assert!(count >= 20);
                }
            }
            let anchor = civil::date(2016, 1, 31);
            let calendar = CycleCalendar::new(Month, LocalDate::new(2016, 1, 31), ours.clone());
            for k in -108..=134 {
                let day = anchor + jiff::Span::new().months(k);
                let boundary = Timestamp::from_microsecond(calendar.boundary(i64::from(k)).unwrap()).unwrap();
                let before = boundary - jiff::SignedDuration::from_micros(1);
                assert!(rules.to_datetime(before).date() < day, "{} {day}", ours.name());
                assert!(rules.to_datetime(boundary).date() >= day, "{} {day}", ours.name());
            }
        }
    }
}
