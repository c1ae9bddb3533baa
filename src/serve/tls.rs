//! TLS: the certificate and its key, read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

use crate::error::{Error, Result, While};
use crate::project::Project;
use crate::project::settings::path;
use crate::store::digest::sha256;

const CERTIFICATE: &str = "serve.tls_certificate";
const KEY: &str = "serve.tls_key";
/// How often the files are looked at.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a connection may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The certificate in force.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: Files,
    provider: Arc<CryptoProvider>,
    /// Of what the files held when they were read last.
    hash: String,
}

/// Where a certificate and its key are, as PEM.
#[derive(Debug, Clone)]
struct Files {
    /// The certificate, and behind it those that lead to one which clients trust.
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    /// As the settings of a project say; none: connections are in plain text.
    ///
    /// # Errors
    /// As [`Self::read`]; one file without the other.
    pub(super) fn of(project: &Project) -> Result<Option<Self>> {
        let settings = &project.settings;
        let half = |there: &str, missing: &str| {
            settings.wrong(there, format!("{there} is there without {missing}"), "TLS needs both")
        };
        let (certificate, key) = (CERTIFICATE, KEY);
        let path = |text: &str| path(&project.root, text);
        match (&settings.serve.tls_certificate, &settings.serve.tls_key) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(half(certificate, key)),
            (None, Some(_)) => Err(half(key, certificate)),
            (Some(certificate), Some(key)) => {
                Self::read(Files { certificate: path(certificate)?, key: path(key)? }).map(Some)
            }
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Files that are no PEM, a key that is not the certificate's.
    fn read(files: Files) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let held = files.held()?;
        let hash = held.hash();
        let current = Arc::new(Current(RwLock::new(Arc::new(certified(&held, &files, &provider)?))));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .during(|| "setting up TLS".into())?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, files, provider, hash })
    }

    /// Takes what the files hold now, where that is something else; whether it is.
    fn read_again(&mut self) -> Result<bool> {
        let held = self.files.held()?;
        let hash = held.hash();
        if hash == self.hash {
            return Ok(false);
        }
        // Told once, where it cannot be taken; what is written next is something else again.
        self.hash = hash;
        let certified = certified(&held, &self.files, &self.provider)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(true)
    }

    /// Looks at the files from time to time, until the service stops. Where they cannot be taken, the certificate
    /// before stays in force.
    pub(super) async fn follow(mut self, mut stopped: watch::Receiver<()>) {
        let mut told = String::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stopped.changed() => return,
            }
            let read = tokio::task::spawn_blocking(move || {
                let read = self.read_again();
                (self, read)
            });
            let Ok((tls, read)) = read.await else { return };
            self = tls;
            match read {
                Ok(true) => {
                    info!("the certificate was changed, and its new one is in force");
                    told.clear();
                }
                Ok(false) => {}
                Err(error) => {
                    let text = format!("the certificate before stays in force: {error}");
                    if text != told {
                        warn!("{text}");
                    }
                    told = text;
                }
            }
        }
    }

    /// Agrees on keys with who has connected; none where that fails, or takes too long.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await.ok()?.ok()
    }
}

/// What the two files hold.
struct Held {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Held {
    fn hash(&self) -> String {
        sha256([self.certificate.as_slice(), b"\0", self.key.as_slice()].concat())
    }
}

impl Files {
    fn held(&self) -> Result<Held> {
        let read = |path: &Path| std::fs::read(path).during(|| format!("reading {}", path.display()));
        Ok(Held { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }
}

fn certified(held: &Held, files: &Files, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let wrong = |path: &Path, what: String| {
        let hint = "serve.tls_certificate and serve.tls_key are PEM files: the certificates, the server's own first, and \
                    its private key";
        Error::usage(format!("{}: {what}", path.display()), hint)
    };
    let certificates = CertificateDer::pem_slice_iter(&held.certificate).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| wrong(&files.certificate, error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong(&files.certificate, "there is no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(&held.key);
    let key = key.map_err(|error| wrong(&files.key, format!("there is no private key in it: {error}")))?;
    CertifiedKey::from_der(certificates, key, provider).map_err(|error| {
        wrong(&files.key, format!("it does not fit {}: {error}", files.certificate.display()))
    })
}
