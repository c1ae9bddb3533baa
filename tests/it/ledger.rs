//! The ledger: who ran what and for how long, its chain, and the head that is kept elsewhere.

use crate::closing::run_at;
use crate::sample::Sample;

fn entry(number: u64) -> String {
    format!("warehouse/ledger/0000000/{number:010}.json")
}

/// A value of a ledger entry as it is written.
fn field(sample: &Sample, number: u64, name: &str) -> String {
    let text = sample.read(&entry(number));
    let start = format!("  \"{name}\": ");
    let value = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    value.trim_end_matches(',').trim_matches('"').to_string()
}

fn head(sample: &Sample) -> String {
    let printed = sample.ok(&["verify", "--format", "csv"]);
    let (header, row) = printed.trim().split_once('\n').unwrap();
    assert_eq!(header, "run,sha256");
    row.split_once(',').unwrap().1.to_string()
}

fn another_price(sample: &Sample, old: &str, new: &str) {
    let price = |amount| format!("rental-2026,rental,per_unit,{amount},");
    sample.replace("data/price.csv", &price(old), &price(new));
}

#[test]
fn an_entry_says_who_ran_it_and_how_long_it_took() {
    let sample = Sample::new();
    sample.ok(&["run", "--by", "anna"]);
    assert_eq!(field(&sample, 1, "by"), "anna");
    let seconds: f64 = field(&sample, 1, "took_seconds").parse().unwrap();
    assert!(seconds > 0.0 && seconds < 600.0, "{seconds}");
    assert_eq!(field(&sample, 1, "project").len(), 64);
    another_price(&sample, "1.50", "1.60");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", crate::sample::AS_OF, "run"])
        .env("USER", "scheduler")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(field(&sample, 2, "by"), "scheduler");
    // Not by what they say of a run, but by what they say of its tables, runs are the same.
    assert_eq!(field(&sample, 1, "project"), field(&sample, 2, "project"));
}

#[test]
fn a_head_that_was_kept_tells_a_ledger_that_was_written_anew() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let kept = head(&sample);
    another_price(&sample, "1.50", "1.60");
    sample.ok(&["run"]);
    assert_ne!(head(&sample), kept);
    sample.ok(&["verify", "--head", &kept]);
    sample.ok(&["verify", "--head", &kept.to_uppercase()]);
    let (status, said) = sample.fails(&["verify", "--head", "0123"]);
    assert_eq!(status, 2);
    assert_eq!(
        said,
        "error: `0123` is not a SHA-256 hash\nhint: give the 64 digits that `meterhouse verify` printed\n"
    );
    // The same warehouse made anew is without fault in itself.
    let anew = Sample::new();
    anew.ok(&["run"]);
    anew.ok(&["verify"]);
    let (status, said) = anew.fails(&["verify", "--head", &kept]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains(&format!("ledger: no entry has the SHA-256 {kept}")), "{said}");
    let (status, said) = Sample::new().fails(&["verify", "--head", &kept]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("no entry has the SHA-256"), "{said}");
}

#[test]
fn an_entry_of_another_form_is_refused() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace(&entry(1), "\"schema_version\": 3", "\"schema_version\": 1");
    let (status, said) = sample.fails(&["status"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("the ledger's entry of run 1 has form 1, and this program reads 3"), "{said}");
}

#[test]
fn an_entry_says_what_changed_and_is_read_after_those_before() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    another_price(&sample, "1.50", "1.60");
    sample.ok(&["run"]);
    another_price(&sample, "1.60", "1.70");
    sample.ok(&["run"]);
    let size = |number| sample.read(&entry(number)).len();
    assert!(size(2) < size(1) / 3 && size(3) < size(1) / 3, "{} {} {}", size(1), size(2), size(3));
    sample.ok(&["verify"]);
    sample.ok(&["run", "--replay", "2"]);
    std::fs::remove_file(sample.path().join(entry(2))).unwrap();
    for command in ["status", "verify"] {
        let (status, said) = sample.fails(&[command]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("ledger: the entry of run 2 is gone"), "{said}");
    }
}

#[test]
fn a_column_that_is_added_leaves_older_files_as_they_were() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    run_at(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
    let days = "    days integer not null comment 'local days from charge_from to charge_to [days]',\n";
    let note = "    note varchar comment 'what is to be known of it',\n";
    sample.replace("schemas/priced_cycle.sql", days, &format!("{note}{days}"));
    sample.replace(
        "queries/3_calendar/priced_cycle.sql",
        "    placed.charge_to,\n    cast(\n",
        "    placed.charge_to,\n    'new' as note,\n    cast(\n",
    );
    run_at(&sample, &["run"]);
    let notes = sample.rows("select billing_period, note from priced_cycle group by 1, 2 order by 1");
    assert_eq!(notes[..2], ["2026-09,", "2026-10,new"]);
    sample.ok(&["verify"]);
}
