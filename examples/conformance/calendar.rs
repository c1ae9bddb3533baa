//! Cases of billing cycles: a contract each, whose cycles are looked up.

use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::case::{Refused, text};
use crate::project::{Found, Project, Row};
use crate::rated::SECOND;
use crate::read::Plan;
use crate::value::{instant, time};

fn interval(cadence: &Value) -> Result<String, Refused> {
    let unit = text(&cadence["unit"]).ok_or("no unit of the cadence")?;
    Ok(format!("{} {unit}", cadence["count"].as_u64().unwrap_or(1)))
}

/// An ISO 8601 duration, `P1M`, as a contract writes it.
pub fn words(duration: &Value) -> Result<String, Refused> {
    if duration.is_object() {
        return interval(duration);
    }
    let written = text(duration).ok_or("no duration")?;
    if !written.starts_with('P') {
        return Ok(written);
    }
    let unknown = || format!("the duration {written} is no interval");
    let mut words = Vec::new();
    let (mut number, mut in_time) = (String::new(), false);
    for letter in written.strip_prefix('P').ok_or_else(unknown)?.chars() {
        let unit = match (letter, in_time) {
            ('T', _) => {
                in_time = true;
                continue;
            }
            ('0'..='9', _) => {
                number.push(letter);
                continue;
            }
            ('Y', _) => "years",
            ('M', false) => "months",
            ('W', _) => "weeks",
            ('D', _) => "days",
            ('H', _) => "hours",
            ('M', true) => "minutes",
            ('S', _) => "seconds",
            _ => return Err(unknown()),
        };
        words.push(format!("{number} {unit}"));
        number.clear();
    }
    Ok(words.join(" "))
}

/// An instant so many cadences earlier (negative) or later.
fn shift(micros: i64, cadence: &Value, count: i64) -> Result<i64, Refused> {
    let size = cadence["count"].as_i64().unwrap_or(1) * count;
    let span = match cadence["unit"].as_str().unwrap_or("month") {
        "second" => Span::new().seconds(size),
        "minute" => Span::new().minutes(size),
        "hour" => Span::new().hours(size),
        "day" => Span::new().days(size),
        "week" => Span::new().weeks(size),
        "year" => Span::new().years(size),
        "quarter" => Span::new().months(size * 3),
        _ => Span::new().months(size),
    };
    let zoned =
        Timestamp::from_microsecond(micros).map_err(|error| error.to_string())?.to_zoned(TimeZone::UTC);
    Ok(zoned.checked_add(span).map_err(|error| error.to_string())?.timestamp().as_microsecond())
}

fn zone(case: &Value) -> Result<TimeZone, Refused> {
    TimeZone::get(case["timezone"].as_str().unwrap_or("UTC")).map_err(|error| error.to_string())
}

/// The local date of an instant; a date is one already.
fn date(written: &str, zone: &TimeZone) -> Result<String, Refused> {
    if written.len() == 10 {
        return Ok(written.into());
    }
    let micros = instant(written).ok_or(format!("`{written}` is no time"))?;
    let stamp = Timestamp::from_microsecond(micros).map_err(|error| error.to_string())?;
    Ok(stamp.to_zoned(zone.clone()).date().to_string())
}

/// The first instant of a local day; a time is an instant already.
fn start_of(written: &str, zone: &TimeZone) -> Result<i64, Refused> {
    if written.len() > 10 {
        return instant(written).ok_or(format!("`{written}` is no time"));
    }
    let date: jiff::civil::Date = written.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(date.to_zoned(zone.clone()).map_err(|error| error.to_string())?.timestamp().as_microsecond())
}

/// The columns of a contract that say when its cycles begin.
fn anchor(input: &Value, zone: &TimeZone, row: &mut Row) -> Result<(), Refused> {
    if input["align"].as_str() == Some("calendar") {
        return Ok(());
    }
    match (text(&input["anchor"]), text(&input["billing_day"])) {
        (Some(anchor), _) if input["anchor_precision"].as_str() == Some("instant") => {
            row.push(("anchor_time", time(start_of(&anchor, zone)?)));
        }
        (Some(anchor), _) => row.push(("cycle_anchor", date(&anchor, zone)?)),
        (None, Some(day)) => row.push(("billing_day", day)),
        (None, None) => {}
    }
    Ok(())
}

/// The instant whose cycle is the period of a case that derives its period.
pub fn derived_at(case: &Value) -> Option<i64> {
    let input = &case["input"];
    [&input["cycle"]["at"], &input["at"]].into_iter().find_map(|at| at.as_str().and_then(instant))
}

/// The columns of a contract whose cycle at an instant is the period of a case, and a time it is valid for.
pub fn derived(case: &Value, row: &mut Row) -> Result<(i64, i64), Refused> {
    let cycle = &case["input"]["cycle"];
    let zone = zone(case)?;
    let at = derived_at(case).ok_or("no instant whose cycle is the period")?;
    row.push(("cycle_interval", interval(&cycle["cadence"])?));
    anchor(cycle, &zone, row)?;
    let start = text(&cycle["start"]).map(|start| start_of(&start, &zone)).transpose()?;
    let from = start.map_or_else(|| shift(at, &cycle["cadence"], -3), Ok)?;
    Ok((from, shift(at, &cycle["cadence"], 3)?))
}

/// A contract whose cycles hold the instants that a case asks for.
pub fn cycle(case: &Value, id: &str, project: &mut Project) -> Result<Plan, Refused> {
    let input = &case["input"];
    let zone = zone(case)?;
    let which = input["which"].as_str().unwrap_or_default();
    let cadence = &input["cadence"];
    if which == "billing_day_of" {
        let at = text(&input["at"]).ok_or("no instant")?;
        let name = zone.iana_name().unwrap_or("UTC");
        let sql = format!("cast(extract(day from local_date(timestamp '{at}', '{name}')) as bigint)");
        return Ok(Plan::Expression { name: "billing_day", sql });
    }
    let mut row: Row = vec![("contract_id", id.into()), ("customer_id", "customer".into())];
    row.push(("currency", "XXX".into()));
    row.push(("time_zone", case["timezone"].as_str().unwrap_or("UTC").into()));
    if which == "add" {
        let start = start_of(&text(&input["start"]).ok_or("no start")?, &zone)?;
        row.push(("cycle_interval", words(&input["duration"])?));
        row.push(("anchor_time", time(start)));
        row.push(("valid_from", time(start)));
        // The first cycle begins, no other does: what is asked for is its end if the contract went on.
        row.push(("valid_to", time(start + SECOND)));
        project.add("contract", row);
        return Ok(Plan::Cycles { contract: id.into() });
    }
    row.push(("cycle_interval", interval(cadence)?));
    anchor(input, &zone, &mut row)?;
    let mut asked: Vec<i64> = Vec::new();
    for name in ["at", "first", "from"] {
        if let Some(written) = text(&input[name]) {
            asked.push(start_of(&written, &zone)?);
        }
    }
    asked.extend(input["instants"].as_array().into_iter().flatten().filter_map(|at| instant(at.as_str()?)));
    let earliest = asked.iter().copied().min().ok_or("no instant is asked for")?;
    let latest = asked.iter().copied().max().unwrap_or(earliest);
    let start = text(&input["start"]).map(|start| start_of(&start, &zone)).transpose()?;
    let valid_from = match (text(&input["previous_period_end"]), start, which) {
        (Some(end), _, _) => {
            row.push(("first_cycle", "joined".into()));
            start_of(&end, &zone)?
        }
        (None, Some(start), _) => start,
        (None, None, "first_billing_date") => earliest,
        (None, None, _) => shift(earliest, cadence, -3)?,
    };
    let count = input["count"].as_i64().unwrap_or(0) + 3;
    row.push(("valid_from", time(valid_from)));
    row.push(("valid_to", time(shift(latest.max(valid_from), cadence, count)?)));
    project.add("contract", row);
    Ok(Plan::Cycles { contract: id.into() })
}

/// A fee of one in advance for each cycle, and for its days where it is a part.
pub fn fee_cycles(case: &Value, id: &str, project: &mut Project) -> Result<Plan, Refused> {
    let input = &case["input"];
    let zone = zone(case)?;
    let day = |name: &str| text(&input[name]).map(|written| start_of(&written, &zone)).transpose();
    let start = day("start")?.ok_or("no start")?;
    let target = day("target")?.ok_or("no target")?;
    let end = day("end")?;
    let plan = Plan::FeeCycles { contract: id.into(), target };
    if end.is_some_and(|end| end <= start) {
        return Ok(plan); // Never in force.
    }
    let valid_to = end.map_or_else(|| shift(target.max(start), &input["cadence"], 2), Ok)?;
    let mut row: Row = vec![("contract_id", id.into()), ("customer_id", "customer".into())];
    row.push(("currency", "XXX".into()));
    row.push(("time_zone", case["timezone"].as_str().unwrap_or("UTC").into()));
    row.push(("cycle_interval", interval(&input["cadence"])?));
    anchor(input, &zone, &mut row)?;
    row.push(("first_cycle", "unanchored".into()));
    row.push(("valid_from", time(start)));
    row.push(("valid_to", time(valid_to)));
    project.add("contract", row);
    let item = format!("{id}/fee");
    project.add(
        "contract_item",
        vec![
            ("contract_item_id", item.clone()),
            ("contract_id", id.into()),
            ("product_id", item.clone()),
            ("description", item.clone()),
            ("valid_from", time(start)),
        ],
    );
    project.add(
        "price",
        vec![
            ("price_id", item.clone()),
            ("product_id", item),
            ("charge_model", "flat".into()),
            ("flat_amount", "1".into()),
            ("billing_timing", "advance".into()),
            ("proration", "days".into()),
            ("valid_from", time(start)),
        ],
    );
    Ok(plan)
}

/// Looks up what a case asks for in the cycles of its contract.
pub fn answer(case: &Value, rows: &[Found]) -> Result<Value, Refused> {
    let input = &case["input"];
    let zone = zone(case)?;
    let at = |row: &Found, name: &str| row.get(name).and_then(|text| instant(text)).unwrap_or(i64::MIN);
    let mut cycles: Vec<(i64, i64, &Found)> =
        rows.iter().map(|row| (at(row, "cycle_start"), at(row, "cycle_end"), row)).collect();
    cycles.sort_by_key(|cycle| cycle.0);
    let asked = |name: &str| text(&input[name]).map(|written| start_of(&written, &zone)).transpose();
    let of = |cycle: Option<&(i64, i64, &Found)>| {
        cycle.map_or(json!({}), |cycle| json!({ "from": time(cycle.0), "to": time(cycle.1) }))
    };
    let holding = |at: i64| cycles.iter().position(|cycle| cycle.0 <= at && at < cycle.1);
    match input["which"].as_str().unwrap_or_default() {
        "containing" => Ok(of(asked("at")?.and_then(holding).and_then(|place| cycles.get(place)))),
        "previous" => {
            let place = asked("at")?.and_then(holding).and_then(|place| place.checked_sub(1));
            Ok(of(place.and_then(|place| cycles.get(place))))
        }
        "starts" => {
            let first = asked("first")?.unwrap_or(i64::MIN);
            let count = input["count"].as_u64().unwrap_or(0) as usize;
            let starts: Vec<String> = cycles
                .iter()
                .filter(|cycle| cycle.1 > first)
                .take(count)
                .map(|cycle| time(cycle.0))
                .collect();
            Ok(json!({ "starts": starts }))
        }
        "is_start_day" => {
            let mut flags = Vec::new();
            for instant in input["instants"].as_array().into_iter().flatten() {
                let day = date(instant.as_str().unwrap_or_default(), &zone)?;
                flags.push(cycles.iter().any(|cycle| cycle.2.get("start_date") == Some(&day)));
            }
            Ok(json!({ "flags": flags }))
        }
        "first_billing_date" => {
            let first = cycles.first().ok_or("no cycle")?.2;
            let whole = first.get("cycle_start") == first.get("full_start");
            Ok(json!({ "date": first.get(if whole { "start_date" } else { "end_date" }) }))
        }
        "add" => {
            let end = time(at(cycles.first().ok_or("no cycle")?.2, "full_end"));
            // From a date on it is a date that is asked for.
            let is_date = text(&input["start"]).is_some_and(|start| start.len() == 10);
            Ok(json!({ "at": if is_date { date(&end, &zone)? } else { end } }))
        }
        other => Err(format!("cycles are not asked for `{other}`")),
    }
}
