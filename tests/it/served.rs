//! The service as a process of its own, and a client that speaks to it over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::sample::Sample;

/// A service that has not said where it listens by then has failed, also on a busy machine.
const START: Duration = Duration::from_secs(120);

/// A running service; it is killed when this goes.
pub struct Served {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:8473`.
    pub address: String,
    agent: Agent,
    said: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

/// An answer with its body.
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
    }
}

impl Served {
    /// Starts the program on a project, on a port that is free.
    pub fn start(project: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command.current_dir(project).args(arguments).env("NO_COLOR", "1");
        Self::of(command)
    }

    /// The same with a command that `serve` is still missing from.
    pub fn of(mut command: Command) -> Self {
        command.args(["serve", "--bind", "127.0.0.1:0"]);
        Self::with(command)
    }

    /// The same with a whole command.
    pub fn with(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let (heard, hears) = (said.clone(), std::sync::mpsc::channel());
        let reading = std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                // In a line for people, or as the message in one of JSON.
                if let Some((_, address)) = line.split_once("listening on ") {
                    let address = address.split('"').next().unwrap();
                    let _ = hears.0.send(address.to_string());
                }
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        let address = hears.1.recv_timeout(START).unwrap_or_else(|_| panic!("{}", said.lock().unwrap()));
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { child, address, agent, said, reading: Some(reading) }
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Sends a body of this content type.
    pub fn post(&self, path: &str, kind: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[("content-type", kind)], body)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// The same where the service may be gone.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.as_ref();
        if body.is_empty() && method != "POST" {
            return answer(self.agent.run(request.body(()).unwrap())?);
        }
        answer(self.agent.run(request.body(body.to_vec()).unwrap())?)
    }

    /// Tells it to stop, waits until it has, and returns its exit status and what it said.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < START, "it does not stop: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        };
        self.reading.take().unwrap().join().unwrap();
        (status.code(), self.said())
    }

    /// Sends it a signal, such as `KILL`, which is what a power cut is, as far as the process goes.
    pub fn signal(&self, name: &str) {
        Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(mut response: Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers: Vec<(String, String)> = response.headers().iter().map(header).collect();
    let kind = headers.iter().find(|(name, _)| name == "content-type").map(|(_, kind)| kind.clone());
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec()?;
    Ok(Answer {
        status,
        kind: kind.unwrap_or_default(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// How long a client waits for an answer, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon a service knows of a key that was made or revoked.
const SOON: Duration = Duration::from_secs(5);

/// Makes a key; its text.
pub fn key(sample: &Sample, arguments: &[&str]) -> String {
    sample.ok(&[&["key", "add"], arguments].concat()).trim().to_string()
}

pub fn id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

/// The time until what is asked for comes, which has to be soon.
pub fn soon(what: &str, mut comes: impl FnMut() -> bool) {
    let began = Instant::now();
    while !comes() {
        assert!(began.elapsed() < SOON, "{what}: not after {:?}", began.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The host and port of an address.
fn authority(address: &str) -> &str {
    address.split_once("://").unwrap().1
}

/// A connection that is not used yet.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(authority(address).replace("0.0.0.0", "127.0.0.1")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes back to bytes, until the connection ends.
pub fn answered(mut stream: impl Read + Write, bytes: &[u8]) -> std::io::Result<String> {
    // A service that has refused them does not take the rest.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
