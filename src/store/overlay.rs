//! A store that is read and not written: what somebody tries out is written beside it, and read back from there.
//!
//! Files whose name begins with one stem are in a folder of this machine; all others are in the store, where nothing
//! is ever written or deleted through here.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tempfile::TempDir;

/// A store, and a folder for the files of one stem, which goes when nobody reads here any more.
#[derive(Debug)]
pub struct Scratch {
    inner: Arc<dyn ObjectStore>,
    folder: Arc<dyn ObjectStore>,
    stem: String,
    _folder: TempDir,
}

impl Scratch {
    /// Writes and reads files whose name begins with `stem` in a folder of its own, and reads all others in `inner`.
    pub fn over(inner: Arc<dyn ObjectStore>, stem: &str) -> std::io::Result<Self> {
        let scratch = tempfile::tempdir()?;
        let folder = Arc::new(LocalFileSystem::new_with_prefix(scratch.path())?);
        Ok(Self { inner, folder, stem: stem.into(), _folder: scratch })
    }

    fn is_ours(&self, path: &Path) -> bool {
        is_of(&self.stem, path)
    }

    fn reading(&self, path: &Path) -> &Arc<dyn ObjectStore> {
        if self.is_ours(path) { &self.folder } else { &self.inner }
    }

    fn writing(&self, path: &Path) -> Result<&Arc<dyn ObjectStore>> {
        if self.is_ours(path) { Ok(&self.folder) } else { Err(refused(path)) }
    }
}

fn is_of(stem: &str, path: &Path) -> bool {
    path.filename().is_some_and(|name| name.starts_with(stem))
}

fn refused(path: &Path) -> Error {
    Error::PermissionDenied { path: path.to_string(), source: "it is only read here".into() }
}

impl fmt::Display for Scratch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "scratch({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Scratch {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.writing(path)?.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.writing(path)?.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.reading(path).get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reading(path).get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (folder, stem) = (Arc::clone(&self.folder), self.stem.clone());
        let deleted = paths.then(move |path| {
            let (folder, stem) = (Arc::clone(&folder), stem.clone());
            async move {
                let path = path?;
                if !is_of(&stem, &path) {
                    return Err(refused(&path));
                }
                folder.delete(&path).await?;
                Ok(path)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _from: &Path, to: &Path, _options: CopyOptions) -> Result<()> {
        Err(refused(to))
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn only_files_of_the_stem_are_written_and_beside_the_store() {
        let inner = Arc::new(InMemory::new());
        inner.put(&Path::from("charge/run-1.parquet"), "old".into()).await.unwrap();
        let store = Scratch::over(inner.clone(), "replay-").unwrap();
        let new = Path::from("charge/billing_period=2026-10/replay-1.parquet");
        store.put(&new, "new".into()).await.unwrap();
        assert_eq!(store.get_range(&new, 0..3).await.unwrap(), "new");
        assert!(inner.get(&new).await.is_err());
        let old = Path::from("charge/run-1.parquet");
        assert_eq!(store.get(&old).await.unwrap().bytes().await.unwrap(), "old");
        assert!(store.put(&old, "other".into()).await.is_err());
        assert!(store.delete(&old).await.is_err());
        assert!(inner.get(&old).await.is_ok());
        store.delete(&new).await.unwrap();
        assert!(store.get(&new).await.is_err());
    }
}
