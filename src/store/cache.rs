//! Data files of a table far away, kept in memory after the first read where they are small.
//!
//! A run reads the same tables several times, and a table that lands day by day is many small files: each read is a
//! request of tens of milliseconds. Parquet is read from its end, with so much before it that of a small file all of it
//! comes; so what a first request brought answers all later ones. Right only because a data file never changes: a path
//! is written once, or again with the same bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, once};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Files up to this size come whole with the first read, in bytes; larger ones piece by piece.
pub const SMALL: u64 = 512 << 10;
/// All that is kept, in bytes; what comes later is not.
const ROOM: usize = 64 << 20;

/// A store whose small files are asked for once.
#[derive(Debug)]
pub struct SmallFiles {
    inner: Arc<dyn ObjectStore>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<Path, (ObjectMeta, Bytes)>,
    bytes: usize,
}

impl SmallFiles {
    /// Keeps the small files of a store that holds data files.
    pub fn over(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, kept: Mutex::default() }
    }

    fn kept(&self, path: &Path) -> Option<(ObjectMeta, Bytes)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).files.get(path).cloned()
    }

    fn keep(&self, path: &Path, meta: &ObjectMeta, bytes: &Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes.len() <= ROOM
            && kept.files.insert(path.clone(), (meta.clone(), bytes.clone())).is_none()
        {
            kept.bytes += bytes.len();
        }
    }
}

/// A part of a file that is in memory.
fn part(meta: ObjectMeta, bytes: Bytes, range: std::ops::Range<u64>) -> GetResult {
    let part = bytes.slice(range.start as usize..range.end as usize);
    let payload = GetResultPayload::Stream(once(async { Ok(part) }).boxed());
    GetResult { payload, meta, range, attributes: Default::default() }
}

impl fmt::Display for SmallFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "small_files({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SmallFiles {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let is_conditional = options.if_match.is_some()
            || options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some();
        let is_plain = !is_conditional && options.version.is_none() && !options.head;
        let Some(range) = options.range.clone().filter(|_| is_plain) else {
            return self.inner.get_opts(path, options).await;
        };
        if let Some((meta, bytes)) = self.kept(path)
            && let Ok(range) = range.as_range(meta.size)
        {
            return Ok(part(meta, bytes, range));
        }
        let found = self.inner.get_opts(path, options).await?;
        if found.meta.size > SMALL || found.range != (0..found.meta.size) {
            return Ok(found);
        }
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let bytes = found.bytes().await?;
        self.keep(path, &meta, &bytes);
        Ok(part(meta, bytes, range))
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_small_file_is_asked_for_once_and_a_large_one_each_time() {
        let inner = Arc::new(InMemory::new());
        let store = SmallFiles::over(inner.clone());
        let (small, large) = (Path::from("small"), Path::from("large"));
        let bytes: Vec<u8> = (0..100).collect();
        inner.put(&small, bytes.clone().into()).await.unwrap();
        inner.put(&large, vec![7; SMALL as usize + 1].into()).await.unwrap();
        // A part brings nothing but itself; the whole stays.
        assert_eq!(store.get_range(&small, 90..100).await.unwrap(), bytes[90..]);
        assert!(store.kept(&small).is_none());
        assert_eq!(store.get_range(&small, 0..100).await.unwrap(), bytes);
        store.get_range(&large, 0..SMALL + 1).await.unwrap();
        inner.delete(&small).await.unwrap();
        inner.delete(&large).await.unwrap();
        assert_eq!(store.get_range(&small, 3..5).await.unwrap(), bytes[3..5]);
        let parts = store.get_ranges(&small, &[0..1, 98..100]).await.unwrap();
        assert_eq!(parts, [bytes[..1].to_vec(), bytes[98..].to_vec()]);
        assert!(store.get_range(&large, 0..1).await.is_err());
        // Without a range, or with a condition, the store itself is asked.
        assert!(store.get(&small).await.is_err());
    }
}
