//! What a case is turned into, and what the program says about it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::calendar;
use crate::case::{Refused, text};
use crate::project::{Found, Project, query};
use crate::quota;
use crate::rated::Contract;
use crate::value::{Decimal, instant, time};

/// How the answer to a case is read.
pub enum Plan {
    /// A rated contract.
    Rated { contract: String },
    /// Two ratings of one cycle: what the first slices come to, if there were any, and all of them.
    Slices { before: Option<String>, all: String },
    /// The ratings of what was known at one time after the other.
    Snapshots { contracts: Vec<String> },
    /// Whether the record is guided, and the value it has.
    Validation { contract: String },
    /// The cycles of a contract.
    Cycles { contract: String },
    /// The fee of one for each cycle up to a day.
    FeeCycles { contract: String, target: i64 },
    /// Balances of grants.
    Quota { contract: String },
    /// One expression of SQL.
    Expression { name: &'static str, sql: String },
}

/// Turns a case into rows of the project.
pub fn plan(case: &Value, project: &mut Project) -> Result<Plan, Refused> {
    let id = text(&case["id"]).ok_or("a case without id")?;
    let usage = || case["usage"].as_array().cloned().unwrap_or_default();
    let contract = |id: &str, usage: Vec<Value>, is_final: bool| Contract {
        id: id.into(),
        case,
        usage,
        is_final,
        is_rerated: case["input"]["snapshots"].is_array(),
    };
    let input = &case["input"];
    match text(&case["model"]).unwrap_or_default().as_str() {
        "cycle" => return calendar::cycle(case, &id, project),
        "proration:cycles" => return calendar::fee_cycles(case, &id, project),
        "quota_overage" => return quota::plan(case, &id, project),
        "rounding" if input["value"].is_string() => return rounding(case),
        // The days of a period are those of a fee.
        "proration:days" => {
            let mut case = case.clone();
            case["price"] = json!({ "charge_model": "flat", "flat_amount": "0", "prorate": "days" });
            Contract { id: id.clone(), case: &case, usage: vec![], is_final: true, is_rerated: false }
                .add(project)?;
            return Ok(Plan::Rated { contract: id });
        }
        "validation" => {
            contract(&id, usage(), true).add(project)?;
            return Ok(Plan::Validation { contract: id });
        }
        _ => {}
    }
    let from = text(&case["period"]["from"]).unwrap_or_default();
    let event = |name: &str, quantity: Value| json!({ "id": name, "time": from, "quantity": quantity });
    if let Some(snapshots) = input["snapshots"].as_array() {
        let mut contracts = Vec::new();
        for (number, snapshot) in snapshots.iter().enumerate() {
            let id = format!("{id}#{number}");
            let is_final = snapshot["final"].as_bool().unwrap_or(true);
            contract(&id, vec![event("known", snapshot["quantity"].clone())], is_final).add(project)?;
            contracts.push(id);
        }
        return Ok(Plan::Snapshots { contracts });
    }
    if let Some(slice) = input["progressive"].as_object() {
        let number_of = |name: &str| slice.get(name).and_then(text).and_then(|text| Decimal::parse(&text));
        // Where nothing was used or billed this is the first slice, which owes the first flat amount.
        let is_first =
            ["quantity_before", "amount_before"].iter().all(|name| number_of(name) == Some(Decimal::ZERO));
        let mut all = Vec::new();
        let mut before = None;
        if !is_first {
            let earlier = event("before", slice["quantity_before"].clone());
            let id = format!("{id}#before");
            contract(&id, vec![earlier.clone()], false).add(project)?;
            all.push(earlier);
            before = Some(id);
        }
        all.extend(usage());
        let is_final = slice.get("final").and_then(Value::as_bool).unwrap_or(true);
        let id = format!("{id}#all");
        contract(&id, all, is_final).add(project)?;
        return Ok(Plan::Slices { before, all: id });
    }
    if let Some(deltas) = input["deltas"].as_array() {
        crate::usage::weighted(case, &id, deltas, project)?;
        return Ok(Plan::Rated { contract: id });
    }
    if let Some(full) = text(&input["full_quantity"]) {
        let prorated = text(&input["prorated_quantity"]).ok_or("a full quantity without a prorated one")?;
        let delta = json!({ "quantity": full, "prorated": prorated });
        crate::usage::weighted(case, &id, &[delta], project)?;
        return Ok(Plan::Rated { contract: id });
    }
    contract(&id, usage(), true).add(project)?;
    Ok(Plan::Rated { contract: id })
}

/// A value that is rounded by itself: the functions that the queries round with.
fn rounding(case: &Value) -> Result<Plan, Refused> {
    let value = text(&case["input"]["value"]).ok_or("no value")?;
    let rounding = if case["price"]["rounding"].is_object() {
        &case["price"]["rounding"]
    } else {
        &case["metric"]["rounding"]
    };
    let mode = match text(&rounding["mode"]).or(text(&rounding["function"])).as_deref() {
        None | Some("round") => "half_up".to_string(),
        Some(mode) => mode.to_string(),
    };
    if let Some(multiple) = text(&rounding["multiple"]) {
        let sql = format!("round_ratio({value}, 1, {multiple}, 0, '{mode}') * {multiple}");
        return Ok(Plan::Expression { name: "value", sql });
    }
    let scale = text(&rounding["scale"]).or(text(&rounding["precision"])).ok_or("no scale to round to")?;
    Ok(Plan::Expression { name: "value", sql: format!("round_money({value}, {scale}, '{mode}')") })
}

/// What the program said about all cases; rows by contract.
pub struct Answers {
    tables: BTreeMap<&'static str, BTreeMap<String, Vec<Found>>>,
    expressions: BTreeMap<String, Result<String, Refused>>,
}

/// What is read back: a name, and a query with the column `owner`, which begins with the contract.
const QUERIES: [(&str, &str); 9] = [
    (
        "part",
        "select metered_usage.contract_item_id as owner, metered_usage.price_id, metered_usage.cycle_start, \
         metered_usage.group_key, metered_usage.record_count, metered_usage.quantity, measured_usage.full_quantity, \
         priced_quantity.quantity as billed_quantity, priced_cycle.charge_from, priced_cycle.charge_to, priced_cycle.days \
         from metered_usage inner join priced_cycle \
         on metered_usage.contract_item_id = priced_cycle.contract_item_id \
         and metered_usage.cycle_start = priced_cycle.cycle_start and metered_usage.price_id = priced_cycle.price_id \
         left join priced_quantity on metered_usage.contract_item_id = priced_quantity.contract_item_id \
         and metered_usage.cycle_start = priced_quantity.cycle_start \
         and metered_usage.price_id = priced_quantity.price_id \
         and metered_usage.group_key = priced_quantity.group_key \
         left join measured_usage on metered_usage.contract_item_id = measured_usage.contract_item_id \
         and metered_usage.cycle_start = measured_usage.cycle_start \
         and metered_usage.price_id = measured_usage.price_id \
         and metered_usage.group_key = measured_usage.group_key",
    ),
    (
        "charge",
        "select contract_item_id as owner, price_id, cycle_start, group_key, tier_number, quantity, block_count, \
         flat_amount, gross_amount, discount_amount, amount from charge",
    ),
    (
        "minimum",
        "select contract_id as owner, amount_exact from price_minimum \
         union all select contract_id as owner, amount_exact from minimum_line",
    ),
    (
        "record",
        "select record_charge.contract_item_id as owner, json_text(usage_record.attributes, 'event_id') as event, \
         record_charge.quantity, record_charge.is_paid, record_charge.paid_quantity, record_charge.amount \
         from record_charge inner join usage_record \
         on record_charge.landing_sequence = usage_record.landing_sequence",
    ),
    (
        "window",
        "select contract_item_id as owner, group_key, window_from, window_to, quantity from metric_window",
    ),
    (
        "cycle",
        "select contract_id as owner, cycle_start, cycle_end, full_start, full_end, time_zone, \
         local_date(cycle_start, time_zone) as start_date, local_date(cycle_end, time_zone) as end_date \
         from billing_cycle",
    ),
    (
        "suspense",
        "select usage_record.contract_id as owner, suspense.transaction_id, suspense.suspense_reason from suspense \
         inner join usage_record on suspense.landing_sequence = usage_record.landing_sequence",
    ),
    (
        "guided",
        "select contract_item_id as owner, quantity from guided_usage where not exists \
         (select 1 from suspense where suspense.landing_sequence = guided_usage.landing_sequence)",
    ),
    ("grant", "select contract_id as owner, grant_id, read_at, balance, overage from grant_balance"),
];

impl Answers {
    /// Reads all answers.
    pub fn read(folder: &Path, plans: &[Result<Plan, Refused>]) -> Result<Self, String> {
        let mut tables = BTreeMap::new();
        for (name, sql) in QUERIES {
            let mut by_owner: BTreeMap<String, Vec<Found>> = BTreeMap::new();
            for row in query(folder, sql)? {
                let owner = row.get("owner").cloned().unwrap_or_default();
                let contract = owner.split('/').next().unwrap_or_default().to_string();
                by_owner.entry(contract).or_default().push(row);
            }
            tables.insert(name, by_owner);
        }
        let mut parts: Vec<&str> = plans
            .iter()
            .filter_map(|plan| match plan {
                Ok(Plan::Expression { sql, .. }) => Some(sql.as_str()),
                _ => None,
            })
            .collect();
        parts.sort_unstable();
        parts.dedup();
        let mut expressions = BTreeMap::new();
        let ask = |parts: &[&str]| {
            let columns: Vec<String> =
                parts.iter().enumerate().map(|(number, sql)| format!("{sql} as c{number}")).collect();
            let rows = query(folder, &format!("select {}", columns.join(", ")))?;
            let row = rows.into_iter().next().unwrap_or_default();
            let value = |number: usize| row.get(&format!("c{number}")).cloned().unwrap_or_default();
            Ok::<_, String>((0..parts.len()).map(value).collect::<Vec<_>>())
        };
        match if parts.is_empty() { Ok(Vec::new()) } else { ask(&parts) } {
            Ok(values) => {
                expressions.extend(parts.iter().map(|sql| sql.to_string()).zip(values.into_iter().map(Ok)));
            }
            // One that is refused must not hide the others.
            Err(_) => {
                for sql in parts {
                    let value = ask(&[sql]).map(|values| values.into_iter().next().unwrap_or_default());
                    expressions.insert(sql.to_string(), value);
                }
            }
        }
        Ok(Self { tables, expressions })
    }

    /// The rows of a query for a contract.
    pub fn rows(&self, name: &str, contract: &str) -> &[Found] {
        self.tables.get(name).and_then(|rows| rows.get(contract)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The rows that explain an answer.
    pub fn rows_of(&self, plan: &Plan) -> Vec<String> {
        let contracts = match plan {
            Plan::Rated { contract }
            | Plan::Validation { contract }
            | Plan::Cycles { contract }
            | Plan::FeeCycles { contract, .. }
            | Plan::Quota { contract } => vec![contract],
            Plan::Slices { before, all } => before.iter().chain([all]).collect(),
            Plan::Snapshots { contracts } => contracts.iter().collect(),
            Plan::Expression { .. } => vec![],
        };
        let mut lines = Vec::new();
        for contract in contracts {
            for (name, _) in QUERIES {
                for row in self.rows(name, contract).iter().take(12) {
                    let fields: Vec<String> =
                        row.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    lines.push(format!("{name}: {}", fields.join(" ")));
                }
            }
        }
        lines
    }

    /// What the program says about a case, under the names of `expect`.
    pub fn of(&self, case: &Value, plan: &Plan) -> Result<Value, Refused> {
        match plan {
            Plan::Rated { contract } => {
                let mut answer = self.rated(case, contract);
                if let Some(billed) =
                    text(&case["input"]["already_billed"]).and_then(|text| Decimal::parse(&text))
                {
                    let amount =
                        text(&answer["amount"]).and_then(|text| Decimal::parse(&text)).unwrap_or(billed);
                    answer["due"] = (amount - billed).to_string().into();
                }
                Ok(answer)
            }
            Plan::Slices { before, all } => {
                let before = before.as_ref().map_or(Value::Null, |before| self.rated(case, before));
                let all = self.rated(case, all);
                let mut slice = Map::new();
                for (name, value) in all.as_object().into_iter().flatten() {
                    let number = |value: &Value| text(value).and_then(|text| Decimal::parse(&text));
                    let difference =
                        number(value).zip(number(&before[name.as_str()])).map(|(all, before)| all - before);
                    slice.insert(
                        name.clone(),
                        difference.map_or(value.clone(), |value| value.to_string().into()),
                    );
                }
                let billed = text(&before["billed_quantity"]).unwrap_or("0".into());
                slice.insert("billed_quantity_before".into(), billed.into());
                Ok(slice.into())
            }
            Plan::Snapshots { contracts } => {
                let mut booked = Decimal::ZERO;
                let mut deltas = Vec::new();
                for contract in contracts {
                    let amount =
                        text(&self.rated(case, contract)["amount"]).and_then(|text| Decimal::parse(&text));
                    let amount = amount.ok_or("no amount")?;
                    deltas.push(Value::from((amount - booked).to_string()));
                    booked = amount;
                }
                Ok(json!({ "deltas": deltas }))
            }
            Plan::Validation { contract } => {
                let value = self.rows("guided", contract).first().and_then(|row| row.get("quantity"));
                Ok(json!({ "valid": value.is_some(), "value": value }))
            }
            Plan::Cycles { contract } => calendar::answer(case, self.rows("cycle", contract)),
            Plan::FeeCycles { contract, target } => {
                let reached = |row: &&Found| {
                    row.get("cycle_start").and_then(|at| instant(at)).is_some_and(|at| at <= *target)
                };
                let charges = self.rows("charge", contract).iter().filter(reached);
                Ok(json!({ "cycles": sum(charges, "amount").to_string() }))
            }
            Plan::Quota { contract } => quota::answer(case, self.rows("grant", contract)),
            Plan::Expression { name, sql } => {
                let value =
                    self.expressions.get(sql).cloned().unwrap_or_else(|| Err("it was not asked".into()))?;
                Ok(json!({ *name: value }))
            }
        }
    }

    fn rated(&self, case: &Value, contract: &str) -> Value {
        let priced = |row: &&Found| row.get("price_id").is_some_and(|price| price != "none");
        // Where the period is a cycle of a cadence, only what is in that cycle.
        let period =
            calendar::derived_at(case).filter(|_| case["input"]["cycle"].is_object()).and_then(|at| {
                let at_of = |row: &Found, name: &str| {
                    row.get(name).and_then(|text| instant(text)).unwrap_or(i64::MIN)
                };
                let cycles = self.rows("cycle", contract).iter();
                cycles
                    .map(|row| (at_of(row, "cycle_start"), at_of(row, "cycle_end")))
                    .find(|(from, to)| *from <= at && at < *to)
            });
        let inside = |row: &&Found| match period {
            Some((from, _)) => row.get("cycle_start").and_then(|at| instant(at)) == Some(from),
            None => true,
        };
        let parts: Vec<&Found> = self.rows("part", contract).iter().filter(priced).filter(inside).collect();
        let charges: Vec<&Found> = self.rows("charge", contract).iter().filter(inside).collect();
        let records = self.rows("record", contract);
        let true_up = sum(self.rows("minimum", contract), "amount_exact");
        let amount = sum(charges.iter().copied(), "amount") + true_up;
        let recurring = case["metric"]["recurring"].as_bool() == Some(true);
        let counted: Vec<&Found> =
            if recurring { self.rows("part", contract).iter().collect() } else { parts.clone() };
        let paid = |row: &&Found| row.get("is_paid").is_some_and(|paid| paid == "true");
        let paid_units = match records {
            [] => sum(charges.iter().copied(), "quantity"),
            records => sum(records.iter().filter(paid), "paid_quantity"),
        };
        let full = parts.iter().any(|row| row.contains_key("full_quantity"));
        json!({
            "quantity": sum(parts.iter().copied(), "quantity").to_string(),
            "full_quantity": sum(parts.iter().copied(), if full { "full_quantity" } else { "quantity" }).to_string(),
            "billed_quantity": sum(parts.iter().copied(), "billed_quantity").to_string(),
            "event_count": sum(counted, "record_count").to_string(),
            "amount": amount.to_string(),
            "ratio": amount.to_string(),
            "gross": sum(charges.iter().copied(), "gross_amount").to_string(),
            "discount": sum(charges.iter().copied(), "discount_amount").to_string(),
            "true_up": true_up.to_string(),
            "packages": sum(charges.iter().copied(), "block_count").to_string(),
            "paid_units": paid_units.to_string(),
            "paid_events": records.iter().filter(paid).count(),
            "free_events": records.iter().filter(|row| !paid(row)).count(),
            "days": parts.first().and_then(|row| row.get("days")).and_then(|days| days.parse::<i64>().ok()),
            "period": period.map(|(from, to)| json!({ "from": time(from), "to": time(to) })),
            "lines": self.lines(case, contract, &parts, &charges),
        })
    }

    fn lines(&self, case: &Value, contract: &str, parts: &[&Found], charges: &[&Found]) -> Vec<Value> {
        let expected = &case["expect"]["lines"][0];
        let of = |row: &Found, name: &str| row.get(name).cloned().unwrap_or_default();
        let item = |row: &Found| {
            let owner = of(row, "owner");
            owner.split_once('/').map(|(_, item)| item.to_string()).unwrap_or_default()
        };
        let line = |charges: &[&Found]| {
            let (gross, flat) =
                (sum(charges.iter().copied(), "gross_amount"), sum(charges.iter().copied(), "flat_amount"));
            let mut line = Map::new();
            for (name, value) in [
                ("quantity", sum(charges.iter().copied(), "quantity")),
                ("unit_total", gross - flat),
                ("flat", flat),
                ("gross", gross),
                ("discount", sum(charges.iter().copied(), "discount_amount")),
                ("amount", sum(charges.iter().copied(), "amount")),
                ("blocks", sum(charges.iter().copied(), "block_count")),
            ] {
                line.insert(name.into(), value.to_string().into());
            }
            line
        };
        let with = |mut line: Map<String, Value>, extra: Vec<(&str, Value)>| {
            line.extend(extra.into_iter().map(|(name, value)| (name.to_string(), value)));
            Value::Object(line)
        };
        if expected["tier"].is_number() {
            let tier = |row: &Found| Value::from(of(row, "tier_number").parse::<i64>().unwrap_or(0).max(1));
            return charges.iter().map(|row| with(line(&[row]), vec![("tier", tier(row))])).collect();
        }
        if expected.get("event").is_some() {
            let records = self.rows("record", contract).iter();
            return records
                .map(|row| {
                    json!({ "event": of(row, "event"), "quantity": of(row, "quantity"), "amount": of(row, "amount") })
                })
                .collect();
        }
        let windows = self.rows("window", contract);
        if case["metric"]["window"].is_string() && expected.get("from").is_some() {
            return windows
                .iter()
                .map(|row| {
                    json!({
                        "from": at(&of(row, "window_from")),
                        "to": at(&of(row, "window_to")),
                        "quantity": of(row, "quantity"),
                        "group": group(&of(row, "group_key")),
                    })
                })
                .collect();
        }
        let of_part = |part: &Found| -> Vec<&Found> {
            let same = |name: &str, row: &Found| row.get(name) == part.get(name);
            charges
                .iter()
                .filter(|row| {
                    ["owner", "price_id", "cycle_start", "group_key"].iter().all(|name| same(name, row))
                })
                .copied()
                .collect()
        };
        // A group without events is not listed, one with a level that was carried over is.
        let is_empty = |part: &Found| {
            of(part, "record_count") == "0"
                && Decimal::parse(&of(part, "quantity")).is_none_or(|level| level == Decimal::ZERO)
        };
        parts
            .iter()
            .filter(|part| expected.get("group").is_none() || !is_empty(part))
            .map(|part| {
                let extra = vec![
                    ("quantity", of(part, "quantity").into()),
                    ("event_count", of(part, "record_count").into()),
                    ("group", group(&of(part, "group_key"))),
                    ("filter", item(part).into()),
                    ("from", at(&of(part, "charge_from"))),
                    ("to", at(&of(part, "charge_to"))),
                ];
                with(line(&of_part(part)), extra)
            })
            .collect()
    }
}

/// A group as the cases write it, without the prefix of our field names.
fn group(key: &str) -> Value {
    let fields: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
    fields
        .into_iter()
        .map(|(name, value)| (name.strip_prefix("p_").unwrap_or(&name).to_string(), value))
        .collect()
}

fn at(text: &str) -> Value {
    instant(text).map(time).into()
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a Found>, column: &str) -> Decimal {
    rows.into_iter().filter_map(|row| Decimal::parse(row.get(column)?)).sum()
}
