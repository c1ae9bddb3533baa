//! A published run made again gives the same rows, and says so where it does not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::closing::run_at;
use crate::sample::Sample;

fn repeat(sample: &Sample, number: u64) -> (i32, String) {
    let output = sample.meterhouse(&["run", "--replay", &number.to_string()]);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn last_run(sample: &Sample) -> u64 {
    std::fs::read_dir(sample.path().join("warehouse/ledger/0000000")).unwrap().count() as u64
}

fn entry(number: u64) -> String {
    format!("warehouse/ledger/0000000/{number:010}.json")
}

/// Every file below a folder with its size.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), path.metadata().unwrap().len());
        }
    }
    found
}

fn rental(id: &str, start: &str, km: &str) -> String {
    format!(
        "{{\"transactionID\":\"{id}\",\"usageStart\":\"{start}\",\"usageType\":\"CarRentUsage\",\
         \"VIN\":\"WVWZZZ1KZAW000042\",\"distance\":{km}}}\n"
    )
}

#[test]
fn every_published_run_is_repeated() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    // Another price, other usage, another query: what is repeated is none of these.
    sample.replace(
        "data/price.csv",
        "driven_km-autumn,driven_km,per_unit,0.31",
        "driven_km-autumn,driven_km,per_unit,0.41",
    );
    sample.write("data/usage/more.ndjson", &rental("more-1", "2026-10-20T12:00:00", "40"));
    run_at(&sample, &["run"]);
    run_at(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
    sample.replace(
        "queries/8_invoice/item_line.sql",
        "contract_item.description,",
        "upper(contract_item.description) as description,",
    );
    sample.write("data/usage/late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000.5"));
    run_at(&sample, &["void", "TR000002", "--reason", "wrong car"]);
    run_at(&sample, &["run"]);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    run_at(&sample, &["run", "--period", "2026-10"]);
    run_at(&sample, &["rerate", "--period", "2026-09", "--confirm", "2026-09", "--reason", "agreed before"]);
    run_at(&sample, &["close", "--period", "2026-10", "--confirm", "2026-10"]);
    let warehouse = sample.path().join("warehouse");
    let before = files(&warehouse);
    let last = last_run(&sample);
    assert!(last >= 7, "{last}");
    for number in 1..=last {
        let (status, said) = repeat(&sample, number);
        assert_eq!(status, 0, "{number}: {said}");
        let tables = said.lines().filter(|line| line.starts_with("same ")).count();
        assert!(tables > 30, "{said}");
        let end = format!("run {number} repeated: {tables} tables, all the same rows (");
        assert!(said.lines().last().unwrap().starts_with(&end), "{said}");
    }
    assert_eq!(files(&warehouse), before, "a replay writes nothing");
    run_at(&sample, &["verify"]);
}

#[test]
fn a_table_with_other_rows_is_named() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let text = sample.read(&entry(1));
    let charge = text.find("\"charge\": {").unwrap();
    let hash = charge + text[charge..].find("\"hash\": \"").unwrap() + "\"hash\": \"".len();
    let other = if &text[hash..=hash] == "0" { "1" } else { "0" };
    sample.write(&entry(1), &format!("{}{other}{}", &text[..hash], &text[hash + 1..]));
    let (status, said) = repeat(&sample, 1);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("error: run 1 repeated: 1 of "), "{said}");
    assert!(said.contains("\n  charge: ") && said.contains(" rows, some with other values"), "{said}");
}

#[test]
fn what_cannot_be_repeated_says_why() {
    let sample = Sample::new();
    let (status, said) = repeat(&sample, 1);
    assert_eq!((status, said.lines().next().unwrap()), (2, "error: there is no run 1"));
    run_at(&sample, &["run"]);
    let (status, said) = repeat(&sample, 2);
    assert_eq!(status, 2);
    assert_eq!(said, "error: there is no run 2\nhint: the last one is 1: meterhouse status\n");
    let broken = |change: &dyn Fn(&Sample)| {
        let copy = Sample::over(sample.path());
        change(&copy);
        let (status, said) = repeat(&copy, 1);
        assert_eq!(status, 1, "{said}");
        said
    };
    let text = sample.read(&entry(1));
    let project = text.lines().find_map(|line| line.trim().strip_prefix("\"project\": ")).unwrap();
    let project = project.trim_matches([',', '"']).to_string();

    let kept = format!("warehouse/books/{project}.json");
    let said = broken(&|copy| std::fs::remove_file(copy.path().join(&kept)).unwrap());
    assert!(said.contains("is not what was kept there"), "{said}");
    let said = broken(&|copy| {
        let folder = copy.path().join("warehouse/usage_record");
        let usage =
            files(&folder).into_keys().find(|path| path.extension().is_some_and(|end| end == "parquet"));
        std::fs::remove_file(usage.unwrap()).unwrap();
    });
    assert!(said.contains("1 of the files it read are not as they were\n  usage_record/"), "{said}");
    assert!(said.contains("is gone"), "{said}");
    let said = broken(&|copy| {
        std::fs::remove_dir_all(copy.path().join("warehouse/landing/_delta_log")).unwrap();
    });
    assert!(said.contains("run 1 cannot be repeated: reading the Delta log of landing"), "{said}");
}
