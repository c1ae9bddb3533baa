//! Where an export goes: a folder or a bucket, written in pieces, several files at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::error::{Result, While};
use crate::store::digest::Digest;
use crate::store::location::Location;

/// Files that are being completed at a time: an object store answers in tens of milliseconds.
const AT_ONCE: usize = 16;

/// The folder exported to.
pub struct Target {
    store: Arc<dyn ObjectStore>,
    completing: JoinSet<Result<()>>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Bytes.
    pub bytes: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Target {
    /// Opens a directory, which is made, or an `s3://`, `gs://` or `az://` URL.
    pub async fn open(to: &str) -> Result<Self> {
        let location = Location::open(std::path::Path::new(""), to)?;
        location.reach().await?;
        let store = Arc::new(PrefixStore::new(location.store, location.path));
        Ok(Self { store, completing: JoinSet::new() })
    }

    /// A file to write.
    pub fn file(&self, path: &str) -> Result<FileWriter> {
        let location = Path::parse(path).during(|| format!("naming {path}"))?;
        let object = BufWriter::new(self.store.clone(), location);
        Ok(FileWriter { path: path.into(), object, hash: Digest::default(), bytes: 0 })
    }

    /// Waits for all files that are being completed.
    pub async fn settle(&mut self) -> Result<()> {
        while let Some(completed) = self.completing.join_next().await {
            completed.during(|| "writing files".into())??;
        }
        Ok(())
    }

    /// Removes what an earlier export of the period wrote in this form, whether it came to its end or not: no file of
    /// a customer who is left out now may stay behind.
    ///
    /// That is what its manifest lists, and whatever bears the name of one of these contents.
    pub async fn clear(
        &self,
        period: &str,
        manifest: &str,
        extension: &str,
        contents: &BTreeSet<&str>,
    ) -> Result<()> {
        self.remove_listed(manifest).await?;
        let names: BTreeSet<String> = contents.iter().map(|name| format!("{name}.{extension}")).collect();
        let working = || format!("removing what was exported for {period}");
        let folder = Path::parse(period).during(working)?;
        let mut found = self.store.list(Some(&folder));
        let mut removing = FuturesUnordered::new();
        while let Some(object) = found.next().await {
            let path = object.during(working)?.location;
            let is_ours = path.filename().is_some_and(|name| names.contains(name))
                && path.parts().count() <= folder.parts().count() + 2;
            if is_ours {
                removing.push(async move { self.remove(path.as_ref()).await });
            }
            if removing.len() >= AT_ONCE
                && let Some(removed) = removing.next().await
            {
                removed?;
            }
        }
        while let Some(removed) = removing.next().await {
            removed?;
        }
        Ok(())
    }

    /// Removes the files that a manifest lists, then the manifest.
    async fn remove_listed(&self, manifest: &str) -> Result<()> {
        let working = || format!("removing what {manifest} lists");
        let location = Path::parse(manifest).during(working)?;
        let mut bytes = match self.store.get(&location).await {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error).during(working),
        };
        let mut rest: Vec<u8> = Vec::new();
        while let Some(piece) = bytes.next().await {
            rest.extend_from_slice(&piece.during(working)?);
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines: Vec<u8> = rest.drain(..whole).collect();
            let lines = String::from_utf8_lossy(&lines);
            let files: Vec<String> = lines.lines().filter_map(file_of_line).collect();
            let mut removing = futures::stream::iter(files)
                .map(|file| async move { self.remove(&file).await })
                .buffer_unordered(AT_ONCE);
            while let Some(removed) = removing.next().await {
                removed?;
            }
        }
        self.remove(manifest).await
    }

    async fn remove(&self, path: &str) -> Result<()> {
        let location = Path::parse(path).during(|| format!("removing {path}"))?;
        match self.store.delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error).during(|| format!("removing {path}")),
        }
    }
}

/// The file that a line of a manifest lists; none if it is another line.
fn file_of_line(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Listed {
        path: String,
    }
    let line = line.trim_end().trim_end_matches(',');
    line.starts_with("{\"path\"").then(|| serde_json::from_str::<Listed>(line).ok().map(|file| file.path))?
}

/// One file that is being written; it is there when it is finished.
pub struct FileWriter {
    path: String,
    object: BufWriter,
    hash: Digest,
    bytes: u64,
}

impl FileWriter {
    /// Its path below the target.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Writes the next bytes.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.object.put(bytes.into()).await.during(|| format!("writing {}", self.path))
    }

    /// Completes the file while others are written.
    pub async fn finish(self, target: &mut Target) -> Result<Written> {
        while target.completing.len() >= AT_ONCE {
            if let Some(completed) = target.completing.join_next().await {
                completed.during(|| "writing files".into())??;
            }
        }
        let sha256 = self.hash.finish();
        let (path, mut object) = (self.path, self.object);
        target.completing.spawn(async move { object.shutdown().await.during(|| format!("writing {path}")) });
        Ok(Written { bytes: self.bytes, sha256 })
    }
}
