//! How a source writes its times, where that is not ISO 8601 to the microsecond: as `[source.NAME]` declares.

use std::collections::BTreeMap;

use meterhouse_sql::cycle::{Time, TimeError, TimeZone, parse_time};
use meterhouse_sql::decimal::{DecimalError, parse_decimal};

use crate::project::settings::{Decimals, EpochUnit, SourceSettings};

/// Parts of a microsecond that are read.
const FINE: i128 = 1_000_000;
/// 0001-01-01 and 9999-12-31T23:59:59.999999, in microseconds since 1970.
const FIRST: i128 = -62_135_596_800_000_000;
const LAST: i128 = 253_402_300_799_999_999;

/// The rules of all sources that have one.
pub(super) type TimeRules = BTreeMap<String, SourceSettings>;

/// Reads a time by the rule of its source; the error completes a sentence that begins with the value.
pub(super) fn read(rule: &SourceSettings, text: &str, zone: &TimeZone) -> Result<Time, String> {
    let floors = rule.decimals == Some(Decimals::Floor);
    let Some(unit) = rule.epoch else { return iso(text, zone, floors) };
    // With so many decimals a number of any unit counts millionths of a microsecond.
    let scale = match unit {
        EpochUnit::Seconds => 12,
        EpochUnit::Milliseconds => 9,
        EpochUnit::Microseconds => 6,
        EpochUnit::Nanoseconds => 3,
    };
    let number = match parse_decimal(text, 38, scale) {
        Ok(number) => number,
        Err(DecimalError::NotANumber) => return iso(text, zone, floors),
        Err(DecimalError::TooLarge) => return Err("is not a time: it is too large".into()),
        Err(DecimalError::SurplusDecimals) => return Err("is not a time: it has too many decimals".into()),
    };
    if number.rem_euclid(FINE) != 0 && !floors {
        return Err("is not a time: it is finer than a microsecond".into());
    }
    let micros = number.div_euclid(FINE);
    if !(FIRST..=LAST).contains(&micros) {
        return Err("is not a time between the years 1 and 9999, counted as its source declares".into());
    }
    Ok(Time { instant: micros as i64, later: None })
}

/// Reads a time as ISO 8601 writes it.
pub(super) fn iso(text: &str, zone: &TimeZone, floors: bool) -> Result<Time, String> {
    parse_time(text, zone, floors).map_err(|error| match error {
        TimeError::NotATime { reason, .. } => format!("is not a time: {reason}"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_decimals_are_read_as_declared() {
        let at = |text| parse_time(text, &TimeZone::utc(), false).unwrap().instant;
        let read = |epoch, decimals, text| {
            let rule = SourceSettings { epoch, decimals };
            read(&rule, text, &TimeZone::utc()).map(|time| time.instant)
        };
        let floor = Some(Decimals::Floor);
        for (unit, decimals, text, expected) in [
            (EpochUnit::Seconds, None, "1780387200", "2026-06-02T08:00:00Z"),
            (EpochUnit::Seconds, None, "1780387200.25", "2026-06-02T08:00:00.25Z"),
            (EpochUnit::Seconds, None, "1.7803872e9", "2026-06-02T08:00:00Z"),
            (EpochUnit::Milliseconds, None, "1780387200123", "2026-06-02T08:00:00.123Z"),
            (EpochUnit::Microseconds, None, "1780387200123456", "2026-06-02T08:00:00.123456Z"),
            (EpochUnit::Nanoseconds, floor, "1780387200123456789", "2026-06-02T08:00:00.123456Z"),
            (EpochUnit::Seconds, floor, "-0.0000001", "1969-12-31T23:59:59.999999Z"),
            (EpochUnit::Seconds, None, "2026-06-02T08:00:00Z", "2026-06-02T08:00:00Z"),
        ] {
            assert_eq!(read(Some(unit), decimals, text), Ok(at(expected)), "{text}");
        }
        assert_eq!(read(None, floor, "2026-06-02T08:00:00.1234567Z"), Ok(at("2026-06-02T08:00:00.123456Z")));
        for (unit, text) in [
            (EpochUnit::Seconds, "1780387200123"),
            (EpochUnit::Nanoseconds, "1780387200123456789"),
            (EpochUnit::Seconds, "0.0000001"),
            (EpochUnit::Seconds, "soon"),
        ] {
            assert!(read(Some(unit), None, text).is_err(), "{text}");
        }
    }
}
