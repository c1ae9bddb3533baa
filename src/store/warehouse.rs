//! The object store that holds the tables, the ledger and the registers.
//!
//! Owns how an object is made once, whoever else tries. A path in here is relative to the warehouse's own root. What
//! the objects say is left to the rooms that write them.

use std::collections::BTreeSet;
use std::fs::File;
use std::iter;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use url::Url;

use super::location::Location;
use super::overlay::Scratch;
use crate::error::{Error, Result, While};
use crate::project::settings::{self, Settings};

/// What to wait before each try of a create or a commit, half a minute in all. A store also refuses a create because of
/// another that is under way: somebody's, or one's own that was given up; and one that has just been started takes its
/// time for that one.
pub fn tries() -> impl Iterator<Item = Duration> {
    let again = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(14)
        .with_jitter();
    iter::once(Duration::ZERO).chain(again.build())
}

/// The object store that holds the tables, the ledger and the registers.
#[derive(Debug, Clone)]
pub struct Warehouse {
    /// The whole bucket or file system, in which Delta names tables by URL.
    root: Arc<dyn ObjectStore>,
    /// The warehouse's part of it.
    store: Arc<dyn ObjectStore>,
    url: Url,
}

impl Warehouse {
    /// Opens the warehouse that the settings name; a local directory is made, a store is asked whether it is there.
    pub async fn open(root: &FilePath, project: &Settings) -> Result<Self> {
        let setting = &project.warehouse.url;
        let text = settings::expand(setting)?;
        let location = Location::open(root, &text).map_err(|error| match settings::hide(setting, error) {
            Error::Usage { what, hint } => project.wrong("warehouse.url", what, &hint),
            other => other,
        })?;
        location.reach().await.map_err(|error| settings::hide(setting, error))?;
        Self::over(location.store.clone(), location.url()?)
    }

    /// The warehouse at a URL, in a store that holds the whole bucket or file system.
    pub fn over(root: Arc<dyn ObjectStore>, url: Url) -> Result<Self> {
        let path = Path::from_url_path(url.path()).during(|| format!("opening the warehouse {url}"))?;
        let store = Arc::new(PrefixStore::new(root.clone(), path));
        Ok(Self { root, store, url })
    }

    /// The same, to try something out: files whose name begins with `stem` are written to a folder of this machine, and
    /// read from there. It goes with the last who reads.
    pub fn with_scratch(&self, stem: &str) -> Result<Self> {
        let store = Scratch::over(self.store.clone(), stem);
        let store = Arc::new(store.during(|| "making a folder to try something out".into())?);
        Ok(Self { store, ..self.clone() })
    }

    /// Where it is; ends with a slash.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The whole bucket or file system that it is in.
    pub fn root(&self) -> &Arc<dyn ObjectStore> {
        &self.root
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Refuses a store that lets a second conditional create win: such a store loses acknowledged commits.
    pub async fn probe(&self) -> Result<()> {
        let path = Path::from("registry/probe");
        // A create that is refused says already that the store honours it.
        for _ in 0..2 {
            match self.create_object(&path, b"probe".to_vec()).await {
                Ok(()) => {}
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(()),
                Err(object_store::Error::NotImplemented { .. }) => break,
                Err(error) => return Err(error).during(|| format!("creating {path} in the warehouse")),
            }
        }
        Err(Error::usage(
            "the warehouse's object store does not honour conditional puts (If-None-Match)",
            "use a store that does: S3, GCS, Azure, SeaweedFS 4.48, or a local directory",
        ))
    }

    /// Creates an object unless it is there already; `false` where it was. An error leaves open whether it is there
    /// now, and `false` who made it: where that counts, [`Self::settle`].
    pub async fn create(&self, path: &Path, bytes: Vec<u8>) -> Result<bool> {
        match self.create_object(path, bytes).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error).during(|| format!("creating {path} in the warehouse")),
        }
    }

    /// Creates an object unless it is there already, and returns what is there then: `bytes`, or what somebody else
    /// was first with.
    ///
    /// A create that returned an error may have happened all the same, and one that was refused may have met its own
    /// first try; so whatever a store says but success, what it holds decides.
    pub async fn settle(&self, path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut outcome = Ok(false);
        for pause in tries() {
            tokio::time::sleep(pause).await;
            outcome = self.create(path, bytes.clone()).await;
            if let Ok(true) = outcome {
                return Ok(bytes);
            }
            if let Some(found) = self.read(path).await? {
                return Ok(found);
            }
            // Neither made nor there.
        }
        outcome?;
        Err(Error::Busy { what: format!("{path} in the warehouse could not be made") })
    }

    async fn create_object(&self, path: &Path, bytes: Vec<u8>) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(path, PutPayload::from(bytes), options).await.map(|_| ())
    }

    /// The bytes of an object, or `None` where there is none.
    pub async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.store.get(path).await {
            Ok(found) => {
                let bytes = found.bytes().await.during(|| format!("reading {path} in the warehouse"))?;
                Ok(Some(bytes.to_vec()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error).during(|| format!("reading {path} in the warehouse")),
        }
    }

    /// The names of the objects below a folder of the warehouse.
    pub async fn list(&self, folder: &str) -> Result<BTreeSet<String>> {
        Ok(self.list_with_size(folder).await?.into_iter().map(|(name, _)| name).collect())
    }

    /// The same, each with its bytes, in no order.
    pub async fn list_with_size(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let objects = self.store.list(Some(&Path::from(folder)));
        let names = objects
            .map_ok(|object| (object.location.filename().unwrap_or_default().to_string(), object.size));
        names.try_collect().await.during(|| format!("listing {folder} in the warehouse"))
    }

    /// Removes objects; one that is gone already is not a mistake.
    pub async fn delete(&self, paths: Vec<Path>) -> Result<()> {
        let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut deleted = self.store.delete_stream(paths);
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error).during(|| "deleting in the warehouse".into()),
            }
        }
        Ok(())
    }

    /// Creates an object unless it is there already, and when this returns it outlives a power cut: in a directory,
    /// the file and its folder are on the disk. A bucket gives its word by its answer. `false` where it was there.
    pub async fn create_durable(&self, path: &Path, bytes: Vec<u8>) -> Result<bool> {
        let is_made = self.create(path, bytes).await?;
        if let (true, Some(file)) = (is_made, self.on_disk(path)) {
            let synced = move || {
                File::open(&file)?.sync_all()?;
                file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
            };
            let synced = tokio::task::spawn_blocking(synced).await.during(|| "syncing".into())?;
            synced.during(|| format!("syncing {path} in the warehouse"))?;
        }
        Ok(is_made)
    }

    /// Brings all that was written to a directory so far to its disk. A bucket needs nothing.
    pub async fn sync(&self) -> Result<()> {
        let Some(folder) = self.on_disk(&Path::default()) else { return Ok(()) };
        let synced = tokio::task::spawn_blocking(move || all_on_disk(&folder)).await;
        synced.during(|| "syncing".into())?.during(|| "syncing the warehouse".into())
    }

    /// Where an object is on the disk of this machine; none in a bucket.
    fn on_disk(&self, path: &Path) -> Option<PathBuf> {
        let folder = self.url.to_file_path().ok().filter(|_| self.url.scheme() == "file")?;
        Some(path.parts().fold(folder, |file, part| file.join(part.as_ref())))
    }

    /// Whether an object is there.
    pub async fn has(&self, path: &Path) -> Result<bool> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error).during(|| format!("looking for {path} in the warehouse")),
        }
    }

    /// The newest number of a register; none before the first.
    pub async fn newest(&self, register: &str) -> Result<Option<u64>> {
        let listing = || format!("listing {register} in the warehouse");
        let folders = self.store.list_with_delimiter(Some(&Path::from(register))).await.during(listing)?;
        let mut folders = folders.common_prefixes;
        folders.sort();
        // A folder of a file system may stay empty where a number was being taken when the machine stopped.
        for folder in folders.iter().rev() {
            let names = self.list(folder.as_ref()).await?;
            if let Some(newest) = names.iter().filter_map(|name| name.split('.').next()?.parse().ok()).max() {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    /// The next free number of a register; nobody else is given it. Whom it was given to, `holder`, stands in it.
    pub async fn take_number(&self, register: &str, holder: &str) -> Result<i64> {
        loop {
            let number = self.append(register, "", holder.into()).await? as i64;
            if self.holds(register, number, holder).await? {
                return Ok(number);
            }
        }
    }

    /// Whether a number is that holder's own. A store can break its promise: a SeaweedFS that had just
    /// started was seen to let two creates of one object win. The last of them has the number then.
    pub async fn holds(&self, register: &str, number: i64, holder: &str) -> Result<bool> {
        let path = numbered(register, number.unsigned_abs(), "");
        Ok(self.read(&path).await?.is_some_and(|found| found == holder.as_bytes()))
    }

    /// Writes the next object of a register, create-only; its number.
    pub async fn append(&self, register: &str, extension: &str, bytes: Vec<u8>) -> Result<u64> {
        let mut number = self.newest(register).await?.unwrap_or(0) + 1;
        while !self.create(&numbered(register, number, extension), bytes.clone()).await? {
            number += 1;
        }
        Ok(number)
    }
}

/// Brings the whole file system of a folder to the disk.
#[cfg(target_os = "linux")]
fn all_on_disk(folder: &FilePath) -> std::io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?)?)
}

/// Brings all file systems to their disks.
#[cfg(all(unix, not(target_os = "linux")))]
fn all_on_disk(_: &FilePath) -> std::io::Result<()> {
    nix::unistd::sync();
    Ok(())
}

/// Files are on the disk when they are closed.
#[cfg(not(unix))]
fn all_on_disk(_: &FilePath) -> std::io::Result<()> {
    Ok(())
}

/// Numbers of a register that stand in one folder.
const PER_FOLDER: u64 = 1000;

/// Where a number of a register is: in the folder of its thousand, so that two short lists find the newest, however
/// many there are.
pub fn numbered(register: &str, number: u64, extension: &str) -> Path {
    Path::from(format!("{register}/{:07}/{number:010}{extension}", number / PER_FOLDER))
}

/// How the session names the warehouse's own store.
pub fn store_url() -> ObjectStoreUrl {
    #[allow(clippy::unwrap_used, reason = "the text is constant and parses")]
    ObjectStoreUrl::parse("meterhouse://warehouse").unwrap()
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn the_next_number_is_behind_the_newest_of_the_last_folder() {
        let url = Url::parse("memory:///").unwrap();
        let warehouse = Warehouse::over(Arc::new(InMemory::new()), url).unwrap();
        assert_eq!(warehouse.newest("registry/landing").await.unwrap(), None);
        assert_eq!(warehouse.take_number("registry/landing", "one").await.unwrap(), 1);
        for taken in [998, 999, 1000, 123_456] {
            let path = numbered("registry/landing", taken, ".json");
            assert!(warehouse.create(&path, Vec::new()).await.unwrap());
            assert_eq!(warehouse.newest("registry/landing").await.unwrap(), Some(taken));
        }
        assert_eq!(warehouse.take_number("registry/landing", "one").await.unwrap(), 123_457);
        assert_eq!(numbered("registry/landing", 123_457, "").as_ref(), "registry/landing/0000123/0000123457");
    }
}
