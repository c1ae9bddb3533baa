//! `docs/functions.md`, from what the SQL functions say of themselves; each example is run.

use std::fmt::Write as _;

use datafusion::logical_expr::Documentation;
use meterhouse::encode::cells::{Cell, Cells};
use meterhouse::engine::session::session;
use meterhouse::project::settings::Settings;
use meterhouse_sql::functions::{aggregates, scalars};

use super::cell;
use crate::sample::repository;

const BEGIN: &str = "# SQL functions

A query may use the functions of [DataFusion](https://datafusion.apache.org/user-guide/sql/index.html) and those on this
page, which do what SQL cannot say: exact money, calendars, fields of records that are named by data, and series of steps
of which each depends on the one before. None knows a price, a tier or a quota.

All of them are immutable: the same arguments give the same result on every machine. What cannot be computed exactly is
an error, never a wrapped or a missing value. Arguments are cast to the types that are written here, but never a float to
a decimal. Below each example stand its rows.
";

/// The name of each function, and what it says of itself.
fn documented() -> Vec<(String, Documentation)> {
    let aggregates = aggregates()
        .into_iter()
        .map(|function| (function.name().to_string(), function.documentation().cloned()));
    let scalars = scalars()
        .into_iter()
        .map(|function| (function.name().to_string(), function.documentation().cloned()));
    let said = aggregates.chain(scalars);
    said.map(|(name, said)| (name.clone(), said.unwrap_or_else(|| panic!("{name} says nothing")))).collect()
}

/// The page.
pub fn page() -> String {
    let mut page = String::from(BEGIN);
    for (name, said) in documented() {
        write!(page, "\n## {name}\n\n```\n{}\n```\n\n{}\n\n", said.syntax_example, said.description).unwrap();
        page.push_str("| argument | meaning |\n|---|---|\n");
        for (argument, meaning) in said.arguments.iter().flatten() {
            writeln!(page, "| `{argument}` | {} |", cell(meaning)).unwrap();
        }
        write!(page, "\n```sql\n{}\n```\n", said.sql_example.unwrap_or_default()).unwrap();
    }
    page
}

/// The rows of a query, each as its values separated by a blank.
fn rows(sql: &str) -> Result<Vec<String>, String> {
    let (settings, _) = Settings::read(&repository(), &[]).unwrap();
    let context = session(&settings, None).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let batches = runtime.block_on(async { context.sql(sql).await?.collect().await });
    let batches = batches.map_err(|error| error.strip_backtrace())?;
    let text = |cell: Cell<'_>| if cell == Cell::Null { "null".into() } else { cell.csv().into_owned() };
    let of_batch = |batch: &arrow::array::RecordBatch| {
        let cells = Cells::of(batch).unwrap();
        cells.rows().map(|row| row.map(text).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    Ok(batches.iter().flat_map(of_batch).collect())
}

#[test]
fn every_example_gives_its_rows() {
    let mut wrong = Vec::new();
    for (name, said) in documented() {
        let example = said.sql_example.unwrap_or_default();
        let expected: Vec<String> =
            example.lines().filter_map(|line| line.strip_prefix("-- ")).map(String::from).collect();
        let given = rows(&example);
        if expected.is_empty() || given.as_ref() != Ok(&expected) {
            wrong.push(format!("{name}: says {expected:?}, gives {given:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
