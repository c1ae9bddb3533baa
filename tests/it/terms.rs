//! Terms of small customers: rows in every reference table, which can come, go and change one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::sample::{Sample, project};

/// The rows of some customers by their name, which stands for `$`. A row that names its table alone has what is usual.
pub const CUSTOMERS: [(&str, &str); 21] = [
    (
        "steps",
        "contract_item\n\
         price charge_model=per_unit unit_amount=1.25 valid_to=2026-10-10\n\
         price price_id=$-2 charge_model=per_unit unit_amount=1.5 valid_from=2026-10-10\n\
         late_policy usage_type=$ policy=correct",
    ),
    (
        "tiers",
        "contract cycle_anchor=2026-09-10\ncontract_item quota_id=$\nprice charge_model=graduated\n\
         price_tier price_id=$ tier_number=1 quantity_to=20 unit_amount=1\n\
         price_tier price_id=$ tier_number=2 quantity_from=20 unit_amount=0.5 flat_amount=3\n\
         price_modifier price_id=$ discount_percent=15\n\
         quota quota_id=$ included_quantity=10 proration=time valid_from=2026-01-01",
    ),
    (
        "pool",
        "contract\ncontract contract_id=$-2\ncontract_item quota_id=$ quota_scope=customer\n\
         contract_item contract_item_id=$-2 contract_id=$-2 quota_id=$ quota_scope=customer draw_order=2\n\
         price charge_model=per_unit unit_amount=2\n\
         quota quota_id=$ included_quantity=25 valid_from=2026-01-01\n\
         quota_threshold quota_id=$ used_percent=80",
    ),
    (
        "bulk",
        "contract cycle_interval=week\ncontract_item\nprice charge_model=volume\n\
         price_tier price_id=$ tier_number=1 quantity_to=30 unit_amount=1\n\
         price_tier price_id=$ tier_number=2 quantity_from=30 unit_amount=0.5\n\
         minimum_fee contract_id=$ amount=50 valid_from=2026-01-01\n\
         interim_cycle contract_item_id=$ cycle_start=2026-09-07T00:00:00Z volume_due=true",
    ),
    (
        "fee",
        "contract time_zone=Asia/Tokyo\ncontract_item usage_type= quantity_field=\n\
         price charge_model=flat flat_amount=49 billing_timing=advance proration=days",
    ),
    (
        "grid",
        "contract_item\nmetric product_id=$ group_fields=region\nprice charge_model=matrix unit_amount=2\n\
         price_matrix price_id=$ group_key={\"region\":\"eu\"} unit_amount=1\n\
         price_matrix price_id=$ group_key={\"region\":\"us\"} unit_amount=3",
    ),
    (
        "plans",
        "contract_item\nmetric product_id=$ group_fields=region\nprice charge_model=capacity\n\
         price_tier price_id=$ tier_number=1 flat_amount=20\nprice_tier price_id=$ tier_number=2 flat_amount=60\n\
         capacity_limit price_id=$ tier_number=1 group_key={\"region\":\"eu\"} quantity_to=50\n\
         capacity_limit price_id=$ tier_number=1 group_key={\"region\":\"us\"} quantity_to=10",
    ),
    (
        "card",
        "contract_item\nprice charge_model=percentage unit_amount=0.02 flat_amount=0.10\n\
         record_allowance price_id=$ free_records=1",
    ),
    (
        "call",
        "contract_item\nprice charge_model=time_of_use\nrate_schedule price_id=$ session_decimals=4\n\
         rate_window price_id=$ window_number=1\nrate_window price_id=$ window_number=2 start_time=18:00:00\n\
         rate_step price_id=$ window_number=1 step_number=1 unit_amount=0.1 unit_quantity=60 increment_quantity=30\n\
         rate_step price_id=$ window_number=2 step_number=1 unit_amount=0.2 unit_quantity=60 increment_quantity=30",
    ),
    (
        "hours",
        "contract_item\nprice charge_model=per_unit unit_amount=3\nspan_rule usage_type=$ placed_by=split",
    ),
    (
        "parcel",
        "contract_item\nprice charge_model=dimension\n\
         dimension_rule price_id=$ rule_group=a rule_number=1 field=region field_value=eu cost_type=flat cost=2\n\
         dimension_rule price_id=$ rule_group=a rule_number=2 field=region field_value=us cost_type=flat cost=4\n\
         dimension_rule price_id=$ rule_group=a rule_number=3 field=member field_value=ann cost_type=rate cost=1.2",
    ),
    (
        "seats",
        "contract_item\n\
         metric product_id=$ aggregation=unique_count item_field=member operation_field=operation carries_over=true\n\
         price charge_model=level_graduated\nprice_tier price_id=$ tier_number=1 quantity_to=2 unit_amount=10\n\
         price_tier price_id=$ tier_number=2 quantity_from=2 unit_amount=7",
    ),
    (
        "storage",
        "contract time_zone=Europe/Berlin\ncontract_item\n\
         metric product_id=$ aggregation=weighted_sum carries_over=true\nprice charge_model=per_unit unit_amount=0.2",
    ),
    (
        "peak",
        "contract_item\n\
         metric product_id=$ aggregation=max window_interval=day window_aggregation=sum\n\
         price charge_model=per_unit unit_amount=0.2",
    ),
    (
        "prepaid",
        "contract_item quota_id=$\nprice charge_model=per_unit unit_amount=1\n\
         grant_account contract_id=$ quota_id=$ overage=charged opened_at=2026-09-01T00:00:00Z\n\
         quota_grant grant_id=$ contract_id=$ quota_id=$ amount=20 effective_at=2026-09-01T00:00:00Z recurrence_interval=month\n\
         quota_reset contract_id=$ quota_id=$ reset_at=2026-10-01T00:00:00Z\n\
         balance_threshold quota_id=$ balance=5",
    ),
    (
        "voucher",
        "contract_item\nprice charge_model=per_unit unit_amount=1\n\
         grant_account contract_id=$ quota_id=$ currency=EUR opened_at=2026-09-01T00:00:00Z\n\
         quota_grant grant_id=$ contract_id=$ quota_id=$ amount=30 effective_at=2026-09-01T00:00:00Z\n\
         balance_threshold quota_id=$ balance=10",
    ),
    (
        "zones",
        "contract_item contract_item_id=$-eu usage_tag=$-eu product_id=$-eu\n\
         contract_item contract_item_id=$-rest usage_tag=$-rest product_id=$-rest\n\
         price price_id=$-eu product_id=$-eu charge_model=per_unit unit_amount=1\n\
         price price_id=$-rest product_id=$-rest charge_model=per_unit unit_amount=2\n\
         tag_rule tag=$-eu usage_type=$ tag_group=$ position=1\ntag_rule tag=$-rest usage_type=$ tag_group=$ position=2\n\
         tag_rule_value tag=$-eu usage_type=$ field=region field_value=eu",
    ),
    (
        "nights",
        "contract_item contract_item_id=$-day usage_tag=$-day product_id=$-day\n\
         contract_item contract_item_id=$-night usage_tag=$-night product_id=$-night\n\
         price price_id=$-day product_id=$-day charge_model=per_unit unit_amount=2\n\
         price price_id=$-night product_id=$-night charge_model=per_unit unit_amount=1\n\
         time_window tag=$-day usage_type=$ time_zone=Europe/Berlin weekday_from=1 weekday_to=7 hour_from=0 hour_to=12\n\
         time_window tag=$-night usage_type=$ time_zone=Europe/Berlin weekday_from=1 weekday_to=7 hour_from=12 hour_to=24 \
         holiday_calendar=DE\n\
         holiday holiday_calendar=DE holiday_date=2026-10-03 holiday_name=Unity",
    ),
    (
        "car",
        "contract\ncontract contract_id=$-2\ncontract_item quantity_field=distance unit=km\n\
         contract_item contract_item_id=$-2 contract_id=$-2 quantity_field=distance unit=km\n\
         price charge_model=per_unit unit_amount=0.3\n\
         contract_identifier identifier_kind=vin identifier=$ contract_id=$ valid_from=2026-09-01T00:00:00Z \
         valid_to=2026-10-05T00:00:00Z\n\
         contract_identifier identifier_kind=vin identifier=$ contract_id=$-2 valid_from=2026-10-05T00:00:00Z",
    ),
    ("own", "contract_item price_field=cost\nprice charge_model=record_amount"),
    (
        "trial",
        "contract_item\nprice charge_model=per_unit unit_amount=1\n\
         usage_filter filter_rule=$ usage_type=$ source=meter\n\
         identity_rule source=meter identity=transaction_id_time keeps=latest\n\
         usage_void transaction_id=$-1 reason=wrong\n\
         close_limit limit_name=suspense_records limit_value=100000\n\
         silence_limit source=meter silent_hours=24",
    ),
];

/// What rows have that do not say otherwise.
const USUAL: [(&str, &str); 4] = [
    ("customer", "customer_id=$ customer_name=$"),
    (
        "contract",
        "contract_id=$ customer_id=$ currency=EUR time_zone=UTC cycle_interval=month valid_from=2026-09-01T00:00:00Z",
    ),
    (
        "contract_item",
        "contract_item_id=$ contract_id=$ product_id=$ description=$ usage_type=$ quantity_field=quantity \
         valid_from=2026-09-01T00:00:00Z",
    ),
    ("price", "price_id=$ product_id=$ valid_from=2026-01-01"),
];

/// The values that a column of a table may come to have.
const VALUES: [(&str, &str, &[&str]); 84] = [
    ("balance_threshold", "balance", &["5", "10", "25"]),
    ("capacity_limit", "quantity_to", &["10", "30", "80"]),
    ("close_limit", "limit_value", &["100000", "200000"]),
    ("contract", "cycle_interval", &["month", "week", "quarter"]),
    ("contract", "purchase_order", &["", "PO-1", "PO-2"]),
    ("contract", "time_zone", &["UTC", "Asia/Tokyo"]),
    ("contract", "valid_to", &["", "2026-10-20", "2026-11-05"]),
    ("contract_identifier", "valid_from", &["2026-09-01T00:00:00Z", "2026-10-05T00:00:00Z"]),
    ("contract_identifier", "valid_to", &["", "2026-10-05T00:00:00Z", "2026-11-01"]),
    ("contract_item", "block_quantity", &["", "5"]),
    ("contract_item", "description", &["One", "Two"]),
    ("contract_item", "draw_order", &["1", "2", "3"]),
    ("contract_item", "statement_grain", &["record", "day", "line"]),
    ("contract_item", "unpriced_usage", &["suspend", "free"]),
    ("contract_item", "usage_shown", &["full", "overage"]),
    ("contract_item", "valid_from", &["2026-09-01T00:00:00Z", "2026-09-12", "2026-10-02"]),
    ("contract_item", "valid_to", &["", "2026-10-20", "2026-11-05"]),
    ("currency", "decimals", &["2", "3"]),
    ("currency", "rounding", &["half_up", "half_even"]),
    ("currency", "rounding_level", &["line", "invoice"]),
    ("customer", "customer_name", &["Ann", "Bob"]),
    ("dimension_rule", "cost", &["1", "2.5", "4"]),
    ("dimension_rule", "field_value", &["eu", "us", "ann", "bob"]),
    ("grant_account", "limit_type", &["soft", "hard"]),
    ("grant_account", "opened_at", &["2026-09-01T00:00:00Z", "2026-09-20T00:00:00Z"]),
    ("grant_account", "overage", &["carried", "charged"]),
    ("grant_account", "quota_scope", &["contract", "customer"]),
    ("holiday", "holiday_date", &["2026-10-03", "2026-10-06", "2026-11-02"]),
    ("holiday", "holiday_name", &["Unity", "Feast"]),
    ("identity_rule", "identity", &["transaction_id", "transaction_id_time"]),
    ("identity_rule", "keeps", &["first", "latest"]),
    ("identity_rule", "source", &["meter", "usage"]),
    ("interim_cycle", "cycle_start", &["2026-09-07T00:00:00Z", "2026-09-14T00:00:00Z"]),
    ("interim_cycle", "volume_due", &["true", "false"]),
    ("late_policy", "policy", &["correct", "next_period", "suspend"]),
    ("metric", "aggregation", &["sum", "max", "latest"]),
    ("metric", "decimals", &["", "0", "-1"]),
    ("metric", "negative_quantity", &["kept", "zero"]),
    ("minimum_fee", "amount", &["10", "50", "500"]),
    ("minimum_fee", "proration", &["none", "days"]),
    ("minimum_fee", "scope", &["contract", "customer"]),
    ("price", "flat_amount", &["", "0.10", "20", "49"]),
    ("price", "proration", &["none", "days", "time"]),
    ("price", "unit_amount", &["0.5", "1", "2.25"]),
    ("price", "valid_from", &["2026-01-01", "2026-09-20", "2026-10-10"]),
    ("price", "valid_to", &["", "2026-10-10", "2026-11-05"]),
    ("price_matrix", "unit_amount", &["0.5", "1", "3"]),
    ("price_modifier", "charge_decimals", &["", "1"]),
    ("price_modifier", "convert_factor", &["1", "2"]),
    ("price_modifier", "discount_percent", &["0", "15", "50"]),
    ("price_modifier", "free_quantity", &["0", "7"]),
    ("price_modifier", "maximum_amount", &["", "15"]),
    ("price_modifier", "minimum_amount", &["", "12"]),
    ("price_tier", "flat_amount", &["0", "3", "20"]),
    ("price_tier", "unit_amount", &["0.5", "1", "7"]),
    ("quota", "goodwill_percent", &["0", "10"]),
    ("quota", "included_quantity", &["0", "10", "40"]),
    ("quota", "valid_to", &["", "2026-10-15"]),
    ("quota_grant", "amount", &["5", "20", "200"]),
    ("quota_grant", "effective_at", &["2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"]),
    ("quota_grant", "expires_at", &["", "2026-10-12T00:00:00Z"]),
    ("quota_grant", "rollover_maximum", &["0", "5"]),
    ("quota_grant", "voided_at", &["", "2026-10-14T00:00:00Z"]),
    ("quota_reset", "keeps_overage", &["true", "false"]),
    ("quota_reset", "reset_at", &["2026-10-01T00:00:00Z", "2026-10-16T00:00:00Z"]),
    ("quota_threshold", "used_percent", &["50", "80", "100"]),
    ("rate_schedule", "session_decimals", &["", "2", "4"]),
    ("rate_schedule", "splits_windows", &["true", "false"]),
    ("rate_step", "increment_quantity", &["1", "30"]),
    ("rate_step", "unit_amount", &["0.1", "0.2"]),
    ("rate_window", "connection_fee", &["0", "0.5"]),
    ("rate_window", "start_time", &["00:00:00", "07:00:00", "18:00:00"]),
    ("record_allowance", "free_quantity", &["", "20"]),
    ("record_allowance", "free_records", &["", "1", "3"]),
    ("record_allowance", "record_order", &["time", "arrival"]),
    ("silence_limit", "silent_hours", &["24", "48"]),
    ("span_rule", "placed_by", &["start", "end", "split"]),
    ("tag_rule", "position", &["1", "2", "3"]),
    ("tag_rule_value", "field_value", &["eu", "us"]),
    ("tag_rule_value", "kind", &["asks", "excludes"]),
    ("time_window", "hour_to", &["12", "18", "24"]),
    ("time_window", "holiday_calendar", &["", "DE"]),
    ("usage_filter", "source", &["", "meter", "usage"]),
    ("usage_void", "transaction_id", &["trial-1", "0-0", "1-0", "2-0", "3-1"]),
];

/// One row: its columns with what they say.
type Row = BTreeMap<String, String>;

/// The reference data of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    rows: BTreeMap<String, Vec<Row>>,
    /// Rows that were taken out of their tables.
    gone: Vec<(String, Row)>,
    customers: BTreeSet<usize>,
}

impl Terms {
    /// Those of some customers.
    pub fn of(customers: impl IntoIterator<Item = usize>) -> Self {
        let euro = fields("currency=EUR decimals=2 rounding=half_up", "");
        let rows = BTreeMap::from([("currency".to_string(), vec![euro])]);
        let mut terms = Self { rows, gone: Vec::new(), customers: BTreeSet::new() };
        for customer in customers {
            terms.come_or_go(customer);
        }
        terms
    }

    /// A customer comes with all of its rows, or goes with them.
    pub fn come_or_go(&mut self, customer: usize) {
        let (name, text) = CUSTOMERS[customer];
        let is_own = |row: &Row| row.values().any(|value| value.split('-').next() == Some(name));
        self.gone.retain(|(_, row)| !is_own(row));
        if self.customers.remove(&customer) {
            for rows in self.rows.values_mut() {
                rows.retain(|row| !is_own(row));
            }
            return;
        }
        self.customers.insert(customer);
        let contract = if text.lines().any(|line| line.starts_with("contract ")) { "" } else { "contract\n" };
        for line in format!("customer\n{contract}{text}").lines() {
            let (table, own) = line.split_once(' ').unwrap_or((line, ""));
            let usual = USUAL.iter().find(|(of, _)| *of == table).map_or("", |(_, usual)| usual);
            let mut row = fields(usual, name);
            row.extend(fields(own, name));
            self.rows.entry(table.to_string()).or_default().push(row);
        }
    }

    /// The customers who are there, by their place in [`CUSTOMERS`].
    pub fn customers(&self) -> Vec<usize> {
        self.customers.iter().copied().collect()
    }

    /// The tables that have rows.
    pub fn tables(&self) -> Vec<&str> {
        self.rows.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| table.as_str()).collect()
    }

    /// Takes a row out of a table.
    pub fn take_out(&mut self, table: &str, row: impl Fn(usize) -> usize) {
        let rows = self.rows.get_mut(table).unwrap();
        let row = rows.remove(row(rows.len()));
        self.gone.push((table.to_string(), row));
    }

    /// Puts a row back that was taken out.
    pub fn put_back(&mut self, row: impl Fn(usize) -> usize) {
        if !self.gone.is_empty() {
            let (table, row) = self.gone.remove(row(self.gone.len()));
            self.rows.entry(table).or_default().push(row);
        }
    }

    /// A row of a table says something else in one of its columns.
    pub fn change(&mut self, table: &str, row: impl Fn(usize) -> usize, value: impl Fn(usize) -> usize) {
        let rows = self.rows.get_mut(table).unwrap();
        let at = row(rows.len());
        let others: Vec<(&str, &str)> = VALUES
            .iter()
            .filter(|(of, _, _)| *of == table)
            .flat_map(|(_, column, values)| values.iter().map(move |value| (*column, *value)))
            .filter(|(column, value)| rows[at].get(*column).map_or("", String::as_str) != *value)
            .collect();
        let (column, value) = others[value(others.len())];
        rows[at].insert(column.to_string(), value.to_string());
    }

    /// Writes every table of the project; one without rows has a header.
    pub fn write(&self, sample: &Sample) {
        for schema in project(sample.path()).reference() {
            let rows = self.rows.get(&schema.name).map_or(&[][..], Vec::as_slice);
            let columns: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
            // What no row says is as the schema has it.
            let is_said = |column: &&str| rows.iter().any(|row| row.contains_key(*column));
            let said: Vec<&str> = columns.iter().copied().filter(is_said).collect();
            let columns = if rows.is_empty() { columns } else { said };
            let mut text = columns.join(",") + "\n";
            for row in rows {
                let cells =
                    columns.iter().map(|column| row.get(*column).map_or(String::new(), |value| cell(value)));
                text += &(cells.collect::<Vec<_>>().join(",") + "\n");
            }
            sample.write(&format!("data/{}.csv", schema.name), &text);
        }
    }
}

fn cell(value: &str) -> String {
    if value.contains(['"', ',']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
}

fn fields(text: &str, name: &str) -> Row {
    let fields = text.split_whitespace().map(|field| field.split_once('=').unwrap());
    fields.map(|(column, value)| (column.to_string(), value.replace('$', name))).collect()
}

/// A project without usage, whose terms are to be written, and without queries that only show something.
pub fn blank() -> Sample {
    let sample = Sample::blank();
    for shown in ["explain", "export", "generate", "report", "status"] {
        std::fs::remove_dir_all(sample.path().join("queries").join(shown)).unwrap();
    }
    sample
}

#[test]
fn every_reference_table_has_rows_that_change() {
    let terms = Terms::of(0..CUSTOMERS.len());
    let sample = blank();
    let project = project(sample.path());
    let tables: Vec<&str> = project.reference().map(|schema| schema.name.as_str()).collect();
    assert_eq!(terms.tables(), tables);
    let changing: BTreeSet<&str> = VALUES.iter().map(|(table, _, _)| *table).collect();
    assert_eq!(changing.into_iter().collect::<Vec<_>>(), tables);
    for (table, column, _) in VALUES {
        assert!(project.schemas[table].columns.iter().any(|of| of.name == column), "{table}.{column}");
    }
    terms.write(&sample);
    sample.ok(&["run"]);
}
