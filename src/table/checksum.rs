//! Whether what is read is what was written: the bytes of a data file are compared with what the ledger or the Delta
//! log knows of them, before the first row of it is used.
//!
//! A session that was told to [`demand`] this compares each file that it opens once. What it does not open is left to
//! `verify`.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio::sync::OnceCell;
use xxhash_rust::xxh3::Xxh3Default;

use super::file::DataFile;
use crate::error::Error;

/// What is read at once, in bytes.
const PIECE: u64 = 8 << 20;

/// A file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not what was written: {how}")]
pub struct Unlike {
    /// Its path in the warehouse.
    pub path: String,
    /// In what it differs.
    pub how: String,
}

/// What to do about files that are not what was written.
const HINT: &str = "restore it from a backup of the warehouse; `meterhouse verify` looks at every file";

impl Unlike {
    /// The one that caused an error, if one did.
    pub fn behind<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(unlike) = error.downcast_ref::<Self>() {
                return Some(unlike);
            }
            cause = error.source();
        }
        None
    }

    /// The error for the person who asked for its rows.
    pub fn told(&self) -> Error {
        Error::data(self.to_string(), HINT)
    }
}

/// XXH3 of 128 bits over the bytes of a file, in hexadecimal.
#[derive(Default)]
pub struct Checksum(Xxh3Default);

impl Checksum {
    /// Goes on with bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes.
    pub fn finish(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

/// Compares a file with what was written; where nothing is known of its bytes, only its size.
///
/// # Errors
/// The store fails in another way than by not having the file.
pub async fn compare(
    store: &dyn ObjectStore,
    path: &Path,
    file: &DataFile,
) -> object_store::Result<Result<(), Unlike>> {
    let unlike = |how: String| Ok(Err(Unlike { path: path.to_string(), how }));
    let mut checksum = Checksum::default();
    let mut from = 0;
    while from < file.size {
        let to = file.size.min(from + PIECE);
        let options = GetOptions { range: Some(GetRange::Bounded(from..to)), ..GetOptions::default() };
        let found = match store.get_opts(path, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return unlike("it is gone".into()),
            // A range behind the end is refused in the words of each store.
            Err(error) => {
                match store.get_opts(path, GetOptions { head: true, ..GetOptions::default() }).await {
                    Ok(found) if found.meta.size != file.size => {
                        return unlike(format!("it has {} bytes, not {}", found.meta.size, file.size));
                    }
                    _ => return Err(error),
                }
            }
        };
        if found.meta.size != file.size {
            return unlike(format!("it has {} bytes, not {}", found.meta.size, file.size));
        }
        checksum.update(&found.bytes().await?);
        from = to;
    }
    if file.checksum.is_empty() || file.checksum == checksum.finish() {
        return Ok(Ok(()));
    }
    unlike("some of its bytes are others".into())
}

/// The files that a session has compared, by path.
#[derive(Debug, Default)]
pub struct Proof(Mutex<HashMap<Path, Arc<OnceCell<()>>>>);

/// Lets a session compare each file that it opens from now on.
pub fn demand(context: &SessionContext) {
    let state = context.state_ref();
    let mut state = state.write();
    if state.config().get_extension::<Proof>().is_none() {
        state.config_mut().set_extension(Arc::new(Proof::default()));
    }
}

impl Proof {
    fn of(&self, path: &Path) -> Arc<OnceCell<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(path.clone()).or_default().clone()
    }
}

/// Opens files through another factory, each after it was compared.
#[derive(Debug)]
pub struct ProvenFiles {
    /// What the session has compared.
    pub proof: Arc<Proof>,
    /// The store that has the files.
    pub store: Arc<dyn ObjectStore>,
    /// The files by their path in the store.
    pub files: HashMap<Path, DataFile>,
    /// Opens them.
    pub inner: Arc<dyn ParquetFileReaderFactory>,
}

impl ParquetFileReaderFactory for ProvenFiles {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let path = partitioned_file.object_meta.location.clone();
        let inner =
            self.inner.create_reader(partition_index, partitioned_file, metadata_size_hint, metrics)?;
        let Some(file) = self.files.get(&path).cloned() else { return Ok(inner) };
        let known = Known { proven: self.proof.of(&path), store: self.store.clone(), path, file };
        Ok(Box::new(ProvenFile { inner, known }))
    }
}

/// One file, compared before its first bytes are given out.
struct ProvenFile {
    inner: Box<dyn AsyncFileReader + Send>,
    known: Known,
}

/// What is known of a file.
struct Known {
    proven: Arc<OnceCell<()>>,
    store: Arc<dyn ObjectStore>,
    path: Path,
    file: DataFile,
}

impl Known {
    async fn prove(&self) -> Result<(), ParquetError> {
        let compare = async {
            match compare(&self.store, &self.path, &self.file).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(unlike)) => Err(ParquetError::External(unlike.into())),
                Err(error) => Err(ParquetError::External(error.into())),
            }
        };
        self.proven.get_or_try_init(|| compare).await.map(|_| ())
    }
}

impl AsyncFileReader for ProvenFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            self.known.prove().await?;
            self.inner.get_bytes(range).await
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>>
    where
        Self: Send,
    {
        async move {
            self.known.prove().await?;
            self.inner.get_byte_ranges(ranges).await
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            self.known.prove().await?;
            self.inner.get_metadata(options).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn any_other_byte_is_told() {
        let store = InMemory::new();
        let path = Path::from("line/a.parquet");
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut checksum = Checksum::default();
        checksum.update(&bytes[..10]);
        checksum.update(&bytes[10..]);
        let file = DataFile { size: 1000, checksum: checksum.finish(), ..DataFile::default() };
        let how = async |bytes: Vec<u8>| {
            store.put(&path, bytes.into()).await.unwrap();
            compare(&store, &path, &file).await.unwrap().err().map(|unlike| unlike.how)
        };
        assert_eq!(how(bytes.clone()).await, None);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(how(other).await.as_deref(), Some("some of its bytes are others"), "{at}");
        }
        assert_eq!(how(bytes[..999].to_vec()).await.as_deref(), Some("it has 999 bytes, not 1000"));
        assert_eq!(how([bytes, vec![0]].concat()).await.as_deref(), Some("it has 1001 bytes, not 1000"));
        store.delete(&path).await.unwrap();
        let gone = compare(&store, &path, &file).await.unwrap().unwrap_err();
        assert_eq!(gone.to_string(), "line/a.parquet is not what was written: it is gone");
    }
}
