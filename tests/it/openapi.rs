//! What the service tells of itself: every route, with what it takes and answers, and that what it answers is so.

use std::collections::BTreeSet;
use std::process::Command;

use meterhouse::serve::rules;
use serde_json::{Value, json};

use crate::sample::Sample;
use crate::served::Served;

/// The sample with a run and a job, and a key for everything.
fn billed() -> (Sample, String) {
    let sample = Sample::new();
    let job = "[jobs.nightly]\ncron = \"0 6 1 1 *\"\ndoes = \"run\"\n";
    sample.write("meterhouse.toml", &format!("{}\n{job}", sample.read("meterhouse.toml")));
    sample.ok(&["run"]);
    let scopes = ["--scope", "land", "--scope", "read", "--scope", "book", "--scope", "operate"];
    let key = sample.ok(&[&["key", "add", "all"], &scopes[..]].concat());
    (sample, key)
}

/// Every place in a document that refers to another.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(String::from));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_described() {
    let sample = Sample::empty();
    sample.ok(&["key", "add", "ops", "--scope", "operate"]);
    let served = Served::start(sample.path(), &[]);
    // Without a key.
    let answer = served.get("/openapi.json");
    assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json"));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    let rules = rules();
    for rule in &rules {
        let call = &document["paths"][rule.path][rule.method.to_lowercase()];
        let name = format!("{} {}", rule.method, rule.path);
        assert!(!call["summary"].as_str().unwrap_or_default().is_empty(), "{name}");
        assert!(ids.insert(call["operationId"].to_string()), "{name}");
        let scopes: Vec<Value> = rule.scopes.iter().map(|scope| json!({"key": [scope.word()]})).collect();
        assert_eq!(call["security"], json!(scopes), "{name}");
        let told = call["parameters"].as_array().unwrap().iter();
        let told: Vec<&str> =
            told.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
        let named = rule.path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
        assert_eq!(told, named.collect::<Vec<_>>(), "{name}");
        for parameter in call["parameters"].as_array().unwrap() {
            assert!(!parameter["description"].as_str().unwrap_or_default().is_empty(), "{name} {parameter}");
        }
        let answers = call["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
        for (status, answer) in answers {
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{name} {status}");
            let is_problem = answer["content"]["application/problem+json"].is_object();
            assert_eq!(is_problem, status.starts_with(['4', '5']), "{name} {status}");
        }
        assert_eq!(answers.contains_key("401"), !rule.scopes.is_empty(), "{name}");
    }
    let told: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(told, rules.len());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// The text of a page.
fn unescaped(page: &str) -> String {
    let text = page.replace("&quot;", "\"").replace("&#x27;", "'").replace("&#x2f;", "/");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn the_page_shows_every_call_with_a_command_that_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let (sample, key) = billed();
    let served = Served::start(sample.path(), &[]);
    let page = served.get("/docs");
    assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    // Nothing comes from elsewhere.
    let page = unescaped(&page.body);
    assert!(!page.contains("<script") && !page.contains("://"), "{page}");
    let style = served.get("/docs/style.css");
    assert_eq!((style.status, style.kind.as_str()), (200, "text/css; charset=utf-8"));
    assert!(style.body.contains("prefers-color-scheme: dark"));
    for rule in rules() {
        assert!(page.contains(&format!("<code>{}</code>", rule.path)), "{rule:?}");
    }
    let commands = page.split("<pre><code>").skip(1).map(|rest| rest.split("</code></pre>").next().unwrap());
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), rules().len());
    for command in commands {
        let here = command.replace("127.0.0.1:8473", served.address.trim_start_matches("http://"));
        let here = here.replacen(
            "curl ",
            "curl --silent --show-error --output answer --write-out '%{http_code}' ",
            1,
        );
        let mut typed = Command::new("sh");
        typed.args(["-c", &here]).current_dir(sample.path()).env("KEY", key.trim());
        let output = typed.output().unwrap();
        let (status, wrong) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        // Nothing is closed here, and an earlier period is open.
        let expected = match command {
            _ if command.contains("/api/v1/events") => "204",
            _ if command.contains("/receipts") => "409",
            _ if command.contains("/close") => "422",
            _ if command.contains("/runs/") => "404",
            _ => "200",
        };
        let answer =
            String::from_utf8_lossy(&std::fs::read(sample.path().join("answer")).unwrap()).into_owned();
        assert_eq!(status, expected, "{command}\n{wrong}\n{answer}");
    }
}

#[test]
fn what_is_answered_is_as_it_is_described() {
    let is_there = Command::new("schemathesis").arg("--version").output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no schemathesis");
        return;
    }
    let (sample, key) = billed();
    let served = Served::start(sample.path(), &[]);
    let ask = |arguments: &[&str]| {
        let output = Command::new("schemathesis")
            .current_dir(sample.path())
            .args(["run", &format!("{}/openapi.json", served.address)])
            .args(["--header", &format!("Authorization: Bearer {}", key.trim())])
            // A text is more than a schema says: what is no time, and no query, is refused.
            .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--seed", "1"])
            .args(["--max-response-time", "60"])
            .args(["--generation-database", "none", "--warnings", "off", "--request-timeout", "60"])
            .args(arguments)
            .output()
            .unwrap();
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{wrong}\n{}", served.said());
    };
    ask(&["--exclude-path-regex", "^/v1/", "--max-examples", "25"]);
    // Many of these make a run.
    ask(&["--include-path-regex", "^/v1/", "--max-examples", "2", "--phases", "examples,coverage,fuzzing"]);
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("fault"), "{said}");
}
