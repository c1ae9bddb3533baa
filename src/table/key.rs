//! A table's primary key: found broken in time in proportion to its rows, and named exactly.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::SessionContext;

use super::file::DataFile;
use super::scan::FileTable;
use crate::encode;
use crate::error::{Error, Place, Result, While};
use crate::project::schema::TableSchema;

/// The hashes of keys that were written, 8 bytes each, apart by their first byte so that each part is sorted alone.
#[derive(Debug)]
pub struct KeyHashes(Vec<Vec<u64>>);

impl Default for KeyHashes {
    fn default() -> Self {
        Self(vec![Vec::new(); 256])
    }
}

impl KeyHashes {
    /// Takes the hash of one row's key.
    pub fn push(&mut self, hash: u64) {
        self.0[(hash >> 56) as usize].push(hash);
    }

    /// Whether two keys of all these writers may be equal: `false` is certain.
    pub fn may_repeat(writers: Vec<KeyHashes>) -> bool {
        let mut parts: Vec<Vec<u64>> = vec![Vec::new(); 256];
        for writer in writers {
            for (part, mut hashes) in parts.iter_mut().zip(writer.0) {
                if part.is_empty() {
                    *part = hashes;
                } else {
                    part.append(&mut hashes);
                }
            }
        }
        parts.iter_mut().any(|part| {
            part.sort_unstable();
            part.windows(2).any(|pair| pair[0] == pair[1])
        })
    }
}

/// Refuses a table in which two rows have one primary key; the hint says what may be the cause.
pub async fn check_key(
    context: &SessionContext,
    schema: &TableSchema,
    files: &[DataFile],
    hint: &str,
) -> Result<()> {
    if schema.primary_key.is_empty() {
        return Ok(());
    }
    let working = || format!("checking the key of {}", schema.name);
    let frame = context.read_table(Arc::new(FileTable::new(schema, files.to_vec()))).during(working)?;
    let keys = schema.primary_key.iter().map(|name| Expr::Column(Column::from_name(name))).collect();
    let twice = frame
        .aggregate(keys, vec![count(lit(1)).alias("rows")])
        .and_then(|frame| frame.filter(Expr::Column(Column::from_name("rows")).gt(lit(1))))
        .and_then(|frame| frame.limit(0, Some(5)))
        .during(working)?;
    let rows = twice.collect().await.during(working)?;
    if rows.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let rows = encode::framed(&rows)?;
    Err(Error::Data {
        what: format!(
            "`{}` has rows with the same key ({})\n{rows}",
            schema.name,
            schema.primary_key.join(", ")
        ),
        place: Some(Place { file: schema.file.clone(), line: 0, column: 0 }),
        hint: hint.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_two_writers_wrote_is_found() {
        let hashes = |keys: &[u64]| {
            let mut hashes = KeyHashes::default();
            keys.iter().for_each(|key| hashes.push(*key));
            hashes
        };
        assert!(!KeyHashes::may_repeat(vec![]));
        assert!(!KeyHashes::may_repeat(vec![hashes(&[1, u64::MAX]), hashes(&[2, 1 << 56])]));
        assert!(KeyHashes::may_repeat(vec![hashes(&[u64::MAX, 7]), hashes(&[3, 7])]));
        assert!(KeyHashes::may_repeat(vec![hashes(&[7, 3, 7])]));
    }
}
