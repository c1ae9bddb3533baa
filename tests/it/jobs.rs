//! Scheduled jobs: done when they are due, by one of however many services there are.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::delta::has_duckdb;
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

/// The rows of a table, by a Delta reader and DuckDB.
fn by_others(sample: &Sample, table: &str, query: &str) -> Option<String> {
    if !has_duckdb() {
        return None;
    }
    let script = "import sys, duckdb; from deltalake import DeltaTable\n\
                  t = DeltaTable(sys.argv[1]).to_pyarrow_table()\nprint(*duckdb.sql(sys.argv[2]).fetchall()[0])";
    let folder = sample.path().join("warehouse").join(table);
    let output = Command::new("python3").args(["-c", script]).arg(folder).arg(query).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim().into())
}

/// The Parquet files of a table that are there, whoever names them.
fn files(sample: &Sample, table: &str) -> Vec<String> {
    let folder = sample.path().join("warehouse").join(table);
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".parquet")).collect()
}

#[test]
fn what_was_done_is_a_table_that_stays_small_and_no_query_reads() {
    let names: Vec<String> = ('a'..='l').map(String::from).collect();
    let jobs = |name: &String| format!("[jobs.{name}]\ncron = \"* * * * * *\"\ndoes = \"land\"\n");
    let sample = with_jobs(&names.iter().map(jobs).collect::<String>());
    sample.ok(&["run"]);
    let served = Served::start(sample.path(), &["--set", "serve.land_seconds=1"]);
    let until_now = until(&sample, |done| done.len() > 40);
    assert!(until_now.iter().all(|row| row.contains(" land done: 0 received, 0 rejected")), "{until_now:#?}");
    let asked = served.post("/sql?format=csv", "text/plain", "select count(*) > 0 as x from job_run");
    assert_eq!((asked.status, asked.body.as_str()), (200, "x\ntrue\n"));
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let query = "select count(*) as x, count(distinct service_id) as y, sum(took_seconds) as z from job_run";
    let before = sample.rows(query);
    let count: usize = before[0].split(',').next().unwrap().parse().unwrap();
    // The last one may have been cut short by the stop, and is told by the next service.
    assert!(count > 40 && files(&sample, "job_run").len() - count <= 1, "{before:?}");
    // A run makes one file of many, and a vacuum lets those go that nobody reads any more.
    let runs = || sample.rows("select run_number from job_run where run_number is not null");
    sample.ok(&["run"]);
    assert_eq!((sample.rows(query), runs()), (before.clone(), Vec::new()));
    assert_eq!(files(&sample, "job_run").iter().filter(|name| name.starts_with("merged-")).count(), 1);
    let aged = "find warehouse/job_run -type f | xargs touch -d '9 days ago'";
    let aged = Command::new("sh").args(["-c", aged]).current_dir(sample.path()).status().unwrap();
    assert!(aged.success());
    sample.ok(&["vacuum", "--keep-days", "7"]);
    assert_eq!(files(&sample, "job_run").len(), 1);
    assert_eq!(sample.rows(query), before);
    let others = by_others(&sample, "job_run", "select count(*), min(outcome), min(does) from t");
    assert!(others.is_none_or(|others| others == format!("{count} done land")));
    // Nothing new for a run: what services did is nothing that is billed.
    let document = sample.ok(&["--format", "json", "run"]);
    assert!(document.contains("\"published\":null"), "{document}");
    sample.write("queries/8_invoice/lazy.sql", "select job from job_run\n");
    let (status, said) = sample.fails(&["check"]);
    assert!(
        status == 1 && said.contains("`job_run` is what services did, and no query of a project"),
        "{said}"
    );
}

#[test]
fn services_that_are_killed_tell_each_job_once() {
    let sample = with_jobs("[jobs.often]\ncron = \"* * * * * *\"\ndoes = \"land\"\n");
    for round in 0..8 {
        let services = [Served::start(sample.path(), &[]), Served::start(sample.path(), &[])];
        // At any time within the second in which a job is claimed, done and told.
        std::thread::sleep(Duration::from_millis(1300 + 130 * round));
        drop(services);
    }
    let rows = || sample.rows("select count(*) as x, count(distinct due_at) as y from job_run");
    let counts = |row: &str| -> Vec<u64> { row.split(',').map(|count| count.parse().unwrap()).collect() };
    let before = counts(&rows()[0]);
    let served = Served::start(sample.path(), &[]);
    // A claim of a service that was killed holds for two minutes, of a job that is due later nobody has one.
    until(&sample, |done| done.len() as u64 > before[0] + 2);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let after = counts(&rows()[0]);
    assert!(after[0] >= 8 && after[0] == after[1], "{before:?} {after:?}");
    // Of what was done the register keeps the last time; claims of who was killed go when they have run out.
    let folder = sample.path().join("warehouse/registry/job/often");
    let names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let done = names.iter().filter(|name| name.ends_with(".done.json")).count();
    assert!((1..=2).contains(&done), "{names:?}");
}

#[test]
fn what_was_changed_is_a_table() {
    let sample = Sample::empty();
    let served = Served::start(sample.path(), &[]);
    for number in 0..3 {
        let record = format!(
            "{{\"transactionID\": \"C-{number}\", \"usageType\": \"CarRentUsage\", \
             \"usageStart\": \"2026-10-05T12:00:00\", \"VIN\": \"X\", \"distance\": 1}}"
        );
        assert_eq!(served.post("/subscriptions/v1/usage", "application/json", record).status, 200);
    }
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let rows = sample.rows("select method, status, outcome from service_change");
    assert_eq!(rows, vec!["POST,200,\"1 accepted, 0 duplicate, 0 rejected\""; 3]);
    let others = by_others(&sample, "service_change", "select count(distinct change_id), max(status) from t");
    assert!(others.is_none_or(|others| others == "3 200"));
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
    let dues = rows["rows"].as_array().unwrap().iter().map(|row| row["due_at"].as_str().unwrap().to_string());
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
