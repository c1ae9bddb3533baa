//! Cases that rate usage: a contract each, with its items and its metric.

use serde_json::{Value, json};

use crate::case::{Refused, field, key, known, list, mode, set, text};
use crate::project::{Project, Row};
use crate::value::{instant, time};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

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

/// What makes an amount: a charge that has one of them prices what none of its filters matches.
const AMOUNTS: [&str; 10] = [
    "unit_amount",
    "tiers",
    "package_amount",
    "rate_percent",
    "fixed_amount_per_event",
    "multiplier",
    "amount_field",
    "flat_amount",
    "windows",
    "groups",
];

/// What a charge may add to an amount or leave free; a filter that prices says so itself.
const EXTRAS: [&str; 6] =
    ["fixed_amount_per_event", "free_events", "free_amount", "free_units", "per_event_min", "per_event_max"];

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

impl Contract<'_> {
    fn at(&self, name: &str) -> Option<i64> {
        self.case["period"][name].as_str().and_then(instant)
    }

    /// What makes a quantity of its usage.
    pub fn metric(&self) -> &Value {
        &self.case["metric"]
    }

    /// Whose event it is: of several sources in one case each is one of its own.
    pub fn source(&self, event: &Value) -> String {
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
        let (mut from, mut to) = (self.at("from").ok_or("no period")?, self.at("to").ok_or("no period")?);
        if self.case["period"]["end_inclusive"].as_bool() == Some(true) {
            to += 1;
        }
        // A fee by elapsed time is whole where no time elapses: it is the fee of the full period.
        if from == to && price["prorate"] == json!("time") {
            from = self.at("full_from").unwrap_or(from);
            to = self.at("full_to").unwrap_or(to).max(from + SECOND);
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
            if self.is_tagged() {
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
            for (name, own) in &items {
                let is_volume = key(own, "charge_model").as_deref() == Some("volume");
                project.add(
                    "interim_cycle",
                    vec![
                        ("contract_item_id", self.item(name.as_deref())),
                        ("cycle_start", time(full_from)),
                        ("volume_due", (self.is_rerated && is_volume).to_string()),
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
            if self.is_tagged() {
                self.add_tag(project, name.as_deref(), position, own)?;
            }
        }
        self.add_usage(project);
        Ok(())
    }

    /// Whether the minimum is one over several amounts.
    pub fn has_commitment(&self) -> bool {
        self.case["input"]["amounts_due"].is_array() || self.case["price"]["filters"].is_array()
    }

    /// Whether its items ask for some of the usage only.
    fn is_tagged(&self) -> bool {
        self.metric()["filter"].is_object() || self.case["price"]["filters"].is_array()
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
            let filter_own = filter.as_object().cloned().unwrap_or_default();
            let has_amount = AMOUNTS.iter().any(|name| filter_own.contains_key(*name));
            let mut own = base.clone();
            own.retain(|name, _| !(has_amount && EXTRAS.contains(&name.as_str())));
            own.extend(filter_own);
            let name = key(filter, "name").unwrap_or(format!("filter {number}"));
            items.push((Some(name), Value::Object(own)));
        }
        // Without an amount of its own the charge prices nothing but its filters.
        if filters.is_empty() || base.keys().any(|key| AMOUNTS.contains(&key.as_str())) {
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
        let mut entries = vec![("asks", 1, &filter["include"]), ("asks", 1, &own["match"])];
        let excluded = filter["exclude"].as_array().map(Vec::as_slice).unwrap_or_default();
        entries.extend(excluded.iter().enumerate().map(|(number, entry)| ("excludes", number + 1, entry)));
        for (kind, number, entry) in entries {
            for (property, values) in entry.as_object().into_iter().flatten() {
                let values =
                    if values.is_array() { list(values) } else { text(values).into_iter().collect() };
                for value in values {
                    project.add(
                        "tag_rule_value",
                        vec![
                            ("tag", tag.clone()),
                            ("usage_type", self.id.clone()),
                            ("kind", kind.into()),
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
        if self.is_tagged() {
            row.push(("usage_tag", name.unwrap_or("rest").replace(',', " ")));
        }
        if own["mode"] == json!("sum_event_amounts") {
            row.push(("price_field", field(&key(own, "amount_field").ok_or("no amount_field")?)));
        }
        project.add("contract_item", row);
        self.add_metric(project, &item, &aggregation, &model)?;
        // Where all of it is a trial the price begins when the contract has ended.
        let to = to.max(from + SECOND);
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
}
