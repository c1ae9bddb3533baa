//! Keys for a service, and what was changed by them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use meterhouse_sql::cycle::parse_instant;

use super::arguments::KeyCommand;
use super::{Opened, Out};
use crate::access::audit;
use crate::access::key::{self, Key, Keys, Revocation, Scope, Wanted};
use crate::encode::answer;
use crate::error::{Error, Result, While};
use crate::land::project_zone;

impl Opened {
    pub(super) async fn key(&self, what: KeyCommand, out: Out<'_>) -> Result<()> {
        match what {
            KeyCommand::Add { name, scope, source, customer, by } => {
                let some = |names: Vec<String>| {
                    let names: BTreeSet<String> = names.into_iter().collect();
                    Some(names).filter(|names| !names.is_empty())
                };
                let scopes = scope.into_iter().collect();
                let wanted = Wanted { name, scopes, sources: some(source), customers: some(customer) };
                self.add_key(wanted, &by, out).await
            }
            KeyCommand::List => self.list_keys(out).await,
            KeyCommand::Revoke { id, why } => {
                let author = why.author(self.now)?;
                let revocation = Revocation { by: author.by, at: author.at, reason: author.reason };
                self.revoke_key(&id, &revocation).await
            }
        }
    }

    async fn add_key(&self, wanted: Wanted, by: &str, out: Out<'_>) -> Result<()> {
        // What is written has to be what is there, or a revocation might be lost.
        self.warehouse.probe().await?;
        let (key, text) = key::make(&self.warehouse, wanted, by, self.now).await?;
        writeln!(out, "{text}").during(|| "writing the key".into())?;
        self.say(&format!("key {} of {} may {}", key.id, key.name, allowed(&key)));
        self.say("it is shown this once: the warehouse keeps only its hash");
        self.say(&format!("next: send it as `Authorization: Bearer mh_{}_...`", key.id));
        Ok(())
    }

    async fn revoke_key(&self, text: &str, revocation: &Revocation) -> Result<()> {
        let id = key::id_of(text.trim()).unwrap_or(text);
        match key::revoke(&self.warehouse, id, revocation).await? {
            None => self.say(&format!("key {id} is revoked; a service refuses it within 5 seconds")),
            Some(before) => {
                self.say(&format!("key {id} is revoked already, by {}: {}", before.by, before.reason))
            }
        }
        self.say("next: meterhouse key list");
        Ok(())
    }

    async fn list_keys(&self, out: Out<'_>) -> Result<()> {
        let keys = Keys::default().read_again(&self.warehouse).await?;
        let used = key::last_uses(&self.warehouse).await?;
        let mut rows = Vec::new();
        for key in keys.all() {
            rows.push((key, key::revocation(&self.warehouse, &key.id).await?));
        }
        rows.sort_by_key(|(key, _)| key.at);
        let text = |of: &dyn Fn(&Key, Option<&Revocation>) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(|(key, revoked)| of(key, revoked.as_ref())).collect::<StringArray>())
        };
        let time = |of: &dyn Fn(&Key, Option<&Revocation>) -> Option<i64>| -> ArrayRef {
            let times = rows.iter().map(|(key, revoked)| of(key, revoked.as_ref()));
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
        };
        let names = |names: &Option<BTreeSet<String>>| names.as_ref().map(joined);
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("key_id", text(&|key, _| Some(key.id.clone())), false),
            ("name", text(&|key, _| Some(key.name.clone())), false),
            ("scopes", text(&|key, _| Some(words(&key.scopes))), false),
            ("sources", text(&|key, _| names(&key.sources)), true),
            ("customers", text(&|key, _| names(&key.customers)), true),
            ("made_by", text(&|key, _| Some(key.by.clone())), false),
            ("made_at", time(&|key, _| Some(key.at)), false),
            ("revoked_by", text(&|_, revoked| Some(revoked?.by.clone())), true),
            ("revoked_at", time(&|_, revoked| Some(revoked?.at)), true),
            ("revoked_because", text(&|_, revoked| Some(revoked?.reason.clone())), true),
            ("last_used_on", text(&|key, _| used.get(&key.id).cloned()), true),
        ]);
        answer::write(out, &batch.during(|| "writing keys".into())?, self.format())?;
        self.say(match keys.is_empty() {
            true => "there is no key: a service of this warehouse answers everybody on its machine",
            false => "sources and customers: none stands for all; the day of the last use is one of UTC",
        });
        self.say("next: meterhouse key add NAME --scope land");
        Ok(())
    }

    /// Shows what was changed over HTTP.
    pub(super) async fn audit(&self, since: Option<&str>, out: Out<'_>) -> Result<()> {
        let since = match since {
            None => i64::MIN,
            Some(text) => parse_instant(text, &project_zone(&self.project)?)
                .map_err(|error| Error::usage(format!("--since: {error}"), "such as 2026-11-01T00:00:00Z"))?,
        };
        let changes = audit::read(&self.project, &self.warehouse, &self.context, since).await?;
        let count = self.show_rows(changes, out).await?;
        let noun = if count == 1 { "change" } else { "changes" };
        self.say(&format!("{count} {noun} over HTTP; a service keeps them every 10 s and when it stops"));
        self.say("next: meterhouse key list");
        Ok(())
    }
}

/// What a key may do, for people.
fn allowed(key: &Key) -> String {
    let each = key.scopes.iter().map(|scope| match scope {
        Scope::Land => format!("send and void usage of {}", all_or("sources", key.sources.as_ref())),
        Scope::Read => format!("read of {}", all_or("customers", key.customers.as_ref())),
        Scope::Book => format!("say what is booked of {}", all_or("customers", key.customers.as_ref())),
        Scope::Operate => "operate the service".into(),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn all_or(noun: &str, names: Option<&BTreeSet<String>>) -> String {
    names.map_or_else(|| format!("all {noun}"), joined)
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn words(scopes: &BTreeSet<Scope>) -> String {
    scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" ")
}
