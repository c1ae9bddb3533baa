//! `views`: the SQL by which another engine opens every table.
//!
//! Text only: nothing of it is run here. The files named are those that `meterhouse sql` would read at this moment.

use std::collections::BTreeMap;
use std::fmt::Write;

use arrow::datatypes::DataType;
use clap::ValueEnum;
use object_store::path::Path;
use url::{Position, Url};

use crate::error::{Error, Result};
use crate::ledger::Entry;
use crate::project::schema::{TableSchema, header, sql_type};
use crate::project::{Project, Query};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

/// Whose SQL is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// DuckDB.
    Duckdb,
}

/// How the views find the files of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scan {
    /// By the list of files of the published run: all tables as of one moment, nothing to install.
    Parquet,
    /// By the Delta log, through DuckDB's delta extension: always the newest run.
    Delta,
}

/// The SQL for DuckDB: one view for each table of the project, under the table's name, and those of the project's own
/// views that any engine can run.
///
/// # Errors
/// Nothing was published yet.
pub fn duckdb(
    project: &Project,
    warehouse: &Warehouse,
    head: Option<&Entry>,
    files: &BTreeMap<String, Vec<DataFile>>,
    scan: Scan,
) -> Result<String> {
    let Some(head) = head else {
        return Err(Error::usage("nothing was published yet", "meterhouse run"));
    };
    let root = root(warehouse.url());
    let mut text = format!("-- The tables of {root}, for DuckDB.\n");
    text += credentials(warehouse.url().scheme());
    let run = head.run;
    match scan {
        Scan::Parquet => {
            let _ = writeln!(
                text,
                "-- As published by run {run}, as of {}. These views stay with it:",
                head.as_of
            );
            text += "-- print them again after the next run, or print `--scan delta`, which follows.\n";
        }
        Scan::Delta => {
            text += "-- Each view shows what the newest run published. While one publishes, some tables\n\
                     -- are for seconds one run older than others.\n\
                     install delta;\nload delta;\n";
        }
    }
    let views = project.order.iter().filter_map(|name| project.queries.get(name));
    let views: Vec<&Query> = views.filter(|query| !project.schemas.contains_key(&query.name)).collect();
    let ours = views.iter().filter(|query| !is_for_any(query));
    let ours: String = ours.map(|query| format!("--   {} ({})\n", query.name, query.file)).collect();
    if !ours.is_empty() {
        text += "--\n-- Not here are views of the project with functions that only meterhouse has; `meterhouse sql`\n\
                 -- answers them, and a query that gets a schema becomes a table:\n";
        text += &ours;
    }
    for (name, schema) in &project.schemas {
        let files = files.get(name).map(Vec::as_slice).unwrap_or_default();
        if !schema.comment.is_empty() {
            let _ = write!(text, "\n-- {}", schema.comment.replace('\n', "\n-- "));
        }
        let _ = writeln!(text, "\ncreate or replace view {name} as");
        match scan {
            // A table that nothing was ever written to may have no log yet.
            Scan::Delta if !files.is_empty() => {
                let _ = writeln!(text, "select * from delta_scan({});", quoted(&format!("{root}{name}")));
            }
            Scan::Parquet if !files.is_empty() => {
                // The empty part gives every column, in order and with its type, also where a file lacks it.
                let _ = writeln!(
                    text,
                    "{}\nunion all by name\n{};",
                    empty(schema),
                    read_parquet(&root, schema, files)
                );
            }
            _ => {
                let _ = writeln!(text, "{};", empty(schema));
            }
        }
    }
    // What a view reads stands before it.
    for query in views.into_iter().filter(|query| is_for_any(query)) {
        let title = header(&query.text).first().copied().unwrap_or_default();
        let _ =
            write!(text, "\n-- {title}\ncreate or replace view {} as\n{};\n", query.name, body(&query.text));
    }
    Ok(text)
}

/// Whether a query says in its header that any engine can run it.
fn is_for_any(query: &Query) -> bool {
    header(&query.text).iter().any(|line| line.starts_with("engine: any"))
}

/// A query without the comment that opens it.
fn body(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.starts_with("--") && !line.is_empty() {
            break;
        }
        rest = after;
    }
    rest.trim_end()
}

/// The warehouse as DuckDB names it: a path, or the URL of a bucket, with a slash at its end.
fn root(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" => {
            format!("{}/", path.display().to_string().trim_end_matches('/'))
        }
        // In a URL a blank is `%20`; the objects' names have the blank, and DuckDB decodes nothing.
        _ => match Path::from_url_path(url.path()) {
            Ok(path) if path.parts().count() > 0 => format!("{}/{path}/", &url[..Position::BeforePath]),
            _ => format!("{}/", &url[..Position::BeforePath]),
        },
    }
}

/// What DuckDB has to be told before it may read; never a key of ours.
fn credentials(scheme: &str) -> &'static str {
    match scheme {
        "file" => "",
        "s3" | "s3a" => {
            "-- DuckDB needs a secret for the bucket. Before these views, type one of:\n\
             --   create secret (type s3, provider credential_chain); -- AWS: the environment, a profile or a role\n\
             --   create secret (type s3, key_id '...', secret '...', region '...');\n\
             --   create secret (type s3, key_id '...', secret '...', endpoint 'host:port', url_style 'path',\n\
             --       use_ssl false); -- a store of your own\n"
        }
        _ => "-- DuckDB needs a secret for the bucket, made by `create secret` before these views.\n",
    }
}

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn duckdb_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, Some(_)) => "timestamptz".into(),
        other => sql_type(other),
    }
}

/// No rows, but every column.
fn empty(schema: &TableSchema) -> String {
    let columns = schema.columns.iter();
    let columns =
        columns.map(|column| format!("null::{} as {}", duckdb_type(&column.data_type), column.name));
    format!("(select\n    {}\nlimit 0)", columns.collect::<Vec<_>>().join(",\n    "))
}

fn read_parquet(root: &str, schema: &TableSchema, files: &[DataFile]) -> String {
    let paths = files.iter().map(|file| quoted(&format!("{root}{}/{}", schema.name, file.path)));
    let paths = paths.collect::<Vec<_>>().join(",\n        ");
    let mut options = "union_by_name = true".to_string();
    let partitions = schema.partitions();
    if !partitions.is_empty() {
        let types = partitions
            .iter()
            .map(|column| format!("{}: {}", quoted(column.name()), duckdb_type(column.data_type())));
        let types = types.collect::<Vec<_>>().join(", ");
        options += &format!(",\n    hive_partitioning = true,\n    hive_types = {{{types}}}");
    }
    format!("select * from read_parquet(\n    [\n        {paths}\n    ],\n    {options}\n)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_as_duckdb_reads_it() {
        for (url, name) in [
            ("s3://usage/", "s3://usage/"),
            ("s3://usage/a/house/", "s3://usage/a/house/"),
            ("gs://usage/our%20house/", "gs://usage/our house/"),
            ("file:///srv/our%20house/", "/srv/our house/"),
        ] {
            assert_eq!(root(&Url::parse(url).unwrap()), name);
        }
        assert_eq!(credentials("file"), "");
        let s3 = credentials("s3");
        assert!(
            s3.lines().all(|line| line.starts_with("-- ")) && s3.contains("create secret (type s3"),
            "{s3}"
        );
    }

    #[test]
    fn a_table_is_opened_by_its_files_and_its_contract() {
        let schema = TableSchema::parse(
            "line",
            "schemas/line.sql",
            "-- line: what is paid.\ncreate table line (\n    day date not null, -- the day\n    \
             at timestamp, -- when\n    amount decimal(38, 12) -- money\n) partitioned by (day)",
        )
        .unwrap();
        let file = DataFile {
            path: "day=2026-10-01/a.parquet".into(),
            size: 1,
            rows: 1,
            partition: BTreeMap::from([("day".into(), "2026-10-01".into())]),
            ..DataFile::default()
        };
        assert_eq!(
            empty(&schema),
            "(select\n    null::date as day,\n    null::timestamptz as at,\n    \
             null::decimal(38, 12) as amount\nlimit 0)"
        );
        assert_eq!(
            read_parquet("/it's/", &schema, &[file]),
            "select * from read_parquet(\n    [\n        '/it''s/line/day=2026-10-01/a.parquet'\n    ],\n    \
             union_by_name = true,\n    hive_partitioning = true,\n    hive_types = {'day': date}\n)"
        );
    }
}
