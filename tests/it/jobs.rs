//! Scheduled jobs: done when they are due, by one of however many services there are.

use std::time::{Duration, Instant};

use crate::sample::Sample;
use crate::served::Served;

/// A job that is not done by then is not done, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The sample with jobs; those with a sixth field are due each so many seconds.
fn with_jobs(jobs: &str) -> Sample {
    let sample = Sample::new();
    sample.write("meterhouse.toml", &format!("{}\n{jobs}", sample.read("meterhouse.toml")));
    sample
}

/// What came of jobs: name, what, outcome and detail, the newest first.
fn done(sample: &Sample) -> Vec<String> {
    let rows = sample.ok(&["jobs"]);
    let columns = |row: &str| {
        let cells: Vec<&str> = row.splitn(7, ',').collect();
        format!("{} {} {}: {}", cells[0], cells[1], cells[5], cells[6].trim_matches('"'))
    };
    rows.lines().skip(1).map(columns).collect()
}

fn until(sample: &Sample, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
    let began = Instant::now();
    loop {
        let done = done(sample);
        if is_there(&done) {
            return done;
        }
        assert!(began.elapsed() < PATIENCE, "{done:#?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn jobs_land_run_and_close_by_themselves() {
    let sample = with_jobs(
        "[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"run\"\n\n\
         [jobs.books]\ncron = \"*/2 * * * * *\"\ndoes = \"close\"\n\n\
         [jobs.hand_over]\ncron = \"*/2 * * * * *\"\ndoes = \"export\"\nto = \"out\"\n",
    );
    let served = Served::start(sample.path(), &[]);
    let is_done = |done: &[String]| {
        let of = |begins: &str| done.iter().filter(|row| row.starts_with(begins)).count();
        of("often run done: ") >= 2
            && of("books close done: 2026-") >= 1
            && of("hand_over export done: 2026-") >= 1
    };
    let done = until(&sample, is_done);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert!(done.iter().all(|row| !row.contains(" failed: ")), "{done:#?}");
    let closed = done.iter().find(|row| row.starts_with("books close done: 2026-")).unwrap();
    let first = closed.strip_prefix("books close done: ").unwrap().split([',', ' ']).next().unwrap();
    let manifest = sample.path().join("out").join(first).join("manifest-csv.json");
    assert!(manifest.exists(), "{done:#?} {}", manifest.display());
    // Each period is closed and handed over once.
    let exported = done.iter().filter(|row| row.starts_with("hand_over") && row.contains(first)).count();
    assert_eq!(exported, 1, "{done:#?}");
}

#[test]
fn a_job_that_fails_is_an_event_and_so_is_that_it_works_again() {
    let sample = with_jobs(
        "[jobs.hand_over]\ncron = \"*/2 * * * * *\"\ndoes = \"export\"\nto = \"out\"\n\n\
         [jobs.watch]\ncron = \"*/2 * * * * *\"\ndoes = \"events\"\n",
    );
    sample.ok(&["close", "--period", "2026-09", "--confirm", "2026-09", "--by", "anna"]);
    // Nothing can be written where a file is.
    sample.write("out", "");
    let served = Served::start(sample.path(), &[]);
    let told = || {
        sample.rows(
            "select event_id from event where kind in ('job_failed', 'period_due') order by event_number",
        )
    };
    let began = Instant::now();
    let wait_for = |wanted: &[&str]| {
        while !wanted.iter().all(|id| told().iter().any(|told| told == id)) {
            assert!(began.elapsed() < PATIENCE, "{wanted:?} {:?} {}", told(), served.said());
            std::thread::sleep(Duration::from_millis(300));
        }
    };
    wait_for(&["job_failed/hand_over/1", "period_due/2026-10/1"]);
    let failed = sample.rows("select data from event where event_id = 'job_failed/hand_over/1'");
    assert!(failed[0].contains("\"\"does\"\":\"\"export\"\""), "{failed:?}");
    std::fs::remove_file(sample.path().join("out")).unwrap();
    wait_for(&["job_failed/hand_over/2"]);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    // However often it failed, it failed once.
    let of_job = told().iter().filter(|id| id.starts_with("job_failed/")).count();
    assert_eq!(of_job, 2, "{:?}", told());
}

#[test]
fn of_two_services_one_does_a_job() {
    let sample = with_jobs("[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"land\"\n");
    let services = [Served::start(sample.path(), &[]), Served::start(sample.path(), &[])];
    let of_job = |done: &[String]| done.iter().filter(|row| row.starts_with("often land done: ")).count();
    until(&sample, |done| of_job(done) >= 5);
    for service in services {
        let (status, said) = service.stop();
        assert_eq!(status, Some(0), "{said}");
    }
    let rows = sample.ok(&["--format", "json", "jobs"]);
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    let dues = rows["rows"].as_array().unwrap().iter().map(|row| row["due"].as_str().unwrap().to_string());
    let mut dues: Vec<String> = dues.collect();
    let count = dues.len();
    dues.dedup();
    assert_eq!(dues.len(), count, "{dues:?}");
}

#[test]
fn what_was_missed_is_done_once() {
    let sample = with_jobs("[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"land\"\n");
    let served = Served::start(sample.path(), &[]);
    until(&sample, |done| done.len() >= 2);
    served.stop();
    let before = done(&sample).len();
    std::thread::sleep(Duration::from_secs(7));
    let served = Served::start(sample.path(), &[]);
    let after = until(&sample, |done| done.len() > before);
    served.stop();
    assert!(after.len() <= before + 3, "three were missed, and are done as one: {after:#?}");
}

#[test]
fn a_mistake_in_a_job_is_told_with_its_place() {
    for (job, said) in [
        ("cron = \"every day\"\ndoes = \"run\"", "`every day` is no cron expression"),
        ("cron = \"0 6 * * *\"\ndoes = \"export\"", "an export has to say where to"),
        ("cron = \"0 6 * * *\"\ndoes = \"run\"\nto = \"out\"", "only an export has `to`"),
        ("cron = \"0 6 * * *\"\ndoes = \"fly\"", "unknown variant `fly`"),
        ("cron = \"0 6 * * *\"\ndoes = \"run\"\ntime_zone = \"Berlin\"", "Berlin"),
    ] {
        let sample = with_jobs(&format!("[jobs.bill]\n{job}\n"));
        let output = sample.meterhouse(&["serve", "--bind", "127.0.0.1:0"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(said) && told.contains("meterhouse.toml:"), "{told}");
    }
}
