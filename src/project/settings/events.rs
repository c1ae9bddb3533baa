//! What the settings say of events: whether there are any, and where they are sent to.

use serde::Deserialize;

use super::definition::default;

/// Who is told what has happened.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventSettings {
    /// How other systems get to know.
    pub hand_over: HandOver,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { hand_over: default("events.hand_over") }
    }
}

/// How other systems get to know what is to be billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandOver {
    /// By events; nothing is exported by schedule.
    Events,
    /// By schedule; there are no events.
    Schedule,
    /// By both.
    #[default]
    Both,
}

/// Somebody whom events are sent to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where they are posted to.
    pub url: String,
    /// The names of the environment variables with the keys that they are signed by.
    pub keys: Vec<String>,
    /// The kinds that are sent; none: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Whether the receiver may be on this machine or in a private network.
    #[serde(default)]
    pub private: bool,
}
