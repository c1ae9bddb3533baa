//! `docs/tables.md`, from the schemas and the queries: what a row is, who makes it and who reads it, and what the
//! columns mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meterhouse::answer::describe::describe;
use meterhouse::check;
use meterhouse::encode::Format;
use meterhouse::engine::session::session;
use meterhouse::project::schema::{TableSchema, header, sql_type};
use meterhouse::project::{BOOKS, CLOSED_PERIOD, JOURNAL, LANDED, Project, Query, USAGE_DECISION};

use super::cell;
use super::queries::QUERY_FOLDERS;
use crate::sample::{project, repository};

const BEGIN: &str = "# Tables

Every table and view of the shipped project, in the order in which a run makes them: what a row is, which query makes it,
what that reads, who reads it, and what its columns mean, with units in brackets. This page is made from `schemas/` and
`queries/`; `meterhouse describe TABLE` says the same of your own project.

A table has a schema in `schemas/` and is kept; its schema is a contract, and a query that yields anything else is refused.
A view has a query and no schema, and is worked out whenever it is read.

";

/// Each stage, and what it is for.
pub const STAGES: [(&str, &str); 11] = [
    ("0_reference", "What reference data says, in the shape in which other queries ask for it."),
    ("1_closed", "What stands in closed books: it is neither guided nor priced again."),
    (
        "2_usage",
        "Which records count, and which not: duplicates, voids, held batches, filters. What a record is tagged as.",
    ),
    ("3_calendar", "Cycles and periods, and which item has which price in them."),
    ("4_guiding", "Whose each record is: its contract, item and cycle; and where late usage belongs."),
    (
        "5_metering",
        "Here prices meet usage: what is priced record by record, what waits, and what the rest adds up to.",
    ),
    ("6_quota", "What is included, what is used of it, and what is left to price."),
    ("7_rating", "What a quantity costs: the charge models."),
    ("8_invoice", "Lines: fees, usage, minimums, credits, corrections; rounded."),
    ("9_statement", "The usage behind each line, and how the line comes to its amount."),
    ("proof", "The two balances, which prove that nothing is lost."),
];

/// The stage that a query of the pipeline belongs to.
pub fn stage(query: &Query) -> &str {
    query.file.split('/').nth(1).unwrap_or_default()
}

/// The names in code, with commas.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Who reads a table or view.
fn readers(project: &Project, name: &str) -> String {
    let reads = |query: &&Query| query.reads.contains_key(name);
    let pipeline = project.order.iter().map(|made| &project.queries[made]).filter(reads);
    let mut names: Vec<String> = pipeline.map(|query| query.name.clone()).collect();
    for folder in QUERY_FOLDERS {
        let others = (folder.queries)(project).values().filter(reads);
        names.extend(others.map(|query| format!("{}/{}", folder.path, query.name)));
    }
    if names.is_empty() { "nobody; it is for you".into() } else { list(names.iter().map(String::as_str)) }
}

/// What a query answers: the first sentences of its header, behind its name.
pub fn question(query: &Query) -> String {
    let lines =
        header(&query.text).into_iter().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    lines.split_once(": ").map_or(lines.clone(), |(_, question)| question.to_string())
}

/// A file of the repository.
pub fn link(file: &str) -> String {
    format!("[`{file}`](../{file})")
}

fn bullets(project: &Project, name: &str) -> String {
    let mut text = String::new();
    if let Some(schema) = project.schemas.get(name) {
        if !schema.primary_key.is_empty() {
            writeln!(text, "- one row for each: {}", list(schema.primary_key.iter().map(String::as_str)))
                .unwrap();
        }
        if !schema.partition_by.is_empty() {
            writeln!(text, "- files apart by: {}", list(schema.partition_by.iter().map(String::as_str)))
                .unwrap();
        }
        for reference in &schema.references {
            let named: Vec<String> = reference
                .named
                .iter()
                .map(|named| format!("`{}.{}`", named.table, named.columns.join(", ")))
                .collect();
            writeln!(
                text,
                "- {} names {}",
                list(reference.columns.iter().map(String::as_str)),
                named.join(" or ")
            )
            .unwrap();
        }
        for check in &schema.checks {
            writeln!(text, "- holds: `{}`", check.expression).unwrap();
        }
    }
    match project.queries.get(name) {
        Some(query) => {
            writeln!(text, "- made by {}: {}", link(&query.file), question(query)).unwrap();
            writeln!(text, "- reads {}", list(query.reads.keys().map(String::as_str))).unwrap();
        }
        None if name == USAGE_DECISION => {
            text += "- made by `land --hold`, `void` and other decisions about usage\n"
        }
        None if LANDED.contains(&name) => text += "- made by landing\n",
        None if JOURNAL.contains(&name) => text += "- made by `meterhouse serve`\n",
        None if BOOKS.contains(&name) => match project.closing.get(name) {
            Some(query) => {
                writeln!(text, "- made by closing, {}: {}", link(&query.file), question(query)).unwrap();
            }
            None if name == CLOSED_PERIOD => text += "- made by closing\n",
            None => text += "- made by rating a closed period again\n",
        },
        None => writeln!(text, "- made by you: `data/{name}.csv`").unwrap(),
    }
    text + &format!("- read by {}\n", readers(project, name))
}

fn table(page: &mut String, project: &Project, schema: &TableSchema) {
    let comment = schema.comment.lines().collect::<Vec<_>>().join(" ");
    write!(page, "\n### {}\n\n{comment}\n\n{}\n", schema.name, bullets(project, &schema.name)).unwrap();
    page.push_str("| column | type | meaning |\n|---|---|---|\n");
    for column in &schema.columns {
        let null = if column.required { "" } else { ", or null" };
        let (name, kind) = (&column.name, sql_type(&column.data_type));
        writeln!(page, "| `{name}` | {kind}{null} | {} |", cell(&column.comment)).unwrap();
    }
}

/// The columns of each view, as JSON of `describe`.
fn views(project: &Project) -> BTreeMap<String, serde_json::Value> {
    let plan = async {
        let context = session(&project.settings, None).unwrap();
        check::check(project, &context).await.unwrap();
        let mut views = BTreeMap::new();
        for name in project.order.iter().filter(|name| !project.schemas.contains_key(*name)) {
            let mut out = Vec::new();
            describe(project, &context, name, Format::Json, &mut out).await.unwrap();
            views.insert(name.clone(), serde_json::from_slice(&out).unwrap());
        }
        views
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Plans are deep.
    std::thread::scope(|scope| {
        let planning = std::thread::Builder::new().stack_size(64 << 20);
        planning.spawn_scoped(scope, || runtime().block_on(plan)).unwrap().join().unwrap()
    })
}

fn view(page: &mut String, project: &Project, query: &Query, described: &serde_json::Value) {
    write!(page, "\n### {}\n\nA view.\n\n{}\n", query.name, bullets(project, &query.name)).unwrap();
    page.push_str("| column | type | meaning |\n|---|---|---|\n");
    for row in described["rows"].as_array().unwrap() {
        let [name, kind, comment] =
            ["column", "type", "comment"].map(|key| row[key].as_str().unwrap_or_default());
        writeln!(page, "| `{name}` | {kind} | {} |", cell(comment)).unwrap();
    }
}

/// The page.
pub fn page() -> String {
    let project = project(&repository());
    let views = views(&project);
    let mut groups: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    groups.push((
        "Usage as it landed",
        "Landing writes these between runs, and so do decisions about usage. What was written stays.",
        LANDED.to_vec(),
    ));
    let reference = project.reference().map(|schema| schema.name.as_str()).collect();
    groups.push((
        "Reference data",
        "Contracts, prices and rules: CSV files in `data/`, which a run reads anew when they have changed.",
        reference,
    ));
    for (folder, what) in STAGES {
        let of_stage = project.order.iter().filter(|name| stage(&project.queries[*name]) == folder);
        groups.push((folder, what, of_stage.map(String::as_str).collect()));
    }
    groups.push((
        "The books",
        "Closing a period writes these, and rating a closed period again; no row ever changes, but those of `rerated_line`.",
        BOOKS.to_vec(),
    ));
    groups.push((
        "What services did",
        "Services write these. No query of the project reads them, so that what is billed does not depend on who asked for \
         what when; `meterhouse sql` and every other reader may.",
        JOURNAL.to_vec(),
    ));
    let known: usize = groups.iter().map(|(_, _, names)| names.len()).sum();
    let all = project.schemas.len() + views.len();
    assert_eq!(known, all, "a table is in no group, or a stage is not in `STAGES`");
    let mut page = String::from(BEGIN);
    page.push_str("| stage | tables and views |\n|---|---|\n");
    for (title, _, names) in &groups {
        let links: Vec<String> = names.iter().map(|name| format!("[{name}](#{name})")).collect();
        writeln!(page, "| {title} | {} |", links.join(", ")).unwrap();
    }
    for (title, what, names) in groups {
        write!(page, "\n## {title}\n\n{what}\n").unwrap();
        for name in names {
            match project.schemas.get(name) {
                Some(schema) => table(&mut page, &project, schema),
                None => view(&mut page, &project, &project.queries[name], &views[name]),
            }
        }
    }
    page
}
