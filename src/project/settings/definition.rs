//! The settings there are, in one table: the program takes their defaults and their environment variables from it, and
//! `docs/settings.md` is made from it.

use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its dotted key. A part in capitals stands for a name that the project chooses.
    pub key: &'static str,
    /// What it holds, and in which unit.
    pub kind: &'static str,
    /// What holds where nothing is said, as TOML.
    pub default: Option<&'static str>,
    /// A value that it may have, as TOML.
    pub example: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Every setting, in the order in which they are explained.
pub const SETTINGS: [Definition; 41] = [
    Definition {
        key: "extends",
        kind: "folder",
        default: None,
        example: "\"../..\"",
        meaning: "Another project, whose schemas and queries are taken where this one has no file for the same table. \
                  Its data and its settings are not taken.",
    },
    Definition {
        key: "time_zone",
        kind: "IANA name",
        default: Some("\"UTC\""),
        example: "\"Europe/Berlin\"",
        meaning: "The zone of times without an offset, in usage and in reference data whose table has no column \
                  `time_zone`.",
    },
    Definition {
        key: "warehouse.url",
        kind: "folder or URL",
        default: Some("\"warehouse\""),
        example: "\"s3://bucket/billing\"",
        meaning: "Where the tables are: a directory, or an `s3://`, `gs://` or `az://` URL. The keys of a bucket come \
                  from the environment, never from here.",
    },
    Definition {
        key: "warehouse.private",
        kind: "true or false",
        default: Some("true"),
        example: "false",
        meaning: "Whether files on this machine, of the warehouse and of exports, are for their owner alone. With \
                  `false` the `umask` of the shell decides.",
    },
    Definition {
        key: "inbox.NAME.files",
        kind: "list of texts",
        default: None,
        example: "[\"inbox/shop\", \"s3://bucket/usage/*.ndjson\"]",
        meaning: "Files, folders, patterns or URLs, whose new files every run lands first. An inbox has to say them.",
    },
    Definition {
        key: "inbox.NAME.with",
        kind: "name",
        default: None,
        example: "\"shop\"",
        meaning: "The query `queries/landing/<name>.sql` that maps these files to usage records. Without it they have \
                  the columns of a usage record already.",
    },
    Definition {
        key: "source.NAME.epoch",
        kind: "`seconds`, `milliseconds`, `microseconds` or `nanoseconds`",
        default: None,
        example: "\"milliseconds\"",
        meaning: "What a time that is a number counts since 1970-01-01T00:00Z, in records with this `source`. Without \
                  it a record with such a time is rejected.",
    },
    Definition {
        key: "source.NAME.decimals",
        kind: "`floor`",
        default: None,
        example: "\"floor\"",
        meaning: "Decimals of a second beyond the sixth are cut off, in records with this `source`. Without it a \
                  record that has some is rejected.",
    },
    Definition {
        key: "reference.TABLE",
        kind: "path or pattern",
        default: None,
        example: "\"${DATA:-data}/prices/*.csv\"",
        meaning: "The CSV files of this reference table, where they are not `data/<table>.csv` and \
                  `data/*/<table>.csv`.",
    },
    Definition {
        key: "close.automatic",
        kind: "true or false",
        default: Some("false"),
        example: "true",
        meaning: "Whether a run closes the periods that are due, the oldest first.",
    },
    Definition {
        key: "close.after_days",
        kind: "days of 24 hours",
        default: Some("0"),
        example: "3",
        meaning: "How long after the end of its last cycle a period is due. Only automatic closing waits for it.",
    },
    Definition {
        key: "engine.memory_mb",
        kind: "MiB",
        default: Some("4096"),
        example: "8192",
        meaning: "The memory for sorts, joins and sums, before they go on in files. The whole program needs some more.",
    },
    Definition {
        key: "engine.threads",
        kind: "number",
        default: Some("0"),
        example: "2",
        meaning: "How many threads work on a query at one time; 0 takes one for each core.",
    },
    Definition {
        key: "engine.batch_rows",
        kind: "number",
        default: Some("32768"),
        example: "8192",
        meaning: "How many rows are worked on at one time.",
    },
    Definition {
        key: "engine.update_percent",
        kind: "percent",
        default: Some("25"),
        example: "10",
        meaning: "A table is made by what changed where that touches at most this share of its rows, else whole. The \
                  rows are the same.",
    },
    Definition {
        key: "serve.bind",
        kind: "address and port",
        default: Some("\"127.0.0.1:8473\""),
        example: "\"127.0.0.1:80\"",
        meaning: "Where `meterhouse serve` is reached. Port 0 takes any that is free.",
    },
    Definition {
        key: "serve.gather_ms",
        kind: "milliseconds",
        default: Some("20"),
        example: "100",
        meaning: "Usage that was sent is written at most once in this time, so that many requests are one file. The first \
                  after a pause does not wait.",
    },
    Definition {
        key: "serve.land_seconds",
        kind: "seconds",
        default: Some("60"),
        example: "10",
        meaning: "How often what was sent is landed in the table of usage. A run lands it in any case.",
    },
    Definition {
        key: "serve.body_mb",
        kind: "MiB",
        default: Some("16"),
        example: "64",
        meaning: "The most that one request may send, as it comes and unpacked; rows of CSV count as the JSON that they \
                  are kept as. At most 1024.",
    },
    Definition {
        key: "serve.waiting_mb",
        kind: "MiB",
        default: Some("256"),
        example: "1024",
        meaning: "The most that may wait to be written, over all requests; at least `serve.body_mb`. Beyond it a request is answered by 429, and \
                  nothing of it is taken.",
    },
    Definition {
        key: "serve.request_seconds",
        kind: "seconds",
        default: Some("30"),
        example: "120",
        meaning: "The longest that a request may take, and that a client may take nothing of its answer.",
    },
    Definition {
        key: "serve.address_connections",
        kind: "number",
        default: Some("512"),
        example: "1024",
        meaning: "Connections from one address at one time, of 1024 in all; further ones are closed at once. All clients \
                  of a proxy have its address.",
    },
    Definition {
        key: "serve.stop_seconds",
        kind: "seconds",
        default: Some("20"),
        example: "60",
        meaning: "How long requests that are on their way may go on when the service is told to stop.",
    },
    Definition {
        key: "serve.tls_certificate",
        kind: "path",
        default: None,
        example: "\"tls/certificate.pem\"",
        meaning: "The certificate of the service, as PEM, and behind it those that lead to one which clients trust. With \
                  it only TLS is spoken. What the file holds is looked at every 5 seconds.",
    },
    Definition {
        key: "serve.tls_key",
        kind: "path",
        default: None,
        example: "\"tls/key.pem\"",
        meaning: "The private key of the certificate, as PEM.",
    },
    Definition {
        key: "serve.sql_rows",
        kind: "number",
        default: Some("100000"),
        example: "1000000",
        meaning: "The most rows of a query that was sent to the service. One that has more is an error, never cut off.",
    },
    Definition {
        key: "serve.sql_memory_mb",
        kind: "MiB",
        default: Some("1024"),
        example: "256",
        meaning: "The memory of one such query for sorts, joins and sums, before it goes on in files.",
    },
    Definition {
        key: "serve.sql_queries",
        kind: "number",
        default: Some("4"),
        example: "2",
        meaning: "How many such queries may be answered at one time. One more waits for a second, and is then answered by 429.",
    },
    Definition {
        key: "serve.log",
        kind: "`text` or `json`",
        default: Some("\"text\""),
        example: "\"json\"",
        meaning: "How the service says what it does: a line for people, or a JSON object a line with every request, commit, \
                  landing and job.",
    },
    Definition {
        key: "serve.otlp",
        kind: "URL",
        default: None,
        example: "\"http://127.0.0.1:4318\"",
        meaning: "The OpenTelemetry collector that spans of requests, commits, landings and jobs are sent to, by OTLP over \
                  HTTP. Its headers come from the variable `OTEL_EXPORTER_OTLP_HEADERS`.",
    },
    Definition {
        key: "events.hand_over",
        kind: "`events`, `schedule` or `both`",
        default: Some("\"both\""),
        example: "\"events\"",
        meaning: "How other systems get to know what is to be billed: by events, so that no job exports anything, by \
                  schedule, so that there are no events, or by both.",
    },
    Definition {
        key: "webhooks.NAME.url",
        kind: "URL",
        default: None,
        example: "\"https://billing.example.com/hooks/usage\"",
        meaning: "Where `meterhouse serve` posts events to, each as a CloudEvent, those of a customer in their order.",
    },
    Definition {
        key: "webhooks.NAME.keys",
        kind: "list of names",
        default: None,
        example: "[\"BILLING_HOOK_KEY\"]",
        meaning: "The environment variables with the keys that posts are signed by, `whsec_` and base64, as Standard \
                  Webhooks has them. While one takes the place of another, both are named, and there are two signatures.",
    },
    Definition {
        key: "webhooks.NAME.kinds",
        kind: "list of names",
        default: None,
        example: "[\"quota_reached\", \"period_closed\"]",
        meaning: "The kinds of events that are posted there, by their queries in `queries/event/`. Without it all are.",
    },
    Definition {
        key: "webhooks.NAME.private",
        kind: "true or false",
        default: None,
        example: "true",
        meaning: "Whether the receiver may be on this machine or in a private network. Without it such an address is \
                  refused, whatever name it has.",
    },
    Definition {
        key: "jobs.NAME.cron",
        kind: "cron expression",
        default: None,
        example: "\"*/10 * * * *\"",
        meaning: "When `meterhouse serve` does a job: minute, hour, day, month, weekday. What was missed is done once.",
    },
    Definition {
        key: "jobs.NAME.does",
        kind: "`land`, `run`, `close`, `export`, `events` or `vacuum`",
        default: None,
        example: "\"run\"",
        meaning: "What the job does: land the inboxes and what was sent; run, as `meterhouse run`; run and close each \
                  period that is due; export each period that has closed since; look at what the clock alone brings about; vacuum.",
    },
    Definition {
        key: "jobs.NAME.time_zone",
        kind: "IANA name",
        default: None,
        example: "\"Europe/Berlin\"",
        meaning: "The zone of the cron expression; without it that of the project.",
    },
    Definition {
        key: "jobs.NAME.to",
        kind: "folder or URL",
        default: None,
        example: "\"s3://invoicing/meterhouse\"",
        meaning: "Where an export goes.",
    },
    Definition {
        key: "jobs.NAME.format",
        kind: "`csv`, `json`, `ndjson`, `parquet` or `html`",
        default: None,
        example: "\"parquet\"",
        meaning: "How an export is written; without it CSV.",
    },
    Definition {
        key: "jobs.NAME.keep_days",
        kind: "days",
        default: None,
        example: "30",
        meaning: "For how many days a vacuum keeps what runs made; without it 7.",
    },
];

impl Definition {
    /// The environment variable that stands for it; what has a name of the project's in its key has none.
    pub fn variable(&self) -> Option<String> {
        let is_fixed = !self.key.contains(|letter: char| letter.is_uppercase());
        is_fixed.then(|| format!("METERHOUSE_{}", self.key.replace('.', "_").to_uppercase()))
    }
}

/// The default of the setting with that key.
pub(super) fn default<T: Default + DeserializeOwned>(key: &str) -> T {
    let of_key = SETTINGS.iter().find(|definition| definition.key == key);
    let value = of_key.and_then(|definition| ValueDeserializer::parse(definition.default?).ok());
    value.and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
}
