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

/// Moves of a level whose weights are given, as events in a cycle of so many seconds that each weight is the share of
/// the cycle that is left.
pub fn weighted(case: &Value, id: &str, deltas: &[Value], project: &mut Project) -> Result<(), Refused> {
    let decimal = |value: &Value| text(value).and_then(|text| Decimal::parse(&text)).map(|value| value.0);
    let mut shares = Vec::new();
    for delta in deltas {
        let quantity = decimal(&delta["quantity"]).ok_or("a move without quantity")?;
        let weight = decimal(&delta["prorated"]).ok_or("a move without weight")?;
        if quantity == 0 {
            return Err("a move of no units has no share of the cycle".into());
        }
        let divisor = gcd(quantity.unsigned_abs(), weight.unsigned_abs());
        if (quantity < 0) != (weight < 0) && weight != 0 {
            return Err("a move and its weight have different signs".into());
        }
        shares.push((weight.unsigned_abs() / divisor, quantity.unsigned_abs() / divisor));
    }
    let mut whole = 1_u128;
    for (_, part) in &shares {
        whole = whole / gcd(whole, *part) * part;
    }
    if whole > 1_000_000_000 {
        return Err("the weights have no common share of a cycle in whole seconds".into());
    }
    let from = case["period"]["from"].as_str().and_then(instant).ok_or("no period")?;
    let whole_seconds = i64::try_from(whole).map_err(|error| error.to_string())?;
    let mut usage = Vec::new();
    let mut before = whole;
    for (delta, (part, of)) in deltas.iter().zip(shares) {
        let left = part * (whole / of);
        if left > before {
            return Err("a later move counts for longer than an earlier one".into());
        }
        before = left;
        let left = i64::try_from(left).map_err(|error| error.to_string())?;
        usage.push(json!({
            "id": usage.len().to_string(),
            "time": time(from + (whole_seconds - left) * SECOND),
            "quantity": delta["quantity"],
        }));
    }
    let mut case = case.clone();
    case["period"] = json!({ "from": time(from), "to": time(from + whole_seconds * SECOND) });
    case["metric"] = json!({ "aggregation": "sum", "prorated": true, "proration": "time" });
    Contract { id: id.into(), case: &case, usage, is_final: true, is_rerated: false }.add(project)
}

fn gcd(one: u128, other: u128) -> u128 {
    if other == 0 { one.max(1) } else { gcd(other, one % other) }
}
