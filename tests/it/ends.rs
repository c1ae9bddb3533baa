//! Ends of prices, contracts and what else has them: a far one is open, one that was meant to be inclusive is told.

use crate::sample::Sample;

/// One contract with one item at 1, and a fee of 30 by days.
fn project() -> Sample {
    let sample = Sample::blank();
    sample.replace("meterhouse.toml", "Europe/Berlin", "UTC");
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from\n\
         i,K,p,Calls,call,quantity,2026-06-01T00:00:00Z\nf,K,f,Fee,,,2026-06-01T00:00:00Z\n",
    );
    prices(&sample, "f1,f,flat,,30,days,2026-01-01,\n");
    sample
}

fn prices(sample: &Sample, fee: &str) {
    let head = "price_id,product_id,charge_model,unit_amount,flat_amount,proration,valid_from,valid_to";
    sample.write("data/price.csv", &format!("{head}\np1,p,per_unit,1,,none,2026-01-01,9999-12-31\n{fee}"));
}

fn used(sample: &Sample, at: &[&str]) {
    let record = |(number, at): (usize, &&str)| {
        format!(
            "{{\"transaction_id\": \"{number}\", \"usage_type\": \"call\", \"usage_start\": \"{at}\", \
             \"contract_id\": \"K\", \"quantity\": 1}}\n"
        )
    };
    sample.write("data/usage/u.ndjson", &at.iter().enumerate().map(record).collect::<String>());
}

/// What a run or `status` lists below a title, as its CSV has it.
fn ends(sample: &Sample) -> Vec<String> {
    sample.rows("select table_name, row_id, finding, write_instead from inclusive_end order by 1, 2")
}

#[test]
fn a_record_of_the_last_year_is_explained() {
    let sample = project();
    used(&sample, &["2026-06-02T08:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]);
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select amount from invoice_line where price_id = 'p1'"), ["1"]);
    for (id, place) in [("0", "guided"), ("1", "suspense"), ("2", "suspense")] {
        let said = sample.ok(&["explain", "--usage", id]);
        assert!(said.contains(place), "{said}");
    }
    let said = sample.ok(&["explain", "i/2026-06-01T00:00/p1"]);
    assert!(said.contains("1 records: 1"), "{said}");
    // Also what somebody asks, against a text or a date.
    for far in ["usage_start > '2300-01-01'", "usage_start > date '2300-01-01'"] {
        assert_eq!(sample.rows(&format!("select count(*) from usage_record where {far}")), ["1"]);
    }
}

#[test]
fn a_gap_of_a_day_in_a_fee_parks_its_customer() {
    for end in ["2026-06-15", "2026-06-15T23:59:59Z", "2026-06-15T23:59:59.999999Z"] {
        let sample = project();
        used(&sample, &["2026-06-02T08:00:00Z", "2026-06-15T23:59:59.999999Z"]);
        prices(&sample, &format!("f1,f,flat,,30,days,2026-01-01,{end}\nf2,f,flat,,30,days,2026-06-16,\n"));
        let output = sample.meterhouse(&["run"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("ALPEN") && said.contains("fee_gap"), "{end}: {said}");
        let found = ends(&sample);
        assert_eq!(found, ["price,f1,ends before the next one begins,2026-06-16T00:00:00Z"], "{end}");
        let shown = sample.ok(&["status", "--format", "table"]);
        assert!(shown.contains("ends before the next one begins"), "{shown}");
        assert!(shown.contains("no price, so that nothing was charged"), "{shown}");
    }
    let sample = project();
    prices(&sample, "f1,f,flat,,30,days,2026-01-01,2026-06-16\nf2,f,flat,,30,days,2026-06-16,\n");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select sum(amount) from invoice_line"), ["30"]);
    assert_eq!(ends(&sample), Vec::<String>::new());
}

#[test]
fn a_pause_of_a_fee_is_listed_and_parks_nobody() {
    let sample = project();
    prices(&sample, "f1,f,flat,,30,days,2026-01-01,2026-06-11\nf2,f,flat,,30,days,2026-06-21,\n");
    let said = sample.meterhouse(&["run", "--format", "table"]);
    assert!(!String::from_utf8(said.stderr).unwrap().contains("parked"));
    assert_eq!(sample.rows("select sum(amount) from invoice_line"), ["20"]);
    // By the run that charges nothing, too.
    let shown = sample.ok(&["status", "--format", "table"]);
    for shown in [String::from_utf8(said.stdout).unwrap(), shown] {
        let row = shown.lines().find(|line| line.contains("2026-06-11") && line.contains("2026-06-21"));
        assert!(row.is_some_and(|row| row.trim_start().starts_with('f')), "{shown}");
    }
}

#[test]
fn what_ends_too_early_is_listed_with_what_to_write() {
    let sample = project();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z,2026-06-30T23:59:59Z\n\
         B,ALPEN,EUR,Europe/Berlin,month,2026-06-01,2026-06-30\n\
         I,ALPEN,EUR,Asia/Kolkata,month,2026-06-01,2026-06-20T23:59:59.999999\n\
         R,ALPEN,EUR,UTC,month,2026-06-01,2026-06-20\n\
         Q,ALPEN,EUR,UTC,month,2026-06-01,2999-01-01\n\
         O,ALPEN,EUR,UTC,month,2026-06-01,9999-12-31T23:59:59\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from,valid_to\n\
         i,K,p,Calls,call,quantity,2026-06-01T00:00:00Z,2026-06-10\n\
         j,K,p,Calls,call,quantity,2026-06-11,\n",
    );
    sample.write(
        "data/contract_identifier.csv",
        "identifier_kind,identifier,contract_id,valid_from,valid_to\n\
         vin,V,K,2026-06-01,2026-06-15\nvin,V,R,2026-06-16,\n",
    );
    sample.write(
        "data/quota.csv",
        "quota_id,included_quantity,valid_from,valid_to\nq,1,2026-06-01,2026-06-15\nq,2,2026-06-16,\n",
    );
    sample.write(
        "data/minimum_fee.csv",
        "contract_id,amount,valid_from,valid_to\nK,1,2026-06-01,2026-06-30T23:59:59\n",
    );
    let run = sample.ok(&["run", "--format", "table"]);
    assert_eq!(
        ends(&sample),
        [
            "contract,B,ends as the last day of a month begins,2026-06-30T22:00:00Z",
            "contract,I,ends in the last second,2026-06-20T18:30:00Z",
            "contract,K,ends in the last second,2026-07-01T00:00:00Z",
            "contract_identifier,V of K,ends before the next one begins,2026-06-16T00:00:00Z",
            "contract_item,i,ends before the next one begins,2026-06-11T00:00:00Z",
            "minimum_fee,K,ends in the last second,2026-07-01T00:00:00Z",
            "quota,q,ends before the next one begins,2026-06-16T00:00:00Z",
        ]
    );
    let status = sample.ok(&["status", "--format", "table"]);
    for shown in [run, status] {
        assert!(shown.contains("rows that end too early"), "{shown}");
    }
}

#[test]
fn free_units_of_two_units_within_a_cycle_park_the_customer() {
    let sample = project();
    used(&sample, &["2026-06-02T08:00:00Z"]);
    let head = "price_id,product_id,charge_model,unit_amount,flat_amount,valid_from,valid_to";
    let versions = "p1,p,per_unit,1,,2026-01-01,2026-06-16\np2,p,per_unit,1,,2026-06-16,\n";
    sample.write("data/price.csv", &format!("{head}\n{versions}f1,f,flat,,30,2026-01-01,\n"));
    sample.write("data/price_modifier.csv", "price_id,convert_divisor,free_quantity\np1,1,10\np2,1024,10\n");
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("ALPEN") && said.contains("shared_modifier"), "{said}");
}
