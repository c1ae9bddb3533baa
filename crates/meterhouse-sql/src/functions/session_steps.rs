//! `session_steps`: a session cut into increments, each in the window of the clock that is in force where it begins.

mod schedule;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, TimestampMicrosecondType};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, failed};
use super::scalar::Scalar;
use crate::cycle::ZoneLookup;
use schedule::{RATE, Schedules};

const NAME: &str = "session_steps";

/// Steps of one session, at most.
const MOST_STEPS: usize = 1_000_000;
/// Units of the twelfth decimal in a microsecond.
const PICOS: i128 = 1_000_000;

/// The walk is that of CGRateS (rating plan, destination rates), `RoundingMethod` aside.
pub(super) const SESSION_STEPS: Scalar = Scalar {
    name: NAME,
    meaning: "How many increments of which rate a session has. The session is walked from its start. Each step is \
        one increment of the rate in force where the step begins; it counts whole, also where the session \
        ends inside it. The length of a step depends on where the one before it ended, which SQL cannot \
        say.\n\n\
         In force is of the first window whose days match the local time and whose `start_time` is not after \
        it the first rate whose `elapsed_from` is not above the elapsed seconds: the order of the schedule \
        says which window goes before which, and the rate from the longest length stands first in its \
        window. The rates of a window stand together.\n\n\
         A list in order of time; neighbouring steps of one rate are one run. A length of zero or less has \
        none, and a null length or schedule gives an empty list. Null where a step has no window or no rate \
        with an increment above zero in force, and for more than a million steps.",
    parameters: &[
        ("session_start", Kind::Instant, "where it begins"),
        ("length", Kind::Money, "seconds, or the unit of the increments"),
        ("time_zone", Kind::Text, "an IANA name, such as Europe/Berlin"),
        (
            "schedule",
            Kind::Rows(&RATE),
            "one struct a rate; of `weekdays` 1 is Monday, and null or empty lists mean all days",
        ),
        (
            "window_at",
            Kind::Instant,
            "the window of that instant holds throughout; null: each step is in its own",
        ),
    ],
    result: || DataType::new_list(DataType::Struct(fields()), true),
    example: "select run['run_number'], run['rate_number'], run['step_count']\n\
from (\n\
select unnest(session_steps(timestamptz '2026-01-10T12:00:00Z', 62.5, 'UTC', [\n\
{'window_number': 1, 'weekdays': null, 'months': null, 'month_days': null,\n\
'start_time': time '00:00:00', 'rate_number': 2, 'elapsed_from': 60, 'increment': 1},\n\
{'window_number': 1, 'weekdays': null, 'months': null, 'month_days': null,\n\
'start_time': time '00:00:00', 'rate_number': 1, 'elapsed_from': 0, 'increment': 60}\n\
], null)) as run\n\
) as runs\n\
-- 1 1 1\n\
-- 2 2 3",
    compute,
};

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("run_number", DataType::Int32, false),
        Field::new("window_number", DataType::Int32, false),
        Field::new("rate_number", DataType::Int32, false),
        Field::new("step_count", DataType::Int64, false),
    ])
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let starts = arguments.numbers::<TimestampMicrosecondType>(0)?;
    let lengths = arguments.numbers::<Decimal128Type>(1)?;
    let zone_names = arguments.texts(2)?;
    let schedules = Schedules::new(arguments.lists_of_structs(3)?)?;
    let windows_at = arguments.numbers::<TimestampMicrosecondType>(4)?;
    let mut zones = ZoneLookup::default();
    let mut runs: Vec<(i32, i32, i32, i64)> = Vec::new();
    let mut counts = Vec::with_capacity(arguments.rows());
    let mut priced = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let first = runs.len();
        let mut is_priced = true;
        if let (Some(start), Some(length), Some(zone), Some(schedule)) =
            (starts.get(row), lengths.get(row), zone_names.get(row), schedules.of(row))
        {
            let zone = zones.get(zone).map_err(|error| failed(NAME, error))?;
            let mut elapsed = 0_i128;
            let mut steps = 0;
            while elapsed < length {
                let at = match windows_at.get(row) {
                    Some(at) => Some(at),
                    None => i64::try_from(elapsed / PICOS).ok().and_then(|micros| start.checked_add(micros)),
                };
                let local = at.and_then(|at| zone.local_time(at).ok());
                let step = local.and_then(|local| schedules.step_at(schedule.clone(), local, elapsed));
                let Some((window, rate, increment)) = step.filter(|_| steps < MOST_STEPS) else {
                    is_priced = false;
                    break;
                };
                match runs.last_mut().filter(|_| steps > 0) {
                    Some(run) if (run.1, run.2) == (window, rate) => run.3 += 1,
                    _ => {
                        let number = i32::try_from(runs.len() - first + 1).unwrap_or(i32::MAX);
                        runs.push((number, window, rate, 1));
                    }
                }
                elapsed += increment;
                steps += 1;
            }
        }
        if !is_priced {
            runs.truncate(first);
        }
        priced.push(is_priced);
        counts.push(runs.len() - first);
    }
    let column = |value: fn(&(i32, i32, i32, i64)) -> i32| -> ArrayRef {
        Arc::new(runs.iter().map(value).collect::<Int32Array>())
    };
    let steps: Int64Array = runs.iter().map(|run| run.3).collect();
    let columns = vec![column(|run| run.0), column(|run| run.1), column(|run| run.2), Arc::new(steps)];
    let rows = StructArray::try_new(fields(), columns, None)?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields()), true));
    let nulls = Some(NullBuffer::from(priced));
    let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(counts), Arc::new(rows), nulls)?;
    Ok(Arc::new(lists))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    /// A rate as SQL; lists are written `[1, 2]` or `null`.
    fn rate(window: i32, days: [&str; 3], start: &str, rate: i32, from: i32, increment: i32) -> String {
        let [weekdays, months, month_days] = days;
        format!(
            "{{'window_number': {window}, 'weekdays': cast({weekdays} as int[]), 'months': cast({months} as int[]),
               'month_days': cast({month_days} as int[]), 'start_time': cast('{start}' as time),
               'rate_number': {rate}, 'elapsed_from': {from}, 'increment': {increment}}}"
        )
    }

    fn steps(start: &str, length: &str, schedule: &[String], window_at: &str) -> Vec<String> {
        rows(&format!(
            "select row['run_number'], row['window_number'], row['rate_number'], row['step_count']
             from (select unnest(session_steps('{start}'::timestamptz, {length}, 'Europe/Berlin', [{}],
                {window_at})) as row) as steps
             order by row['run_number']",
            schedule.join(", ")
        ))
        .unwrap()
    }

    /// EXAMPLES.md, section 7, at Berlin's time: 18:59 is 17:59Z in January.
    #[test]
    fn worked_by_hand() {
        let work = ["[1, 2, 3, 4, 5]", "null", "null"];
        let schedule = [rate(2, work, "19:00:00", 1, 0, 60), rate(1, work, "08:00:00", 1, 0, 30)];
        assert_eq!(steps("2024-01-10T17:59:00Z", "150", &schedule, "null"), ["1 1 1 2", "2 2 1 2"]);
        assert_eq!(
            steps("2024-01-10T17:59:00Z", "150", &schedule, "'2024-01-10T17:59:00Z'::timestamptz"),
            ["1 1 1 5"]
        );
        assert!(steps("2024-01-10T17:59:00Z", "0", &schedule, "null").is_empty());
    }

    #[test]
    fn windows_and_rates() {
        let all = ["null", "null", "null"];
        // New Year's Day stands before all days; a first minute, then seconds.
        let schedule = [
            rate(2, ["null", "[1]", "[1]"], "00:00:00", 1, 0, 1),
            rate(1, all, "00:00:00", 2, 60, 1),
            rate(1, all, "00:00:00", 1, 0, 60),
            rate(3, ["null", "[1]", "null"], "00:00:00", 1, 0, 7),
        ];
        assert_eq!(steps("2024-02-10T12:00:00Z", "62.5", &schedule, "null"), ["1 1 1 1", "2 1 2 3"]);
        assert_eq!(steps("2024-12-31T22:59:30Z", "62", &schedule, "null"), ["1 1 1 1", "2 2 1 2"]);
        for (length, schedule) in [
            ("1", vec![rate(1, ["[7]", "null", "null"], "00:00:00", 1, 0, 1)]),
            ("1000001", vec![rate(1, all, "00:00:00", 1, 0, 1)]),
            ("1", vec![rate(1, all, "00:00:00", 1, 0, 0)]),
            // The first window holds; that of another would be reached.
            ("1", vec![rate(1, all, "00:00:00", 1, 5, 1), rate(2, all, "00:00:00", 1, 0, 1)]),
        ] {
            let schedule = schedule.join(", ");
            let steps = format!(
                "session_steps('2024-01-10'::timestamptz, {length}, 'UTC', [{schedule}], null) is null"
            );
            assert_eq!(value(&steps).unwrap(), "true");
        }
        assert_eq!(value("session_steps('2024-01-10'::timestamptz, 1, 'UTC', null, null)"), Ok("[]".into()));
    }

    #[test]
    fn lists_of_days_are_read_from_texts() {
        let rate = "{'window_number': 1, 'weekdays': string_to_array('1,3', ','), 'months': null, 'month_days': null,
            'start_time': cast('08:00:00' as time), 'rate_number': 1, 'elapsed_from': 0, 'increment': 1}";
        for (day, is_priced) in [("10", "true"), ("11", "false")] {
            let steps =
                format!("session_steps('2024-01-{day}T12:00:00Z'::timestamptz, 1, 'UTC', [{rate}], null)");
            assert_eq!(value(&format!("{steps} is not null")).unwrap(), is_priced);
        }
    }
}
