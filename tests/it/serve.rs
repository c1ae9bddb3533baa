//! Usage over HTTP: what is answered is kept, and counts once.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::aws_bill::is_required;
use crate::sample::{Sample, repository};
use crate::served::{Answer, Served};

const USAGE: &str = "/subscriptions/v1/usage";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn record(id: &str) -> Value {
    json!({
        "transactionID": id, "usageType": "CarRentUsage", "usageStart": "2026-10-05T12:00:00",
        "usageEnd": "2026-10-05T12:41:00", "VIN": "SGZCZ43D13S812715", "distance": 21.25
    })
}

/// The rows of a query, each as CSV, without the header.
fn rows(sample: &Sample, query: &str) -> Vec<String> {
    sample.ok(&["sql", query]).lines().skip(1).map(String::from).collect()
}

fn statuses(answer: &Answer) -> Vec<String> {
    let records = answer.json()["records"].as_array().unwrap().clone();
    let text = |record: &Value| {
        let text = |name: &str| record[name].as_str().unwrap_or("-").to_string();
        format!("{} {} {}: {}", record["record"], text("status"), text("field"), text("reason"))
    };
    records.iter().map(text).collect()
}

#[test]
fn what_is_accepted_lands_and_is_billed_as_from_a_file() {
    let sample = Sample::new();
    let files = ["data/usage/car_rent_2026-09.ndjson", "data/usage/car_rent_2026-10.ndjson"];
    let from_files = Sample::new();
    let lines = "select line_id, quantity, amount, record_count from invoice_line order by line_id";
    from_files.ok(&["run"]);
    let expected = rows(&from_files, lines);
    assert!(expected.len() > 5, "{expected:?}");

    let bodies: Vec<String> = files.iter().map(|file| sample.read(file)).collect();
    for file in files {
        std::fs::remove_file(sample.path().join(file)).unwrap();
    }
    let served = Served::start(sample.path(), &[]);
    for body in &bodies {
        let answer = served.post(USAGE, NDJSON, body);
        assert!([200, 207].contains(&answer.status), "{} {}", answer.status, answer.body);
    }
    // A run elsewhere lands what the service has kept.
    sample.ok(&["run"]);
    assert_eq!(rows(&sample, lines), expected);
    let sent = "select sum(record_count) from landing where file_name like 'gathered/%'";
    let received: usize = bodies.iter().map(|body| body.lines().count()).sum();
    assert_eq!(rows(&sample, sent), [received.to_string()]);
    assert_eq!(rows(&sample, "select * from usage_rejected where file_name like 'gathered/%'").len(), 2);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.ends_with("stopped; all that was accepted has landed\n"), "{said}");
}

#[test]
fn each_record_is_answered() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &[]);
    let one = served.post(USAGE, JSON, record("a-1").to_string());
    assert_eq!((one.status, one.kind.as_str()), (200, JSON));
    assert_eq!(one.json(), json!({"accepted": 1, "duplicate": 0, "rejected": 0, "records": []}));
    assert_eq!(one.header("x-request-id").len(), 36);

    let bad = json!({"transactionID": "a-2", "usageType": "CarRentUsage", "distance": "far"});
    let rejected = served.post(USAGE, JSON, bad.to_string());
    assert_eq!((rejected.status, rejected.kind.as_str()), (422, "application/problem+json"));
    let told = rejected.json();
    assert_eq!(told["title"], "the record is rejected");
    assert_eq!(told["records"][0]["transaction_id"], "a-2");
    assert_eq!(told["records"][0]["field"], "distance", "{told}");
    assert_eq!(told["records"][0]["reason"], "`distance` far is not a number; `usage_start` is missing");

    let many = json!([record("a-3"), bad, record("a-1"), record("a-3")]);
    let mixed = served.post(USAGE, JSON, many.to_string());
    assert_eq!(mixed.status, 207);
    assert_eq!(mixed.json()["accepted"], 3);
    assert_eq!(mixed.json()["duplicate"], 2);
    let told = statuses(&mixed);
    assert!(told[0].starts_with("1 rejected distance: "), "{told:?}");
    assert_eq!(told[1..], ["2 duplicate -: -", "3 duplicate -: -"]);

    let none = served.post(&format!("{USAGE}?atomic=true"), JSON, many.to_string());
    assert_eq!(none.status, 422);
    assert!(none.json()["detail"].as_str().unwrap().contains("all or none"), "{}", none.body);
    let csv =
        "transactionID,usageType,usageStart,VIN,distance\nc-1,CarRentUsage,2026-10-06T08:00:00,X,1.50\n";
    assert_eq!(served.post(USAGE, "text/csv; charset=utf-8", csv).status, 200);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(record("g-1").to_string().as_bytes()).unwrap();
    let headers = [("content-type", JSON), ("content-encoding", "gzip")];
    assert_eq!(served.send("POST", USAGE, &headers, packed.finish().unwrap()).status, 200);
    let packed = zstd::encode_all(record("z-1").to_string().as_bytes(), 1).unwrap();
    assert_eq!(served.post(USAGE, "", packed).status, 200);

    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let landed = "select transaction_id, count(*), max(distance) from usage_record group by 1 order by 1";
    assert_eq!(
        rows(&sample, landed),
        ["a-1,2,21.25", "a-3,2,21.25", "c-1,1,1.50", "g-1,1,21.25", "z-1,1,21.25"].map(String::from)
    );
    // What was asked for as all or none was never taken.
    assert_eq!(rows(&sample, "select count(*) from usage_rejected"), ["2"]);
}

#[test]
fn records_that_a_query_maps_have_the_numbers_that_they_came_with() {
    let sample = Sample::new();
    let served = Served::start(sample.path(), &[]);
    let event = |id: &str, time: &str| {
        json!({"source": "shop", "id": id, "type": "seat", "time": time, "subject": "A"}).to_string()
    };
    let whole = |id| event(id, "2026-10-01T00:00:00Z");
    let body = ["{\"id\"", &whole("1"), "{broken}", &event("3", "never"), &whole("4"), "[1]", &whole("6")]
        .join("\n");
    let answer = served.post(&format!("{USAGE}?with=cloudevents"), NDJSON, &body).json();
    let numbers: Vec<u64> =
        answer["records"].as_array().unwrap().iter().map(|row| row["record"].as_u64().unwrap()).collect();
    assert_eq!((&answer["accepted"], numbers), (&json!(3), vec![0, 2, 3, 5]), "{answer}");
    served.stop();
    let landed = rows(&sample, "select transaction_id from usage_record where source = 'shop' order by 1");
    assert_eq!(landed, ["1", "4", "6"]);
    // Each in the line that it was kept in, with its text.
    let rejected = "select raw_text from usage_rejected order by landing_sequence limit 2";
    assert!(rows(&sample, rejected)[0].contains("id"), "{:?}", rows(&sample, rejected));
}

#[test]
fn what_cannot_be_taken_says_why() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &["--set", "serve.body_mb=1"]);
    let bomb = zstd::encode_all(vec![b' '; 64 << 20].as_slice(), 1).unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (status, kind, body, said) in [
        (415, "application/xml", b"<a/>".to_vec(), "is no kind of usage that is known"),
        (400, NDJSON, b"\n\n".to_vec(), "there is no record in the body"),
        (413, NDJSON, vec![b'x'; 2 << 20], "body"),
        (413, NDJSON, bomb, "the body is too large when it is unpacked"),
        (422, JSON, b"{\"a\": ".to_vec(), "the record is rejected"),
        (422, JSON, b"{\"transactionID\": \"a\nb\"}".to_vec(), "rejected"),
        (
            413,
            "text/csv",
            format!("{}\n{}", "n".repeat(100_000), "1\n".repeat(1000)).into_bytes(),
            "too large",
        ),
        (422, JSON, deep.into_bytes(), "rejected"),
        (422, NDJSON, b"\x80\x81\n".to_vec(), "the record is rejected"),
        (400, "text/csv", b"".to_vec(), ""),
    ] {
        let answer = served.post(USAGE, kind, &body);
        assert_eq!(answer.status, status, "{kind} {}", answer.body);
        assert_eq!(answer.kind, "application/problem+json", "{}", answer.body);
        assert_eq!(answer.json()["status"], status);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    let unknown = served.get("/subscriptions/v2");
    assert_eq!((unknown.status, unknown.json()["title"].as_str()), (404, Some("there is nothing here")));
    assert_eq!(served.get(USAGE).status, 405);
    let with = served.post(&format!("{USAGE}?with=nothing"), JSON, "{}");
    assert_eq!(
        (with.status, with.json()["title"].as_str()),
        (400, Some("there is no queries/landing/nothing.sql"))
    );
    let misspelt = served.post(&format!("{USAGE}?atomik=true"), JSON, "{}");
    assert!(misspelt.status == 400 && misspelt.body.contains("atomik"), "{}", misspelt.body);
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").status, 200);
    let metrics = served.get("/metrics").body;
    assert!(metrics.contains("meterhouse_requests_total{route=\"none\",status=\"404\"} 1"), "{metrics}");
    assert!(metrics.contains("meterhouse_records_total{outcome=\"rejected\"}"), "{metrics}");
}

#[test]
fn openmeters_own_client_sends_usage() {
    let found = Command::new("python3").args(["-c", "import openmeter"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        assert!(!is_required(), "python3 has no openmeter; pip install openmeter==1.0.0b236");
        eprintln!("skipped: python3 has no openmeter");
        return;
    }
    let sample = Sample::empty();
    let key = sample.ok(&["key", "add", "my-app", "--scope", "land", "--source", "my-app"]);
    let served = Served::start(sample.path(), &[]);
    let client = repository().join("tests/clients/openmeter_client.py");
    let sent = Command::new("python3").arg(client).args([&served.address, key.trim()]).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert_eq!(String::from_utf8_lossy(&sent.stdout), "refused: 422\n");
    served.stop();
    let landed = "select transaction_id, source, usage_type, account_id, quantity, json_text(attributes, 'tokens') \
                  from usage_record order by landing_sequence";
    assert_eq!(
        rows(&sample, landed),
        [
            "one,my-app,tokens,ACC-1,12.50,",
            "two,my-app,tokens,ACC-1,,7",
            "three,my-app,tokens,ACC-1,,",
            "one,my-app,tokens,ACC-1,12.50,"
        ]
    );
}

#[test]
fn cloudevents_are_usage_by_a_landing_query() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &[]);
    let event = |id: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "gateway", "type": "tokens", "subject": "ACC-1",
            "time": "2026-10-05T12:00:00Z", "data": data
        })
    };
    let one = event("e-1", json!({"quantity": "12.50", "model": "small"}));
    assert_eq!(served.post(USAGE, "application/cloudevents+json", one.to_string()).status, 200);
    let mut without_time = event("e-3", json!(null));
    without_time.as_object_mut().unwrap().remove("time");
    let batch = json!([event("e-2", json!({"tokens": 7})), without_time]);
    let answer = served.post(USAGE, "application/cloudevents-batch+json; charset=utf-8", batch.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let headers = [
        ("content-type", JSON),
        ("ce-specversion", "1.0"),
        ("ce-id", "e-4"),
        ("ce-source", "gateway"),
        ("ce-type", "tokens"),
        ("ce-subject", "ACC-1"),
    ];
    let answer = served.send("POST", USAGE, &headers, "{\"tokens\": 0.1000}");
    assert_eq!(answer.status, 200, "{}", answer.body);
    // What is no JSON is a text, and adds nothing to the event.
    let headers = headers.map(|(name, value)| (name, if name == "ce-id" { "e-6" } else { value }));
    let answer = served.send("POST", USAGE, &headers, "1,\"source\":\"other\"");
    assert!(answer.status == 422 && answer.body.contains("attributes"), "{}", answer.body);
    let lacking = json!({"specversion": "1.0", "id": "e-7", "source": "gateway"});
    let answer = served.post(USAGE, "application/cloudevents+json", lacking.to_string());
    assert_eq!((answer.status, answer.json()["records"][0]["field"].as_str()), (422, Some("usage_type")));
    let bad = event("e-5", json!({"quantity": "many"}));
    let rejected = served.post(USAGE, "application/cloudevents+json", bad.to_string());
    assert_eq!((rejected.status, rejected.json()["records"][0]["field"].as_str()), (422, Some("quantity")));
    served.stop();
    let landed = "select transaction_id, source, usage_type, account_id, quantity, \
                  usage_start < timestamp '2026-10-06' as is_given, json_text(attributes, 'tokens') as tokens \
                  from usage_record order by 1";
    assert_eq!(
        rows(&sample, landed),
        [
            "e-1,gateway,tokens,ACC-1,12.50,true,",
            "e-2,gateway,tokens,ACC-1,,true,7",
            "e-3,gateway,tokens,ACC-1,,false,",
            "e-4,gateway,tokens,ACC-1,,false,0.1000",
        ]
    );
}

#[test]
fn a_record_is_voided_with_a_reason() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &[]);
    assert_eq!(served.post(USAGE, JSON, json!([record("v-1"), record("v-2")]).to_string()).status, 200);
    let delete = |path: &str| served.send("DELETE", &format!("{USAGE}/{path}"), &[], "");
    let voided = delete("v-1?reason=counted%20twice&by=anna");
    assert_eq!((voided.status, voided.json()), (200, json!({"transaction_id": "v-1", "voided": 1})));
    let again = delete("v-1?reason=counted%20twice");
    assert_eq!((again.status, again.json()["voided"].as_u64()), (200, Some(0)));
    for (status, path, said) in [
        (400, "v-2", "reason"),
        (400, "v-2?reason=%20", "no reason was given"),
        (400, "v-2?reason=x&because=y", "because"),
        (404, "v-9?reason=x", "v-9"),
        (404, "v-2?reason=x&source=elsewhere", "v-2"),
        (400, "v-2?reason=x&usage_start=yesterday", "usage_start"),
    ] {
        let refused = delete(path);
        assert!(refused.status == status && refused.body.contains(said), "{path}: {}", refused.body);
    }
    sample.ok(&["run"]);
    let places = "select transaction_id from usage order by 1";
    assert_eq!(rows(&sample, places), ["v-2"]);
    let decided = "select decision, transaction_id, reason, decided_by from usage_decision";
    assert_eq!(rows(&sample, decided), ["void,v-1,counted twice,anna"]);
}

#[test]
fn what_is_booked_is_compared_with_what_was_billed() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.ok(&["close", "--period", "2026-09", "--confirm", "2026-09", "--by", "anna"]);
    let billed = "select customer_id, cast(sum(amount) as decimal(38, 2)), currency from billed_line \
                  where billing_period = '2026-09' group by 1, 3 order by 2 desc limit 1";
    let billed = rows(&sample, billed).remove(0);
    let [customer, amount, currency] = billed.split(',').collect::<Vec<_>>()[..] else { panic!("{billed}") };
    let served = Served::start(sample.path(), &[]);
    let path = format!("/periods/2026-09/customers/{customer}/receipts");
    let send = |document: &str, amount: &str| {
        let body = json!({"document_number": document, "amount": amount, "currency": currency});
        let answer = served.post(&path, JSON, body.to_string());
        let told = answer.json();
        let row = &told["rows"][0];
        format!(
            "{} {} {} {}",
            answer.status,
            row["state"].as_str().unwrap_or("-"),
            row["document_count"],
            told["title"]
        )
    };
    assert_eq!(send("R-1", "1.00"), "201 different 1 null");
    assert_eq!(send("R-1", "1"), "200 different 1 null", "the same again");
    assert_eq!(send("R-1", amount), "201 booked 1 null", "the last counts");
    assert_eq!(send("R-2", "0.000000000001"), "201 different 2 null");
    assert_eq!(send("R-2", "0"), "201 booked 2 null");
    for (status, path, body, said) in [
        (
            409,
            "/periods/2026-10/customers/C1/receipts",
            r#"{"document_number": "R", "amount": 1, "currency": "EUR"}"#,
            "not closed",
        ),
        (
            404,
            "/periods/2026-09/customers/nobody/receipts",
            r#"{"document_number": "R", "amount": 1, "currency": "EUR"}"#,
            "nobody",
        ),
        (400, path.as_str(), r#"{"document_number": "R", "amount": "1,5", "currency": "EUR"}"#, "1,5"),
        (400, path.as_str(), r#"{"document_number": " ", "amount": "1", "currency": "EUR"}"#, "no number"),
        (400, path.as_str(), r#"{"document": "R", "amount": "1", "currency": "EUR"}"#, "document"),
        (400, path.as_str(), "R-1", "expected"),
    ] {
        let answer = served.post(path, JSON, body);
        assert!(answer.status == status && answer.body.contains(said), "{} {}", answer.status, answer.body);
    }
    let states = "select customer_id, state, document_count from receipt_status where document_count > 0";
    assert_eq!(rows(&sample, states), [format!("{customer},booked,2")]);
    let status = sample.ok(&["--format", "json", "status"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let receipts = status["tables"]["receipt"].as_array().unwrap();
    let states: Vec<&str> = receipts.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"booked") && states.contains(&"missing"), "{receipts:?}");
    // It is no usage: nothing is rated again for it.
    let run = sample.meterhouse(&["run"]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("nothing to do"), "{said}");
}

/// Sends records until it is told to stop, or the service does not answer any more; the ids that were acknowledged.
pub fn pour(served: &Served, sender: usize, next: &AtomicUsize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let ids: Vec<String> = (0..1 + number % 5).map(|one| format!("p-{sender}-{number}-{one}")).collect();
        let body: String = ids.iter().map(|id| format!("{}\n", record(id))).collect();
        match served.try_send("POST", USAGE, &[("content-type", NDJSON)], body) {
            Ok(answer) if answer.status == 200 => acknowledged.extend(ids),
            Ok(answer) => panic!("{} {}", answer.status, answer.body),
            Err(_) => return acknowledged,
        }
    }
}

/// A time of the clock, which is another each time.
fn without_times(text: &str) -> String {
    let (before, after) = text.split_once("\"received_at\":\"").unwrap_or((text, ""));
    match after.split_once('"') {
        Some((_, after)) => format!("{before}\"received_at\":\"...\"{after}"),
        None => text.to_string(),
    }
}

#[test]
fn the_page_can_be_typed() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let page = std::fs::read_to_string(repository().join("docs/service.md")).unwrap();
    let sample = Sample::whole();
    let served = Served::start(sample.path(), &[]);
    let program = Path::new(env!("CARGO_BIN_EXE_meterhouse")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut typed = 0;
    // The sections of usage and of receipts; the others have tests of their own.
    for section in page.split("\n## ").filter(|section| {
        ["Usage in", "Taking a record back", "What was booked"].iter().any(|title| section.starts_with(title))
    }) {
        for block in section.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap()) {
            for entry in block.split("$ ").filter(|entry| !entry.is_empty()) {
                let (command, shown) = entry.split_once('\n').unwrap();
                let here = command.replace("127.0.0.1:8473", served.address.trim_start_matches("http://"));
                let here = here.replacen("curl ", "curl --silent --show-error ", 1);
                let mut shell = Command::new("sh");
                shell.args(["-c", &here]).current_dir(sample.path()).env("PATH", &path);
                let output = shell.env("USER", "anna").output().unwrap();
                let said = without_times(String::from_utf8_lossy(&output.stdout).trim_end());
                assert_eq!(said, without_times(shown.trim_end()), "{command}");
                typed += 1;
            }
        }
    }
    assert_eq!(typed, 7);
}

/// Every landed record with how often it is there.
pub const LANDED: &str = "select transaction_id, count(*) from usage_record group by 1";

/// Every acknowledged record is landed once, and of others at most so many: those that were on their way when a service
/// was killed.
pub fn each_once(landed: &[String], acknowledged: &[String], others: usize) {
    let landed: BTreeMap<&str, &str> = landed.iter().map(|row| row.split_once(',').unwrap()).collect();
    for id in acknowledged {
        assert_eq!(landed.get(id.as_str()), Some(&"1"), "{id}");
    }
    assert!(landed.len() <= acknowledged.len() + others, "{} {}", landed.len(), acknowledged.len());
}

#[test]
fn a_killed_service_has_every_acknowledged_record_once() {
    let rounds: usize = std::env::var("METERHOUSE_KILLS").map_or(10, |rounds| rounds.parse().unwrap());
    let sample = Sample::empty();
    let next = Arc::new(AtomicUsize::new(0));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 0..rounds {
        // Landing often, so that it is killed in the middle of that as well.
        let served = Arc::new(Served::start(
            sample.path(),
            &["--set", "serve.land_seconds=0", "--set", "serve.gather_ms=5"],
        ));
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let (served, next, acknowledged) = (served.clone(), next.clone(), acknowledged.clone());
                std::thread::spawn(move || {
                    let ids = pour(&served, sender, &next);
                    acknowledged.lock().unwrap().extend(ids);
                })
            })
            .collect();
        // A time that is another in each round, and the same in each run.
        let millis = 30 + (round as u64 * 7919) % 1500;
        std::thread::sleep(Duration::from_millis(millis));
        served.signal("KILL");
        for sender in senders {
            sender.join().unwrap();
        }
    }
    sample.ok(&["run"]);
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > rounds * 20, "{}", acknowledged.len());
    each_once(&rows(&sample, LANDED), &acknowledged, rounds * 4 * 5);
    eprintln!("{rounds} kills, {} records acknowledged, each there once", acknowledged.len());
}
