//! Where files are: a directory, or a place in a bucket, and the object store behind it.
//!
//! The one door to every store. Anything without a scheme is a path; `s3://`, `gs://` and `az://` are opened with the
//! usual variables of their clouds (`AWS_*`, `GOOGLE_*`, `AZURE_*`). What a store refuses is told by what the reader
//! can do about it. What is kept there, and that nothing is overwritten, is left to the callers.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::directory::Directory;
use crate::error::{Error, Result, While};

/// How long a request is repeated that got no answer, or one of the kind 5xx: a server has the time to start again.
const PATIENT: Duration = Duration::from_secs(60);
/// The same for the first question to a store: a wrong address is noticed within seconds.
const IMPATIENT: Duration = Duration::from_secs(6);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(3);
/// No connection after this long is no answer.
const CONNECT: &str = "3 s";
/// The longest that one request may take: a part of ten megabytes on a slow line.
const REQUEST: &str = "120 s";

/// The clouds that are known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    Aws,
    Google,
    Azure,
}

impl Cloud {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::Aws),
            "gs" => Some(Self::Google),
            "az" => Some(Self::Azure),
            _ => None,
        }
    }

    /// The variables that hold the keys.
    fn keys(self) -> &'static str {
        match self {
            Self::Aws => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::Google => "GOOGLE_APPLICATION_CREDENTIALS",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        }
    }

    /// The variables that say which server is asked.
    fn address(self) -> &'static str {
        match self {
            Self::Aws => "AWS_ENDPOINT_URL and AWS_REGION",
            Self::Google => "the network",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_ENDPOINT",
        }
    }

    /// A store over a whole bucket, set up from the environment; requests are repeated for so long.
    fn store(self, bucket: &str, repeated: Duration) -> object_store::Result<Arc<dyn ObjectStore>> {
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: PAUSE, base: 2.0 };
        // The time is the bound: more tries than this do not fit into it.
        let retry = RetryConfig { backoff, max_retries: 100, retry_timeout: repeated };
        let (connect, request) = (ClientConfigKey::ConnectTimeout, ClientConfigKey::Timeout);
        Ok(match self {
            Self::Aws => Arc::new(
                AmazonS3Builder::from_env()
                    .with_config(AmazonS3ConfigKey::Client(connect), CONNECT)
                    .with_config(AmazonS3ConfigKey::Client(request), REQUEST)
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .build()?,
            ),
            Self::Google => Arc::new(
                GoogleCloudStorageBuilder::from_env()
                    .with_config(GoogleConfigKey::Client(connect), CONNECT)
                    .with_config(GoogleConfigKey::Client(request), REQUEST)
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .build()?,
            ),
            Self::Azure => Arc::new(
                MicrosoftAzureBuilder::from_env()
                    .with_config(AzureConfigKey::Client(connect), CONNECT)
                    .with_config(AzureConfigKey::Client(request), REQUEST)
                    .with_container_name(bucket)
                    .with_retry(retry)
                    .build()?,
            ),
        })
    }
}

/// A directory, or a place in a bucket.
#[derive(Debug, Clone)]
pub struct Location {
    /// The store of the whole bucket, or of the whole file system.
    pub store: Arc<dyn ObjectStore>,
    /// The place in it; the root of the bucket where it is empty.
    pub path: Path,
    /// The cloud and the bucket; none for the file system.
    bucket: Option<(Cloud, String)>,
    scheme: String,
}

impl std::fmt::Display for Location {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.bucket {
            Some((_, bucket)) if self.path.is_root() => write!(out, "{}://{bucket}", self.scheme),
            Some((_, bucket)) => write!(out, "{}://{bucket}/{}", self.scheme, self.path),
            None => write!(out, "/{}", self.path),
        }
    }
}

/// Lets what this process writes on this machine from now on be for its owner alone.
pub fn keep_private() {
    #[cfg(unix)]
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// Whether a text is a URL and not a path.
pub fn is_url(text: &str) -> bool {
    text.contains("://")
}

impl Location {
    /// Opens a directory, relative to `root` and made where it is not there, or a URL. No server is asked yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for a scheme that is not known or a URL without a bucket; a directory that cannot be made;
    /// variables of the cloud that cannot be read.
    pub fn open(root: &FilePath, text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else { return Self::directory(&root.join(text)) };
        if scheme == "file" {
            return Self::directory(FilePath::new(rest));
        }
        let cloud = Cloud::of(scheme).ok_or_else(|| {
            Error::usage(
                format!("`{scheme}://` is not a known kind of store"),
                "write a directory, or a URL that begins with s3://, gs:// or az://",
            )
        })?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(Error::usage(
                format!("{text} names no bucket"),
                format!("such as {scheme}://bucket/folder"),
            ));
        }
        let opening = || format!("opening {text}");
        // Keys are written as they are, not percent-encoded, as the clouds' own tools have it.
        let path = Path::parse(key).during(opening)?;
        let store = cloud.store(bucket, PATIENT).map_err(|error| {
            Error::usage(format!("{text} cannot be opened: {error}"), format!("set {}", cloud.keys()))
        })?;
        Ok(Self { store, path, bucket: Some((cloud, bucket.into())), scheme: scheme.into() })
    }

    fn directory(path: &FilePath) -> Result<Self> {
        let opening = || format!("opening {}", path.display());
        std::fs::create_dir_all(path).during(opening)?;
        let path = Path::from_filesystem_path(path).during(opening)?;
        Ok(Self { store: Arc::new(Directory::default()), path, bucket: None, scheme: "file".into() })
    }

    /// Another place in the same store.
    pub fn at(&self, path: Path) -> Self {
        Self { path, ..self.clone() }
    }

    /// The same as a URL that ends with a slash.
    pub fn url(&self) -> Result<Url> {
        let bucket = self.bucket.as_ref().map(|(_, bucket)| bucket.as_str());
        let base = format!("{}://{}/", self.scheme, bucket.unwrap_or_default());
        let mut url = Url::parse(&base).during(|| format!("naming {self}"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(self.path.parts().map(|part| part.as_ref().to_string())).push("");
        }
        Ok(url)
    }

    /// Asks the store whether it is there and may be read. A server that does not answer is noticed within seconds.
    ///
    /// # Errors
    /// [`Error::Usage`] with what to look at: the bucket, the keys, the address.
    pub async fn reach(&self) -> Result<()> {
        let Some((cloud, bucket)) = &self.bucket else { return Ok(()) };
        let store = cloud.store(bucket, IMPATIENT).during(|| format!("opening {self}"))?;
        let first = store.list(Some(&self.path)).next().await;
        first.transpose().map_err(|error| self.refused(error)).map(|_| ())
    }

    /// What the reader can do about a store that refused.
    pub fn refused(&self, error: object_store::Error) -> Error {
        let Some((cloud, bucket)) = &self.bucket else {
            return Error::Machine { what: format!("reading {self}"), source: error.into() };
        };
        let causes = causes(&error);
        let says = |texts: &[&str]| texts.iter().any(|text| causes.iter().any(|cause| cause.contains(text)));
        let last = causes.last().map(String::as_str).unwrap_or_default();
        let answer = answer(&causes).unwrap_or_else(|| last.to_string());
        if says(&["NoSuchBucket", "specified bucket does not exist", "ContainerNotFound"]) {
            let hint = "make it, or mend the URL; its address and region count too";
            return Error::usage(format!("{self}: there is no bucket `{bucket}`"), hint);
        }
        if says(&["169.254.169.254", "169.254.170.2", "metadata.google.internal"]) {
            let hint = format!("set {}", cloud.keys());
            return Error::usage(
                format!("{self}: no keys are set, and this machine has none of its own"),
                hint,
            );
        }
        if says(&["URL scheme is not allowed"]) {
            let hint =
                "write https, or allow it with AWS_ALLOW_HTTP=true (AZURE_ALLOW_HTTP, GOOGLE_ALLOW_HTTP)";
            return Error::usage(
                format!("{self}: its address is http, so everything could be read on its way"),
                hint,
            );
        }
        if says(&["incorrectly configured region", "301 Moved", "307 Temporary"]) {
            return Error::usage(format!("{self}: the bucket is in another region"), "set AWS_REGION");
        }
        let keys = matches!(
            error,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
        );
        if keys || says(&["403 Forbidden", "401 Unauthorized"]) {
            let hint = format!("look at {}, and at what they may do", cloud.keys());
            return Error::usage(format!("{self} refuses these keys: {answer}"), hint);
        }
        if says(&["error sending request", "HTTP error"]) {
            let hint = format!("look at {}; or the server is away, then try again", cloud.address());
            return Error::usage(format!("{self} cannot be reached: {last}"), hint);
        }
        Error::Machine { what: format!("reading {self}"), source: error.into() }
    }
}

/// The texts of an error and of what caused it, the first cause last.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts
}

/// `SignatureDoesNotMatch: The request signature ...` of the document that stores answer with.
fn answer(causes: &[String]) -> Option<String> {
    let text = causes.iter().find(|text| text.contains("<Code>"))?;
    let inside = |tag: &str| {
        let (_, behind) = text.split_once(&format!("<{tag}>"))?;
        behind.split_once(&format!("</{tag}>")).map(|(inside, _)| inside)
    };
    Some(format!("{}: {}", inside("Code")?, inside("Message")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Location> {
        Location::open(FilePath::new("."), text)
    }

    #[test]
    fn keys_are_written_as_they_are() {
        for (text, url) in [
            ("s3://bucket", "s3://bucket/"),
            ("s3://bucket/a/b c/", "s3://bucket/a/b%20c/"),
            ("s3://bucket/100%25?", "s3://bucket/100%2525%3F/"),
        ] {
            let location = open(text).unwrap();
            assert_eq!(location.url().unwrap().as_str(), url);
            assert_eq!(location.to_string(), text.trim_end_matches('/'));
            assert_eq!(Path::from_url_path(location.url().unwrap().path()).unwrap(), location.path);
        }
        assert!(open("s3://bucket/a//b").is_err());
    }

    #[test]
    fn a_directory_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::open(folder.path(), "a b/../a b/c").unwrap();
        assert!(folder.path().join("a b/c").is_dir());
        let expected = folder.path().canonicalize().unwrap().join("a b/c");
        assert_eq!(location.to_string(), expected.display().to_string());
        assert_eq!(location.url().unwrap(), Url::from_directory_path(expected).unwrap());
    }

    #[test]
    fn what_is_no_store_is_told() {
        for (text, what) in [
            ("ftp://x/y", "`ftp://` is not a known kind of store"),
            ("s3:///y", "s3:///y names no bucket"),
            ("gs://", "gs:// names no bucket"),
        ] {
            assert_eq!(open(text).unwrap_err().to_string(), what);
        }
    }
}
