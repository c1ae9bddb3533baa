//! `billing_cycles`: the cycles of a contract, as a list to be unnested.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, ListArray, StringViewBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Date32Type, Field, Fields, Int32Type, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result};

use super::arguments::{Arguments, Kind, Parameter, failed, instant};
use super::scalar::Scalar;
use crate::cycle::{Cycle, CycleCalendar, FirstCycle, LocalDate, TimeError, ZoneLookup, billing_period};

const NAME: &str = "billing_cycles";
const NEXT: &str = "next_cycle_start";

const PARAMETERS: &[Parameter] = &[
    ("cycle_interval", Kind::Text, "`month`, `3 months`, `week`, ..."),
    ("cycle_anchor", Kind::Date, "a local date; may be null"),
    ("anchor_time", Kind::Instant, "an exact instant; may be null"),
    ("billing_day", Kind::WholeNumber, "the day of the month, 1 to 31; may be null"),
    (
        "first_cycle",
        Kind::Text,
        "where a contract begins between two boundaries: `anchored` (a part of the cycle between them, also null), `unanchored` or `joined`",
    ),
    ("time_zone", Kind::Text, "an IANA name, such as Europe/Berlin"),
    ("valid_from", Kind::Instant, "of the contract, inclusive"),
    ("valid_to", Kind::Instant, "of the contract, exclusive; null: open"),
    ("until", Kind::Instant, "the last instant at which a cycle may begin"),
];

pub(super) const BILLING_CYCLES: Scalar = Scalar {
    name: NAME,
    meaning: "The billing cycles of a contract that begin at or before `until`, in order of time. `cycle_number` \
        is 0 for the one that holds `valid_from`; `cycle_start` and `cycle_end` are cut to the contract's \
        validity, `full_start` and `full_end` are not, as proration needs them; `billing_period` is the \
        local month in which the cycle ends. Boundaries are counted from one of `anchor_time`, \
        `cycle_anchor` and `billing_day`; where all three are null they follow the calendar. A null where it \
        is not allowed is an error, since a contract without cycles would lose its usage; so are two \
        anchors, an unknown interval or zone.",
    parameters: PARAMETERS,
    result: || DataType::new_list(DataType::Struct(cycle_fields()), true),
    example: "select cycle['cycle_start'], cycle['cycle_end'], cycle['billing_period']\n\
from (\n\
    select unnest(billing_cycles('month', null, null, 15, null, 'UTC',\n\
        timestamptz '2026-01-15T00:00:00Z', null, timestamptz '2026-02-20T00:00:00Z')) as cycle\n\
) as cycles\n\
-- 2026-01-15T00:00:00Z 2026-02-15T00:00:00Z 2026-02\n\
-- 2026-02-15T00:00:00Z 2026-03-15T00:00:00Z 2026-03",
    compute,
};

pub(super) const NEXT_CYCLE_START: Scalar = Scalar {
    name: NEXT,
    meaning: "The first instant after `until` at which a cycle of a contract begins: until then `billing_cycles` has the \
        same cycles; null where none begins any more. The arguments and their errors are those of `billing_cycles`.",
    parameters: PARAMETERS,
    result: instant,
    example: "select next_cycle_start('month', null, null, 15, null, 'UTC',\n\
    timestamptz '2026-01-15T00:00:00Z', null, timestamptz '2026-02-20T00:00:00Z')\n\
-- 2026-03-15T00:00:00Z",
    compute: compute_next,
};

/// The fields of a cycle, in their order.
fn cycle_fields() -> Fields {
    Fields::from(vec![
        Field::new("cycle_number", DataType::Int64, false),
        Field::new("cycle_start", instant(), false),
        Field::new("cycle_end", instant(), false),
        Field::new("full_start", instant(), false),
        Field::new("full_end", instant(), false),
        Field::new("billing_period", DataType::Utf8View, false),
    ])
}

/// The cycles of all rows, column by column.
#[derive(Default)]
struct CycleColumns {
    numbers: Vec<i64>,
    /// `cycle_start`, `cycle_end`, `full_start`, `full_end`.
    times: [Vec<i64>; 4],
    periods: StringViewBuilder,
    /// How many cycles each row has.
    lengths: Vec<usize>,
}

impl CycleColumns {
    fn push(&mut self, cycle: Cycle, period: &str) {
        self.numbers.push(cycle.number);
        let times = [cycle.cycle_start, cycle.cycle_end, cycle.full_start, cycle.full_end];
        for (column, time) in self.times.iter_mut().zip(times) {
            column.push(time);
        }
        self.periods.append_value(period);
    }

    fn push_contract(
        &mut self,
        calendar: &CycleCalendar,
        from: i64,
        to: Option<i64>,
        until: i64,
    ) -> Result<(), TimeError> {
        let before = self.numbers.len();
        // A cycle that begins at `until` is the one that holds it.
        for cycle in calendar.cycles(from, to, from, until.saturating_add(1))? {
            let cycle = cycle?;
            self.push(cycle, &billing_period(cycle.cycle_end, calendar.zone())?);
        }
        self.lengths.push(self.numbers.len() - before);
        Ok(())
    }

    fn finish(mut self) -> Result<ListArray> {
        let times = self.times.map(|column| {
            let column = TimestampMicrosecondArray::from(column).with_timezone("UTC");
            Arc::new(column) as ArrayRef
        });
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(self.numbers))];
        columns.extend(times);
        columns.push(Arc::new(self.periods.finish()));
        let cycles = StructArray::try_new(cycle_fields(), columns, None)?;
        let item = Arc::new(Field::new_list_field(DataType::Struct(cycle_fields()), true));
        Ok(ListArray::try_new(item, OffsetBuffer::from_lengths(self.lengths), Arc::new(cycles), None)?)
    }
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let mut columns = CycleColumns::default();
    each_contract(NAME, arguments, |calendar, from, to, until| {
        columns.push_contract(calendar, from, to, until)?;
        Ok(columns.numbers.len())
    })?;
    Ok(Arc::new(columns.finish()?))
}

fn compute_next(arguments: &Arguments) -> Result<ArrayRef> {
    let mut starts = Vec::with_capacity(arguments.rows());
    each_contract(NEXT, arguments, |calendar, from, to, until| {
        starts.push(next_start(calendar, from, to, until)?);
        Ok(starts.len())
    })?;
    Ok(Arc::new(TimestampMicrosecondArray::from(starts).with_timezone("UTC")))
}

/// The first instant after `until` at which a cycle begins.
fn next_start(
    calendar: &CycleCalendar,
    from: i64,
    to: Option<i64>,
    until: i64,
) -> Result<Option<i64>, TimeError> {
    for cycle in calendar.cycles(from, to, from.max(until.saturating_add(1)), i64::MAX)? {
        let start = cycle?.cycle_start;
        if start > until {
            return Ok(Some(start));
        }
    }
    Ok(None)
}

/// Calls `take` for each row with its calendar, `valid_from`, `valid_to` and `until`; it says how many values it has.
fn each_contract(
    name: &str,
    arguments: &Arguments,
    mut take: impl FnMut(&CycleCalendar, i64, Option<i64>, i64) -> Result<usize, TimeError>,
) -> Result<()> {
    let intervals = arguments.texts(0)?;
    let anchors = arguments.numbers::<Date32Type>(1)?;
    let anchor_times = arguments.numbers::<TimestampMicrosecondType>(2)?;
    let billing_days = arguments.numbers::<Int32Type>(3)?;
    let first_cycles = arguments.texts(4)?;
    let zone_names = arguments.texts(5)?;
    let valid_from = arguments.numbers::<TimestampMicrosecondType>(6)?;
    let valid_to = arguments.numbers::<TimestampMicrosecondType>(7)?;
    let until = arguments.numbers::<TimestampMicrosecondType>(8)?;

    let null = |parameter: &str| null(name, parameter);
    let mut zones = ZoneLookup::default();
    for row in 0..arguments.rows() {
        let interval = intervals.get(row).ok_or_else(|| null("cycle_interval"))?;
        let zone = zone_names.get(row).ok_or_else(|| null("time_zone"))?;
        let from = valid_from.get(row).ok_or_else(|| null("valid_from"))?;
        let until = until.get(row).ok_or_else(|| null("until"))?;
        let anchor = anchors.get(row).map(LocalDate::from_days);
        let (anchor_time, billing_day) = (anchor_times.get(row), billing_days.get(row));
        let given = [anchor.is_some(), anchor_time.is_some(), billing_day.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(failed(name, "give one of `cycle_anchor`, `anchor_time` and `billing_day`"));
        }
        let values = interval.parse().and_then(|interval| {
            let mut calendar = CycleCalendar::new(interval, anchor, zones.get(zone)?.clone());
            if let Some(instant) = anchor_time {
                calendar = calendar.anchored_at(instant)?;
            }
            if let Some(day) = billing_day {
                calendar = calendar.on_billing_day(i64::from(day), from)?;
            }
            let first = first_cycles.get(row).map_or(Ok(FirstCycle::Anchored), str::parse)?;
            take(&calendar.beginning(first), from, valid_to.get(row), until)
        });
        if i32::try_from(values.map_err(|error| failed(name, error))?).is_err() {
            return Err(failed(name, "more than 2,147,483,647 cycles in one batch of contracts"));
        }
    }
    Ok(())
}

fn null(name: &str, parameter: &str) -> DataFusionError {
    failed(name, format_args!("`{parameter}` is null; a contract without cycles would lose its usage"))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    #[test]
    fn cycles_of_contracts() {
        let sql = "
            select
                contract_id,
                cycle['cycle_number'],
                cycle['cycle_start'],
                cycle['cycle_end'],
                cycle['full_end'],
                cycle['billing_period']
            from (
                select
                    contract_id,
                    unnest(billing_cycles(
                        cycle_interval, cycle_anchor, null, null, null, time_zone, valid_from, valid_to,
                        '2025-01-30T23:00:00Z'::timestamptz
                    )) as cycle
                from (values
                    (1, 'month', '2024-10-31'::date, 'Europe/Berlin', '2024-12-01T00:00:00Z'::timestamptz, null),
                    (2, 'year', null, 'UTC', '2024-10-01'::timestamptz, '2024-11-01'::timestamptz),
                    (3, 'week', null, 'UTC', '2024-10-01'::timestamptz, '2024-10-01'::timestamptz),
                    (4, 'week', null, 'UTC', '2025-02-01'::timestamptz, null)
                ) as contract(contract_id, cycle_interval, cycle_anchor, time_zone, valid_from, valid_to)
            ) as contract_cycle
            order by contract_id, cycle['cycle_start']";
        assert_eq!(
            rows(sql).unwrap(),
            [
                "1 0 2024-12-01T00:00:00Z 2024-12-30T23:00:00Z 2024-12-30T23:00:00Z 2024-12",
                "1 1 2024-12-30T23:00:00Z 2025-01-30T23:00:00Z 2025-01-30T23:00:00Z 2025-01",
                "1 2 2025-01-30T23:00:00Z 2025-02-27T23:00:00Z 2025-02-27T23:00:00Z 2025-02",
                "2 0 2024-10-01T00:00:00Z 2024-11-01T00:00:00Z 2025-01-01T00:00:00Z 2024-10",
            ]
        );
    }

    #[test]
    fn from_a_table() {
        let context = crate::functions::tests::session();
        let run = |sql: &str| crate::functions::tests::rows_in(&context, sql).unwrap();
        run("create table contract (contract_id varchar, cycle_interval varchar, cycle_anchor date, time_zone varchar,
                valid_from timestamptz, valid_to timestamptz) as values
            ('a', 'month', null, 'Asia/Tokyo', '2024-01-15'::timestamptz, null),
            ('b', 'quarter', null, 'UTC', '2024-01-15'::timestamptz, null)");
        let sql = "select contract_id, cycle['cycle_start'] from (select contract_id, unnest(billing_cycles(
                cycle_interval, cycle_anchor, null, null, null, time_zone, valid_from, valid_to,
                '2024-02-10'::timestamptz)) as cycle
                from contract) as contract_cycle order by contract_id, cycle['cycle_number']";
        assert_eq!(run(sql), ["a 2024-01-15T00:00:00Z", "a 2024-01-31T15:00:00Z", "b 2024-01-15T00:00:00Z"]);
    }

    /// Anchors that are instants, billing days, and first cycles; from the conformance cases and EXAMPLES.md.
    #[test]
    fn other_anchors() {
        let starts = |arguments: &str, column: &str| {
            rows(&format!(
                "select cycle['{column}'] from (select unnest(billing_cycles({arguments}, null, \
                 '2025-03-15'::timestamptz)) as cycle) as contract_cycle order by cycle['cycle_number'] limit 3"
            ))
            .unwrap()
        };
        let at = |text: &str| format!("'{text}'::timestamptz");
        let exact =
            format!("'month', null, {}, null, null, 'UTC', {}", at("2025-01-30T15:00:00Z"), at("2025-02-13"));
        assert_eq!(starts(&exact, "full_start")[..2], ["2025-01-30T15:00:00Z", "2025-02-28T15:00:00Z"]);
        let day = |first: &str, from: &str| format!("'month', null, null, 31, {first}, 'UTC', {}", at(from));
        assert_eq!(
            starts(&day("'unanchored'", "2024-02-14"), "full_start"),
            ["2024-01-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z"]
        );
        assert_eq!(starts(&day("null", "2024-02-14"), "full_start")[0], "2024-01-31T00:00:00Z");
        let joined = format!(
            "'month', null, null, null, 'joined', 'America/New_York', {}",
            at("2022-03-01T00:00:00Z")
        );
        assert_eq!(starts(&joined, "full_start")[0], "2022-03-01T00:00:00Z");
        assert_eq!(starts(&joined, "cycle_end")[0], "2022-04-01T04:00:00Z");
    }

    /// The cycles stay the same until the next one starts, and not beyond.
    #[test]
    fn the_next_start_is_when_the_cycles_change() {
        let next = |arguments: &str, until: &str| {
            value(&format!("next_cycle_start({arguments}, '{until}'::timestamptz)")).unwrap()
        };
        let open = "'month', null, null, 15, null, 'UTC', '2026-01-20'::timestamptz, null";
        assert_eq!(next(open, "2025-06-01"), "2026-01-20T00:00:00Z", "it has not begun");
        assert_eq!(next(open, "2026-01-20"), "2026-02-15T00:00:00Z");
        assert_eq!(next(open, "2026-02-14T23:59:59Z"), "2026-02-15T00:00:00Z");
        assert_eq!(next(open, "2026-02-15"), "2026-03-15T00:00:00Z");
        let ends =
            "'month', null, null, 15, null, 'UTC', '2026-01-20'::timestamptz, '2026-03-01'::timestamptz";
        assert_eq!(next(ends, "2026-02-01"), "2026-02-15T00:00:00Z");
        assert_eq!(next(ends, "2026-02-15"), "null", "it ends in its last cycle");
        assert_eq!(next(ends, "2027-01-01"), "null");
    }

    #[test]
    fn refused() {
        let call = |interval: &str, zone: &str, from: &str| {
            value(&format!(
                "billing_cycles({interval}, null, null, null, null, {zone}, {from}, null, '2025-01-01'::timestamptz)"
            ))
        };
        let from = "'2024-01-01'::timestamptz";
        for (result, message) in [
            (call("'fortnight'", "'UTC'", from), "billing_cycles: unknown cycle interval `fortnight`"),
            (call("'month'", "'Mars'", from), "billing_cycles: unknown time zone `Mars`"),
            (call("'month'", "null", from), "billing_cycles: `time_zone` is null"),
            (call("'month'", "'UTC'", "null"), "billing_cycles: `valid_from` is null"),
            (
                call("'month'", "'UTC'", "'2024-01-01'"),
                "billing_cycles: `valid_from` must be a timestamp, not Utf8",
            ),
        ] {
            let error = result.unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
