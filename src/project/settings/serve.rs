//! What the settings say of the service: how it is reached, what it takes, and what it does when it is due.

use serde::{Deserialize, Serialize};

use super::definition::default;
use crate::encode::Format;

/// How the service is reached, and what it takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeSettings {
    /// Address and port.
    pub bind: String,
    /// How long records are gathered before they are written together, in milliseconds.
    pub gather_ms: u64,
    /// How often what was gathered is landed, in seconds.
    pub land_seconds: u64,
    /// The most that one request may send, in MiB.
    pub body_mb: usize,
    /// The most that may wait to be written, in MiB.
    pub waiting_mb: usize,
    /// The longest that a request may take, and that a client may take nothing of its answer, in seconds.
    pub request_seconds: u64,
    /// Connections from one address at one time.
    pub address_connections: usize,
    /// How long requests may go on when the service stops, in seconds.
    pub stop_seconds: u64,
    /// The file with the certificate, as PEM; with it, TLS is spoken.
    pub tls_certificate: Option<String>,
    /// The file with its private key, as PEM.
    pub tls_key: Option<String>,
    /// The most rows that a query over HTTP may have.
    pub sql_rows: usize,
    /// Memory of one query over HTTP before it goes on in files, in MiB.
    pub sql_memory_mb: usize,
    /// Queries over HTTP at a time.
    pub sql_queries: usize,
    /// How the service says what it does.
    pub log: LogFormat,
    /// The collector that its spans are sent to.
    pub otlp: Option<String>,
}

/// How a service says what it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            bind: default("serve.bind"),
            gather_ms: default("serve.gather_ms"),
            land_seconds: default("serve.land_seconds"),
            body_mb: default("serve.body_mb"),
            waiting_mb: default("serve.waiting_mb"),
            request_seconds: default("serve.request_seconds"),
            address_connections: default("serve.address_connections"),
            stop_seconds: default("serve.stop_seconds"),
            tls_certificate: default("serve.tls_certificate"),
            tls_key: default("serve.tls_key"),
            sql_rows: default("serve.sql_rows"),
            sql_memory_mb: default("serve.sql_memory_mb"),
            sql_queries: default("serve.sql_queries"),
            log: default("serve.log"),
            otlp: default("serve.otlp"),
        }
    }
}

/// Something that is done when it is due.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSettings {
    /// When it is due: minute, hour, day, month, weekday.
    pub cron: String,
    /// What is done.
    pub does: Does,
    /// The zone of the cron expression; none: that of the project.
    pub time_zone: Option<String>,
    /// Where an export goes.
    pub to: Option<String>,
    /// How an export is written; none: CSV.
    pub format: Option<Format>,
    /// For how many days a vacuum keeps what runs made.
    #[serde(default = "a_week")]
    pub keep_days: u32,
}

fn a_week() -> u32 {
    7
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// Lands the inboxes, and what was sent.
    Land,
    /// Runs, and closes what is due where the settings say so.
    Run,
    /// Runs, and closes what is due.
    Close,
    /// Exports what has closed since.
    Export,
    /// Looks at what the clock alone brings about, and publishes the events of that.
    Events,
    /// Removes files that nobody needs.
    Vacuum,
}

impl std::fmt::Display for Does {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str(match self {
            Self::Land => "land",
            Self::Run => "run",
            Self::Close => "close",
            Self::Export => "export",
            Self::Events => "events",
            Self::Vacuum => "vacuum",
        })
    }
}
