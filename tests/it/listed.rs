//! What looks right and does nothing is refused at its line, or listed.

use crate::names::calls;

#[test]
fn names_that_no_record_has_are_listed() {
    let sample = calls();
    sample.write("data/usage_filter.csv", "filter_rule,usage_type,source\ntests,test_call,\n");
    sample.write("data/identity_rule.csv", "source,identity,keeps\nshop,transaction_id,latest\n");
    sample.write("data/close_limit.csv", "limit_name,limit_value,unit\nsuspense_quantity,5,kWh\n");
    sample.replace(
        "data/contract_item.csv",
        "i,K,p,Calls,call,",
        "j,K,p,Calls,cal,,quantity,,suspend,2026-06-01T00:00:00Z\ni,K,p,Calls,call,",
    );
    let shown = sample.ok(&["run", "--format", "csv"]);
    let (_, unseen) = shown.split_once("table_name,column_name,name\n").unwrap();
    assert_eq!(
        unseen,
        "close_limit,unit,kWh\ncontract_item,usage_type,cal\nidentity_rule,source,shop\nusage_filter,usage_type,test_call\n"
    );
}

#[test]
fn a_setting_that_would_do_nothing_is_refused() {
    let sample = calls();
    for (table, rows, column) in [
        ("metric", "product_id,item_field\np,vin", "item_field"),
        ("metric", "product_id,operation_field\np,op", "operation_field"),
        ("metric", "product_id,aggregation,percentile_rank\np,max,0.5", "percentile_rank"),
        (
            "metric",
            "product_id,aggregation,window_interval,window_aggregation\np,max,hour,percentile",
            "window_aggregation",
        ),
        ("metric", "product_id,window_aggregation\np,max", "window_aggregation"),
        ("metric", "product_id,aggregation,proration\np,max,days", "proration"),
        ("metric", "product_id,rounding\np,ceil", "rounding"),
        ("price_modifier", "price_id,charge_rounding\np1,ceil", "charge_rounding"),
        ("price_modifier", "price_id,minimum_proration\np1,days", "minimum_proration"),
        ("price_modifier", "price_id,minimum_amount,maximum_amount\np1,50,10", "minimum_amount"),
        ("rate_schedule", "price_id,session_rounding\np1,floor", "session_rounding"),
    ] {
        let file = format!("data/{table}.csv");
        sample.write(&file, &format!("{rows}\n"));
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("breaks CHECK") && said.contains(column) && said.contains(&file), "{said}");
        std::fs::remove_file(sample.path().join(&file)).unwrap();
    }
}

#[test]
fn what_is_not_in_force_when_it_is_asked_for_is_listed() {
    let sample = calls();
    let item = "j,K,p,Gifts,gift,,quantity,g,suspend,2026-06-01T00:00:00Z\n\
                k,K,p,Others,other,,quantity,h,suspend,2026-06-01T00:00:00Z\n\
                l,K,p,Before,before,,quantity,,suspend,2025-06-01T00:00:00Z,2026-06-01T00:00:00Z\n\
                i,K,p,Calls,call,,quantity,q,suspend,2026-06-01T00:00:00Z";
    sample.replace(
        "data/contract_item.csv",
        "i,K,p,Calls,call,,quantity,,suspend,2026-06-01T00:00:00Z",
        item,
    );
    sample.replace("data/contract_item.csv", "valid_from\n", "valid_from,valid_to\n");
    for row in ["j,", "k,", "i,"] {
        let line = item.lines().map(str::trim).find(|line| line.starts_with(row)).unwrap();
        sample.replace("data/contract_item.csv", line, &format!("{line},"));
    }
    sample.write(
        "data/quota.csv",
        "quota_id,included_quantity,valid_from\nq,1,2026-08-01\nspare,5,2026-06-01\n",
    );
    sample.write(
        "data/grant_account.csv",
        "contract_id,quota_id,opened_at\nK,g,2026-06-10T00:00:00Z\nK,h,2026-06-01T00:00:00Z\n",
    );
    sample.write(
        "data/quota_grant.csv",
        "grant_id,contract_id,quota_id,amount,effective_at\nfirst,K,g,5,2026-06-10T00:00:00Z\nlate,K,g,5,2026-07-10T00:00:00Z\n",
    );
    sample.write("data/minimum_fee.csv", "contract_id,amount,valid_from\nK,100,2027-06-01\n");
    sample.write(
        "data/usage/gift.ndjson",
        "{\"transaction_id\":\"2\",\"usage_type\":\"gift\",\"usage_start\":\"2026-06-02T08:00:00Z\",\"contract_id\":\"K\",\"quantity\":3}\n",
    );
    sample.ok(&["run"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    let (_, listed) = shown.split_once("table_name,row_id,finding\n").unwrap();
    let listed: Vec<&str> = listed.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        listed,
        [
            "contract_item,l,never in force while contract K is",
            "minimum_fee,K,never in force while contract K is",
            "quota_grant,late,never in force while contract K is",
        ]
    );
    let quotas = "quota_id,finding\nq,\"not in force in 2026-06, when records drew from it: 1, of item i\"\nspare,no contract item names it\n";
    assert!(shown.contains(quotas), "{shown}");
    let accounts = "contract_id,quota_id,finding\nK,g,\"opens after records of item j in 2026-06 that draw from it: 1, of quantity 3\"\nK,h,has no quota_grant\n";
    assert!(shown.contains(accounts), "{shown}");
}

#[test]
fn fields_of_thresholds_and_operations_that_records_lack_are_listed() {
    let sample = calls();
    sample.replace(
        "data/price.csv",
        "p1,p,per_unit,1,2026-01-01",
        "p1,p,dimension,,2026-01-01\nq1,q,per_unit,1,2026-01-01",
    );
    sample.write(
        "data/dimension_rule.csv",
        "price_id,rule_group,rule_number,field,threshold,cost_type,cost\np1,g,1,,,flat,1\np1,g,2,tokens,5,rate,3\n",
    );
    sample.replace(
        "data/contract_item.csv",
        "i,K,p,",
        "j,K,q,Seats,seat,,records,,suspend,2026-06-01T00:00:00Z\ni,K,p,",
    );
    sample.write(
        "data/metric.csv",
        "product_id,aggregation,item_field,operation_field\nq,unique_count,user,op\n",
    );
    let seat = |id: u32, op: &str| {
        format!(
            "{{\"transaction_id\":\"s{id}\",\"usage_type\":\"seat\",\"usage_start\":\"2026-06-0{id}T08:00:00Z\",\
             \"contract_id\":\"K\",\"user\":\"u\",\"op\":\"{op}\"}}\n"
        )
    };
    sample.write("data/usage/seat.ndjson", &(seat(2, "add") + &seat(3, "Remove")));
    sample.ok(&["run"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    let (_, listed) = shown.split_once("table_name,rule,asks_for\n").unwrap();
    let listed: Vec<&str> = listed.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        listed,
        [
            "dimension_rule,p1,\"tokens, which records lack: 1\"",
            "metric,q,\"add or remove in op, which says Remove: 1\"",
        ]
    );
}

#[test]
fn an_interval_of_nothing_or_of_ages_is_refused_at_its_line() {
    let sample = calls();
    let mut before = String::from("month");
    for interval in ["0 months", "999999 years", "99999999999 seconds", "1 month 999999 days", "month "] {
        sample.replace("data/contract.csv", &format!(",{before},"), &format!(",{interval},"));
        before = interval.into();
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1);
        let told = format!("`cycle_interval` {interval} breaks CHECK");
        assert!(said.contains(&told) && said.contains("data/contract.csv:2:"), "{said}");
    }
    for interval in ["999 years", "9999 months", "99999 days", "9999999999 seconds", "1 month"] {
        sample.replace("data/contract.csv", &format!(",{before},"), &format!(",{interval},"));
        before = interval.into();
        sample.ok(&["run"]);
    }
}

/// A maximum of 7 and one of 5 are 12 in a cycle whose price changes, and 7 in one whose price does not.
#[test]
fn what_versions_of_a_price_count_apart_is_listed() {
    let sample = calls();
    sample.write("data/metric.csv", "product_id,aggregation\np,max\n");
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from,valid_to\n\
         p1,p,per_unit,1,2026-01-01,2026-06-16\np2,p,per_unit,1,2026-06-16,\n",
    );
    let record = |id: u8, day: u8, quantity: u8| {
        format!(
            "{{\"transaction_id\":\"{id}\",\"usage_type\":\"call\",\"usage_start\":\"2026-06-{day:02}T08:00:00Z\",\
             \"contract_id\":\"K\",\"quantity\":{quantity}}}\n"
        )
    };
    sample.write("data/usage/usage.ndjson", &(record(1, 2, 7) + &record(2, 20, 5)));
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select sum(amount) from invoice_line"), ["12"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    assert!(shown.contains("\ni,2026-06-01T00:00:00Z,p,2,max\n"), "{shown}");
    sample.write("data/metric.csv", "product_id,aggregation\np,sum\n");
    sample.ok(&["run"]);
    assert!(!sample.ok(&["status", "--format", "csv"]).contains("p,2,"), "sums add up");
}

#[test]
fn units_that_are_added_up_are_listed() {
    let sample = calls();
    let record = |id: u8, unit: &str| {
        format!(
            "{{\"transaction_id\":\"{id}\",\"usage_type\":\"call\",\"usage_start\":\"2026-06-02T08:00:00Z\",\
             \"contract_id\":\"K\",\"quantity\":1,\"unit\":\"{unit}\"}}\n"
        )
    };
    sample.write("data/usage/usage.ndjson", &(record(1, "GB") + &record(2, "MB")));
    sample.ok(&["run"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    assert!(shown.contains("\ncall,\"GB, MB\",1,i\n"), "{shown}");
    sample.replace("data/contract_item.csv", "quantity_field,", "quantity_field,unit,");
    sample.replace("data/contract_item.csv", "quantity,,", "quantity,GB,,");
    sample.ok(&["run"]);
    assert!(!sample.ok(&["status", "--format", "csv"]).contains("GB, MB"));
    assert_eq!(sample.rows("select suspense_reason from suspense"), ["unit is not GB"]);
}

#[test]
fn a_minimum_that_ends_within_a_cycle_is_listed() {
    let sample = calls();
    let minimum = "contract_id,amount,valid_from,valid_to\n";
    sample.write("data/minimum_fee.csv", &format!("{minimum}K,300,2026-06-01,2026-06-20\n"));
    sample.ok(&["run"]);
    let shown = sample.ok(&["status", "--format", "csv"]);
    assert!(shown.contains("minimum_fee,K,\"ends within the cycle of 2026-06, which owes"), "{shown}");
    sample
        .write("data/minimum_fee.csv", &format!("{minimum}K,300,2026-06-01,2026-06-20\nK,200,2026-06-20,\n"));
    sample.ok(&["run"]);
    assert!(!sample.ok(&["status", "--format", "csv"]).contains("ends within the cycle"));
}
