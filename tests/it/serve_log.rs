//! What a service says while it works: lines for people, JSON, and spans for a collector.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sample::Sample;
use crate::served::{Served, id, key};

const USAGE: &str = "/subscriptions/v1/usage";

/// A record of a vehicle, and a customer whom nothing that is said may name.
fn record(number: usize) -> Value {
    json!({
        "transactionID": format!("L-{number}"), "usageType": "CarRentUsage", "usageStart": "2026-10-05T12:00:00",
        "VIN": "SECRETVEHICLE", "distance": 21.25
    })
}

#[test]
fn the_log_as_json_tells_requests_commits_landings_and_jobs_and_nobodys_secrets() {
    let sample = Sample::new();
    let jobs = "[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"land\"\n";
    sample.write("meterhouse.toml", &format!("{}\n{jobs}", sample.read("meterhouse.toml")));
    let shop = key(&sample, &["shop", "--scope", "land", "--scope", "read"]);
    let served = Served::start(sample.path(), &["--set", "serve.log=json", "--set", "serve.land_seconds=1"]);
    let bearer = format!("Bearer {shop}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
        ("x-request-id", "request-1"),
    ];
    assert_eq!(served.send("POST", USAGE, &headers, record(1).to_string()).status, 200);
    let path = "/periods/2026-10/customers/SECRETCUSTOMER/invoice_line?format=csv";
    assert_eq!(served.send("GET", path, &headers[1..2], "").status, 503);
    assert_eq!(served.get("/periods").status, 401);
    let began = Instant::now();
    while !(served.said().contains("1 received, 0 rejected")
        && served.said().contains("job often: 0 received"))
    {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.said());
        std::thread::sleep(Duration::from_millis(100));
    }
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |target: &str| lines.iter().filter(|line| line["target"] == target).collect::<Vec<_>>();
    let requests = of("meterhouse::request");
    assert_eq!(requests.len(), 3, "{said}");
    let request = requests[0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["route"], USAGE);
    assert_eq!(request["status"], 200);
    assert_eq!(request["request_id"], "request-1");
    assert_eq!(request["key_id"], id(&shop));
    assert!(request["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{request}");
    assert!(request["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{request}");
    assert_eq!(requests[1]["route"], "/periods/{period}/customers/{customer_id}/{name}");
    assert_eq!((&requests[2]["status"], requests[2].get("key_id")), (&json!(401), None));
    let commit = of("meterhouse::commit")[0];
    assert_eq!((&commit["requests"], commit["bytes"].as_u64() > Some(100)), (&json!(1), true), "{commit}");
    let landed = lines.iter().find(|line| line["received"] == 1).unwrap();
    assert_eq!((&landed["rejected"], landed["landing_id"].is_u64()), (&json!(0), true), "{landed}");
    let job = lines.iter().find(|line| line["job"] == "often" && line["seconds"].is_f64()).unwrap();
    assert_eq!((&job["does"], &job["level"]), (&json!("land"), &json!("INFO")), "{job}");
    for secret in [shop.rsplit('_').next().unwrap(), "SECRET"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn the_log_for_people_tells_requests_where_that_is_asked_for() {
    let sample = Sample::empty();
    let said = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command.current_dir(sample.path()).args(arguments).env_remove("RUST_LOG").env("NO_COLOR", "1");
        command.envs(variable.map(|value| ("RUST_LOG", value)));
        let served = Served::of(command);
        assert_eq!(served.get("/healthz").status, 200);
        let (status, said) = served.stop();
        assert_eq!(status, Some(0), "{said}");
        said
    };
    let usual = said(&[], None);
    assert!(usual.contains("listening on http://127.0.0.1:") && !usual.contains("/healthz"), "{usual}");
    assert!(usual.ends_with("stopped; all that was accepted has landed\n"), "{usual}");
    let request = "GET /healthz 200 in 0.0";
    assert!(said(&["-v"], None).contains(request));
    assert!(said(&[], Some("meterhouse=info")).contains(request));
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .current_dir(sample.path())
        .args(["serve", "--bind", "127.0.0.1:0"])
        .env("RUST_LOG", "meterhouse=loud")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("RUST_LOG: "), "{said}");
}

/// A collector: the paths that were asked for, and the bodies.
type Collected = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes what is posted, answers each with 200, and never ends.
fn collect(listener: TcpListener) -> Collected {
    let collected = Collected::default();
    let taken = collected.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, taken) = (BufReader::new(stream.unwrap()), taken.clone());
            std::thread::spawn(move || {
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if stream.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        let line = line.trim_end();
                        if line.is_empty() {
                            break;
                        }
                        if let Some((name, value)) = line.split_once(": ")
                            && name.eq_ignore_ascii_case("content-length")
                        {
                            length = value.parse().unwrap();
                        }
                        head += line;
                        head += "\n";
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).unwrap();
                    taken.lock().unwrap().push((head.to_ascii_lowercase(), body));
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                    stream.get_mut().write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    collected
}

#[test]
fn spans_of_requests_commits_landings_and_jobs_reach_a_collector() {
    let sample = Sample::new();
    let jobs = "[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"land\"\n";
    sample.write("meterhouse.toml", &format!("{}\n{jobs}", sample.read("meterhouse.toml")));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = format!("serve.otlp=http://{}/", listener.local_addr().unwrap());
    let collected = collect(listener);
    let served = Served::start(sample.path(), &["--set", &collector, "--set", "serve.land_seconds=1"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let caller = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("content-type", "application/json"), ("traceparent", caller.as_str())];
    assert_eq!(served.send("POST", USAGE, &headers, record(1).to_string()).status, 200);
    let began = Instant::now();
    while !served.said().contains("job often: 0 received") {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", served.said());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Those that nobody has asked for yet are sent when the service stops.
    assert_eq!(served.get("/healthz").status, 200);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let collected = collected.lock().unwrap();
    assert!(!collected.is_empty());
    let mut all = Vec::new();
    for (head, body) in collected.iter() {
        assert!(head.starts_with("post /v1/traces http/1.1\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        all.extend_from_slice(body);
    }
    let has = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    for span in ["POST /subscriptions/v1/usage", "GET /healthz", "commit", "land", "job", "often"] {
        assert!(has(span), "{span}");
    }
    assert!(has("service.name") && has("meterhouse") && has("http.response.status_code"));
    assert!(!has("SECRETVEHICLE"));
    let trace = u128::from_str_radix(trace, 16).unwrap().to_be_bytes();
    assert!(all.windows(trace.len()).any(|part| part == trace), "the trace of whoever asked goes on");
}

#[test]
fn a_collector_that_is_dead_or_silent_neither_stops_nor_slows_a_service() {
    let sample = Sample::empty();
    let (status, said) =
        sample.fails(&["--set", "serve.otlp=collector:4318", "serve", "--bind", "127.0.0.1:0"]);
    assert!(status == 2 && said.contains("`collector:4318` is not the address of a collector"), "{said}");
    // One that nobody listens at, and one that takes connections and never answers.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, is_dead) in [(dead, true), (silent.local_addr().unwrap(), false)] {
        let collector = format!("serve.otlp=http://{address}");
        let served = Served::start(sample.path(), &["--set", &collector, "--set", "serve.stop_seconds=3"]);
        let began = Instant::now();
        // More than wait in the queue.
        for _ in 0..3000 {
            assert_eq!(served.get("/healthz").status, 200);
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        let lost = "warning: spans do not reach the collector, and are lost meanwhile";
        while !served.said().contains(lost) {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", served.said());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(served.get("/healthz").status, 200);
        let began = Instant::now();
        let (status, said) = served.stop();
        assert_eq!((status, said.matches(lost).count()), (Some(0), 1), "{said}");
        assert!(began.elapsed() < Duration::from_secs(6), "{is_dead} {:?}", began.elapsed());
    }
}
