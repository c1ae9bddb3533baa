//! The price of a case: the rows of its charge model, and what is done around it.

use serde_json::{Value, json};

use crate::case::{Refused, field, key, known, list, mode, set, text};
use crate::project::{Project, Row};
use crate::rated::Contract;
use crate::value::{Decimal, time};

/// What a key of a price means is known.
const PRICE: [&str; 36] = [
    "charge_model",
    "unit_amount",
    "tiers",
    "package_size",
    "package_amount",
    "free_units",
    "rate_percent",
    "fixed_amount_per_event",
    "free_events",
    "free_amount",
    "per_event_min",
    "per_event_max",
    "mode",
    "multiplier",
    "amount_field",
    "flat_amount",
    "windows",
    "rounding",
    "connect_fee_due",
    "split_at_windows",
    "groups",
    "filters",
    "versions",
    "free_allowance",
    "prorated",
    "transform",
    "usage_discount",
    "discount_percent",
    "maximum",
    "minimum",
    "prorate",
    "effective_from",
    "name",
    "match",
    "transform_scope",
    "connect_fee",
];

/// A hundredth, as a decimal text.
fn percent(text: &str) -> Result<String, Refused> {
    Decimal::parse(text).map(|value| value.percent().to_string()).ok_or(format!("`{text}` is no decimal"))
}

impl Contract<'_> {
    /// The price of an item from one instant to another.
    pub fn add_price(
        &self,
        project: &mut Project,
        product: &str,
        id: &str,
        price: &Value,
        (from, to): (i64, i64),
    ) -> Result<(), Refused> {
        known(price, &PRICE, "price")?;
        let mut row: Row = vec![
            ("price_id", id.to_string()),
            ("product_id", product.to_string()),
            ("valid_from", time(from)),
            ("valid_to", time(to)),
        ];
        let mut modifier: Row = vec![("price_id", id.to_string())];
        let free =
            key(price, "usage_discount").and_then(|text| Decimal::parse(&text)).unwrap_or(Decimal::ZERO);
        let model = match key(price, "charge_model").unwrap_or("none".into()).as_str() {
            "none" => {
                row.push(("unit_amount", "0".into()));
                "per_unit"
            }
            "standard" if price["free_allowance"].is_string() => {
                set(&mut row, "unit_amount", key(price, "unit_amount"));
                let arrival = self.case["input"]["order"] == json!("ingested_at");
                project.add(
                    "record_allowance",
                    vec![
                        ("price_id", id.to_string()),
                        ("free_quantity", key(price, "free_allowance").unwrap_or_default()),
                        ("record_order", if arrival { "arrival" } else { "time" }.into()),
                    ],
                );
                "percentage"
            }
            "standard" => {
                set(&mut row, "unit_amount", key(price, "unit_amount"));
                "per_unit"
            }
            "package" => {
                let free = key(price, "free_units").and_then(|text| Decimal::parse(&text));
                match free.filter(|free| *free > Decimal::ZERO) {
                    // Free units are billed, too: a first tier that costs nothing, and packages above it.
                    Some(free) => {
                        let (amount, size) = (&price["package_amount"], &price["package_size"]);
                        let packages = json!({
                            "tiers": [
                                { "up_to": free.to_string(), "unit_amount": "0" },
                                { "unit_amount": amount, "block_size": size },
                            ]
                        });
                        self.add_tiers(project, id, &packages)?;
                        "graduated"
                    }
                    None => {
                        set(&mut row, "unit_amount", key(price, "package_amount"));
                        set(&mut modifier, "block_quantity", key(price, "package_size"));
                        "per_unit"
                    }
                }
            }
            "graduated" | "graduated_percentage" => {
                self.add_tiers(project, id, price)?;
                let prorated =
                    [price, self.metric()].iter().any(|part| part["prorated"].as_bool() == Some(true));
                if prorated { "level_graduated" } else { "graduated" }
            }
            "volume" => {
                self.add_tiers(project, id, price)?;
                if self.metric()["prorated"].as_bool() == Some(true) { "level_volume" } else { "volume" }
            }
            "percentage" => {
                row.push(("unit_amount", percent(&key(price, "rate_percent").unwrap_or("0".into()))?));
                set(&mut row, "flat_amount", key(price, "fixed_amount_per_event"));
                set(&mut row, "record_maximum", key(price, "per_event_max"));
                let mut allowance: Row = vec![("price_id", id.to_string())];
                set(&mut allowance, "free_records", key(price, "free_events"));
                set(&mut allowance, "free_quantity", key(price, "free_amount"));
                set(&mut allowance, "record_minimum", key(price, "per_event_min"));
                project.add("record_allowance", allowance);
                "percentage"
            }
            "dynamic" if price["mode"] == json!("multiplier") => {
                row.push(("unit_amount", key(price, "multiplier").unwrap_or("1".into())));
                "per_unit"
            }
            "dynamic" => {
                modifier.push(("zero_quantity", "free".into()));
                "record_amount"
            }
            "flat" => {
                // A ratio is the fee of one.
                let commitment = if self.has_commitment() { "0" } else { "1" };
                row.push(("flat_amount", key(price, "flat_amount").unwrap_or(commitment.into())));
                match (key(&self.case["input"], "fixed_days_in_month"), key(price, "prorate")) {
                    (Some(days), _) => {
                        row.push(("proration", "fixed_days".into()));
                        row.push(("fixed_days", days));
                    }
                    (None, Some(way)) => row.push(("proration", way)),
                    (None, None) => {}
                }
                "flat"
            }
            "capacity" => {
                for (number, tier) in price["tiers"].as_array().into_iter().flatten().enumerate() {
                    let number = number + 1;
                    let mut tier_row: Row =
                        vec![("price_id", id.to_string()), ("tier_number", number.to_string())];
                    set(&mut tier_row, "flat_amount", key(tier, "flat_amount"));
                    project.add("price_tier", tier_row);
                    for (unit, limit) in tier["limits"].as_object().into_iter().flatten() {
                        let Some(limit) = text(limit) else { continue };
                        project.add(
                            "capacity_limit",
                            vec![
                                ("price_id", id.to_string()),
                                ("tier_number", number.to_string()),
                                ("group_key", json!({ field("unit"): unit }).to_string()),
                                ("quantity_to", limit),
                            ],
                        );
                    }
                }
                "capacity"
            }
            "time_of_use" => {
                self.add_schedule(project, id, price)?;
                "time_of_use"
            }
            "dimension_rules" => {
                add_rules(project, id, price);
                "dimension"
            }
            other => return Err(format!("no charge model is a `{other}`")),
        };
        row.push(("charge_model", model.into()));
        project.add("price", row);
        self.add_modifier(project, modifier, price, free)
    }

    fn add_modifier(
        &self,
        project: &mut Project,
        mut row: Row,
        price: &Value,
        free: Decimal,
    ) -> Result<(), Refused> {
        let transform = &price["transform"];
        if transform.is_object() {
            if key(price, "transform_scope").is_some_and(|scope| scope == "slice")
                && self.case["input"]["progressive"].is_object()
            {
                return Err("each slice of a cycle converted by itself: a cycle is converted as one".into());
            }
            let factor = key(transform, "factor").ok_or("a transform without factor")?;
            match key(transform, "op").as_deref() {
                Some("divide") => row.push(("convert_divisor", factor)),
                Some("multiply") => row.push(("convert_factor", factor)),
                other => return Err(format!("no conversion is a {other:?}")),
            }
            set(&mut row, "convert_rounding", key(transform, "rounding"));
        }
        if free > Decimal::ZERO {
            row.push(("free_quantity", free.to_string()));
        }
        if key(price, "charge_model").as_deref() != Some("time_of_use") && price["rounding"].is_object() {
            let rounding = &price["rounding"];
            known(rounding, &["scale", "mode", "apply"], "rounding")?;
            set(&mut row, "charge_decimals", key(rounding, "scale"));
            if key(rounding, "scale").is_some() {
                row.push(("charge_rounding", mode(key(rounding, "mode"))));
            }
        }
        set(&mut row, "discount_percent", key(price, "discount_percent"));
        set(&mut row, "maximum_amount", key(&price["maximum"], "amount"));
        if price["minimum"].is_object() && !self.has_commitment() {
            set(&mut row, "minimum_amount", key(&price["minimum"], "amount"));
            set(&mut row, "minimum_proration", key(&price["minimum"], "prorate"));
        }
        if row.len() > 1 {
            project.add("price_modifier", row);
        }
        Ok(())
    }

    fn add_tiers(&self, project: &mut Project, id: &str, price: &Value) -> Result<(), Refused> {
        let tiers = price["tiers"].as_array().filter(|tiers| !tiers.is_empty()).ok_or("no tiers")?;
        let mut from = "0".to_string();
        for (number, tier) in tiers.iter().enumerate() {
            known(tier, &["up_to", "unit_amount", "flat_amount", "rate_percent", "block_size"], "tier")?;
            let mut row: Row = vec![
                ("price_id", id.to_string()),
                ("tier_number", (number + 1).to_string()),
                ("quantity_from", from.clone()),
            ];
            // Above the last bound the last tier goes on.
            if let Some(to) = key(tier, "up_to").filter(|_| number + 1 < tiers.len()) {
                row.push(("quantity_to", to.clone()));
                from = to;
            }
            let unit = match key(tier, "rate_percent") {
                Some(rate) => Some(percent(&rate)?),
                None => key(tier, "unit_amount"),
            };
            set(&mut row, "unit_amount", unit);
            set(&mut row, "flat_amount", key(tier, "flat_amount"));
            set(&mut row, "block_quantity", key(tier, "block_size"));
            project.add("price_tier", row);
        }
        Ok(())
    }

    fn add_schedule(&self, project: &mut Project, id: &str, price: &Value) -> Result<(), Refused> {
        let mut row: Row = vec![("price_id", id.to_string())];
        let rounding = &price["rounding"];
        known(rounding, &["increment_decimals", "total_decimals", "mode"], "rounding")?;
        set(&mut row, "step_decimals", key(rounding, "increment_decimals").or(Some("12".into())));
        set(&mut row, "session_decimals", key(rounding, "total_decimals"));
        if key(rounding, "total_decimals").is_some() {
            row.push(("session_rounding", mode(key(rounding, "mode"))));
        }
        set(&mut row, "splits_windows", key(price, "split_at_windows"));
        project.add("rate_schedule", row);
        let days = |value: &Value| Some(list(value).join(",")).filter(|days| !days.is_empty());
        let due = price["connect_fee_due"].as_bool().unwrap_or(true);
        for (number, window) in price["windows"].as_array().into_iter().flatten().enumerate() {
            let number = (number + 1).to_string();
            known(
                window,
                &["name", "start_time", "weight", "connect_fee", "rates", "weekdays", "months", "month_days"],
                "window",
            )?;
            let mut row: Row = vec![("price_id", id.to_string()), ("window_number", number.clone())];
            set(&mut row, "weekdays", days(&window["weekdays"]));
            set(&mut row, "months", days(&window["months"]));
            set(&mut row, "month_days", days(&window["month_days"]));
            set(&mut row, "start_time", key(window, "start_time"));
            set(&mut row, "weight", key(window, "weight"));
            set(&mut row, "connection_fee", key(window, "connect_fee").filter(|_| due));
            project.add("rate_window", row);
            for (step, rate) in window["rates"].as_array().into_iter().flatten().enumerate() {
                known(rate, &["from_s", "rate", "unit_s", "increment_s"], "rate")?;
                let mut row: Row = vec![
                    ("price_id", id.to_string()),
                    ("window_number", number.clone()),
                    ("step_number", (step + 1).to_string()),
                ];
                set(&mut row, "elapsed_from", key(rate, "from_s"));
                set(&mut row, "unit_amount", key(rate, "rate"));
                set(&mut row, "unit_quantity", key(rate, "unit_s"));
                set(&mut row, "increment_quantity", key(rate, "increment_s"));
                project.add("rate_step", row);
            }
        }
        Ok(())
    }
}

fn add_rules(project: &mut Project, id: &str, price: &Value) {
    for (place, group) in price["groups"].as_array().into_iter().flatten().enumerate() {
        let name = format!("{place} {}", key(group, "name").unwrap_or_default());
        let rules = ["mappings", "thresholds"].into_iter().flat_map(|kind| group[kind].as_array()).flatten();
        for (number, rule) in rules.enumerate() {
            let mut row: Row = vec![
                ("price_id", id.to_string()),
                ("rule_group", name.clone()),
                ("rule_number", (number + 1).to_string()),
            ];
            set(&mut row, "field", key(rule, "field").map(|name| field(&name)));
            set(&mut row, "field_value", key(rule, "value"));
            set(&mut row, "threshold", key(rule, "level"));
            set(&mut row, "cost_type", key(rule, "type"));
            set(&mut row, "cost", key(rule, "cost"));
            project.add("dimension_rule", row);
        }
    }
}
