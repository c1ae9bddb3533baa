//! Guards of time: what closes too early, or runs for a time that is closed, is refused; what is for another time than
//! now says what it does.

use std::process::Command;

use crate::closing::{AFTER, close, rows, run_at};
use crate::sample::Sample;

/// The exit status of a command as of a time, and what it says.
fn at(sample: &Sample, as_of: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", as_of, "-q"])
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn runs(sample: &Sample) -> usize {
    std::fs::read_dir(sample.path().join("warehouse/ledger/0000000")).unwrap().count()
}

fn newest(sample: &Sample) -> String {
    sample.read(&format!("warehouse/ledger/0000000/{:010}.json", runs(sample)))
}

/// A contract of a century that nobody has seen.
fn in_the_future() -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from\n\
         K,ALPEN,EUR,UTC,month,2098-12-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,valid_from\n\
         i,K,p,Fee,2098-12-01T00:00:00Z\n",
    );
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,flat_amount,valid_from\np,p,flat,10,2026-01-01\n",
    );
    sample
}

const NEXT_CENTURY: &str = "2099-02-01T00:00:00Z";
const CLOSE: [&str; 5] = ["close", "--period", "2098-12", "--confirm", "2098-12"];

#[test]
fn what_has_not_ended_by_the_clock_does_not_close() {
    let sample = in_the_future();
    let (status, said) = at(&sample, NEXT_CENTURY, &CLOSE);
    assert_eq!(status, 1, "{said}");
    let what = "2098-12 was not closed: 2099-02-01T00:00:00Z is ahead of the clock (";
    assert!(said.contains(what), "{said}");
    assert!(said.contains("--accept"), "{said}");
    assert!(
        !sample.path().join("warehouse/ledger/0000000/0000000001.json").exists(),
        "not even a run is published"
    );
    let (status, said) = at(&sample, NEXT_CENTURY, &["run"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("warning: this run is as of 2099-02-01T00:00:00Z, ahead of the clock ("), "{said}");
    assert!(said.contains("cycles that have not begun are billed as drafts"), "{said}");
    assert_eq!(at(&sample, NEXT_CENTURY, &CLOSE).0, 1);
    assert_eq!(runs(&sample), 1);
    // Settings that close what is due do not either.
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[close]\nautomatic = true\n"));
    assert_eq!(at(&sample, NEXT_CENTURY, &["run"]).0, 0);
    assert_eq!(runs(&sample), 1);
    sample.write("meterhouse.toml", &settings);
    // Somebody may want it.
    let accepted = [&CLOSE[..], &["--accept", "a rehearsal", "--by", "anna"]].concat();
    let (status, said) = at(&sample, NEXT_CENTURY, &accepted);
    assert_eq!(status, 0, "{said}");
    assert_eq!(rows(&sample, "select billing_period, accepted from closed_period"), ["2098-12,a rehearsal"]);
    assert!(newest(&sample).contains("\"accepted\": \"a rehearsal\""));
    // Now is long before.
    let (status, said) = at(&sample, AFTER, &["run"]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(
            "nothing is run as of 2026-11-21T00:00:00Z: 2098-12 was closed as of 2099-02-01T00:00:00Z"
        ),
        "{said}"
    );
}

#[test]
fn nothing_runs_as_of_a_time_before_the_newest_closing() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let lines = "select count(*), sum(amount) from invoice_line";
    let (before, known) = (rows(&sample, lines), runs(&sample));
    let confirmed = ["--period", "2026-09", "--confirm", "2026-09"];
    let why = ["--reason", "agreed before"];
    for arguments in [
        vec!["run"],
        vec!["run", "--period", "2026-10"],
        vec!["close", "--period", "2026-10", "--confirm", "2026-10"],
        [&["rerate"][..], &confirmed, &why].concat(),
    ] {
        for as_of in ["2020-01-01T00:00:00Z", "2026-11-20T23:59:59Z"] {
            let (status, said) = at(&sample, as_of, &arguments);
            assert_eq!(status, 1, "{arguments:?}: {said}");
            let what = format!("nothing is run as of {as_of}: 2026-09 was closed as of {AFTER}, and what");
            assert!(said.contains(&what) && said.contains("--accept"), "{arguments:?}: {said}");
        }
    }
    assert_eq!((rows(&sample, lines), runs(&sample)), (before, known));
    // To look is free, and so is to repeat.
    for arguments in
        [&["sql", "select 1"][..], &["status"], &["status", "--reach-back"], &["run", "--replay", "1"]]
    {
        let (status, said) = at(&sample, "2020-01-01T00:00:00Z", arguments);
        assert_eq!(status, 0, "{arguments:?}: {said}");
    }
    assert_eq!(at(&sample, "2020-01-01T00:00:00Z", &["run", "--accept", " "]).0, 2);
    let (status, said) = at(&sample, "2026-10-15T00:00:00Z", &["run", "--accept", "to see October"]);
    assert_eq!(status, 0, "{said}");
    assert!(newest(&sample).contains("\"accepted\": \"to see October\""));
    let (status, said) = at(&sample, AFTER, &["run", "--accept", "nothing to accept"]);
    assert_eq!(status, 0, "{said}");
    assert!(!newest(&sample).contains("nothing to accept"));
}

#[test]
fn a_run_for_an_earlier_time_than_the_one_before_says_what_it_takes_back() {
    let sample = Sample::new();
    let (status, said) = at(&sample, AFTER, &["run"]);
    assert_eq!((status, said.contains("warning")), (0, false), "{said}");
    let (status, said) = at(&sample, "2026-09-15T00:00:00Z", &["run"]);
    assert_eq!(status, 0);
    let expected = "warning: this run is as of 2026-09-15T00:00:00Z, the one before as of 2026-11-21T00:00:00Z: cycles \
                    that began in between are taken back, and their drafts with them";
    assert!(said.contains(expected), "{said}");
    let (status, said) = at(&sample, AFTER, &["run"]);
    assert_eq!((status, said.contains("warning")), (0, false), "{said}");
}

#[test]
fn what_a_run_did_is_told_where_closing_refuses() {
    let sample = Sample::new();
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[close]\nautomatic = true\n"));
    sample.write("data/close_limit.csv", "limit_name,limit_value\nsuspense_records,2\n");
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", AFTER, "--format", "csv", "run"])
        .output()
        .unwrap();
    let (data, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(data.contains("2026-09,EUR,5,1,336.58"), "{data}");
    assert!(said.contains("published as run 1"), "{said}");
    assert!(said.contains("2026-09 was not closed"), "{said}");
}

/// A period that cannot be closed, or rated again, is refused before a run is published for it.
#[test]
fn a_period_that_cannot_be_closed_publishes_nothing() {
    let sample = Sample::new();
    let of = |command: &'static str, period: &'static str| {
        let reason = if command == "rerate" { &["--reason", "a test"][..] } else { &[] };
        [&[command, "--period", period, "--confirm", period][..], reason].concat()
    };
    for (arguments, status, told) in [
        (of("close", "2031-01"), 2, "no billing cycle ends in 2031-01"),
        (of("close", "2026-12"), 1, "2026-12 was not closed: its last cycle has not ended"),
        (of("close", "2026-10"), 1, "2026-10 was not closed: 2026-09 is still open"),
        (of("rerate", "2031-01"), 2, "2031-01 is not closed"),
    ] {
        let (ended, said) = at(&sample, AFTER, &arguments);
        assert!(ended == status && said.contains(told), "{ended} {said}");
        assert!(!sample.path().join("warehouse/ledger").exists(), "{arguments:?}");
    }
    assert_eq!(at(&sample, AFTER, &of("close", "2026-09")).0, 0);
}
