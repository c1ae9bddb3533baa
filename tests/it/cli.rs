//! Each command as a person sees it: exit status, data on stdout, everything else on stderr.

use insta::assert_snapshot;

use crate::sample::{Sample, said};

#[test]
fn a_project_without_mistakes() {
    let sample = Sample::empty();
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    263 queries plan, 102 tables have contracts
    next: meterhouse run
    "#);
}

#[test]
fn a_run_and_what_it_says_again() {
    let sample = Sample::new();
    assert_snapshot!(said(&sample, &["status"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    nothing was published yet
    next: meterhouse run
    "#);
    assert_snapshot!(said(&sample, &["run", "--format", "table"], ""), @r#"
    exit 0
    ----- stdout
    what the customers owe, by billing period and currency
     billing_period  currency  lines  customers   amount
    ─────────────────────────────────────────────────────
     2026-09         EUR           5          1   336.58
     2026-09         JPY           2          1    20000
     2026-09         USD           3          1  1022.25
     2026-10         EUR           6          1   459.45
     2026-10         JPY           1          1    20098
     2026-10         USD           2          1   132.87
     2026-11         EUR           2          1       98
     2026-11         JPY           1          1    20000
     2026-11         USD           2          1     5.37
     2026-12         USD           1          1      900

    the customers who owe most in each currency, in all periods
     currency  customer_id  customer_name                lines   amount
    ────────────────────────────────────────────────────────────────────
     EUR       ALPEN        Alpenblick Car Sharing GmbH     13   894.03
     JPY       KANJI        Kanji Translations KK            4    60098
     USD       BYTE         Byteworks Inc.                   8  2060.49

    where every received record is
     place      records
    ────────────────────
     received       224
     duplicate        2
     filtered         1
     rejected         2
     suspended        3
     guided         216

    what waits to be guided or rated, by reason
     suspense_reason                  usage_type    product_id  unit  contracts  records  quantity
    ───────────────────────────────────────────────────────────────────────────────────────────────
     identifier not assigned          CarRentUsage                            0        1         0
     no contract item for usage type  video_call                call          1        1         3
     no number in distance            CarRentUsage  driven_km                 1        1         0

    records that came again and said something else; the first counts
     source  usage_type    records  one_of_them
    ────────────────────────────────────────────
     usage   CarRentUsage        1  TR000046

    ----- stderr
    data/usage/api_2026.csv: 124 received, 0 rejected
    data/usage/car_rent_2026-09.ndjson: 40 received, 0 rejected
    data/usage/car_rent_2026-10.ndjson: 46 received, 2 rejected
      1: `distance` is not a number (first in line 43)
      1: `usage_end` is before `usage_start` (first in line 44)
    data/usage/translation_2026.json: 14 received, 0 rejected
    rebuild booked_landing: 0 rows ([seconds])
    rebuild landing_hold: 0 rows ([seconds])
    rebuild record_tier: 0 rows ([seconds])
    rebuild session_rate: 0 rows ([seconds])
    rebuild open_landing: 4 rows ([seconds])
    rebuild billing_cycle: 14 rows ([seconds])
    rebuild open_record: 0 rows ([seconds])
    rebuild usage_exclusion: 0 rows ([seconds])
    rebuild priced_cycle: 28 rows ([seconds])
    rebuild booked_twin: 0 rows ([seconds])
    rebuild twin_record: 4 rows ([seconds])
    rebuild usage_duplicate: 2 rows ([seconds])
    rebuild usage_filtered: 1 rows ([seconds])
    rebuild usage_part: 0 rows ([seconds])
    rebuild usage_tag: 0 rows ([seconds])
    rebuild guiding: 257 rows ([seconds])
    rebuild late_record: 0 rows ([seconds])
    rebuild late_usage: 0 rows ([seconds])
    rebuild period_change: 0 rows ([seconds])
    rebuild price_part: 0 rows ([seconds])
    rebuild correction_line: 0 rows ([seconds])
    rebuild suspense: 3 rows ([seconds])
    rebuild guided_total: 10 rows ([seconds])
    rebuild grant_event: 0 rows ([seconds])
    rebuild item_total: 15 rows ([seconds])
    rebuild place_total: 10 rows ([seconds])
    rebuild record_detail: 0 rows ([seconds])
    rebuild control_total: 17 rows ([seconds])
    rebuild grant_balance: 0 rows ([seconds])
    rebuild level_event: 0 rows ([seconds])
    rebuild record_charge: 0 rows ([seconds])
    rebuild level_change: 0 rows ([seconds])
    rebuild measured_usage: 0 rows ([seconds])
    rebuild metered_usage: 28 rows ([seconds])
    rebuild quota_use: 6 rows ([seconds])
    rebuild entitlement_status: 6 rows ([seconds])
    rebuild billable_usage: 28 rows ([seconds])
    rebuild priced_quantity: 28 rows ([seconds])
    rebuild charge: 30 rows ([seconds])
    rebuild item_line: 23 rows ([seconds])
    rebuild price_minimum: 0 rows ([seconds])
    rebuild minimum_line: 2 rows ([seconds])
    rebuild credit_balance: 0 rows ([seconds])
    rebuild invoice_line: 25 rows ([seconds])
    rebuild grouped_line: 0 rows ([seconds])
    rebuild line_total: 10 rows ([seconds])
    rebuild period_total: 20 rows ([seconds])
    published as run 1: 82 tables made, 0 up to date, 25 checks held ([seconds])
    next: meterhouse sql "select line_id, description, amount, currency from invoice_line"
    "#);
    assert_snapshot!(said(&sample, &["run"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    nothing to do: all 82 tables are up to date ([seconds])
    next: meterhouse status
    "#);
    assert_snapshot!(said(&sample, &["status", "--format", "table"], ""), @r#"
    exit 0
    ----- stdout
    every billing period, its state and its money
     billing_period  state  contracts  lines  currency   amount
    ────────────────────────────────────────────────────────────
     2026-09         due            2      5  EUR        336.58
     2026-09         due            1      2  JPY         20000
     2026-09         due            2      3  USD       1022.25
     2026-10         due            2      6  EUR        459.45
     2026-10         due            1      1  JPY         20098
     2026-10         due            1      2  USD        132.87
     2026-11         open           2      2  EUR            98
     2026-11         open           1      1  JPY         20000
     2026-11         open           1      2  USD          5.37
     2026-12         open           1      1  USD           900

    files of which records could not be read, the newest first
     landing_id  file_name                           records  first_line  first_reason
    ──────────────────────────────────────────────────────────────────────────────────────────────────────
              3  data/usage/car_rent_2026-10.ndjson        2          43  `distance` 12,5 is not a number

    what waits to be guided or rated, since when, and its usual price
     suspense_reason                  usage_type    records  quantity  unit  first_landing  oldest_days  at_risk  currency
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     identifier not assigned          CarRentUsage        1         0                    3           11     5.09  EUR
     no contract item for usage type  video_call          1         3  call              1           25
     no number in distance            CarRentUsage        1         0                    3           10     5.09  EUR

    ----- stderr
    last run 1, as of 2026-11-01T12:00:00Z
    next: meterhouse close --period 2026-09
    "#);
}

#[test]
fn rows_in_each_format() {
    let sample = Sample::empty();
    sample.ok(&["run"]);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3", "--format", "table"], ""), @r#"
    exit 0
    ----- stdout
     price_id          unit_amount  flat_amount
    ────────────────────────────────────────────
     api_call-2026
     driven_km-2026           0.29
     driven_km-autumn         0.31
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3", "--format", "json"], ""), @r#"
    exit 0
    ----- stdout
    {"schema_version":1,"rows":[
    {"price_id":"api_call-2026","unit_amount":null,"flat_amount":null},
    {"price_id":"driven_km-2026","unit_amount":"0.29","flat_amount":null},
    {"price_id":"driven_km-autumn","unit_amount":"0.31","flat_amount":null}
    ]}
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3", "--format", "ndjson"], ""), @r#"
    exit 0
    ----- stdout
    {"price_id":"api_call-2026","unit_amount":null,"flat_amount":null}
    {"price_id":"driven_km-2026","unit_amount":"0.29","flat_amount":null}
    {"price_id":"driven_km-autumn","unit_amount":"0.31","flat_amount":null}
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3", "--format", "csv"], ""), @r#"
    exit 0
    ----- stdout
    price_id,unit_amount,flat_amount
    api_call-2026,,
    driven_km-2026,0.29,
    driven_km-autumn,0.31,
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3", "--format", "markdown"], ""), @r#"
    exit 0
    ----- stdout
    | price_id         | unit_amount | flat_amount |
    |------------------|-------------|-------------|
    | api_call-2026    |             |             |
    | driven_km-2026   |        0.29 |             |
    | driven_km-autumn |        0.31 |             |
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "select price.price_id, price.unit_amount, price.flat_amount from price order by price.price_id limit 3"], ""), @r#"
    exit 0
    ----- stdout
    price_id,unit_amount,flat_amount
    api_call-2026,,
    driven_km-2026,0.29,
    driven_km-autumn,0.31,
    ----- stderr
    "#);
}

#[test]
fn a_query_from_standard_input_or_a_file() {
    let sample = Sample::empty();
    sample.write("query.sql", "select 1 as one\n");
    assert_snapshot!(said(&sample, &["sql", "-"], "select 2 as two"), @r#"
    exit 0
    ----- stdout
    two
    2
    ----- stderr
    "#);
    assert_snapshot!(said(&sample, &["sql", "-f", "query.sql"], ""), @r#"
    exit 0
    ----- stdout
    one
    1
    ----- stderr
    "#);
}

#[test]
fn a_table_and_a_view_are_described() {
    let sample = Sample::empty();
    assert_snapshot!(said(&sample, &["describe", "currency"], ""), @r#"
    exit 0
    ----- stdout
    column,type,null,references,comment
    currency,varchar,not null,,ISO 4217 code
    decimals,integer,not null,,minor units: digits behind the point
    rounding,varchar,not null,,half_up or half_even
    rounding_level,varchar,not null,,"line: an invoice is the sum of its rounded lines; invoice: it has one more line, which makes it the exact sum, rounded once"
    ----- stderr
    made by data/currency.csv
    "#);
    assert_snapshot!(said(&sample, &["describe", "customer_total", "--format", "markdown"], ""), @r#"
    exit 0
    ----- stdout
    | column         | type            | null | references | comment                                     |
    |----------------|-----------------|------|------------|---------------------------------------------|
    | customer_id    | varchar         |      |            | key in the invoicing system                 |
    | customer_name  | varchar         |      |            | as on the invoice                           |
    | billing_period | varchar         |      |            | the month it is billed in                   |
    | currency       | varchar         |      |            | ISO 4217 code                               |
    | line_count     | bigint          |      |            |                                             |
    | amount         | decimal(38, 12) |      |            | rounded as its currency declares [currency] |
    ----- stderr
    made by queries/8_invoice/customer_total.sql
    "#);
    assert_snapshot!(said(&sample, &["describe", "curency"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: there is no table or view `curency`
    hint: did you mean `currency`?
    "#);
}

#[test]
fn sql_only_reads() {
    let sample = Sample::empty();
    sample.ok(&["run"]);
    assert_snapshot!(said(&sample, &["sql", "drop table price"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a query only reads, it does not `drop`
     --> query:1:1
      |
    1 | drop table price
      | ^^^^
    hint: prices and contracts change in data/, rules in queries/; usage is landed, or voided
    "#);
    assert_snapshot!(said(&sample, &["sql", "insert into currency values ('CHF', 2, 'half_up')"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a query only reads, it does not `insert`
     --> query:1:1
      |
    1 | insert into currency values ('CHF', 2, 'half_up')
      | ^^^^^^
    hint: prices and contracts change in data/, rules in queries/; usage is landed, or voided
    "#);
    assert_snapshot!(said(&sample, &["sql", "create table x (a int)"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a query only reads, it does not `create`
     --> query:1:1
      |
    1 | create table x (a int)
      | ^^^^^^
    hint: prices and contracts change in data/, rules in queries/; usage is landed, or voided
    "#);
    assert_snapshot!(said(&sample, &["sql", "delete from price"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a query only reads, it does not `delete`
     --> query:1:1
      |
    1 | delete from price
      | ^^^^^^
    hint: prices and contracts change in data/, rules in queries/; usage is landed, or voided
    "#);
    assert_snapshot!(said(&sample, &["sql", "copy (select 1) to 'x.csv'"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: a query only reads, it does not `copy`
     --> query:1:1
      |
    1 | copy (select 1) to 'x.csv'
      | ^^^^
    hint: prices and contracts change in data/, rules in queries/; usage is landed, or voided
    "#);
    assert_snapshot!(said(&sample, &["sql", "select nope from price"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: column 'nope' not found
     --> query:1:8
      |
    1 | select nope from price
      |        ^^^^
    "#);
    assert_snapshot!(said(&sample, &["sql", "select count(*) as prices from price"], ""), @r#"
    exit 0
    ----- stdout
    prices
    8
    ----- stderr
    "#);
}

#[test]
fn a_wrong_command_line() {
    let sample = Sample::empty();
    assert_snapshot!(said(&sample, &["sql"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: no query was given
    hint: meterhouse sql "select ...", or -f FILE, or - for standard input
    "#);
    assert_snapshot!(said(&sample, &["run", "--period", "2026-13"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: `2026-13` is not a billing period
    hint: write year and month, such as 2026-10
    "#);
    for (setting, text) in [
        ("serve.log=loud", "in --set or METERHOUSE_*: serve.log: unknown variant `loud`"),
        ("events.hand_over=x", "in --set or METERHOUSE_*: events.hand_over: unknown variant `x`"),
        ("engine.threads=many", "in --set or METERHOUSE_*: engine.threads: invalid type"),
        ("engine.update_percent=101", "engine.update_percent = 101 is more than all rows"),
    ] {
        let told = said(&sample, &["check", "--set", setting], "");
        assert!(told.contains(text), "{told}");
    }
    assert_snapshot!(said(&sample, &["check", "--set", "timezone=UTC"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: in --set or METERHOUSE_*: unknown field `timezone`, expected one of `extends`, `time_zone`, `warehouse`, `inbox`, `source`, `reference`, `close`, `engine`, `serve`, `events`, `webhooks`, `jobs`
    hint: did you mean `time_zone`?
    "#);
    assert_snapshot!(said(&sample, &["land", "missing.ndjson"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: there is no file missing.ndjson
    hint: give a file, or - for standard input
    "#);
    assert_snapshot!(said(&sample, &["land", "--with", "nope", "x.csv"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: there is no queries/landing/nope.sql
    hint: there are: cloudevents
    "#);
    assert_snapshot!(said(&sample, &["frobnicate"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: unrecognized subcommand 'frobnicate'

    Usage: meterhouse [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
}

#[test]
fn a_period_that_is_none_is_not_made() {
    let sample = Sample::new();
    assert_snapshot!(said(&sample, &["run", "-q", "--period", "2031-01"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is no billing period 2031-01; nothing was published
    hint: there are 2026-09 to 2026-12, as of 2026-11-01T12:00:00Z; `meterhouse status` shows them
    "#);
    let (_, said) = sample.fails(&["export", "--period", "2026-10"]);
    assert!(said.contains("nothing was published yet"), "{said}");
}

#[test]
fn help_begins_with_what_may_be_typed() {
    let sample = Sample::empty();
    let help = sample.ok(&["--help"]);
    assert!(help.starts_with("Examples:\n  meterhouse "), "{help}");
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    // What goes on in a second line is set in further.
    let commands = commands.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = sample.ok(&[command, "--help"]);
        assert!(help.starts_with("Examples:\n  meterhouse "), "{command}: {help}");
    }
    let (status, said) = sample.fails(&["statu"]);
    assert!(status == 2 && said.contains("'status'"), "{said}");
    let (status, said) = sample.fails(&["run", "--perod", "2026-10"]);
    assert!(status == 2 && said.contains("'--period'"), "{said}");
}
