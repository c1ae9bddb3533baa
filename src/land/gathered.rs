//! Usage that was sent to a service: kept in batches, each of which is one object and acknowledged when it is there,
//! and landed in parcels of many.
//!
//! What always holds: a batch is in one parcel at most, because parcels are numbered and the next one is only made when
//! the batches of the last are landed and gone; and a parcel lands once, because its content is the list of its
//! batches. So any number of services and runs may keep and land at a time, and be killed at any.

use datafusion::prelude::SessionContext;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::registry::last_attempt;
use super::source::Source;
use super::{How, Landed, land, landings};
use crate::error::{Error, Result, While};
use crate::project::Project;
use crate::store::digest::sha256;
use crate::store::warehouse::{Warehouse, numbered};

const BATCHES: &str = "gathered/batch";
const PARCELS: &str = "gathered/parcel";
/// A parcel takes no further batch beyond so many bytes, packed as they are.
const PARCEL_BYTES: u64 = 64 << 20;
/// How hard records are packed: they go again soon.
const LEVEL: i32 = 1;

/// Batches that land together.
#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    /// The landing query of all of them; none: they have the columns of a usage record.
    with: Option<String>,
    /// Their names, each with the SHA-256 of its bytes.
    batches: Vec<String>,
}

/// Keeps records, one JSON text a line. When this returns they are acknowledged: they are on the disk, or in the
/// bucket, and will land.
///
/// `now` is the clock in microseconds since the epoch: batches land in this order.
pub async fn keep(warehouse: &Warehouse, with: Option<&str>, lines: &[u8], now: i64) -> Result<()> {
    let packed = zstd::encode_all(lines, LEVEL).during(|| "packing records".into())?;
    let (hash, own, with) = (sha256(&packed), uuid::Uuid::new_v4().simple(), with.unwrap_or_default());
    let path = Path::from(format!("{BATCHES}/{now:020}-{hash}-{own}.{with}.zst"));
    // Where it is there already, that was the first try of this one, whose answer was lost.
    warehouse.create_durable(&path, packed).await?;
    Ok(())
}

/// Lands whatever was kept until now; what is kept meanwhile is left to the next time, so that this ends.
pub async fn land_gathered(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let kept = batches(warehouse).await?;
    let Some((newest, _)) = kept.last() else { return Ok(()) };
    loop {
        let last = warehouse.newest(PARCELS).await?;
        // Listed when the last parcel is known: what is in a later one cannot be put into a second.
        let waiting = batches(warehouse).await?;
        if waiting.first().is_none_or(|(oldest, _)| oldest > newest) {
            return Ok(());
        }
        if let Some(number) = last {
            let path = numbered(PARCELS, number, ".json");
            let Some(bytes) = warehouse.read(&path).await? else { return Err(gone(&path)) };
            let parcel: Parcel = serde_json::from_slice(&bytes).during(|| format!("reading {path}"))?;
            if waiting.iter().any(|(name, _)| parcel.batches.contains(name)) {
                finish(project, warehouse, context, &path, &parcel, bytes, notice).await?;
                continue;
            }
        }
        let Some(parcel) = first_of(&waiting) else { return Ok(()) };
        let path = numbered(PARCELS, last.unwrap_or_default() + 1, ".json");
        let bytes = serde_json::to_vec(&parcel).during(|| format!("writing {path}"))?;
        // Whoever is first: its parcel is the next.
        warehouse.create(&path, bytes).await?;
    }
}

/// The batches that wait, with their bytes, in the order in which they came.
async fn batches(warehouse: &Warehouse) -> Result<Vec<(String, u64)>> {
    let mut found = warehouse.list_with_size(BATCHES).await?;
    found.sort();
    Ok(found)
}

/// How many bytes wait to be landed.
pub async fn waiting_bytes(warehouse: &Warehouse) -> Result<u64> {
    Ok(batches(warehouse).await?.iter().map(|(_, bytes)| bytes).sum())
}

/// The next parcel: the first batches of the shape that has waited longest.
fn first_of(waiting: &[(String, u64)]) -> Option<Parcel> {
    let shape = |name: &str| name.split('.').nth(1).unwrap_or_default().to_string();
    let with = shape(&waiting.first()?.0);
    let mut bytes = 0;
    let of_shape = waiting.iter().filter(|(name, _)| shape(name) == with);
    let batches = of_shape.take_while(|(_, size)| {
        bytes += size;
        bytes == *size || bytes <= PARCEL_BYTES
    });
    let batches = batches.map(|(name, _)| name.clone()).collect();
    Some(Parcel { with: Some(with).filter(|with| !with.is_empty()), batches })
}

/// Lands a parcel, unless that is done, and lets its batches go.
async fn finish(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    path: &Path,
    parcel: &Parcel,
    bytes: Vec<u8>,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let content = sha256(&bytes);
    if !is_landed(warehouse, &content).await? {
        let with = match &parcel.with {
            None => None,
            Some(name) => Some(project.landing.get(name).ok_or_else(|| {
                let what = format!("usage was sent that queries/landing/{name}.sql maps, and there is none");
                Error::data(what, "bring the query back; the usage waits for it")
            })?),
        };
        let paths = parcel.batches.iter().map(|name| (batch_at(name), hash_of(name).to_string())).collect();
        let file = Source::gathered(path.to_string(), content.clone(), warehouse, paths);
        match land(project, warehouse, context, &file, How { with, ..How::default() }).await {
            Ok(landed) => notice(&landed),
            // Somebody else landed it meanwhile, and its batches are gone.
            Err(_) if is_landed(warehouse, &content).await? => {}
            Err(error) => return Err(error),
        }
        // What takes their place has to be as durable as they are.
        warehouse.sync().await?;
    }
    warehouse.delete(parcel.batches.iter().map(|name| batch_at(name)).collect()).await
}

async fn is_landed(warehouse: &Warehouse, content: &str) -> Result<bool> {
    let Some(attempt) = last_attempt(warehouse, content).await? else { return Ok(false) };
    Ok(landings(warehouse).await?.has(attempt.landing_id))
}

fn batch_at(name: &str) -> Path {
    Path::from(format!("{BATCHES}/{name}"))
}

fn hash_of(name: &str) -> &str {
    name.split('-').nth(1).unwrap_or_default()
}

fn gone(path: &Path) -> Error {
    Error::data(format!("{path} is gone from the warehouse"), "bring it back from a copy of the warehouse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_takes_batches_of_one_shape_up_to_a_size() {
        let names = |waiting: &[(&str, u64)]| {
            let waiting: Vec<(String, u64)> =
                waiting.iter().map(|(name, size)| (name.to_string(), *size)).collect();
            first_of(&waiting).map(|parcel| (parcel.with, parcel.batches))
        };
        let all = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&[]), None);
        assert_eq!(names(&[("1-a..zst", 5), ("2-b..zst", 5)]), Some((None, all(&["1-a..zst", "2-b..zst"]))));
        assert_eq!(
            names(&[("1-a..zst", PARCEL_BYTES + 1), ("2-b..zst", 1)]),
            Some((None, all(&["1-a..zst"])))
        );
        assert_eq!(
            names(&[("1-a.shop.zst", 5), ("2-b..zst", 5), ("3-c.shop.zst", 5)]),
            Some((Some("shop".into()), all(&["1-a.shop.zst", "3-c.shop.zst"])))
        );
        assert_eq!(hash_of("00012-abc-f00.shop.zst"), "abc");
    }
}
