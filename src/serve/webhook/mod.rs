//! Webhooks: events are posted to those who want to be told, signed as Standard Webhooks has it.
//!
//! What always holds: the events of a customer, and those of nobody alone, are posted in their order, the next one
//! when the one before was taken; each is posted until it was taken, however long the receiver is down and whoever is
//! killed meanwhile (`progress`), so that one may come twice, with one id; where one customer's event is not taken,
//! those of others go on.

mod address;
mod delivery;
mod progress;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, redirect};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer,
};
use url::{Host, Url};

pub(super) use self::delivery::deliver;

use crate::error::{Error, Result, While};
use crate::events::message::Message;
use crate::project::Project;
use crate::project::settings::{HandOver, Settings, WebhookSettings};
use crate::store::warehouse::Warehouse;

/// How long a receiver may take for its answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it may take to be reached.
const REACH: Duration = Duration::from_secs(5);
/// A key has 24 bytes at least, as Standard Webhooks asks for: so many letters of base64.
const KEY_LETTERS: usize = 32;

/// Somebody whom events are posted to.
pub(super) struct Webhook {
    name: String,
    url: Url,
    signers: Vec<Signer>,
    kinds: Vec<String>,
    client: Client,
}

/// Why an event was not taken.
#[derive(Debug)]
struct NotTaken {
    why: String,
    /// How long the receiver wants to be left alone.
    pause: Option<Duration>,
}

impl Webhook {
    /// The webhooks of a project.
    ///
    /// # Errors
    /// A URL that is none or leads where it may not, a key that is not there or too short, a kind that is none.
    pub(super) fn all(project: &Project) -> Result<Vec<Self>> {
        let settings = &project.settings;
        if let Some(name) =
            settings.webhooks.keys().next().filter(|_| settings.events.hand_over == HandOver::Schedule)
        {
            let what = "webhooks have nothing to post: events.hand_over is `schedule`".to_string();
            return Err(settings.wrong(&format!("webhooks.{name}.url"), what, "events.hand_over = \"both\""));
        }
        settings.webhooks.iter().map(|(name, webhook)| Self::new(name, webhook, project)).collect()
    }

    fn new(name: &str, webhook: &WebhookSettings, project: &Project) -> Result<Self> {
        let settings = &project.settings;
        let wrong = |key: &str, what: String, hint: &str| {
            settings.wrong(&format!("webhooks.{name}.{key}"), what, hint)
        };
        let url = target(webhook).map_err(|(what, hint)| wrong("url", what, hint))?;
        if let Some(kind) = webhook.kinds.iter().find(|kind| !is_kind(project, kind)) {
            let known = project.events.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(wrong(
                "kinds",
                format!("there is no kind of events `{kind}`"),
                &format!("there are {known}"),
            ));
        }
        let signers = webhook.keys.iter().map(|variable| {
            let hint = format!("{variable}=whsec_$(openssl rand -base64 32)");
            let missing = |_| wrong("keys", format!("{variable} is not in the environment"), &hint);
            let key = std::env::var(variable).map_err(missing)?;
            let is_long = key.trim_start_matches("whsec_").len() >= KEY_LETTERS;
            Signer::new(&key).ok().filter(|_| is_long).ok_or_else(|| {
                wrong("keys", format!("{variable} is no key of 24 bytes or more, in base64"), &hint)
            })
        });
        let signers: Vec<Signer> = signers.collect::<Result<_>>()?;
        if signers.is_empty() {
            return Err(wrong("keys", "posts have to be signed".into(), "keys = [\"BILLING_HOOK_KEY\"]"));
        }
        let client = Client::builder()
            .user_agent("meterhouse")
            // Where it leads is what was looked at, and nowhere else.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .connect_timeout(REACH);
        let client = if webhook.private { client } else { client.dns_resolver(address::public_only()) };
        let client = client.build().during(|| format!("getting ready to post to webhook {name}"))?;
        Ok(Self { name: name.into(), url, signers, kinds: webhook.kinds.clone(), client })
    }

    fn wants(&self, message: &Message) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&message.kind)
    }

    /// Posts an event at an instant, in microseconds since the epoch; an error where it was not taken.
    async fn post(&self, message: &Message, now: i64) -> std::result::Result<(), NotTaken> {
        let not_taken = |why: String| NotTaken { why, pause: None };
        let body = serde_json::to_string(message).map_err(|error| not_taken(error.to_string()))?;
        let seconds = now / 1_000_000;
        let signatures = self.signers.iter().map(|signer| signer.sign(&message.id, seconds, body.as_bytes()));
        let signatures = signatures.collect::<std::result::Result<Vec<_>, _>>();
        let signatures = signatures.map_err(|error| not_taken(error.to_string()))?;
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header(HEADER_WEBHOOK_ID, &message.id)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
            .body(body);
        // The URL may have a secret in it.
        let answer = request.send().await.map_err(|error| not_taken(in_full(&error.without_url())))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let pause = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        Err(NotTaken { why: format!("answered {}", answer.status()), pause: pause.map(Duration::from_secs) })
    }
}

/// Lets a webhook post again what comes behind an event.
///
/// # Errors
/// There is no such webhook.
pub async fn redeliver(settings: &Settings, warehouse: &Warehouse, webhook: &str, after: i64) -> Result<()> {
    if !settings.webhooks.contains_key(webhook) {
        let known = settings.webhooks.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let hint = if known.is_empty() { "[webhooks.NAME] in meterhouse.toml".into() } else { known };
        return Err(Error::usage(format!("there is no webhook `{webhook}`"), hint));
    }
    progress::rewind(warehouse, webhook, after).await
}

/// Where a webhook posts to, or what is wrong with that and how it is mended.
fn target(webhook: &WebhookSettings) -> std::result::Result<Url, (String, &'static str)> {
    let url: Url = webhook.url.parse().map_err(|error| {
        (format!("`{}` is no URL: {error}", webhook.url), "https://billing.example.com/hook")
    })?;
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(("it has no host".into(), "https://billing.example.com/hook")),
    };
    let is_refused = |what: String| Err((what, "private = true, where that is meant"));
    match (url.scheme(), address) {
        ("https" | "http", _) if webhook.private => Ok(url),
        ("https", Some(address)) if !address::is_public(address) => {
            is_refused(format!("{address} is of this machine or of a private network"))
        }
        ("https", _) => Ok(url),
        ("http", _) => is_refused("events go over TLS, unless the receiver is in a private network".into()),
        (other, _) => Err((format!("nothing is posted to `{other}:`"), "https://billing.example.com/hook")),
    }
}

fn is_kind(project: &Project, kind: &str) -> bool {
    project.events.contains_key(kind) || kind == super::jobs::FAILED
}

/// An error with what caused it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
