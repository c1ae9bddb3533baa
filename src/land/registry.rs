//! The numbers of landings: which content has which, and which files belong to one that was acknowledged.

use std::collections::BTreeSet;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::warehouse::{DataFile, Warehouse};

/// The number that a content is landed under.
#[derive(Debug, Serialize, Deserialize)]
struct Reservation {
    landing_id: i64,
}

/// The landing id of a content: the one it was given before, or the next free number.
pub(super) async fn reserve(warehouse: &Warehouse, content: &str) -> Result<i64> {
    let by_content = Path::from(format!("registry/content/{content}.json"));
    let existing = |bytes: Vec<u8>| -> Result<i64> {
        let reservation: Reservation =
            serde_json::from_slice(&bytes).during(|| format!("reading {by_content}"))?;
        Ok(reservation.landing_id)
    };
    if let Some(bytes) = warehouse.read(&by_content).await? {
        return existing(bytes);
    }
    let landing_id = warehouse.take_number("registry/landing").await?;
    let bytes = serde_json::to_vec(&Reservation { landing_id }).during(|| "reserving a landing".into())?;
    // Where somebody else lands the same content at this moment, both go on under the first number.
    existing(warehouse.settle(&by_content, bytes).await?)
}

/// The names of the landings whose files a pinned set of `landing` files acknowledges.
pub fn acknowledged(files: &[DataFile]) -> BTreeSet<String> {
    files.iter().map(|file| landing_of(&file.path).to_string()).collect()
}

/// The files of a landed table that a pinned set of landings acknowledges.
pub fn acknowledged_files(files: Vec<DataFile>, landings: &BTreeSet<String>) -> Vec<DataFile> {
    files.into_iter().filter(|file| landings.contains(landing_of(&file.path))).collect()
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
