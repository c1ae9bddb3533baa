//! The headers of the shipped queries say what the queries do, and all of them plan.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::sample::{Sample, meterhouse, project, repository};

/// The shipped project and the examples.
fn projects() -> Vec<PathBuf> {
    let examples = ["aws_bill", "bike_share", "taxi"].map(|name| repository().join("examples").join(name));
    std::iter::once(repository()).chain(examples).collect()
}

/// The names that the header gives under `key`, over as many lines as it takes.
fn header(text: &str, key: &str) -> Option<BTreeSet<String>> {
    let mut comment = text.lines().map_while(|line| line.strip_prefix("--"));
    let first = comment.find_map(|line| line.trim_start().strip_prefix(key).map(String::from))?;
    let more = comment.take_while(|line| line.starts_with("         ")).map(String::from);
    let names = std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ");
    let names = names.split(',').map(|name| name.trim().to_string());
    Some(names.filter(|name| !name.is_empty()).collect())
}

#[test]
fn a_header_goes_over_several_lines() {
    let text = "-- t: x\n--\n-- reads:  a, b,\n--         c\n-- rule:   d\n\nselect 1";
    let names = header(text, "reads:").unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(header(text, "grain:"), None);
}

/// The grain is the primary key of the query's schema; `reads` is every table and view that the query itself names.
#[test]
fn headers_are_true() {
    let mut mistakes = BTreeSet::new();
    for root in projects() {
        let project = project(&root);
        let exports = project.export.values().chain(project.page.values());
        for query in project.queries.values().chain(exports) {
            let mut wrong = |key: &str, found: BTreeSet<String>| {
                let said = header(&query.text, key);
                if said.as_ref() != Some(&found) {
                    mistakes.insert(format!("{}: `{key}` is {found:?}, not {said:?}", query.file));
                }
            };
            wrong("reads:", query.reads.keys().cloned().collect());
            let is_made = project.queries.get(&query.name).is_some_and(|made| made.file == query.file);
            if let Some(schema) = project.schemas.get(&query.name).filter(|_| is_made) {
                wrong("grain:", schema.primary_key.iter().cloned().collect());
            } else if header(&query.text, "grain:").is_none() {
                mistakes.insert(format!("{}: has no grain", query.file));
            }
            if !query.text.starts_with(&format!("-- {}: ", query.name)) {
                mistakes.insert(format!("{}:1: does not begin with its name", query.file));
            }
        }
        let shown = [&project.reports, &project.status, &project.accrual];
        let shown =
            shown.into_iter().chain([&project.explain_line, &project.explain_usage, &project.service]);
        for query in project.checks.values().chain(shown.flat_map(|queries| queries.values())) {
            if !query.text.starts_with(&format!("-- {}: ", query.name)) {
                mistakes.insert(format!("{}:1: does not begin with its name", query.file));
            }
        }
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_query_plans() {
    for root in projects() {
        let output = meterhouse(&root, &["check"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The stage of a query of the pipeline, which is the folder of its file; folders sort in the order of the flow.
fn stage(file: &str) -> &str {
    let within = file.rsplit_once("queries/").map_or(file, |(_, within)| within);
    within.split_once('/').map_or("", |(stage, _)| stage)
}

/// A query reads its own stage and earlier ones, so the list of folders is the flow.
#[test]
fn no_query_reads_a_later_stage() {
    let mut mistakes = Vec::new();
    for root in projects() {
        let project = project(&root);
        for query in project.queries.values() {
            if stage(&query.file).is_empty() {
                mistakes.push(format!("{}: stands in no stage", query.file));
            }
            for read in query.reads.keys().filter_map(|name| project.queries.get(name)) {
                if stage(&read.file) > stage(&query.file) {
                    mistakes.push(format!("{} reads {}, which comes later", query.file, read.file));
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

/// The lines of a plan below its line `parent`: its inputs, of which each begins two columns further in.
fn inputs<'a>(plan: &'a [&str], parent: usize) -> Vec<&'a [&'a str]> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let below = &plan[parent + 1..];
    let end = below.iter().position(|line| depth(line) <= depth(plan[parent])).unwrap_or(below.len());
    let below = &below[..end];
    let starts = (0..below.len()).filter(|line| depth(below[*line]) == depth(plan[parent]) + 2);
    let starts: Vec<usize> = starts.chain([below.len()]).collect();
    starts.windows(2).map(|pair| &below[pair[0]..pair[1]]).collect()
}

/// The joins of a query's plan, and which files of a table each keeps in memory: its first side.
fn kept(sample: &Sample, query: &str, table: &str) -> Vec<(String, Option<String>)> {
    let plan = sample.ok(&["--format", "csv", "sql", &format!("explain\n{query}")]);
    let (_, plan) = plan.split_once("physical_plan,\"").unwrap();
    let plan: Vec<&str> = plan.lines().collect();
    let is_join = |line: &str| line.contains("HashJoinExec") || line.contains("InForceExec");
    let joins = plan.iter().enumerate().filter(|(_, line)| is_join(line));
    let files = format!("[{table}/");
    let kept = joins.map(|(line, join)| {
        let kept = inputs(&plan, line)[0].iter().find(|line| line.contains(&files));
        (join.trim().to_string(), kept.map(|line| line.trim().to_string()))
    });
    kept.collect()
}

/// A generated project with that many records a month; its months begin in August.
fn generated(records: &str, months: &str) -> Sample {
    let sample = Sample::empty();
    let to = sample.path().join("data/generated");
    let sizes = ["--contracts", "100", "--records", records, "--months", months, "--usage", "parquet"];
    sample.ok(&[&["generate", "--to", to.to_str().unwrap()], sizes.as_slice()].concat());
    sample.ok(&["run"]);
    sample
}

/// Where what is kept was usage, a run of two million records did not end.
#[test]
fn no_join_keeps_all_usage_in_memory() {
    let sample = generated("50000", "1");
    let mut joins = 0;
    for name in ["guiding", "usage_part", "usage_filtered", "usage_tag", "place_total"] {
        let query = &project(sample.path()).queries[name];
        for (join, kept) in kept(&sample, &query.text, "usage_record") {
            joins += 1;
            assert_eq!(kept, None, "{name} keeps usage for {join}");
        }
    }
    assert!(joins > 10, "{joins} joins");
}

/// Of closed periods it is known that another is none of them: else all its usage is taken for closed, and kept in
/// memory, since it seems to be nothing.
#[test]
fn no_join_keeps_the_usage_of_an_open_period_in_memory() {
    let sample = generated("100000", "2");
    sample.ok(&["close", "--period", "2026-08", "--confirm", "2026-08"]);
    sample.ok(&["run"]);
    let periods =
        sample.ok(&["--format", "csv", "sql", "select billing_period, count(*) from guiding group by 1"]);
    let statement = "select * from usage_statement where billing_period = '2026-09'";
    let joins = kept(&sample, statement, "guiding");
    assert!(joins.len() > 4, "{} joins\n{periods}", joins.len());
    // With the statement, which has a share for each record, usage is joined in the end.
    let keep = joins.iter().filter(|(_, kept)| kept.is_some()).count();
    assert!(keep <= 1, "{joins:#?}\n{periods}");
}

/// What is in force for a record is looked up, instead of all that ever was: its contract by account and by vehicle, its
/// item and its cycle.
#[test]
fn guiding_looks_up_what_is_in_force() {
    let sample = generated("50000", "1");
    let guiding = &project(sample.path()).queries["guiding"];
    let plan = sample.ok(&["--format", "csv", "sql", &format!("explain\n{}", guiding.text)]);
    assert_eq!(plan.matches("InForceExec").count(), 4, "{plan}");
}
