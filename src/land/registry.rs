//! The numbers of landings: which content has which, and which files belong to one that was acknowledged.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;
use crate::table::landings::Landings;

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

/// The register of the numbers; in each stands the content that took it.
const NUMBERS: &str = "registry/landing";

impl Attempt {
    /// Whether its number is this content's own.
    pub(super) async fn is_of(&self, warehouse: &Warehouse, content: &str) -> Result<bool> {
        warehouse.holds(NUMBERS, self.landing_id, content).await
    }
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

/// The last try to land a content; none if it is new.
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
    let mut number = after.map_or(1, |after| after.number + 1);
    loop {
        let path = path_of(content, number);
        let landing_id = warehouse.take_number(NUMBERS, content).await?;
        let attempt = Attempt { landing_id, mapping: mapping.into(), replaces, number };
        let bytes = serde_json::to_vec(&attempt).during(|| "reserving a landing".into())?;
        let attempt = parse(&path, number, &warehouse.settle(&path, bytes).await?)?;
        // Asked once more, before anything is written under it: the other create may have come late.
        if attempt.is_of(warehouse, content).await? {
            return Ok(attempt);
        }
        number += 1;
    }
}

/// The landings that a pinned set of `landing` files acknowledges.
pub fn acknowledged(files: &[DataFile]) -> Landings {
    let landings: Vec<Landings> = files.iter().map(DataFile::of_landings).collect();
    landings.iter().flat_map(Landings::ranges).copied().collect()
}

/// The files of a landed table that a pinned set of landings acknowledges; what came by no landing, as most decisions
/// are, is acknowledged by its own commit. None if a file is of these and of other landings: files were merged since
/// the set was pinned.
pub fn acknowledged_files(files: Vec<DataFile>, landings: &Landings) -> Option<Vec<DataFile>> {
    let mut of_these = Vec::with_capacity(files.len());
    for file in files {
        let its = file.of_landings();
        if landings.has_all(&its) {
            of_these.push(file);
        } else if landings.has_any(&its) {
            return None;
        }
    }
    Some(of_these)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_file_counts_once_all_its_landings_do() {
        let of = |path: &str, landings: &[(i64, i64)]| DataFile {
            path: path.into(),
            landings: landings.iter().copied().collect(),
            ..DataFile::default()
        };
        let known = acknowledged(&[of("merged-1.parquet", &[(1, 4)]), of("landing-6.parquet", &[])]);
        assert_eq!(known.to_string(), "1-4 6");
        let counted = |files: &[DataFile]| {
            let files = acknowledged_files(files.to_vec(), &known)?;
            Some(files.iter().map(|file| file.path.clone()).collect::<Vec<_>>())
        };
        let day = |name: &str| format!("usage_date=2026-10-01/{name}.parquet");
        let files =
            [of(&day("landing-6-0"), &[]), of("landing-5.parquet", &[]), of("decision-1.parquet", &[])];
        assert_eq!(counted(&files), Some(vec![day("landing-6-0"), "decision-1.parquet".into()]));
        assert_eq!(counted(&[of(&day("merged-2"), &[(1, 3)])]), Some(vec![day("merged-2")]));
        assert_eq!(counted(&[of(&day("merged-2"), &[(7, 9)])]), Some(Vec::new()));
        assert_eq!(counted(&[of(&day("merged-2"), &[(1, 3), (5, 5)])]), None);
    }
}
