//! What has happened: shown, followed, looked for, and posted again.

use std::time::Duration;

use super::{Opened, Out};
use crate::catalog;
use crate::encode::Encoder;
use crate::encode::answer::Answer;
use crate::engine::plan::execution_error;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::events::look::{Look, look};
use crate::events::message::{Message, Wanted, messages, rows};
use crate::ledger::{self, TableEntry};
use crate::project::EVENT;
use crate::serve;

/// How often it is looked for a newer run.
const LOOK: Duration = Duration::from_secs(1);
/// Events that are read at a time.
const SOME: usize = 1000;

impl Opened {
    /// Shows the events that are wanted.
    pub(super) async fn events(&self, wanted: &Wanted, looks: bool, out: Out<'_>) -> Result<()> {
        if looks {
            let by = std::env::var("USER").unwrap_or_else(|_| "unknown".into());
            let asked = Look { now: self.as_of, by, known: Default::default() };
            let happened = look(&self.project, &self.warehouse, &asked).await?;
            self.say(&format!("{happened} new, as of the clock"));
        }
        self.read().await?;
        let failed = |error: &_| execution_error(error, EVENT);
        let rows =
            rows(&self.context, wanted).await?.execute_stream().await.map_err(|error| failed(&error))?;
        let encoder = Encoder::new(self.format(), &rows.schema())?;
        let mut answer = Answer::to(out);
        let count = answer.rows(encoder, rows, &failed).await?;
        answer.finish()?;
        self.say(&format!("{count} event{}", if count == 1 { "" } else { "s" }));
        self.say(
            "next: meterhouse events --follow, or [webhooks.NAME] in meterhouse.toml and meterhouse serve",
        );
        Ok(())
    }

    /// Prints events as they are published, a CloudEvent a line.
    pub(super) async fn follow_events(&self, wanted: Wanted, out: Out<'_>) -> Result<()> {
        let mut wanted = Wanted { most: SOME, ..wanted };
        let mut seen = None;
        loop {
            let newest = ledger::newest(&self.warehouse).await?;
            if newest == seen {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let context = session(&self.project.settings, Some(&self.warehouse))?;
            catalog::open(&self.project, &self.warehouse, &context, self.as_of).await?;
            while let Some(last) = print(&messages(&context, &wanted).await?, out)? {
                wanted.after = last;
            }
            seen = newest;
        }
    }

    /// Lets a webhook post again what comes behind an event.
    pub(super) async fn redeliver(&self, webhook: &str, after: i64) -> Result<()> {
        let head = ledger::head(&self.warehouse).await?;
        let newest = head.and_then(|head| head.tables.get(EVENT).map(TableEntry::rows)).unwrap_or(0) as i64;
        if !(0..=newest).contains(&after) {
            let what = format!("--after {after}: there are events 1 to {newest}");
            return Err(Error::usage(
                what,
                "what comes behind one of these, or behind 0, can be posted again",
            ));
        }
        serve::redeliver(&self.project.settings, &self.warehouse, webhook, after).await?;
        self.say(&format!("webhook {webhook}: what comes behind event {after} is posted again, within 30 s"));
        self.say("next: meterhouse serve posts it, where it is not at work");
        Ok(())
    }
}

/// Prints events; the number of the last.
fn print(messages: &[Message], out: Out<'_>) -> Result<Option<i64>> {
    let printing = || "printing events".to_string();
    for message in messages {
        let line = serde_json::to_string(message).during(printing)?;
        writeln!(out, "{line}").during(printing)?;
    }
    out.flush().during(printing)?;
    Ok(messages.last().map(|last| last.number))
}
