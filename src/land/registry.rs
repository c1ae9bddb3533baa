//! The numbers of landings: which content has which, and which files belong to one that was acknowledged.

use std::collections::BTreeSet;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;

/// A try to land a content: the first one, or one again after a landing that did not do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) landing_id: i64,
    /// By which landing query and rules.
    pub(super) mapping: String,
    /// The landing that it takes the place of.
    pub(super) replaces: Option<i64>,
    /// Which try it is, from 1.
    #[serde(skip)]
    number: u32,
}

fn path_of(content: &str, number: u32) -> Path {
    match number {
        1 => Path::from(format!("registry/content/{content}.json")),
        _ => Path::from(format!("registry/content/{content}-{number}.json")),
    }
}

fn parse(path: &Path, number: u32, bytes: &[u8]) -> Result<Attempt> {
    let attempt: Attempt = serde_json::from_slice(bytes).during(|| format!("reading {path}"))?;
    Ok(Attempt { number, ..attempt })
}

/// The last try to land a content; none where it is new.
pub(super) async fn last_attempt(warehouse: &Warehouse, content: &str) -> Result<Option<Attempt>> {
    let mut last = None;
    for number in 1.. {
        let path = path_of(content, number);
        let Some(bytes) = warehouse.read(&path).await? else { break };
        last = Some(parse(&path, number, &bytes)?);
    }
    Ok(last)
}

/// The next try, under the next free number. Where somebody else begins it at this moment, both go on under the first
/// number.
pub(super) async fn attempt(
    warehouse: &Warehouse,
    content: &str,
    after: Option<&Attempt>,
    mapping: &str,
    replaces: Option<i64>,
) -> Result<Attempt> {
    let number = after.map_or(1, |after| after.number + 1);
    let path = path_of(content, number);
    let landing_id = warehouse.take_number("registry/landing").await?;
    let attempt = Attempt { landing_id, mapping: mapping.into(), replaces, number };
    let bytes = serde_json::to_vec(&attempt).during(|| "reserving a landing".into())?;
    parse(&path, number, &warehouse.settle(&path, bytes).await?)
}

/// The names of the landings whose files a pinned set of `landing` files acknowledges.
pub fn acknowledged(files: &[DataFile]) -> BTreeSet<String> {
    files.iter().map(|file| landing_of(&file.path).to_string()).collect()
}

/// The files of a landed table that a pinned set of landings acknowledges; what is of no landing, as most decisions
/// are, is acknowledged by its own commit.
pub fn acknowledged_files(files: Vec<DataFile>, landings: &BTreeSet<String>) -> Vec<DataFile> {
    let is_known = |file: &DataFile| {
        let landing = landing_of(&file.path);
        landings.contains(landing) || !landing.starts_with("landing-")
    };
    files.into_iter().filter(is_known).collect()
}

/// Whether a file of a landed table is of this landing.
pub(super) fn is_of_landing(file: &DataFile, stem: &str) -> bool {
    landing_of(&file.path) == stem
}

/// `landing-7` of `usage_date=2026-10-01/landing-7-0.parquet`.
fn landing_of(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".parquet").unwrap_or(name);
    match name.match_indices('-').nth(1) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}
