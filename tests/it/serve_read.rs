//! What is read over HTTP is what was published, and no more than may be read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sample::{AS_OF, Sample, repository};
use crate::served::{Answer, Served};

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
/// How long something may take that takes a second or two.
const SOON: Duration = Duration::from_secs(60);

/// The shipped project, with a run as of the end of its usage, served.
fn published(arguments: &[&str]) -> (Sample, Served) {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let served = Served::start(sample.path(), arguments);
    (sample, served)
}

/// A run as of now, or of what is said.
fn run(sample: &Sample, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
    let output = command.current_dir(sample.path()).args(arguments).arg("run").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Status, title and hint of a problem document.
fn problem(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.kind, "application/problem+json", "{}", answer.body);
    let told = answer.json();
    assert_eq!(told["status"], answer.status);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_string();
    (answer.status, text("title"), text("hint"))
}

/// Asks until the answer is as wanted.
fn until(ask: impl Fn() -> Answer, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if wanted(&answer) {
            return answer;
        }
        assert!(began.elapsed() < SOON, "{} {}", answer.status, answer.body);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn entitlements_are_those_of_the_contract_and_of_its_customer() {
    let (_sample, served) = published(&[]);
    let of = |path: &str| served.get(&format!("/subscriptions/v1/{path}"));
    let pooled = ok(&of("contracts/CON123/entitlements?at=2026-10-15"));
    assert_eq!(pooled["contract_id"], "CON123");
    assert_eq!((&pooled["run"], &pooled["as_of"]), (&json!(1), &json!(AS_OF)));
    assert_eq!(pooled["at"], "2026-10-14T22:00:00Z");
    let quota = json!({
        "quota_id": "fleet_km", "quota_scope": "customer", "owner_id": "ALPEN", "customer_id": "ALPEN",
        "cycle_start": "2026-09-30T22:00:00Z", "cycle_end": "2026-10-31T23:00:00Z", "included_quantity": "1500",
        "used_quantity": "2627.25", "remaining_quantity": "0", "goodwill_quantity": "0",
        "overage_quantity": "1127.25", "used_percent": "175.15", "limit_type": "soft", "state": "overage",
        "has_access": true, "billing_period": "2026-10"
    });
    assert_eq!(pooled["rows"], json!([quota]));
    for path in ["contracts/CON124", "customers/ALPEN"] {
        let same = ok(&of(&format!("{path}/entitlements?at=2026-10-31T22:59:59Z")));
        assert_eq!(same["rows"], json!([quota]), "{path}");
    }
    // A cycle does not hold its end.
    let next = ok(&of("contracts/CON123/entitlements?at=2026-10-31T23:00:00Z"));
    assert_eq!(next["rows"][0]["cycle_start"], "2026-10-31T23:00:00Z");

    let own = of("contracts/BYTE-API/entitlements?at=2026-10-15&format=csv");
    assert_eq!((own.status, own.kind.as_str()), (200, "text/csv"));
    assert_eq!((own.header("meterhouse-run"), own.header("meterhouse-as-of")), ("1", AS_OF));
    let lines: Vec<&str> = own.body.lines().collect();
    assert_eq!(lines.len(), 2, "{}", own.body);
    assert!(
        lines[1].starts_with("api_included,contract,BYTE-API,BYTE,2026-09-30T04:00:00Z,"),
        "{}",
        lines[1]
    );
    assert_eq!(ok(&of("contracts/BYTE-SUPPORT/entitlements?at=2026-10-15"))["rows"], json!([]));
    assert_eq!(ok(&of("customers/KANJI/entitlements"))["rows"], json!([]));

    let (status, title, _) = problem(&of("contracts/NONE/entitlements"));
    assert_eq!((status, title.as_str()), (404, "there is no contract NONE"));
    let (status, title, _) = problem(&of("customers/NONE/entitlements"));
    assert_eq!((status, title.as_str()), (404, "there is no customer NONE"));
    assert_eq!(problem(&of("contracts/CON123/entitlements?at=soon")).1, "`at` is no time");
    assert_eq!(problem(&of("contracts/CON123/entitlements?when=2026-10-15")).0, 400);
    assert_eq!(problem(&of("contracts/CON123/entitlements?format=table")).0, 406);
}

#[test]
fn what_landed_since_the_run_counts_where_that_is_asked_for() {
    let (sample, served) = published(&[]);
    let of = |asked: &str| {
        let path = format!("/subscriptions/v1/customers/ALPEN/entitlements?at=2026-10-15{asked}");
        ok(&served.get(&path))
    };
    let used = |told: &Value| told["rows"][0]["used_quantity"].as_str().unwrap().to_string();
    let before = of("");
    assert_eq!(used(&before), "2627.25");
    assert_eq!((&before["is_fresh"], &before["last_landing"]), (&json!(false), &json!(4)));
    let files = || {
        let pattern = format!("{}/warehouse/entitlement_status/*/*", sample.path().display());
        glob::glob(&pattern).unwrap().flatten().collect::<Vec<_>>()
    };
    let published_files = files();
    // Nothing has come since.
    let same = of("&fresh=true");
    assert_eq!((used(&same), &same["last_landing"]), ("2627.25".into(), &json!(4)));
    let record = r#"{"transactionID": "S-1", "usageType": "CarRentUsage", "usageStart": "2026-10-05T12:00:00",
        "usageEnd": "2026-10-05T12:41:00", "VIN": "SGZCZ43D13S812715", "distance": 10.5}"#;
    assert_eq!(served.post("/subscriptions/v1/usage", JSON, record).status, 200);
    assert_eq!(used(&of("")), "2627.25");
    let fresh = of("&fresh=true");
    assert_eq!((used(&fresh), &fresh["run"]), ("2637.75".into(), &json!(1)));
    assert_eq!((&fresh["is_fresh"], &fresh["last_landing"]), (&json!(true), &json!(5)));
    assert_eq!(of("&fresh=true"), fresh);
    assert_eq!(sample.rows("select max(run) from event"), ["1"]);
    assert_eq!(files(), published_files, "what is counted beside leaves nothing");
    run(&sample, &["--as-of", AS_OF]);
    let counted = || served.get("/subscriptions/v1/customers/ALPEN/entitlements?at=2026-10-15");
    until(counted, |answer| answer.json()["rows"][0]["used_quantity"] == "2637.75");
}

#[test]
fn access_is_told_by_what_is_counted_and_a_new_run_is_seen() {
    let sample = Sample::new();
    let quota = "quota_id,included_quantity,proration,limit_type,valid_from,valid_to\n\
                 fleet_km,1500,none,soft,2026-01-01,\napi_included,0,none,hard,2026-01-01,\n";
    sample.write("data/quota.csv", quota);
    run(&sample, &[]);
    let served = Served::start(sample.path(), &[]);
    let of = |contract: &str, usage_type: &str| {
        served.get(&format!("/subscriptions/v1/contracts/{contract}/access?usage_type={usage_type}"))
    };
    let hard = ok(&of("BYTE-API", "api_call"));
    assert_eq!(
        (&hard["has_access"], &hard["is_metered"], &hard["run"]),
        (&json!(false), &json!(true), &json!(1))
    );
    assert_eq!(hard["quotas"].as_array().unwrap().len(), 1, "{hard}");
    assert_eq!(hard["quotas"][0]["state"], "exhausted");
    assert_eq!(hard["quotas"][0]["remaining_quantity"], "0");
    let age = hard["age_seconds"].as_i64().unwrap();
    assert!((0..600).contains(&age), "{age}");
    // An item without quota stands in nobody's way, one that is not there does.
    let free = ok(&of("BYTE-API", "storage"));
    assert_eq!((&free["has_access"], &free["quotas"]), (&json!(true), &json!([])));
    let none = ok(&of("BYTE-API", "CarRentUsage"));
    assert_eq!((&none["has_access"], &none["is_metered"]), (&json!(false), &json!(false)));
    assert_eq!(ok(&of("BYTE-SUPPORT", "api_call"))["has_access"], false);
    let pooled = ok(&of("CON124", "CarRentUsage"));
    assert_eq!((&pooled["has_access"], &pooled["quotas"][0]["owner_id"]), (&json!(true), &json!("ALPEN")));
    assert_eq!(problem(&of("NONE", "api_call")).0, 404);
    assert_eq!(problem(&served.get("/subscriptions/v1/contracts/BYTE-API/access")).0, 400);

    // Of a project that was changed and run elsewhere.
    sample.write("data/quota.csv", &quota.replace("api_included,0,none,hard", "api_included,9,none,hard"));
    run(&sample, &[]);
    let again = until(|| of("BYTE-API", "api_call"), |answer| answer.json()["run"] == 2).json();
    assert_eq!(
        (&again["has_access"], &again["quotas"][0]["remaining_quantity"]),
        (&json!(true), &json!("9"))
    );
}

#[test]
fn a_cycle_that_no_run_has_counted_has_what_it_begins_with() {
    let sample = Sample::new();
    let quota = "quota_id,included_quantity,proration,limit_type,valid_from,valid_to\n\
                 fleet_km,1500,none,hard,2026-01-01,\napi_included,0,none,hard,2026-01-01,\n";
    sample.write("data/quota.csv", quota);
    run(&sample, &["--as-of", "2026-10-20T00:00:00Z"]);
    let served = Served::start(sample.path(), &[]);
    let of = |contract: &str, usage_type: &str| {
        ok(&served.get(&format!("/subscriptions/v1/contracts/{contract}/access?usage_type={usage_type}")))
    };
    // Exhausted when it was counted, and full since its next cycle has begun.
    let full = of("CON123", "CarRentUsage");
    assert_eq!((&full["has_access"], &full["quotas"][0]["state"]), (&json!(true), &json!("uncounted")));
    assert_eq!(full["quotas"][0]["remaining_quantity"], Value::Null);
    let none = of("BYTE-API", "api_call");
    assert_eq!((&none["has_access"], &none["quotas"][0]["state"]), (&json!(false), &json!("uncounted")));
}

#[test]
fn what_is_exported_is_read_with_the_same_bytes() {
    let (sample, served) = published(&[]);
    let periods = ok(&served.get("/periods"));
    let october = periods["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["billing_period"] == "2026-10" && row["currency"] == "EUR");
    assert!(october.unwrap()["amount"].is_string(), "{periods}");

    let to = |name: &str| sample.path().join(name).display().to_string();
    sample.ok(&["export", "--period", "2026-10", "--to", &to("out")]);
    sample.ok(&["export", "--period", "2026-10", "--to", &to("one"), "--one-file"]);
    for name in ["invoice_line", "usage_statement", "entitlement_status"] {
        let customer = served.get(&format!("/periods/2026-10/customers/ALPEN/{name}?format=csv"));
        assert_eq!(customer.body, sample.read(&format!("out/2026-10/ALPEN/{name}.csv")), "{name}");
        let all = served.get(&format!("/periods/2026-10/{name}?format=csv"));
        assert_eq!(all.body, sample.read(&format!("one/2026-10/{name}.csv")), "{name}");
    }
    let path = "/periods/2026-10/customers/ALPEN/invoice_line";
    let lines = ok(&served.get(path));
    assert_eq!((&lines["state"], &lines["customer_id"]), (&json!("draft"), &json!("ALPEN")));
    let rows = lines["rows"].as_array().unwrap().len();
    let accepted = |kind: &str| served.send("GET", path, &[("accept", kind)], "");
    assert_eq!(accepted("application/x-ndjson").body.lines().count(), rows);
    assert!(accepted("application/vnd.apache.parquet").body.starts_with("PAR1"));
    assert_eq!(accepted("text/html").status, 406);

    assert_eq!(problem(&served.get("/periods/2026-10/invoice_lines")).2, "did you mean `invoice_line`?");
    assert_eq!(problem(&served.get("/periods/2026-13/invoice_line")).0, 404);
    assert_eq!(problem(&served.get("/periods/2026-10/customers/NONE/invoice_line")).0, 404);
    assert_eq!(ok(&served.get("/periods/2031-10/invoice_line"))["rows"], json!([]));
}

#[test]
fn rows_have_a_tag_that_holds_until_the_next_run() {
    let (sample, served) = published(&[]);
    let path = "/periods/2026-10/customers/BYTE/invoice_line";
    let first = served.get(path);
    let tag = first.header("etag").to_string();
    assert!(tag.starts_with("\"1-") && first.header("vary") == "accept", "{:?}", first.headers);
    assert_eq!(served.get(path).header("etag"), tag);
    assert_ne!(served.get(&format!("{path}?format=csv")).header("etag"), tag);
    assert_ne!(served.get("/periods/2026-10/customers/ALPEN/invoice_line").header("etag"), tag);
    let known = |tag: &str| served.send("GET", path, &[("if-none-match", tag)], "");
    let same = known(&format!("\"x\", W/{tag}"));
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", tag.as_str()));

    // A check that holds a customer back.
    let check = "-- no_byte: nobody bills this customer.\n\nselect customer.customer_id\nfrom customer\n\
                 where customer.customer_id = 'BYTE'\n";
    sample.write("queries/checks/no_byte.sql", check);
    sample.replace("data/quota.csv", "30000", "30001");
    sample.meterhouse(&["run"]);
    let parked = until(|| known(&tag), |answer| answer.status != 304);
    let (status, title, _) = problem(&parked);
    assert_eq!((status, title.as_str()), (409, "BYTE is held back by the check `no_byte`"));
    let others = ok(&served.get("/periods/2026-10/invoice_line"));
    assert_eq!(others["held_back"], json!(["BYTE"]));
    assert!(others["rows"].as_array().unwrap().iter().all(|row| row["customer_id"] != "BYTE"), "{others}");
}

#[test]
fn usage_is_summed_in_the_zone_of_the_contract() {
    let (sample, served) = published(&[]);
    let of = |asked: &str| served.get(&format!("/subscriptions/v1/contracts/CON123/usage?{asked}"));
    let month = ok(&of("from=2026-10-01&to=2026-11-01&granularity=month&group_by=contract_item"));
    let sums = "select contract_item_id, count(*), sum(quantity) from counted_usage where contract_item_id like 'CON123-%' \
                and local_period(usage_start, 'Europe/Berlin') = '2026-10' group by 1 order by 1";
    let expected = sample.ok(&["sql", sums]);
    let found: Vec<String> = month["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!((&row["used_in"], &row["usage_type"]), (&json!("2026-10"), &json!("CarRentUsage")));
            format!(
                "{},{},{}",
                row["contract_item_id"].as_str().unwrap(),
                row["parts"],
                row["quantity"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(found, expected.lines().skip(1).collect::<Vec<_>>());
    let days = ok(&of("from=2026-10-01&to=2026-11-01"));
    assert!(
        days["rows"].as_array().unwrap().len() > 2
            && days["rows"][0]["used_in"].as_str().unwrap().len() == 10
    );
    let hours = ok(&of("from=2026-10-01&to=2026-11-01&granularity=hour"));
    assert!(hours["rows"][0]["used_in"].as_str().unwrap().ends_with(":00:00Z"), "{hours}");
    assert_eq!(problem(&of("from=2026-11-01&to=2026-10-01")).1, "`from` is not before `to`");
    assert_eq!(problem(&of("from=2026-10-01&granularity=week")).0, 400);
    assert_eq!(problem(&of("to=2026-10-01")).0, 400);
}

#[test]
fn a_query_reads_and_does_nothing_else() {
    let (sample, served) = published(&["--set", "serve.sql_rows=50"]);
    let ask = |query: &str| served.post("/sql", TEXT, query);
    let sum =
        ok(&ask("select count(*) as lines, sum(amount) as amount from invoice_line where currency = 'JPY'"));
    assert_eq!((&sum["run"], &sum["as_of"]), (&json!(1), &json!(AS_OF)));
    assert!(sum["rows"][0]["amount"].is_string(), "{sum}");
    let at = json!({"query": "select $as_of as t, max(cycle_start) <= $as_of as holds from contract_cycle", "as_of": "2026-09-15"});
    let at = ok(&served.post("/sql", JSON, at.to_string()));
    assert_eq!(at["rows"], json!([{"t": "2026-09-14T22:00:00Z", "holds": true}]));
    let csv = served.send("POST", "/sql", &[("accept", "text/csv")], "select 1 as a, '=b' as b");
    assert_eq!(csv.body, "a,b\n1,=b\n");
    assert!(served.send("POST", "/sql?format=parquet", &[], "select 1 as a").body.starts_with("PAR1"));
    assert_eq!(ok(&ask("describe quota"))["rows"][0]["column"], "quota_id");

    let wrong = ask("select line_id,\n  amout from invoice_line");
    assert_eq!(wrong.status, 400);
    let told = wrong.json();
    assert_eq!((&told["line"], &told["column"]), (&json!(2), &json!(3)), "{told}");
    assert!(told["hint"].as_str().unwrap().contains("amount"), "{told}");
    for query in [
        "delete from price",
        "insert into price values (1)",
        "create table x as select 1",
        "create external table x stored as csv location '/etc/passwd'",
        "copy (select 1) to 'x.csv'",
        "set datafusion.execution.batch_size = 1",
        "drop table price",
        "select 1; select 2",
        "select * from 'meterhouse.toml'",
        "select * from information_schema.tables",
        "",
    ] {
        let (status, ..) = problem(&ask(query));
        assert_eq!(status, 400, "{query}");
    }
    let (status, title, hint) = problem(&ask("select value from generate_series(1, 51)"));
    assert_eq!((status, title.as_str()), (422, "the query has more than 50 rows"));
    assert!(hint.contains("limit 50"), "{hint}");
    assert_eq!(ok(&ask("select value from generate_series(1, 50)"))["rows"].as_array().unwrap().len(), 50);
    assert_eq!(problem(&ask("select 1 / 0 as x")).0, 422);
    for body in ["{\"quer\":\"select 1\"}", "[\"select 1\", null]", ""] {
        assert_eq!(problem(&served.post("/sql", JSON, body)).0, 400, "{body}");
    }
    assert_eq!(served.post("/sql", TEXT, " ".repeat(300 << 10)).status, 413);
    assert_eq!(problem(&served.send("POST", "/sql", &[("content-encoding", "gzip")], "select 1")).0, 415);
    for (packed, status) in [("br", 415), ("gzip, gzip", 415), ("identity", 422), ("GZIP", 422)] {
        let headers = [("content-encoding", packed), ("content-type", JSON)];
        assert_eq!(
            problem(&served.send("POST", "/subscriptions/v1/usage", &headers, "{}")).0,
            status,
            "{packed}"
        );
    }
    assert!(!sample.path().join("x.csv").exists());
}

#[test]
fn a_query_stops_when_nobody_waits_or_its_time_is_over() {
    let arguments = ["--set", "serve.sql_queries=1", "--set", "serve.request_seconds=2"];
    let (_sample, served) = published(&arguments);
    ok(&served.post("/sql", TEXT, "select 1 as a"));
    let long = "select max(value % 7) as n from generate_series(1, 1000000000000)";
    let mut gone = TcpStream::connect(served.address.trim_start_matches("http://")).unwrap();
    let length = long.len();
    write!(gone, "POST /sql HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{long}").unwrap();
    let ask = || served.post("/sql", TEXT, "select 1 as a");
    let busy = until(ask, |answer| answer.status == 429);
    assert_eq!(busy.header("retry-after"), "1");
    // Others are not in its way.
    assert_eq!(served.get("/periods").status, 200);
    drop(gone);
    until(ask, |answer| answer.status == 200);

    let (status, title, _) = problem(&served.post("/sql", TEXT, long));
    assert_eq!(status, 408, "{title}");
    until(ask, |answer| answer.status == 200);
}

#[test]
fn a_long_answer_is_streamed_and_ends_in_the_middle_where_it_fails() {
    let (_sample, served) = published(&["--set", "serve.sql_rows=300000"]);
    let all =
        served.post("/sql?format=ndjson", TEXT, "select value as number from generate_series(1, 300000)");
    assert_eq!((all.status, all.header("transfer-encoding")), (200, "chunked"));
    assert_eq!(all.body.lines().last(), Some("{\"number\":300000}"));
    let query = "select value as number from generate_series(1, 900000)";
    let mut raw = TcpStream::connect(served.address.trim_start_matches("http://")).unwrap();
    write!(raw, "POST /sql HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{query}", query.len()).unwrap();
    let mut text = Vec::new();
    raw.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    // Without its last chunk, of which every client knows that it has to come.
    assert!(text.starts_with("HTTP/1.1 200") && !text.ends_with("0\r\n\r\n"));
    let warning = "warning: an answer ends in the middle: the query has more than 300000 rows";
    let began = Instant::now();
    while !served.said().contains(warning) {
        assert!(began.elapsed() < SOON, "{}", served.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_feed_has_what_happened_behind_a_place_and_waits_for_it() {
    let (sample, served) = published(&[]);
    let feed = |asked: &str| ok(&served.get(&format!("/events{asked}")));
    let types = |feed: &Value| -> Vec<String> {
        let events = feed["events"].as_array().unwrap().iter();
        events.map(|event| event["type"].as_str().unwrap().to_string()).collect()
    };
    let all = feed("");
    let count = all["events"].as_array().unwrap().len();
    assert_eq!((count, &all["after"]), (6, &json!(6)), "{all}");
    assert_eq!(types(&all), vec!["meterhouse.quota_reached"; 6]);
    let (first, second) = (feed("?limit=4"), feed("?after=4&kind=quota_reached"));
    let both = [&first, &second].map(|part| part["events"].as_array().unwrap().clone()).concat();
    assert_eq!(json!(both), all["events"]);
    assert_eq!(feed("?kind=period_closed"), json!({"after": 0, "events": []}));
    let event = &all["events"][0];
    assert_eq!(event["time"], AS_OF);
    assert_eq!(event["data"]["quota_id"], "api_included");
    assert_eq!(event["sequence"], "00000000000000000001");
    // Nothing comes within a second; then something does.
    let began = Instant::now();
    assert_eq!(feed("?after=6&wait=1"), json!({"after": 6, "events": []}));
    assert!(began.elapsed() >= Duration::from_secs(1));
    let next = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| feed("?after=6&wait=60"));
        std::thread::sleep(Duration::from_millis(700));
        sample.ok(&["close", "--period", "2026-09", "--confirm", "2026-09", "--by", "anna"]);
        waiting.join().unwrap()
    });
    assert_eq!(types(&next), ["meterhouse.period_closed"]);
    assert_eq!(next["events"][0]["data"]["closed_by"], "anna");
    for asked in ["?limit=0", "?limit=1001", "?wait=61", "?after=x", "?since=1"] {
        assert_eq!(served.get(&format!("/events{asked}")).status, 400, "{asked}");
    }
    // A key for one customer is told of that one.
    let key = sample.ok(&["key", "add", "portal", "--scope", "read", "--customer", "ALPEN"]);
    let bearer = format!("Bearer {}", key.trim());
    let own = || served.send("GET", "/events", &[("authorization", &bearer)], "");
    let own = ok(&until(own, |answer| answer.status == 200 && !answer.body.contains("BYTE")));
    let customers = own["events"].as_array().unwrap().iter().map(|event| &event["data"]["customer_id"]);
    assert_eq!(customers.collect::<Vec<_>>(), vec!["ALPEN"; 2], "{own}");
}

#[test]
fn a_key_for_some_customers_reads_of_no_others() {
    let sample = Sample::new();
    run(&sample, &[]);
    let key = sample.ok(&["key", "add", "portal", "--scope", "read", "--customer", "ALPEN"]);
    let served = Served::start(sample.path(), &[]);
    let bearer = format!("Bearer {}", key.trim());
    let get = |path: &str| served.send("GET", path, &[("authorization", &bearer)], "");
    for path in [
        "/subscriptions/v1/contracts/CON123/entitlements",
        "/subscriptions/v1/contracts/CON124/access?usage_type=CarRentUsage",
        "/subscriptions/v1/contracts/CON123/usage?from=2026-10-01",
        "/subscriptions/v1/customers/ALPEN/entitlements",
        "/periods/2026-10/customers/ALPEN/invoice_line",
    ] {
        assert_eq!(get(path).status, 200, "{path}");
    }
    // As if there were none.
    for (path, none) in [
        ("/subscriptions/v1/contracts/{}/entitlements", ["BYTE-API", "NONE"]),
        ("/subscriptions/v1/contracts/{}/access?usage_type=api_call", ["BYTE-API", "NONE"]),
        ("/subscriptions/v1/contracts/{}/access?usage_type=api_call", ["BYTE-SUPPORT", "NONE"]),
        ("/subscriptions/v1/contracts/{}/usage?from=2026-10-01", ["BYTE-API", "NONE"]),
        ("/subscriptions/v1/customers/{}/entitlements", ["BYTE", "NONE"]),
        ("/periods/2026-10/customers/{}/invoice_line", ["BYTE", "NONE"]),
    ] {
        let [other, none] = none.map(|id| (id, get(&path.replace("{}", id))));
        assert_eq!((other.1.status, none.1.status), (404, 404), "{path}");
        assert_eq!(other.1.body.replace(other.0, ""), none.1.body.replace(none.0, ""), "{path}");
    }
    for path in ["/periods", "/periods/2026-10/invoice_line"] {
        assert_eq!(problem(&get(path)).1, "there is nothing here", "{path}");
    }
}

#[test]
fn a_key_for_some_customers_asks_about_no_others() {
    let sample = Sample::new();
    run(&sample, &[]);
    let key = sample.ok(&["key", "add", "portal", "--scope", "read", "--customer", "ALPEN"]);
    let all = sample.ok(&["key", "add", "all", "--scope", "read"]);
    let served = Served::start(sample.path(), &[]);
    let asked = |key: &str, query: &str| {
        let bearer = format!("Bearer {}", key.trim());
        served.send("POST", "/sql", &[("authorization", &bearer), ("content-type", TEXT)], query)
    };
    let of = |query: &str| asked(&key, query);
    let own = "select count(*) as lines, sum(amount) as amount from invoice_line";
    let theirs = ok(&asked(&all, &format!("{own} where customer_id = 'ALPEN'")));
    assert_ne!(theirs["rows"], ok(&asked(&all, own))["rows"]);
    assert_eq!(ok(&of(own))["rows"], theirs["rows"]);
    let joined = "select distinct customer.customer_id from customer cross join invoice_line";
    assert_eq!(ok(&of(joined))["rows"], json!([{"customer_id": "ALPEN"}]));
    let at =
        json!({"query": "select customer_id from customer where $as_of is not null", "as_of": "2026-10-15"});
    let bearer = format!("Bearer {}", key.trim());
    let at =
        served.send("POST", "/sql", &[("authorization", &bearer), ("content-type", JSON)], at.to_string());
    assert_eq!(ok(&at)["rows"], json!([{"customer_id": "ALPEN"}]));
    // What does not say whose it is does not exist, in whatever way it is asked for.
    for (query, name) in [
        ("select * from usage_record", "usage_record"),
        ("describe usage_record", "usage_record"),
        ("select * from price", "price"),
        ("explain select * from price", "price"),
        ("select 1 from invoice_line where exists (select 1 from price)", "price"),
    ] {
        let (there, none) = (of(query), of(&query.replace(name, "nothing_of")));
        assert_eq!((there.status, none.status), (400, 400), "{query} {}", there.body);
        assert!(!there.body.contains("data/"), "{query} {}", there.body);
        assert_eq!(asked(&all, query).status, 200, "{query}");
    }
    // Nothing that is asked is asked of rows of others: an error would tell of them.
    for query in [
        "select 1 / (case when customer_id = 'BYTE' then 0 else 1 end) as x from invoice_line",
        "select count(*) from invoice_line where 1 / (case when customer_id = 'BYTE' then 0 else 1 end) = 1",
        "select count(*) from customer where cast(replace(customer_id, 'ALPEN', '1') as int) = 1",
        "select cast(replace(customer_id, 'ALPEN', '1') as int) as x, customer_id from customer",
        "select * from (select * from customer order by customer_id desc limit 1) where cast(replace(customer_id, 'ALPEN', '1') as int) = 1",
        "select count(*) from customer join invoice_line using (customer_id) \
         where cast(replace(customer.customer_id, 'ALPEN', '1') as int) = 1",
    ] {
        assert_eq!(of(query).status, 200, "{query} {}", of(query).body);
        assert_eq!(asked(&all, query).status, 422, "{query}");
    }
    // Nor does a plan tell of them.
    for explain in ["explain", "explain analyze"] {
        let plan =
            of(&format!("{explain} select count(*) from invoice_line where customer_id = 'BYTE'")).body;
        assert!(plan.contains("StreamingTableExec") && !plan.contains("parquet"), "{plan}");
    }
    assert_eq!(ok(&of("select customer_id from invoice_line where customer_id = 'BYTE'"))["rows"], json!([]));
}

#[test]
fn rows_come_as_arrow_too() {
    let has_it = Command::new("python3").args(["-c", "import pyarrow"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 cannot import pyarrow");
        return;
    }
    let (sample, served) = published(&[]);
    let read = "import pyarrow, urllib.request\n\
                request = urllib.request.Request(URL + '/sql', data=QUERY.encode(), headers={\n    \
                'Accept': 'application/vnd.apache.arrow.stream', 'Content-Type': 'text/plain'})\n\
                answer = urllib.request.urlopen(request)\n\
                assert answer.headers['content-type'] == 'application/vnd.apache.arrow.stream'\n\
                table = pyarrow.ipc.open_stream(answer.read()).read_all()\n\
                print(','.join(str(field.type) for field in table.schema))\n\
                for row in table.to_pylist():\n    print(','.join(format(value, '' if isinstance(value, int) else 's' if isinstance(value, str) else 'f') for value in row.values()))\n";
    let ask = |query: &str| {
        let text = format!("URL = {:?}\nQUERY = {query:?}\n{read}", served.address);
        let output = Command::new("python3").args(["-c", &text]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let query = "select line_id, amount from invoice_line where currency = 'EUR' order by line_id";
    let rows = ask(query);
    let (types, rows) = rows.split_once('\n').unwrap();
    assert!(types.starts_with("string,decimal128(38, "), "{types}");
    let number = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    let rows: Vec<String> = rows.lines().map(number).collect();
    let expected: Vec<String> = sample.rows(query).iter().map(|row| number(row)).collect();
    assert!(rows.len() > 3 && rows == expected, "{rows:?}\n{expected:?}");
    // More than a chunk, and none.
    let many = ask("select value as number from generate_series(1, 20000)");
    assert_eq!((many.lines().count(), many.lines().last()), (20001, Some("20000")));
    assert_eq!(ask("select value as number from generate_series(1, 2) where false").trim(), "int64");
}

#[test]
fn the_page_shows_what_can_be_typed() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let (sample, served) = published(&[]);
    let section = |page: &str, title: &str| {
        let page = std::fs::read_to_string(repository().join(page)).unwrap();
        let (_, section) = page.split_once(&format!("\n## {title}\n")).unwrap();
        section.split("\n## ").next().unwrap().replace("\\\n", "")
    };
    let section = section("docs/service.md", "What can be read") + &section("docs/events.md", "The feed");
    let mut typed = 0;
    for command in section.lines().filter(|line| line.starts_with("curl ")) {
        let here = command.replace("127.0.0.1:8473", served.address.trim_start_matches("http://"));
        let here = here.replacen("curl ", "curl --fail-with-body --silent --show-error ", 1);
        let output = Command::new("sh").args(["-c", &here]).current_dir(sample.path()).output().unwrap();
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}\n{said}{wrong}");
        typed += 1;
    }
    assert!(typed >= 11, "{typed}");
}

#[test]
fn before_the_first_run_there_is_nothing_to_read() {
    let sample = Sample::new();
    let served = Served::start(sample.path(), &[]);
    for path in
        ["/periods", "/subscriptions/v1/contracts/CON123/entitlements", "/periods/2026-10/invoice_line"]
    {
        let (status, title, hint) = problem(&served.get(path));
        assert_eq!(
            (status, title.as_str(), hint.as_str()),
            (503, "nothing was published yet", "meterhouse run")
        );
    }
    assert_eq!(
        ok(&served.post("/sql", TEXT, "select count(*) as n from invoice_line"))["rows"],
        json!([{"n": 0}])
    );
    sample.ok(&["run"]);
    until(|| served.get("/periods"), |answer| answer.status == 200);
}
