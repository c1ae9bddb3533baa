//! A void record is out of every count: what comes under its id afterwards is a record of its own.

use crate::sample::Sample;

const PLACES: &str =
    "select place, sum(record_count), sum(quantity) from control_total group by place order by place";

fn project() -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z\n",
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

fn land(sample: &Sample, file: &str, quantity: u32) {
    let record = format!(
        "{{\"transaction_id\": \"cdr1\", \"usage_type\": \"call\", \"usage_start\": \"2026-06-02T08:00:00Z\", \
         \"contract_id\": \"K\", \"quantity\": {quantity}, \"file\": \"x\"}}\n"
    );
    sample.write(file, &record);
    sample.ok(&["land", sample.path().join(file).to_str().unwrap()]);
}

fn billed(sample: &Sample) -> Vec<String> {
    sample.ok(&["run"]);
    sample.rows("select quantity, amount from invoice_line where record_count > 0")
}

#[test]
fn what_comes_after_a_void_counts() {
    for keeps in ["first", "latest"] {
        let sample = project();
        sample.write(
            "data/identity_rule.csv",
            &format!("source,identity,keeps\nusage,transaction_id,{keeps}\n"),
        );
        land(&sample, "a.ndjson", 100);
        sample.ok(&["void", "cdr1", "--reason", "x"]);
        land(&sample, "b.ndjson", 60);
        assert_eq!(billed(&sample), ["60,60"], "{keeps}");
        assert_eq!(sample.rows(PLACES), ["guided,1,60", "received,2,160", "void,1,100"]);
        // The same again is the void record again, in whatever order.
        sample.write("c.ndjson", &format!("\n{}", sample.read("a.ndjson")));
        sample.ok(&["land", sample.path().join("c.ndjson").to_str().unwrap()]);
        assert_eq!(billed(&sample), ["60,60"], "{keeps}");
        let said = sample.ok(&["explain", "--usage", "cdr1"]);
        assert!(said.contains("identical to 1000000000, which is void"), "{said}");
        assert!(!said.contains("conflicting"), "{said}");
        // A restored one is there again: the first to arrive, or the same as the latest.
        sample.ok(&["restore", "cdr1", "--reason", "y"]);
        assert_eq!(billed(&sample), ["100,100"], "{keeps}");
    }
}

#[test]
fn a_void_is_about_all_that_had_landed() {
    let sample = project();
    land(&sample, "a.ndjson", 100);
    land(&sample, "b.ndjson", 60);
    sample.ok(&["void", "cdr1", "--reason", "x"]);
    assert_eq!(billed(&sample), Vec::<String>::new());
    assert_eq!(sample.rows(PLACES), ["received,2,160", "void,2,160"]);
    // What a list has void is, also what lands later.
    let sample = project();
    sample.write("data/usage_void.csv", "source,transaction_id,reason\nusage,cdr1,never\n");
    land(&sample, "a.ndjson", 100);
    land(&sample, "b.ndjson", 60);
    assert_eq!(billed(&sample), Vec::<String>::new());
}
