//! The books: which periods are closed, and the queries they were closed under.
//!
//! A closing names the files that it added to the tables of the books, each with its size and the hash of its rows, and
//! the hash of the closing before it, so that nothing in closed books changes unnoticed (`proof::verify`). The texts of
//! the queries are kept under their own hash; the versions of contracts and prices are in the ledger entry of its run.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, While};
use crate::project::{Project, Query};
use crate::store::digest::sha256;
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

const FOLDER: &str = "books";

/// One closed period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The period.
    pub billing_period: String,
    /// Counts up, from 1.
    pub number: u64,
    /// The run that closed it; its entry in the ledger has the versions of all it read.
    pub run: u64,
    /// The as-of of that run, RFC 3339.
    pub as_of: String,
    /// SHA-256 of the texts of its queries, and their name in the warehouse.
    pub project: String,
    /// The files that it added to each table of the books.
    pub files: BTreeMap<String, Vec<DataFile>>,
    /// The hash of the closing before; empty for the first.
    pub previous: String,
    /// SHA-256 over all the above.
    pub hash: String,
}

impl Closing {
    /// The same with its hash.
    pub fn sealed(mut self) -> Result<Self> {
        self.hash = self.computed_hash()?;
        Ok(self)
    }

    /// The rules that its period is rated by: those that somebody chose since, or those it was closed under.
    pub fn rules(&self, since: &BTreeMap<String, Rules>) -> Rules {
        let closed_under = || Rules { run: self.run, project: self.project.clone() };
        since.get(&self.billing_period).cloned().unwrap_or_else(closed_under)
    }

    /// What its hash has to be.
    pub fn computed_hash(&self) -> Result<String> {
        let unsealed = Self { hash: String::new(), ..self.clone() };
        Ok(sha256(serde_json::to_vec(&unsealed).during(|| "hashing a closing".into())?))
    }
}

/// The rules that a closed period is rated by when its usage changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The run whose contracts, prices and quotas count.
    pub run: u64,
    /// SHA-256 of the texts of the queries.
    pub project: String,
}

/// The texts that a project is made of, by their path in it.
#[derive(Debug, Serialize, Deserialize)]
struct Texts(BTreeMap<String, String>);

impl Texts {
    fn of(project: &Project) -> Self {
        let mut texts = BTreeMap::new();
        for (name, schema) in &project.schemas {
            texts.insert(format!("schemas/{name}.sql"), schema.text.clone());
        }
        let mut add = |folder: &str, queries: &BTreeMap<String, Query>| {
            for (name, query) in queries {
                texts.insert(format!("{folder}/{name}.sql"), query.text.clone());
            }
        };
        add("queries", &project.queries);
        add("queries/checks", &project.checks);
        add("queries/closing", &project.closing);
        let settings = toml::Table::from_iter([(
            "time_zone".to_string(),
            toml::Value::String(project.settings.time_zone.clone()),
        )]);
        texts.insert(crate::project::settings::FILE.into(), settings.to_string());
        Self(texts)
    }
}

/// The hash under which the texts of a project are kept, and what is kept.
fn texts(project: &Project) -> Result<(String, Vec<u8>)> {
    let bytes = serde_json::to_vec_pretty(&Texts::of(project)).during(|| "keeping the queries".into())?;
    Ok((sha256(&bytes), bytes))
}

/// The hash under which the texts of a project are kept: it tells whether they are those of a closing.
pub fn project_hash(project: &Project) -> Result<String> {
    Ok(texts(project)?.0)
}

/// Keeps the texts of a project in the warehouse, and returns their hash.
pub async fn keep_project(warehouse: &Warehouse, project: &Project) -> Result<String> {
    let (hash, bytes) = texts(project)?;
    warehouse.settle(&Path::from(format!("{FOLDER}/{hash}.json")), bytes).await?;
    Ok(hash)
}

/// The bytes kept under a hash; an error if they are gone or have changed.
pub async fn kept_texts(warehouse: &Warehouse, hash: &str) -> Result<Vec<u8>> {
    let path = Path::from(format!("{FOLDER}/{hash}.json"));
    let bytes = warehouse.read(&path).await?.unwrap_or_default();
    if sha256(&bytes) == hash {
        return Ok(bytes);
    }
    let what = format!("{path} in the warehouse is not what was kept there");
    Err(Error::data(what, "restore it from a backup of the warehouse"))
}

/// The project whose texts are kept under a hash; it has no data of its own.
pub async fn kept_project(warehouse: &Warehouse, hash: &str) -> Result<Project> {
    let bytes = kept_texts(warehouse, hash).await?;
    let working = || "reading the queries that were kept".to_string();
    let Texts(texts) = serde_json::from_slice(&bytes).during(working)?;
    let folder = tempfile::tempdir().during(working)?;
    for (path, text) in texts {
        let path = folder.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).during(working)?;
        }
        std::fs::write(path, text).during(working)?;
    }
    let (project, mistakes) = Project::read(folder.path(), &[])?;
    if mistakes.is_empty() { Ok(project) } else { Err(Error::Project(mistakes)) }
}
