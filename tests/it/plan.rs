//! A plan says what the run after it does, and does nothing itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::Value;

use crate::closing::{AFTER, close, land, rental, run_at};
use crate::sample::{AS_OF, Sample, ok, said};

/// The tables of a plan, by name.
type Planned = BTreeMap<String, Value>;

const PRICE: (&str, &str) =
    ("driven_km-autumn,driven_km,per_unit,0.31", "driven_km-autumn,driven_km,per_unit,0.41");

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// A project, and the instant that it is planned and run for.
struct Life<'a> {
    project: PathBuf,
    as_of: &'a str,
}

impl Life<'_> {
    fn of(sample: &Sample) -> Self {
        Self { project: sample.path().into(), as_of: AS_OF }
    }

    fn says(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .arg("--project")
            .arg(&self.project)
            .args(["--as-of", self.as_of, "--format", "json"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn document(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&ok(&self.says(arguments))).unwrap()
    }

    /// Everything in the warehouse: each file with its bytes.
    fn warehouse(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.project.join("warehouse")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
                files.insert(path, bytes);
            }
        }
        files
    }

    /// Plans, and looks whether that has left the warehouse as it was.
    fn planned(&self, arguments: &[&str]) -> (Planned, Value) {
        let before = self.warehouse();
        let plan = self.document(&[&["plan"], arguments].concat());
        assert!(self.warehouse() == before, "a plan has written to the warehouse");
        let rows = plan["tables"]["plan"].as_array().unwrap();
        (rows.iter().map(|row| (text(row, "table").to_string(), row.clone())).collect(), plan)
    }

    /// Plans, then runs: what the run made is in the plan, made in that way and for that reason. Returns the plan, and
    /// how many tables the run made by what changed.
    fn foretold(&self, arguments: &[&str]) -> (Planned, usize) {
        let (planned, plan) = self.planned(arguments);
        let run = self.document(&[&["run"], arguments].concat());
        let steps = run["run"]["steps"].as_array().unwrap();
        let unlike: Vec<String> = steps.iter().filter_map(|step| unlike(&planned, step)).collect();
        assert!(unlike.is_empty(), "\n{}", unlike.join("\n"));
        if run["run"]["published"].is_u64() {
            let tables = steps.len() as u64 + run["run"]["skipped"].as_u64().unwrap();
            let told = planned.len() as u64 + plan["plan"]["up_to_date"].as_u64().unwrap();
            assert_eq!(told, tables);
        } else {
            assert!(planned.is_empty(), "{planned:?}");
        }
        let updated = steps.iter().filter(|step| text(step, "way") == "update").count();
        (planned, updated)
    }
}

/// What a run did otherwise than was planned.
fn unlike(planned: &Planned, step: &Value) -> Option<String> {
    let Some(plan) = planned.get(text(step, "table")) else {
        return Some(format!("not in the plan: {step}"));
    };
    let (way, why) = (text(step, "way"), text(step, "why"));
    let is_so = match text(plan, "way") {
        "snapshot" => way == "snapshot",
        "update" if way == "rebuild" => why.starts_with("too many of its rows"),
        "update" => {
            let is_by = text(plan, "by").split(", ").any(|column| column == text(step, "by"));
            is_by && ["update", "same"].contains(&way)
        }
        "rebuild" => why == text(plan, "why") && ["rebuild", "same"].contains(&way),
        _ => way == "same",
    };
    (!is_so).then(|| format!("planned {plan}\n   done {step}"))
}

fn way<'a>(planned: &'a Planned, table: &str) -> (&'a str, &'a str) {
    let row = planned.get(table).unwrap_or_else(|| panic!("{table} is not planned: {:?}", planned.keys()));
    let by = text(row, "by").split(", ").next().unwrap();
    (text(row, "way"), if by.is_empty() { text(row, "why") } else { by })
}

#[test]
fn a_first_run_makes_everything() {
    let sample = Sample::new();
    let (_, plan) = Life::of(&sample).planned(&[]);
    let files: Vec<&str> =
        plan["tables"]["inbox"].as_array().unwrap().iter().map(|row| text(row, "file")).collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().any(|file| file.ends_with("data/usage/api_2026.csv")), "{files:?}");
    let (planned, _) = Life::of(&sample).foretold(&[]);
    assert_eq!(planned.len(), 82);
    assert_eq!(way(&planned, "charge"), ("rebuild", "it is made for the first time"));
    assert_eq!(way(&planned, "price"), ("snapshot", "its files have changed"));
}

#[test]
fn after_a_run_there_is_nothing_to_do() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    assert_snapshot!(said(&sample, &["plan", "--format", "table"], ""), @r#"
    exit 0
    ----- stdout
    ----- stderr
    nothing to do: all 82 tables are up to date
    next: meterhouse status
    "#);
    // A later instant in the same cycles changes nothing.
    let later = Life { as_of: "2026-11-02T12:00:00Z", ..Life::of(&sample) };
    assert_eq!(later.foretold(&[]).0.len(), 0);
}

#[test]
fn one_record_touches_rows_of_many_tables() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    land(&sample, "one.ndjson", &rental("TR-P1", "2026-10-20T10:00:00", "12"));
    let (planned, updated) = Life::of(&sample).foretold(&[]);
    assert!(updated > 5, "{updated}");
    assert_eq!(way(&planned, "guiding"), ("update", "landing_sequence"));
}

#[test]
fn a_record_in_an_inbox_is_taken_for_landed() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.write("data/usage/more.ndjson", &rental("TR-P1", "2026-10-20T10:00:00", "12"));
    // The same content under another name lands no more.
    let landed = sample.read("data/usage/api_2026.csv");
    sample.write("data/usage/copy.csv", &landed);
    let (_, plan) = Life::of(&sample).planned(&[]);
    let files = plan["tables"]["inbox"].as_array().unwrap();
    assert!(files.len() == 1 && text(&files[0], "file").ends_with("data/usage/more.ndjson"), "{files:?}");
    let (planned, updated) = Life::of(&sample).foretold(&[]);
    assert!(updated > 5, "{updated}");
    assert_eq!(way(&planned, "guiding"), ("update", "landing_sequence"));
}

#[test]
fn a_price_touches_what_is_priced_by_it() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    let (planned, _) = Life::of(&sample).foretold(&[]);
    assert!(!planned.contains_key("usage_duplicate"), "{:?}", planned.keys());
    assert_eq!(way(&planned, "price"), ("snapshot", "its files have changed"));
    assert_eq!(text(&planned["charge"], "way"), "update");
    // What says the same in other lines is taken in, and touches nothing.
    let price = sample.read("data/price.csv");
    let (header, rows) = price.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    sample.write("data/price.csv", &format!("{header}\n{}\n", turned.join("\n")));
    let (planned, _) = Life::of(&sample).foretold(&[]);
    assert_eq!(planned.keys().collect::<Vec<_>>(), ["price"]);
    assert_eq!(text(&planned["price"], "way"), "same");
}

#[test]
fn another_query_of_a_project_that_extends_one_makes_its_table_whole() {
    let sample = Sample::new();
    let tenant = Sample::over(sample.path());
    for folder in ["queries", "schemas"] {
        std::fs::remove_dir_all(tenant.path().join(folder)).unwrap();
    }
    let settings = tenant.read("meterhouse.toml");
    tenant.write("meterhouse.toml", &format!("extends = \"{}\"\n{settings}", sample.path().display()));
    Life::of(&tenant).foretold(&[]);
    let query = sample.read("queries/7_rating/charge.sql");
    tenant.write("queries/7_rating/charge.sql", &format!("{query}\n-- In other words.\n"));
    let (planned, _) = Life::of(&tenant).foretold(&[]);
    let rewritten = ("rebuild", "its query, a view behind it or its contract has changed");
    assert_eq!(way(&planned, "charge"), rewritten);
    assert!(planned.len() > 1 && !planned.contains_key("metered_usage"), "{planned:?}");
}

#[test]
fn a_run_of_one_period_makes_whole_what_it_makes() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    let (planned, _) = Life::of(&sample).foretold(&["--period", "2026-10"]);
    assert_eq!(way(&planned, "charge"), ("rebuild", "the run is for 2026-10 only"));
    let (planned, _) = Life::of(&sample).foretold(&[]);
    assert_eq!(way(&planned, "charge"), ("rebuild", "the run before was for one billing period only"));
}

#[test]
fn a_later_instant_makes_cycles_that_have_begun() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let later = Life { as_of: "2026-12-01T12:00:00Z", ..Life::of(&sample) };
    let (planned, _) = later.foretold(&[]);
    let moved = ("rebuild", "it reads the as-of, which was 2026-11-01T12:00:00Z");
    assert_eq!(way(&planned, "billing_cycle"), moved);
}

#[test]
fn after_a_closing_it_is_told_that_closed_periods_may_be_rated_again() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    land(&sample, "one.ndjson", &rental("TR-P1", "2026-10-20T10:00:00", "12"));
    let later = Life { as_of: AFTER, ..Life::of(&sample) };
    assert_eq!(later.planned(&[]).1["plan"]["may_rerate"], true);
    later.foretold(&[]);
}

#[test]
fn what_comes_out_other_is_counted() {
    let sample = Sample::new();
    let first = Life::of(&sample).planned(&["--count"]).1;
    assert_eq!(first["plan"]["is_counted"], false, "its files have not landed");
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    let (planned, plan) = Life::of(&sample).planned(&["--count"]);
    assert_eq!(plan["plan"]["is_counted"], true);
    // The line of kilometres since 15 October goes, and comes with another amount; others of its file are written anew.
    let line = &planned["invoice_line"];
    let number = |name: &str| line[name].as_u64().unwrap();
    assert_eq!(["changed_rows", "periods", "customers"].map(number), [2, 1, 1], "{line}");
    assert!(number("rows_to_write") >= 2 && number("bytes_to_write") > 1000, "{line}");
    assert_eq!(planned["suspense"]["changed_rows"], 0);
    // It is what a run does, in the same order and way.
    let steps = Life::of(&sample).document(&["run"])["run"]["steps"].as_array().unwrap().clone();
    let done: Vec<_> =
        steps.iter().map(|step| (text(step, "table"), text(step, "way"), text(step, "by"))).collect();
    let told = plan["tables"]["plan"].as_array().unwrap();
    let told: Vec<_> =
        told.iter().map(|step| (text(step, "table"), text(step, "way"), text(step, "by"))).collect();
    assert_eq!(told, done);
}

#[test]
fn what_a_run_refuses_a_plan_refuses() {
    let sample = Sample::new();
    assert_eq!(sample.fails(&["plan", "--period", "2026-13"]).0, 2);
    sample.replace("data/currency.csv", "EUR,2,half_up", "EUR,20,half_up");
    let (planned, run) = (sample.fails(&["plan"]), sample.fails(&["run"]));
    assert!(planned.0 == run.0 && run.1.ends_with(&planned.1), "{planned:?}\n{run:?}");
}

#[test]
fn a_plan_for_people() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    assert_snapshot!(said(&sample, &["plan", "--format", "table"], ""), @r#"
    exit 0
    ----- stdout
    tables that the run makes then, in this order
     table               way                         why                                                                rows  to_read
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     price               snapshot                    its files have changed                                                8  8 rows, 0.0 MB
     record_tier         rebuild                     it has no rows so far; changed: price                                 0  13 rows, 0.0 MB
     priced_cycle        update by contract_item_id  changed: price                                                       28  31 rows, 0.0 MB
     price_part          rebuild                     it has no rows so far; changed: price                                 0  265 rows, 0.0 MB
     suspense            update by landing_sequence  changed: price                                                        3  501 rows, 0.1 MB
     correction_line     rebuild                     it has no rows so far; changed: priced_cycle                          0  42 rows, 0.0 MB
     guided_total        update by landing_sequence  changed: suspense                                                    10  260 rows, 0.0 MB
     grant_event         rebuild                     it has no rows so far; changed: suspense                              0  288 rows, 0.1 MB
     item_total          update by landing_sequence  changed: price, price_part and 2 more                                15  268 rows, 0.0 MB
     place_total         update by landing_sequence  changed: suspense                                                    10  487 rows, 0.1 MB
     record_detail       rebuild                     it has no rows so far; changed: price, price_part and 2 more          0  504 rows, 0.1 MB
     control_total       update by landing_id        changed: place_total                                                 17  17 rows, 0.0 MB
     grant_balance       rebuild                     it has no rows so far; changed: grant_event                           0  14 rows, 0.0 MB
     level_event         rebuild                     it has no rows so far; changed: record_detail                         0  0 rows, 0.0 MB
     record_charge       rebuild                     it has no rows so far; changed: price, record_detail                  0  230 rows, 0.0 MB
     level_change        rebuild                     it has no rows so far; changed: level_event, priced_cycle             0  42 rows, 0.0 MB
     measured_usage      rebuild                     it has no rows so far; changed: level_change, record_detail           0  9 rows, 0.0 MB
     metered_usage       update by contract_item_id  changed: item_total, measured_usage and 2 more                       28  43 rows, 0.0 MB
     quota_use           update by quota_id          changed: metered_usage, priced_cycle                                  6  56 rows, 0.0 MB
     entitlement_status  update by quota_id          changed: grant_balance, quota_use                                     6  14 rows, 0.0 MB
     billable_usage      update by contract_item_id  changed: entitlement_status, metered_usage, priced_cycle             28  62 rows, 0.1 MB
     priced_quantity     update by contract_item_id  changed: billable_usage, price, priced_cycle                         28  64 rows, 0.1 MB
     charge              update by contract_item_id  changed: level_change, measured_usage and 3 more                     30  69 rows, 0.0 MB
     item_line           update by line_id           changed: billable_usage, charge and 3 more                           23  134 rows, 0.1 MB
     price_minimum       rebuild                     it has no rows so far; changed: item_line, priced_cycle               0  54 rows, 0.1 MB
     minimum_line        update by line_id           changed: item_line, price_minimum                                     2  41 rows, 0.0 MB
     credit_balance      rebuild                     it has no rows so far; changed: grant_event, item_line and 2 more     0  47 rows, 0.1 MB
     invoice_line        update by line_id           changed: correction_line, credit_balance and 3 more                  25  28 rows, 0.0 MB
     grouped_line        rebuild                     it has no rows so far; changed: invoice_line                          0  34 rows, 0.0 MB
     line_total          update by billing_period    changed: invoice_line, metered_usage                                 10  62 rows, 0.1 MB
     period_total        update by billing_period    changed: guided_total, line_total                                    20  20 rows, 0.0 MB

    ----- stderr
    51 tables are up to date
    next: meterhouse run
    "#);
    let run = said(&sample, &["run", "-v"], "");
    for line in [
        "update charge: 30 rows ([seconds]), by price_id",
        "same record_tier: 0 rows ([seconds]), because it has no rows so far",
        "check landing_balance held, asked of what has changed",
        "check tier_gap held, asked of all rows, because it reads few rows",
    ] {
        assert!(run.lines().any(|said| said == line), "{run}");
    }
}
