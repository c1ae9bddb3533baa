//! Rules name fields of the record, and what they name nothing of is told.

use crate::sample::Sample;

/// One contract and one priced item of calls, metered by `field`.
fn project(field: &str) -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\n\
         L,BYTE,EUR,UTC,month,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        &format!(
            "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from\n\
             i,K,p,Calls,call,{field},2026-06-01T00:00:00Z\n\
             j,L,q,Calls,call,quantity,2026-06-01T00:00:00Z\n"
        ),
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\n\
         p1,p,per_unit,2,2026-01-01\n\
         q1,q,per_unit,1,2026-01-01\n",
    );
    sample
}

fn call(id: &str, contract: &str, fields: &str) -> String {
    format!(
        r#"{{"transaction_id": "{id}", "usage_type": "call", "usage_start": "2026-06-02T08:00:00Z", "contract_id": "{contract}", {fields}}}"#
    ) + "\n"
}

const BILL: &str =
    "select contract_item_id, quantity, amount from invoice_line where record_count > 0 order by 1";

#[test]
fn a_column_that_a_project_adds_is_a_field_as_it_was_an_attribute() {
    let sample = project("prompt_tokens");
    let usage = call("1", "K", r#""promptTokens": "1234567890.000000000001""#);
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    let as_attribute = sample.rows(BILL);
    assert_eq!(as_attribute, ["i,1234567890.000000000001,2469135780"]);

    sample.replace(
        "schemas/usage_record.sql",
        "    attributes varchar",
        "    prompt_tokens decimal(38, 12) comment 'tokens read',\n    attributes varchar",
    );
    // What landed before the column was there is found where it is.
    sample.write("data/usage/more.ndjson", &call("2", "K", r#""promptTokens": 10"#));
    sample.ok(&["run"]);
    let columns = "select prompt_tokens, field_number(fields, 'promptTokens') from usage_record order by transaction_id";
    assert_eq!(sample.rows(columns), [",1234567890.000000000001", "10,10"]);
    assert_eq!(sample.rows(BILL), ["i,1234567900.000000000001,2469135800"]);

    // One that says another number there is no copy.
    sample.write("data/usage/again.ndjson", &call("2", "K", r#""promptTokens": 11"#));
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select duplicate_kind from usage_duplicate"), ["conflicting"]);

    // By a metric and in a matrix, too.
    sample.write("data/metric.csv", "product_id,group_fields\np,prompt_tokens\n");
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,matrix,,2026-01-01\nq1,q,per_unit,1,2026-01-01\n",
    );
    sample.write(
        "data/price_matrix.csv",
        "price_id,group_key,unit_amount\np1,\"{\"\"prompt_tokens\"\": 10.0}\",3\n",
    );
    sample.ok(&["run"]);
    assert_eq!(sample.rows(BILL), ["i,10,30"]);
    let waiting = r#"1,"no price for p {""prompt_tokens"":""1234567890.000000000001""}""#;
    assert_eq!(sample.rows("select transaction_id, suspense_reason from suspense"), [waiting]);
}

#[test]
fn a_star_shows_the_fields_as_json() {
    let sample = project("quantity");
    sample.write("data/usage/usage.ndjson", &call("1", "K", r#""quantity": 2, "region": "eu""#));
    sample.ok(&["run"]);
    for (table, format) in [("usage_record", "csv"), ("usage", "table"), ("usage", "json")] {
        let shown = sample.ok(&["sql", &format!("select * from {table}"), "--format", format]);
        assert!(shown.contains("region") && shown.contains("fields"), "{shown}");
    }
}

#[test]
fn a_group_that_the_metric_does_not_have_is_refused() {
    for (metric, key, mistake) in [
        ("", r#"{"region": "eu"}"#, "its product has no metric with group_fields"),
        ("p,region", r#"{"regoin": "eu"}"#, "the metric groups by region"),
        ("p,region", r#"{"region": "eu", "size": 1}"#, "the metric groups by region"),
        ("p,region", "eu", "is no JSON object"),
        ("p,region", r#"{"region": eu}"#, "is no JSON object"),
    ] {
        let sample = project("quantity");
        sample.write("data/metric.csv", &format!("product_id,group_fields\n{metric}\n"));
        sample.replace("data/price.csv", "p1,p,per_unit,2", "p1,p,matrix,");
        let quoted = key.replace('"', "\"\"");
        sample
            .write("data/price_matrix.csv", &format!("price_id,group_key,unit_amount\np1,\"{quoted}\",5\n"));
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("check `group_key` found 1 row") && said.contains(mistake), "{said}");
    }
    let sample = project("quantity");
    sample.write("data/metric.csv", "product_id,group_fields\np,vcpu\n");
    sample.replace("data/price.csv", "p1,p,per_unit,2", "p1,p,matrix,");
    let rows =
        "price_id,group_key,unit_amount\np1,\"{\"\"vcpu\"\":4}\",5\np1,\"{\"\"vcpu\"\": \"\"4\"\"}\",6\n";
    sample.write("data/price_matrix.csv", rows);
    let (_, said) = sample.fails(&["run"]);
    assert!(said.contains("names a group that another row names, too"), "{said}");
}

#[test]
fn a_price_without_the_rows_of_its_model_is_refused() {
    for (model, mistake) in [
        ("matrix", "has no price_matrix"),
        ("dimension", "has no dimension_rule"),
        ("time_of_use", "has no rate_schedule"),
        ("graduated", "has no price_tier"),
    ] {
        let sample = project("quantity");
        sample.replace("data/price.csv", "p1,p,per_unit,2", &format!("p1,p,{model},"));
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains(mistake), "{said}");
    }
}

#[test]
fn usage_that_no_price_was_applied_to_parks_its_customer() {
    // Suspense that looks away lets usage through that no price is for, and the check finds it.
    let sample = project("quantity");
    sample.write("data/metric.csv", "product_id,group_fields\np,region\n");
    sample.replace("data/price.csv", "p1,p,per_unit,2", "p1,p,matrix,");
    sample.write(
        "data/price_matrix.csv",
        "price_id,group_key,unit_amount\np1,\"{\"\"region\"\":\"\"eu\"\"}\",5\n",
    );
    let usage = call("1", "K", r#""quantity": 2, "region": "eu""#)
        + &call("2", "K", r#""quantity": 3, "region": "us""#)
        + &call("3", "L", r#""quantity": 7"#);
    sample.write("data/usage/usage.ndjson", &usage);
    sample.replace(
        "queries/5_metering/unpriced_group.sql",
        "        and named.group_key = grouped.group_key\n",
        "",
    );
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("parked") && said.contains("ALPEN") && said.contains("unpriced_usage"), "{said}");
    assert_eq!(sample.rows("select amount from invoice_line where customer_id = 'BYTE'"), ["7"]);
}

#[test]
fn a_quantity_beyond_the_last_tier_parks_its_customer() {
    let sample = project("quantity");
    sample.replace("data/price.csv", "p1,p,per_unit,2", "p1,p,volume,");
    sample.write(
        "data/price_tier.csv",
        "price_id,tier_number,quantity_from,quantity_to,unit_amount\np1,1,0,100,2\n",
    );
    sample.replace(
        "queries/checks/tier_gap.sql",
        "or (tier.tier_number = tier.tier_count) <> (tier.quantity_to is null)",
        "or false",
    );
    let usage = call("1", "K", r#""quantity": 150"#) + &call("2", "L", r#""quantity": 7"#);
    sample.write("data/usage/usage.ndjson", &usage);
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("parked") && said.contains("ALPEN") && said.contains("tier_quantity"), "{said}");
    assert_eq!(sample.rows("select amount from invoice_line where customer_id = 'BYTE'"), ["7"]);
}

#[test]
fn an_amount_that_has_no_room_parks_its_customer() {
    for price in ["1000000000000000", "100000000"] {
        let sample = project("quantity");
        sample.replace("data/price.csv", "p1,p,per_unit,2", &format!("p1,p,per_unit,{price}"));
        let usage = call("1", "K", r#""quantity": 1000000000000"#) + &call("2", "L", r#""quantity": 7"#);
        sample.write("data/usage/usage.ndjson", &usage);
        let output = sample.meterhouse(&["run"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("parked") && said.contains("ALPEN") && said.contains("tier_quantity"),
            "{said}"
        );
        assert_eq!(sample.rows("select amount from invoice_line where customer_id = 'BYTE'"), ["7"]);
    }
}

/// From the middle of a month to the middle of the next, a fee in advance and usage stand in two months.
#[test]
fn a_price_in_advance_is_a_fee_and_not_one_of_usage() {
    let sample = crate::names::calls();
    sample.replace("data/contract.csv", "2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z");
    sample.replace("data/contract.csv", "cycle_interval,", "cycle_interval,cycle_anchor,");
    sample.replace("data/contract.csv", "month,", "month,2026-06-15,");
    sample.replace("data/contract.csv", "2026-07-01T00:00:00Z", "2026-07-15T00:00:00Z");
    sample.replace("data/usage/usage.ndjson", "2026-06-02", "2026-06-20");
    let prices = "price_id,product_id,charge_model,flat_amount,billing_timing,valid_from\n";
    sample.write("data/price.csv", &format!("{prices}p1,p,flat,10,advance,2026-01-01\n"));
    let (_, said) = sample.fails(&["run"]);
    assert!(said.contains("advance_fee") && said.contains("make the fee an item of its own"), "{said}");
    sample.write("data/price.csv", &format!("{prices}p1,p,flat,10,arrears,2026-01-01\n"));
    sample.ok(&["run"]);
    assert_eq!(
        sample.rows("select billing_period, amount, record_count from invoice_line"),
        ["2026-07,10,1"]
    );
}
