//! What the books say of records: how many a correction is about, and what waited when a period closed.

use crate::sample::Sample;

fn project() -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z,2026-09-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from\n\
         i,K,p,Calls,call,quantity,2026-06-01T00:00:00Z\n",
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,1,2026-01-01\n",
    );
    sample
}

fn land(sample: &Sample, records: &[(&str, &str, &str)]) {
    let record = |(id, usage_type, at): &(&str, &str, &str)| {
        format!(
            "{{\"transaction_id\": \"{id}\", \"usage_type\": \"{usage_type}\", \"usage_start\": \"{at}T08:00:00Z\", \
             \"contract_id\": \"K\", \"quantity\": 5}}\n"
        )
    };
    let file = format!("{}.ndjson", records[0].0);
    sample.write(&file, &records.iter().map(record).collect::<String>());
    sample.ok(&["land", sample.path().join(file).to_str().unwrap()]);
}

/// Closes a period, and gives what that says.
fn close(sample: &Sample, period: &str) -> String {
    let output = sample.meterhouse(&["close", "--period", period, "--confirm", period, "--by", "anna"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_correction_says_how_many_records_it_is_about() {
    let sample = project();
    land(&sample, &[("a", "call", "2026-06-02"), ("b", "call", "2026-06-03"), ("c", "call", "2026-06-04")]);
    close(&sample, "2026-06");
    let corrections = "select record_count, quantity, amount from correction_line";
    land(&sample, &[("late", "call", "2026-06-05"), ("later", "call", "2026-06-06")]);
    sample.ok(&["run"]);
    assert_eq!(sample.rows(corrections), ["2,10,10"]);
    for id in ["a", "b", "c"] {
        sample.ok(&["void", id, "--reason", "x"]);
    }
    sample.ok(&["run"]);
    assert_eq!(sample.rows(corrections), ["-1,-5,-5"]);
    let counted = "select sum(record_count), sum(quantity) from invoice_line";
    assert_eq!(sample.rows(counted), ["2,10"]);
    assert_eq!(
        sample.rows("select count(*), sum(amount) from usage_statement where line_id like '%/correction-%'"),
        ["1,-5"]
    );
    assert_eq!(
        sample.rows("select distinct contract_id, contract_item_id, currency from usage_statement"),
        ["K,i,EUR"]
    );
    close(&sample, "2026-07");
    assert_eq!(
        sample.rows("select billing_period, sum(record_count) from billed_line group by 1 order by 1"),
        ["2026-06,3", "2026-07,-1"]
    );
    let closed = "select distinct contract_id, contract_item_id, currency from billed_statement";
    assert_eq!(sample.rows(closed), ["K,i,EUR"]);
}

#[test]
fn what_waits_is_kept_once_and_by_its_period() {
    let sample = project();
    land(&sample, &[("a", "ride", "2026-06-02"), ("b", "ride", "2026-07-02"), ("c", "ride", "2026-10-02")]);
    let said = close(&sample, "2026-06");
    assert!(said.contains("3 records wait in suspense, and are not in the books of 2026-06"), "{said}");
    let kept = "select closed_in, count(*) from closed_suspense group by 1 order by 1";
    assert_eq!(sample.rows(kept), ["2026-06,1"]);
    close(&sample, "2026-07");
    assert_eq!(sample.rows(kept), ["2026-06,1", "2026-07,1"]);
    // What has left is told, with what became of it, until it is in closed books.
    sample.replace(
        "data/contract_item.csv",
        "i,K,p,Calls,call,",
        "j,K,p,Rides,ride,quantity,2026-06-01T00:00:00Z\ni,K,p,Calls,call,",
    );
    let item = "item not in the closed books";
    let shown = sample.ok(&["run", "--format", "csv"]);
    assert!(shown.contains(item), "{shown}");
    let shown = sample.ok(&["status", "--format", "csv"]);
    assert!(shown.contains(&format!("stays,no contract item for usage type,{item},ride,2")), "{shown}");
    sample.ok(&["write-off", "a", "--reason", "x"]);
    sample.ok(&["run"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    assert!(shown.contains("written off,ride,1"), "{shown}");
}
