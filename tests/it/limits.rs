//! The largest and the smallest numbers that are accepted, in each charge model: who they belong to is billed right or
//! told by name, and nobody else is touched.

use crate::sample::Sample;

/// The most that a quantity of a record, a price and a factor may be: 16 digits before the point.
const MOST: &str = "9999999999999999.999999999999";
/// The least.
const LEAST: &str = "0.000000000001";
/// The end of a tier, a quota or a grant may have 20 digits before the point.
const MOST_UNITS: &str = "99999999999999999999.999999999999";

/// Files of reference data, and their columns after the first, which is the case's name.
const FILES: [(&str, &str); 11] = [
    ("price", "price_id,product_id,charge_model,unit_amount,flat_amount,record_maximum,proration,valid_from"),
    ("price_tier", "price_id,tier_number,quantity_from,quantity_to,unit_amount,flat_amount,block_quantity"),
    ("price_matrix", "price_id,group_key,unit_amount"),
    (
        "price_modifier",
        "price_id,convert_factor,convert_divisor,convert_rounding,block_quantity,minimum_amount",
    ),
    ("capacity_limit", "price_id,tier_number,group_key,quantity_to"),
    ("dimension_rule", "price_id,rule_group,rule_number,cost_type,cost"),
    ("metric", "product_id,aggregation,group_fields,proration"),
    ("rate_step", "price_id,window_number,step_number,unit_amount,unit_quantity,increment_quantity"),
    ("minimum_fee", "contract_id,amount,proration,valid_from"),
    ("quota", "quota_id,included_quantity,goodwill_percent,valid_from"),
    ("quota_grant", "contract_id,grant_id,quota_id,amount,effective_at"),
];

/// What becomes of a case.
enum Outcome {
    /// Its lines sum to this.
    Right(&'static str),
    /// A check parks its customer.
    Parked(&'static str),
    /// A record of it waits for this reason.
    Waits(&'static str),
}
use Outcome::{Parked, Right, Waits};

struct Case {
    model: &'static str,
    /// Columns of its price from `unit_amount` to `proration`.
    price: &'static str,
    /// Rows of other files; `{n}` is the case's name.
    rows: Vec<(&'static str, String)>,
    /// Block quantity and price field of its item, the unit of its cycles.
    item: (&'static str, &'static str, &'static str),
    quantities: Vec<&'static str>,
    outcome: Outcome,
}

fn case(model: &'static str, price: &'static str, quantities: &[&'static str], outcome: Outcome) -> Case {
    let item = ("", "", "month");
    Case { model, price, rows: Vec::new(), item, quantities: quantities.to_vec(), outcome }
}

impl Case {
    fn with(mut self, file: &'static str, row: &str) -> Self {
        self.rows.push((file, row.into()));
        self
    }

    fn counting(mut self, block: &'static str, price_field: &'static str, cycle: &'static str) -> Self {
        self.item = (block, price_field, cycle);
        self
    }
}

const BY_UNIT: &str = "1,,,none";
const AT_MOST: &str = "9999999999999999.999999999999,,,none";
const NONE: &str = ",,,none";

/// The sums are exact: 9999999999999999.999999999999 is rounded to 10000000000000000.00, and taken 200 times to
/// 2000000000000000000.00; times 0.000000000001 it is 10000.00.
fn cases() -> Vec<Case> {
    let tiers =
        |unit: &str, end: &str| [format!("{{n}},1,0,{end},{unit},0,"), format!("{{n}},2,{end},,{unit},0,")];
    let with_tiers = |model, quantities: &[&'static str], unit: &str, end: &str, outcome| {
        let case = case(model, NONE, quantities, outcome);
        tiers(unit, end).iter().fold(case, |case, row| case.with("price_tier", row))
    };
    let many = [MOST; 200];
    let taken_back = [MOST, "-9999999999999999.999999999999", LEAST];
    let group = "{n},\"{\"\"region\"\": \"\"eu\"\"}\"";
    let mut cases = vec![
        case("per_unit", BY_UNIT, &many, Right("2000000000000000000")),
        case("per_unit", AT_MOST, &[LEAST], Right("10000")),
        case("per_unit", AT_MOST, &[MOST], Parked("tier_quantity")),
        case("per_unit", "100,,,none", &many, Parked("tier_quantity")),
        // A block that is tiny, a block of the item, a factor: what they make may have no room.
        case("per_unit", BY_UNIT, &[LEAST], Right("1"))
            .with("price_modifier", "{n},1,1,none,0.000000000001,"),
        case("per_unit", BY_UNIT, &[MOST], Parked("tier_quantity"))
            .with("price_modifier", "{n},1,1,none,0.000000000001,"),
        case("per_unit", BY_UNIT, &["100000000000000"], Waits("in blocks")).counting(LEAST, "", "month"),
        case("per_unit", BY_UNIT, &["-2.5", "2.5", "7"], Right("4")).counting("2", "", "month"),
        case("per_unit", BY_UNIT, &[LEAST], Right("1"))
            .with("price_modifier", "{n},9999999999999999.999999999999,10000,ceil,,"),
        case("per_unit", BY_UNIT, &[MOST], Parked("tier_quantity"))
            .with("price_modifier", "{n},9999999999999999.999999999999,0.000000000001,none,,"),
        case("matrix", NONE, &many, Right("2000000000000000000"))
            .with("price_matrix", &format!("{group},1"))
            .with("metric", "{n},sum,region,none"),
        case("matrix", NONE, &[MOST], Parked("tier_quantity"))
            .with("price_matrix", &format!("{group},9999999999999999"))
            .with("metric", "{n},sum,region,none"),
        case("capacity", NONE, &[MOST], Right("9999999999999999"))
            .with("price_tier", "{n},1,0,,0,1,")
            .with("price_tier", "{n},2,0,,0,9999999999999999,")
            .with("capacity_limit", "{n},1,\"{\"\"region\"\": \"\"eu\"\"}\",5")
            .with("capacity_limit", "{n},2,\"{\"\"region\"\": \"\"us\"\"}\",5")
            .with("metric", "{n},sum,region,none"),
        // Above the limit of the last tier is beyond it, and not the last tier's price.
        case("capacity", NONE, &["6"], Parked("tier_quantity"))
            .with("price_tier", "{n},1,0,,0,18,")
            .with("capacity_limit", "{n},1,\"{\"\"region\"\": \"\"eu\"\"}\",5")
            .with("metric", "{n},sum,region,none"),
        case("flat", ",9999999999999999.99,,days", &[], Right("9999999999999999.99")),
        case("record_price", NONE, &many, Right("2000000000000000000")).counting("", "one", "month"),
        case("record_price", NONE, &[MOST], Waits("most and quantity are too large"))
            .counting("", "most", "month"),
        case("record_amount", NONE, &["1"; 200], Right("2000000000000000000")).counting("", "most", "month"),
        case("percentage", AT_MOST, &[LEAST], Right("10000")),
        case("percentage", "1,,,none", &many, Right("2000000000000000000")),
        case("percentage", AT_MOST, &[MOST], Parked("record_amount")),
        case("dimension", NONE, &many, Right("2000000000000000000")).with("dimension_rule", "{n},g,1,flat,1"),
        case("dimension", NONE, &["1"], Parked("record_amount"))
            .with("dimension_rule", "{n},g,1,flat,9999999999999999")
            .with("dimension_rule", "{n},g,2,rate,9999999999999999")
            .with("dimension_rule", "{n},g,3,rate,9999999999999999"),
        case("time_of_use", NONE, &["1"], Right("9999999999999999"))
            .with("rate_step", "{n},1,1,9999999999999999,1,1"),
        case("time_of_use", NONE, &["10"], Parked("record_amount"))
            .with("rate_step", "{n},1,1,9999999999999999,0.000000000001,99999999999999999999"),
        case("time_of_use", NONE, &[MOST], Waits("more than a million steps"))
            .with("rate_step", "{n},1,1,1,60,60"),
        // Minimum fees, quotas and grants; a cycle that is within a day is a whole one.
        case("per_unit", BY_UNIT, &["1"], Right("9999999999999999.99"))
            .with("minimum_fee", "{n},9999999999999999.99,days,2026-01-01"),
        case("per_unit", BY_UNIT, &["1"], Right("10"))
            .with("minimum_fee", "{n},2.5,days,2026-10-02")
            .counting("", "", "6 hours"),
        case("per_unit", BY_UNIT, &["1"], Right("10"))
            .with("price_modifier", "{n},1,1,none,,2.5")
            .counting("", "", "6 hours"),
        case("per_unit", BY_UNIT, &["7"], Right("7"))
            .with("metric", "{n},sum,,days")
            .counting("", "", "6 hours"),
        case("per_unit", BY_UNIT, &many, Right("0"))
            .with("quota", "{n},99999999999999999999.999999999999,999999.999999999999,2026-01-01"),
        case("per_unit", BY_UNIT, &many, Right("0"))
            .with("quota_grant", "{n},{n},{n},99999999999999999999.999999999999,2026-10-01T00:00:00Z"),
    ];
    for model in ["graduated", "volume", "record_graduated"] {
        cases.push(with_tiers(model, &[MOST], "1", "100", Right("10000000000000000")));
        cases.push(with_tiers(model, &[LEAST], MOST, MOST_UNITS, Right("10000")));
        let check = if model == "record_graduated" { "record_amount" } else { "tier_quantity" };
        cases.push(with_tiers(model, &[MOST], "100000", "100", Parked(check)));
    }
    // A tier that nobody reaches may come to more than has room.
    cases.push(with_tiers("record_graduated", &["7"], "1000", MOST_UNITS, Right("7000")));
    for model in ["level_graduated", "level_volume"] {
        let level = |quantities: &[&'static str], unit, outcome| {
            with_tiers(model, quantities, unit, "100", outcome).with("metric", "{n},sum,,time")
        };
        // From 2026-10-16T12:00Z on, for half of October.
        cases.push(level(&["9999999999999999"], "1", Right("4999999999999999.50")));
        cases.push(level(&[MOST], MOST, Parked("tier_quantity")));
    }
    // A statement spreads the amount over usage that is taken back.
    let flat = case("volume", NONE, &taken_back, Right("10"));
    cases.push(flat.with("price_tier", "{n},1,0,,0,10,"));
    cases
}

/// The cases, and two customers of whom each used 7 at 1.
fn project(cases: &[Case]) -> Sample {
    let sample = Sample::blank();
    sample.replace("meterhouse.toml", "Europe/Berlin", "UTC");
    let mut files: Vec<(&str, String)> =
        FILES.iter().map(|(file, head)| (*file, format!("{head}\n"))).collect();
    let mut add = |name: &str, row: &str| {
        let (_, text) = files.iter_mut().find(|(file, _)| *file == name).unwrap();
        text.push_str(row);
        text.push('\n');
    };
    let mut customers = String::from("customer_id,customer_name\n");
    let mut contracts =
        String::from("contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n");
    let mut items = String::from(
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,block_quantity,price_field,\
         quota_id,valid_from\n",
    );
    let mut usage = String::new();
    let [mut schedules, mut windows, mut accounts] =
        ["price_id\n", "price_id,window_number\n", "contract_id,quota_id,opened_at\n"].map(String::from);
    let innocent = ["a", "z"].map(|name| (name.to_string(), case("per_unit", BY_UNIT, &["7"], Right("7"))));
    let named = cases.iter().enumerate().map(|(number, case)| (format!("c{number}"), case));
    for (name, case) in named.chain(innocent.iter().map(|(name, case)| (name.clone(), case))) {
        let (block, price_field, cycle) = case.item;
        let (usage_type, counts) = if case.model == "flat" { ("", "") } else { (name.as_str(), "quantity") };
        customers += &format!("{name},{name}\n");
        // Four cycles of six hours.
        let (from, to) = if cycle == "month" {
            ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
        } else {
            ("2026-10-16T00:00:00Z", "2026-10-17T00:00:00Z")
        };
        contracts += &format!("{name},{name},EUR,UTC,{cycle},{from},{to}\n");
        let mut quota = "";
        for (file, row) in &case.rows {
            add(file, &row.replace("{n}", &name));
            match *file {
                "quota" => quota = &name,
                "quota_grant" => {
                    quota = &name;
                    accounts += &format!("{name},{name},2026-10-01T00:00:00Z\n");
                }
                "rate_step" => {
                    schedules += &format!("{name}\n");
                    windows += &format!("{name},1\n");
                }
                _ => {}
            }
        }
        items += &format!(
            "{name},{name},{name},{name},{usage_type},{counts},{block},{price_field},{quota},{from}\n"
        );
        add("price", &format!("{name},{name},{},{},2026-01-01", case.model, case.price));
        for (number, quantity) in case.quantities.iter().enumerate() {
            usage += &format!(
                "{{\"transaction_id\": \"{name}-{number}\", \"usage_type\": \"{name}\", \"usage_start\": \
                 \"2026-10-16T12:00:00Z\", \"contract_id\": \"{name}\", \"quantity\": \"{quantity}\", \"region\": \"eu\", \
                 \"one\": 1, \"most\": \"{MOST}\"}}\n"
            );
        }
    }
    let others = [
        ("customer", customers),
        ("contract", contracts),
        ("contract_item", items),
        ("rate_schedule", schedules),
        ("rate_window", windows),
        ("grant_account", accounts),
    ];
    for (file, text) in files.into_iter().chain(others) {
        sample.write(&format!("data/{file}.csv"), &text);
    }
    sample.write("data/usage/usage.ndjson", &usage);
    sample
}

#[test]
fn the_largest_and_the_smallest_numbers_are_billed_right_or_told() {
    let cases = cases();
    let sample = project(&cases);
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let total = |name: &str| {
        let query = format!(
            "select cast(sum(amount) as decimal(38, 2)) from invoice_line where customer_id = '{name}'"
        );
        sample.rows(&query).concat()
    };
    for innocent in ["a", "z"] {
        assert_eq!(total(innocent), "7");
        assert!(!said.contains(&format!("customer {innocent} is parked")), "{said}");
    }
    let totals = sample.rows(
        "select customer_id, cast(sum(amount) as decimal(38, 2)) from invoice_line group by customer_id",
    );
    let waits = sample.rows("select customer_id, suspense_reason from suspense");
    for (number, case) in cases.iter().enumerate() {
        let name = format!("c{number}");
        let found = totals.iter().find_map(|row| row.strip_prefix(&format!("{name},"))).unwrap_or("0");
        let parked = said.lines().find(|line| line.contains(&format!("customer {name} is parked")));
        let waiting = waits.iter().find(|row| row.starts_with(&format!("{name},")));
        let case_text = format!("{name}: {} {} {:?}", case.model, case.price, case.rows);
        let holds = match case.outcome {
            Right(amount) => found == amount && parked.is_none() && waiting.is_none(),
            Parked(check) => parked.is_some_and(|line| line.contains(&format!("`{check}`"))),
            Waits(reason) => waiting.is_some_and(|row| row.contains(reason)) && parked.is_none(),
        };
        assert!(holds, "{case_text}: {found} {parked:?} {waiting:?}");
    }
    // What is made when it is asked for, or goes out, has room, too.
    for table in ["line_step", "shown_usage", "statement_row", "accrual"] {
        sample.rows(&format!("select count(*) from {table}"));
    }
    let spread = "select count(*) from (select line_id, sum(amount) as amount from shown_usage group by line_id) as shown
        inner join invoice_line on shown.line_id = invoice_line.line_id where shown.amount <> invoice_line.amount";
    assert_eq!(sample.rows(spread), ["0"]);
}

#[test]
fn a_number_that_no_price_has_is_refused_with_its_line() {
    let sample = project(&[]);
    let price = "b,a,per_unit,10000000000000000,,,none,2025-01-01\n";
    sample.write("data/price.csv", &(sample.read("data/price.csv") + price));
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(said.contains("data/price.csv:4:14") && said.contains("too large for decimal(28, 12)"), "{said}");
}
