//! The dashboard that the repository has: it shows each metric that a service shows, and no other.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sample::{Sample, repository};
use crate::served::Served;

/// The metrics that the queries of a dashboard name, wherever they stand in it.
fn named(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(query) = fields.get("expr").and_then(Value::as_str) {
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let words = query.split(|letter| !is_name(letter));
                names.extend(words.filter(|word| word.starts_with("meterhouse_")).map(String::from));
            }
            fields.values().for_each(|value| named(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| named(value, names)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_each_metric_of_a_service_and_no_other() {
    let text = std::fs::read_to_string(repository().join("docs/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queried = BTreeSet::new();
    named(&dashboard, &mut queried);

    // One that has done everything once, so that no metric is left out for having nothing to say.
    let sample = Sample::new();
    let more = "[jobs.often]\ncron = \"*/2 * * * * *\"\ndoes = \"run\"\n\n\
                [webhooks.billing]\nurl = \"https://billing.example.com\"\nkeys = [\"HOOK_KEY\"]\n";
    sample.write("meterhouse.toml", &format!("{}\n{more}", sample.read("meterhouse.toml")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
    command.current_dir(sample.path()).args(["--set", "serve.land_seconds=1"]);
    command.env("HOOK_KEY", "k".repeat(32));
    let served = Served::of(command);
    let record = r#"{"transactionID": "G-1", "usageType": "CarRentUsage", "usageStart": "2026-10-05T12:00:00", "VIN": "SGZCZ43D13S812715", "distance": 3}"#;
    let usage = "/subscriptions/v1/usage";
    assert_eq!(served.post(usage, "application/json", record).status, 200);
    assert_eq!(served.post(usage, "application/json", "{\"transactionID\": \"G-2\"}").status, 422);
    let began = Instant::now();
    let metrics = loop {
        let metrics = served.get("/metrics").body;
        let is_there = |line: &str| metrics.lines().any(|shown| shown.starts_with(line));
        if is_there("meterhouse_job_ended_seconds{job=\"often\",outcome=\"done\"} 1")
            && is_there("meterhouse_landed_records_total{outcome=\"landed\"}")
            && is_there("meterhouse_landed_records_total{outcome=\"rejected\"}")
            && is_there("meterhouse_suspense_records{reason=\"identifier not assigned\"} 1")
        {
            break metrics;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{metrics}");
        std::thread::sleep(Duration::from_millis(300));
    };
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    let mut shown = BTreeSet::new();
    let mut histograms = BTreeSet::new();
    for line in metrics.lines() {
        match line.strip_prefix("# TYPE ").and_then(|kind| kind.split_once(' ')) {
            Some((name, "histogram")) => drop(histograms.insert(name)),
            _ if line.starts_with('#') => {}
            _ => drop(shown.insert(line.split(['{', ' ']).next().unwrap().to_string())),
        }
    }
    // Of a histogram one of its parts will do.
    let whole = |name: &String| {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        part.filter(|part| histograms.contains(part)).unwrap_or(name).to_string()
    };
    let queried: BTreeSet<String> = queried.iter().map(whole).collect();
    let shown: BTreeSet<String> = shown.iter().map(whole).collect();
    assert_eq!(queried, shown);
    assert!(shown.len() > 12, "{shown:?}");
}
