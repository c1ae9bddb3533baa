//! `local_time`, `local_date` and `local_period`: what the clocks and calendars of a time zone show at an instant.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, StringViewBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::arguments::{Arguments, Kind, coerce, failed};
use crate::cycle::{TimeError, TimeZone, ZoneLookup};

/// `local_time(instant timestamptz, time_zone varchar)`: the wall-clock time there, a timestamp without zone.
/// `local_date(...)`: the day there, a date. `local_period(...)`: the month there, text such as `2026-10`.
///
/// Null where an argument is null. An unknown zone is an error.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct LocalTime {
    shown: Shown,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shown {
    Time,
    Date,
    Period,
}

impl LocalTime {
    pub(super) fn time() -> Self {
        Self { shown: Shown::Time, signature: Signature::user_defined(Volatility::Immutable) }
    }

    pub(super) fn date() -> Self {
        Self { shown: Shown::Date, signature: Signature::user_defined(Volatility::Immutable) }
    }

    pub(super) fn period() -> Self {
        Self { shown: Shown::Period, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn shown_name(&self) -> &'static str {
        match self.shown {
            Shown::Time => "local_time",
            Shown::Date => "local_date",
            Shown::Period => "local_period",
        }
    }

    /// Calls `show` for each row, with `None` where an argument is null.
    fn each(
        &self,
        arguments: &Arguments,
        mut show: impl FnMut(Option<(&TimeZone, i64)>) -> Result<(), TimeError>,
    ) -> Result<()> {
        let instants = arguments.numbers::<TimestampMicrosecondType>(0)?;
        let zone_names = arguments.texts(1)?;
        let mut zones = ZoneLookup::default();
        for row in 0..arguments.rows() {
            let shown = match (instants.get(row), zone_names.get(row)) {
                (Some(instant), Some(name)) => zones.get(name).and_then(|zone| show(Some((zone, instant)))),
                _ => show(None),
            };
            shown.map_err(|error| failed(self.shown_name(), error))?;
        }
        Ok(())
    }
}

impl ScalarUDFImpl for LocalTime {
    fn name(&self) -> &str {
        self.shown_name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name(), &[("instant", Kind::Instant), ("time_zone", Kind::Text)], found)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.shown {
            Shown::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Shown::Date => DataType::Date32,
            Shown::Period => DataType::Utf8View,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(self.shown_name(), &args)?;
        let values: ArrayRef = match self.shown {
            Shown::Time => {
                let mut times = Vec::with_capacity(arguments.rows());
                self.each(&arguments, |row| {
                    times.push(row.map(|(zone, instant)| zone.local_time(instant)).transpose()?);
                    Ok(())
                })?;
                Arc::new(TimestampMicrosecondArray::from(times))
            }
            Shown::Date => {
                let mut dates = Vec::with_capacity(arguments.rows());
                self.each(&arguments, |row| {
                    dates.push(
                        row.map(|(zone, instant)| zone.local_date(instant))
                            .transpose()?
                            .map(|date| date.days()),
                    );
                    Ok(())
                })?;
                Arc::new(Date32Array::from(dates))
            }
            Shown::Period => {
                let mut periods = StringViewBuilder::with_capacity(arguments.rows());
                self.each(&arguments, |row| {
                    periods.append_option(row.map(|(zone, instant)| zone.local_period(instant)).transpose()?);
                    Ok(())
                })?;
                Arc::new(periods.finish())
            }
        };
        arguments.finish(values)
    }
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
