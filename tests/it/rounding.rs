//! Books of a currency that rounds invoices: what is owed for a period is its exact sum, rounded once, whatever comes
//! later.

use crate::explain::UNEXPLAINED;
use crate::sample::Sample;

const ROUNDS_INVOICES: &str = "currency,decimals,rounding,rounding_level\nEUR,2,half_up,invoice\n";
const ROUNDS_LINES: &str = "currency,decimals,rounding\nEUR,2,half_up\n";

/// What is owed now for each period, and what that is exactly.
const OWED: &str = "select coalesce(corrected_period, billing_period) as period, sum(amount), sum(amount_exact) \
                    from invoice_line group by 1 order by 1";

/// What open corrections say of a region, or of the rounding.
const CORRECTIONS: &str = "select coalesce(nullif(substr(group_key, 12, 1), ''), 'rounding') as of, amount \
                           from correction_line where amount <> 0 and billing_period not in \
                           (select billing_period from closed_period) order by 1";

/// A call costs 0.002, and each region has a line.
fn project() -> Sample {
    let sample = Sample::blank();
    sample.write("data/currency.csv", ROUNDS_INVOICES);
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
    sample.write("data/metric.csv", "product_id,group_fields\np,region\n");
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,0.002,2026-01-01\n",
    );
    sample
}

/// Lands a record for each region, with its quantity.
fn land(sample: &Sample, name: &str, month: u32, quantities: &[(&str, &str)]) {
    let record = |(region, quantity): &(&str, &str)| {
        format!(
            "{{\"transaction_id\": \"{name}-{region}\", \"usage_type\": \"call\", \"contract_id\": \"K\", \
             \"usage_start\": \"2026-{month:02}-02T08:00:00Z\", \"quantity\": {quantity}, \"region\": \"{region}\"}}\n"
        )
    };
    let file = format!("{name}.ndjson");
    sample.write(&file, &quantities.iter().map(record).collect::<String>());
    sample.ok(&["land", sample.path().join(file).to_str().unwrap()]);
    sample.ok(&["run"]);
}

fn close(sample: &Sample, period: &str) {
    sample.ok(&["close", "--period", period, "--confirm", period, "--by", "anna"]);
}

/// Nothing is left to do or to explain.
fn holds(sample: &Sample) {
    assert_eq!(sample.rows(UNEXPLAINED), Vec::<String>::new());
    let runs = sample.meterhouse(&["run"]);
    let said = String::from_utf8(runs.stderr).unwrap();
    assert!(runs.status.success() && said.contains("nothing to do"), "{said}");
    sample.ok(&["verify"]);
}

#[test]
fn corrections_come_to_the_exact_sum_rounded_once() {
    let sample = project();
    let each = [("a", "2"), ("b", "2"), ("c", "2"), ("d", "2"), ("e", "2")];
    land(&sample, "june", 6, &each);
    land(&sample, "july", 7, &each);
    let lines = "select line_id, amount from invoice_line where amount <> 0 order by line_id";
    let drafts = ["ALPEN/2026-06/EUR/rounding,0.02", "ALPEN/2026-07/EUR/rounding,0.02"];
    assert_eq!(sample.rows(lines), drafts);
    holds(&sample);
    close(&sample, "2026-06");
    let booked = "select count(*), sum(amount) from billed_line where line_type = 'rounding'";
    assert_eq!(sample.rows(booked), ["1,0.02"]);
    holds(&sample);

    // 0.006 is 0.01, so the line gives what the rounding gave: 0.022 is 0.02 as before.
    land(&sample, "late", 6, &[("a", "1")]);
    assert_eq!(sample.rows(CORRECTIONS), ["a,0.01", "rounding,-0.01"]);
    assert_eq!(sample.rows(OWED), ["2026-06,0.02,0.022", "2026-07,0.02,0.02"]);
    holds(&sample);

    // 0.026 is 0.03: two lines of 0.01, and 0.01.
    land(&sample, "later", 6, &[("b", "2")]);
    assert_eq!(sample.rows(CORRECTIONS), ["a,0.01", "b,0.01", "rounding,-0.01"]);
    let june_now = "2026-06,0.03,0.026";
    assert_eq!(sample.rows(OWED)[0], june_now);
    holds(&sample);
    // The rounding of July is of its own lines, and the books keep all of it.
    close(&sample, "2026-07");
    assert_eq!(sample.rows(OWED)[0], june_now);
    let july = "select line_type, count(*), sum(amount) from billed_line where billing_period = '2026-07' group by 1 order by 1";
    assert_eq!(sample.rows(july), ["correction,3,0.01", "rounding,1,0.02", "usage,5,0"]);
    holds(&sample);

    // Without the first of them 0.024 is 0.02 again: its line goes, the rounding stays.
    sample.ok(&["void", "late-a", "--reason", "x"]);
    sample.ok(&["run"]);
    assert_eq!(sample.rows(CORRECTIONS), ["a,-0.01"]);
    assert_eq!(sample.rows(OWED)[0], "2026-06,0.02,0.024");
    holds(&sample);

    // By the rules of today, which round lines, June is one line of 0.01 and four of nothing.
    sample.write("data/currency.csv", ROUNDS_LINES);
    sample.ok(&["run"]);
    assert_eq!(sample.rows(OWED)[0], "2026-06,0.02,0.024");
    sample.ok(&["rerate", "--period", "2026-06", "--confirm", "2026-06", "--reason", "x"]);
    assert_eq!(sample.rows(OWED)[0], "2026-06,0.01,0.024");
    assert_eq!(sample.rows(CORRECTIONS), ["a,-0.01", "rounding,-0.01"]);
    holds(&sample);
}

#[test]
fn a_level_that_is_none_is_refused() {
    let sample = project();
    sample.replace("data/currency.csv", "invoice", "total");
    let (status, said) = sample.fails(&["check"]);
    assert_eq!(status, 1);
    assert!(said.contains("rounding_level"), "{said}");
}
