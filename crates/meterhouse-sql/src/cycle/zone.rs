//! Time zones of the IANA database, laid out as tables of offsets.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use super::date::LocalDate;
use super::instant::shorten;
use super::{DAY, SECOND, TimeError};

/// After this many microseconds, 400 years, dates and weekdays repeat, and so do the rules of all time zones.
const CALENDAR_PERIOD: i64 = 146_097 * DAY;
/// 2100-01-01T00:00Z: from here on every zone follows a yearly rule.
const REPEATS_FROM: i64 = 47_482 * DAY;
/// 2500-01-01T00:00Z: from here on instants are looked up a multiple of 400 years earlier.
const TABLE_END: i64 = REPEATS_FROM + CALENDAR_PERIOD;

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

    /// The name in the database that was probably meant, with nothing but its last part, such as the city, too.
    pub fn nearest(given: &str) -> Option<String> {
        let names: Vec<String> = RULES.available().map(|name| name.as_str().to_string()).collect();
        let whole = crate::name::nearest(given, names.iter().map(String::as_str)).map(String::from);
        let place =
            |name: &&String| name.rsplit('/').next().is_some_and(|place| place.eq_ignore_ascii_case(given));
        names.iter().find(place).cloned().or(whole)
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
        i32::try_from(days).map(LocalDate::from_days).map_err(|_| TimeError::OutOfRange(instant))
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
    pub(super) fn instant_of(&self, local: i64) -> i64 {
        local - self.span_of(local).0.offset
    }

    /// The same, and where clocks fall back the second instant at which they show the time.
    pub(super) fn instants_of(&self, local: i64) -> (i64, Option<i64>) {
        let (span, next) = self.span_of(local);
        let later = next.and_then(|(start, offset)| (local - offset >= start).then_some(local - offset));
        (local - span.offset, later)
    }

    /// The first instant of a local day. It is midnight, or where the clocks skip midnight the moment they do so.
    pub(super) fn start_of_day(&self, days: i64) -> i64 {
        let midnight = days * DAY;
        let (span, next) = self.span_of(midnight);
        (midnight - span.offset).min(next.map_or(i64::MAX, |(start, _)| start))
    }

    /// The span that a wall-clock time belongs to, and when the next one begins, with which offset.
    fn span_of(&self, local: i64) -> (Span, Option<(i64, i64)>) {
        let shift = repeated(local);
        let spans = self.0.spans.as_slice();
        let index = match spans {
            [_] => 0,
            _ => spans.partition_point(|span| span.local_end <= local - shift),
        };
        (spans[index], spans.get(index + 1).map(|next| (next.start + shift, next.offset)))
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cycle::parse_instant;

    fn at(text: &str) -> i64 {
        parse_instant(text, &TimeZone::utc()).unwrap()
    }

    /// All names that are zones here.
    pub(in crate::cycle) fn all_zones() -> Vec<(TimeZone, jiff::tz::TimeZone)> {
        let names: Vec<String> = RULES.available().map(|name| name.to_string()).collect();
        let zones: Vec<_> = names
            .iter()
            .filter_map(|name| Some((TimeZone::get(name).ok()?, RULES.get(name).ok()?)))
            .collect();
        assert!(zones.len() > 300, "{} zones", zones.len());
        zones
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
}
