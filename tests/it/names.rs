//! A row that names nothing is refused at its line, in whatever table; a rule that can never match is refused or listed.

use insta::assert_snapshot;

use crate::sample::{Sample, said};

/// A customer with one item of calls at 1, and three calls.
pub fn calls() -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,valid_to\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,usage_tag,quantity_field,quota_id,unpriced_usage,valid_from\n\
         i,K,p,Calls,call,,quantity,,suspend,2026-06-01T00:00:00Z\n",
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,1,2026-01-01\n",
    );
    sample.write(
        "data/usage/usage.ndjson",
        "{\"transaction_id\":\"1\",\"usage_type\":\"call\",\"usage_start\":\"2026-06-02T08:00:00Z\",\"contract_id\":\"K\",\"quantity\":3}\n",
    );
    sample
}

/// What the run says of one more row, by table: each of these names nothing.
#[test]
fn a_row_that_names_nothing_is_refused_in_every_table() {
    for (table, rows, what, hint) in [
        (
            "price_modifier",
            "price_id,discount_percent\np-1,50",
            "`price_id` p-1 names no row of `price`",
            "did you mean `p1`?",
        ),
        ("price_tier", "price_id,tier_number\nP1,1", "`price_id` P1 names no row of `price`", ""),
        (
            "price_matrix",
            "price_id,group_key,unit_amount\nq,\"{}\",1",
            "`price_id` q names no row of `price`",
            "there is p1",
        ),
        (
            "record_allowance",
            "price_id,free_records\np 1,5",
            "`price_id` p 1 names no row of `price`",
            "did you mean `p1`?",
        ),
        ("rate_schedule", "price_id\npl", "`price_id` pl names no row of `price`", ""),
        ("rate_window", "price_id,window_number\npl,1", "`price_id` pl names no row of `price`", ""),
        (
            "rate_step",
            "price_id,window_number,step_number,unit_amount\np1,1,1,2",
            "`price_id` p1 with `window_number` 1 names no row of `rate_window`",
            "it has no rows: write data/rate_window.csv",
        ),
        (
            "dimension_rule",
            "price_id,rule_group,rule_number,cost_type,cost\npi,a,1,flat,2",
            "`price_id` pi names no row of `price`",
            "",
        ),
        (
            "capacity_limit",
            "price_id,tier_number,group_key,quantity_to\np1,1,{},2",
            "`price_id` p1 with `tier_number` 1 names no row of `price_tier`",
            "",
        ),
        (
            "metric",
            "product_id,aggregation\npp,max",
            "`product_id` pp names no row of `price` or `contract_item`",
            "",
        ),
        (
            "minimum_fee",
            "contract_id,amount,valid_from\nk,5,2026-06-01",
            "`contract_id` k names no row of `contract`",
            "",
        ),
        (
            "contract_identifier",
            "identifier_kind,identifier,contract_id,valid_from\nvin,V,KK,2026-06-01",
            "`contract_id` KK names no row of `contract`",
            "",
        ),
        (
            "grant_account",
            "contract_id,quota_id,currency,opened_at\nK,m,EURO,2026-06-01",
            "`currency` EURO names no row of `currency`",
            "did you mean `EUR`?",
        ),
        (
            "quota_grant",
            "grant_id,contract_id,quota_id,amount,effective_at\ng,K,m,5,2026-06-01",
            "`contract_id` K with `quota_id` m names no row of `grant_account`",
            "",
        ),
        (
            "quota_reset",
            "contract_id,quota_id,reset_at\nK,m,2026-06-02",
            "`contract_id` K with `quota_id` m names no row of `grant_account`",
            "",
        ),
        (
            "interim_cycle",
            "contract_item_id,cycle_start\nj,2026-06-01T00:00:00Z",
            "`contract_item_id` j names no row of `contract_item`",
            "",
        ),
        (
            "late_policy",
            "usage_type,policy\ncalls,suspend",
            "`usage_type` calls names no row of `contract_item`",
            "did you mean `call`?",
        ),
        (
            "span_rule",
            "usage_type,placed_by\ncal,end",
            "`usage_type` cal names no row of `contract_item`",
            "did you mean `call`?",
        ),
        (
            "tag_rule",
            "tag,usage_type,tag_group,position\neu,cals,a,1",
            "`usage_type` cals names no row of `contract_item`",
            "did you mean `call`?",
        ),
        (
            "tag_rule_value",
            "tag,usage_type,field,field_value\neu,call,region,eu",
            "`tag` eu with `usage_type` call names no row of `tag_rule`",
            "",
        ),
        (
            "time_window",
            "tag,usage_type,time_zone,weekday_from,weekday_to,hour_from,hour_to,holiday_calendar\nnight,call,UTC,1,7,0,6,DE",
            "`holiday_calendar` DE names no row of `holiday`",
            "",
        ),
        (
            "time_window",
            "tag,usage_type,time_zone,weekday_from,weekday_to,hour_from,hour_to\nnight,call,Europe/Berln,1,7,0,6",
            "`time_zone` Europe/Berln is not a time zone",
            "did you mean `Europe/Berlin`?",
        ),
    ] {
        let sample = calls();
        sample.write(&format!("data/{table}.csv"), &format!("{rows}\n"));
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains(&format!("error: {what}\n")), "{table}: {said}");
        assert!(said.contains(&format!("--> data/{table}.csv:2:")), "{table}: {said}");
        assert!(said.contains(&format!("hint: {hint}")), "{table}: {said}");
        // The same without reading usage.
        let (status, said) = sample.fails(&["check"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.starts_with(&format!("error: {what}\n")), "{table}: {said}");
    }
}

#[test]
fn items_and_contracts_name_what_there_is() {
    for (file, old, new, what, hint) in [
        (
            "contract_item",
            "i,K,p,",
            "i,K,q,",
            "`product_id` q names no row of `price` or `free_product`",
            "there is p",
        ),
        ("contract_item", "i,K,", "i,k,", "`contract_id` k names no row of `contract`", "did you mean `K`?"),
        (
            "contract_item",
            "call,,quantity,,",
            "call,nite,quantity,,",
            "`usage_tag` nite with `usage_type` call names no row of `known_tag`",
            "did you mean `night with call`?",
        ),
        (
            "contract_item",
            "quantity,,suspend",
            "quantity,hunderd,suspend",
            "`quota_id` hunderd names no row of `quota` or `grant_account`",
            "did you mean `hundred`?",
        ),
        (
            "contract",
            "ALPEN",
            "ALPINE",
            "`customer_id` ALPINE names no row of `customer`",
            "did you mean `ALPEN`?",
        ),
        ("contract", "EUR", "EURO", "`currency` EURO names no row of `currency`", "did you mean `EUR`?"),
        (
            "contract",
            ",UTC,",
            ",Berlin,",
            "`time_zone` Berlin is not a time zone",
            "did you mean `Europe/Berlin`?",
        ),
    ] {
        let sample = calls();
        sample.write("data/quota.csv", "quota_id,included_quantity,valid_from\nhundred,100,2026-01-01\n");
        sample.write(
            "data/time_window.csv",
            "tag,usage_type,time_zone,weekday_from,weekday_to,hour_from,hour_to\nnight,call,UTC,1,7,0,6\n",
        );
        sample.replace(&format!("data/{file}.csv"), old, new);
        let (status, said) = sample.fails(&["check"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.starts_with(&format!("error: {what}\n --> data/{file}.csv:2:")), "{said}");
        assert!(said.contains(&format!("hint: {hint}")), "{said}");
    }
    // What is given away needs no price.
    let sample = calls();
    sample.replace(
        "data/contract_item.csv",
        "i,K,p,Calls,call,,quantity,,suspend",
        "i,K,q,Calls,call,,quantity,,free",
    );
    sample.ok(&["run"]);
}

#[test]
fn all_lines_that_name_nothing_are_told_at_once() {
    let sample = calls();
    sample.write("data/price_modifier.csv", "price_id,discount_percent\np1,50\np2,50\np3,10\n");
    sample.write("data/late_policy.csv", "usage_type,policy\ncalls,suspend\n");
    sample.write("data/minimum_fee.csv", "contract_id,amount,valid_from\nL,5,2026-06-01\n");
    std::fs::remove_file(sample.path().join("data/usage/usage.ndjson")).unwrap();
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `usage_type` calls names no row of `contract_item`
     --> data/late_policy.csv:2:1
      |
    2 | calls,suspend
      | ^^^^^
    hint: did you mean `call`?
    error: `contract_id` L names no row of `contract`
     --> data/minimum_fee.csv:2:1
      |
    2 | L,5,2026-06-01
      | ^
    hint: there is K
    error: `price_id` p2 names no row of `price`
     --> data/price_modifier.csv:3:1
      |
    3 | p2,50
      | ^^
    hint: there is p1
    error: `price_id` p3 names no row of `price`
     --> data/price_modifier.csv:4:1
      |
    4 | p3,10
      | ^^
    hint: there is p1
    error: 4 mistakes in the project
    "#);
}

#[test]
fn an_account_of_grants_has_to_be_the_item_s_own() {
    let sample = calls();
    sample.replace("data/contract_item.csv", "quantity,,suspend", "quantity,credit,suspend");
    sample.replace(
        "data/contract.csv",
        "K,ALPEN",
        "L,BYTE,EUR,UTC,month,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z\nK,ALPEN",
    );
    sample.write("data/grant_account.csv", "contract_id,quota_id,opened_at\nL,credit,2026-06-01\n");
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(said.contains("check `item_account` found 1 row"), "{said}");
    sample.replace("data/grant_account.csv", "L,credit", "K,credit");
    sample.ok(&["run"]);
}

/// A name in what a query makes has no line; the query is told.
#[test]
fn what_a_query_makes_names_what_there_is_too() {
    let sample = calls();
    sample.write(
        "queries/0_reference/contract_item.sql",
        &"-- contract_item: as listed.\n--\n-- grain:  contract_item_id\n-- reads:  listed_item\n\nselect COLUMNS from listed_item\n"
            .replace("COLUMNS", &columns(&sample)),
    );
    let text = sample
        .read("schemas/contract_item.sql")
        .replace("create table contract_item", "create table listed_item");
    // Only what the query makes refers to prices.
    let text = text.replace(" references price (product_id) references free_product (product_id)", "");
    sample.write("schemas/listed_item.sql", &text);
    sample.write("data/listed_item.csv", &sample.read("data/contract_item.csv").replace("K,p,", "K,pp,"));
    std::fs::remove_file(sample.path().join("data/contract_item.csv")).unwrap();
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(said.contains("error: `product_id` pp names no row of `price` or `free_product`\n  --> queries/0_reference/contract_item.sql\n"), "{said}");
}

fn columns(sample: &Sample) -> String {
    let text = sample.read("schemas/contract_item.sql");
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.contains(" comment ")).filter_map(|line| line.split(' ').next());
    names.map(|name| format!("listed_item.{name}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_reference_to_no_table_is_a_mistake_of_the_schema() {
    let sample = calls();
    sample.replace(
        "schemas/price_modifier.sql",
        "references price (price_id)",
        "references prices (price_id)",
    );
    sample.replace("schemas/price_tier.sql", "references price (price_id)", "references price (priceid)");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is no table or query `prices`
     --> schemas/price_modifier.sql:4:42
      |
    4 |     price_id varchar not null references prices (price_id) comment 'the price',
      |                                          ^^^^^^
    hint: did you mean `price`?
    error: `price` has no column `priceid` that could be named
     --> schemas/price_tier.sql:4:42
      |
    4 |     price_id varchar not null references price (priceid) comment 'the price',
      |                                          ^^^^^
    hint: did you mean `price_id`?
    error: 2 mistakes in the project
    "#);
}

#[test]
fn a_charge_model_has_what_it_needs_and_nothing_it_does_not_take() {
    for (price, table, rows, mistakes) in [
        ("p1,p,graduated,,,2026-01-01", "", "", vec!["has no price_tier"]),
        ("p1,p,dimension,,,2026-01-01", "", "", vec!["has no dimension_rule"]),
        ("p1,p,time_of_use,,,2026-01-01", "", "", vec!["has no rate_schedule", "has no rate_window"]),
        (
            "p1,p,flat,,100,2026-01-01",
            "price_modifier",
            "price_id,free_quantity\np1,5",
            vec!["does not take free_quantity"],
        ),
        (
            "p1,p,flat,,100,2026-01-01",
            "record_allowance",
            "price_id,free_records\np1,5",
            vec!["does not take record_allowance"],
        ),
        (
            "p1,p,percentage,0.02,,2026-01-01",
            "price_modifier",
            "price_id,free_quantity\np1,50",
            vec!["does not take free_quantity"],
        ),
        (
            "p1,p,percentage,0.02,,2026-01-01",
            "price_modifier",
            "price_id,convert_divisor,block_quantity\np1,50,3",
            vec!["does not take block_quantity", "does not take convert"],
        ),
        (
            "p1,p,volume,,,2026-01-01",
            "price_modifier",
            "price_id,tiers_go_on\np1,true",
            vec!["does not take tiers_go_on", "has no price_tier"],
        ),
        ("p1,p,per_unit,1,10,2026-01-01", "", "", vec!["does not take flat_amount"]),
        (
            "p1,p,per_unit,1,,2026-01-01",
            "price_tier",
            "price_id,tier_number,unit_amount\np1,1,5",
            vec!["does not take price_tier"],
        ),
        ("p1,p,matrix,1,,2026-01-01", "", "", vec!["has no price_matrix"]),
        (
            "p1,p,level_graduated,,,2026-01-01",
            "price_tier",
            "price_id,tier_number,unit_amount,block_quantity\np1,1,5,10",
            vec!["has no metric of a level", "does not take block_quantity in price_tier"],
        ),
        (
            "p1,p,capacity,,,2026-01-01",
            "price_tier",
            "price_id,tier_number,quantity_to,unit_amount\np1,1,10,5",
            vec!["does not take bounds in price_tier", "does not take unit_amount in price_tier"],
        ),
        (
            "p1,p,time_of_use,,,2026-01-01",
            "rate_window",
            "price_id,window_number\np1,1\np1,2",
            vec!["has several rate_windows from 00:00:00 that nothing tells apart"],
        ),
        (
            "p1,p,dimension,,,2026-01-01",
            "dimension_rule",
            "price_id,rule_group,rule_number,threshold,cost_type,cost\np1,g,1,0,flat,1\np1,g,2,0,flat,5",
            vec!["rule_group g has several dimension_rules with one threshold"],
        ),
        (
            "p1,p,percentage,0.02,,2026-01-01",
            "quota",
            "quota_id,included_quantity,valid_from\nq,50,2026-01-01",
            vec!["does not take quota_id of an item"],
        ),
        (
            "p1,p,per_unit,1,,2026-01-01",
            "interim_cycle",
            "contract_item_id,cycle_start,volume_due\ni,2026-06-01T00:00:00Z,true",
            vec!["does not take volume_due of an interim_cycle"],
        ),
    ] {
        let sample = calls();
        if table == "quota" {
            sample.replace("data/contract_item.csv", ",quantity,,", ",quantity,q,");
        }
        sample.write(
            "data/price.csv",
            &format!("price_id,product_id,charge_model,unit_amount,flat_amount,valid_from\n{price}\n"),
        );
        if !table.is_empty() {
            sample.write(&format!("data/{table}.csv"), &format!("{rows}\n"));
        }
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1);
        let check = match table {
            "rate_window" => "window_rate",
            "dimension_rule" => "dimension_threshold",
            _ => "charge_model",
        };
        for mistake in mistakes {
            assert!(
                said.contains(&format!("check `{check}` found")) && said.contains(mistake),
                "{price}: {said}"
            );
        }
    }
}

#[test]
fn a_group_that_the_metric_does_not_have_is_refused() {
    for (fields, group, mistake) in [
        ("\"region,size\"", "{\"\"region\"\":\"\"eu\"\"}", "the metric groups by region,size"),
        (
            "\"region,size\"",
            "{\"\"region\"\":\"\"eu\"\",\"\"sise\"\":\"\"s\"\"}",
            "the metric groups by region,size",
        ),
        ("region", "eu", "is no JSON object"),
        ("", "{\"\"region\"\":\"\"eu\"\"}", "its product has no metric with group_fields"),
    ] {
        let sample = calls();
        sample.replace("data/price.csv", "per_unit", "matrix");
        sample.write("data/metric.csv", &format!("product_id,group_fields\np,{fields}\n"));
        sample.write("data/price_matrix.csv", &format!("price_id,group_key,unit_amount\np1,\"{group}\",5\n"));
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1);
        assert!(said.contains("check `group_key` found 1 row") && said.contains(mistake), "{said}");
    }
}

#[test]
fn a_cycle_that_is_none_is_no_interim_cycle() {
    let sample = calls();
    sample.write("data/interim_cycle.csv", "contract_item_id,cycle_start\ni,2026-06-02T00:00:00Z\n");
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(said.contains("check `interim_cycle_start` found 1 row"), "{said}");
    sample.replace("data/interim_cycle.csv", "06-02", "06-01");
    sample.ok(&["run"]);
}
