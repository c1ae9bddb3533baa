//! TLS, and from where a service can be reached without it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::sample::Sample;
use crate::served::{Served, answered, connect, id, key, soon};

/// A certificate for `localhost` that is signed by itself, with its key.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()
}

/// What comes back to bytes over TLS, by a client that trusts one certificate.
fn encrypted(address: &str, trusted: &CertificateDer<'static>, bytes: &[u8]) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    answered(StreamOwned::new(client, connect(address)), bytes)
}

fn get(path: &str, key: &str) -> Vec<u8> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n");
    format!("{head}connection: close\r\n\r\n").into_bytes()
}

#[test]
fn tls_follows_its_files() {
    let sample = Sample::empty();
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let set = |name: &str, file: &str| format!("serve.{name}={}", folder.path().join(file).display());
    let (certificate_at, key_at) = (set("tls_certificate", "certificate.pem"), set("tls_key", "key.pem"));
    let arguments = ["--set", certificate_at.as_str(), "--set", key_at.as_str()];
    let (status, said) = sample.fails(&[&arguments[..2], &["serve", "--bind", "127.0.0.1:0"]].concat());
    assert!(status == 2 && said.contains("serve.tls_certificate is there without serve.tls_key"), "{said}");
    let key = key(&sample, &["ops", "--scope", "operate"]);
    let served = Served::start(sample.path(), &arguments);
    assert!(served.address.starts_with("https://127.0.0.1:"), "{}", served.address);
    let counters = get("/metrics", &key);
    let asked = |trusted| encrypted(&served.address, trusted, &counters);
    let answer = asked(&first).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("# EOF\n"), "{answer}");
    // Plain text, and a client that says nothing.
    let plain = answered(connect(&served.address), &counters).unwrap_or_default();
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
    let silent = connect(&served.address);
    let began = Instant::now();
    let waiting = std::thread::spawn(move || answered(silent, b"").map(|answer| (answer, began.elapsed())));

    let second = certificate(folder.path());
    assert!(first != second && asked(&second).is_err());
    let began = Instant::now();
    while asked(&second).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", served.said());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(asked(&first).is_err());
    // A file that is no certificate changes nothing, and is told once.
    std::fs::write(folder.path().join("certificate.pem"), "nothing\n").unwrap();
    let began = Instant::now();
    while !served.said().contains("warning: the certificate before stays in force") {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", served.said());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(asked(&second).unwrap().starts_with("HTTP/1.1 200 OK"));
    let (answer, took) = waiting.join().unwrap().unwrap();
    assert!(answer.is_empty() && took < Duration::from_secs(20), "{took:?} {answer}");
    let (status, said) = served.stop();
    assert_eq!((status, said.matches("stays in force").count()), (Some(0), 1), "{said}");
    // A key of another certificate.
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    certificate(folder.path());
    let foreign = format!("serve.tls_key={}", other.path().join("key.pem").display());
    let (status, said) =
        sample.fails(&["--set", &certificate_at, "--set", &foreign, "serve", "--bind", "127.0.0.1:0"]);
    assert!(status == 2 && said.contains("it does not fit"), "{said}");
}

#[test]
fn other_machines_reach_it_with_keys_over_tls_only() {
    let sample = Sample::empty();
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let set = |name: &str, file: &str| format!("serve.{name}={}", folder.path().join(file).display());
    let (certificate_at, key_at) = (set("tls_certificate", "certificate.pem"), set("tls_key", "key.pem"));
    let tls = ["--set", certificate_at.as_str(), "--set", key_at.as_str()];
    let serve = ["serve", "--bind", "0.0.0.0:0"];
    let refused = |arguments: &[&str], why: &str| {
        let (status, said) = sample.fails(arguments);
        assert!(
            status == 2 && said.contains("can be reached from other machines") && said.contains(why),
            "{said}"
        );
    };
    refused(&serve, "nobody would be asked who they are");
    refused(&[&tls[..], &serve].concat(), "nobody has a key");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command.current_dir(sample.path()).args(arguments);
        Served::with(command)
    };
    let open = start(&[&serve[..], &["--insecure"]].concat());
    assert!(
        open.said().contains("warning: there is no key, so that everybody on the network"),
        "{}",
        open.said()
    );
    assert!(
        open.said().contains("warning: keys and usage go over the network in plain text"),
        "{}",
        open.said()
    );
    assert!(answered(connect(&open.address), &get("/metrics", "")).unwrap().starts_with("HTTP/1.1 200 OK"));
    let key = key(&sample, &["ops", "--scope", "operate"]);
    refused(&serve, "in plain text");
    soon("the first key", || {
        answered(connect(&open.address), &get("/metrics", "")).unwrap().contains(" 401 ")
    });
    drop(open);
    let safe = start(&[&tls[..], &serve].concat());
    assert!(!safe.said().contains("warning"), "{}", safe.said());
    let answer = encrypted(&safe.address, &trusted, &get("/metrics", &key)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(encrypted(&safe.address, &trusted, &get("/metrics", "")).unwrap().contains(" 401 "));
    drop(safe);
    sample.ok(&["key", "revoke", id(&key), "--reason", "x"]);
    refused(&[&tls[..], &serve].concat(), "nobody has a key");
}
