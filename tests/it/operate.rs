//! What is asked for over HTTP to operate a project: a run, the closing of a period, a job now.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sample::{Sample, repository};
use crate::served::{Answer, Served};

const JSON: &str = "application/json";
/// How long something may take that takes a second or two.
const SOON: Duration = Duration::from_secs(120);

fn done(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(told["state"], "done", "{told}");
    assert_eq!(answer.header("location"), told["place"], "{told}");
    told
}

/// Status, title and detail of a problem document.
fn problem(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.kind, "application/problem+json", "{}", answer.body);
    let told = answer.json();
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_string();
    (answer.status, text("title"), text("detail"))
}

/// The rows of what was done.
fn history(served: &Served) -> Vec<Value> {
    let answer = served.get("/v1/jobs");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["rows"].as_array().unwrap().clone()
}

#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A check that holds a customer back.
const NO_BYTE: &str = "-- no_byte: nobody bills this customer.\n\nselect customer.customer_id\nfrom customer\n\
                       where customer.customer_id = 'BYTE'\n";

/// Gives a run something to do, which finds this.
fn hold_back(sample: &Sample) {
    sample.write("queries/checks/no_byte.sql", NO_BYTE);
    sample.replace("data/quota.csv", "30000", "30001");
}

#[test]
fn a_run_is_made_and_told() {
    let sample = Sample::new();
    let served = Served::start(sample.path(), &[]);
    let first = done(&served.send("POST", "/v1/runs", &[], ""));
    assert_eq!(
        (&first["job"], &first["does"], &first["run_number"]),
        (&json!("http.run"), &json!("run"), &json!(1))
    );
    assert!(first["detail"].as_str().unwrap().starts_with("published as run 1: "), "{first}");
    assert_eq!(served.get(first["place"].as_str().unwrap()).json(), first);
    let again = done(&served.post("/v1/runs", JSON, r#"{"by": "anna"}"#));
    assert_eq!((&again["run_number"], again["place"] == first["place"]), (&Value::Null, false), "{again}");
    hold_back(&sample);
    let held = done(&served.post("/v1/runs", JSON, r#"{"by": "anna"}"#));
    let detail = held["detail"].as_str().unwrap();
    assert!(detail.ends_with("; BYTE is held back by the check `no_byte`"), "{detail}");

    // A project with mistakes changes nothing.
    sample.write("queries/checks/no_byte.sql", "select nothing from nowhere\n");
    let (status, title, detail) = problem(&served.post("/v1/runs", JSON, ""));
    assert_eq!((status, title.as_str()), (422, "the project has mistakes"));
    assert!(detail.contains("queries/checks/no_byte.sql"), "{detail}");
    for body in ["{", "[]", "[null, null]", r#"{"why": "x"}"#, r#"{"accept": " "}"#] {
        assert_eq!(problem(&served.post("/v1/runs", JSON, body)).0, 400, "{body}");
    }
    sample.write("queries/checks/no_byte.sql", NO_BYTE);
    let told = history(&served);
    let outcomes: Vec<&str> = told.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "done", "done", "done"], "{told:?}");
    // The same as the command says, in another format.
    let csv = served.get("/v1/jobs?format=csv");
    assert_eq!(csv.body, sample.ok(&["jobs"]));
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let audit = sample.ok(&["audit"]);
    for row in ["POST,/v1/runs,", "published as run 1: ", "the project has mistakes"] {
        assert!(audit.contains(row), "{audit}");
    }
}

#[test]
fn who_does_not_wait_is_told_where_to_look() {
    let sample = Sample::new();
    let served = Served::start(sample.path(), &[]);
    let begun = served.send("POST", "/v1/runs", &[("prefer", "respond-async")], "");
    assert_eq!(begun.status, 202, "{}", begun.body);
    assert_eq!(begun.json()["state"], "running");
    let place = begun.header("location").to_string();
    // One at a time.
    let (status, title, _) = problem(&served.send("POST", "/v1/runs", &[], ""));
    assert_eq!((status, title.as_str()), (409, "this is under way already"));
    until(|| served.get(&place).json()["state"] != "running");
    assert_eq!(served.get(&place).json()["run_number"], 1);

    // A client that goes.
    hold_back(&sample);
    let mut gone = TcpStream::connect(served.address.trim_start_matches("http://")).unwrap();
    write!(gone, "POST /v1/runs HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    drop(gone);
    until(|| history(&served).iter().any(|row| row["detail"].as_str().unwrap().contains("as run 2: ")));

    for path in
        ["/v1/jobs/http.run/runs/20200101T000000Z", "/v1/jobs/http.run/runs/now", "/v1/jobs/x/runs/now"]
    {
        assert_eq!(problem(&served.get(path)).0, 404, "{path}");
    }
    // A request that is too short for a run.
    drop(served);
    sample.replace("data/quota.csv", "30001", "30002");
    let served = Served::start(sample.path(), &["--set", "serve.request_seconds=1"]);
    let answer = served.send("POST", "/v1/runs", &[], "");
    assert!([200, 202].contains(&answer.status), "{}", answer.body);
    let place = answer.header("location").to_string();
    until(|| served.get(&place).json()["state"] != "running");
    assert_eq!(served.get(&place).json()["run_number"], 3);
    // Work that is under way when the service stops is left, and nothing of it is published.
    let place =
        served.send("POST", "/v1/runs", &[("prefer", "respond-async")], "").header("location").to_string();
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let served = Served::start(sample.path(), &[]);
    let after = served.get(&place);
    assert!(after.status == 404 || after.json()["state"] == "done", "{}", after.body);
    done(&served.send("POST", "/v1/runs", &[], ""));
}

#[test]
fn a_period_is_closed_or_refused() {
    let sample = Sample::new();
    let served = Served::start(sample.path(), &[]);
    let close = |period: &str, body: &str| served.post(&format!("/v1/periods/{period}/close"), JSON, body);
    done(&served.send("POST", "/v1/runs", &[], ""));
    let first = ok_periods(&served).remove(0);
    assert_eq!(problem(&close("2026-13", "")).0, 404);
    let (status, _, detail) = problem(&close("2031-01", ""));
    assert_eq!((status, detail.as_str()), (409, "no billing cycle ends in 2031-01"));
    let (status, _, detail) = problem(&close("2026-12", ""));
    assert_eq!((status, detail.as_str()), (422, "2026-12 was not closed: its last cycle has not ended"));
    let (status, _, detail) = problem(&close("2026-10", ""));
    assert!(status == 422 && detail.ends_with(&format!("{first} is still open")), "{status} {detail}");
    hold_back(&sample);
    let refused = close(&first, "");
    let (status, _, detail) = problem(&refused);
    assert!(status == 422 && detail.contains("customer BYTE is parked by check `no_byte`"), "{detail}");
    assert!(refused.json()["hint"].as_str().unwrap().contains("accept"), "{}", refused.body);
    let closed = done(&close(&first, r#"{"accept": "BYTE has left", "by": "anna"}"#));
    assert_eq!(
        (&closed["job"], &closed["detail"]),
        (&json!("http.close"), &json!(format!("{first} is closed")))
    );
    assert_eq!(done(&close(&first, ""))["detail"], format!("{first} is closed already"));
    let books = sample.rows("select billing_period, closed_by, accepted from closed_period");
    assert_eq!(books, [format!("{first},anna,BYTE has left")]);
}

/// The billing periods that can be read, the oldest first.
fn ok_periods(served: &Served) -> Vec<String> {
    let rows = served.get("/periods").json()["rows"].as_array().unwrap().clone();
    let mut periods: Vec<String> =
        rows.iter().map(|row| row["billing_period"].as_str().unwrap().to_string()).collect();
    periods.sort();
    periods.dedup();
    periods
}

/// A project with jobs that are due once a year.
fn with_jobs(sample: Sample) -> Sample {
    let jobs = "[jobs.bill]\ncron = \"0 6 1 1 *\"\ndoes = \"run\"\n\n\
                [jobs.\"z\u{fc}rich 1\"]\ncron = \"0 6 1 1 *\"\ndoes = \"land\"\n\n\
                [jobs.hand_over]\ncron = \"0 7 1 1 *\"\ndoes = \"export\"\nto = \"out\"\n";
    sample.write("meterhouse.toml", &format!("{}\n{jobs}", sample.read("meterhouse.toml")));
    sample
}

#[test]
fn a_job_is_done_when_somebody_asks() {
    let sample = with_jobs(Sample::new());
    let served = Served::start(sample.path(), &[]);
    let start = |name: &str| served.send("POST", &format!("/v1/jobs/{name}/runs"), &[], "");
    let (status, title, _) = problem(&start("bil"));
    assert_eq!((status, title.as_str()), (404, "there is no job bil"));
    assert_eq!(start("bil").json()["hint"], "did you mean `bill`?");
    let bill = done(&start("bill"));
    assert_eq!(
        (&bill["job"], &bill["does"], &bill["run_number"]),
        (&json!("bill"), &json!("run"), &json!(1))
    );
    done(&served.post(&format!("/v1/periods/{}/close", ok_periods(&served)[0]), JSON, ""));
    let handed = done(&start("hand_over"));
    assert!(handed["detail"].as_str().unwrap().contains(" customers"), "{handed}");
    assert!(sample.path().join("out").is_dir());
    assert_eq!(done(&start("hand_over"))["detail"], "no period has closed since");
    let named = done(&start("z%C3%BCrich%201"));
    assert_eq!(named["job"], "z\u{fc}rich 1", "{named}");
    assert_eq!(served.get(named["place"].as_str().unwrap()).json(), named);
    let jobs = served.get("/v1/jobs").json()["jobs"].clone();
    assert_eq!(jobs[0], json!({"job": "bill", "does": "run", "next_at": "2027-01-01T05:00:00Z"}), "{jobs}");
    let done: Vec<Value> = history(&served).iter().map(|row| row["job"].clone()).collect();
    assert_eq!(done, ["z\u{fc}rich 1", "hand_over", "hand_over", "http.close", "bill"]);
    served.stop();
    let reserved = sample.read("meterhouse.toml").replace("[jobs.bill]", "[jobs.\"http.run\"]");
    sample.write("meterhouse.toml", &reserved);
    let (status, said) = sample.fails(&["jobs"]);
    assert!(status == 1 && said.contains("`http.run` is the name of what is asked for over HTTP"), "{said}");
}

#[test]
fn the_page_shows_what_can_be_typed_to_operate_it() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let sample = with_jobs(Sample::whole());
    let served = Served::start(sample.path(), &[]);
    let page = std::fs::read_to_string(repository().join("docs/service.md")).unwrap();
    let (_, section) = page.split_once("\n## To operate it\n").unwrap();
    let section = section.split("\n## ").next().unwrap().replace("\\\n", "");
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
    assert!(typed >= 4, "{typed}");
}
