//! `docs/queries.md`: the folders of `queries/`, what the program asks of a query in each, and which queries there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use meterhouse::project::{Project, Query};

use super::cell;
use super::tables::{STAGES, link, question, stage};
use crate::sample::{project, repository};

/// A folder of `queries/` that is no stage.
pub struct Folder {
    /// Below `queries/`.
    pub path: &'static str,
    /// Its queries.
    pub queries: fn(&Project) -> &BTreeMap<String, Query>,
    /// Who asks them.
    asked: &'static str,
    /// The columns that have to be there.
    columns: &'static str,
    /// What is bound.
    parameters: &'static [&'static str],
    /// What becomes of the rows.
    rows: &'static str,
}

/// Every folder of `queries/` that is no stage.
pub const QUERY_FOLDERS: [Folder; 17] = [
    Folder {
        path: "landing",
        queries: |project| &project.landing,
        asked: "`land --with NAME`, and inboxes with `with`",
        columns: "`transaction_id`, `usage_type`, `usage_start`; others of `usage_record` as they are there, the rest goes \
                  to `attributes`",
        parameters: &[],
        rows: "Each is a usage record. A query reads `file` alone, and maps one record to one \
               ([landing](landing.md#files-of-another-shape)).",
    },
    Folder {
        path: "checks",
        queries: |project| &project.checks,
        asked: "every run, before it publishes",
        columns: "any; with `customer_id` the rows are about customers, with `billing_period` about a period",
        parameters: &["as_of"],
        rows: "None may be there. Rows with a `customer_id` park that customer; others stop the run, and nothing is published.",
    },
    Folder {
        path: "closing",
        queries: |project| &project.closing,
        asked: "`close`",
        columns: "those of the table of the books it is named for, and `billing_period` among them",
        parameters: &["as_of"],
        rows: "Those of the period that closes are added to that table for good. A query that reads `closed_period` says \
               itself which rows are added.",
    },
    Folder {
        path: "closing/guards",
        queries: |project| &project.guards,
        asked: "`close`",
        columns: "any; with `billing_period` only those of the period that closes count",
        parameters: &["as_of"],
        rows: "Each is a reason not to close; `--accept \"WHY\"` closes all the same.",
    },
    Folder {
        path: "report",
        queries: |project| &project.reports,
        asked: "every run, when it has published",
        columns: "any",
        parameters: &["as_of"],
        rows: "Shown under the first line of the query's comment, in the order of the file names; a table without rows is \
               left out.",
    },
    Folder {
        path: "status",
        queries: |project| &project.status,
        asked: "`status`; `period` also by `export`, for what is a draft, and by `serve`",
        columns: "any; `period` has `billing_period` and `state` (`open`, `due`, `closed`)",
        parameters: &["as_of"],
        rows: "Shown, as those of `report`.",
    },
    Folder {
        path: "status/accrual",
        queries: |project| &project.accrual,
        asked: "`status --accrual`",
        columns: "any",
        parameters: &["as_of"],
        rows: "Shown.",
    },
    Folder {
        path: "status/reach_back",
        queries: |project| &project.reach_back,
        asked: "`status --reach-back`, over tables in which closed periods are rated by the rules of today",
        columns: "any",
        parameters: &["as_of"],
        rows: "Shown.",
    },
    Folder {
        path: "rerate",
        queries: |project| &project.rerate,
        asked: "`rerate`, before it asks whether to publish",
        columns: "any",
        parameters: &["as_of"],
        rows: "Shown: what rating the period again comes to.",
    },
    Folder {
        path: "verify",
        queries: |project| &project.verify,
        asked: "`verify`, once every file is as it was written",
        columns: "any",
        parameters: &[],
        rows: "Each is something that was kept and is not what it was made from: `verify` fails.",
    },
    Folder {
        path: "explain/line",
        queries: |project| &project.explain_line,
        asked: "`explain LINE_ID`",
        columns: "any",
        parameters: &["as_of", "line_id"],
        rows: "Shown. Where the first query has no row, there is no such line.",
    },
    Folder {
        path: "explain/usage",
        queries: |project| &project.explain_usage,
        asked: "`explain --usage TRANSACTION_ID`",
        columns: "any",
        parameters: &["as_of", "transaction_id", "source"],
        rows: "Shown. Where the first query has no row, there is no such record. `$source` is null where none was named.",
    },
    Folder {
        path: "export",
        queries: |project| &project.export,
        asked: "`export`",
        columns: "`customer_id` first; `billing_period`",
        parameters: &["as_of"],
        rows: "Those of the period, in the order of their columns from the left, are a file of each customer that is named for the \
               query. With `totals: by COLUMN` in its comment, the manifest has its sums apart by that column.",
    },
    Folder {
        path: "export/html",
        queries: |project| &project.page,
        asked: "`export --format html`",
        columns: "`customer_id` first; `billing_period`",
        parameters: &["as_of"],
        rows: "`statement.html` sees them, and those of `export`, by the name of the query.",
    },
    Folder {
        path: "event",
        queries: |project| &project.events,
        asked: "every run, before it publishes; those that read `$as_of`, by `events --look` and a job that does `events`",
        columns: "`event_key`, a list of texts; `customer_id` where it is about one; any other",
        parameters: &["as_of"],
        rows: "Each is a condition that holds. That it began to hold, or ended, is a row of [`event`](tables.md#event), \
               with its other columns as `data` ([events](service.md#events)).",
    },
    Folder {
        path: "service",
        queries: |project| &project.service,
        asked: "`serve`, over HTTP",
        columns: "any; `access` has `contract_id`, `customer_id`, `usage_type`, `in_force_from` and `in_force_to` first, `quota_id` and `has_access` \
                  among the others",
        parameters: &[
            "as_of",
            "contract_id",
            "customer_id",
            "used_from",
            "used_to",
            "granularity",
            "group_by",
        ],
        rows: "The answer ([what can be read](service.md#what-can-be-read)); those of `access` are kept in memory. Of \
               `known_contract` and `known_customer` a row says that there is one, and its `customer_id` whose it is. `$contract_id` or `$customer_id` is null where \
               it was not named.",
    },
    Folder {
        path: "generate",
        queries: |project| &project.generate,
        asked: "`generate`, in the order of the file names",
        columns: "those of the reference table it is named for; or `file` first, then those of a usage record",
        parameters: &["contracts", "records", "months"],
        rows: "They are that table's CSV, or usage files that are named by `file`. Any other query is there for the ones behind it. \
               All may read `contract_number` and `record_number`, numbers from 0 in a column `value`.",
    },
];

const BEGIN: &str = "# Queries

`queries/` has a folder for each stage of the pipeline and for each thing that the program asks. A file is one SELECT; its name,
without a number before it, is the name of what it makes. This page says what the program asks of a query in each folder;
it is made from the folders, and a test holds that none is missing.

A query sees the tables and views of the project and the functions of DataFusion and of meterhouse. It writes its columns out
(no `*` over a table; `name.*` passes on the columns of a CTE of the same file), calls nothing that is another value each time
(`now()`, `random()`), and names a parameter as `$as_of`. Wherever a project says `extends`, a file of its own takes the place of the one of the same name.

## The pipeline

";

const BETWEEN: &str = "
A query that has a schema in `schemas/` makes a table, and yields exactly the columns of the schema: names, types, no null where NOT
NULL stands, CHECKs and the key held. Without a schema it is a view. A query reads its own stage and earlier ones. In the
pipeline only `contract_cycle` and `accrual` read `$as_of`, the instant for which is billed; other queries depend on it
through what they read.

What the program itself reads of these, so that it has to be there under these names:

| query or table | columns | for |
|---|---|---|
| `period_end` | `billing_period`, `ends_at` | which periods are due, and may close |
| `suspense`, `annulled_usage` | `source`, `transaction_id`, `usage_type`, `usage_start`, `landing_sequence` | `write-off`, `restore` |
| `invoice_line` | `customer_id`, `billing_period`, `record_count` | whom an export has files for |
| `period_change` | `billing_period`, `change_hash` | which closed periods are rated again |
| `guided_usage` | none | from here on a closed period is rated by the queries that it was closed by |
| the tables of [landing and of the books](tables.md) | all | landing, deciding and closing write them |

## The other folders

";

/// The queries of a folder with what each answers.
fn listed<'a>(queries: impl Iterator<Item = &'a Query>) -> String {
    let mut text = String::from("| query | answers |\n|---|---|\n");
    for query in queries {
        let file = query.file.rsplit('/').next().unwrap_or_default();
        let shown = link(&query.file).replace(&format!("[`{}`]", query.file), &format!("[`{file}`]"));
        writeln!(text, "| {shown} | {} |", cell(&question(query))).unwrap();
    }
    text
}

fn in_order_of_files(queries: &BTreeMap<String, Query>) -> Vec<&Query> {
    let mut queries: Vec<&Query> = queries.values().collect();
    queries.sort_by_key(|query| query.file.as_str());
    queries
}

/// The page.
pub fn page() -> String {
    let project = project(&repository());
    let mut page = String::from(BEGIN);
    page += "| folder | what it is for | queries |\n|---|---|---|\n";
    for (folder, what) in STAGES {
        let names = project.order.iter().filter(|name| stage(&project.queries[*name]) == folder);
        let names: Vec<String> = names.map(|name| format!("[{name}](tables.md#{name})")).collect();
        writeln!(page, "| `{folder}` | {what} | {} |", names.join(", ")).unwrap();
    }
    page += BETWEEN;
    page +=
        "| folder | asked by | columns | parameters | what becomes of the rows |\n|---|---|---|---|---|\n";
    for Folder { path, asked, columns, parameters, rows, .. } in QUERY_FOLDERS {
        let parameters: Vec<String> = parameters.iter().map(|name| format!("`${name}`")).collect();
        let parameters = if parameters.is_empty() { "none".into() } else { parameters.join(", ") };
        writeln!(page, "| `{path}` | {asked} | {columns} | {parameters} | {rows} |").unwrap();
    }
    for folder in QUERY_FOLDERS {
        let queries = in_order_of_files((folder.queries)(&project));
        if !queries.is_empty() {
            write!(page, "\n### {}\n\n{}", folder.path, listed(queries.into_iter())).unwrap();
        }
    }
    page
}

#[test]
fn every_folder_of_queries_is_on_the_page_and_its_parameters_too() {
    let project = project(&repository());
    let mut found = BTreeSet::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join("queries").join(&folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_stage = folder.is_empty() && STAGES.iter().any(|(stage, _)| *stage == name);
            if path.is_dir() && !is_stage {
                folders.push(format!("{folder}/{name}").trim_start_matches('/').to_string());
            } else if name.ends_with(".sql") {
                found.insert(folder.clone());
            }
        }
    }
    // Nothing of a foreign shape lands in the shipped project.
    found.insert("landing".into());
    let named: BTreeSet<String> = QUERY_FOLDERS.iter().map(|folder| folder.path.to_string()).collect();
    assert_eq!(found, named);
    for folder in QUERY_FOLDERS {
        for query in (folder.queries)(&project).values() {
            let unknown: Vec<_> =
                query.parameters.keys().filter(|name| !folder.parameters.contains(&name.as_str())).collect();
            assert!(unknown.is_empty(), "{} reads {unknown:?}", query.file);
        }
    }
    let of_time: Vec<&str> = project
        .queries
        .values()
        .filter(|query| query.reads_as_of())
        .map(|query| query.name.as_str())
        .collect();
    assert_eq!(of_time, ["accrual", "contract_cycle", "waiting_age"]);
}
