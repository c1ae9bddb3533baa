//! Tries the rate book against cases of the format `rating-conformance/1`, as taken from the tests of its peers.
//!
//!     cargo run --release --example conformance -- DIR [--format json] [--keep FOLDER]
//!
//! All cases become contracts, prices and usage of one ordinary project, which the program lands and runs; what it says
//! is read back with SQL and compared. There is one way for each model and none for a case. A case for which the
//! project has no row to write is not expressible, with the reason; a wrong number has failed.

mod calendar;
mod case;
mod price;
mod project;
mod quota;
mod rated;
mod read;
mod report;
mod usage;
mod value;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use project::{Project, meterhouse};
use read::{Answers, Plan};
use report::{Outcome, Verdict};
use serde_json::Value;

fn main() -> ExitCode {
    let mut folder = None;
    let mut json = false;
    let mut keep = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--format" => json = arguments.next().as_deref() == Some("json"),
            "--keep" => keep = arguments.next().map(PathBuf::from),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let Some(folder) = folder else {
        eprintln!("usage: conformance DIR [--format json] [--keep FOLDER]");
        return ExitCode::from(2);
    };
    match run(&folder, keep.as_deref()) {
        Ok(outcomes) => {
            print!("{}", if json { report::json(&outcomes) } else { report::table(&outcomes) });
            let failed = outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }));
            ExitCode::from(u8::from(failed))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The cases of a folder, by file name.
fn cases(folder: &Path) -> Result<Vec<Value>, String> {
    let files = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}

fn run(folder: &Path, keep: Option<&Path>) -> Result<Vec<Outcome>, String> {
    let cases = cases(folder)?;
    if cases.is_empty() {
        return Err(format!("{} has no cases", folder.display()));
    }
    let all: Vec<&Value> = cases.iter().collect();
    let verdicts = rate(&all, keep)?;
    Ok(cases.iter().zip(verdicts).map(|(case, verdict)| Outcome::new(case, verdict)).collect())
}

/// The verdicts on cases that are one project. Where the program refuses the project, each half is one of its own, so
/// that in the end the case that it refuses stands alone.
fn rate(cases: &[&Value], keep: Option<&Path>) -> Result<Vec<Verdict>, String> {
    let mut project = Project::default();
    project.add("customer", vec![("customer_id", "customer".into()), ("customer_name", "Customer".into())]);
    // Amounts are read before the line is rounded.
    let mut currencies: Vec<String> =
        cases.iter().filter_map(|case| case["currency"].as_str()).map(String::from).collect();
    currencies.push("XXX".into());
    currencies.sort();
    currencies.dedup();
    for currency in currencies {
        let decimals = match currency.as_str() {
            "JPY" => "0",
            "XXX" => "12",
            _ => "2",
        };
        project.add(
            "currency",
            vec![("currency", currency), ("decimals", decimals.into()), ("rounding", "half_up".into())],
        );
    }
    let plans: Vec<Result<Plan, String>> = cases
        .iter()
        .map(|case| {
            let mut own = Project::default();
            let plan = read::plan(case, &mut own)?;
            project.merge(own);
            Ok(plan)
        })
        .collect();
    let temporary = tempfile::TempDir::new().map_err(|error| error.to_string())?;
    let place = keep.unwrap_or(temporary.path());
    let base = std::env::var_os("METERHOUSE_BASE").map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    project.write(&base, place).map_err(|error| error.to_string())?;
    if let Err(refusal) = meterhouse(place, &["run", "-q"]) {
        let [_] = cases else {
            let (one, other) = cases.split_at(cases.len() / 2);
            let mut verdicts = rate(one, None)?;
            verdicts.extend(rate(other, None)?);
            return Ok(verdicts);
        };
        let what = refusal.lines().take(6).map(String::from).collect();
        return Ok(vec![Verdict::Failed { what, rows: Vec::new() }]);
    }
    let answers = Answers::read(place, &plans)?;
    let verdict = |(case, plan): (&&Value, Result<Plan, String>)| match plan {
        Err(reason) => Verdict::NotExpressible(reason),
        Ok(plan) => report::compare(case, &answers.of(case, &plan), || answers.rows_of(&plan)),
    };
    Ok(cases.iter().zip(plans).map(verdict).collect())
}
