//! Every mistake in reference data and in the rows that queries make: what, where, what next.

use insta::assert_snapshot;

use crate::names::calls;
use crate::sample::{Sample, said};

#[test]
fn a_reference_line_that_does_not_fit() {
    let sample = Sample::empty();
    sample.replace("data/price.csv", "0.29,,arrears", "0.2x9,,arrears");
    sample.replace("data/currency.csv", "EUR,2,half_up", "EUR,2");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: has 2 fields, the header has 3
     --> data/currency.csv:2:6
      |
    2 | EUR,2
      |      ^
    hint: schemas/currency.sql has currency, decimals, rounding, rounding_level
    error: `unit_amount` 0.2x9 is not a number
     --> data/price.csv:3:35
      |
    3 | driven_km-2026,driven_km,per_unit,0.2x9,,arrears,none,2026-01-01,2026-10-15
      |                                   ^^^^^
    hint: schemas/price.sql has price_id, product_id, charge_model, unit_amount, flat_amount, record_maximum, billing_timing, proration, fixed_days, valid_from, valid_to
    error: 2 mistakes in the project
    "#);
}

#[test]
fn a_header_that_does_not_fit_its_table() {
    let sample = Sample::empty();
    sample.replace("data/price.csv", "unit_amount,", "unit_amuont,");
    sample.replace("data/currency.csv", "currency,decimals,rounding", "currency,colour,rounding");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `colour` is not a column of `currency`
     --> data/currency.csv:1:10
      |
    1 | currency,colour,rounding
      |          ^^^^^^
    hint: schemas/currency.sql has currency, decimals, rounding, rounding_level
    error: the header has no `decimals`
     --> data/currency.csv:1:25
      |
    1 | currency,colour,rounding
      |                         ^
    hint: schemas/currency.sql has currency, decimals, rounding, rounding_level
    error: `unit_amuont` is not a column of `price`
     --> data/price.csv:1:34
      |
    1 | price_id,product_id,charge_model,unit_amuont,flat_amount,billing_timing,proration,valid_from,valid_to
      |                                  ^^^^^^^^^^^
    hint: did you mean `unit_amount`?
    error: 3 mistakes in the project
    "#);
}

#[test]
fn a_null_in_a_reference_line() {
    let sample = Sample::empty();
    sample.replace("data/currency.csv", "EUR,2,half_up", "EUR,2,");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `rounding` is missing
     --> data/currency.csv:2:7
      |
    2 | EUR,2,
      |       ^
    hint: schemas/currency.sql has currency, decimals, rounding, rounding_level
    "#);
}

#[test]
fn a_reference_line_that_breaks_a_check() {
    let sample = Sample::empty();
    sample.replace("data/currency.csv", "EUR,2,half_up", "EUR,20,half_up");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `decimals` 20 breaks CHECK (decimals BETWEEN 0 AND 12)
     --> data/currency.csv:2:5
      |
    2 | EUR,20,half_up
      |     ^^
    hint: declared at schemas/currency.sql:8:12
    "#);
}

#[test]
fn a_reference_key_that_is_there_twice() {
    let sample = Sample::empty();
    sample.replace("data/currency.csv", "USD,2,half_even", "USD,2,half_even\nEUR,2,half_up");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `currency` EUR is the key of another row of `currency`
     --> data/currency.csv:4:1
      |
    4 | EUR,2,half_up
      | ^^^
    hint: the other one is at data/currency.csv:2; keep one of them
    "#);
}

#[test]
fn a_missing_reference_file() {
    let sample = Sample::empty();
    std::fs::remove_file(sample.path().join("data/currency.csv")).unwrap();
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `currency` EUR names no row of `currency`
     --> data/contract.csv:2:14
      |
    2 | CON123,ALPEN,EUR,Europe/Berlin,month,,PO-4711,,VAT-STANDARD,4400,2026-09-01,
      |              ^^^
    hint: it has no rows: write data/currency.csv
    error: `currency` EUR names no row of `currency`
     --> data/contract.csv:3:14
      |
    3 | CON124,ALPEN,EUR,Europe/Berlin,month,,PO-4712,,VAT-STANDARD,4400,2026-09-01,
      |              ^^^
    hint: it has no rows: write data/currency.csv
    error: `currency` USD names no row of `currency`
     --> data/contract.csv:4:15
      |
    4 | BYTE-API,BYTE,USD,America/New_York,month,2026-08-31,,,US-SAAS,4410,2026-08-31T00:00:00-04:00,
      |               ^^^
    hint: it has no rows: write data/currency.csv
    error: `currency` USD names no row of `currency`
     --> data/contract.csv:5:19
      |
    5 | BYTE-SUPPORT,BYTE,USD,America/New_York,quarter,,,,US-SERVICE,4420,2026-07-01T00:00:00-04:00,
      |                   ^^^
    hint: it has no rows: write data/currency.csv
    error: `currency` JPY names no row of `currency`
     --> data/contract.csv:6:15
      |
    6 | KANJI-1,KANJI,JPY,Asia/Tokyo,month,,KJ-2026-88,TRANSLATION,JCT-10,4430,2026-09-01T00:00:00+09:00,
      |               ^^^
    hint: it has no rows: write data/currency.csv
    error: 5 mistakes in the project
    "#);
}

#[test]
fn a_null_that_a_query_yields() {
    let sample = Sample::empty();
    sample.write("schemas/extra.sql", "create table extra (\n    price_id varchar not null,\n    amount decimal(38, 12) not null,\n    primary key (price_id)\n);\n");
    sample.write("queries/99_extra.sql", "select\n    price.price_id,\n    price.flat_amount as amount\nfrom price\nwhere price.price_id = 'driven_km-2026'\n");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `amount` is null in a row of `extra`
     --> schemas/extra.sql:3:5
      |
    3 |     amount decimal(38, 12) not null,
      |     ^^^^^^
    hint: the row is: price_id driven_km-2026, amount null
    "#);
}

#[test]
fn a_row_that_breaks_a_check() {
    let sample = Sample::empty();
    sample.write("schemas/extra.sql", "create table extra (\n    price_id varchar not null,\n    amount decimal(38, 12),\n    check (amount < 1),\n    primary key (price_id)\n);\n");
    sample.write(
        "queries/99_extra.sql",
        "select\n    price.price_id,\n    price.flat_amount as amount\nfrom price\n",
    );
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a row of `extra` breaks CHECK (amount < 1)
     --> schemas/extra.sql:4:12
      |
    4 |     check (amount < 1),
      |            ^^^^^^
    hint: the row is: price_id fleet_fee-2026, amount 49
    "#);
}

#[test]
fn a_key_that_a_query_yields_twice() {
    let sample = Sample::empty();
    sample.write(
        "schemas/extra.sql",
        "create table extra (\n    product_id varchar not null,\n    primary key (product_id)\n);\n",
    );
    sample.write("queries/99_extra.sql", "select\n    price.product_id\nfrom price\n");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `extra` has rows with the same key (product_id)
    +------------+------+
    | product_id | rows |
    +------------+------+
    | driven_km  | 2    |
    +------------+------+
      --> schemas/extra.sql
    hint: what was published before is unchanged; a join in the query finds two rows for one
    "#);
}

#[test]
fn two_prices_in_force_at_one_instant() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let before = (sample.ok(&["status"]), sample.rows("select invoice_line.line_id, invoice_line.amount from invoice_line order by invoice_line.line_id"));
    sample.replace("data/price.csv", "2026-01-01,2026-10-15", "2026-01-01,2026-10-16");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    data/usage/api_2026.csv: landed before, as landing 1
    data/usage/car_rent_2026-09.ndjson: landed before, as landing 2
    data/usage/car_rent_2026-10.ndjson: landed before, as landing 3
    data/usage/translation_2026.json: landed before, as landing 4
    error: nothing was published: check `price_overlap` found 1 row
    +------------+----------------+------------------+----------------------+
    | product_id | price_id       | other_price_id   | both_in_force_from   |
    +------------+----------------+------------------+----------------------+
    | driven_km  | driven_km-2026 | driven_km-autumn | 2026-10-14T22:00:00Z |
    +------------+----------------+------------------+----------------------+
      --> queries/checks/price_overlap.sql
    hint: mend what the rows show and run again; what was published before is unchanged
    "#);
    let after = (
        sample.ok(&["status"]),
        sample.rows("select invoice_line.line_id, invoice_line.amount from invoice_line order by invoice_line.line_id"),
    );
    assert_eq!(after, before);
    sample.replace("data/price.csv", "2026-01-01,2026-10-16", "2026-01-01,2026-10-15");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    nothing to do: all 82 tables are up to date ([seconds])
    next: meterhouse status
    "#);
}

#[test]
fn accounts_of_grants_that_cannot_be_burnt() {
    let sample = Sample::new();
    sample.write(
        "data/grant_account.csv",
        "contract_id,quota_id,quota_scope,currency,opened_at\n\
         CON123,prepaid,contract,EUR,2026-09-01\n\
         CON124,gift,customer,EUR,2026-09-01\n\
         BYTE-API,dollars,contract,EUR,2026-09-01\n",
    );
    sample.write(
        "data/quota_grant.csv",
        "grant_id,contract_id,quota_id,amount,effective_at\nfirst,CON123,prepaid,10.005,2026-09-01\n",
    );
    let (_, message) = sample.fails(&["run"]);
    for row in [
        "| BYTE-API    | dollars  | the contract pays in USD                    |",
        "| CON123      | prepaid  | grant first is not in minor units           |",
        "| CON123      | prepaid  | gift of contract CON124 pays the same lines |",
    ] {
        assert!(message.contains(row), "{message}");
    }
    sample.write(
        "data/quota_grant.csv",
        "grant_id,contract_id,quota_id,amount,effective_at\nfirst,CON123,unknown,10,2026-09-01\n",
    );
    let (_, message) = sample.fails(&["run"]);
    assert!(
        message.contains("`contract_id` CON123 with `quota_id` unknown names no row of `grant_account`"),
        "{message}"
    );
}

/// What a run says of the project, without the files that it landed.
fn without_landing(said: &str) -> String {
    said.lines().filter(|line| !line.contains(" received, ")).map(|line| format!("{line}\n")).collect()
}

/// Credits, minimum fees and the minimum of a price have lines too: a price with such an id could give another line the
/// same one.
#[test]
fn a_price_whose_line_could_have_the_id_of_another() {
    for id in ["credit", "minimum_fee", "p1/minimum"] {
        let sample = calls();
        sample.replace("data/price.csv", "\np1,", &format!("\n{id},"));
        let (status, said) = sample.fails(&["run"]);
        assert!(status == 1 && said.contains(&format!("`price_id` {id} breaks CHECK")), "{said}");
    }
    let sample = calls();
    sample.replace("data/price.csv", "\np1,", "\ncredits/2026,");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select line_id from invoice_line"), ["i/2026-06-01T00:00/credits/2026"]);
}

/// What breaks a CHECK hides no name that names nothing, and a line that cannot be read no mistake of another table.
#[test]
fn mistakes_of_all_kinds_are_told_at_once() {
    let sample = calls();
    sample.write("data/price_modifier.csv", "price_id,discount_percent\np1,-5\np2,50\n");
    sample.write("data/late_policy.csv", "usage_type,policy\ncalls,suspend\n");
    sample.write("data/quota.csv", "quota_id,included_quantity,valid_from\nq,many,2026-06-01\n");
    sample.replace("data/contract_item.csv", "quantity,,suspend", "quantity,q,suspend");
    let said = |command| sample.fails(&[command]);
    assert_eq!(said("check").1, without_landing(&said("run").1));
    let (status, said) = said("check");
    assert_eq!(status, 1);
    for told in [
        "`discount_percent` -5 breaks CHECK",
        "`price_id` p2 names no row of `price`",
        "`usage_type` calls names no row of `contract_item`",
        "--> data/quota.csv:2:3",
        "error: 4 mistakes in the project",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    // Its one row could not be read, so nobody knows whether it is meant.
    assert!(!said.contains("names no row of `quota`"), "{said}");
}

/// Where several columns name a row, one of another owner is not what is meant.
#[test]
fn a_row_of_another_price_is_not_suggested() {
    let sample = calls();
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,graduated,,2026-01-01\np2,q,capacity,,2026-01-01\n",
    );
    sample.write("data/price_tier.csv", "price_id,tier_number,flat_amount\np1,1,5\np1,2,6\n");
    for (row, hint) in [
        ("p2,1", "hint: no row of it has `price_id` p2\n"),
        ("p1,3", "hint: did you mean `p1 with 2`?\n"),
        ("pl,1", "hint: did you mean `p1 with 1`?\n"),
    ] {
        sample.write(
            "data/capacity_limit.csv",
            &format!("price_id,tier_number,group_key,quantity_to\n{row},{{}},2\n"),
        );
        let (_, said) = sample.fails(&["check"]);
        assert!(said.contains("names no row of `price_tier`") && said.contains(hint), "{row}: {said}");
    }
}
