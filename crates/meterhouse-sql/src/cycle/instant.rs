//! Times as they are written, read to instants.

use super::date::{days_in_month, days_of};
use super::{DAY, SECOND, TimeError, TimeZone};

/// A time that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// In microseconds since 1970-01-01 UTC.
    pub instant: i64,
    /// Where it has no offset and clocks fall back: the second time that they show it.
    pub later: Option<i64>,
}

/// Reads a time written as in ISO 8601, to an instant in microseconds.
///
/// `2018-12-01T23:59:59.123456`, with `T` or a space, with any number of decimals as long as those beyond
/// microseconds are zero, with `Z`, ` UTC`, an offset (`+01:00`, `+0100`, `+01`) or nothing: then it is in `zone`.
/// There, where clocks fall back it is the earlier one, and a time that the clocks skip is shifted forward. Seconds may
/// be left out. A date alone is the first instant of that local day. Years are 0001 to 9999.
///
/// # Errors
/// [`TimeError::NotATime`] for anything else, and for times that do not exist: 30 February, 24:00, second 60.
pub fn parse_instant(text: &str, zone: &TimeZone) -> Result<i64, TimeError> {
    parse_time(text, zone, false).map(|time| time.instant)
}

/// The same with the other time that may be meant; with `floors`, decimals beyond microseconds are cut off.
///
/// # Errors
/// As [`parse_instant`].
pub fn parse_time(text: &str, zone: &TimeZone, floors: bool) -> Result<Time, TimeError> {
    read_time(text.as_bytes(), zone, floors)
        .map_err(|reason| TimeError::NotATime { text: shorten(text), reason })
}

fn read_time(bytes: &[u8], zone: &TimeZone, floors: bool) -> Result<Time, &'static str> {
    const DATE: &str = "write the date as YYYY-MM-DD, such as 2026-10-31";
    const TIME: &str = "write the time as HH:MM:SS, such as 2026-10-31T23:59:59";

    let sure = |instant| Time { instant, later: None };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = bytes else { return Err(DATE) };
    let year = number(*y1, *y2).and_then(|century| Some(century * 100 + number(*y3, *y4)?)).ok_or(DATE)?;
    let month = number(*m1, *m2).ok_or(DATE)?;
    let day = number(*d1, *d2).ok_or(DATE)?;
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return Err("there is no such date");
    }
    let days = days_of(year, month, day);

    let (hour, minute, mut rest) = match rest {
        [] => return Ok(sure(zone.start_of_day(days))),
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
            (fraction, rest) = read_fraction(tail, floors)?;
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
        [b'Z' | b'z'] => Ok(sure(local)),
        [] => {
            let (instant, later) = zone.instants_of(local);
            Ok(Time { instant, later })
        }
        [b',', ..] => Err("write the decimals of the second behind a point"),
        _ => read_offset(rest).map(|offset| sure(local - offset)),
    }
}

/// Reads the decimals of a second, in microseconds; also what stands behind them.
fn read_fraction(bytes: &[u8], floors: bool) -> Result<(i64, &[u8]), &'static str> {
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
        if unit == 0 && *byte != b'0' && !floors {
            return Err("it is finer than a microsecond");
        }
        micros += i64::from(byte - b'0') * unit;
        unit /= 10;
    }
    if bytes.is_empty() { Err("decimals of the second are missing") } else { Ok((micros, &[])) }
}

/// Reads `+01:00`, `+0100`, `-01`, in microseconds; also ` UTC`, and ` +0000 UTC` as Go writes it.
fn read_offset(bytes: &[u8]) -> Result<i64, &'static str> {
    const OFFSET: &str = "what follows the time must be Z, UTC or an offset such as +01:00";
    let bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
    if bytes == b"UTC" {
        return Ok(0);
    }
    if let Some(offset) = bytes.strip_suffix(b" UTC") {
        return if read_offset(offset) == Ok(0) { Ok(0) } else { Err(OFFSET) };
    }
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
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        parse_instant(text, &TimeZone::utc()).unwrap()
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
            ("2018-12-01 00:00:00 UTC", at("2018-12-01T00:00:00Z")),
            ("2018-12-01 00:00:00.5 +0000 UTC", at("2018-12-01T00:00:00.5Z")),
            ("2018-12-01 00:00:00 +01:00", at("2018-11-30T23:00:00Z")),
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
    fn the_hour_that_clocks_show_twice() {
        let berlin = zone("Europe/Berlin");
        for (text, later) in [
            ("2024-10-27T01:59:59.999999", None),
            ("2024-10-27T02:00", Some("2024-10-27T01:00:00Z")),
            ("2024-10-27T02:59:59", Some("2024-10-27T01:59:59Z")),
            ("2024-10-27T03:00", None),
            ("2024-10-27T02:30+02:00", None),
            ("2024-03-31T02:30", None),
        ] {
            assert_eq!(parse_time(text, &berlin, false).unwrap().later, later.map(at), "{text}");
        }
    }

    #[test]
    fn decimals_beyond_microseconds_are_cut_off_where_that_is_declared() {
        let time = parse_time("1969-12-31T23:59:59.123456789Z", &TimeZone::utc(), true).unwrap();
        assert_eq!(time.instant, at("1969-12-31T23:59:59.123456Z"));
        let comma = parse_instant("2024-02-29T23:59:59,5Z", &TimeZone::utc()).unwrap_err().to_string();
        assert!(comma.ends_with("write the decimals of the second behind a point"), "{comma}");
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
            "2018-12-01T00:00:00 +01:00 UTC",
            "2018-12-01T00:00:00  UTC",
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
}
