//! A landing after many costs what it did after few: it asks for what it needs by name, and lists nothing that grows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::laws::run_on;
use crate::merging::{bare, come, runtime};
use crate::sample::project;

/// A store that counts what it lists of each folder.
#[derive(Debug)]
struct Listed {
    inner: Arc<dyn ObjectStore>,
    objects: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Listed {
    fn over(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, objects: Arc::default() }
    }

    /// How many objects were listed of the folders whose path has this in it, and whether any was.
    fn of(&self, part: &str) -> Option<usize> {
        let objects = self.objects.lock().unwrap();
        let found: Vec<usize> =
            objects.iter().filter(|(folder, _)| folder.contains(part)).map(|(_, objects)| *objects).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }

    fn count(&self, folder: Option<&Path>, objects: usize) {
        let folder = folder.map(ToString::to_string).unwrap_or_default();
        *self.objects.lock().unwrap().entry(folder).or_default() += objects;
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "listed({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Listed {
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

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(prefix, 0);
        let (folder, counted) = (prefix.map(ToString::to_string).unwrap_or_default(), self.objects.clone());
        let count = move |_: &ObjectMeta| *counted.lock().unwrap().entry(folder.clone()).or_default() += 1;
        self.inner.list(prefix).inspect_ok(count).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.inner.list_with_delimiter(prefix).await?;
        self.count(prefix, found.objects.len() + found.common_prefixes.len());
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[test]
fn a_landing_lists_no_registry_whole() {
    const MANY: usize = 5000;
    let sample = bare();
    come(&sample, 0..1);
    sample.ok(&["run"]);
    for number in 100..MANY {
        sample.write(&format!("warehouse/registry/landing/{:07}/{number:010}", number / 1000), "");
        sample.write(&format!("warehouse/registry/content/{number:064}.json"), "{}");
        sample.write(&format!("warehouse/registry/seen/{number:064}"), "");
    }
    come(&sample, 1..3);
    let store = Arc::new(Listed::over(Arc::new(LocalFileSystem::new())));
    let (project, folder) = (project(sample.path()), sample.path().canonicalize().unwrap());
    runtime().block_on(run_on(&project, store.clone(), &folder)).unwrap();
    assert_eq!(sample.rows("select max(landing_id) from landing"), [(MANY + 1).to_string()]);
    assert_eq!(store.of("registry/seen"), None);
    assert_eq!(store.of("registry/content"), None);
    // For each of two landings the folders, and the last one: all others hold a thousand numbers.
    let listed = store.of("registry/landing").unwrap();
    assert!(listed <= 2 * (6 + 1000), "{listed}");
}
