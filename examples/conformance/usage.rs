//! The events of a case as usage records.

use serde_json::{Map, Value, json};

use crate::case::{Refused, field, key, list, text};
use crate::project::Project;
use crate::rated::{Contract, SECOND};
use crate::value::{Decimal, instant, time};

impl Contract<'_> {
    /// The events; ties of time keep their order, and what arrived later lands later.
    pub fn add_usage(&self, project: &mut Project) {
        let keeps = match self.metric()["dedupe"]["keep"].as_str() {
            Some("latest_ingested") => "latest",
            _ => "first",
        };
        let by_time = list(&self.metric()["dedupe"]["key"]).iter().any(|name| name == "time");
        let mut sources: Vec<String> = self.usage.iter().map(|event| self.source(event)).collect();
        sources.sort();
        sources.dedup();
        for source in sources.into_iter().filter(|_| self.metric()["dedupe"].is_object()) {
            project.add(
                "identity_rule",
                vec![
                    ("source", source),
                    ("identity", if by_time { "transaction_id_time" } else { "transaction_id" }.into()),
                    ("keeps", keeps.into()),
                ],
            );
        }
        let mut usage: Vec<&Value> = self.usage.iter().collect();
        // What does not say when it arrived came right after the event before it.
        let mut arrived = i64::MIN;
        let mut arrivals: Vec<(i64, &Value)> = usage
            .drain(..)
            .map(|event| {
                arrived = event["ingested_at"].as_str().and_then(instant).unwrap_or(arrived);
                (arrived, event)
            })
            .collect();
        arrivals.sort_by_key(|(arrived, _)| *arrived);
        for (number, (_, event)) in arrivals.into_iter().enumerate() {
            let mut record = Map::new();
            record.insert("source".into(), self.source(event).into());
            let identity = key(event, "transaction_id").or(key(event, "id")).unwrap_or(number.to_string());
            record.insert("transaction_id".into(), identity.into());
            record.insert("usage_type".into(), self.id.clone().into());
            record.insert("usage_start".into(), event["time"].clone());
            record.insert("contract_id".into(), self.id.clone().into());
            if let Some(quantity) = key(event, "quantity") {
                record.insert("quantity".into(), quantity.into());
            }
            for (name, value) in event["properties"].as_object().into_iter().flatten() {
                record.insert(field(name), value.clone());
            }
            if let Some(id) = key(event, "id") {
                record.insert("event_id".into(), id.into());
            }
            project.record(record);
        }
    }
}

/// The longest cycle that moves of a level are put into, in seconds: of so long a cycle a microsecond is
/// less than the last decimal of an amount.
const LONGEST: u128 = 1_000_000_000;

/// Moves of a level whose weights are given, as events in a cycle of so many seconds that each weight is the
/// share of the cycle that is left; where no cycle has all of the shares, to the nearest microsecond of the
/// longest.
pub fn weighted(case: &Value, id: &str, deltas: &[Value], project: &mut Project) -> Result<(), Refused> {
    // What is beyond the eighteenth decimal is less than a microsecond, too.
    let decimal = |value: &Value| {
        let text = text(value)?;
        let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 19));
        Decimal::parse(text.get(..end)?).map(|value| value.0)
    };
    let mut moves = Vec::new();
    for delta in deltas {
        let quantity = decimal(&delta["quantity"]).ok_or("a move without quantity")?;
        let weight = decimal(&delta["prorated"]).ok_or("a move without weight")?;
        match (quantity, weight) {
            (0, 0) => continue,
            (0, _) => return Err("a move of no units has no share of the cycle".into()),
            _ if weight != 0 && (quantity < 0) != (weight < 0) => {
                return Err("a move and its weight have different signs".into());
            }
            _ => {}
        }
        let divisor = gcd(quantity.unsigned_abs(), weight.unsigned_abs());
        moves.push((delta, weight.unsigned_abs() / divisor, quantity.unsigned_abs() / divisor));
    }
    let mut whole = 1_u128;
    for (_, _, of) in &moves {
        whole = (whole / gcd(whole, *of)).saturating_mul(*of);
    }
    let whole = if whole > LONGEST { LONGEST } else { LONGEST / whole * whole };
    let whole = i64::try_from(whole).map_err(|error| error.to_string())? * SECOND;
    let from = case["period"]["from"].as_str().and_then(instant).ok_or("no period")?;
    let mut usage = Vec::new();
    let mut before = whole;
    for (delta, part, of) in moves {
        let parts = part.checked_mul(whole.unsigned_abs().into()).ok_or("the weight is too large")?;
        let left = i64::try_from((parts + of / 2) / of).map_err(|error| error.to_string())?;
        if left > before {
            return Err("a later move counts for longer than an earlier one".into());
        }
        before = left;
        usage.push(json!({
            "id": usage.len().to_string(),
            // The last instant of the cycle is still in it.
            "time": time(from + whole - left.max(1)),
            "quantity": delta["quantity"],
        }));
    }
    let mut case = case.clone();
    case["period"] = json!({ "from": time(from), "to": time(from + whole) });
    case["metric"] = json!({ "aggregation": "sum", "prorated": true, "proration": "time" });
    Contract { id: id.into(), case: &case, usage, is_final: true, is_rerated: false }.add(project)
}

fn gcd(one: u128, other: u128) -> u128 {
    if other == 0 { one.max(1) } else { gcd(other, one % other) }
}
