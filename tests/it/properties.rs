//! What has to hold of any price and any usage: prices and usage are drawn from a seed, and the program rates them.
//!
//! Of each price there are several items, which differ in one thing only: in how many records the usage comes, in which
//! order, or whether the price is replaced by an equal one. `tests/oracle` says besides what each price comes to.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::sample::Sample;

/// Numbers that look random, the same for the same seed.
struct Draw(u64);

impl Draw {
    /// A number below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's generator, of which the upper bits are good.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Thousandths as a decimal text.
fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1_000, number % 1_000)
}

/// A decimal of a table, `decimal(38, 12)`, unscaled.
fn unscaled(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<12}").parse().unwrap()
}

/// The files of a project, row by row.
#[derive(Default)]
struct Files {
    rows: BTreeMap<&'static str, String>,
    usage: String,
    records: usize,
}

impl Files {
    fn add(&mut self, file: &'static str, header: &str, row: &str) {
        let text = self.rows.entry(file).or_insert_with(|| format!("{header}\n"));
        writeln!(text, "{row}").unwrap();
    }

    /// A record of an item, whose id is also its usage type.
    fn record(&mut self, contract: &str, item: &str, start: &str, quantity: &str) {
        self.records += 1;
        writeln!(
            self.usage,
            "{{\"transaction_id\": \"{}\", \"usage_type\": \"{item}\", \"usage_start\": \"{start}\", \
             \"contract_id\": \"{contract}\", \"quantity\": \"{quantity}\"}}",
            self.records
        )
        .unwrap();
    }

    fn contract(&mut self, id: &str, from: &str) {
        self.add(
            "contract",
            "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to",
            &format!("{id},ALPEN,EUR,UTC,month,{from},2026-11-01T00:00:00Z"),
        );
    }

    /// An item with a product and a usage type of its own.
    fn item(&mut self, contract: &str, id: &str) {
        self.add(
            "contract_item",
            "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from",
            &format!("{id},{contract},{id},{id},{id},quantity,2026-01-01T00:00:00Z"),
        );
    }

    fn project(&self) -> Sample {
        let sample = Sample::blank();
        for (file, text) in &self.rows {
            sample.write(&format!("data/{file}.csv"), text);
        }
        sample.write("data/usage/usage.ndjson", &self.usage);
        sample
    }
}

/// A price without its place in time.
struct Price {
    model: &'static str,
    unit_amount: String,
    /// Number, from, to, unit, flat and block, as `price_tier` has them.
    tiers: Vec<String>,
    /// Where the first of several tiers ends, in thousandths.
    first_bound: Option<u64>,
    block_quantity: String,
    free_quantity: String,
}

impl Price {
    fn draw(draw: &mut Draw) -> Self {
        let model = ["per_unit", "package", "graduated", "volume", "blocks"][draw.below(5) as usize];
        let mut price = Self {
            model,
            unit_amount: thousandths(draw.below(2_000)),
            tiers: Vec::new(),
            first_bound: None,
            block_quantity: String::new(),
            free_quantity: String::new(),
        };
        if model == "package" {
            price.block_quantity = thousandths(1 + draw.below(20_000));
            price.free_quantity = thousandths(draw.below(20_000));
        }
        if ["graduated", "volume", "blocks"].contains(&model) {
            let count = 1 + draw.below(4);
            let mut from = 0;
            for number in 1..=count {
                let to = from + 1 + draw.below(20_000);
                if number == 1 && count > 1 {
                    price.first_bound = Some(to);
                }
                let bound = if number == count { String::new() } else { thousandths(to) };
                let block =
                    if model == "blocks" { thousandths(1 + draw.below(9_000)) } else { String::new() };
                price.tiers.push(format!(
                    "{number},{},{bound},{},{},{block}",
                    thousandths(from),
                    thousandths(draw.below(2_000)),
                    thousandths(draw.below(9_000)),
                ));
                from = to;
            }
        }
        price
    }

    /// Whether more usage never costs less, all amounts being positive.
    fn is_monotone(&self) -> bool {
        self.model != "volume"
    }

    /// Whether each unit is priced by itself, so that the price may be replaced between any two.
    fn is_of_units(&self) -> bool {
        ["per_unit", "graduated"].contains(&self.model)
    }

    /// A version of an item's price, from one instant to another; tiers go on after an earlier one.
    fn add(&self, files: &mut Files, item: &str, version: usize, from: &str, to: &str) {
        let id = format!("{item}@{version}");
        let model = match self.model {
            "package" => "per_unit",
            "blocks" => "graduated",
            model => model,
        };
        let unit_amount = if self.tiers.is_empty() { self.unit_amount.as_str() } else { "" };
        files.add(
            "price",
            "price_id,product_id,charge_model,unit_amount,valid_from,valid_to",
            &format!("{id},{item},{model},{unit_amount},{from},{to}"),
        );
        for tier in &self.tiers {
            files.add(
                "price_tier",
                "price_id,tier_number,quantity_from,quantity_to,unit_amount,flat_amount,block_quantity",
                &format!("{id},{tier}"),
            );
        }
        let free = if self.free_quantity.is_empty() { "" } else { &self.free_quantity };
        files.add(
            "price_modifier",
            "price_id,block_quantity,free_quantity,tiers_go_on",
            &format!("{id},{},{free},{}", self.block_quantity, version > 0 && self.model == "graduated"),
        );
    }
}

/// The first instant of a day of October.
fn day(number: usize) -> String {
    format!("2026-10-{:02}T00:00:00Z", number + 1)
}

#[test]
fn what_holds_of_any_price_and_usage() {
    let mut draw = Draw(20_261_001);
    let mut files = Files::default();
    files.contract("C", "2026-10-01T00:00:00Z");
    let mut prices = Vec::new();
    for number in 0..60 {
        let price = Price::draw(&mut draw);
        let mut parts: Vec<u64> = (0..2 + draw.below(5)).map(|_| draw.below(10_000)).collect();
        // Of every second price the first record ends where a tier does.
        if let Some(bound) = price.first_bound.filter(|_| number % 2 == 0) {
            parts[0] = bound;
        }
        let total = thousandths(parts.iter().sum());
        let more = thousandths(parts.iter().sum::<u64>() + 1 + draw.below(10_000));
        for way in ["whole", "split", "reversed", "more", "replaced", "sliced"] {
            let item = format!("{number:02}-{way}");
            files.item("C", &item);
            // Each record is in the middle of a day of its own.
            let at = |place: usize| day(place).replace("T00", "T12");
            match way {
                "whole" => files.record("C", &item, &at(0), &total),
                "more" => files.record("C", &item, &at(0), &more),
                _ => {
                    for (place, part) in parts.iter().enumerate() {
                        let place = if way == "reversed" { parts.len() - 1 - place } else { place };
                        files.record("C", &item, &at(place), &thousandths(*part));
                    }
                }
            }
            let changes: Vec<usize> = match way {
                "replaced" if price.is_of_units() => vec![1 + draw.below(parts.len() as u64 - 1) as usize],
                "sliced" if price.is_of_units() => (1..parts.len()).collect(),
                _ => Vec::new(),
            };
            let mut starts = vec!["2026-01-01T00:00:00Z".to_string()];
            starts.extend(changes.into_iter().map(day));
            for (version, start) in starts.iter().enumerate() {
                price.add(
                    &mut files,
                    &item,
                    version,
                    start,
                    starts.get(version + 1).map_or("", String::as_str),
                );
            }
        }
        prices.push((price, total, more));
    }
    let sample = files.project();
    sample.ok(&["run"]);
    let query = "select contract_item_id, sum(quantity) as quantity, sum(amount) as amount from charge
        group by contract_item_id";
    let charged: BTreeMap<String, (i128, i128)> = sample
        .rows(query)
        .iter()
        .map(|row| {
            let fields: Vec<&str> = row.split(',').collect();
            (fields[0].to_string(), (unscaled(fields[1]), unscaled(fields[2])))
        })
        .collect();
    assert_eq!(charged.len(), 6 * prices.len());
    let mut replaced = 0;
    for (number, (price, total, more)) in prices.iter().enumerate() {
        let of = |way: &str| charged[&format!("{number:02}-{way}")];
        let what = format!("{number}: {} {} {:?}", price.model, price.unit_amount, price.tiers);
        // Tiers sum to the quantity; of a package what is free comes off first.
        let free = if price.free_quantity.is_empty() { 0 } else { unscaled(&price.free_quantity) };
        for (way, quantity) in [("whole", total), ("split", total), ("more", more)] {
            let quantity = (unscaled(quantity) - free).max(0);
            assert_eq!(of(way).0, quantity, "{what}: {way} is not priced whole");
        }
        for way in ["split", "reversed", "replaced", "sliced"] {
            assert_eq!(of(way), of("whole"), "{what}: {way} differs from whole");
        }
        assert!(!price.is_monotone() || of("more").1 >= of("whole").1, "{what}: more usage costs less");
        replaced += usize::from(price.is_of_units());
    }
    assert!(replaced > 10, "{replaced} prices were replaced");
}

/// Credits pay what the lines come to and what there is, whichever is less, and nothing is lost on the way.
#[test]
fn credits_pay_the_lesser_of_lines_and_balance() {
    let mut draw = Draw(7);
    let mut files = Files::default();
    let mut expected: BTreeMap<(String, String), i128> = BTreeMap::new();
    let header = "grant_id,contract_id,quota_id,amount,priority,effective_at";
    for number in 0..40 {
        let contract = format!("C{number:02}");
        files.contract(&contract, "2026-08-01T00:00:00Z");
        files.item(&contract, &contract);
        files.add(
            "price",
            "price_id,product_id,charge_model,unit_amount,valid_from",
            &format!("{contract},{contract},per_unit,1,2026-01-01T00:00:00Z"),
        );
        files.add(
            "grant_account",
            "contract_id,quota_id,currency,opened_at",
            &format!("{contract},credit,EUR,2026-08-01T00:00:00Z"),
        );
        let mut left = 0;
        for month in ["2026-08", "2026-09", "2026-10"] {
            for grant in 0..draw.below(3) {
                // To the cent, as what is to be paid is.
                let amount = draw.below(3_000) * 10;
                left += amount;
                files.add(
                    "quota_grant",
                    header,
                    &format!(
                        "{contract}-{month}-{grant},{contract},credit,{},{},{month}-0{}T00:00:00Z",
                        thousandths(amount),
                        draw.below(3),
                        1 + draw.below(9),
                    ),
                );
            }
            let used = draw.below(4_000) * 10;
            files.record(&contract, &contract, &format!("{month}-20T00:00:00Z"), &thousandths(used));
            let paid = used.min(left);
            left -= paid;
            expected.insert((contract.clone(), month.into()), i128::from(used - paid) * 1_000_000_000);
        }
        expected.insert((contract, "left".into()), i128::from(left) * 1_000_000_000);
    }
    let sample = files.project();
    sample.ok(&["run"]);
    let query = "select contract_id, billing_period, sum(amount) as amount from invoice_line
        group by contract_id, billing_period
        union all
        select contract_id, 'left', sum(balance) from credit_balance where billing_period = '2026-10'
        group by contract_id";
    let found = sample.rows(query).into_iter().map(|row| {
        let fields: Vec<&str> = row.split(',').collect();
        ((fields[0].to_string(), fields[1].to_string()), unscaled(fields[2]))
    });
    // Without a grant there is no balance, and without usage no line.
    expected.retain(|_, amount| *amount != 0);
    assert!(expected.len() > 60, "{} totals", expected.len());
    assert_eq!(found.filter(|(_, amount)| *amount != 0).collect::<BTreeMap<_, _>>(), expected);
}

/// A record counts at most 16 digits before the point, an amount has at most 20.
#[test]
fn amounts_near_the_limit_are_right_or_an_error() {
    const MOST: &str = "9999999999999999.99";
    let half = "5000000000000000";
    let other_half = "4999999999999999.995";
    let halves = |flat: &str| vec![format!("1,0,{half},1,0,"), format!("2,{half},,1,{flat},")];
    for (unit_amount, tiers, quantities, expected) in [
        ("", halves("0"), vec![MOST], Some(MOST)),
        ("1", vec![], vec![other_half, other_half], Some(MOST)),
        ("0.000000000001", vec![], vec![MOST], Some("10000")),
        ("1", vec![], vec![MOST, "1"], Some("10000000000000000.99")),
        // An amount that has no room, and more than a record may say.
        ("100000", vec![], vec![MOST], None),
        ("1", vec![], vec!["10000000000000000"], None),
        ("1", vec![], vec!["99999999999999999999999999.999"], None),
    ] {
        let mut files = Files::default();
        files.contract("C", "2026-10-01T00:00:00Z");
        files.item("C", "I");
        let price = Price {
            model: if tiers.is_empty() { "per_unit" } else { "graduated" },
            unit_amount: unit_amount.into(),
            tiers,
            first_bound: None,
            block_quantity: String::new(),
            free_quantity: String::new(),
        };
        price.add(&mut files, "I", 0, "2026-01-01T00:00:00Z", "");
        for quantity in &quantities {
            files.record("C", "I", &day(1), quantity);
        }
        let sample = files.project();
        match expected {
            Some(amount) => {
                sample.ok(&["run"]);
                assert_eq!(sample.rows("select amount from invoice_line"), [amount]);
            }
            None => {
                let output = sample.meterhouse(&["run"]);
                let message = String::from_utf8_lossy(&output.stderr);
                let waits =
                    "select transaction_id from suspense union all select transaction_id from usage_rejected";
                let is_said = message.contains("is parked") || sample.rows(waits).len() == 1;
                assert!(is_said, "{unit_amount} {quantities:?}: {message}");
            }
        }
    }
}
