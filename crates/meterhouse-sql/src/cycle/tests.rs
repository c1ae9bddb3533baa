//! Boundaries worked by hand, and the tiling of time in every zone of the time-zone database.

use jiff::{Timestamp, civil};

use super::*;
use zone::tests::all_zones;

const WEEK: CycleInterval = CycleInterval::WEEK;
const MONTH: CycleInterval = CycleInterval::MONTH;
const QUARTER: CycleInterval = CycleInterval::QUARTER;
const YEAR: CycleInterval = CycleInterval::YEAR;

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
    let text = |micros| Timestamp::from_microsecond(micros).unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string();
    cycles.take(count).map(|cycle| text(cycle.unwrap().full_start)).collect()
}

#[test]
fn worked_by_hand() {
    // EXAMPLES.md, section 10.
    let berlin = "Europe/Berlin";
    assert_eq!(
        starts(MONTH, Some("2024-10-31"), berlin, "2024-10-30T23:00Z", 6),
        [
            "2024-10-30T23:00Z",
            "2024-11-29T23:00Z",
            "2024-12-30T23:00Z",
            "2025-01-30T23:00Z",
            "2025-02-27T23:00Z",
            "2025-03-30T22:00Z",
        ]
    );
    assert_eq!(starts(MONTH, None, berlin, "2024-10-05", 2), ["2024-09-30T22:00Z", "2024-10-31T23:00Z"]);
    assert_eq!(starts(WEEK, None, "UTC", "2024-10-30", 2), ["2024-10-28T00:00Z", "2024-11-04T00:00Z"]);
    assert_eq!(starts(WEEK, Some("2024-10-31"), "UTC", "2024-10-30", 1), ["2024-10-24T00:00Z"]);
    assert_eq!(
        starts(QUARTER, None, "America/New_York", "2024-03-31", 2),
        ["2024-01-01T05:00Z", "2024-04-01T04:00Z"]
    );
    // lago-cycle-anchor-010: before the anchor, counted backwards from it.
    assert_eq!(
        starts(QUARTER, Some("2021-04-30"), "UTC", "2021-02-28", 3),
        ["2021-01-30T00:00Z", "2021-04-30T00:00Z", "2021-07-30T00:00Z",]
    );
    assert_eq!(
        starts(YEAR, Some("2024-02-29"), "UTC", "2024-02-29", 5),
        [
            "2024-02-29T00:00Z",
            "2025-02-28T00:00Z",
            "2026-02-28T00:00Z",
            "2027-02-28T00:00Z",
            "2028-02-29T00:00Z",
        ]
    );
    // Midnight of 2 September 2022 was skipped in Chile a week later: 11 September began at 01:00.
    assert_eq!(starts(WEEK, Some("2022-09-11"), "America/Santiago", "2022-09-12", 1), ["2022-09-11T04:00Z"]);
    // Samoa skipped 30 December 2011.
    assert_eq!(starts(MONTH, Some("2011-12-30"), "Pacific/Apia", "2011-12-31", 1), ["2011-12-30T10:00Z"]);
}

#[test]
fn stubs_keep_their_full_boundaries() {
    let calendar = CycleCalendar::new(MONTH, None, TimeZone::utc());
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
    assert!(calendar.cycles(at("9999-12-01"), None, i64::MIN, i64::MAX).unwrap().any(|cycle| cycle.is_err()));
}

#[test]
fn billing_periods() {
    let berlin = zone("Europe/Berlin");
    assert_eq!(billing_period(at("2026-10-31T23:00Z"), &berlin).unwrap(), "2026-10");
    assert_eq!(billing_period(at("2026-10-31T23:00:00.000001Z"), &berlin).unwrap(), "2026-11");
    assert_eq!(berlin.local_period(at("2026-10-31T23:00Z")).unwrap(), "2026-11");
    assert!(billing_period(i64::MIN, &berlin).is_err());
}

/// The instants between which the cycles of the tests of all zones lie: twenty years.
fn twenty_years() -> (i64, i64) {
    (at("2007-03-10T12:34:56Z"), at("2027-03-10T12:34:56Z"))
}

/// How many boundaries the cycles of twenty years have, or where they leave a gap or overlap.
fn tiles(calendar: &CycleCalendar) -> Result<usize, String> {
    let (from, to) = twenty_years();
    let (mut cycle_end, mut full_end) = (from, None);
    let mut count = 0;
    for cycle in calendar.cycles(from, Some(to), i64::MIN, i64::MAX).map_err(|error| error.to_string())? {
        let cycle = cycle.map_err(|error| error.to_string())?;
        let follows = cycle.cycle_start == cycle_end
            && full_end.is_none_or(|full_end| full_end == cycle.full_start)
            && cycle.full_start <= cycle.cycle_start
            && cycle.cycle_start < cycle.cycle_end
            && cycle.cycle_end == cycle.full_end.min(to)
            && usize::try_from(cycle.number) == Ok(count);
        if !follows {
            return Err(format!(
                "{}: {cycle:?} does not follow {cycle_end} {full_end:?}",
                calendar.zone.name()
            ));
        }
        (cycle_end, full_end) = (cycle.cycle_end, Some(cycle.full_end));
        count += 1;
    }
    if cycle_end == to { Ok(count) } else { Err(format!("{}: ends at {cycle_end}", calendar.zone.name())) }
}

/// Every zone, every interval, twenty years, counted from the 1st to 31st or not at all, from an exact time of day on
/// each of these days (one that the clocks skip in spring where there is summer time), and by billing day, however the
/// first cycle begins: no gap, no overlap.
#[test]
fn cycles_tile_time() {
    let mut boundaries = 0;
    let mut add = |calendar: &CycleCalendar| boundaries += tiles(calendar).unwrap();
    let (from, _) = twenty_years();
    for (ours, rules) in all_zones() {
        let calendar = |interval, anchor| CycleCalendar::new(interval, anchor, ours.clone());
        for interval in [WEEK, MONTH, QUARTER, YEAR] {
            add(&calendar(interval, None));
        }
        for day in 1_u8..=31 {
            let anchor = LocalDate::new(2016, 1, day).unwrap();
            for interval in [WEEK, MONTH, QUARTER, YEAR] {
                add(&calendar(interval, Some(anchor)));
            }
            let local = civil::date(2016, 1, i8::try_from(day).unwrap()).at(2, 30, 0, 0);
            let instant = rules.to_ambiguous_timestamp(local).compatible().unwrap().as_microsecond();
            add(&calendar(MONTH, None).anchored_at(instant).unwrap());
            for first in [FirstCycle::Anchored, FirstCycle::Unanchored, FirstCycle::Joined] {
                add(&calendar(MONTH, None).on_billing_day(i64::from(day), from).unwrap().beginning(first));
            }
        }
    }
    assert!(boundaries >= 1_000_000, "{boundaries} boundaries");
}

/// In every zone a boundary is where jiff's own calendar has it: the first instant of the day, or the time of day.
#[test]
fn boundaries_agree_with_jiff() {
    for (ours, rules) in all_zones() {
        let whole = CycleCalendar::new(MONTH, LocalDate::new(2016, 1, 31), ours.clone());
        for day in [1, 29, 30, 31] {
            let anchor = civil::date(2016, 1, day);
            let instant = |local| rules.to_ambiguous_timestamp(local).compatible().unwrap().as_microsecond();
            let exact = CycleCalendar::new(MONTH, None, ours.clone())
                .anchored_at(instant(anchor.at(2, 30, 0, 0)))
                .unwrap();
            for k in -108..=134 {
                let date = anchor + jiff::Span::new().months(k);
                let found = exact.boundary(i64::from(k)).unwrap();
                assert_eq!(found, instant(date.at(2, 30, 0, 0)), "{} {date}", ours.name());
                if day == 31 {
                    let boundary =
                        Timestamp::from_microsecond(whole.boundary(i64::from(k)).unwrap()).unwrap();
                    let before = boundary - jiff::SignedDuration::from_micros(1);
                    assert!(rules.to_datetime(before).date() < date, "{} {date}", ours.name());
                    assert!(rules.to_datetime(boundary).date() >= date, "{} {date}", ours.name());
                }
            }
        }
    }
}
