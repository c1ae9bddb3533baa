//! From where the service can be reached, and what it needs for that: beyond this machine, keys and TLS.

use std::net::SocketAddr;

use crate::access::key::Keys;
use crate::error::Result;
use crate::project::settings::Settings;

/// How it can be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) address: SocketAddr,
    /// Somebody has said that other machines may reach it without a key, or in plain text.
    pub(super) is_insecure: bool,
    pub(super) has_tls: bool,
}

impl Reach {
    /// Refuses what is not safe; what has to be known of the rest.
    pub(super) fn check(self, settings: &Settings, keys: &Keys) -> Result<Vec<&'static str>> {
        let has_key = keys.in_force().next().is_some();
        if let Some(lacking) = self.lacking(has_key) {
            let what = format!("{} can be reached from other machines, and {lacking}", self.address);
            let hint = "`meterhouse key add` makes a key, serve.tls_certificate and serve.tls_key are for TLS; or bind \
                        127.0.0.1, and let a proxy stand before it";
            return Err(settings.wrong("serve.bind", what, hint));
        }
        Ok(self.told(keys.is_empty(), has_key))
    }

    /// Whether everybody may everything as long as there never was a key.
    pub(super) fn is_open(self) -> bool {
        self.is_local() || self.is_insecure
    }

    fn is_local(self) -> bool {
        self.address.ip().is_loopback()
    }

    fn lacking(self, has_key: bool) -> Option<&'static str> {
        match (self.is_open(), has_key, self.has_tls) {
            (true, ..) | (_, true, true) => None,
            (_, false, true) => Some("nobody has a key"),
            (_, true, false) => Some("keys and usage would go over the network in plain text"),
            (_, false, false) => Some("nobody would be asked who they are"),
        }
    }

    fn told(self, is_keyless: bool, has_key: bool) -> Vec<&'static str> {
        let first = match (self.is_local(), is_keyless) {
            (true, true) => Some(
                "there is no key, so that every program on this machine may do everything; \
                 `meterhouse key add` makes the first",
            ),
            (false, true) => {
                Some("warning: there is no key, so that everybody on the network may do everything")
            }
            (_, false) if !has_key => Some("warning: no key is in force, so that nobody may do anything"),
            _ => None,
        };
        let is_plain = !self.is_local() && !self.has_tls;
        let second = is_plain.then_some("warning: keys and usage go over the network in plain text");
        first.into_iter().chain(second).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_a_key_and_tls() {
        let reach = |address: &str, is_insecure, has_tls| Reach {
            address: address.parse().unwrap(),
            is_insecure,
            has_tls,
        };
        for local in ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1"] {
            assert_eq!(reach(local, false, false).lacking(false), None, "{local}");
            assert!(reach(local, false, false).is_open());
        }
        for other in ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "[::ffff:192.168.1.2]:1"] {
            for (has_key, has_tls) in [(false, false), (true, false), (false, true)] {
                assert!(reach(other, false, has_tls).lacking(has_key).is_some(), "{other}");
                assert_eq!(reach(other, true, has_tls).lacking(has_key), None, "{other}");
            }
            assert_eq!(reach(other, false, true).lacking(true), None);
            assert!(!reach(other, false, true).is_open());
            let told = reach(other, true, false).told(true, false);
            assert!(told.len() == 2 && told.iter().all(|text| text.starts_with("warning: ")));
        }
    }
}
