//! Files of reference data: every line that breaks the contract is told, and so is a file that nobody reads.

use insta::assert_snapshot;

use crate::names::calls;
use crate::sample::{Sample, said};

#[test]
fn every_line_that_breaks_a_check_is_told() {
    let sample = Sample::empty();
    sample.replace("data/currency.csv", "EUR,2,half_up", "EUR,20,half_down");
    sample.replace("data/currency.csv", "USD,2,half_even", "USD,-1,half_even\nCHF,2");
    sample.replace("data/quota.csv", "2026-01-01,\n", "2026-01-01,2025-01-01\n");
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `decimals` 20 breaks CHECK (decimals BETWEEN 0 AND 12)
     --> data/currency.csv:2:5
      |
    2 | EUR,20,half_down
      |     ^^
    hint: declared at schemas/currency.sql:8:12
    error: `rounding` half_down breaks CHECK (rounding IN ('half_up', 'half_even'))
     --> data/currency.csv:2:8
      |
    2 | EUR,20,half_down
      |        ^^^^^^^^^
    hint: declared at schemas/currency.sql:9:12
    error: `decimals` -1 breaks CHECK (decimals BETWEEN 0 AND 12)
     --> data/currency.csv:3:5
      |
    3 | USD,-1,half_even
      |     ^^
    hint: declared at schemas/currency.sql:8:12
    error: has 2 fields, the header has 3
     --> data/currency.csv:4:6
      |
    4 | CHF,2
      |      ^
    hint: schemas/currency.sql has currency, decimals, rounding, rounding_level
    error: `valid_to` 2024-12-31T23:00:00Z, `valid_from` 2025-12-31T23:00:00Z breaks CHECK (valid_to > valid_from)
     --> data/quota.csv:2:31
      |
    2 | fleet_km,1500,none,2026-01-01,2025-01-01
      |                               ^^^^^^^^^^
    hint: declared at schemas/quota.sql:14:12
    error: 5 mistakes in the project
    "#);
    assert_eq!(said(&sample, &["run"], ""), said(&sample, &["check"], ""));
}

#[test]
fn a_check_on_a_column_that_the_header_leaves_out() {
    let sample = calls();
    sample.write("data/price.csv", "price_id,product_id,charge_model,valid_from\np1,p,per_unit,2026-01-01\n");
    let (status, said) = sample.fails(&["check"]);
    assert_eq!(status, 1);
    assert!(
        said.starts_with("error: `charge_model` per_unit, `unit_amount` (empty) breaks CHECK ("),
        "{said}"
    );
    assert!(said.contains("--> data/price.csv:2:6"), "{said}");
}

#[test]
fn keys_that_are_there_twice_in_one_file_or_two() {
    let sample = Sample::empty();
    sample.replace("data/currency.csv", "USD,2,half_even", "USD,2,half_even\nEUR,2,half_up");
    sample.write("data/more/currency.csv", "rounding,currency,decimals\nhalf_up,CHF,2\nhalf_up,USD,2\n");
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
    error: `currency` USD is the key of another row of `currency`
     --> data/more/currency.csv:3:9
      |
    3 | half_up,USD,2
      |         ^^^
    hint: the other one is at data/currency.csv:3; keep one of them
    error: 2 mistakes in the project
    "#);
}

/// The rows of each zone are read apart, and told at their own lines.
#[test]
fn lines_of_several_time_zones_keep_their_places() {
    let sample = Sample::empty();
    sample.replace("data/contract.csv", "America/New_York", "America/NewYork");
    sample.replace("data/contract.csv", "2026-09-01,\n", "2026-09-01,2026-08-01\n");
    let (status, said) = sample.fails(&["check"]);
    assert_eq!(status, 1);
    assert_snapshot!(said, @r#"
    error: `valid_to` 2026-07-31T22:00:00Z, `valid_from` 2026-08-31T22:00:00Z breaks CHECK (valid_to > valid_from)
     --> data/contract.csv:2:77
      |
    2 | CON123,ALPEN,EUR,Europe/Berlin,month,,PO-4711,,VAT-STANDARD,4400,2026-09-01,2026-08-01
      |                                                                             ^^^^^^^^^^
    hint: declared at schemas/contract.sql:23:12
    error: `valid_to` 2026-07-31T22:00:00Z, `valid_from` 2026-08-31T22:00:00Z breaks CHECK (valid_to > valid_from)
     --> data/contract.csv:3:77
      |
    3 | CON124,ALPEN,EUR,Europe/Berlin,month,,PO-4712,,VAT-STANDARD,4400,2026-09-01,2026-08-01
      |                                                                             ^^^^^^^^^^
    hint: declared at schemas/contract.sql:23:12
    error: `time_zone` America/NewYork is not a time zone
     --> data/contract.csv:4:19
      |
    4 | BYTE-API,BYTE,USD,America/NewYork,month,2026-08-31,,,US-SAAS,4410,2026-08-31T00:00:00-04:00,
      |                   ^^^^^^^^^^^^^^^
    hint: did you mean `America/New_York`?
    error: `time_zone` America/NewYork is not a time zone
     --> data/contract.csv:5:23
      |
    5 | BYTE-SUPPORT,BYTE,USD,America/NewYork,quarter,,,,US-SERVICE,4420,2026-07-01T00:00:00-04:00,
      |                       ^^^^^^^^^^^^^^^
    hint: did you mean `America/New_York`?
    error: 4 mistakes in the project
    "#);
}

#[test]
fn a_header_is_checked_without_rows() {
    for (table, text, what) in [
        (
            "quota",
            "nonsense header without rows\n",
            "`nonsense header without rows` is not a column of `quota`",
        ),
        ("quota", "quota_id;included\n", "`included` is not a column of `quota`"),
        ("quota", "quota_id,included_quantity,valid_from,quotaId\n", "the header has `quotaId` twice"),
        ("price_modifier", "price_id,discount_pct", "`discount_pct` is not a column of `price_modifier`"),
        ("price_modifier", "discount_percent\n", "the header has no `price_id`"),
        ("price_modifier", "\n\n", "the file is empty"),
    ] {
        let sample = calls();
        sample.write(&format!("data/{table}.csv"), text);
        let (status, said) = sample.fails(&["run"]);
        assert_eq!(status, 1);
        assert!(said.contains(&format!("error: {what}\n")), "{said}");
    }
}

/// A header with a carriage return in it is none: the lines count, or they are refused.
#[test]
fn lines_that_end_with_a_carriage_return_are_not_lost() {
    let sample = calls();
    sample.write("data/price_modifier.csv", "price_id,discount_percent\rp1,50\r");
    if sample.meterhouse(&["run"]).status.success() {
        assert_eq!(sample.rows("select amount from invoice_line"), ["1.50"]);
    }
}

#[test]
fn a_file_that_nobody_reads_is_told() {
    let sample = calls();
    sample.write("data/price_modifer.csv", "price_id,discount_percent\np1,50\n");
    sample.write("data/2026/pirce.csv", "price_id\n");
    sample.write("data/2026/july/price.csv", "price_id\n");
    sample.write("data/quota.xlsx", "PK");
    sample.write("data/landing.csv", "landing_id\n");
    sample.write("data/notes.txt", "not reference data");
    sample.write("data/charge.csv", "price_id\n");
    sample.write("data/prices and more.csv", "price_id\n");
    sample.write(
        "meterhouse.toml",
        &format!("{}\n[reference]\nprise = \"prices.csv\"\n", sample.read("meterhouse.toml")),
    );
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: the file is read by nothing: reference data is CSV, in data/ or a folder of it
      --> data/2026/july/price.csv
    hint: write data/price.csv, or name the file under [reference] in meterhouse.toml
    error: the file is read by nothing: there is no reference table `pirce`
      --> data/2026/pirce.csv
    hint: did you mean price.csv?
    error: the file is read by nothing: `charge` is made by queries/7_rating/charge.sql
      --> data/charge.csv
    hint: keep one of the two: what makes `charge` is the query or the file
    error: the file is read by nothing: `landing` is written by the program
      --> data/landing.csv
    hint: usage is taken in by `meterhouse land`, or by an [inbox]
    error: the file is read by nothing: there is no reference table `price_modifer`
      --> data/price_modifer.csv
    hint: did you mean price_modifier.csv?
    error: the file is read by nothing: there is no reference table `prices and more`
      --> data/prices and more.csv
    hint: reference data is named after its table; usage belongs into an [inbox] of meterhouse.toml
    error: the file is read by nothing: reference data is CSV, in data/ or a folder of it
      --> data/quota.xlsx
    hint: write data/quota.csv, or name the file under [reference] in meterhouse.toml
    error: there is no reference table `prise`
      --> meterhouse.toml:17:9
       |
    17 | prise = "prices.csv"
       |         ^
    hint: did you mean `price`?
    error: 8 mistakes in the project
    "#);
    let (status, _) = sample.fails(&["run"]);
    assert_eq!(status, 1);
}

#[test]
fn a_table_needs_no_file_unless_it_had_one() {
    let sample = calls();
    for file in ["quota", "price_modifier", "minimum_fee", "holiday"] {
        let _ = std::fs::remove_file(sample.path().join(format!("data/{file}.csv")));
    }
    sample.write("data/price_modifier.csv", "price_id,discount_percent\np1,50\n");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select amount from invoice_line"), ["1.50"]);
    std::fs::remove_file(sample.path().join("data/price_modifier.csv")).unwrap();
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    data/usage/usage.ndjson: landed before, as landing 1
    error: the file is gone; the last run read rows from it
      --> data/price_modifier.csv
    hint: bring it back; if the rows are to go, write it with nothing but the header price_id,convert_factor,convert_divisor,convert_rounding,free_quantity,block_quantity,tiers_go_on,zero_quantity,charge_decimals,charge_rounding,discount_percent,maximum_amount,minimum_amount,minimum_proration
    "#);
    sample.write("data/price_modifier.csv", "price_id,discount_percent\n");
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select amount from invoice_line"), ["3"]);
    // It had no rows then.
    std::fs::remove_file(sample.path().join("data/price_modifier.csv")).unwrap();
    sample.ok(&["run"]);
}

#[test]
fn a_reference_setting_without_a_file_is_told() {
    let sample = calls();
    sample.write(
        "meterhouse.toml",
        &format!("{}\n[reference]\nprice = \"prices/*.csv\"\n", sample.read("meterhouse.toml")),
    );
    std::fs::remove_file(sample.path().join("data/price.csv")).unwrap();
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(said.contains("the reference table `price` has no file: there is no prices/*.csv"), "{said}");
}
