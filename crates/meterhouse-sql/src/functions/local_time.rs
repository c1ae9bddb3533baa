//! `local_time`, `local_date` and `local_period`: what the clocks and calendars of a time zone show at an instant.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, failed};
use super::scalar::Scalar;
use crate::cycle::{TimeError, TimeZone, ZoneLookup};

pub(super) const LOCAL_TIME: Scalar = Scalar {
    name: "local_time",
    meaning: "What the clocks of a time zone show at an instant. Null where an argument is null; an unknown zone \
        is an error.",
    parameters: &[
        ("instant", Kind::Instant, "the instant"),
        ("time_zone", Kind::Text, "an IANA name, such as Europe/Berlin"),
    ],
    result: || DataType::Timestamp(TimeUnit::Microsecond, None),
    example: "select local_time(timestamptz '2026-10-31T23:30:00Z', 'Europe/Berlin')\n-- 2026-11-01T00:30:00",
    compute: local_time,
};

pub(super) const LOCAL_DATE: Scalar = Scalar {
    name: "local_date",
    meaning: "The day in a time zone at an instant. Null where an argument is null; an unknown zone is an error.",
    parameters: &[
        ("instant", Kind::Instant, "the instant"),
        ("time_zone", Kind::Text, "an IANA name, such as Europe/Berlin"),
    ],
    result: || DataType::Date32,
    example: "select local_date(timestamptz '2026-10-31T23:30:00Z', 'Europe/Berlin')\n-- 2026-11-01",
    compute: local_date,
};

pub(super) const LOCAL_PERIOD: Scalar = Scalar {
    name: "local_period",
    meaning: "The month in a time zone at an instant, as billing periods are written. Null where an argument is \
        null; an unknown zone is an error.",
    parameters: &[
        ("instant", Kind::Instant, "the instant"),
        ("time_zone", Kind::Text, "an IANA name, such as Europe/Berlin"),
    ],
    result: || DataType::Utf8View,
    example: "select local_period(timestamptz '2026-10-31T23:30:00Z', 'Europe/Berlin')\n-- 2026-11",
    compute: local_period,
};

/// What `show` gives for each row, null where an argument is null.
fn each<T>(
    arguments: &Arguments,
    show: impl Fn(&TimeZone, i64) -> Result<T, TimeError>,
) -> Result<Vec<Option<T>>> {
    let instants = arguments.numbers::<TimestampMicrosecondType>(0)?;
    let zone_names = arguments.texts(1)?;
    let mut zones = ZoneLookup::default();
    let mut shown = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        shown.push(match (instants.get(row), zone_names.get(row)) {
            (Some(instant), Some(name)) => {
                let value = zones.get(name).and_then(|zone| show(zone, instant));
                Some(value.map_err(|error| failed(arguments.function(), error))?)
            }
            _ => None,
        });
    }
    Ok(shown)
}

fn local_time(arguments: &Arguments) -> Result<ArrayRef> {
    Ok(Arc::new(TimestampMicrosecondArray::from(each(arguments, TimeZone::local_time)?)))
}

fn local_date(arguments: &Arguments) -> Result<ArrayRef> {
    let days = each(arguments, |zone, instant| zone.local_date(instant).map(|date| date.days()))?;
    Ok(Arc::new(Date32Array::from(days)))
}

fn local_period(arguments: &Arguments) -> Result<ArrayRef> {
    let periods = each(arguments, TimeZone::local_period)?;
    Ok(Arc::new(periods.into_iter().collect::<StringViewArray>()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    #[test]
    fn what_the_clocks_show() {
        // 2026-10-31T23:30Z is 1 November 00:30 in Berlin, winter time.
        let instants = "(values ('2026-10-31T23:30:00Z'::timestamptz, 'Europe/Berlin'), \
            ('2026-10-31T23:30:00Z'::timestamptz, 'UTC'), (null, 'UTC'), ('2026-10-31T23:30:00Z'::timestamptz, null)) \
            as instant(t, zone)";
        let shown = rows(&format!(
            "select local_time(t, zone), local_date(t, zone), local_period(t, zone) from {instants}"
        ));
        assert_eq!(
            shown.unwrap(),
            [
                "2026-11-01T00:30:00 2026-11-01 2026-11",
                "2026-10-31T23:30:00 2026-10-31 2026-10",
                "null null null",
                "null null null",
            ]
        );
        assert_eq!(value("local_date('1969-12-31T23:59:59.9Z'::timestamptz, 'UTC')").unwrap(), "1969-12-31");
    }

    #[test]
    fn refused() {
        let unknown = value("local_date('2026-10-31T23:30:00Z'::timestamptz, 'Europe/Berlinn')").unwrap_err();
        assert!(unknown.contains("local_date: unknown time zone `Europe/Berlinn`"), "{unknown}");
        let text = value("local_time('yesterday', 'UTC')").unwrap_err();
        assert!(text.contains("local_time: `instant` must be a timestamp, not Utf8"), "{text}");
        let few = value("local_time(now())").unwrap_err();
        assert!(few.contains("local_time takes 2 arguments, not 1: instant, time_zone"), "{few}");
    }
}
