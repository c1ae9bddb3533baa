//! Books over time: whatever comes in which order, and whoever is killed when, ends in the same truth.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::closing::{AFTER, billed, close, land, rental, rows, run_at};
use crate::sample::Sample;

/// A small generator of numbers, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    /// From 0, below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The sample with credits that pay the rentals of both contracts until they are used up, in October or before.
fn with_credits(amount: &str) -> Sample {
    let sample = Sample::new();
    sample.write(
        "data/grant_account.csv",
        "contract_id,quota_id,quota_scope,currency,opened_at\nCON123,money,customer,EUR,2026-08-31T22:00:00Z\n",
    );
    sample.write(
        "data/quota_grant.csv",
        &format!(
            "grant_id,contract_id,quota_id,amount,effective_at\npaid,CON123,money,{amount},2026-08-31T22:00:00Z\n"
        ),
    );
    sample
}

/// Late usage of the first closed period leaves less for the second, and a void gives it back.
#[test]
fn what_carries_over_goes_on_from_what_is_right_now() {
    let sample = with_credits("500");
    run_at(&sample, &["run"]);
    let credits = "select sum(amount) from invoice_line where description like '%Credit%'";
    close(&sample, "2026-09");
    close(&sample, "2026-10");
    let of_period = |period: &str| {
        let query = format!(
            "select sum(amount) from invoice_line where customer_id = 'ALPEN' and currency = 'EUR' \
             and description like '%Credit%' and coalesce(corrected_period, billing_period) = '{period}'"
        );
        rows(&sample, &query)[0].clone()
    };
    let (september, october) = (of_period("2026-09"), of_period("2026-10"));
    assert_eq!(rows(&sample, credits), ["-500.000000000000"], "they are used up");
    assert_ne!(october, "", "october is paid in part");
    land(&sample, "late.ndjson", &rental("carried", "2026-09-20T12:00:00", "100"));
    run_at(&sample, &["run"]);
    // 100 km at 0.29 are 29.00 more in September, and that much less is left in October.
    let sum = |period: &str, before: &str| {
        rows(
            &sample,
            &format!(
                "select cast({} as decimal(9, 2)) - cast({before} as decimal(9, 2)) as x",
                of_period(period)
            ),
        )
    };
    assert_eq!(sum("2026-09", &september), ["-29.00"]);
    assert_eq!(sum("2026-10", &october), ["29.00"]);
    assert_eq!(rows(&sample, credits), ["-500.000000000000"]);
    run_at(&sample, &["void", "carried", "--reason", "test"]);
    run_at(&sample, &["run"]);
    assert_eq!(sum("2026-09", &september), ["0.00"]);
    assert_eq!(sum("2026-10", &october), ["0.00"]);
    run_at(&sample, &["verify"]);
}

/// Landings, late usage, voids and restores in any order between runs and closings come to what one rating of the final
/// truth gives; also of what credits pay, which goes on from cycle to cycle.
#[test]
fn any_history_comes_to_the_final_truth() {
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let sample = with_credits("500");
        run_at(&sample, &["run"]);
        let mut landed: Vec<(String, String)> = Vec::new();
        let mut void: BTreeMap<String, bool> = BTreeMap::new();
        let mut periods = ["2026-09", "2026-10"].iter();
        for step in 0..9 {
            match dice.below(6) {
                0 | 1 => {
                    let records = (0..=dice.below(2)).map(|number| {
                        let (month, day) = (9 + dice.below(3), 1 + dice.below(20));
                        let id = format!("h{seed}-{step}-{number}");
                        let start = format!("2026-{month:02}-{day:02}T12:00:00");
                        (id.clone(), rental(&id, &start, &format!("{}.25", dice.below(900))))
                    });
                    let records: Vec<_> = records.collect();
                    let text: String = records.iter().map(|(_, text)| text.as_str()).collect();
                    land(&sample, &format!("h{step}.ndjson"), &text);
                    landed.extend(records);
                }
                2 | 3 => {
                    let id = match dice.below(2) {
                        0 if !landed.is_empty() => landed[dice.below(landed.len() as u64) as usize].0.clone(),
                        _ => format!("TR{:06}", 1 + dice.below(20)),
                    };
                    let is_void = void.entry(id.clone()).or_default();
                    *is_void = !*is_void;
                    let word = if *is_void { "void" } else { "restore" };
                    run_at(&sample, &[word, &id, "--reason", "history"]);
                }
                4 => {
                    run_at(&sample, &["run"]);
                }
                _ => {
                    if let Some(period) = periods.next() {
                        close(&sample, period);
                    }
                }
            }
        }
        periods.for_each(|period| close(&sample, period));
        run_at(&sample, &["run"]);

        let fresh = with_credits("500");
        land(&fresh, "all.ndjson", &landed.iter().rev().map(|(_, text)| text.as_str()).collect::<String>());
        run_at(&fresh, &["run"]);
        for id in void.iter().filter(|(_, is_void)| **is_void).map(|(id, _)| id) {
            run_at(&fresh, &["void", id, "--reason", "history"]);
        }
        run_at(&fresh, &["run"]);
        assert_eq!(billed(&sample), billed(&fresh), "seed {seed}");
        run_at(&sample, &["verify"]);
    }
}

#[test]
fn a_scheduler_that_was_away_closes_the_oldest_first() {
    let sample = Sample::new();
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[close]\nautomatic = true\nafter_days = 3\n"));
    run_at(&sample, &["run"]);
    let closed =
        rows(&sample, "select billing_period, close_number, closed_by from closed_period order by 1");
    assert_eq!(closed, ["2026-09,1,settings: close.automatic", "2026-10,2,settings: close.automatic"]);
    // Nothing is left to do.
    assert_eq!(run_at(&sample, &["run"]), "");
}

/// What is exported of a period, file by file; the manifest has the numbers of runs.
pub fn exported(sample: &Sample, period: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = sample.path().join("exported");
    run_at(sample, &["export", "--period", period, "--to", folder.to_str().unwrap()]);
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_str().unwrap().contains("manifest") {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(path.strip_prefix(&folder).unwrap().to_path_buf(), bytes);
            }
        }
    }
    assert!(files.len() > 2, "{files:?}");
    files
}

// With the 12 moments of a run in `laws.rs`, these are 50.
#[test]
fn kill_9_while_closing_ends_in_the_same_books() {
    let published = Sample::new();
    run_at(&published, &["run"]);
    let books = |sample: &Sample| {
        let lines = "select line_id, amount, quantity, billing_period from billed_line order by line_id";
        (rows(sample, lines), exported(sample, "2026-09"))
    };
    let expected = {
        let other = Sample::over(published.path());
        close(&other, "2026-09");
        (books(&other), billed(&other))
    };
    let sample = Sample::over(published.path());
    for round in 0..38_u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .arg("--project")
            .arg(sample.path())
            .args(["--as-of", AFTER, "close", "--period", "2026-09", "--confirm", "2026-09", "--by", "tests"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30 + 45 * round));
        let _ = child.kill();
        child.wait().unwrap();
    }
    close(&sample, "2026-09");
    assert_eq!((books(&sample), billed(&sample)), expected);
    run_at(&sample, &["verify"]);
}
