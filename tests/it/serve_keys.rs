//! Who may ask a service for what, and the note of what was changed.

use std::path::Path;
use std::process::Command;

use meterhouse::access::key::Scope;
use meterhouse::serve::rules;
use serde_json::{Value, json};

use crate::sample::Sample;
use crate::served::{Answer, Served, id, key, soon};

const USAGE: &str = "/subscriptions/v1/usage";
const NDJSON: &str = "application/x-ndjson";

fn ask(served: &Served, method: &str, path: &str, key: Option<&str>, body: &str) -> Answer {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let mut headers = vec![("content-type", NDJSON)];
    headers.extend(bearer.as_ref().map(|bearer| ("authorization", bearer.as_str())));
    served.send(method, path, &headers, body)
}

fn record(id: &str, source: &str) -> Value {
    json!({
        "source": source, "transactionID": id, "usageType": "CarRentUsage",
        "usageStart": "2026-10-05T12:00:00", "VIN": "SGZCZ43D13S812715", "distance": 21.25
    })
}

/// The rows of a query, each as CSV, without the header.
fn rows(sample: &Sample, arguments: &[&str]) -> Vec<String> {
    sample.ok(arguments).lines().skip(1).map(String::from).collect()
}

/// The scopes that may ask for a route, and whether a key that is bound to customers may. Written down once more here:
/// a route that is added has to be thought of twice.
fn allowed(method: &str, path: &str) -> (&'static [Scope], bool) {
    match (method, path) {
        ("GET", "/healthz" | "/readyz" | "/openapi.json" | "/docs" | "/docs/style.css") => (&[], false),
        ("GET", "/metrics") => (&[Scope::Read, Scope::Operate], false),
        ("POST", "/subscriptions/v1/usage" | "/api/v1/events") => (&[Scope::Land], false),
        ("DELETE", "/subscriptions/v1/usage/{transaction_id}") => (&[Scope::Land], false),
        ("POST", "/periods/{period}/customers/{customer_id}/receipts") => (&[Scope::Book], true),
        ("GET", "/periods" | "/periods/{period}/{name}") => (&[Scope::Read], false),
        ("POST", "/v1/runs" | "/v1/periods/{period}/close" | "/v1/jobs/{job}/runs") => {
            (&[Scope::Operate], false)
        }
        ("GET", "/v1/jobs" | "/v1/jobs/{job}/runs/{due}") => (&[Scope::Operate], false),
        ("POST", "/sql") => (&[Scope::Read], true),
        ("GET", "/subscriptions/v1/contracts/{contract_id}/entitlements") => (&[Scope::Read], true),
        ("GET", "/subscriptions/v1/contracts/{contract_id}/access") => (&[Scope::Read], true),
        ("GET", "/subscriptions/v1/contracts/{contract_id}/usage") => (&[Scope::Read], true),
        ("GET", "/subscriptions/v1/customers/{customer_id}/entitlements") => (&[Scope::Read], true),
        ("GET", "/periods/{period}/customers/{customer_id}/{name}" | "/events") => (&[Scope::Read], true),
        _ => panic!("{method} {path}: who may ask for it? Say so in this test"),
    }
}

#[test]
fn each_route_lets_the_scopes_that_it_is_for_and_nobody_else() {
    let sample = Sample::empty();
    let of_scope = |scope: Scope| key(&sample, &[scope.word(), "--scope", scope.word()]);
    let scopes = [Scope::Land, Scope::Read, Scope::Operate, Scope::Book];
    let keys: Vec<(Scope, String)> = scopes.into_iter().map(|scope| (scope, of_scope(scope))).collect();
    let bound = key(&sample, &["bound", "--scope", "read", "--customer", "CUST-1"]);
    let revoked = key(&sample, &["gone", "--scope", "land", "--scope", "read", "--scope", "operate"]);
    sample.ok(&["key", "revoke", id(&revoked), "--reason", "lost"]);
    let changed = format!("{}0", &keys[0].1[..keys[0].1.len() - 1]);
    let changed = if changed == keys[0].1 { format!("{}1", &changed[..changed.len() - 1]) } else { changed };
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let served = Served::start(sample.path(), &[]);
    assert!(!served.said().contains("there is no key"), "{}", served.said());

    let is_let = |answer: &Answer| {
        let is_nothing = answer.status == 404 && answer.json()["title"] == "there is nothing here";
        !(is_nothing || [401, 403].contains(&answer.status))
    };
    let rules = rules();
    assert!(rules.len() >= 5);
    for rule in &rules {
        let (scopes, is_by_customer) = allowed(rule.method, rule.path);
        assert_eq!((rule.scopes, rule.is_by_customer), (scopes, is_by_customer), "{rule:?}");
        let path: String = rule.path.replace(['{', '}'], "");
        let ask = |key: Option<&str>| ask(&served, rule.method, &path, key, "");
        for (scope, key) in &keys {
            let answer = ask(Some(key));
            let expected = scopes.is_empty() || scopes.contains(scope);
            assert_eq!(is_let(&answer), expected, "{rule:?} {scope:?} {} {}", answer.status, answer.body);
            if !expected {
                assert_eq!(
                    (answer.status, &answer.json()["title"]),
                    (403, &json!("the key is not for this"))
                );
            }
        }
        let expected = scopes.is_empty() || (scopes.contains(&Scope::Read) && is_by_customer);
        let answer = ask(Some(&bound));
        assert_eq!(is_let(&answer), expected, "{rule:?} {} {}", answer.status, answer.body);
        if !expected {
            assert_eq!(answer.status, if scopes.contains(&Scope::Read) { 404 } else { 403 }, "{rule:?}");
        }
        for wrong in [None, Some(revoked.as_str()), Some(&changed), Some("mh_"), Some("")] {
            let answer = ask(wrong);
            assert_eq!(answer.status == 401, !scopes.is_empty(), "{rule:?} {wrong:?} {}", answer.status);
            if answer.status == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{rule:?}");
                assert_eq!(answer.kind, "application/problem+json");
            }
        }
    }
    // Who is refused hears of it also when all of a large body is sent first.
    let large = vec![b'x'; 8 << 20];
    for (key, status) in [("", 401), (keys[1].1.as_str(), 403), (keys[0].1.as_str(), 422)] {
        let bearer = format!("Bearer {key}");
        let headers = [("content-type", NDJSON), ("authorization", bearer.as_str())];
        assert_eq!(served.send("POST", USAGE, &headers, &large).status, status);
    }
    // What is not there, and what cannot be done there.
    for (method, path, with, without) in [("GET", "/nothing", 404, 401), ("GET", USAGE, 405, 401)] {
        for (_, key) in &keys {
            assert_eq!(ask(&served, method, path, Some(key), "").status, with, "{path}");
        }
        assert_eq!(ask(&served, method, path, None, "").status, without, "{path}");
    }
    let metrics = ask(&served, "GET", "/metrics", Some(&keys[2].1), "").body;
    assert!(metrics.contains("status=\"401\""), "{metrics}");
    served.stop();
    let listed = rows(&sample, &["key", "list"]);
    assert_eq!(listed.len(), 6);
    let last =
        |key: &str| listed.iter().find(|row| row.starts_with(id(key))).unwrap().rsplit(',').next().unwrap();
    assert_eq!(last(&revoked), "", "{listed:?}");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    assert!(last(&bound) >= day.as_str() && last(&bound) <= today.as_str(), "{listed:?}");
}

#[test]
fn a_key_for_some_customers_finds_nothing_of_others() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let bound = key(&sample, &["portal", "--scope", "read", "--customer", "ALPEN"]);
    let all = key(&sample, &["all", "--scope", "read"]);
    let served = Served::start(sample.path(), &[]);
    let get = |path: &str, key: &str| ask(&served, "GET", path, Some(key), "");
    // Each for a customer or a contract of his, one of another, and one that there is not.
    for (path, own, other) in [
        ("/subscriptions/v1/customers/{}/entitlements", "ALPEN", "BYTE"),
        ("/subscriptions/v1/contracts/{}/entitlements", "CON123", "BYTE-API"),
        ("/subscriptions/v1/contracts/{}/access?usage_type=api_call", "CON123", "BYTE-API"),
        ("/subscriptions/v1/contracts/{}/usage?from=2026-10-01", "CON123", "BYTE-API"),
        ("/periods/2026-10/customers/{}/invoice_line", "ALPEN", "BYTE"),
    ] {
        let of = |id: &str, key: &str| get(&path.replace("{}", id), key);
        for (id, key) in [(own, &bound), (own, &all), (other, &all)] {
            let answer = of(id, key);
            assert_eq!(answer.status, 200, "{path} {id} {}", answer.body);
        }
        let (hidden, none) = (of(other, &bound), of("NONE", &bound));
        assert_eq!((hidden.status, none.status), (404, 404), "{path} {}", hidden.body);
        assert_eq!(hidden.body.replace(other, "NONE"), none.body, "{path}");
    }
    // What is about all customers is not there.
    for path in ["/periods", "/periods/2026-10/invoice_line", "/metrics"] {
        assert_eq!((get(path, &all).status, get(path, &bound).status), (200, 404), "{path}");
    }
    served.stop();
    // To ask is no change.
    assert_eq!(rows(&sample, &["audit"]), Vec::<String>::new());
}

#[test]
fn a_key_says_what_is_booked_of_its_customers_alone() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.ok(&["close", "--period", "2026-09", "--confirm", "2026-09", "--by", "anna"]);
    let billed = "select distinct customer_id from billed_line order by 1 limit 2";
    let customers = rows(&sample, &["--format", "csv", "sql", billed]);
    let [own, other] = customers.as_slice() else { panic!("{customers:?}") };
    let books = key(&sample, &["erp", "--scope", "book", "--customer", own]);
    let served = Served::start(sample.path(), &[]);
    let body = r#"{"document_number": "R-1", "amount": "1.00", "currency": "EUR"}"#;
    let say = |customer: &str| {
        ask(&served, "POST", &format!("/periods/2026-09/customers/{customer}/receipts"), Some(&books), body)
    };
    assert_eq!(say(own).status, 201);
    let (hidden, none) = (say(other), say("NONE"));
    assert_eq!((hidden.status, hidden.body.replace(other.as_str(), "NONE")), (404, none.body));
    let read = format!("/periods/2026-09/customers/{own}/invoice_line");
    assert_eq!(ask(&served, "GET", &read, Some(&books), "").status, 403);
}

#[test]
fn a_key_counts_from_soon_after_it_is_made_until_soon_after_it_is_revoked() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &[]);
    assert!(
        served.said().contains("there is no key, so that every program on this machine"),
        "{}",
        served.said()
    );
    assert_eq!(served.get("/metrics").status, 200);
    // A page of somebody else in a browser on this machine.
    let cross = served.send("GET", "/metrics", &[("sec-fetch-site", "cross-site")], "");
    assert_eq!(cross.status, 403, "{}", cross.body);
    let first = key(&sample, &["first", "--scope", "operate"]);
    soon("a first key", || served.get("/metrics").status == 401);
    assert_eq!(ask(&served, "GET", "/metrics", Some(&first), "").status, 200);
    let second = key(&sample, &["second", "--scope", "read"]);
    soon("a second key", || ask(&served, "GET", "/metrics", Some(&second), "").status == 200);
    // Somebody has found it, and gives all of it.
    sample.ok(&["key", "revoke", &first, "--reason", "it was in a log", "--by", "anna"]);
    soon("a revoked key", || ask(&served, "GET", "/metrics", Some(&first), "").status == 401);
    sample.ok(&["key", "revoke", id(&second), "--reason", "nobody needs it"]);
    soon("another", || ask(&served, "GET", "/metrics", Some(&second), "").status == 401);
    // Nothing is open again because nobody has a key any more.
    assert_eq!(served.get("/metrics").status, 401);
    let again = sample.meterhouse(&["key", "revoke", id(&first), "--reason", "once more", "--by", "ben"]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("is revoked already, by anna: it was in a log"), "{said}");
    let (status, said) = sample.fails(&["key", "revoke", "0123456789abcdef", "--reason", "x"]);
    assert!(status == 2 && said.contains("there is no key 0123456789abcdef"), "{said}");
    let (status, said) = sample.fails(&["key", "revoke", id(&first)]);
    assert!(status == 2 && said.contains("no reason was given"), "{said}");
    // What is kept tells nobody the secret.
    let secret = first.rsplit('_').next().unwrap();
    let found = Command::new("grep").args(["-r", secret]).arg(sample.path()).output().unwrap();
    assert!(found.stdout.is_empty());
}

#[test]
fn a_key_for_some_sources_sends_and_voids_no_others() {
    let sample = Sample::empty();
    let shop = key(&sample, &["shop", "--scope", "land", "--source", "shop"]);
    let both = key(&sample, &["both", "--scope", "land", "--source", "shop", "--source", "gateway"]);
    let all = key(&sample, &["all", "--scope", "land"]);
    let served = Served::start(sample.path(), &[]);
    let post = |key: &str, body: &str| ask(&served, "POST", USAGE, Some(key), body);

    let mixed = [record("a-1", "shop"), record("a-2", "other"), record("a-3", "shop"), json!({"x": 1})];
    let mixed: String = mixed.iter().map(|record| format!("{record}\n")).collect();
    let answer = post(&shop, &mixed);
    assert_eq!(answer.status, 207, "{}", answer.body);
    let told = answer.json();
    assert_eq!((&told["accepted"], &told["rejected"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(
        (&told["records"][0]["record"], &told["records"][0]["field"]),
        (&json!(1), &json!("source")),
        "{told}"
    );
    assert_eq!(told["records"][0]["reason"], "`other` is not a source that the key may write");
    let (mixed_id, none) =
        (answer.header("x-request-id").to_string(), post(&shop, &record("a-4", "other").to_string()));
    assert_eq!((none.status, &none.json()["detail"]), (422, &json!("none is kept")), "{}", none.body);
    // Two records on one line cannot be told apart by their line.
    let line = format!("{} {}\n{}\n", record("a-5", "shop"), record("a-6", "other"), record("a-7", "shop"));
    let answer = post(&shop, &line);
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert_eq!(post(&all, &record("a-8", "other").to_string()).status, 200);
    let event = |id: &str, source: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": source, "type": "tokens", "subject": "ACC-1",
            "time": "2026-10-05T12:00:00Z", "data": {"quantity": 1}
        })
    };
    let bearer = format!("Bearer {both}");
    let headers =
        [("content-type", "application/cloudevents-batch+json"), ("authorization", bearer.as_str())];
    let events = json!([event("e-1", "gateway"), event("e-2", "other"), event("e-3", "shop")]);
    let answer = served.send("POST", USAGE, &headers, events.to_string());
    assert_eq!((answer.status, &answer.json()["accepted"]), (207, &json!(2)), "{}", answer.body);

    let void = |key: &str, path: &str| ask(&served, "DELETE", &format!("{USAGE}/{path}"), Some(key), "");
    assert_eq!(void(&shop, "a-8?reason=wrong&source=other").status, 403);
    // Of its own source there is none of that id.
    assert_eq!(void(&shop, "a-8?reason=wrong").status, 404);
    assert_eq!(void(&both, "a-1?reason=wrong").status, 400);
    let answer = void(&shop, "a-1?reason=wrong&by=anna");
    assert_eq!((answer.status, &answer.json()["voided"]), (200, &json!(1)), "{}", answer.body);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");

    let landed = rows(&sample, &["sql", "select source, transaction_id from usage_record order by 2"]);
    assert_eq!(landed, ["shop,a-1", "shop,a-3", "other,a-8", "gateway,e-1", "shop,e-3"]);
    let decided = rows(&sample, &["sql", "select source, decided_by from usage_decision"]);
    assert_eq!(decided, ["shop,\"anna, by key shop\""]);

    let audit = sample.ok(&["audit", "--format", "ndjson"]);
    let audit: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<String> = audit
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_string();
            format!("{} {} {}: {}", text("key_name"), text("method"), row["status"], text("outcome"))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "shop POST 207: 2 accepted, 0 duplicate, 2 rejected",
            "shop POST 422: 0 accepted, 0 duplicate, 1 rejected",
            "shop POST 422: records of sources that the key may not write stand among others",
            "all POST 200: 1 accepted, 0 duplicate, 0 rejected",
            "both POST 207: 2 accepted, 0 duplicate, 1 rejected",
            "shop DELETE 403: the key is not for this",
            "shop DELETE 404: the request cannot be done",
            "both DELETE 400: the key is for some sources, and none of them is named",
            "shop DELETE 200: done",
        ]
    );
    assert_eq!(audit[0]["key_id"], id(&shop));
    assert_eq!(audit[0]["request_id"], mixed_id);
    assert_eq!(audit[8]["path"], format!("{USAGE}/a-1"));
    assert_eq!(rows(&sample, &["audit", "--since", "2200-01-01T00:00:00Z"]), Vec::<String>::new());
}

/// A line with ids and times of another run in the place of its own.
fn same_ids(line: &str) -> String {
    let is_id = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_time = |word: &str| word.len() == 27 && word.starts_with("20") && word.ends_with('Z');
    let mut same = String::new();
    for word in line.split_inclusive([' ', '_', '"', '`', ',']) {
        let (text, end) = word.split_at(word.trim_end_matches([' ', '_', '"', '`', ',']).len());
        let text = if is_id(text) { "ID" } else { text };
        same += if is_time(text) { "TIME" } else { text };
        same += end;
    }
    same
}

#[test]
fn the_page_says_what_its_commands_say() {
    let page = std::fs::read_to_string(crate::sample::repository().join("docs/service.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Who may do what")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut here = folder.path().to_path_buf();
    let program = Path::new(env!("CARGO_BIN_EXE_meterhouse")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let blocks = section.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut typed = 0;
    for block in blocks {
        for entry in block.split("$ meterhouse ").filter(|entry| !entry.is_empty()) {
            let (command, shown) = entry.split_once('\n').unwrap();
            let (shown, cd) = shown.split_once("$ cd ").unwrap_or((shown, ""));
            let output = Command::new("sh")
                .args(["-c", &format!("exec 2>&1; {{ meterhouse {command} ; }}")])
                .current_dir(&here)
                .env("PATH", &path)
                .env("USER", "anna")
                .env("NO_COLOR", "1")
                .output()
                .unwrap();
            let said: Vec<String> = String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .map(|line| same_ids(line.trim_end()))
                .collect();
            let shown: Vec<String> = shown.lines().map(same_ids).collect();
            assert_eq!(said, shown, "meterhouse {command}");
            typed += 1;
            if !cd.is_empty() {
                here.push(cd.trim());
            }
        }
    }
    assert!(typed > 6, "{typed}");
}
