//! Where usage comes from: files on the disk, standard input, objects in a bucket.
//!
//! What does not stand on the disk is copied there first, piece by piece, because its content has to be known before
//! it is landed and Parquet is read from its end. So memory does not depend on how large a file is; the room for a copy
//! is that of TMPDIR.

use std::io::{Read, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use meterhouse_sql::name::did_you_mean;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tempfile::NamedTempFile;

use super::format::Input;
use crate::error::{Error, Result, While};
use crate::project::settings;
use crate::store::digest::{Digest, sha256};
use crate::store::location::{Location, is_url};
use crate::store::warehouse::Warehouse;

/// What begins a part of a pattern that is not to be taken as written.
const WILD: [char; 3] = ['*', '?', '['];
/// How a pattern meets a key or a path: as a glob does.
const LIKE_PATHS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// One file of usage, wherever it is.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as messages name it.
    pub name: String,
    /// Another one where the content may have changed.
    pub(super) version: String,
    /// In bytes; 0 where nobody knows.
    pub(super) size: u64,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    StandardInput,
    Disk(PathBuf),
    Object(Arc<dyn ObjectStore>, Path),
    /// Objects of the warehouse, one behind another, each with the SHA-256 of its bytes; and what tells them all.
    Gathered {
        store: Arc<dyn ObjectStore>,
        batches: Vec<(Path, String)>,
        content: String,
    },
}

/// A file as it can be read: on the disk, its content known.
pub(super) struct Readable {
    pub(super) name: String,
    path: PathBuf,
    /// The SHA-256 of its bytes.
    pub(super) content: String,
    /// Goes when the last who reads it does.
    copy: Option<Arc<NamedTempFile>>,
}

impl Readable {
    /// The same, for who reads it elsewhere.
    pub(super) fn again(&self) -> Self {
        let (name, path) = (self.name.clone(), self.path.clone());
        Self { name, path, content: self.content.clone(), copy: self.copy.clone() }
    }

    pub(super) fn input(&self) -> Input {
        match self.copy {
            Some(_) => Input::Copy(self.path.clone(), self.name.clone()),
            None => Input::File(self.path.clone()),
        }
    }
}

impl Source {
    /// The files that one argument of a command names: a path, `-` for standard input, or a URL, also with `*`.
    ///
    /// # Errors
    /// A URL that names nothing, or whose store refuses. A path is only looked at when it lands.
    pub async fn named(text: &FilePath) -> Result<Vec<Self>> {
        let name = text.display().to_string();
        if is_url(&name) {
            let found = objects(&name).await?;
            if found.is_empty() {
                return Err(Error::usage(format!("{name}: there is no such object"), "a folder ends with /"));
            }
            return Ok(found);
        }
        let place = if name == "-" { Place::StandardInput } else { Place::Disk(text.to_path_buf()) };
        Ok(vec![Self { name, version: String::new(), size: 0, place }])
    }

    /// Batches of the warehouse that land as one file; `content` tells which they are.
    pub(super) fn gathered(
        name: String,
        content: String,
        warehouse: &Warehouse,
        batches: Vec<(Path, String)>,
    ) -> Self {
        let place = Place::Gathered { store: warehouse.store().clone(), batches, content };
        Self { name, version: String::new(), size: 0, place }
    }

    /// The files that the folders, globs and URLs of an inbox name, in order of path. No link to a folder is followed.
    pub(super) async fn of_inbox(root: &FilePath, patterns: &[String]) -> Result<Vec<Self>> {
        let mut files = Vec::new();
        for pattern in patterns {
            let found = Self::of_pattern(root, pattern).await;
            files.extend(found.map_err(|error| settings::hide(pattern, error))?);
        }
        files.sort_by(|one, other| FilePath::new(&one.name).cmp(FilePath::new(&other.name)));
        files.dedup_by(|one, other| one.name == other.name);
        Ok(files)
    }

    async fn of_pattern(root: &FilePath, pattern: &str) -> Result<Vec<Self>> {
        let text = settings::expand(pattern)?;
        if is_url(&text) { objects(&text).await } else { on_disk(root, &text) }
    }

    /// Where it is, if it is on the disk.
    pub(super) fn path(&self) -> Option<&FilePath> {
        match &self.place {
            Place::Disk(path) => Some(path),
            _ => None,
        }
    }

    fn on_disk(path: PathBuf) -> Result<Self> {
        let path = path.strip_prefix(".").map(FilePath::to_path_buf).unwrap_or(path);
        let name = path.display().to_string();
        let meta = std::fs::metadata(&path).during(|| format!("reading {name}"))?;
        let modified = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let (version, size) = (format!("{name}|{}|{modified:?}", meta.len()), meta.len());
        Ok(Self { name, version, size, place: Place::Disk(path) })
    }

    fn in_bucket(location: &Location, object: ObjectMeta) -> Self {
        let place = location.at(object.location);
        let name = place.to_string();
        let version = format!("{name}|{}|{:?}|{}", object.size, object.e_tag, object.last_modified);
        Self { name, version, size: object.size, place: Place::Object(place.store, place.path) }
    }

    /// Copies it to the disk where it is not there, and reads its content once.
    pub(super) async fn fetch(&self) -> Result<Readable> {
        let name = self.name.clone();
        match &self.place {
            Place::Disk(path) => {
                let mut file = std::fs::File::open(path).map_err(|error| {
                    let what = match error.kind() {
                        std::io::ErrorKind::NotFound => format!("there is no file {name}"),
                        _ => format!("{name}: {error}"),
                    };
                    Error::usage(what, "give a file, or - for standard input")
                })?;
                if path.is_dir() {
                    let hint = format!("give its files: {name}/*");
                    return Err(Error::usage(format!("{name} is a folder"), hint));
                }
                // What comes through a pipe can be read once.
                if !file.metadata().during(|| format!("reading {name}"))?.is_file() {
                    return keep(&mut file, &name, name.clone());
                }
                let content = pour(&mut file, &mut std::io::sink(), &name)?;
                Ok(Readable { name, path: path.clone(), content, copy: None })
            }
            Place::StandardInput => keep(&mut std::io::stdin().lock(), "standard input", name),
            Place::Object(store, path) => {
                let reading = || format!("reading {name}");
                let mut copy = NamedTempFile::new().during(|| format!("keeping {name}"))?;
                let mut hash = Digest::default();
                let object = store.get(path).await.during(reading)?;
                let (size, mut read) = (object.meta.size, 0_u64);
                let mut pieces = object.into_stream();
                while let Some(piece) = pieces.next().await {
                    let piece = piece.during(reading)?;
                    read += piece.len() as u64;
                    hash.update(&piece);
                    copy.write_all(&piece).during(|| format!("keeping {name}"))?;
                }
                if read != size {
                    let what = format!("{name} has {size} bytes, and {read} of them came");
                    return Err(Error::data(what, "nothing of it is acknowledged; land it again"));
                }
                copy.flush().during(|| format!("keeping {name}"))?;
                let content = hash.finish();
                Ok(Readable { name, path: copy.path().to_path_buf(), content, copy: Some(Arc::new(copy)) })
            }
            Place::Gathered { store, batches, content } => {
                let mut copy = NamedTempFile::new().during(|| format!("keeping {name}"))?;
                for (path, hash) in batches {
                    let reading = || format!("reading {path} in the warehouse");
                    let bytes = store.get(path).await.during(reading)?.bytes().await.during(reading)?;
                    if sha256(&bytes) != *hash {
                        let what = format!("{path} in the warehouse is not as it was written");
                        return Err(Error::data(what, "bring it back from a copy of the warehouse"));
                    }
                    copy.write_all(&bytes).during(|| format!("keeping {name}"))?;
                }
                copy.flush().during(|| format!("keeping {name}"))?;
                let (path, content) = (copy.path().to_path_buf(), content.clone());
                Ok(Readable { name, path, content, copy: Some(Arc::new(copy)) })
            }
        }
    }
}

/// The files that a path names: one, those below a folder, or those a pattern meets.
/// Where a pattern looks, and for what below it: what stands before its first wild part is the place.
fn place_of<'a>(root: &FilePath, text: &'a str) -> (PathBuf, &'a str) {
    let path = root.join(text);
    let wild = text.find(WILD).map(|at| text[..at].rfind('/').map_or(0, |slash| slash + 1));
    let wild = wild.filter(|_| !path.is_dir());
    let folder = wild.map_or(path, |wild| root.join(&text[..wild]));
    (folder, &text[wild.unwrap_or(text.len())..])
}

/// Of a pattern whose place is not there, what has nearly that name beside it.
pub(super) fn nowhere(root: &FilePath, pattern: &str) -> Option<String> {
    let text = settings::expand(pattern).ok().filter(|text| !is_url(text))?;
    let (place, _) = place_of(root, &text);
    if place.exists() {
        return None;
    }
    let named = |path: &FilePath| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let beside = place.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let beside: Vec<String> =
        beside.into_iter().flatten().flatten().filter_map(|entry| named(&entry.path())).collect();
    Some(did_you_mean(&named(&place).unwrap_or_default(), beside.iter().map(String::as_str)))
}

fn on_disk(root: &FilePath, text: &str) -> Result<Vec<Source>> {
    let reading = || format!("reading the inbox {text}");
    let path = root.join(text);
    if path.is_file() {
        return Ok(vec![Source::on_disk(path)?]);
    }
    let (folder, below) = place_of(root, text);
    let pattern = if below.is_empty() { "**/*" } else { below };
    let pattern = glob::Pattern::new(pattern).during(reading)?;
    let depth =
        if pattern.as_str().contains("**") { usize::MAX } else { pattern.as_str().matches('/').count() };
    let mut files = Vec::new();
    let mut folders = vec![(folder.clone(), 0)];
    while let Some((inside, level)) = folders.pop() {
        if !inside.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&inside).during(reading)? {
            let entry = entry.during(reading)?;
            let (path, kind) = (entry.path(), entry.file_type().during(reading)?);
            if kind.is_dir() && level < depth {
                folders.push((path, level + 1));
            } else if path.is_file()
                && path.strip_prefix(&folder).is_ok_and(|path| pattern.matches_path_with(path, LIKE_PATHS))
            {
                files.push(Source::on_disk(path)?);
            }
        }
    }
    Ok(files)
}

/// The objects that a URL names: one, those below a folder, or those a pattern meets.
async fn objects(text: &str) -> Result<Vec<Source>> {
    let scheme = text.find("://").map_or(0, |at| at + 3);
    let key = text[scheme..].find('/').map_or(text.len(), |at| scheme + at + 1);
    // What stands before the first wild part is where to look.
    let wild = text[key..].find(WILD).map(|at| text[..key + at].rfind('/').map_or(key, |slash| slash + 1));
    let folder = Location::open(FilePath::new(""), &text[..wild.unwrap_or(text.len())])?;
    let pattern = wild.map(|_| glob::Pattern::new(&text[key..])).transpose();
    let pattern = pattern.during(|| format!("reading the pattern {text}"))?;
    folder.reach().await?;
    let all: Vec<ObjectMeta> =
        folder.store.list(Some(&folder.path)).try_collect().await.map_err(|error| folder.refused(error))?;
    let is_meant = |object: &ObjectMeta| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches_with(object.location.as_ref(), LIKE_PATHS))
    };
    let mut found: Vec<Source> =
        all.into_iter().filter(is_meant).map(|object| Source::in_bucket(&folder, object)).collect();
    if found.is_empty() && wild.is_none() && !text.ends_with('/') && !folder.path.is_root() {
        match folder.store.head(&folder.path).await {
            Ok(object) => found.push(Source::in_bucket(&folder, object)),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(folder.refused(error)),
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Copies to the disk what can be read once; errors say `told`.
pub(super) fn keep(from: &mut impl Read, told: &str, name: String) -> Result<Readable> {
    let mut copy = NamedTempFile::new().during(|| format!("keeping {told}"))?;
    let content = pour(from, &mut copy, told)?;
    Ok(Readable { name, path: copy.path().to_path_buf(), content, copy: Some(Arc::new(copy)) })
}

/// Reads to the end, writes what is read, and returns its SHA-256.
fn pour(from: &mut impl Read, to: &mut impl Write, name: &str) -> Result<String> {
    let mut hash = Digest::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer).during(|| format!("reading {name}"))?;
        if read == 0 {
            to.flush().during(|| format!("keeping {name}"))?;
            return Ok(hash.finish());
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read]).during(|| format!("keeping {name}"))?;
    }
}
