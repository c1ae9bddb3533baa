//! What a table was made from, as one hash: equal hashes, and it need not be made again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::is_limited;
use crate::error::{Result, While};
use crate::ledger::{Entry, TableEntry};
use crate::project::schema::TableSchema;
use crate::project::settings;
use crate::project::{Project, Query};
use crate::store::digest::Digest;

/// A hash of texts, in hexadecimal.
pub fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Digest::default();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finish()
}

/// The files of a reference table, and the hash of them and of its contract.
pub fn of_reference(project: &Project, schema: &TableSchema) -> Result<(Vec<PathBuf>, String)> {
    let paths = reference_files(project, &schema.name)?;
    let mut texts = vec![schema.text.clone()];
    for path in &paths {
        let bytes = std::fs::read(path).during(|| format!("reading {}", path.display()))?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok((paths, fingerprint(texts.iter().map(String::as_str))))
}

/// The hash of what a table is made from: its query with the views behind it, its contract, and what `content` says of
/// each table it reads.
pub fn of_table(
    project: &Project,
    schema: &TableSchema,
    query: &Query,
    as_of_text: &str,
    period: Option<&str>,
    content: impl Fn(&str) -> String,
) -> String {
    let mut depends = vec![project.text_behind(query), schema.text.clone()];
    depends.extend(project.tables_behind(query).iter().map(|table| format!("{table} {}", content(table))));
    if project.reads_as_of(query) {
        depends.push(as_of_text.into());
    }
    // Made for one period, a table is not up to date for a run of all.
    depends
        .extend(period.filter(|_| is_limited(project, schema, query)).map(|period| format!("only {period}")));
    fingerprint(depends.iter().map(String::as_str))
}

/// What in the project is another than when this run was published: the first reference table whose files are, or the
/// first table whose query, views or contract are. Tables that read landed ones of which `landed` knows no content are
/// passed over.
pub fn changed_since(
    project: &Project,
    head: &Entry,
    landed: &BTreeMap<String, Option<String>>,
) -> Result<Option<String>> {
    let published = |table: &str| head.tables.get(table).map(|entry| entry.fingerprint.as_str());
    for schema in project.reference() {
        if published(&schema.name) != Some(of_reference(project, schema)?.1.as_str()) {
            return Ok(Some(format!("the data of `{}`", schema.name)));
        }
    }
    for name in &project.order {
        let query = &project.queries[name];
        let Some(schema) = project.schemas.get(name) else { continue };
        if project.tables_behind(query).iter().any(|table| landed.get(table) == Some(&None)) {
            continue;
        }
        let content = |table: &str| match landed.get(table).cloned().flatten() {
            Some(landed) => landed,
            None => head.tables.get(table).map(TableEntry::content).unwrap_or_default(),
        };
        let made_as_of = head.tables.get(name).and_then(|entry| entry.made_as_of.as_ref());
        let as_of = made_as_of.map_or(&head.as_of, |made| &made.from);
        let now = of_table(project, schema, query, as_of, head.period.as_deref(), content);
        if published(name) != Some(now.as_str()) {
            return Ok(Some(format!("the query of `{name}`")));
        }
    }
    Ok(None)
}

/// The CSV files of a reference table: `data/<table>.csv` and those of that name in the folders of `data/`.
pub fn reference_files(project: &Project, table: &str) -> Result<Vec<PathBuf>> {
    let patterns = match project.settings.reference.get(table) {
        Some(path) => vec![settings::path(&project.root, path)?],
        None => ["data/", "data/*/"].map(|folder| project.root.join(format!("{folder}{table}.csv"))).into(),
    };
    let mut files = Vec::new();
    for pattern in patterns {
        let found = glob::glob(&pattern.to_string_lossy()).during(|| format!("looking for {table}.csv"))?;
        for file in found {
            files.push(file.during(|| format!("looking for {table}.csv"))?);
        }
    }
    Ok(files)
}
