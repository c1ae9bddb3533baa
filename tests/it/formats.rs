//! What commands write for programs: one document, each table with its name, and no format that holds less.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sample::{AS_OF, Sample};

#[test]
fn several_tables_are_one_document_with_a_name_for_each() {
    let sample = Sample::new();
    let run = sample.ok(&["run", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&run).unwrap();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["tables"]["money"][0]["amount"], "336.58");
    assert_eq!(document["tables"]["unknown_void"], serde_json::json!([]));
    // Nothing to do is a document too.
    let document: serde_json::Value = serde_json::from_str(&sample.ok(&["run", "--format", "json"])).unwrap();
    let run = &document["run"];
    assert_eq!((&document["tables"], &run["published"]), (&serde_json::json!({}), &serde_json::Value::Null));
    assert_eq!((&run["steps"], run["skipped"].as_u64() > Some(60)), (&serde_json::json!([]), true));

    let status: serde_json::Value =
        serde_json::from_str(&sample.ok(&["status", "--format", "json"])).unwrap();
    assert_eq!(status["tables"]["period"][0]["state"], "due");
    let lines = sample.ok(&["status", "--format", "ndjson"]);
    assert!(lines.starts_with("{\"table\":\"period\",\"billing_period\":\"2026-09\","), "{lines}");
    assert!(lines.lines().any(|line| line.starts_with("{\"table\":\"suspense_age\",")), "{lines}");
    let csv = sample.ok(&["status", "--format", "csv"]);
    let begins = "# period: every billing period, its state and its money\nbilling_period,state,";
    assert!(csv.starts_with(begins) && csv.contains("\n\n# suspense_age: "), "{csv}");
    let line = "CON124-km/2026-09-30T22:00/driven_km-autumn";
    let explained: serde_json::Value =
        serde_json::from_str(&sample.ok(&["explain", line, "--format", "json"])).unwrap();
    assert_eq!(explained["tables"]["line"][0]["line_id"], line);
    // A query has one table, which needs no name.
    assert!(sample.ok(&["sql", "select 1 as one"]).starts_with("one\n"));
}

#[test]
fn a_file_of_one_table_is_refused_for_several_before_anything_is_done() {
    let sample = Sample::new();
    let (status, said) = sample.fails(&["run", "--format", "parquet"]);
    assert_eq!(status, 2);
    assert!(said.starts_with("error: a Parquet file holds one table, and these are "), "{said}");
    let hint = "hint: --format json has all in one document; \
                one of them: meterhouse sql \"select ...\" --format parquet\n";
    assert!(said.ends_with(hint), "{said}");
    assert_eq!(sample.rows("select count(*) from usage_record"), ["0"], "nothing landed");
    sample.ok(&["run"]);
    let (status, _) = sample.fails(&["status", "--format", "parquet"]);
    assert_eq!(status, 2);
    let output = sample.meterhouse(&["sql", "select 1 as one", "--format", "parquet"]);
    assert!(output.status.success() && output.stdout.starts_with(b"PAR1"));
}

#[test]
fn pages_are_offered_where_they_are_written() {
    let sample = Sample::empty();
    for command in ["run", "status", "sql", "land"] {
        assert!(!sample.ok(&[command, "--help"]).contains("html"), "{command}");
    }
    assert!(sample.ok(&["export", "--help"]).contains("html"));
    let (status, said) = sample.fails(&["check", "--format", "html"]);
    assert_eq!(status, 2);
    assert_eq!(
        said,
        "error: only `meterhouse export` writes html\n\
         hint: --format table, json, ndjson, csv, markdown or parquet\n"
    );
    let (status, said) = sample.fails(&["export", "--period", "2026-10", "--format", "table"]);
    assert!(status == 2 && said.contains("[possible values: csv, json, ndjson, parquet, html]"), "{said}");
    // Before the command it is the same flag.
    let (status, said) = sample.fails(&["--format", "html", "export", "--period", "2026-10"]);
    assert!(status == 2 && said.starts_with("error: nothing was published yet"), "{said}");
}

#[test]
fn a_time_of_a_zone_has_its_offset_in_every_format() {
    let sample = Sample::empty();
    let query = "select cast('2026-06-01T22:30:00Z' as timestamp with time zone) at time zone 'Europe/Berlin' as there, \
                 timestamp '2026-06-01T22:30:00.25Z' as utc";
    for (format, said) in [
        ("table", "2026-06-02T00:30:00+02:00  2026-06-01T22:30:00.250"),
        ("markdown", "| 2026-06-02T00:30:00+02:00 | 2026-06-01T22:30:00.250"),
        ("csv", "2026-06-02T00:30:00+02:00,2026-06-01T22:30:00.250"),
        ("json", "\"there\":\"2026-06-02T00:30:00+02:00\",\"utc\":\"2026-06-01T22:30:00.250"),
    ] {
        let rows = sample.ok(&["sql", query, "--format", format]);
        assert!(rows.contains(said), "{format}: {rows}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_command_without_a_word() {
    let sample = Sample::empty();
    sample.ok(&["run"]);
    let program = env!("CARGO_BIN_EXE_meterhouse");
    let query = "select value from generate_series(1, 1000000)";
    for (format, first) in [("csv", "value"), ("table", " "), ("json", "{")] {
        let script = format!(
            "( {program} --project . --as-of {AS_OF} --format {format} sql '{query}'; echo $? >&2 ) | head -c 6"
        );
        let output = Command::new("sh").arg("-c").arg(script).current_dir(sample.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "141\n", "{format}");
        assert!(String::from_utf8(output.stdout).unwrap().starts_with(first), "{format}");
    }
    // Whoever does not listen to what is said on the side stops nothing.
    let script =
        format!("{program} --project . check 2>&1 >&3 3>&- | true; {program} --project . check 2>&-");
    let output = Command::new("sh").arg("-c").arg(script).current_dir(sample.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_decimal_has_one_spelling_in_every_format() {
    let sample = Sample::empty();
    let most = "99999999999999999999999999.999999999999";
    let query = format!(
        "select cast({most} as decimal(38, 12)) as most, cast(12.3 as decimal(38, 12)) as some, \
         cast(3 as decimal(38, 12)) as whole, [cast(0.004 as decimal(38, 12))] as list"
    );
    for (format, said) in [
        ("csv", format!("{most},12.30,3,\"[\"\"0.004\"\"]\"\n")),
        (
            "ndjson",
            format!("{{\"most\":\"{most}\",\"some\":\"12.30\",\"whole\":\"3\",\"list\":[\"0.004\"]}}\n"),
        ),
        (
            "json",
            format!("{{\"most\":\"{most}\",\"some\":\"12.30\",\"whole\":\"3\",\"list\":[\"0.004\"]}}\n]}}\n"),
        ),
        ("table", format!(" {most}  12.30      3  [\"0.004\"]\n")),
        ("markdown", format!("| {most} | 12.30 |     3 | [\"0.004\"] |\n")),
    ] {
        let rows = sample.ok(&["sql", &query, "--format", format]);
        assert!(rows.ends_with(&said), "{format}: {rows}");
    }
}

#[test]
fn what_has_nothing_to_show_is_a_document_too() {
    let sample = Sample::empty();
    for command in ["status", "verify", "vacuum"] {
        let said = sample.ok(&[command, "--format", "json"]);
        let document: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(document["schema_version"], 1, "{command}");
    }
    let output = sample.meterhouse(&["check", "--format", "json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("warning: this command writes no rows, so --format "), "{said}");
}

#[test]
fn a_disk_that_is_full_is_told() {
    let sample = Sample::empty();
    let program = env!("CARGO_BIN_EXE_meterhouse");
    for (format, rows) in [("csv", 1), ("json", 1), ("table", 1), ("csv", 1_000_000), ("parquet", 1_000_000)]
    {
        let script = format!(
            "{program} --project . --format {format} sql 'select value from generate_series(1, {rows})' > /dev/full"
        );
        let output = Command::new("sh").arg("-c").arg(script).current_dir(sample.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("No space left on device"), "{format}: {said}");
        assert_eq!(output.status.code(), Some(2), "{format}");
    }
}

#[test]
fn an_answer_that_fails_is_not_there_or_says_that_it_ends_in_the_middle() {
    let sample = Sample::empty();
    let ask = |zero: u32| {
        let query = format!("select 1 / ({zero} - value) as x from generate_series(1, {})", zero + 100_000);
        let output = sample.meterhouse(&["sql", &query, "--format", "csv"]);
        assert_eq!(output.status.code(), Some(1));
        (output.stdout.len(), String::from_utf8(output.stderr).unwrap())
    };
    let (bytes, said) = ask(10);
    assert!(bytes == 0 && said.starts_with("error: the query failed: Divide by zero error\n"), "{said}");
    let (bytes, said) = ask(2_000_000);
    assert!(bytes > 0 && said.contains("zero error (what was written ends in the middle)\n"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn rows_are_written_as_they_come_and_stop_when_nobody_reads() {
    let sample = Sample::empty();
    // 400 MB of text.
    let query = "select value, repeat('x', 200) as text from generate_series(1, 2000000)";
    let mut child = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .args(["--format", "csv", "sql", query])
        .current_dir(sample.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut rows = child.stdout.take().unwrap();
    let mut piece = vec![0; 1 << 20];
    for _ in 0..300 {
        rows.read_exact(&mut piece).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 300_000, "{most} kB were held");
    // It waits for a reader who does not read on; whoever stops it does not.
    let asked = Instant::now();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(30));
}
