//! Records that last over a boundary: by start, by end, or split in proportion to time, the parts summing to the whole.

use std::collections::BTreeMap;

use crate::sample::Sample;

/// One contract by calendar months in UTC, with an item for each way of counting a session.
fn project(placed_by: &str) -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         C,ALPEN,EUR,UTC,month,2026-08-01T00:00:00Z,\n\
         SHORT,ALPEN,EUR,UTC,month,2026-08-01T00:00:00Z,2026-10-15T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,block_quantity,price_field,valid_from,valid_to\n\
         kwh,C,kwh,Energy,charge,quantity,,,2026-08-01T00:00:00Z,\n\
         time,C,time,Time,charge,seconds,,,2026-08-01T00:00:00Z,\n\
         block,C,hour,Hours begun,charge,seconds,3600,,2026-08-01T00:00:00Z,2026-10-20T00:00:00Z\n\
         block-new,C,hour,Hours begun,charge,seconds,3600,,2026-10-20T00:00:00Z,\n\
         count,C,count,Sessions,charge,records,,,2026-08-01T00:00:00Z,\n\
         cost,C,cost,Roaming,charge,quantity,,cost,2026-08-01T00:00:00Z,\n\
         short,SHORT,time,Time,charge,seconds,,,2026-08-01T00:00:00Z,\n",
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from,valid_to\n\
         kwh-1,kwh,per_unit,0.30,2026-01-01T00:00:00Z,2026-10-10T00:00:00Z\n\
         kwh-2,kwh,per_unit,0.40,2026-10-10T00:00:00Z,\n\
         time,time,per_unit,0.001,2026-01-01T00:00:00Z,\n\
         hour,hour,per_unit,1,2026-01-01T00:00:00Z,\n\
         count,count,per_unit,1,2026-01-01T00:00:00Z,\n\
         cost,cost,record_amount,,2026-01-01T00:00:00Z,\n",
    );
    sample.write("data/span_rule.csv", &format!("usage_type,placed_by\ncharge,{placed_by}\n"));
    sample
}

fn session(id: &str, contract: &str, start: &str, end: &str, kwh: &str, cost: &str) -> String {
    format!(
        "{{\"transaction_id\":\"{id}\",\"usage_type\":\"charge\",\"usage_start\":\"{start}Z\",\"usage_end\":\"{end}Z\",\
         \"contract_id\":\"{contract}\",\"quantity\":\"{kwh}\",\"cost\":\"{cost}\"}}\n"
    )
}

/// A session of three hours, one of them before the end of September.
fn over_midnight(id: &str, kwh: &str) -> String {
    session(id, "C", "2026-09-30T23:00:00", "2026-10-01T02:00:00", kwh, "1")
}

fn lines(sample: &Sample, item: &str) -> Vec<String> {
    sample.rows(&format!(
        "select billing_period, price_id, record_count, quantity, amount_exact from invoice_line \
         where contract_item_id = '{item}' and record_count > 0 order by line_id"
    ))
}

fn close(sample: &Sample, period: &str) {
    sample.ok(&["close", "--period", period, "--confirm", period, "--by", "tests"]);
}

/// Lands records by hand, as something that comes in between.
fn land(sample: &Sample, name: &str, text: &str) {
    sample.write(name, text);
    sample.ok(&["land", sample.path().join(name).to_str().unwrap()]);
}

/// What is billed in all for each line of each period that it belongs to, drafts included.
fn billed(sample: &Sample) -> BTreeMap<String, String> {
    let rows = sample.rows(
        "select coalesce(corrected_line_id, line_id), sum(quantity), sum(amount) from invoice_line group by 1 \
         having sum(amount) <> 0 or sum(quantity) <> 0",
    );
    rows.iter()
        .map(|row| row.split_once(',').unwrap())
        .map(|(line, sums)| (line.into(), sums.into()))
        .collect()
}

#[test]
fn a_session_over_the_end_of_a_month_counts_by_start_by_end_or_in_parts() {
    let expected = [
        ("start", vec!["2026-09,kwh-1,1,10,3"]),
        ("end", vec!["2026-10,kwh-1,1,10,3"]),
        ("split", vec!["2026-09,kwh-1,1,3.333333333333,1", "2026-10,kwh-1,1,6.666666666667,2"]),
    ];
    for (placed_by, expected) in expected {
        let sample = project(placed_by);
        sample.write("data/usage/usage.ndjson", &over_midnight("1", "10"));
        sample.ok(&["run"]);
        assert_eq!(lines(&sample, "kwh"), expected, "{placed_by}");
        let totals = sample.rows("select place, record_count, quantity from control_total order by place");
        assert_eq!(totals, ["guided,1,10", "received,1,10"], "{placed_by}");
    }
}

#[test]
fn what_ends_at_a_boundary_belongs_before_it_and_no_length_goes_by_start() {
    let sample = project("end");
    let ends = |id, start, end| session(id, "C", start, end, "1", "1");
    let usage = ends("at", "2026-09-30T23:00:00", "2026-10-01T00:00:00")
        + &ends("after", "2026-09-30T23:00:00", "2026-10-01T00:00:00.000001")
        + &ends("empty", "2026-10-01T00:00:00", "2026-10-01T00:00:00");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    let guided = "select transaction_id, guiding.usage_start, billing_period from guiding inner join usage_record \
                  on guiding.landing_sequence = usage_record.landing_sequence \
                  where contract_item_id = 'kwh' order by 1";
    assert_eq!(
        sample.rows(guided),
        [
            "after,2026-10-01T00:00:00Z,2026-10",
            "at,2026-09-30T23:59:59.999999Z,2026-09",
            "empty,2026-10-01T00:00:00Z,2026-10",
        ]
    );
}

#[test]
fn time_blocks_and_amounts_are_split_and_counts_are_not() {
    let sample = project("split");
    // Over two ends of months, and over the change of an item in the third: 1,000 and a half hours.
    let usage = session("1", "C", "2026-08-31T00:00:00", "2026-10-20T16:30:00", "1", "7");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    assert_eq!(
        lines(&sample, "time"),
        ["2026-08,time,1,86400,86.40", "2026-09,time,1,2592000,2592", "2026-10,time,2,1701000,1701",]
    );
    // 1,217 hours are begun, of which 16.5 / 1,216.5 are those of the new item.
    let blocks = |item: &str| {
        sample.rows(&format!("select sum(quantity) from guiding where contract_item_id = '{item}'"))
    };
    assert_eq!(blocks("block"), ["1200.493218249075"]);
    assert_eq!(blocks("block-new"), ["16.506781750925"]);
    assert_eq!(lines(&sample, "count"), ["2026-08,count,1,1,1"]);
    let cost =
        "select count(*), sum(quantity), sum(amount_exact) from invoice_line where contract_item_id = 'cost'";
    assert_eq!(sample.rows(cost), ["3,1,7"]);
    let parts = "select distinct part_number, usage_start, part_end from guiding where part_end is not null order by 1";
    assert_eq!(
        sample.rows(parts),
        [
            "1,2026-08-31T00:00:00Z,2026-09-01T00:00:00Z",
            "2,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z",
            "3,2026-10-01T00:00:00Z,2026-10-20T00:00:00Z",
            "4,2026-10-20T00:00:00Z,2026-10-20T16:30:00Z",
        ]
    );
}

#[test]
fn each_piece_meets_one_price_and_guiding_none() {
    let sample = project("split");
    // Nine hours, two of them after the price has changed; and all of October's first ten days.
    let usage = session("1", "C", "2026-10-09T17:00:00", "2026-10-10T02:00:00", "100.000000000001", "1")
        + &session("2", "C", "2026-09-30T00:00:00", "2026-10-20T00:00:00", "20", "1");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    assert_eq!(
        lines(&sample, "kwh"),
        [
            "2026-09,kwh-1,1,1,0.30",
            "2026-10,kwh-1,2,86.777777777779,26.033333333334",
            "2026-10,kwh-2,2,32.222222222222,12.888888888889",
        ]
    );
    let statement = "select transaction_id, part_number, usage_start, usage_end, quantity from usage_statement \
                     where line_id like 'kwh/%' order by 1, 2";
    assert_eq!(
        sample.rows(statement),
        [
            "1,1,2026-10-09T17:00:00Z,2026-10-10T00:00:00Z,77.777777777779",
            "1,2,2026-10-10T00:00:00Z,2026-10-10T02:00:00Z,22.222222222222",
            "2,1,2026-09-30T00:00:00Z,2026-10-01T00:00:00Z,1",
            "2,2,2026-10-01T00:00:00Z,2026-10-10T00:00:00Z,9",
            "2,3,2026-10-10T00:00:00Z,2026-10-20T00:00:00Z,10",
        ]
    );
    let totals =
        "select place, record_count, quantity from period_total where billing_period = '2026-10' order by 1";
    let totals = sample.rows(totals);
    assert_eq!(totals[0].replace("behind lines", "guided"), totals[1]);

    sample.replace("data/price.csv", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z");
    let said = String::from_utf8(sample.meterhouse(&["run"]).stderr).unwrap();
    assert!(said.contains("rebuild price_part") && !said.contains("guiding"), "{said}");
    assert_eq!(sample.rows(statement)[0], "1,1,2026-10-09T17:00:00Z,2026-10-10T01:00:00Z,88.88888888889");

    // For an hour nothing is in force, and both wait.
    sample.replace("data/price.csv", "0.40,2026-10-10T01:00:00Z", "0.40,2026-10-10T02:00:00Z");
    sample.ok(&["run"]);
    let waiting = "select transaction_id, suspense_reason from suspense order by 1";
    assert_eq!(sample.rows(waiting), ["1,no price in force for kwh", "2,no price in force for kwh"]);
    assert_eq!(sample.rows("select count(*) from invoice_line where record_count > 0"), ["0"]);
}

#[test]
fn parts_of_any_record_sum_to_it() {
    let sample = project("split");
    let mut usage = String::new();
    for number in 1..=60_u64 {
        let (day, hour, second) = (1 + number % 28, number * 7 % 24, number * 13 % 60);
        let start = format!("2026-0{}-{day:02}T{hour:02}:17:{second:02}", 8 + number % 2);
        let end = format!("2026-10-{day:02}T{second:02}:01:00", second = second % 24);
        let (sign, digits) = (if number % 5 == 0 { "-" } else { "" }, 1_000_003 * number);
        let kwh = format!("{sign}{number}.{digits:012}");
        usage += &session(&number.to_string(), "C", &start, &end, &kwh, &format!("{number}.07"));
    }
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    let parts = sample.rows("select count(*), max(part_number) from guiding where contract_item_id = 'kwh'");
    let (count, most) = parts[0].split_once(',').unwrap();
    assert!(count.parse::<u32>().unwrap() > 150 && most == "4", "{parts:?}");
    for (table, quantity, item) in [
        ("guiding", "quantity", "kwh"),
        ("guiding", "price_share", "cost"),
        ("usage_statement", "quantity", "kwh"),
    ] {
        let whole = if quantity == "quantity" {
            "quantity"
        } else {
            "cast(json_text(attributes, 'cost') as decimal(38, 12))"
        };
        let of_item = match table {
            "guiding" => format!("guiding.contract_item_id = '{item}'"),
            _ => format!("usage_statement.line_id like '{item}/%'"),
        };
        let unlike = format!(
            "select count(*), count(case when total.parts <> {whole} then 1 end) from usage_record inner join \
             (select landing_sequence, sum({quantity}) as parts from {table} where {of_item} group by 1) as total \
             on usage_record.landing_sequence = total.landing_sequence"
        );
        assert_eq!(sample.rows(&unlike), ["60,0"], "{table} {quantity}");
    }
}

#[test]
fn if_one_part_cannot_be_placed_the_whole_record_waits() {
    let sample = project("split");
    // The contract ends in the middle of one, and the other goes on in a cycle that has not begun.
    let usage = session("ends", "SHORT", "2026-10-14T00:00:00", "2026-10-16T00:00:00", "1", "1")
        + &session("future", "C", "2026-11-30T00:00:00", "2026-12-02T00:00:00", "1", "1");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    assert_eq!(
        sample.rows("select transaction_id, suspense_reason from suspense order by 1"),
        ["ends,contract not in force", "future,cycle not begun"]
    );
    assert_eq!(sample.rows("select count(*) from invoice_line"), ["0"]);
    let places = sample.rows("select place, record_count from control_total order by 1");
    assert_eq!(places, ["received,2", "suspended,2"]);
}

#[test]
fn what_looks_at_each_record_sees_the_parts() {
    let sample = project("split");
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from\n\
         tou,C,tou,Calls,charge,seconds,2026-08-01T00:00:00Z\n\
         fee,C,fee,Payments,charge,quantity,2026-08-01T00:00:00Z\n\
         cars,C,cars,Cars,charge,quantity,2026-08-01T00:00:00Z\n\
         level,C,level,Level,charge,quantity,2026-08-01T00:00:00Z\n\
         by-end,C,tou,Calls,call,seconds,2026-08-01T00:00:00Z\n",
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,flat_amount,valid_from\n\
         tou,tou,time_of_use,,,2026-01-01\n\
         fee,fee,percentage,0.1,1,2026-01-01\n\
         cars,cars,per_unit,5,,2026-01-01\n\
         level,level,per_unit,1,,2026-01-01\n",
    );
    sample.write(
        "data/metric.csv",
        "product_id,aggregation,item_field,carries_over\ncars,unique_count,cost,false\nlevel,sum,,true\n",
    );
    sample.write("data/rate_schedule.csv", "price_id,step_decimals,session_decimals\ntou,6,4\n");
    sample.write(
        "data/rate_window.csv",
        "price_id,window_number,start_time,connection_fee\ntou,1,00:00:00,0.02\ntou,2,18:00:00,0.01\n",
    );
    sample.write(
        "data/rate_step.csv",
        "price_id,window_number,step_number,unit_amount,unit_quantity,increment_quantity\n\
         tou,1,1,0.12,60,60\ntou,2,1,0.06,60,60\n",
    );
    sample.write("data/span_rule.csv", "usage_type,placed_by\ncharge,split\ncall,end\n");
    // Ten minutes before 18:00, six hours until the month ends, ten minutes after that.
    let usage = session("1", "C", "2026-09-30T17:50:00", "2026-10-01T00:10:00", "38", "1")
        + &session("2", "C", "2026-09-30T23:50:00", "2026-10-01T00:10:00", "1", "1")
            .replace("\"charge\"", "\"call\"");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    let lines = "select contract_item_id, billing_period, quantity, amount_exact from invoice_line \
                 where billing_period < '2026-11' order by line_id";
    assert_eq!(
        sample.rows(lines),
        [
            // By its end in October, by the clock from its start: 10 x 0.06 + 10 x 0.12, connected in the evening.
            "by-end,2026-10,1200,1.81",
            "cars,2026-09,1,5",
            "cars,2026-10,1,5",
            "fee,2026-09,37,4.70",
            "fee,2026-10,1,0.10",
            "level,2026-09,37,37",
            "level,2026-10,38,38",
            "tou,2026-09,22200,22.82",
            "tou,2026-10,600,1.20",
        ]
    );
}

#[test]
fn of_a_record_with_one_half_closed_the_other_is_billed_once() {
    let sample = project("split");
    let usage = over_midnight("1", "30") + &over_midnight("2", "9");
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    close(&sample, "2026-08");
    let open = billed(&sample);
    close(&sample, "2026-09");
    assert_eq!(billed(&sample), open);
    let books = "select distinct closed_in, billing_period from billed_usage order by 2";
    assert_eq!(sample.rows(books), ["2026-09,2026-09", "2026-09,2026-10"]);
    let closed = sample.rows("select line_id, amount from billed_line order by 1");

    // Late: one half is a correction of September, the other is usage of October.
    land(&sample, "late.ndjson", &over_midnight("late", "3"));
    sample.ok(&["run"]);
    let fresh = project("split");
    fresh.write("data/usage/usage.ndjson", &(usage + &over_midnight("late", "3")));
    fresh.ok(&["run"]);
    assert_eq!(billed(&sample), billed(&fresh));
    let all = billed(&sample);
    let corrected = "select corrected_period, billing_period, quantity from correction_line where contract_item_id = 'kwh'";
    assert_eq!(sample.rows(corrected), ["2026-09,2026-10,1"]);

    // Void while October closes, and restored after that.
    sample.ok(&["void", "1", "--reason", "wrong car"]);
    sample.ok(&["run"]);
    fresh.ok(&["void", "1", "--reason", "wrong car"]);
    fresh.ok(&["run"]);
    assert_eq!(billed(&sample), billed(&fresh));
    close(&sample, "2026-10");
    assert_eq!(billed(&sample), billed(&fresh));
    sample.ok(&["restore", "1", "--reason", "it was this car"]);
    sample.ok(&["run"]);
    assert_eq!(billed(&sample), all);
    let corrected = "select corrected_period, quantity from correction_line where contract_item_id = 'kwh' \
                     and billing_period = '2026-11' order by 1";
    assert_eq!(sample.rows(corrected), ["2026-09,10", "2026-10,20"]);
    let lines = "select line_id, amount from billed_line where billing_period <= '2026-09' order by 1";
    assert_eq!(sample.rows(lines), closed);
    let second = String::from_utf8(sample.meterhouse(&["run"]).stderr).unwrap();
    assert!(second.contains("nothing to do"), "{second}");
    sample.ok(&["verify"]);
}

#[test]
fn what_is_closed_stays_while_the_rest_of_its_record_waits() {
    let sample = project("split");
    sample.write("data/usage/usage.ndjson", &over_midnight("1", "30"));
    sample.ok(&["run"]);
    close(&sample, "2026-08");
    close(&sample, "2026-09");
    let closed = sample.rows("select line_id, quantity from billed_line order by 1");
    // Energy has no price any more in October, until the 10th.
    sample.replace("data/price.csv", "00:00:00Z,2026-10-10T00:00:00Z", "00:00:00Z,2026-10-01T00:00:00Z");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select suspense_reason from suspense"), ["no price in force for kwh"]);
    let open = "select count(*) from invoice_line where billing_period > '2026-09' and record_count > 0";
    assert_eq!(sample.rows(open), ["0"]);
    // September is rated again for another reason, and what is closed of the record is in it.
    land(&sample, "late.ndjson", &session("2", "C", "2026-09-20T00:00:00", "2026-09-20T01:00:00", "2", "1"));
    sample.ok(&["run"]);
    let corrected = "select quantity from correction_line where contract_item_id = 'kwh'";
    assert_eq!(sample.rows(corrected), ["2"]);
    assert_eq!(sample.rows("select line_id, quantity from billed_line order by 1"), closed);
    // The price is back.
    sample.replace("data/price.csv", "00:00:00Z,2026-10-01T00:00:00Z", "00:00:00Z,2026-10-10T00:00:00Z");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select count(*) from suspense"), ["0"]);
    let october = "select quantity from invoice_line where line_id like 'kwh/2026-10%'";
    assert_eq!(sample.rows(october), ["20"]);
}

/// A small generator of numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    /// From 0, below the bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A session that begins from August to October and ends in a later month.
fn any_session(dice: &mut Dice, id: &str) -> String {
    let month = 8 + dice.below(3);
    let last = month + 1 + dice.below(11 - month);
    let mut time = |month: u64| {
        format!(
            "2026-{month:02}-{:02}T{:02}:{:02}:{:02}",
            1 + dice.below(20),
            dice.below(24),
            dice.below(60),
            dice.below(60)
        )
    };
    let (start, end) = (time(month), time(last));
    let kwh = format!("{}.{:012}", dice.below(900), dice.below(1_000_000_000_000));
    session(id, "C", &start, &end, &kwh, &format!("{}.07", dice.below(99)))
}

/// Landings, voids and restores of sessions over several months, in any order between runs and closings, come to what one
/// rating of the final truth gives.
#[test]
fn any_history_of_split_records_comes_to_the_final_truth() {
    for seed in 1..=2 {
        let mut dice = Dice(seed);
        let sample = project("split");
        sample.ok(&["run"]);
        let mut landed: Vec<(String, String)> = Vec::new();
        let mut void: BTreeMap<String, bool> = BTreeMap::new();
        let mut periods = ["2026-08", "2026-09", "2026-10"].iter();
        for step in 0..10 {
            let choice = if landed.is_empty() { 0 } else { dice.below(7) };
            match choice {
                0 | 1 => {
                    let id = format!("h{seed}-{step}");
                    let records = [format!("{id}-a"), format!("{id}-b")].map(|id| {
                        let text = any_session(&mut dice, &id);
                        (id, text)
                    });
                    let text: String = records.iter().map(|(_, text)| text.as_str()).collect();
                    land(&sample, &format!("{id}.ndjson"), &text);
                    landed.extend(records);
                }
                2 | 3 => {
                    let id = landed[dice.below(landed.len() as u64) as usize].0.clone();
                    let is_void = void.entry(id.clone()).or_default();
                    *is_void = !*is_void;
                    sample.ok(&[if *is_void { "void" } else { "restore" }, &id, "--reason", "history"]);
                }
                4 => {
                    sample.ok(&["run"]);
                }
                _ => {
                    if let Some(period) = periods.next() {
                        close(&sample, period);
                    }
                }
            }
        }
        periods.for_each(|period| close(&sample, period));
        sample.ok(&["run"]);

        let fresh = project("split");
        land(&fresh, "all.ndjson", &landed.iter().rev().map(|(_, text)| text.as_str()).collect::<String>());
        fresh.ok(&["run"]);
        for id in void.iter().filter(|(_, is_void)| **is_void).map(|(id, _)| id) {
            fresh.ok(&["void", id, "--reason", "history"]);
        }
        fresh.ok(&["run"]);
        assert_eq!(billed(&sample), billed(&fresh), "seed {seed}");
        sample.ok(&["verify"]);
    }
}
