//! Closed books: what was billed in all is what one rating of the final truth gives, and what is closed never changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;

use crate::sample::Sample;

/// All of the sample's periods that have usage have ended.
pub const AFTER: &str = "2026-11-21T00:00:00Z";

/// Runs the program after all of the sample's usage; it has to succeed.
pub fn run_at(sample: &Sample, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", AFTER, "--format", "csv"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The exit status of what has to fail, and what it says without the place and the hint.
pub fn refused(sample: &Sample, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", AFTER])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let errors: String = said.lines().filter(|line| line.starts_with("error")).collect();
    format!("{} {errors}", output.status.code().unwrap())
}

/// The rows of a query as CSV.
pub fn rows(sample: &Sample, query: &str) -> Vec<String> {
    run_at(sample, &["sql", query]).lines().skip(1).map(String::from).collect()
}

/// Closes a period.
pub fn close(sample: &Sample, period: &str) {
    run_at(sample, &["close", "--period", period, "--confirm", period, "--by", "tests"]);
}

/// What is billed in all for each line of each period that it belongs to, drafts included.
pub fn billed(sample: &Sample) -> BTreeMap<String, String> {
    totals(
        sample,
        "select coalesce(corrected_period, billing_period), coalesce(corrected_line_id, line_id), sum(amount), \
         sum(quantity) from invoice_line group by 1, 2 having sum(amount) <> 0 or sum(quantity) <> 0",
    )
}

fn totals(sample: &Sample, query: &str) -> BTreeMap<String, String> {
    let rows = rows(sample, query);
    rows.iter()
        .map(|row| {
            let mut parts = row.rsplitn(3, ',');
            let (quantity, amount) = (parts.next().unwrap(), parts.next().unwrap());
            (parts.next().unwrap().to_string(), format!("{amount} for {quantity}"))
        })
        .collect()
}

/// Every file of the closed periods in the tables that are kept by period, with its bytes.
fn closed_bytes(sample: &Sample, period: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = rows(sample, "select line_id from billed_line limit 1");
    assert!(!names.is_empty());
    let mut files = BTreeMap::new();
    for table in ["billed_line", "billed_statement"] {
        let folder = sample.path().join(format!("warehouse/{table}/billing_period={period}"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

pub fn rental(id: &str, start: &str, km: &str) -> String {
    format!(
        "{{\"transactionID\":\"{id}\",\"usageStart\":\"{start}\",\"usageType\":\"CarRentUsage\",\
         \"VIN\":\"WVWZZZ1KZAW000042\",\"distance\":{km}}}\n"
    )
}

/// Lands records by hand, as something that comes in between.
pub fn land(sample: &Sample, name: &str, text: &str) {
    let file = sample.path().join(name);
    std::fs::write(&file, text).unwrap();
    run_at(sample, &["land", file.to_str().unwrap()]);
}

#[test]
fn late_usage_and_voids_are_settled_to_the_last_digit() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let first = rows(&sample, "select min(billing_period) from billing_cycle")[0].clone();
    assert_eq!(first, "2026-09");
    close(&sample, "2026-09");
    let closed = closed_bytes(&sample, "2026-09");
    let before = billed(&sample);

    land(&sample, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000.5"));
    run_at(&sample, &["void", "TR000002", "--reason", "wrong car"]);
    run_at(&sample, &["run"]);
    let corrections = rows(
        &sample,
        "select corrected_period, billing_period, count(*), sum(quantity) from correction_line group by 1, 2",
    );
    assert_eq!(corrections.len(), 1, "{corrections:?}");
    assert!(corrections[0].starts_with("2026-09,2026-10,"), "{corrections:?}");
    let settled = billed(&sample);
    assert_ne!(settled, before);
    let unlike = "select count(*) from invoice_line inner join (select line_id, sum(amount) as amount from \
                  usage_statement group by line_id) as itemized on invoice_line.line_id = itemized.line_id \
                  where invoice_line.amount <> itemized.amount";
    assert_eq!(rows(&sample, unlike), ["0"]);

    // The same in one rating, with nothing closed.
    let fresh = Sample::new();
    land(&fresh, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000.5"));
    run_at(&fresh, &["run"]);
    run_at(&fresh, &["void", "TR000002", "--reason", "wrong car"]);
    run_at(&fresh, &["run"]);
    assert_eq!(settled, billed(&fresh));

    // A second run changes nothing; what is closed with the next period stays settled.
    let lines = rows(&sample, "select line_id, amount from invoice_line order by line_id");
    run_at(&sample, &["run"]);
    assert_eq!(lines, rows(&sample, "select line_id, amount from invoice_line order by line_id"));
    close(&sample, "2026-10");
    assert_eq!(settled, billed(&sample));
    assert_eq!(rows(&sample, "select count(*) from late_usage"), ["0"]);

    // Back again: the correction of the correction.
    run_at(&sample, &["restore", "TR000002", "--reason", "it was this car"]);
    run_at(&sample, &["void", "late-1", "--reason", "never happened"]);
    run_at(&sample, &["run"]);
    assert_eq!(billed(&sample), before);
    let corrected_in = rows(&sample, "select distinct billing_period from correction_line order by 1");
    assert_eq!(corrected_in, ["2026-10", "2026-11"]);
    assert_eq!(closed_bytes(&sample, "2026-09"), closed);
    run_at(&sample, &["verify"]);
    let places =
        rows(&sample, "select place, sum(record_count) from control_total where place = 'void' group by 1");
    assert_eq!(places, ["void,1"]);
}

#[test]
fn a_listed_record_is_void_as_long_as_it_is_listed() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let before = billed(&sample);
    let list = "source,transaction_id,usage_start,replaced_by,reason\n";
    sample.write("data/usage_void.csv", &format!("{list}usage,TR000001,,,never driven\n"));
    run_at(&sample, &["run"]);
    let void = "select place, reason from usage_exclusion";
    assert_eq!(rows(&sample, void), ["void,never driven"]);
    assert_ne!(billed(&sample), before, "a correction settles it");
    sample.write("data/usage_void.csv", list);
    run_at(&sample, &["run"]);
    assert_eq!(billed(&sample), before);
}

#[test]
fn a_price_that_changes_does_not_touch_what_is_closed() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let closed =
        rows(&sample, "select line_id, amount from invoice_line where billing_period = '2026-09' order by 1");
    let statement = "select line_id, landing_sequence, quantity, amount from usage_statement where billing_period = '2026-09' order by 1, 2";
    let itemized = rows(&sample, statement);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,9.99");
    run_at(&sample, &["run"]);
    let now =
        rows(&sample, "select line_id, amount from invoice_line where billing_period = '2026-09' order by 1");
    assert_eq!(closed, now);
    assert_eq!(itemized, rows(&sample, statement));
    // What comes late is rated by the price of the closing.
    let late =
        rental("late-1", "2026-09-20T12:00:00", "10").replace("WVWZZZ1KZAW000042", "SGZCZ43D13S812715");
    land(&sample, "late.ndjson", &late);
    run_at(&sample, &["run"]);
    let rent = rows(&sample, "select amount from correction_line where price_id = 'rental-2026'");
    assert_eq!(rent, ["1.50"]);
}

#[test]
fn usage_without_a_price_does_not_keep_a_period_open() {
    let sample = Sample::new();
    let priced = "rental-2026,rental,per_unit,1.50,,arrears,none,2026-01-01,";
    sample.replace("data/price.csv", priced, &priced.replace("2026-01-01", "2026-09-10"));
    run_at(&sample, &["run"]);
    let waiting =
        rows(&sample, "select count(*) from suspense where suspense_reason like 'no price in force for %'");
    assert_ne!(waiting, ["0"]);
    close(&sample, "2026-09");
    let reasons =
        rows(&sample, "select distinct suspense_reason from suspense where suspense_reason like 'no price%'");
    assert_eq!(reasons, ["no price in the closed books"]);
    land(
        &sample,
        "late.ndjson",
        &rental("late-1", "2026-09-02T12:00:00", "10").replace("WVWZZZ1KZAW000042", "SGZCZ43D13S812715"),
    );
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, "select count(*) from correction_line"), ["0"]);
}

#[test]
fn late_usage_may_count_in_the_open_period_or_wait() {
    for (policy, counts) in [("next_period", true), ("suspend", false)] {
        let sample = Sample::new();
        sample.write("data/late_policy.csv", &format!("usage_type,policy\nCarRentUsage,{policy}\n"));
        run_at(&sample, &["run"]);
        close(&sample, "2026-09");
        close(&sample, "2026-10");
        let before =
            rows(&sample, "select sum(quantity) from metered_usage where billing_period = '2026-11'");
        land(&sample, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000"));
        run_at(&sample, &["run"]);
        let after = rows(&sample, "select sum(quantity) from metered_usage where billing_period = '2026-11'");
        assert_eq!(before != after, counts, "{policy}: {before:?} {after:?}");
        assert_eq!(rows(&sample, "select count(*) from correction_line"), ["0"]);
        let waits = rows(&sample, "select count(*) from suspense where suspense_reason = 'late usage'");
        assert_eq!(waits, [if counts { "0" } else { "1" }]);
    }
}

#[test]
fn a_held_batch_counts_when_it_is_released_and_a_discarded_one_never() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let before = billed(&sample);
    let held = |name: &str, id: &str| {
        let file = sample.path().join(format!("{id}.ndjson"));
        std::fs::write(&file, rental(id, "2026-10-20T12:00:00", "100")).unwrap();
        run_at(&sample, &["land", file.to_str().unwrap(), "--hold", name, "--reason", "to be looked at"]);
    };
    held("march", "held-1");
    held("april", "held-2");
    run_at(&sample, &["run"]);
    assert_eq!(billed(&sample), before);
    let places = "select place, sum(record_count) from control_total where place in ('held', 'discarded') group by 1 order by 1";
    assert_eq!(rows(&sample, places), ["held,2"]);
    run_at(&sample, &["release", "march", "--reason", "it is right"]);
    run_at(&sample, &["discard", "april", "--reason", "a test system"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, places), ["discarded,1"]);
    let fresh = Sample::new();
    land(&fresh, "held.ndjson", &rental("held-1", "2026-10-20T12:00:00", "100"));
    run_at(&fresh, &["run"]);
    assert_eq!(billed(&sample), billed(&fresh));
    let again = refused(&sample, &["release", "april", "--reason", "after all"]);
    assert_eq!(again, "2 error: the batch april was discarded");
}

#[test]
fn what_does_not_close_says_why() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let said = |arguments: &[&str]| refused(&sample, arguments);
    assert_eq!(
        said(&["close", "--period", "2026-09"]),
        "2 error: 2026-09 was not closed: nobody confirmed it"
    );
    assert_eq!(
        said(&["close", "--period", "2026-10", "--confirm", "2026-10"]),
        "1 error: 2026-10 was not closed: 2026-09 is still open"
    );
    assert_eq!(
        said(&["close", "--period", "2026-11", "--confirm", "2026-11"]),
        "1 error: 2026-11 was not closed: its last cycle has not ended"
    );
    assert_eq!(
        said(&["close", "--period", "2031-11", "--confirm", "2031-11"]),
        "2 error: no billing cycle ends in 2031-11"
    );
    assert_eq!(
        said(&["void", "nobody", "--reason", "x"]),
        "2 error: no record of `usage_record` has the transaction_id nobody"
    );
    for limit in
        ["suspense_records,2,", "suspense_days,20,", "suspense_quantity,2.5,", "suspense_quantity,2.5,call"]
    {
        sample.write("data/close_limit.csv", &format!("limit_name,limit_value,unit\n{limit}\n"));
        assert_eq!(
            said(&["close", "--period", "2026-09", "--confirm", "2026-09"]),
            "1 error: 2026-09 was not closed:",
            "{limit}"
        );
    }
    assert_eq!(
        said(&["close", "--period", "2026-09", "--confirm", "2026-09", "--accept", " "]),
        "2 error: no reason was given"
    );
    run_at(
        &sample,
        &[
            "close",
            "--period",
            "2026-09",
            "--confirm",
            "2026-09",
            "--accept",
            "known test cars",
            "--by",
            "anna",
        ],
    );
    let closed = rows(&sample, "select billing_period, close_number, closed_by, accepted from closed_period");
    assert_eq!(closed, ["2026-09,1,anna,known test cars"]);
    assert_eq!(said(&["run", "--period", "2026-09"]), "2 error: 2026-09 is closed");
}

#[test]
fn a_limit_that_is_kept_stops_nobody() {
    let sample = Sample::new();
    let limits = "suspense_records,3,\nsuspense_days,90,\nsuspense_quantity,3,\nsuspense_quantity,2,km\n";
    sample.write("data/close_limit.csv", &format!("limit_name,limit_value,unit\n{limits}"));
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
}

#[test]
fn status_says_what_entered_suspense_and_what_left_it() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    close(&sample, "2026-10");
    let change = || {
        let status = run_at(&sample, &["status"]);
        let lines = status.lines().skip_while(|line| !line.starts_with("change,")).skip(1);
        lines
            .take_while(|line| !line.is_empty() && !line.starts_with('#'))
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert!(change().is_empty());
    run_at(&sample, &["write-off", "TR900004", "--reason", "the meter was broken"]);
    sample.write(
        "late.ndjson",
        "{\"transaction_id\": \"late\", \"usage_type\": \"CarRentUsage\", \"usage_start\": \"2026-10-05T08:00:00Z\", \
         \"vin\": \"nobody's\", \"distance\": 1}\n",
    );
    run_at(&sample, &["land", &sample.path().join("late.ndjson").display().to_string()]);
    let again = rows(&sample, "select vin from usage_record where transaction_id = 'TR900003'")[0].clone();
    let identifiers = sample.read("data/contract_identifier.csv");
    sample.write("data/contract_identifier.csv", &format!("{identifiers}vin,{again},CON124,2026-09-01,\n"));
    run_at(&sample, &["run"]);
    let left = [
        "left,identifier not assigned,counts in 2026-10,CarRentUsage,1,0,",
        "left,no number in distance,written off,CarRentUsage,1,0,",
    ];
    let (entered, others): (Vec<String>, Vec<String>) =
        change().into_iter().partition(|line| line.starts_with("entered"));
    assert_eq!(others, left);
    assert_eq!(entered.len(), 1, "{entered:?}");
    assert!(entered[0].starts_with("entered,identifier not assigned,,CarRentUsage,"), "{entered:?}");
}

#[test]
fn tampering_is_found() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    run_at(&sample, &["run"]);
    run_at(&sample, &["verify"]);
    let tampered = |find: &dyn Fn(&Path) -> PathBuf, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let copy = Sample::over(sample.path());
        let file = find(&copy.path().join("warehouse"));
        std::fs::write(&file, change(std::fs::read(&file).unwrap())).unwrap();
        let (status, said) = copy.fails(&["verify"]);
        assert_eq!(status, 1, "{said}");
        said
    };
    let first = |folder: PathBuf, ending: &str| {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.to_str().unwrap().ends_with(ending));
        files.sort();
        files.remove(0)
    };
    let text = |old: &'static str, new: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(old), "{text}");
            text.replacen(old, new, 1).into_bytes()
        }
    };
    let said = tampered(
        &|warehouse| first(warehouse.join("ledger/0000000"), ".json"),
        &text("\"run\": 1", "\"run\": 01"),
    );
    assert!(said.contains("ledger"), "{said}");
    let said = tampered(&|warehouse| first(warehouse.join("books"), ".json"), &text("select", "SELECT"));
    assert!(said.contains("not what was kept there"), "{said}");
    let swap = |bytes: Vec<u8>| {
        let mut bytes = bytes;
        // Within the compressed line ids.
        bytes[100] ^= 1;
        bytes
    };
    let said =
        tampered(&|warehouse| first(warehouse.join("billed_line/billing_period=2026-09"), ".parquet"), &swap);
    assert!(said.contains("billed_line/billing_period=2026-09"), "{said}");
    let swap_later = |mut bytes: Vec<u8>| {
        // Within the first column's numbers.
        bytes[200] ^= 1;
        bytes
    };
    let said = tampered(&|warehouse| first(warehouse.join("usage_record"), ".parquet"), &swap_later);
    assert!(said.contains("usage_record/landing-"), "{said}");
    let said = tampered(
        &|warehouse| first(warehouse.join("usage_record/_delta_log"), "0.json"),
        &text("meterhouse.row_hash", "meterhouse.row_none"),
    );
    assert!(said.contains("usage_record: its Delta log does not name the files that run 3 read"), "{said}");
    // What is late in the closed period is rated by the prices that it was closed under.
    let said = tampered(&|warehouse| first(warehouse.join("price"), ".parquet"), &swap);
    assert!(said.contains("price/run-000001"), "{said}");
    let said = tampered(
        &|warehouse| first(warehouse.join("invoice_line/_delta_log"), "0.json"),
        &text("\"path\":\"billing_period=2026-09", "\"path\":\"billing_period=2026-08"),
    );
    assert!(said.contains("invoice_line: its Delta log does not name the files that run 3"), "{said}");
    let copy = Sample::over(sample.path());
    std::fs::remove_file(copy.path().join("warehouse/ledger/0000000/0000000003.json")).unwrap();
    let (_, said) = copy.fails(&["verify"]);
    assert!(said.contains("ledger: the Delta logs follow run 3, whose entry is gone"), "{said}");
}

#[test]
fn no_run_goes_on_without_usage_that_was_there() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    for table in ["usage_record", "landing"] {
        std::fs::remove_dir_all(sample.path().join(format!("warehouse/{table}/_delta_log"))).unwrap();
    }
    let (status, said) = sample.fails(&["run"]);
    assert_eq!(status, 1, "{said}");
    assert_snapshot!(said, @r"
    error: a part of what had landed is gone:
      landing: its Delta log has 0 of the 1 commits that run 1 read
      usage_record: its Delta log has 0 of the 1 commits that run 1 read
    hint: bring it back from a copy of the warehouse
    ");
    let (status, said) = sample.fails(&["verify"]);
    assert_eq!(status, 1, "{said}");
    assert_snapshot!(said, @r"
    error: what was published has been changed:
      landing: its Delta log has 0 of the 1 commits that run 1 read
      usage_record: its Delta log has 0 of the 1 commits that run 1 read
    hint: restore these objects from a backup of the warehouse
    ");
}

#[test]
fn closing_says_what_waits_also_to_who_asked_for_quiet() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", AFTER, "-q", "close", "--period", "2026-09", "--confirm", "2026-09"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("warning: 3 records wait in suspense, and are not in the books of 2026-09\n"),
        "{said}"
    );
    for reason in ["identifier not assigned", "no contract item for usage type", "no number in distance"] {
        assert!(said.contains(reason), "{said}");
    }
    assert!(said.contains(" 5.09  EUR"), "the money at risk: {said}");
}
