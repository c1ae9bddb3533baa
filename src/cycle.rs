//! Calendars: time zones, written times, and the billing cycles of a contract.
//!
//! Instants are `i64` microseconds since 1970-01-01T00:00Z, as in all our tables. The rules of the time zones come
//! from jiff, which stays inside this module; they are laid out once per zone as a table of offsets, so that a lookup
//! is a binary search without locks. What always holds: the cycles of a contract tile its validity without gap or
//! overlap, and a boundary never depends on the boundary before it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day of 24 hours.
const DAY: i64 = 86_400 * SECOND;
/// After this many microseconds, 400 years, dates and weekdays repeat, and so do the rules of all time zones.
const CALENDAR_PERIOD: i64 = 146_097 * DAY;
/// 2100-01-01T00:00Z: from here on every zone follows a yearly rule.
const REPEATS_FROM: i64 = 47_482 * DAY;
/// 2500-01-01T00:00Z: from here on instants are looked up a multiple of 400 years earlier.
const TABLE_END: i64 = REPEATS_FROM + CALENDAR_PERIOD;
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

/// A time zone of the IANA database; cheap to clone.
#[derive(Clone)]
pub struct TimeZone(Arc<Zone>);

/// The offsets of a zone: spans are in order, and the first begins with time itself.
struct Zone {
    name: String,
    spans: Vec<Span>,
}

/// A time during which the offset does not change.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// When it begins, an instant.
    start: i64,
    /// Which wall-clock times are its own: those before this one, in microseconds, that no earlier span has.
    local_end: i64,
    /// Wall clock minus UTC, in microseconds.
    offset: i64,
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TimeZone({})", self.0.name)
    }
}

/// The rules in use: those built into the program where it has them, so that two machines agree; else the system's.
static RULES: LazyLock<TimeZoneDatabase> = LazyLock::new(|| {
    let bundled = TimeZoneDatabase::bundled();
    if bundled.is_definitively_empty() { jiff::tz::db().clone() } else { bundled }
});

/// Zones asked for so far. It holds no more than the database does, times the ways to write a name.
static ZONES: LazyLock<RwLock<HashMap<String, TimeZone>>> = LazyLock::new(RwLock::default);

impl TimeZone {
    /// The zone of this IANA name, in any case. Names that mean another thing on each machine are not zones.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`].
    pub fn get(name: &str) -> Result<Self, TimeError> {
        if let Some(zone) = ZONES.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(zone.clone());
        }
        let zone = Self::load(name).ok_or_else(|| TimeError::UnknownZone(shorten(name)))?;
        let mut zones = ZONES.write().unwrap_or_else(PoisonError::into_inner);
        Ok(zones.entry(name.to_owned()).or_insert(zone).clone())
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        static UTC: LazyLock<TimeZone> =
            LazyLock::new(|| TimeZone::from_rules("UTC", &jiff::tz::TimeZone::UTC));
        UTC.clone()
    }

    /// The name as the database spells it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    fn load(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let local_to_machine =
            ["localtime", "posixrules", "factory", "etc/unknown"].contains(&lower.as_str());
        // `right/` counts leap seconds, which UTC microseconds do not.
        if local_to_machine || lower.starts_with("posix/") || lower.starts_with("right/") {
            return None;
        }
        let rules = RULES.get(name).ok().filter(|rules| !rules.is_unknown())?;
        Some(Self::from_rules(rules.iana_name().unwrap_or(name), &rules))
    }

    fn from_rules(name: &str, rules: &jiff::tz::TimeZone) -> Self {
        let micros = |seconds: i32| i64::from(seconds) * SECOND;
        let first = micros(rules.to_offset(Timestamp::MIN).seconds());
        let mut spans = vec![Span { start: i64::MIN, local_end: i64::MAX, offset: first }];
        for transition in rules.following(Timestamp::MIN) {
            let start = transition.timestamp().as_microsecond();
            if start >= TABLE_END {
                break;
            }
            let offset = micros(transition.offset().seconds());
            if let Some(last) = spans.last_mut().filter(|last| last.offset != offset) {
                // Where clocks fall back, both spans have some wall-clock times, and the earlier one keeps them.
                // Where they spring forward, neither has, and the earlier one takes them: its offset shifts them
                // forward by the length of the gap.
                last.local_end = start + last.offset.max(offset);
                spans.push(Span { start, local_end: i64::MAX, offset });
            }
        }
        Self(Arc::new(Zone { name: name.to_owned(), spans }))
    }

    /// Wall clock minus UTC at an instant, in microseconds.
    pub fn offset_at(&self, instant: i64) -> i64 {
        let instant = instant - repeated(instant);
        match self.0.spans.as_slice() {
            [only] => only.offset,
            spans => spans[spans.partition_point(|span| span.start <= instant) - 1].offset,
        }
    }

    /// The wall-clock time at an instant, in microseconds since 1970-01-01T00:00 on that clock.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] at the very ends of the 64-bit range.
    pub fn local_time(&self, instant: i64) -> Result<i64, TimeError> {
        instant.checked_add(self.offset_at(instant)).ok_or(TimeError::OutOfRange(instant))
    }

    /// The local day at an instant.
    ///
    /// # Errors
    /// As [`Self::local_time`].
    pub fn local_date(&self, instant: i64) -> Result<LocalDate, TimeError> {
        let days = self.local_time(instant)?.div_euclid(DAY);
        i32::try_from(days).map(LocalDate).map_err(|_| TimeError::OutOfRange(instant))
    }

    /// The local month at an instant, such as `2026-10`.
    ///
    /// # Errors
    /// As [`Self::local_time`].
    pub fn local_period(&self, instant: i64) -> Result<String, TimeError> {
        let (year, month, _) = self.local_date(instant)?.year_month_day();
        Ok(format!("{year:04}-{month:02}"))
    }

    /// The instant of a wall-clock time. Where clocks fall back it is the earlier one; a time that the clocks skip is
    /// shifted forward by as much as they skip.
    fn instant_of(&self, local: i64) -> i64 {
        local - self.span_of(local).0.offset
    }

    /// The first instant of a local day. It is midnight, or where the clocks skip midnight the moment they do so.
    fn start_of_day(&self, days: i64) -> i64 {
        let midnight = days * DAY;
        let (span, next_start) = self.span_of(midnight);
        (midnight - span.offset).min(next_start)
    }

    /// The span that a wall-clock time belongs to, and the instant the next one begins.
    fn span_of(&self, local: i64) -> (Span, i64) {
        let shift = repeated(local);
        let spans = self.0.spans.as_slice();
        let index = match spans {
            [_] => 0,
            _ => spans.partition_point(|span| span.local_end <= local - shift),
        };
        (spans[index], spans.get(index + 1).map_or(i64::MAX, |next| next.start + shift))
    }
}

/// By how much to go back to look a time up in the table: a multiple of 400 years.
fn repeated(time: i64) -> i64 {
    if time < TABLE_END { 0 } else { (time - REPEATS_FROM) / CALENDAR_PERIOD * CALENDAR_PERIOD }
}

/// Looks zones up row by row, where neighbours mostly have the same one.
#[derive(Debug, Default)]
pub struct ZoneLookup {
    last: Option<(String, TimeZone)>,
}

impl ZoneLookup {
    /// The zone of this name, as [`TimeZone::get`].
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`].
    pub fn get(&mut self, name: &str) -> Result<&TimeZone, TimeError> {
        let known = self.last.take().filter(|(last, _)| last == name);
        let entry = match known {
            Some(entry) => entry,
            None => (name.to_owned(), TimeZone::get(name)?),
        };
        Ok(&self.last.insert(entry).1)
    }
}

/// A day on the calendar, in no particular time zone: days since 1970-01-01, as in a `date` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDate(i32);

impl LocalDate {
    /// The date so many days after 1970-01-01.
    pub fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        self.0
    }

    /// The date of this year, month (1 to 12) and day of the month, if there is one.
    pub fn new(year: i16, month: u8, day: u8) -> Option<Self> {
        let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then(|| i32::try_from(days_of(year, month, day)).ok().map(Self)).flatten()
    }

    /// Year, month (1 to 12) and day of the month. From H. Hinnant, "chrono-compatible low-level date algorithms",
    /// `civil_from_days`: years begin in March, so that the leap day is the last.
    fn year_month_day(self) -> (i64, i64, i64) {
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }
}

/// Days since 1970-01-01 of an existing date; `days_from_civil` of the same source.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads a time written as in ISO 8601, to an instant in microseconds.
///
/// `2018-12-01T23:59:59.123456`, with `T` or a space, with any number of decimals as long as those beyond
/// microseconds are zero, with `Z`, an offset (`+01:00`, `+0100`, `+01`) or nothing: then it is in `zone`. There,
/// where clocks fall back it is the earlier one, and a time that the clocks skip is shifted forward. Seconds may be
/// left out. A date alone is the first instant of that local day. Years are 0001 to 9999.
///
/// # Errors
/// [`TimeError::NotATime`] for anything else, and for times that do not exist: 30 February, 24:00, second 60.
pub fn parse_instant(text: &str, zone: &TimeZone) -> Result<i64, TimeError> {
    read_instant(text.as_bytes(), zone).map_err(|reason| TimeError::NotATime { text: shorten(text), reason })
}

fn read_instant(bytes: &[u8], zone: &TimeZone) -> Result<i64, &'static str> {
    const DATE: &str = "write the date as YYYY-MM-DD, such as 2026-10-31";
    const TIME: &str = "write the time as HH:MM:SS, such as 2026-10-31T23:59:59";

    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = bytes else { return Err(DATE) };
    let year = number(*y1, *y2).and_then(|century| Some(century * 100 + number(*y3, *y4)?)).ok_or(DATE)?;
    let month = number(*m1, *m2).ok_or(DATE)?;
    let day = number(*d1, *d2).ok_or(DATE)?;
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return Err("there is no such date");
    }
    let days = days_of(year, month, day);

    let (hour, minute, mut rest) = match rest {
        [] => return Ok(zone.start_of_day(days)),
        [b'T' | b't' | b' ', h1, h2, b':', m1, m2, rest @ ..] => {
            (number(*h1, *h2).ok_or(TIME)?, number(*m1, *m2).ok_or(TIME)?, rest)
        }
        _ => return Err(TIME),
    };
    let mut second = 0;
    let mut fraction = 0;
    if let [b':', s1, s2, tail @ ..] = rest {
        second = number(*s1, *s2).ok_or(TIME)?;
        rest = tail;
        if let [b'.', tail @ ..] = rest {
            (fraction, rest) = read_fraction(tail)?;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(match (hour, minute, second) {
            (24, 0, 0) => "24:00 is 00:00 of the next day, write that",
            (_, _, 60) => "leap seconds are not counted, write second 59 or the next minute",
            _ => "there is no such time of day",
        });
    }
    let local = days * DAY + (hour * 3600 + minute * 60 + second) * SECOND + fraction;
    match rest {
        [b'Z' | b'z'] => Ok(local),
        [] => Ok(zone.instant_of(local)),
        _ => read_offset(rest).map(|offset| local - offset),
    }
}

/// Reads the decimals of a second, in microseconds; also what stands behind them.
fn read_fraction(bytes: &[u8]) -> Result<(i64, &[u8]), &'static str> {
    let mut micros = 0;
    let mut unit = SECOND / 10;
    for (position, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return if position == 0 {
                Err("decimals of the second are missing")
            } else {
                Ok((micros, &bytes[position..]))
            };
        }
        if unit == 0 && *byte != b'0' {
            return Err("it is finer than a microsecond");
        }
        micros += i64::from(byte - b'0') * unit;
        unit /= 10;
    }
    if bytes.is_empty() { Err("decimals of the second are missing") } else { Ok((micros, &[])) }
}

/// Reads `+01:00`, `+0100`, `-01`, in microseconds.
fn read_offset(bytes: &[u8]) -> Result<i64, &'static str> {
    const OFFSET: &str = "what follows the time must be Z or an offset such as +01:00";
    let (sign, hours, minutes) = match bytes {
        [sign, h1, h2] => (sign, number(*h1, *h2), Some(0)),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, number(*h1, *h2), number(*m1, *m2)),
        _ => return Err(OFFSET),
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return Err(OFFSET),
    };
    match (hours, minutes) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => Ok(sign * (hours * 60 + minutes) * 60 * SECOND),
        _ => Err(OFFSET),
    }
}

/// The number that two digits write.
fn number(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// A text as an error message can show it.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
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
        let calendar = LocalDate(if interval == CycleInterval::Week { 4 } else { 0 });
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
            None => i64::from(self.anchor.0) + 7 * k,
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
        if i64::from(date.0).abs() > DAY_LIMIT {
            return Err(TimeError::OutOfRange(instant));
        }
        let mut k = match self.interval.months() {
            None => (i64::from(date.0) - i64::from(self.anchor.0)).div_euclid(7),
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
    use super::*;
    use CycleInterval::{Month, Quarter, Week, Year};
    use jiff::civil;

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

    /// All names that are zones here.
    fn all_zones() -> Vec<(TimeZone, jiff::tz::TimeZone)> {
        let names: Vec<String> = RULES.available().map(|name| name.to_string()).collect();
        let zones: Vec<_> = names
            .iter()
            .filter_map(|name| Some((TimeZone::get(name).ok()?, RULES.get(name).ok()?)))
            .collect();
        assert!(zones.len() > 300, "{} zones", zones.len());
        zones
    }

    #[test]
    fn instants() {
        let berlin = zone("Europe/Berlin");
        for (text, same) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 00:00:00.000001z", 1),
            ("1969-12-31T23:59:59.9999990000Z", -1),
            ("2018-12-01T00:00:00.0000000", at("2018-11-30T23:00:00Z")),
            ("2018-12-01", at("2018-11-30T23:00:00Z")),
            ("2018-07-01T12:00", at("2018-07-01T10:00:00Z")),
            ("2018-12-01T00:00:00+05:30", at("2018-11-30T18:30:00Z")),
            ("2018-12-01T00:00:00.5-0330", at("2018-12-01T03:30:00.500Z")),
            ("2018-12-01 00:00:00+00", at("2018-12-01T00:00:00Z")),
            // Clocks go from 02:00 to 03:00 on 31 March, and from 03:00 back to 02:00 on 27 October.
            ("2024-03-31T02:30:00", at("2024-03-31T01:30:00Z")),
            ("2024-10-27T02:30:00", at("2024-10-27T00:30:00Z")),
            ("2024-10-27T03:00:00", at("2024-10-27T02:00:00Z")),
            ("0001-01-01T00:00:00Z", -62_135_596_800 * SECOND),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_800 * SECOND - 1),
            ("9999-12-31T23:59:59.999999", 253_402_300_800 * SECOND - 1 - 3_600 * SECOND),
        ] {
            assert_eq!(parse_instant(text, &berlin), Ok(same), "{text}");
        }
        let finer = parse_instant("2024-02-29T23:59:59.123456789", &berlin).unwrap_err().to_string();
        assert_eq!(finer, "`2024-02-29T23:59:59.123456789` is not a time: it is finer than a microsecond");
    }

    #[test]
    fn not_instants() {
        for text in [
            "",
            "2018",
            "2018-12",
            "2018-12-1",
            "2018-02-29",
            "2100-02-29",
            "2018-13-01",
            "2018-00-01",
            "2018-01-00",
            "2018-04-31",
            "0000-01-01",
            "2018-12-01T",
            "2018-12-01T24:00:00",
            "2018-12-01T23:59:60Z",
            "2018-12-01T23:60:00",
            "2018-12-01T1:00:00",
            "2018-12-01T00:00:00.",
            "2018-12-01T00:00:00.Z",
            "2018-12-01T00:00:00+1",
            "2018-12-01T00:00:00+24:00",
            "2018-12-01T00:00:00 CET",
            "2018-12-01T00:00:00Zx",
            "2018-12-01T00:00:00.0000001",
            " 2018-12-01",
            "2018-12-01 ",
            "1543622400",
            "-018-12-01",
            "2018/12/01",
            "２018-12-01",
            "2018-12-01T00",
            "2018-12-01x00:00:00",
        ] {
            assert!(parse_instant(text, &zone("Europe/Berlin")).is_err(), "{text}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(TimeZone::get("europe/berlin").unwrap().name(), "Europe/Berlin");
        for name in ["", "Europe/Berlinn", "localtime", "right/UTC", "Etc/Unknown", "../../etc/passwd"] {
            assert_eq!(TimeZone::get(name).unwrap_err(), TimeError::UnknownZone(name.to_owned()));
        }
        let mut lookup = ZoneLookup::default();
        for name in ["UTC", "Asia/Tokyo", "Asia/Tokyo"] {
            assert_eq!(lookup.get(name).unwrap().name(), name);
        }
        assert!(lookup.get("Nowhere").is_err());
    }

    #[test]
    fn dates_agree_with_jiff() {
        let mut day = civil::date(-10, 1, 1);
        let mut days = i32::try_from(days_of(-10, 1, 1)).unwrap();
        while day.year() < 2801 {
            let (year, month, of_month) =
                (i64::from(day.year()), i64::from(day.month()), i64::from(day.day()));
            assert_eq!(LocalDate(days).year_month_day(), (year, month, of_month));
            assert_eq!(days_of(year, month, of_month), i64::from(days));
            assert_eq!(days_in_month(year, month), i64::from(day.days_in_month()));
            day = day.tomorrow().unwrap();
            days += 1;
        }
        assert_eq!(LocalDate::new(2023, 2, 29), None);
        assert_eq!(LocalDate::new(1970, 1, 5).map(LocalDate::days), Some(4));
    }

    /// The table of offsets says what jiff says: around each change, and far away.
    #[test]
    fn offsets_agree_with_jiff() {
        for (ours, rules) in all_zones() {
            let mut instants =
                vec![at("1066-10-14"), at("2596-02-29T12:00Z"), at("9000-07-01"), at("2499-12-31")];
            for span in
                ours.0.spans.iter().filter(|span| span.start != i64::MIN && span.start < at("2110-01-01"))
            {
                let minutes = [-1500, -120, -61, -60, -59, -30, -1, 0, 1, 29, 30, 59, 60, 61, 90, 1500];
                instants.extend(minutes.map(|minutes| span.start + minutes * 60 * SECOND));
                instants.push(span.start - 1);
            }
            for instant in instants {
                let stamp = Timestamp::from_microsecond(instant).unwrap();
                let offset = i64::from(rules.to_offset(stamp).seconds()) * SECOND;
                assert_eq!(ours.offset_at(instant), offset, "{} {stamp}", ours.name());
                // The same number as a wall-clock time.
                for offset in [0, offset] {
                    let local = stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime();
                    let local = local + jiff::SignedDuration::from_micros(offset);
                    let compatible = rules.to_ambiguous_timestamp(local).compatible().unwrap();
                    let instant = ours.instant_of(instant + offset);
                    assert_eq!(instant, compatible.as_microsecond(), "{} {local}", ours.name());
                }
            }
        }
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
