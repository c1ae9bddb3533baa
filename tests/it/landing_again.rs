//! A content lands once, and again where what came of it did not do; and records that are rejected are told.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use meterhouse::engine::session::session;
use meterhouse::land::decision::Author;
use meterhouse::store::warehouse::Warehouse;
use meterhouse::{catalog, land};
use object_store::local::LocalFileSystem;
use url::Url;

use crate::fault_store::{Death, FaultStore};
use crate::sample::{Sample, project, said};

const SHOP: &str = "-- shop: orders of a shop.\nselect\n    file.id as transaction_id,\n    'api_call' as usage_type,\n    \
    file.at as usage_start,\n    file.contract as contract_id,\n    file.amount as quantity\nfrom file\n";
const ORDERS: &str =
    "id,at,contract,amount,other\n1,2026-10-02T08:00:00Z,CON300,5,7\n2,2026-10-03T08:00:00Z,CON300,6,8\n";
const COUNTED: &str = "select transaction_id, quantity from usage order by transaction_id";

/// What a command says, the streams apart.
fn told(sample: &Sample, arguments: &[&str]) -> (i32, String) {
    let output = sample.meterhouse(arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn shop() -> Sample {
    let sample = Sample::empty();
    sample.write("queries/landing/shop.sql", SHOP);
    sample.write("orders.csv", ORDERS);
    sample
}

fn path(sample: &Sample, file: &str) -> String {
    sample.path().join(file).to_str().unwrap().to_owned()
}

#[test]
fn a_file_of_which_every_record_is_rejected_lands_when_it_is_read_in_another_way() {
    let sample = shop();
    let orders = path(&sample, "orders.csv");
    let (status, text) = told(&sample, &["land", &orders]);
    assert_eq!(status, 1, "{text}");
    for line in [
        "orders.csv: 2 received, 2 rejected",
        "  2: `transaction_id` is missing; `usage_type` is missing; `usage_start` is missing (first in line 2)",
        "each record of ",
        "a file of another shape needs --with NAME",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // The same way has the same end, until somebody insists.
    let (status, text) = told(&sample, &["land", &orders]);
    assert_eq!(status, 1);
    assert!(text.contains("landed before, as landing 1, and each record was rejected; --again"), "{text}");
    let (status, text) = told(&sample, &["land", &orders, "--with", "shop"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("orders.csv: 2 received, 0 rejected"), "{text}");
    let (status, text) = told(&sample, &["land", &orders, "--with", "shop"]);
    assert_eq!(status, 0);
    assert!(text.contains("landed before, as landing 2; --again discards that and lands it anew"), "{text}");
    sample.ok(&["run"]);
    assert_eq!(sample.rows(COUNTED), ["1,5", "2,6"]);
    // What was rejected has landed since, so it is no news any more.
    assert!(!sample.ok(&["status"]).contains("orders.csv"));
}

#[test]
fn a_wrong_mapping_is_mended_and_the_file_landed_again() {
    let sample = shop();
    sample.replace("queries/landing/shop.sql", "file.amount", "file.other");
    let orders = path(&sample, "orders.csv");
    sample.ok(&["land", &orders, "--with", "shop"]);
    sample.ok(&["run"]);
    assert_eq!(sample.rows(COUNTED), ["1,7", "2,8"]);
    sample.replace("queries/landing/shop.sql", "file.other", "file.amount");
    let (_, text) = told(&sample, &["land", &orders, "--with", "shop"]);
    assert!(text.contains("landed before, as landing 1; --again"), "{text}");
    let (status, text) = told(&sample, &["land", "--again", &orders, "--with", "shop"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("2 received, 0 rejected; landing 1 is discarded"), "{text}");
    sample.ok(&["run"]);
    assert_eq!(sample.rows(COUNTED), ["1,5", "2,6"]);
    let places = "select place, sum(record_count) from control_total group by place order by place";
    let places = sample.rows(places);
    assert!(
        places.contains(&"discarded,2".to_owned()) && places.contains(&"received,4".to_owned()),
        "{places:?}"
    );
}

#[test]
fn a_discarded_file_lands_again() {
    let sample = shop();
    let orders = path(&sample, "orders.csv");
    let why = ["--reason", "a test"];
    sample.ok(&[&["land", &orders, "--with", "shop", "--hold", "trial"][..], &why].concat());
    sample.ok(&[&["discard", "trial"][..], &why].concat());
    let (_, text) = told(&sample, &["land", &orders, "--with", "shop"]);
    assert!(text.contains("orders.csv: 2 received, 0 rejected"), "{text}");
    sample.ok(&["run"]);
    assert_eq!(sample.rows(COUNTED), ["1,5", "2,6"]);
}

#[test]
fn an_inbox_that_gets_its_mapping_later_lands_what_was_rejected() {
    let sample = shop();
    sample.write("in/orders.csv", ORDERS);
    sample.replace("meterhouse.toml", "[inbox.sample]", "[inbox.shop]\nfiles = [\"in\"]\n\n[inbox.sample]");
    let (status, text) = told(&sample, &["run"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("`usage_start` is missing (first in line 2)"), "{text}");
    assert!(sample.ok(&["status"]).contains("orders.csv"));
    sample.replace("meterhouse.toml", "files = [\"in\"]", "files = [\"in\"]\nwith = \"shop\"");
    sample.ok(&["run"]);
    assert_eq!(sample.rows(COUNTED), ["1,5", "2,6"]);
    let (_, text) = told(&sample, &["run"]);
    assert!(text.contains("nothing to do"), "{text}");
    // What has landed stays as it is, however its query is written.
    sample.replace("queries/landing/shop.sql", "orders of a shop", "all orders of a shop");
    let (_, text) = told(&sample, &["run"]);
    assert!(!text.contains("orders.csv"), "{text}");
}

#[test]
fn files_without_records_are_no_landing() {
    let sample = Sample::empty();
    sample.write("a.csv", "");
    sample.write("b.csv", "\n\n");
    sample.write("c.csv", "");
    sample.write("data/usage/d.ndjson", "");
    sample.write("data/usage/e.ndjson", "");
    let text = said(&sample, &["land", "a.csv", "b.csv", "c.csv"], "");
    assert!(text.contains("a.csv: no records\nb.csv: no records\nc.csv: no records"), "{text}");
    let (_, text) = told(&sample, &["run"]);
    assert!(text.contains("d.ndjson: no records") && text.contains("e.ndjson: no records"), "{text}");
    assert_eq!(sample.rows("select count(*) from landing"), ["0"]);
}

#[test]
fn a_check_of_ones_own_rejects_its_record_and_lands_the_others() {
    let sample = Sample::empty();
    sample.replace(
        "schemas/usage_record.sql",
        "    primary key (landing_sequence)",
        "    check (quantity >= 0),\n    check (100 / quantity > 1),\n    primary key (landing_sequence)",
    );
    let record = |id: u32, quantity: &str| {
        format!(
            "{{\"transaction_id\": \"{id}\", \"usage_type\": \"u\", \"usage_start\": \"2026-10-02\", \"quantity\": {quantity}}}\n"
        )
    };
    sample.write(
        "data/usage/a.ndjson",
        &[record(1, "5"), record(2, "-1"), record(3, "0"), record(4, "7")].concat(),
    );
    let (status, text) = told(&sample, &["run"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("a.ndjson: 4 received, 2 rejected"), "{text}");
    assert_eq!(sample.rows("select transaction_id from usage_record order by transaction_id"), ["1", "4"]);
    let rejected = "select landing_sequence, line_number, transaction_id, reject_reason, raw_text \
        from usage_rejected order by landing_sequence";
    let rejected = sample.rows(rejected);
    assert!(
        rejected[0]
            .starts_with("1000000001,2,2,breaks CHECK (quantity >= 0); breaks CHECK (100 / quantity > 1),")
    );
    assert!(rejected[0].ends_with("\"\"quantity\"\": -1}\""), "{}", rejected[0]);
    assert!(
        rejected[1].contains("3,3,CHECK (100 / quantity > 1) cannot be answered for it"),
        "{}",
        rejected[1]
    );
}

#[test]
fn returns_end_lines_and_other_files_are_told_by_name() {
    let sample = Sample::empty();
    sample.write(
        "cr.csv",
        "transaction_id,usage_type,usage_start,contract_id,quantity\rr1,call,2026-06-02T08:00:00Z,K,5\r",
    );
    sample.write("page.csv", "<!doctype html><html>Not found</html>");
    std::fs::write(sample.path().join("book.xlsx"), b"PK\x03\x04....xl/workbook.xml").unwrap();
    std::fs::write(sample.path().join("wide.csv"), b"\xff\xfet\0r\0").unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"transaction_id,usage_type,usage_start\ng,call,2026-06-02\n").unwrap();
    let gzip = gzip.finish().unwrap();
    std::fs::write(sample.path().join("tail.csv.gz"), [&gzip[..], &[0; 8]].concat()).unwrap();
    let text = said(&sample, &["land", "cr.csv"], "");
    assert!(text.contains("cr.csv: 1 received, 0 rejected"), "{text}");
    let tail = format!("tail.csv.gz: something follows the gzip data, at byte {}", gzip.len());
    for (file, what) in [
        ("page.csv", "page.csv is a web page"),
        ("book.xlsx", "book.xlsx is an Excel workbook"),
        ("wide.csv", "wide.csv is UTF-16"),
        ("tail.csv.gz", &tail),
    ] {
        let text = said(&sample, &["land", file], "");
        assert!(text.starts_with("exit 1") && text.contains(what), "{text}");
    }
    assert_eq!(sample.rows("select transaction_id, quantity from usage_record"), ["r1,5"]);
}

/// Each day of six years in one file: few files, however many days.
#[test]
fn a_file_of_many_days_is_one_file() {
    let sample = Sample::empty();
    let mut file = String::from("transaction_id,usage_type,usage_start\n");
    for number in 0..2190 {
        let (year, month, day) = (2020 + number / 365, number % 12 + 1, number % 28 + 1);
        file += &format!("{number},call,{year}-{month:02}-{day:02}\n");
    }
    sample.write("days.csv", &file);
    sample.ok(&["land", &path(&sample, "days.csv")]);
    assert_eq!(sample.rows("select count(distinct usage_date) from usage_record"), ["504"]);
    let files = std::fs::read_dir(sample.path().join("warehouse/usage_record")).unwrap();
    let files = files.filter(|file| file.as_ref().unwrap().path().is_file()).count();
    assert_eq!(files, 1);
    sample.ok(&["verify"]);
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_not_followed_and_no_secret_is_shown() {
    use std::os::unix::fs::symlink;
    let sample = Sample::empty();
    let record = "{\"transaction_id\": \"1\", \"usage_type\": \"u\", \"usage_start\": \"2026-10-02\"}\n";
    sample.write("elsewhere/1.ndjson", record);
    sample.write("in/deep/2.ndjson", &record.replace("\"1\"", "\"2\""));
    sample.write("elsewhere/3.ndjson", &record.replace("\"1\"", "\"3\""));
    symlink(sample.path().join("in"), sample.path().join("in/self")).unwrap();
    symlink(sample.path().join("elsewhere"), sample.path().join("in/other")).unwrap();
    symlink(sample.path().join("elsewhere/3.ndjson"), sample.path().join("in/three.ndjson")).unwrap();
    sample.replace("meterhouse.toml", "files = [\"data/usage/*\",", "files = [\"in\", \"in/**/*.ndjson\",");
    let (_, text) = told(&sample, &["run"]);
    assert_eq!(text.matches("received").count(), 2, "{text}");
    assert_eq!(sample.rows("select transaction_id from usage_record order by transaction_id"), ["2", "3"]);
    sample.replace("meterhouse.toml", "\"in/**/*.ndjson\"", "\"in/${MARK}[\"");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .args(["--project", &path(&sample, ""), "run"])
        .env("MARK", "opensesame")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("in/${MARK}[") && !text.contains("opensesame"),
        "{text}"
    );
}

#[test]
fn what_was_closed_and_is_landed_again_is_corrected() {
    let sample = Sample::blank();
    for (table, rows) in [
        (
            "contract",
            "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from\nCON300,ALPEN,EUR,UTC,month,2026-10-01",
        ),
        (
            "contract_item",
            "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,valid_from\n\
             i,CON300,p,Calls,api_call,quantity,2026-10-01",
        ),
        ("price", "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,1,2026-01-01"),
    ] {
        sample.write(&format!("data/{table}.csv"), &format!("{rows}\n"));
    }
    sample.write("queries/landing/shop.sql", &SHOP.replace("file.amount", "file.other"));
    sample.write("orders.csv", ORDERS);
    let orders = path(&sample, "orders.csv");
    sample.ok(&["land", &orders, "--with", "shop"]);
    sample.ok(&["close", "--period", "2026-10", "--confirm", "2026-10"]);
    sample.replace("queries/landing/shop.sql", "file.other", "file.amount");
    sample.ok(&["land", "--again", &orders, "--with", "shop"]);
    sample.ok(&["run"]);
    // 7 and 8 stand in the books, 5 and 6 are right: a correction, and each record in one place.
    let places =
        "select place, sum(record_count), sum(quantity) from control_total group by place order by place";
    let places = sample.rows(places);
    assert!(places.contains(&"discarded,2,15".to_owned()), "{places:?}");
    assert!(places.contains(&"guided,2,11".to_owned()), "{places:?}");
    let quantity = "select quantity from invoice_line where line_type = 'correction'";
    assert_eq!(sample.rows(quantity), ["-4"]);
}

/// A file that lands again takes the place of its landing at one moment: whatever happens on the way, a run counts one
/// of the two.
#[test]
fn no_run_sees_both_landings_or_none() {
    let sample = shop();
    sample.replace("queries/landing/shop.sql", "file.amount", "file.other");
    let orders = path(&sample, "orders.csv");
    sample.ok(&["land", &orders, "--with", "shop"]);
    sample.replace("queries/landing/shop.sql", "file.other", "file.amount");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .unwrap();
    let author = Author { by: "tests".into(), at: 0, reason: "a test".into() };
    let attempt = |writes: usize, death: Death| {
        let copy = Sample::over(sample.path());
        let project = project(copy.path());
        let folder = copy.path().canonicalize().unwrap();
        let url = Url::from_directory_path(folder.join("warehouse")).unwrap();
        let store = Arc::new(FaultStore::new(Arc::new(LocalFileSystem::new()), writes, death));
        let open = |store| Warehouse::over(store, url.clone()).unwrap();
        let land = async |warehouse: &Warehouse| {
            let context = session(&project.settings, Some(warehouse)).unwrap();
            let how = land::How {
                with: project.landing.get("shop"),
                again: true,
                author: Some(&author),
                ..land::How::default()
            };
            let source = land::Source::named(&copy.path().join("orders.csv")).await.unwrap().remove(0);
            land::land(&project, warehouse, &context, &source, how).await
        };
        let counted = async |warehouse: &Warehouse| {
            let context = session(&project.settings, Some(warehouse)).unwrap();
            catalog::open(&project, warehouse, &context, 0).await.unwrap();
            let counts = "select landing.landing_id from landing where landing.landing_id not in (select \
                usage_decision.landing_id from usage_decision where usage_decision.landing_id is not null)";
            let rows = context.sql(counts).await.unwrap().collect().await.unwrap();
            rows.iter().map(RecordBatch::num_rows).sum::<usize>()
        };
        runtime.block_on(async {
            let landed = land(&open(store.clone())).await;
            let local = open(Arc::new(LocalFileSystem::new()));
            assert_eq!(counted(&local).await, 1, "{writes} {death:?}");
            if landed.is_err() {
                land(&local).await.unwrap();
                assert_eq!(counted(&local).await, 1, "{writes} {death:?}, landed again");
            }
            store.seen()
        })
    };
    let total = attempt(usize::MAX - 1, Death::Before);
    assert!(total > 5, "{total}");
    for writes in 0..total {
        attempt(writes, Death::Before);
    }
}
