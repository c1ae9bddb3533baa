//! Every mistake in a project's SQL and settings: what, where, what next.

use insta::assert_snapshot;

use crate::sample::{Sample, said};

#[test]
fn an_unknown_table() {
    let sample = Sample::empty();
    sample.replace("queries/2_usage/usage.sql", "from usage_record", "from usage_recrod");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is no table or query `usage_recrod`
      --> queries/2_usage/usage.sql:24:6
       |
    24 | from usage_recrod
       |      ^^^^^^^^^^^^
    hint: did you mean `usage_record`?
    "#);
    assert_eq!(said(&sample, &["run"], ""), said(&sample, &["check"], ""));
}

#[test]
fn an_unknown_column() {
    let sample = Sample::empty();
    sample.write("queries/99_extra.sql", "select\n    price.price_idd\nfrom price\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: column 'price_idd' not found in 'price'
     --> queries/99_extra.sql:2:5
      |
    2 |     price.price_idd
      |     ^^^^^
    hint: possible column price.price_id; possible column price.product_id
    "#);
}

#[test]
fn a_cycle() {
    let sample = Sample::empty();
    sample.write("queries/98_a.sql", "select b.x from b\n");
    sample.write("queries/99_b.sql", "select a.x\nfrom a\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `a` reads `b`, which is made from `a`
     --> queries/98_a.sql:1:17
      |
    1 | select b.x from b
      |                 ^
    hint: break the cycle: a table cannot be made from itself
    error: `b` reads `a`, which is made from `b`
     --> queries/99_b.sql:2:6
      |
    2 | from a
      |      ^
    hint: break the cycle: a table cannot be made from itself
    error: 2 mistakes in the project
    "#);
}

#[test]
fn rows_that_do_not_fit_their_table() {
    let sample = Sample::empty();
    sample.write("schemas/extra.sql", "create table extra (\n    price_id varchar not null,\n    unit_amount decimal(38, 12),\n    missing bigint,\n    primary key (price_id)\n);\n");
    sample.write("queries/99_extra.sql", "select\n    price.price_id,\n    price.product_id as unit_amount,\n    price.valid_from\nfrom price\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: yields no column `missing`
      --> queries/99_extra.sql
    hint: declared at schemas/extra.sql:4:5
    error: yields `unit_amount` as varchar
     --> queries/99_extra.sql:3:25
      |
    3 |     price.product_id as unit_amount,
      |                         ^^^^^^^^^^^
    hint: declared as decimal(38, 12) at schemas/extra.sql:3:5
    error: yields column `valid_from`, which `extra` does not declare
     --> queries/99_extra.sql:4:11
      |
    4 |     price.valid_from
      |           ^^^^^^^^^^
    hint: schemas/extra.sql has price_id, unit_amount, missing
    error: 3 mistakes in the project
    "#);
}

#[test]
fn a_double() {
    let sample = Sample::empty();
    sample.write(
        "schemas/extra.sql",
        "create table extra (\n    price_id varchar not null,\n    unit_amount double\n);\n",
    );
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: column `unit_amount` has type DOUBLE
     --> schemas/extra.sql:3:5
      |
    3 |     unit_amount double
      |     ^^^^^^^^^^^
    hint: a floating-point number cannot hold money or quantities exactly; use decimal(38, 12)
    "#);
}

#[test]
fn functions_of_the_time_and_of_chance() {
    let sample = Sample::empty();
    sample.write(
        "queries/99_extra.sql",
        "select\n    price.price_id,\n    now() as made_at,\n    random() as dice\nfrom price\n",
    );
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `now()` gives another result at another time
     --> queries/99_extra.sql:3:5
      |
    3 |     now() as made_at,
      |     ^^^
    hint: a run is a function of its inputs; the one time it is given is $as_of
    error: `random()` gives another result at another time
     --> queries/99_extra.sql:4:5
      |
    4 |     random() as dice
      |     ^^^^^^
    hint: a run is a function of its inputs; the one time it is given is $as_of
    error: 2 mistakes in the project
    "#);
}

#[test]
fn select_star() {
    let sample = Sample::empty();
    sample.write("queries/99_extra.sql", "select\n    *\nfrom price\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `select *` hides which columns a table has
     --> queries/99_extra.sql:2:5
      |
    2 |     *
      |     ^
    hint: write the columns out; `name.*` passes on those of a CTE within the query
    "#);
}

#[test]
fn text_that_is_no_query() {
    let sample = Sample::empty();
    sample.write("queries/99_extra.sql", "select price.price_id\nform price\n");
    sample.write("schemas/extra.sql", "create tabel extra (a int);\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: expected end of statement, found `price`
     --> queries/99_extra.sql:2:6
      |
    2 | form price
      |      ^^^^^
    hint: a query file is one SELECT statement
    error: expected an object type after CREATE, found `tabel`
     --> schemas/extra.sql:1:8
      |
    1 | create tabel extra (a int);
      |        ^^^^^
    hint: a schema is one CREATE TABLE statement
    error: 2 mistakes in the project
    "#);
}

#[test]
fn text_that_ends_too_early() {
    let sample = Sample::empty();
    sample.write("queries/99_extra.sql", "select\n    price.price_id\nfrom\n\n");
    sample.write("schemas/extra.sql", "create table extra (\n    a integer");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: expected identifier, found the end of the text
     --> queries/99_extra.sql:3:5
      |
    3 | from
      |     ^
    hint: a query file is one SELECT statement
    error: expected ',' or ')' after column definition, found the end of the text
     --> schemas/extra.sql:2:14
      |
    2 |     a integer
      |              ^
    hint: a schema is one CREATE TABLE statement
    error: 2 mistakes in the project
    "#);
}

#[test]
fn in_a_project_that_another_extends() {
    let sample = Sample::empty();
    sample.replace("queries/2_usage/usage.sql", "from usage_record", "from usage_recrod");
    sample.write("of_one_tenant/meterhouse.toml", "extends = \"..\"\n");
    assert_snapshot!(said(&sample, &["--project", "of_one_tenant", "check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is no table or query `usage_recrod`
      --> ../queries/2_usage/usage.sql:24:6
       |
    24 | from usage_recrod
       |      ^^^^^^^^^^^^
    hint: did you mean `usage_record`?
    "#);
}

#[test]
fn an_unknown_setting() {
    let sample = Sample::empty();
    sample.replace("meterhouse.toml", "time_zone", "timezone");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: unknown field `timezone`, expected one of `extends`, `time_zone`, `warehouse`, `inbox`, `source`, `reference`, `close`, `engine`, `serve`, `events`, `webhooks`, `jobs`
     --> meterhouse.toml:4:1
      |
    4 | timezone = "Europe/Berlin"
      | ^^^^^^^^
    hint: did you mean `time_zone`?
    "#);
}

#[test]
fn settings_and_queries_in_one_report() {
    let sample = Sample::empty();
    sample.replace("meterhouse.toml", "time_zone", "timezone");
    sample.replace("meterhouse.toml", "url =", "uri =");
    sample.replace("meterhouse.toml", "files = [", "with = \"nothing\"\nfiles = [");
    sample.replace("queries/2_usage/usage.sql", "from usage_record", "from usage_recrod");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: unknown field `timezone`, expected one of `extends`, `time_zone`, `warehouse`, `inbox`, `source`, `reference`, `close`, `engine`, `serve`, `events`, `webhooks`, `jobs`
     --> meterhouse.toml:4:1
      |
    4 | timezone = "Europe/Berlin"
      | ^^^^^^^^
    hint: did you mean `time_zone`?
    error: unknown field `uri`, expected `url` or `private`
     --> meterhouse.toml:8:1
      |
    8 | uri = "warehouse"
      | ^^^
    error: inbox `sample` lands with `nothing`, which is not there
      --> meterhouse.toml:14:8
       |
    14 | with = "nothing"
       |        ^
    hint: write queries/landing/nothing.sql
    error: there is no table or query `usage_recrod`
      --> queries/2_usage/usage.sql:24:6
       |
    24 | from usage_recrod
       |      ^^^^^^^^^^^^
    hint: did you mean `usage_record`?
    error: 4 mistakes in the project
    "#);
}

#[test]
fn an_extended_project_that_is_not_there() {
    let sample = Sample::empty();
    sample.replace("meterhouse.toml", "time_zone", "extends = \"../elsewhere\"\ntime_zone");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: `extends` names ../elsewhere, which has no meterhouse.toml
     --> meterhouse.toml:4:11
      |
    4 | extends = "../elsewhere"
      |           ^
    hint: give the folder of another project, relative to this one
    "#);
}

#[test]
fn an_unknown_time_zone() {
    let sample = Sample::empty();
    assert_snapshot!(said(&sample, &["check", "--set", "time_zone=Mars"], ""), @r#"
    exit 2
    ----- stdout
    ----- stderr
    error: in --set or METERHOUSE_*: unknown time zone `Mars`
    hint: use an IANA name such as Europe/Berlin or UTC
    "#);
    sample.replace("meterhouse.toml", "Europe/Berlin", "Europe/Brelin");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: unknown time zone `Europe/Brelin`
     --> meterhouse.toml:4:13
      |
    4 | time_zone = "Europe/Brelin"
      |             ^
    hint: use an IANA name such as Europe/Berlin or UTC
    "#);
}

#[test]
fn a_check_that_does_not_plan() {
    let sample = Sample::empty();
    sample.write(
        "schemas/extra.sql",
        "create table extra (\n    price_id varchar not null,\n    check (price <> '')\n);\n",
    );
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: CHECK (price <> '') does not plan: Schema error: No field named price. Did you mean 'price_id'?
           Valid fields are price_id.
     --> schemas/extra.sql:3:12
      |
    3 |     check (price <> '')
      |            ^^^^^
    hint: a CHECK is a boolean over the table's own columns
    "#);
}

#[test]
fn all_mistakes_in_one_report() {
    let sample = Sample::empty();
    sample.replace("queries/2_usage/usage.sql", "from usage_record", "from usage_recrod");
    sample.write("queries/97_view.sql", "select nowhere.x from nowhere\n");
    sample.write("queries/98_view_reader.sql", "select view.x from view\n");
    sample.write("queries/99_extra.sql", "select\n    now() as made_at,\n    price.nope\nfrom price\n");
    sample.write(
        "schemas/extra.sql",
        "create table extra (\n    price_id varchar not null,\n    unit_amount double\n);\n",
    );
    sample.write("queries/checks/nothing.sql", "select * from price\n");
    assert_snapshot!(said(&sample, &["check"], ""), @r#"
    exit 1
    ----- stdout
    ----- stderr
    error: there is no table or query `usage_recrod`
      --> queries/2_usage/usage.sql:24:6
       |
    24 | from usage_recrod
       |      ^^^^^^^^^^^^
    hint: did you mean `usage_record`?
    error: there is no table or query `nowhere`
     --> queries/97_view.sql:1:23
      |
    1 | select nowhere.x from nowhere
      |                       ^^^^^^^
    error: `now()` gives another result at another time
     --> queries/99_extra.sql:2:5
      |
    2 |     now() as made_at,
      |     ^^^
    hint: a run is a function of its inputs; the one time it is given is $as_of
    error: column 'nope' not found in 'price'
     --> queries/99_extra.sql:3:5
      |
    3 |     price.nope
      |     ^^^^^
    error: `select *` hides which columns a table has
     --> queries/checks/nothing.sql:1:8
      |
    1 | select * from price
      |        ^
    hint: write the columns out; `name.*` passes on those of a CTE within the query
    error: column `unit_amount` has type DOUBLE
     --> schemas/extra.sql:3:5
      |
    3 |     unit_amount double
      |     ^^^^^^^^^^^
    hint: a floating-point number cannot hold money or quantities exactly; use decimal(38, 12)
    error: 6 mistakes in the project
    "#);
    assert_eq!(said(&sample, &["sql", "select 1"], ""), said(&sample, &["check"], ""));
}
