//! Small files of usage are merged where they are many, and nothing else is another than before.

use std::collections::BTreeSet;
use std::sync::Arc;

use meterhouse::catalog::{pin, pin_at};
use meterhouse::ledger::{self, content};
use meterhouse::proof::verify;
use meterhouse::store::warehouse::Warehouse;
use meterhouse::table::file::DataFile;
use object_store::local::LocalFileSystem;
use tokio::runtime::Runtime;

use crate::closing::run_at;
use crate::fault_store::{Death, FaultStore};
use crate::laws::{local, run_on};
use crate::sample::{Sample, ok, project};
use crate::vacuum::{age, removed};

/// More files than are left alone.
const MANY: usize = 35;

fn file(number: usize) -> String {
    format!(
        "transaction_id,usage_type,usage_start,account_id,quantity,unit\nid-{number},call,2026-10-01T12:00:00Z,account-1,{number},minute\n\
         id-{number},call,never,account-1,1,minute\n"
    )
}

/// Lets files lie in the inbox, each with a record and a line that is none.
pub fn come(sample: &Sample, numbers: std::ops::Range<usize>) {
    for number in numbers {
        sample.write(&format!("data/usage/{number:04}.csv"), &file(number));
    }
}

/// What runs are made on.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .unwrap()
}

fn warehouse(sample: &Sample) -> Warehouse {
    local(&sample.path().canonicalize().unwrap())
}

/// The files and the content of a landed table.
fn landed(sample: &Sample, table: &str) -> (usize, String) {
    let pinned = runtime().block_on(pin(&warehouse(sample))).unwrap();
    (pinned[table].1.len(), content(&pinned[table].1))
}

fn said(sample: &Sample, arguments: &[&str]) -> String {
    let output = sample.meterhouse(arguments);
    ok(&output);
    String::from_utf8(output.stderr).unwrap()
}

fn at(sample: &Sample, file: &str) -> String {
    sample.path().join(file).to_string_lossy().into_owned()
}

const LANDED: [&str; 3] = ["landing", "usage_record", "usage_rejected"];
const RECORDS: &str = "select count(*), sum(quantity), count(distinct landing_id) from usage_record";

/// A project of the landed tables and one that counts them, with an inbox.
pub fn bare() -> Sample {
    let sample = Sample::bare();
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[inbox.usage]\nfiles = [\"data/usage/*\"]\n"));
    sample.write(
        "schemas/total.sql",
        "-- What there is.\ncreate table total (\n    records bigint not null comment 'how many'\n);\n",
    );
    sample.write("queries/1_total.sql", "select count(*) as records\nfrom usage_record\n");
    sample
}

#[test]
fn merged_files_have_the_same_rows_and_nothing_is_made_again() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    let before = LANDED.map(|table| landed(&sample, table));
    assert!(before.iter().all(|(files, _)| *files >= MANY), "{before:?}");

    let told = said(&sample, &["run"]);
    for (table, (files, _)) in LANDED.iter().zip(&before) {
        assert!(
            told.contains(&format!("merge {table}: {files} small files are 1 now, with the same rows")),
            "{told}"
        );
    }
    assert!(told.contains("nothing to do"), "{told}");
    let after = LANDED.map(|table| landed(&sample, table));
    for (table, (now, then)) in LANDED.iter().zip(after.iter().zip(&before)) {
        assert_eq!((now.0, &now.1), (1, &then.1), "{table}");
    }
    let told = said(&sample, &["run"]);
    assert!(told.contains("nothing to do") && !told.contains("merge"), "{told}");
    sample.ok(&["verify"]);
    for run in ["1", "2"] {
        sample.ok(&["run", "--replay", run]);
    }
    // A landing is known by its number, whatever file its rows are in.
    sample.write("again.csv", &file(3));
    let told = said(&sample, &["land", &at(&sample, "again.csv")]);
    assert!(told.contains("before"), "{told}");
    assert_eq!(LANDED.map(|table| landed(&sample, table)), after);
    // Later usage lands beside it.
    come(&sample, MANY..MANY + 2);
    let told = said(&sample, &["run"]);
    assert!(told.contains("published as run 3") && !told.contains("merge"), "{told}");
    assert_eq!(landed(&sample, "usage_record").0, 3);
    sample.ok(&["run", "--replay", "3"]);
    sample.ok(&["verify"]);
}

#[test]
fn landings_that_closed_books_have_reached_are_not_merged_with_others() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    run_at(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
    come(&sample, 0..MANY);
    run_at(&sample, &["run"]);
    let (files, rows) = landed(&sample, "usage_record");
    let lines = sample.rows("select line_id, amount from invoice_line order by 1");
    let head = || runtime().block_on(ledger::head(&warehouse(&sample))).unwrap().unwrap().run;
    let run = head();
    run_at(&sample, &["run"]);
    assert_eq!(head(), run, "nothing is made again");
    let (now, same) = landed(&sample, "usage_record");
    assert!(now > 1 && now < files && same == rows, "{now} of {files}");
    let booked = sample.rows("select landing_id from booked_landing");
    let booked: BTreeSet<i64> = booked.iter().map(|landing| landing.parse().unwrap()).collect();
    let pinned = runtime().block_on(pin(&warehouse(&sample))).unwrap();
    for file in &pinned["usage_record"].1 {
        let landings = file.of_landings();
        let landings = landings.ranges().iter().flat_map(|(first, last)| *first..=*last);
        let sides: BTreeSet<bool> = landings.map(|landing| booked.contains(&landing)).collect();
        assert_eq!(sides.len(), 1, "{file:?}");
    }
    assert_eq!(sample.rows("select line_id, amount from invoice_line order by 1"), lines);
    sample.ok(&["verify"]);
}

#[test]
fn a_vacuum_removes_what_was_merged_once_nobody_reads_it() {
    let sample = bare();
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    sample.ok(&["run"]);
    assert_eq!(landed(&sample, "usage_record").0, 1);
    let expected = sample.rows(RECORDS);
    assert_eq!(removed(&sample, &[]), 0, "it was merged just now");
    age(&sample.path().join("warehouse"));
    assert_eq!(removed(&sample, &[]), 0, "the newest run read it");
    come(&sample, MANY..MANY + 1);
    sample.ok(&["run"]);
    assert_eq!(removed(&sample, &[]), 0, "the run before was the newest today");
    // Files whose landing is not in a merged file stay, also where no Delta log names them.
    let orphans =
        ["landing-900.parquet", "landing-7000.parquet"].map(|name| format!("warehouse/usage_record/{name}"));
    orphans.iter().for_each(|orphan| sample.write(orphan, "half a file"));
    age(&sample.path().join("warehouse"));
    // And the file of `total` that the first run made.
    let merged = 3 * MANY as u64 + 1;
    assert_eq!(removed(&sample, &["--dry-run"]), merged);
    assert_eq!(removed(&sample, &[]), merged);
    assert_eq!(removed(&sample, &[]), 0);
    orphans.iter().for_each(|orphan| assert_eq!(sample.read(orphan), "half a file"));
    assert_eq!(sample.rows("select count(*), count(distinct landing_id) from usage_record"), ["36,36"]);
    assert_eq!(expected, ["35,595,35"]);
    sample.ok(&["verify"]);
    sample.ok(&["run", "--replay", "2"]);
    let (status, said) = sample.fails(&["run", "--replay", "1"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("run 1 cannot be repeated: vacuum removed"), "{said}");
}

#[test]
fn files_of_another_contract_stay_as_they_are() {
    let sample = bare();
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    let schema = "schemas/usage_record.sql";
    let text = sample.read(schema);
    let text = text.replace(
        "    id_hash bigint",
        "    colour varchar comment 'what it looks like',\n    id_hash bigint",
    );
    sample.write(schema, &text.replace("check (usage_end >= usage_start)", "check (quantity < 3)"));
    let before = landed(&sample, "usage_record");
    let told = said(&sample, &["run"]);
    assert!(told.contains("merge landing") && !told.contains("merge usage_record"), "{told}");
    assert_eq!(landed(&sample, "usage_record"), before);
    // What lands from now on is merged by itself.
    come(&sample, MANY..2 * MANY);
    sample.ok(&["run"]);
    sample.ok(&["run"]);
    assert_eq!(sample.rows("select count(*) from usage_record"), [MANY.to_string()]);
}

#[test]
fn a_kill_at_any_write_of_a_merge_leaves_all_rows() {
    let runtime = runtime();
    let sample = bare();
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    let expected = LANDED.map(|table| landed(&sample, table).1);
    // Nothing lands but what has.
    std::fs::remove_dir_all(sample.path().join("data/usage")).unwrap();
    let attempt = |writes: usize, death: Death| {
        let copy = Sample::over(sample.path());
        let (project, folder) = (project(copy.path()), copy.path().canonicalize().unwrap());
        let store = Arc::new(FaultStore::new(Arc::new(LocalFileSystem::new()), writes, death));
        let _ = runtime.block_on(run_on(&project, store.clone(), &folder));
        assert_eq!(LANDED.map(|table| landed(&copy, table).1), expected, "{writes} {death:?}");
        runtime.block_on(run_on(&project, Arc::new(LocalFileSystem::new()), &folder)).unwrap();
        assert_eq!(LANDED.map(|table| landed(&copy, table)), expected.clone().map(|content| (1, content)));
        runtime.block_on(verify::verify(&project, &local(&folder), None)).unwrap();
        store.seen()
    };
    let total = attempt(usize::MAX - 1, Death::Before);
    assert!(total >= 6, "{total}");
    for writes in 0..total {
        for death in [Death::Before, Death::After, Death::Lie] {
            attempt(writes, death);
        }
    }
}

#[test]
fn of_mergers_that_meet_one_merges_and_a_landing_beside_them_counts() {
    let sample = bare();
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    for number in MANY..MANY + 12 {
        sample.write(&format!("{number}.csv"), &file(number));
    }
    std::thread::scope(|scope| {
        for part in 0..2 {
            let sample = &sample;
            scope.spawn(move || {
                for number in (MANY..MANY + 12).filter(|number| number % 2 == part) {
                    sample.ok(&["land", &at(sample, &format!("{number}.csv"))]);
                }
            });
            scope.spawn(move || {
                for _ in 0..4 {
                    // Of two runs that have something new, one may publish and the other not.
                    let output = sample.meterhouse(&["run"]);
                    assert!([Some(0), Some(75)].contains(&output.status.code()), "{output:?}");
                }
            });
        }
    });
    let all = MANY + 12;
    let sum: usize = (0..all).sum();
    assert_eq!(sample.rows(RECORDS), [format!("{all},{sum},{all}")]);
    assert_eq!(sample.rows("select sum(record_count) from landing"), [(2 * all).to_string()]);
    assert!(landed(&sample, "usage_record").0 < all);
    sample.ok(&["run"]);
    sample.ok(&["verify"]);
}

/// A run that pins what has landed beside a merge reads each record once: it looks again where a merged file has rows
/// of landings that it does not know of.
#[test]
fn what_is_pinned_beside_a_merge_is_of_one_moment() {
    let sample = bare();
    come(&sample, 0..MANY);
    sample.ok(&["run"]);
    let runtime = runtime();
    let warehouse = warehouse(&sample);
    let before = runtime.block_on(pin(&warehouse)).unwrap();
    come(&sample, MANY..2 * MANY);
    sample.ok(&["run"]);
    sample.ok(&["run"]);
    let now = runtime.block_on(pin(&warehouse)).unwrap();
    // `landing` as it was, and the others as they are: no moment had that.
    let mixed = now.iter().map(|(table, (version, _))| (table.clone(), *version));
    let mixed = mixed.chain([("landing".to_string(), before["landing"].0)]).collect();
    let head = runtime.block_on(ledger::head(&warehouse)).unwrap().unwrap();
    assert!(runtime.block_on(pin_at(&warehouse, Some(&head.inputs))).is_ok());
    let error = runtime.block_on(pin_at(&warehouse, Some(&mixed))).unwrap_err();
    assert_eq!(error.exit_status(), 1, "{error}");
    // Nor has a log that lost its end, which is told and not waited for.
    let log = sample.path().join("warehouse/landing/_delta_log");
    for version in before["landing"].0..now["landing"].0 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let (status, said) = sample.fails(&["run"]);
    assert!(status == 1 && said.contains("a part of what had landed is gone"), "{said}");
    let paths: BTreeSet<&str> =
        now["usage_record"].1.iter().map(|file: &DataFile| file.path.as_str()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
}
