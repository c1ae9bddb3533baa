//! Compares what a case expects with what the program said, and tells it by model and peer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::case::text;
use crate::value::Decimal;

/// What became of a case.
pub enum Verdict {
    /// Every expected value is right.
    Passed,
    /// A value is another one, which the rows explain; or the program refuses the case.
    Failed { what: Vec<String>, rows: Vec<String> },
    /// There is no row to write for it.
    NotExpressible(String),
}

/// A case and its verdict.
pub struct Outcome {
    id: String,
    model: String,
    peer: String,
    /// What became of it.
    pub verdict: Verdict,
}

impl Outcome {
    /// The verdict on a case.
    pub fn new(case: &Value, verdict: Verdict) -> Self {
        let word = |key: &str| text(&case[key]).unwrap_or_default();
        Self { id: word("id"), model: word("model"), peer: word("peer"), verdict }
    }
}

/// What the values of these names count: they are compared as quantities.
const QUANTITIES: [&str; 5] =
    ["quantity", "billed_quantity", "billed_quantity_before", "full_quantity", "value"];
/// How a line is told from the others.
const LINE_KEYS: [&str; 5] = ["tier", "group", "filter", "event", "from"];

/// Compares all that a case expects.
pub fn compare(case: &Value, got: &Result<Value, String>, rows: impl Fn() -> Vec<String>) -> Verdict {
    let got = match got {
        Ok(got) => got,
        Err(reason) => return Verdict::NotExpressible(reason.clone()),
    };
    let mut what = Vec::new();
    for (key, expected) in case["expect"].as_object().into_iter().flatten() {
        if key == "lines" {
            lines(case, expected, &got["lines"], &mut what);
        } else if !agrees(&case["compare"], key, expected, &got[key]) {
            what.push(format!("{key}: expected {expected}, got {}", got[key]));
        }
    }
    if what.is_empty() { Verdict::Passed } else { Verdict::Failed { what, rows: rows() } }
}

fn lines(case: &Value, expected: &Value, got: &Value, what: &mut Vec<String>) {
    let none = Vec::new();
    let (expected, got) = (expected.as_array().unwrap_or(&none), got.as_array().unwrap_or(&none));
    // Lines are the same where all keys that tell them apart are.
    let keys: Vec<&str> = match expected.first() {
        Some(line) => LINE_KEYS.into_iter().filter(|key| line.get(*key).is_some()).collect(),
        None => Vec::new(),
    };
    let name = |line: &Value| keys.iter().map(|key| line[*key].to_string()).collect::<Vec<_>>().join(" ");
    for line in expected {
        let Some(found) = got.iter().find(|found| name(found) == name(line)) else {
            what.push(format!("line {}: not there", name(line)));
            continue;
        };
        for (field, expected) in line.as_object().into_iter().flatten() {
            if !agrees(&case["compare"], field, expected, &found[field]) {
                what.push(format!("line {} {field}: expected {expected}, got {}", name(line), found[field]));
            }
        }
    }
    if case["compare"]["lines"] != json!("subset") && (!keys.is_empty() || expected.is_empty()) {
        for found in got {
            if !expected.iter().any(|line| name(line) == name(found)) {
                what.push(format!("line {}: not expected, {found}", name(found)));
            }
        }
    }
}

fn agrees(how: &Value, key: &str, expected: &Value, got: &Value) -> bool {
    if let (Some(expected), Some(got)) = (expected.as_array(), got.as_array()) {
        return expected.len() == got.len()
            && expected.iter().zip(got).all(|(expected, got)| agrees(how, key, expected, got));
    }
    if let Some(expected) = expected.as_object() {
        // Balances: those that are named.
        return expected.iter().all(|(name, expected)| agrees(how, key, expected, &got[name]));
    }
    let number = |value: &Value| text(value).and_then(|text| Decimal::parse(&text));
    let (Some(wanted), Some(found)) = (number(expected), number(got)) else { return expected == got };
    let round = |value: Decimal| match (
        QUANTITIES.contains(&key),
        how["quantity_scale"].as_u64(),
        how["scale"].as_u64(),
    ) {
        (true, Some(scale), _) => value.round(scale as u32, "half_up"),
        (false, _, Some(scale)) => value.round(scale as u32, how["mode"].as_str().unwrap_or("half_up")),
        _ => value,
    };
    let (wanted, found) = (round(wanted), round(found));
    let tolerance = text(&how["tolerance"]).and_then(|text| Decimal::parse(&text)).unwrap_or(Decimal::ZERO);
    (wanted.max(found) - wanted.min(found)) <= tolerance
}

/// Passed, failed and not expressible.
type Counts = BTreeMap<(String, String), [usize; 3]>;

fn counts(outcomes: &[Outcome]) -> Counts {
    let mut counts = Counts::new();
    for outcome in outcomes {
        let column = match outcome.verdict {
            Verdict::Passed => 0,
            Verdict::Failed { .. } => 1,
            Verdict::NotExpressible(_) => 2,
        };
        counts.entry((outcome.model.clone(), outcome.peer.clone())).or_default()[column] += 1;
    }
    counts
}

/// The verdicts for a reader.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines = vec![format!(
        "{:<26} {:<12} {:>6} {:>6} {:>15}",
        "model", "peer", "passed", "failed", "not expressible"
    )];
    let mut total = [0; 3];
    for ((model, peer), [passed, failed, refused]) in counts(outcomes) {
        lines.push(format!("{model:<26} {peer:<12} {passed:>6} {failed:>6} {refused:>15}"));
        for (total, count) in total.iter_mut().zip([passed, failed, refused]) {
            *total += count;
        }
    }
    lines.push(format!("{:<39} {:>6} {:>6} {:>15}", "all", total[0], total[1], total[2]));
    for outcome in outcomes {
        match &outcome.verdict {
            Verdict::Passed => {}
            Verdict::Failed { what, rows } => {
                lines.push(format!("\nfailed: {} ({})", outcome.id, outcome.model));
                lines.extend(what.iter().chain(rows).map(|line| format!("  {line}")));
            }
            Verdict::NotExpressible(reason) => {
                lines.push(format!("\nnot expressible: {} ({}): {reason}", outcome.id, outcome.model));
            }
        }
    }
    lines.join("\n") + "\n"
}

/// The verdicts as one JSON document.
pub fn json(outcomes: &[Outcome]) -> String {
    let models: Vec<Value> = counts(outcomes)
        .into_iter()
        .map(|((model, peer), [passed, failed, not_expressible])| {
            json!({ "model": model, "peer": peer, "passed": passed, "failed": failed, "not_expressible": not_expressible })
        })
        .collect();
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|outcome| match &outcome.verdict {
            Verdict::Passed => json!({ "id": outcome.id, "verdict": "passed" }),
            Verdict::Failed { what, rows } => {
                json!({ "id": outcome.id, "verdict": "failed", "what": what, "rows": rows })
            }
            Verdict::NotExpressible(reason) => {
                json!({ "id": outcome.id, "verdict": "not expressible", "reason": reason })
            }
        })
        .collect();
    format!("{:#}\n", json!({ "schema_version": 1, "models": models, "cases": cases }))
}
