//! What was changed over HTTP: by which key, when, and what came of it. Many changes are one object, made once.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt16Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::store::digest::sha256;
use crate::store::warehouse::{Warehouse, numbered};

const CHANGES: &str = "registry/audit";
const EXTENSION: &str = ".ndjson.zst";
const LEVEL: i32 = 1;

/// A request that asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was answered, in microseconds since the epoch.
    pub at: i64,
    /// The key it had; none: everybody might.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// Of the request, such as `POST`.
    pub method: String,
    /// Where it went, without what follows a `?`.
    pub path: String,
    /// The id that its answer has.
    pub request_id: String,
    /// Of its answer; none where it was not answered, which leaves open whether it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What came of it.
    pub outcome: String,
}

/// Changes as the bytes of an object.
pub fn packed(changes: &[Change]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for change in changes {
        serde_json::to_writer(&mut lines, change).during(|| "writing changes".into())?;
        lines.push(b'\n');
    }
    zstd::encode_all(lines.as_slice(), LEVEL).during(|| "packing changes".into())
}

/// Keeps changes; when this returns they are on the disk, or in the bucket. Bytes that were kept before, as after an
/// error that left that open, are read once.
pub async fn keep(warehouse: &Warehouse, packed: &[u8]) -> Result<()> {
    let mut number = warehouse.newest(CHANGES).await?.unwrap_or(0) + 1;
    while !warehouse.create_durable(&numbered(CHANGES, number, EXTENSION), packed.to_vec()).await? {
        number += 1;
    }
    Ok(())
}

/// The columns of changes.
pub fn schema() -> SchemaRef {
    let text = |name: &str, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("answered_at", at, false),
        text("key_id", true),
        text("key_name", true),
        text("method", false),
        text("path", false),
        text("request_id", false),
        Field::new("status", DataType::UInt16, true),
        text("outcome", false),
    ]))
}

/// The changes that were answered at `since` or later, in microseconds since the epoch, in the order in which they were
/// kept; a batch for each object.
pub async fn read(warehouse: &Warehouse, since: i64) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let numbers: BTreeSet<u64> = warehouse
        .list(CHANGES)
        .await?
        .iter()
        .filter_map(|name| name.strip_suffix(EXTENSION)?.parse().ok())
        .collect();
    let (warehouse, mut seen) = (warehouse.clone(), BTreeSet::new());
    let objects = futures::stream::iter(numbers).then(move |number| {
        let warehouse = warehouse.clone();
        async move {
            let path = numbered(CHANGES, number, EXTENSION);
            let packed = warehouse.read(&path).await?.unwrap_or_default();
            let changes = unpacked(&packed).during(|| format!("reading {path}"))?;
            Ok((sha256(&packed), changes))
        }
    });
    let batches = objects.map(move |read| {
        let (hash, mut changes) = read?;
        changes.retain(|change| change.at >= since);
        if !seen.insert(hash) {
            changes.clear();
        }
        rows(&changes)
    });
    Ok(batches.boxed())
}

fn unpacked(packed: &[u8]) -> std::io::Result<Vec<Change>> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    let lines = zstd::decode_all(packed)?;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

fn rows(changes: &[Change]) -> Result<RecordBatch> {
    let text = |of: fn(&Change) -> Option<&str>| -> ArrayRef {
        Arc::new(changes.iter().map(of).collect::<StringArray>())
    };
    let at = TimestampMicrosecondArray::from_iter_values(changes.iter().map(|change| change.at));
    let status: UInt16Array = changes.iter().map(|change| change.status).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(at.with_timezone("UTC")),
        text(|change| change.key_id.as_deref()),
        text(|change| change.key_name.as_deref()),
        text(|change| Some(&change.method)),
        text(|change| Some(&change.path)),
        text(|change| Some(&change.request_id)),
        Arc::new(status),
        text(|change| Some(&change.outcome)),
    ];
    RecordBatch::try_new(schema(), columns).during(|| "reading changes".into())
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::memory::InMemory;
    use url::Url;

    use super::*;

    #[tokio::test]
    async fn changes_are_read_in_their_order_and_once() {
        let url = Url::parse("memory:///").unwrap();
        let warehouse = Warehouse::over(Arc::new(InMemory::new()), url).unwrap();
        let change = |at| Change {
            at,
            key_id: None,
            key_name: None,
            method: "POST".into(),
            path: "/x".into(),
            request_id: "r".into(),
            status: None,
            outcome: "open".into(),
        };
        let first = packed(&[change(1), change(2)]).unwrap();
        for packed in [&first, &first, &packed(&[change(3)]).unwrap()] {
            keep(&warehouse, packed).await.unwrap();
        }
        let count = async |since| -> Vec<usize> {
            let read = read(&warehouse, since).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
            read.iter().map(RecordBatch::num_rows).collect()
        };
        assert_eq!(count(0).await, [2, 0, 1]);
        assert_eq!(count(2).await, [1, 0, 1]);
    }
}
