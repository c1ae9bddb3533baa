//! Cases of grants: a quota that a contract's usage burns.

use serde_json::{Map, Value, json};

use crate::case::{Refused, text};
use crate::project::{Found, Project, Row};
use crate::read::Plan;
use crate::value::{instant, time};

/// The grants, resets and usage of a case.
pub fn plan(case: &Value, id: &str, project: &mut Project) -> Result<Plan, Refused> {
    let input = &case["input"];
    let known = ["grants", "opening", "start", "at", "resets", "preserve_overage"];
    if let Some(key) =
        input.as_object().and_then(|input| input.keys().find(|key| !known.contains(&key.as_str())))
    {
        return Err(format!("the quota has `{key}`, which has no column"));
    }
    let metric = &case["metric"];
    let field = text(&metric["field"]);
    let quantity_field = match (text(&metric["aggregation"]).as_deref(), &field) {
        (None | Some("sum"), None) => "quantity".to_string(),
        (None | Some("sum"), Some(name)) => crate::case::field(name),
        (Some("count"), _) => "records".to_string(),
        (Some(other), _) => {
            return Err(format!("grants are burnt by usage records, not by a level: {other}"));
        }
    };
    let at = |value: &Value| value.as_str().and_then(instant);
    let (start, read_at) =
        (at(&input["start"]).ok_or("no start")?, at(&input["at"]).ok_or("no instant to read at")?);
    project.add(
        "contract",
        vec![
            ("contract_id", id.into()),
            ("customer_id", "customer".into()),
            ("currency", "XXX".into()),
            ("time_zone", case["timezone"].as_str().unwrap_or("UTC").into()),
            ("cycle_interval", "year".into()),
            // Balances are read where a cycle ends.
            ("valid_from", time(start - 86_400_000_000)),
            ("valid_to", time(read_at)),
        ],
    );
    project.add(
        "contract_item",
        vec![
            ("contract_item_id", format!("{id}/usage")),
            ("contract_id", id.into()),
            ("product_id", format!("{id}/usage")),
            ("description", "usage".into()),
            ("usage_type", id.into()),
            ("quantity_field", quantity_field),
            ("quota_id", id.into()),
            ("unpriced_usage", "free".into()),
            ("valid_from", time(start - 86_400_000_000)),
        ],
    );
    let opening = &input["opening"];
    project.add(
        "grant_account",
        vec![
            ("contract_id", id.into()),
            ("quota_id", id.into()),
            ("opened_at", time(start)),
            ("opening_overage", text(&opening["overage"]).unwrap_or("0".into())),
        ],
    );
    for grant in input["grants"].as_array().into_iter().flatten() {
        let known = [
            "id",
            "amount",
            "priority",
            "effective_at",
            "expires_at",
            "voided_at",
            "recurrence",
            "rollover_min",
            "rollover_max",
        ];
        if let Some(key) =
            grant.as_object().and_then(|grant| grant.keys().find(|key| !known.contains(&key.as_str())))
        {
            return Err(format!("the grant has `{key}`, which has no column"));
        }
        let name = text(&grant["id"]).unwrap_or_default();
        let mut row: Row =
            vec![("grant_id", format!("{id}/{name}")), ("contract_id", id.into()), ("quota_id", id.into())];
        let mut set = |column, value: Option<String>| {
            if let Some(value) = value {
                row.push((column, value));
            }
        };
        set("amount", text(&grant["amount"]));
        set("priority", text(&grant["priority"]));
        for (column, key) in
            [("effective_at", "effective_at"), ("expires_at", "expires_at"), ("voided_at", "voided_at")]
        {
            set(column, text(&grant[key]));
        }
        let recurrence = &grant["recurrence"];
        set("recurrence_anchor", text(&recurrence["anchor"]));
        if !recurrence.is_null() {
            set("recurrence_interval", Some(crate::calendar::words(&recurrence["interval"])?));
        }
        set("rollover_minimum", text(&grant["rollover_min"]));
        set("rollover_maximum", text(&grant["rollover_max"]));
        set("opening_balance", text(&opening["balances"][&name]));
        project.add("quota_grant", row);
    }
    // The overage is told beside a grant: where there is none, one of nothing stands for it.
    if input["grants"].as_array().is_none_or(Vec::is_empty) {
        project.add(
            "quota_grant",
            vec![
                ("grant_id", format!("{id}/")),
                ("contract_id", id.into()),
                ("quota_id", id.into()),
                ("amount", "0".into()),
                ("effective_at", time(start)),
            ],
        );
    }
    let keeps = input["preserve_overage"].as_bool().unwrap_or(false);
    for reset in input["resets"].as_array().into_iter().flatten() {
        // A reset is an instant, or one with a choice of its own.
        let (at, keeps) = match reset.as_str() {
            Some(at) => (at.to_string(), keeps),
            None => (
                text(&reset["at"]).ok_or("a reset without instant")?,
                reset["preserve_overage"].as_bool().unwrap_or(keeps),
            ),
        };
        project.add(
            "quota_reset",
            vec![
                ("contract_id", id.into()),
                ("quota_id", id.into()),
                ("reset_at", at),
                ("keeps_overage", keeps.to_string()),
            ],
        );
    }
    for event in case["usage"].as_array().into_iter().flatten() {
        let mut record = Map::new();
        record.insert("source".into(), id.into());
        record.insert("transaction_id".into(), event["id"].clone());
        record.insert("usage_type".into(), id.into());
        record.insert("usage_start".into(), event["time"].clone());
        record.insert("contract_id".into(), id.into());
        if !event["quantity"].is_null() {
            record.insert("quantity".into(), event["quantity"].clone());
        }
        for (name, value) in event["properties"].as_object().into_iter().flatten() {
            record.insert(crate::case::field(name), value.clone());
        }
        project.record(record);
    }
    Ok(Plan::Quota { contract: id.into() })
}

/// The balances by grant, and the overage.
pub fn answer(case: &Value, rows: &[Found]) -> Result<Value, Refused> {
    let read_at = case["input"]["at"].as_str().and_then(instant);
    let last = rows.iter().filter(|row| row.get("read_at").and_then(|at| instant(at)) == read_at);
    let mut balances = Map::new();
    let mut overage = json!("0");
    for row in last {
        let grant = row.get("grant_id").and_then(|id| id.split_once('/')).map(|(_, name)| name.to_string());
        if let Some(grant) = grant.filter(|name| !name.is_empty()) {
            balances.insert(grant, row.get("balance").cloned().into());
        }
        overage = row.get("overage").cloned().into();
    }
    Ok(json!({ "balances": balances, "overage": overage }))
}
