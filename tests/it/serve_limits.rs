//! What is slow, huge or malformed, and refused before anybody is asked who it is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::sample::Sample;
use crate::served::{Served, answered, connect};

const USAGE: &str = "/subscriptions/v1/usage";
const JSON: &str = "application/json";

/// The head of a request that sends usage.
fn head(rest: &str) -> String {
    let head = format!("POST {USAGE} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    format!("{head}content-type: {JSON}\r\n{rest}\r\n")
}

#[test]
fn what_is_slow_huge_or_malformed_is_refused_within_its_limits() {
    let sample = Sample::empty();
    let limits = ["--set", "serve.body_mb=1", "--set", "serve.request_seconds=2"];
    let served = Served::start(sample.path(), &limits);
    let address = served.address.as_str();
    let status = |bytes: &[u8]| {
        let began = Instant::now();
        let answer = answered(connect(address), bytes).unwrap_or_default();
        let status = answer.split(' ').nth(1).unwrap_or_default().to_string();
        (status, began.elapsed(), answer)
    };
    // Some that take their time, while the others are answered.
    let slow_head = connect(address);
    let slow = std::thread::spawn(move || {
        let began = Instant::now();
        let answer = answered(slow_head, b"GET /healthz HTTP/1.1\r\nhost: lo").unwrap_or_default();
        (answer, began.elapsed())
    });
    let mut dripping = connect(address);
    let dripping = std::thread::spawn(move || {
        let began = Instant::now();
        dripping.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
        // A letter a second does not keep it going.
        while began.elapsed() < Duration::from_secs(40) && dripping.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_secs(1));
        }
        began.elapsed()
    });
    for (rest, body) in [("content-length: 100\r\n", "{"), ("transfer-encoding: chunked\r\n", "5\r\n{")] {
        let (status, took, answer) = status(format!("{}{body}", head(rest)).as_bytes());
        assert!(status == "408" && took < Duration::from_secs(12), "{took:?} {answer}");
    }
    let huge = format!("x-huge: {}\r\n", "x".repeat(64 << 10));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 256 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let packed = head(&format!("content-encoding: gzip\r\ncontent-length: {}\r\n", bomb.len()));
    let deep = |open: &str, close: &str| {
        let deep = format!("{{\"a\":{}{}}}", open.repeat(10_000), close.repeat(10_000));
        [head(&format!("content-length: {}\r\n", deep.len())).into_bytes(), deep.into_bytes()].concat()
    };
    let mut wrong = Vec::new();
    for (name, expected, bytes) in [
        ("huge header", &["431"][..], head(&huge).into_bytes()),
        ("many headers", &["431"], head(&many).into_bytes()),
        ("long path", &["414", "431"], format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)).into_bytes()),
        ("no HTTP", &["400"], b"\x00\x01\x02\x03\r\n\r\n".to_vec()),
        ("two lengths", &["400"], head("content-length: 1\r\ncontent-length: 2\r\n").into_bytes()),
        ("bad length", &["400"], head("content-length: -1\r\n").into_bytes()),
        ("bad chunk", &["400"], format!("{}zz\r\n", head("transfer-encoding: chunked\r\n")).into_bytes()),
        (
            "huge chunk",
            &["400", "413"],
            format!("{}fffffffffffffffff\r\n", head("transfer-encoding: chunked\r\n")).into(),
        ),
        ("long body", &["413"], head("content-length: 2000000000\r\n").into_bytes()),
        ("bomb", &["413"], [packed.into_bytes(), bomb.clone()].concat()),
        ("deep lists", &["422"], deep("[", "]")),
        ("deep objects", &["422"], deep("{\"a\":", "}")),
        ("not closed", &["422"], deep("[", "")),
    ] {
        let stream = connect(address);
        let began = Instant::now();
        let closing = stream.try_clone().unwrap();
        let asking = std::thread::spawn(move || answered(stream, &bytes).unwrap_or_default());
        while !asking.is_finished() && began.elapsed() < Duration::from_secs(8) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let took = began.elapsed();
        // One that goes on is let go.
        let _ = closing.shutdown(Shutdown::Both);
        let answer = asking.join().unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if !expected.contains(&status) || took > Duration::from_secs(6) {
            wrong.push(format!("{name}: {took:?} {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (answer, took) = slow.join().unwrap();
    assert!(took < Duration::from_secs(25) && !answer.contains(" 200 "), "{took:?} {answer}");
    let took = dripping.join().unwrap();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(served.get("/healthz").status, 200);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("fault"), "{said}");
    let audit = sample.ok(&["audit"]);
    assert_eq!(audit.matches("not answered; whether it was done is open").count(), 2, "{audit}");
    assert!(audit.contains("413,the body is too large when it is unpacked"), "{audit}");
}

#[test]
fn an_address_has_so_many_connections_at_one_time() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &["--set", "serve.address_connections=3"]);
    let is_answered = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).is_ok_and(|()| answer == *b"HTTP/1.1 200")
    };
    let mut held: Vec<_> = (0..3).map(|_| connect(&served.address)).collect();
    assert!(held.iter_mut().all(is_answered));
    assert!(!is_answered(&mut connect(&served.address)));
    held.clear();
    let began = Instant::now();
    while !is_answered(&mut connect(&served.address)) {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", served.said());
    }
    let metrics = served.get("/metrics").body;
    let refused = metrics.lines().find_map(|line| line.strip_prefix("meterhouse_refused_connections_total "));
    assert!(refused.is_some_and(|count| count != "0"), "{metrics}");
}
