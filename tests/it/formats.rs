//! What commands write for programs: one document, each table with its name, and no format that holds less.

use std::process::Command;

use crate::sample::{AS_OF, Sample};

#[test]
fn several_tables_are_one_document_with_a_name_for_each() {
    let sample = Sample::new();
    let run = sample.ok(&["run", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&run).unwrap();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["tables"]["money"][0]["amount"], "336.580000000000");
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
