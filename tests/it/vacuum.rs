//! Files that nobody needs are removed, and nothing else is.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::closing::{rental, run_at};
use crate::sample::Sample;

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Lets everything in the warehouse have been written a month ago.
pub fn age(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            File::open(&path).unwrap().set_modified(SystemTime::now() - MONTH).unwrap();
        }
    }
}

fn another_price(sample: &Sample, old: &str, new: &str) {
    let price = |amount| format!("rental-2026,rental,per_unit,{amount},");
    sample.replace("data/price.csv", &price(old), &price(new));
}

pub fn removed(sample: &Sample, arguments: &[&str]) -> u64 {
    let arguments: Vec<&str> = ["vacuum", "--format", "csv"].iter().chain(arguments).copied().collect();
    let rows = sample.ok(&arguments);
    let files = rows.lines().skip(1).map(|row| row.split(',').nth(3).unwrap().parse::<u64>().unwrap());
    files.sum()
}

#[test]
fn what_no_run_of_the_last_days_names_goes_and_nothing_else() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    another_price(&sample, "1.50", "1.60");
    sample.ok(&["run", "--period", "2026-10"]);
    another_price(&sample, "1.60", "1.70");
    sample.ok(&["run"]);
    let totals = sample.rows("select customer_id, billing_period, amount from customer_total order by 1, 2");
    assert_eq!(removed(&sample, &[]), 0, "all was written in the last days");

    age(&sample.path().join("warehouse"));
    let would_go = removed(&sample, &["--dry-run"]);
    assert!(would_go > 10, "{would_go}");
    assert_eq!(removed(&sample, &["--keep-days", "40"]), 0, "runs of forty days name it");
    assert_eq!(removed(&sample, &[]), would_go);
    assert_eq!(removed(&sample, &[]), 0, "it is gone");

    let rows = sample.rows("select customer_id, billing_period, amount from customer_total order by 1, 2");
    assert_eq!(rows, totals);
    let said = String::from_utf8(sample.meterhouse(&["verify"]).stderr).unwrap();
    assert!(said.contains("vacuum has removed what other runs than run 3 made"), "{said}");
    // A run is repeated from usage and reference data, which stay; only one that left some periods as they were needs
    // these.
    sample.ok(&["run", "--replay", "3"]);
    sample.ok(&["run", "--replay", "1"]);
    let (status, said) = sample.fails(&["run", "--replay", "2"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("run 2 cannot be repeated: vacuum removed what it read or made"), "{said}");
    let said = String::from_utf8(sample.meterhouse(&["run"]).stderr).unwrap();
    assert!(said.contains("nothing to do"), "{said}");
    another_price(&sample, "1.70", "1.80");
    sample.ok(&["run"]);
    sample.ok(&["run", "--replay", "4"]);
}

#[test]
fn a_closed_period_is_rated_again_by_what_a_vacuum_left() {
    let billed = |has_vacuum: bool| {
        let sample = Sample::new();
        run_at(&sample, &["run"]);
        run_at(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
        for (old, new) in [("1.50", "1.60"), ("1.60", "1.70")] {
            another_price(&sample, old, new);
            run_at(&sample, &["run"]);
        }
        if has_vacuum {
            age(&sample.path().join("warehouse"));
            assert!(removed(&sample, &[]) > 0);
        }
        sample.write("data/usage/late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000.5"));
        run_at(&sample, &["run"]);
        run_at(&sample, &["verify"]);
        sample.rows("select line_id, amount from invoice_line order by 1")
    };
    assert_eq!(billed(true), billed(false));
}

/// What is not published is no more use, so a job that fails every hour does not fill the disk.
#[test]
fn a_run_that_is_refused_leaves_no_file() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let files = || {
        let pattern = sample.path().join("warehouse/**/*.parquet");
        let mut files: Vec<_> = glob::glob(pattern.to_str().unwrap()).unwrap().flatten().collect();
        files.sort();
        files
    };
    let before = files();
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    sample.write(
        "queries/checks/nothing.sql",
        "-- nothing: no line at all.\nselect invoice_line.line_id from invoice_line\n",
    );
    let refused = |what: &str| {
        let (status, said) = sample.fails(&["run"]);
        assert!(status == 1 && said.contains(what), "{said}");
        assert_eq!(files(), before, "{what}");
    };
    refused("check `nothing` found");
    // By a check of reference data alone, and by a period that is none.
    sample.write(
        "queries/checks/nothing.sql",
        "-- nothing: no price at all.\nselect price.price_id from price\n",
    );
    refused("check `nothing` found");
    std::fs::remove_file(sample.path().join("queries/checks/nothing.sql")).unwrap();
    assert_eq!(sample.fails(&["run", "--period", "2031-01"]).0, 1);
    assert_eq!(files(), before);
}
