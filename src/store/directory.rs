//! A directory as an object store, as the library has it, but that a list from a name on takes what it asks of a file
//! only where the name is behind that: a Delta log has a file for each commit, and only the last ones are asked for.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// Files that are asked for at a time.
const ASKED: usize = 8;

/// The file system of this machine.
#[derive(Debug, Default)]
pub struct Directory {
    inner: Arc<LocalFileSystem>,
}

impl Directory {
    /// The names of the files of a folder that are behind a name; none if another way must find them: there are
    /// folders among them, or names that a path would spell otherwise.
    fn names_behind(&self, folder: &Path, first: &str) -> Option<Vec<String>> {
        let plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.inner.path_to_filesystem(folder).ok()?).ok()? {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let name = name.to_str()?;
            if name <= first {
                continue;
            }
            // A file that is being written has this sign in its name, and is not an object yet.
            if name.contains('#') {
                continue;
            }
            if !plain(name) || !entry.file_type().ok()?.is_file() {
                return None;
            }
            names.push(name.to_string());
        }
        names.sort_unstable();
        Some(names)
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(text)
    }
}

#[async_trait]
impl ObjectStore for Directory {
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
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let is_in = |folder: &Path, name: &str| Path::clone(folder).join(name) == *offset;
        let from = prefix.cloned().zip(offset.filename()).filter(|(folder, name)| is_in(folder, name));
        let names =
            from.and_then(|(folder, name)| self.names_behind(&folder, name).map(|names| (folder, names)));
        let Some((folder, names)) = names else { return self.inner.list_with_offset(prefix, offset) };
        let inner = self.inner.clone();
        let asked = names.into_iter().map(move |name| {
            let (inner, path) = (inner.clone(), folder.clone().join(name));
            async move {
                match inner.head(&path).await {
                    Ok(found) => Ok(Some(found)),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        stream::iter(asked).buffered(ASKED).try_filter_map(|found| async { Ok(found) }).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_from_a_name_on_is_that_of_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let store = Directory::default();
        let log = Path::from_absolute_path(folder.path()).unwrap().join("_delta_log");
        let listed = async |store: &dyn ObjectStore, first: &str| {
            let found: Vec<ObjectMeta> =
                store.list_with_offset(Some(&log), &log.clone().join(first)).try_collect().await.unwrap();
            let mut found: Vec<(Path, u64)> = found.into_iter().map(|one| (one.location, one.size)).collect();
            found.sort();
            found
        };
        assert_eq!(listed(&store, "00").await, []);
        for (number, name) in ["00.json", "01.json", "01.checkpoint.parquet", "02.json"].iter().enumerate() {
            store.put(&log.clone().join(*name), vec![b'x'; number].into()).await.unwrap();
        }
        std::fs::write(folder.path().join("_delta_log/03.json#1"), "half of it").unwrap();
        for first in ["", "00", "01", "01.json", "02", "03"].iter().skip(1) {
            assert_eq!(listed(&store, first).await, listed(store.inner.as_ref(), first).await, "{first}");
        }
        assert_eq!(listed(&store, "01").await.len(), 3);
        // Folders are looked into, and other names are spelled, as the library does it.
        store.put(&log.clone().join("_more").join("04.json"), "y".into()).await.unwrap();
        store.put(&log.clone().join("05 ü.json"), "y".into()).await.unwrap();
        assert_eq!(listed(&store, "01").await.len(), 5);
        assert_eq!(listed(&store, "01").await, listed(store.inner.as_ref(), "01").await);
    }
}
