//! Cases that rate usage: the metric, the price and the events of a case as rows of a project, one contract each.

use serde_json::{Map, Value, json};

use crate::project::{Project, Row};
use crate::value::{Decimal, instant, time};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// Why a case is not expressible.
pub type Refused = String;

/// What a key of a case means is known; anything else would be rated wrongly without a word.
const METRIC: [&str; 12] = [
    "proration",
    "aggregation",
    "field",
    "filter",
    "group_by",
    "dedupe",
    "recurring",
    "prorated",
    "operation_field",
    "rounding",
    "raw",
    "window",
];
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

/// One contract to be rated.
pub struct Contract<'a> {
    /// Its id, and the source of its usage.
    pub id: String,
    /// The case.
    pub case: &'a Value,
    /// The events.
    pub usage: Vec<Value>,
    /// Whether the cycle has ended, so that everything is due.
    pub is_final: bool,
    /// Whether it is rated by what is known so far and corrected later.
    pub is_rerated: bool,
}

/// The text of a string or a number.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn key(value: &Value, name: &str) -> Option<String> {
    text(&value[name])
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().map(|values| values.iter().filter_map(text).collect()).unwrap_or_default()
}

fn known(value: &Value, names: &[&str], what: &str) -> Result<(), Refused> {
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    match keys.into_iter().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("the {what} has `{key}`, which has no column")),
        None => Ok(()),
    }
}

/// A hundredth, as a decimal text.
fn percent(text: &str) -> Result<String, Refused> {
    Decimal::parse(text).map(|value| value.percent().to_string()).ok_or(format!("`{text}` is no decimal"))
}

fn set(row: &mut Row, column: &'static str, value: Option<String>) {
    if let Some(value) = value {
        row.push((column, value));
    }
}

/// `half_up` for `round` and so on; the modes of the cases and ours have the same names otherwise.
fn mode(text: Option<String>) -> String {
    match text.as_deref() {
        Some("round") | None => "half_up".into(),
        Some(mode) => mode.into(),
    }
}

/// A property of an event, named so that it is no column of usage_record.
pub fn field(name: &str) -> String {
    format!("p_{name}")
}

impl Contract<'_> {
    fn at(&self, name: &str) -> Option<i64> {
        self.case["period"][name].as_str().and_then(instant)
    }

    fn metric(&self) -> &Value {
        &self.case["metric"]
    }

    /// Whose event it is: of several sources in one case each is one of its own.
    fn source(&self, event: &Value) -> String {
        match event["source"].as_str() {
            Some(source) => format!("{}/{source}", self.id),
            None => self.id.clone(),
        }
    }

    fn carries_over(&self) -> bool {
        self.metric()["recurring"].as_bool().unwrap_or(false)
    }

    /// The currency, with the rounding of the line as the case declares it.
    fn currency(&self) -> String {
        self.case["currency"].as_str().unwrap_or("XXX").to_string()
    }

    /// Adds everything to the project.
    pub fn add(&self, project: &mut Project) -> Result<(), Refused> {
        let price = &self.case["price"];
        known(self.metric(), &METRIC, "metric")?;
        if self.case["input"]["cycle"].is_object() {
            return self.add_in_cycle(project);
        }
        let (from, mut to) = (self.at("from").ok_or("no period")?, self.at("to").ok_or("no period")?);
        if self.case["period"]["end_inclusive"].as_bool() == Some(true) {
            to += 1;
        }
        if to <= from {
            return Err("the period has no length: valid_to has to be after valid_from".into());
        }
        let full_from = self.at("full_from").unwrap_or(from);
        let full_to = self.at("full_to").unwrap_or(to).max(to);
        // What is served outside of the full period adds nothing to a fee.
        let from = if self.usage.is_empty() { from.max(full_from) } else { from };
        if from < full_from {
            return Err("the period begins before its full period".into());
        }
        let length = ((full_to - full_from) + SECOND - 1) / SECOND;
        // What carries over is guided to the cycles before.
        let mut valid_from = full_from;
        if self.carries_over() {
            let first = self.usage.iter().filter_map(|event| event["time"].as_str().and_then(instant)).min();
            while first.is_some_and(|first| first < valid_from) {
                valid_from -= length * SECOND;
            }
        }
        project.add(
            "contract",
            vec![
                ("contract_id", self.id.clone()),
                ("customer_id", "customer".into()),
                ("currency", self.currency()),
                ("time_zone", self.case["timezone"].as_str().unwrap_or("UTC").into()),
                ("cycle_interval", format!("{length} seconds")),
                ("anchor_time", time(full_from)),
                ("valid_from", time(valid_from)),
                ("valid_to", time(to)),
            ],
        );
        let items = self.items(price)?;
        // A trial is a time without a price.
        let trial = self.case["input"]["trial_days"].as_i64().unwrap_or(0) * 86_400 * SECOND;
        let in_force = (valid_from, from + trial, to);
        for (position, (name, own)) in items.iter().enumerate() {
            self.add_item(project, name.as_deref(), own, in_force)?;
            let tagged = items.len() > 1 || self.metric()["filter"].is_object();
            if tagged {
                self.add_tag(project, name.as_deref(), position, own)?;
            }
        }
        for (number, due) in list(&self.case["input"]["amounts_due"]).iter().enumerate() {
            self.add_due(project, number, due, in_force);
        }
        // What the whole contract has to pay at least, where it is not one usage price that has to.
        if price["minimum"].is_object() && self.has_commitment() && self.is_final {
            project.add(
                "minimum_fee",
                vec![
                    ("contract_id", self.id.clone()),
                    ("amount", key(&price["minimum"], "amount").ok_or("a minimum without amount")?),
                    ("proration", key(&price["minimum"], "prorate").unwrap_or("none".into())),
                    ("valid_from", time(from)),
                ],
            );
        }
        if !self.is_final {
            for (name, _) in &items {
                project.add(
                    "interim_cycle",
                    vec![
                        ("contract_item_id", self.item(name.as_deref())),
                        ("cycle_start", time(full_from)),
                        ("volume_due", self.is_rerated.to_string()),
                    ],
                );
            }
        }
        self.add_usage(project);
        Ok(())
    }

    /// The same with cycles of a cadence instead of a given period.
    fn add_in_cycle(&self, project: &mut Project) -> Result<(), Refused> {
        let mut row: Row = vec![("contract_id", self.id.clone()), ("customer_id", "customer".into())];
        row.push(("currency", self.currency()));
        row.push(("time_zone", self.case["timezone"].as_str().unwrap_or("UTC").into()));
        let (mut from, to) = crate::calendar::derived(self.case, &mut row)?;
        let first = self.usage.iter().filter_map(|event| event["time"].as_str().and_then(instant)).min();
        if self.carries_over() {
            from = first.map_or(from, |first| first.min(from));
        }
        row.push(("valid_from", time(from)));
        row.push(("valid_to", time(to)));
        project.add("contract", row);
        let items = self.items(&self.case["price"])?;
        for (position, (name, own)) in items.iter().enumerate() {
            self.add_item(project, name.as_deref(), own, (from, from, to))?;
            if items.len() > 1 || self.metric()["filter"].is_object() {
                self.add_tag(project, name.as_deref(), position, own)?;
            }
        }
        self.add_usage(project);
        Ok(())
    }

    /// Whether the minimum is one over several amounts.
    fn has_commitment(&self) -> bool {
        self.case["input"]["amounts_due"].is_array() || self.case["price"]["filters"].is_array()
    }

    fn item(&self, name: Option<&str>) -> String {
        format!("{}/{}", self.id, name.unwrap_or("rest"))
    }

    /// The charge, and one item for each filter: its name and its price, where the filter's parameters win.
    fn items(&self, price: &Value) -> Result<Vec<(Option<String>, Value)>, Refused> {
        let Some(filters) = price["filters"].as_array() else {
            return Ok(vec![(None, price.clone())]);
        };
        let mut base = price.as_object().cloned().unwrap_or_default();
        base.remove("filters");
        let mut items = Vec::new();
        for (number, filter) in filters.iter().enumerate() {
            let mut own = base.clone();
            own.extend(filter.as_object().cloned().unwrap_or_default());
            let name = key(filter, "name").unwrap_or(format!("filter {number}"));
            items.push((Some(name), Value::Object(own)));
        }
        // Without parameters of its own the charge prices nothing but its filters.
        let of_filters: Vec<&String> =
            filters.iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
        if base.keys().any(|key| of_filters.contains(&key) && PARAMETERS.contains(&key.as_str())) {
            items.push((None, Value::Object(base)));
        }
        Ok(items)
    }

    fn add_tag(
        &self,
        project: &mut Project,
        name: Option<&str>,
        position: usize,
        own: &Value,
    ) -> Result<(), Refused> {
        let tag = name.unwrap_or("rest").replace(',', " ");
        project.add(
            "tag_rule",
            vec![
                ("tag", tag.clone()),
                ("usage_type", self.id.clone()),
                ("tag_group", "price".into()),
                ("position", position.to_string()),
            ],
        );
        let filter = &self.metric()["filter"];
        known(filter, &["include", "exclude"], "filter")?;
        let mut entries = vec![(0, &filter["include"]), (0, &own["match"])];
        let excluded = filter["exclude"].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.extend(excluded.iter().enumerate().map(|(number, entry)| (number + 1, entry)));
        for (number, entry) in entries {
            for (property, values) in entry.as_object().into_iter().flatten() {
                let values =
                    if values.is_array() { list(values) } else { text(values).into_iter().collect() };
                for value in values {
                    project.add(
                        "tag_rule_value",
                        vec![
                            ("tag", tag.clone()),
                            ("usage_type", self.id.clone()),
                            ("entry_number", number.to_string()),
                            ("field", field(property)),
                            ("field_value", value),
                        ],
                    );
                }
            }
        }
        Ok(())
    }

    /// An amount that is due beside the price: a fee.
    fn add_due(
        &self,
        project: &mut Project,
        number: usize,
        due: &str,
        (valid_from, from, to): (i64, i64, i64),
    ) {
        let item = format!("{}/due {number}", self.id);
        project.add(
            "contract_item",
            vec![
                ("contract_item_id", item.clone()),
                ("contract_id", self.id.clone()),
                ("product_id", item.clone()),
                ("description", item.clone()),
                ("valid_from", time(valid_from)),
            ],
        );
        project.add(
            "price",
            vec![
                ("price_id", item.clone()),
                ("product_id", item),
                ("charge_model", "flat".into()),
                ("flat_amount", due.into()),
                ("valid_from", time(from)),
                ("valid_to", time(to)),
            ],
        );
    }

    fn add_item(
        &self,
        project: &mut Project,
        name: Option<&str>,
        own: &Value,
        (valid_from, from, to): (i64, i64, i64),
    ) -> Result<(), Refused> {
        let item = self.item(name);
        let model = key(own, "charge_model").unwrap_or_default();
        let metric = self.metric();
        let aggregation = key(metric, "aggregation").unwrap_or("sum".into());
        let quantity_field = match (aggregation.as_str(), key(metric, "field")) {
            ("unique_count", Some(name)) => format!("records with {}", field(&name)),
            ("count" | "unique_count", _) => "records".into(),
            (_, Some(name)) => field(&name),
            (_, None) => "quantity".into(),
        };
        let is_fee = model == "flat";
        let mut row = vec![
            ("contract_item_id", item.clone()),
            ("contract_id", self.id.clone()),
            ("product_id", item.clone()),
            ("description", item.clone()),
            ("valid_from", time(valid_from)),
            // What happens before the price is in force is listed, and carried over where the metric says so.
            ("unpriced_usage", "free".into()),
        ];
        if !is_fee {
            row.push(("usage_type", self.id.clone()));
            row.push(("quantity_field", quantity_field));
        }
        if self.metric()["filter"].is_object() || self.case["price"]["filters"].is_array() {
            row.push(("usage_tag", name.unwrap_or("rest").replace(',', " ")));
        }
        if own["mode"] == json!("sum_event_amounts") {
            row.push(("price_field", field(&key(own, "amount_field").ok_or("no amount_field")?)));
        }
        project.add("contract_item", row);
        self.add_metric(project, &item, &aggregation, &model)?;
        if from >= to {
            return Ok(()); // All of it is a trial.
        }
        let none = Vec::new();
        let versions = own["versions"].as_array().unwrap_or(&none);
        if versions.is_empty() {
            return self.add_price(project, &item, &item, own, (from, to));
        }
        for (number, version) in versions.iter().enumerate() {
            let mut whole = own.as_object().cloned().unwrap_or_default();
            whole.remove("versions");
            whole.extend(version.as_object().cloned().unwrap_or_default());
            let starts = |version: &Value| version["effective_from"].as_str().and_then(instant);
            let start = starts(version).ok_or("a version without effective_from")?.max(from);
            let end = versions.get(number + 1).and_then(starts).unwrap_or(to).min(to);
            if start < end {
                self.add_price(
                    project,
                    &item,
                    &format!("{item}@{number}"),
                    &Value::Object(whole),
                    (start, end),
                )?;
            }
        }
        Ok(())
    }

    fn add_metric(
        &self,
        project: &mut Project,
        product: &str,
        aggregation: &str,
        model: &str,
    ) -> Result<(), Refused> {
        let metric = self.metric();
        let is_capacity = model == "capacity";
        let is_plain = ["sum", "count"].contains(&aggregation)
            && ["group_by", "recurring", "prorated", "rounding", "window"]
                .iter()
                .all(|name| matches!(&metric[*name], Value::Null | Value::Bool(false)));
        if is_plain && !is_capacity {
            return Ok(());
        }
        let mut row = vec![("product_id", product.to_string())];
        row.push((
            "aggregation",
            if aggregation == "count" { "sum".into() } else { aggregation.to_string() },
        ));
        let mut groups: Vec<String> = list(&metric["group_by"]).iter().map(|name| field(name)).collect();
        if is_capacity {
            groups.push(field("unit"));
        }
        if !groups.is_empty() {
            row.push(("group_fields", groups.join(",")));
        }
        if aggregation == "unique_count" {
            row.push(("item_field", field(&key(metric, "field").ok_or("unique_count without field")?)));
            set(&mut row, "operation_field", key(metric, "operation_field").map(|name| field(&name)));
        }
        set(&mut row, "window_interval", key(metric, "window"));
        row.push(("carries_over", self.carries_over().to_string()));
        if metric["prorated"].as_bool() == Some(true) {
            row.push(("proration", key(metric, "proration").unwrap_or("days".into())));
        }
        if aggregation == "latest" && metric["raw"].as_bool() != Some(true) {
            row.push(("negative_quantity", "zero".into()));
        }
        if metric["rounding"]["function"].is_string() {
            known(&metric["rounding"], &["function", "precision"], "metric's rounding")?;
            row.push(("decimals", key(&metric["rounding"], "precision").unwrap_or("0".into())));
            row.push(("rounding", mode(key(&metric["rounding"], "function"))));
        }
        project.add("metric", row);
        Ok(())
    }

    fn add_price(
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
        let mut free =
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
                set(&mut row, "unit_amount", key(price, "package_amount"));
                set(&mut modifier, "block_quantity", key(price, "package_size"));
                free = free
                    + key(price, "free_units")
                        .and_then(|text| Decimal::parse(&text))
                        .unwrap_or(Decimal::ZERO);
                "per_unit"
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
            row.push(("charge_rounding", mode(key(rounding, "mode"))));
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
        row.push(("session_rounding", mode(key(rounding, "mode"))));
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

    /// The events; ties of time keep their order, and what arrived later lands later.
    fn add_usage(&self, project: &mut Project) {
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

/// What a filter says beside its match, in which the charge may differ.
const PARAMETERS: [&str; 12] = [
    "unit_amount",
    "tiers",
    "package_size",
    "package_amount",
    "free_units",
    "rate_percent",
    "fixed_amount_per_event",
    "free_events",
    "free_amount",
    "multiplier",
    "flat_amount",
    "amount_field",
];

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
