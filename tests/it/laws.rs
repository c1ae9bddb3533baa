//! The laws of the design, each with a test that fails when it does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use meterhouse::engine::session::session;
use meterhouse::error::Error;
use meterhouse::ledger;
use meterhouse::project::Project;
use meterhouse::run::{self, Request};
use meterhouse::store::warehouse::Warehouse;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

use crate::fault_store::{Death, FaultStore};
use crate::histories::exported;
use crate::sample::{AS_OF, Sample, project, repository};

const LINES: &str = "select line_id, line_type, record_count, quantity, included_quantity, amount_exact, amount, \
                     currency, billing_period from invoice_line order by line_id";
const PRICE: (&str, &str) =
    ("driven_km-autumn,driven_km,per_unit,0.31", "driven_km-autumn,driven_km,per_unit,0.41");

// Law 1: SQL is the product.

#[test]
fn rust_names_no_table_of_the_rate_book() {
    let project = project(&repository());
    // What landing and closing write, and the few that they read. Written out here, so that one more is seen.
    let known = [
        "usage_record",
        "usage_rejected",
        "landing",
        "usage_decision",
        "receipt",
        "receipt_status",
        "event",
        "job_run",
        "service_change",
        "closed_period",
        "billed_line",
        "billed_statement",
        "billed_usage",
        "billed_item",
        "closed_suspense",
        "closed_table",
        "closed_total",
        "left_record",
        "left_usage",
        "booked_landing",
        "rerated_line",
        "rerating",
        "landing_hold",
        "annulled_usage",
        "guided_usage",
        "invoice_line",
        "suspense",
        "period_end",
        "period_change",
        // Also what usage may be summed by.
        "contract_item",
        // Also a column of receipts: an amount is of one.
        "currency",
        // Also the name of the folders that usage is put into.
        "usage",
    ];
    let tables: BTreeSet<&String> = project
        .schemas
        .keys()
        .chain(project.queries.keys())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    let mut named = Vec::new();
    let sources =
        ["src", "crates/*/src"].map(|folder| format!("{}/{folder}/**/*.rs", repository().display()));
    for file in sources.iter().flat_map(|pattern| glob::glob(pattern).unwrap()) {
        let file = file.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for table in &tables {
            if code.contains(&format!("\"{table}\"")) {
                named.push(format!("{}: {table}", file.display()));
            }
        }
    }
    assert_eq!(named, Vec::<String>::new(), "a commercial rule belongs into queries/");
}

// Law 2: money is exact.

#[test]
fn literals_are_decimals_and_sums_do_not_wrap() {
    let sample = Sample::empty();
    assert_eq!(sample.rows("select 0.1 + 0.2 as x"), ["0.30"]);
    let (status, message) = sample.fails(&[
        "sql",
        "select sum(x) as x from (values (cast('99999999999999999999999999999999999999' as decimal(38, 0))), (1)) as t (x)",
    ]);
    assert_eq!(status, 1, "{message}");
    assert!(message.contains("does not fit"), "{message}");
}

#[test]
fn an_amount_that_does_not_fit_parks_its_customer_and_no_other() {
    let sample = Sample::new();
    sample.write(
        "data/usage/large.ndjson",
        "{\"transaction_id\":\"1\",\"usage_type\":\"api_call\",\"usage_start\":\"2026-10-05T00:00:00Z\",\
         \"account_id\":\"byte-prod\",\"quantity\":\"9999999999999999\"}\n",
    );
    sample.replace(
        "data/price_tier.csv",
        "api_call-2026,3,50000,,0.001,0",
        "api_call-2026,3,50000,,1000000000,0",
    );
    let output = sample.meterhouse(&["run"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("customer BYTE is parked"), "{message}");
    assert!(!message.contains("customer ALPEN"), "{message}");
    assert!(!sample.rows("select line_id from invoice_line where customer_id = 'ALPEN'").is_empty());
}

// Law 3: nothing is lost.

#[test]
fn a_query_that_loses_records_is_refused_by_the_first_balance() {
    let sample = Sample::new();
    sample.replace(
        "queries/4_guiding/unbooked_usage.sql",
        "    guiding.suspense_reason is null",
        "    guiding.suspense_reason is null and guiding.landing_sequence % 7 <> 3",
    );
    let (status, message) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(message.contains("check `landing_balance` found"), "{message}");
}

#[test]
fn a_query_that_loses_usage_on_its_way_to_a_line_is_refused_by_the_second_balance() {
    let sample = Sample::new();
    sample.replace(
        "queries/5_metering/priced_usage.sql",
        "    from counted_usage\n    where not exists (",
        "    from counted_usage\n    where counted_usage.landing_sequence % 7 <> 3 and not exists (",
    );
    let (status, message) = sample.fails(&["run"]);
    assert_eq!(status, 1);
    assert!(message.contains("check `period_balance` found"), "{message}");
}

#[test]
fn a_query_that_counts_a_record_twice_is_refused() {
    let sample = Sample::new();
    // A test call is left out, and rated too.
    sample.replace(
        "queries/4_guiding/assigned_usage.sql",
        "where usage_filtered.landing_sequence = open_usage.landing_sequence",
        "where usage_filtered.landing_sequence = open_usage.landing_sequence and open_usage.quantity < 0",
    );
    let (_, message) = sample.fails(&["run"]);
    assert!(message.contains("check `landing_balance` found"), "{message}");
}

// Law 4: same inputs, same rows.

#[test]
fn order_and_batching_of_usage_and_threads_do_not_matter() {
    let expected = {
        let sample = Sample::new();
        sample.ok(&["run"]);
        sample.rows(LINES)
    };
    assert!(expected.len() > 20);
    for seed in 1..=3_u64 {
        let sample = Sample::new();
        // The conflicting duplicate is left out: which of two conflicting records counts does depend on arrival.
        let mut records: Vec<(String, String)> = Vec::new();
        for file in ["car_rent_2026-09", "car_rent_2026-10"] {
            let text = sample.read(&format!("data/usage/{file}.ndjson"));
            for line in text.lines().filter(|line| !line.contains("\"distance\": 999")) {
                records.push((format!("{seed} {line}"), line.to_string()));
            }
            std::fs::remove_file(sample.path().join(format!("data/usage/{file}.ndjson"))).unwrap();
        }
        records.sort_by_key(|(salted, _)| publish_hash(salted));
        for (number, batch) in records.chunks(7 + 11 * seed as usize).enumerate() {
            let lines: Vec<&str> = batch.iter().map(|(_, line)| line.as_str()).collect();
            sample.write(&format!("data/usage/part-{number}.ndjson"), &lines.join("\n"));
        }
        sample.ok(&["run", "--set", &format!("engine.threads={seed}")]);
        assert_eq!(sample.rows(LINES), expected, "seed {seed}");
    }
}

#[test]
fn landing_in_slices_with_runs_between_equals_landing_at_once() {
    let expected = {
        let sample = Sample::new();
        sample.ok(&["run"]);
        sample.rows(LINES)
    };
    let sample = Sample::new();
    let text = sample.read("data/usage/car_rent_2026-10.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    for (number, slice) in lines.chunks(17).enumerate() {
        sample.write("data/usage/car_rent_2026-10.ndjson", &format!("{}\n", slice.join("\n")));
        sample.ok(&["run"]);
        assert!(number < 3);
    }
    assert_eq!(sample.rows(LINES), expected);
}

fn publish_hash(text: &str) -> String {
    meterhouse::refresh::fingerprint::fingerprint([text])
}

// Law 5 comes with closed periods. Law 6: cost follows change.

#[test]
fn a_price_change_leaves_guiding_alone_and_a_second_run_does_nothing() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    let output = sample.meterhouse(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("update charge"), "{said}");
    for table in ["billing_cycle", "usage_duplicate", "guiding", "metered_usage", "entitlement_status"] {
        let is_made = ["rebuild", "update"].iter().any(|way| said.contains(&format!("{way} {table}")));
        assert!(!is_made, "{table} was made again: {said}");
    }
    let said = String::from_utf8(sample.meterhouse(&["run"]).stderr).unwrap();
    assert!(said.contains("nothing to do"), "{said}");
}

#[test]
fn while_no_cycle_begins_a_run_at_another_time_makes_nothing() {
    let sample = Sample::new();
    let run = |as_of: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        let command = command.arg("--project").arg(sample.path()).args(["--as-of", as_of, "run"]);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    run("2026-10-20T00:00:00Z");
    let said = run("2026-10-20T00:10:00Z");
    assert!(said.contains("nothing to do"), "{said}");
    // In Tokyo November begins.
    let said = run("2026-10-31T15:00:00Z");
    assert!(said.contains("billing_cycle"), "{said}");
    sample.replace("data/contract.csv", "PO-4712", "PO-4713");
    let said = run("2026-10-31T15:10:00Z");
    assert!(said.contains("same billing_cycle"), "{said}");
    let said = run("2026-10-20T00:10:00Z");
    assert!(said.contains("billing_cycle"), "what began is taken back: {said}");
    for number in 1..=4 {
        sample.ok(&["run", "--replay", &number.to_string()]);
    }
}

#[test]
fn sums_are_folded_where_a_record_is_new() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let record = "{\"transactionID\":\"N1\",\"usageStart\":\"2026-10-05T10:00:00Z\",\"usageType\":\"CarRentUsage\",\
                  \"VIN\":\"WVWZZZ1KZAW000042\",\"distance\":10}\n";
    sample.write("data/usage/new.ndjson", record);
    let said = String::from_utf8(sample.meterhouse(&["run", "-v"]).stderr).unwrap();
    let folded = said.lines().find(|line| line.starts_with("update guided_total")).unwrap();
    assert!(folded.ends_with("by landing_sequence"), "{said}");
    sample.ok(&["run", "--replay", "2"]);
}

#[test]
fn a_run_of_one_period_makes_that_period_and_a_run_of_all_the_others() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let before = sample.rows(LINES);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,2.00");
    sample.ok(&["run", "--period", "2026-10"]);
    let changed = |rows: &[String]| -> BTreeSet<String> {
        let changed = rows.iter().filter(|row| !before.contains(row));
        changed.map(|row| row.rsplit(',').next().unwrap().to_string()).collect()
    };
    assert_eq!(changed(&sample.rows(LINES)), BTreeSet::from(["2026-10".to_string()]));
    sample.ok(&["run"]);
    let both = BTreeSet::from(["2026-09".to_string(), "2026-10".to_string()]);
    assert_eq!(changed(&sample.rows(LINES)), both);
}

// Law 7: all or nothing.

/// What a reader sees: the run, and the content of every table.
async fn seen(warehouse: &Warehouse) -> (u64, BTreeMap<String, String>) {
    let Some(head) = ledger::head(warehouse).await.unwrap() else { return (0, BTreeMap::new()) };
    (head.run, head.tables.iter().map(|(name, table)| (name.clone(), table.content())).collect())
}

/// Each table's Delta log has exactly the files that the ledger names.
pub async fn assert_delta_follows(warehouse: &Warehouse) {
    let head = ledger::head(warehouse).await.unwrap().unwrap();
    for (name, table) in &head.tables {
        let (_, files) = warehouse.delta_files(name).await.unwrap();
        let logged: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let published: BTreeSet<&str> = table.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(logged, published, "{name}");
    }
}

pub async fn run_on(
    project: &Project,
    store: Arc<dyn ObjectStore>,
    folder: &Path,
) -> Result<Option<u64>, Error> {
    let url = Url::from_directory_path(folder.join("warehouse")).unwrap();
    let warehouse = Warehouse::over(store, url).unwrap();
    let context = session(&project.settings, Some(&warehouse)).unwrap();
    let as_of: i64 = 1_793_534_400_000_000;
    let request = Request {
        as_of,
        as_of_text: AS_OF.into(),
        now: i64::MAX,
        accepted: None,
        by: "tests".into(),
        period: None,
        before_closing: None,
        close: None,
        rerate: Vec::new(),
    };
    Ok(run::run(project, &warehouse, &context, &request, &|_| {}).await?.published)
}

/// The warehouse of the project in a folder.
pub fn local(folder: &Path) -> Warehouse {
    let url = Url::from_directory_path(folder.join("warehouse")).unwrap();
    Warehouse::over(Arc::new(LocalFileSystem::new()), url).unwrap()
}

#[test]
fn a_kill_at_any_write_leaves_the_old_run_or_the_new_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .unwrap();
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.replace("data/price.csv", PRICE.0, PRICE.1);
    sample.write(
        "data/usage/late.ndjson",
        "{\"transactionID\":\"late\",\"usageStart\":\"2026-10-30T10:00:00\",\"usageType\":\"CarRentUsage\",\
         \"VIN\":\"WVWZZZ1KZAW000042\",\"distance\":100}\nno record\n",
    );
    let attempt = |writes: usize, death: Death| {
        let copy = Sample::over(sample.path());
        let project = project(copy.path());
        let folder = copy.path().canonicalize().unwrap();
        let store = Arc::new(FaultStore::new(Arc::new(LocalFileSystem::new()), writes, death));
        runtime.block_on(async {
            let before = seen(&local(&folder)).await;
            let outcome = run_on(&project, store.clone(), &folder).await;
            let now = seen(&local(&folder)).await;
            if now.0 == before.0 {
                assert_eq!(now.1, before.1, "{writes} {death:?}: a reader sees half a run");
                assert!(outcome.is_err(), "{writes} {death:?}: success without publication");
            }
            // Whoever waits for a run that is published hears that it is.
            if let Err(error) = &outcome
                && death != Death::Lie
                && store.published() < writes
            {
                assert_eq!(error.exit_status(), 2);
                let said = error.to_string();
                assert!(said.starts_with("run 2 is published; "), "{writes} {death:?}: {said}");
            }
            // How many data files come before publication differs by one or two: two threads share the rows.
            if death == Death::Lie && store.published() <= writes {
                assert!(outcome.is_ok(), "{writes}: {}", outcome.unwrap_err());
            }
            // The next command finishes what was begun, and the result is as if nothing had happened.
            run_on(&project, Arc::new(LocalFileSystem::new()), &folder).await.unwrap();
            assert_delta_follows(&local(&folder)).await;
            (store, seen(&local(&folder)).await)
        })
    };
    let (store, expected) = attempt(usize::MAX - 1, Death::Before);
    let (publication, total) = (store.published(), store.seen());
    assert!(publication > 20 && publication < total, "{publication} of {total}");
    // Each write from publication on is a step of its own; of those before, which write data files, every ninth.
    for writes in (0..publication).step_by(9).chain(publication.saturating_sub(1)..total) {
        assert_eq!(attempt(writes, Death::Before).1, expected, "killed before write {writes} of {total}");
    }
    for writes in (publication..total).step_by(3) {
        assert_eq!(attempt(writes, Death::After).1, expected, "killed after write {writes} of {total}");
    }
    // A write that happened though an error was told is found out by looking: the run goes on and has published.
    for writes in publication.saturating_sub(2)..total {
        assert_eq!(attempt(writes, Death::Lie).1, expected, "lied to at write {writes} of {total}");
    }
}

#[test]
fn kill_9_at_any_moment_loses_nothing() {
    let sample = Sample::new();
    let expected = {
        let other = Sample::new();
        other.ok(&["run"]);
        (other.rows(LINES), exported(&other, "2026-09"))
    };
    for round in 0..12_u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .arg("--project")
            .arg(sample.path())
            .args(["--as-of", AS_OF, "run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + 90 * round));
        let _ = child.kill();
        child.wait().unwrap();
    }
    sample.ok(&["run"]);
    assert_eq!((sample.rows(LINES), exported(&sample, "2026-09")), expected);
    let folder = sample.path().canonicalize().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(assert_delta_follows(&local(&folder)));
}

#[test]
fn of_two_runners_at_once_one_publishes() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    for round in 0..4 {
        sample.write(
            "data/price.csv",
            &sample.read("data/price.csv").replace(
                &format!("rental-2026,rental,per_unit,1.5{round}"),
                &format!("rental-2026,rental,per_unit,1.5{}", round + 1),
            ),
        );
        let start = || {
            Command::new(env!("CARGO_BIN_EXE_meterhouse"))
                .arg("--project")
                .arg(sample.path())
                .args(["--as-of", AS_OF, "run"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let (one, two) = (start(), start());
        let (one, two) = (one.wait_with_output().unwrap(), two.wait_with_output().unwrap());
        let mut published = 0;
        for output in [&one, &two] {
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) if said.contains("published as run") => published += 1,
                Some(0) => assert!(said.contains("nothing to do"), "{said}"),
                Some(75) => assert!(said.contains("was first, and published run"), "{said}"),
                other => panic!("{other:?}: {said}"),
            }
        }
        assert_eq!(published, 1);
        let folder = sample.path().canonicalize().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(assert_delta_follows(&local(&folder)));
        let head = runtime.block_on(ledger::head(&local(&folder))).unwrap().unwrap();
        assert_eq!(head.run, 2 + round);
    }
}
