//! How far a webhook has got: numbered, create-only objects below `registry/webhook/NAME`, of which the newest counts.
//!
//! Who delivers writes the next one again and again, and so says that it is still there; where somebody else has
//! written it, it is no more its own. So there is one who delivers, and one place that says what is left to do.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::store::warehouse::{Warehouse, numbered};

const FOLDER: &str = "registry/webhook";

/// What was delivered, and who delivers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Every event up to this number was delivered, but those that wait.
    pub(super) after: i64,
    /// Numbers of events up to there that the receiver has not taken yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) waiting: BTreeSet<i64>,
    /// Who delivers; none: nobody at present.
    pub(super) holder: Option<String>,
    /// Until when, in microseconds since the epoch.
    pub(super) until: i64,
}

/// The same with its place among what was written.
#[derive(Debug, Clone)]
pub(super) struct Held {
    number: u64,
    pub(super) progress: Progress,
}

fn register(webhook: &str) -> String {
    format!("{FOLDER}/{webhook}")
}

/// What was written last; none before the first.
async fn newest(warehouse: &Warehouse, webhook: &str) -> Result<Option<Held>> {
    let register = register(webhook);
    // What was newest may be gone when it is read: then there is a newer one.
    while let Some(number) = warehouse.newest(&register).await? {
        let path = numbered(&register, number, ".json");
        if let Some(bytes) = warehouse.read(&path).await? {
            let progress = serde_json::from_slice(&bytes).during(|| format!("reading {path}"))?;
            return Ok(Some(Held { number, progress }));
        }
    }
    Ok(None)
}

/// Whether all events up to this number were delivered.
pub(super) async fn is_done(warehouse: &Warehouse, webhook: &str, newest_event: i64) -> Result<bool> {
    let held = newest(warehouse, webhook).await?;
    Ok(held
        .is_some_and(|Held { progress, .. }| progress.after >= newest_event && progress.waiting.is_empty()))
}

impl Held {
    /// Begins to deliver, where nobody else does; of a webhook that is new, what comes behind the event `newest`.
    pub(super) async fn take(
        warehouse: &Warehouse,
        webhook: &str,
        newest_event: i64,
        holder: &str,
        now: i64,
        holds: Duration,
    ) -> Result<Option<Self>> {
        let mut held = match newest(warehouse, webhook).await? {
            Some(held) => held,
            None => Self { number: 0, progress: Progress { after: newest_event, ..Progress::default() } },
        };
        let is_others = held.progress.holder.as_ref().is_some_and(|other| other != holder);
        if is_others && held.progress.until > now {
            return Ok(None);
        }
        Ok(held.keep(warehouse, webhook, holder, now, holds).await?.then_some(held))
    }

    /// Whether it may deliver still.
    pub(super) fn holds(&self, now: i64) -> bool {
        self.progress.until > now
    }

    /// Writes how far it has got, and that it goes on for so long; false where somebody else has it now.
    pub(super) async fn keep(
        &mut self,
        warehouse: &Warehouse,
        webhook: &str,
        holder: &str,
        now: i64,
        holds: Duration,
    ) -> Result<bool> {
        self.progress.holder = Some(holder.into());
        self.progress.until = now + holds.as_micros() as i64;
        self.write(warehouse, webhook).await
    }

    /// Writes how far it has got, and that anybody may go on.
    pub(super) async fn give_back(mut self, warehouse: &Warehouse, webhook: &str) -> Result<()> {
        (self.progress.holder, self.progress.until) = (None, 0);
        self.write(warehouse, webhook).await.map(|_| ())
    }

    async fn write(&mut self, warehouse: &Warehouse, webhook: &str) -> Result<bool> {
        let register = register(webhook);
        let path = |number| numbered(&register, number, ".json");
        let bytes = serde_json::to_vec(&self.progress).during(|| format!("writing {register}"))?;
        let number = self.number + 1;
        // Older ones are removed, so that who slept for long may find its number free: it is the newest, or nothing.
        let is_next = warehouse.create(&path(number), bytes).await?
            && warehouse.newest(&register).await? == Some(number);
        if is_next {
            let before = std::mem::replace(&mut self.number, number);
            if before > 0 {
                warehouse.delete(vec![path(before)]).await?;
            }
        }
        Ok(is_next)
    }
}

/// Lets a webhook deliver again what comes behind an event. Who delivers at present notices when it writes next.
pub(super) async fn rewind(warehouse: &Warehouse, webhook: &str, after: i64) -> Result<()> {
    loop {
        let number = newest(warehouse, webhook).await?.map_or(0, |held| held.number);
        let progress = Progress { after, ..Progress::default() };
        if (Held { number, progress }).write(warehouse, webhook).await? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use url::Url;

    use super::*;

    const HOLDS: Duration = Duration::from_secs(60);
    const SECOND: i64 = 1_000_000;

    #[tokio::test]
    async fn one_delivers_and_another_goes_on_where_it_is_silent() {
        let store = Arc::new(InMemory::new());
        let warehouse = Warehouse::over(store, Url::parse("memory:///").unwrap()).unwrap();
        let take = async |who: &str, now: i64| {
            Held::take(&warehouse, "billing", 7, who, now * SECOND, HOLDS).await.unwrap()
        };
        let mut one = take("one", 0).await.unwrap();
        assert_eq!(one.progress.after, 7, "what was there before is not for a new receiver");
        one.progress.after = 9;
        one.progress.waiting = BTreeSet::from([8]);
        assert!(one.keep(&warehouse, "billing", "one", 30 * SECOND, HOLDS).await.unwrap());
        assert!(take("two", 80).await.is_none());
        let mut two = take("two", 91).await.unwrap();
        assert_eq!((two.progress.after, &two.progress.waiting), (9, &BTreeSet::from([8])));
        for now in 92..99 {
            assert!(two.keep(&warehouse, "billing", "two", now * SECOND, HOLDS).await.unwrap());
        }
        // It wakes up, and its number is free again.
        assert!(!one.keep(&warehouse, "billing", "one", 100 * SECOND, HOLDS).await.unwrap());
        rewind(&warehouse, "billing", 3).await.unwrap();
        assert!(!two.keep(&warehouse, "billing", "two", 101 * SECOND, HOLDS).await.unwrap());
        let three = take("three", 102).await.unwrap();
        assert_eq!((three.progress.after, three.progress.waiting.len()), (3, 0));
        three.give_back(&warehouse, "billing").await.unwrap();
        assert!(take("four", 103).await.is_some());
    }
}
