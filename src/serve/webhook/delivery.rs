//! How the events of one webhook are posted, by one of however many services there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::watch;
use tracing::{info, warn};

use super::super::Service;
use super::super::problem::told;
use super::progress::{self, Held};
use super::{NotTaken, PATIENCE, Webhook};
use crate::error::{Error, Result};
use crate::events::message::{Message, Wanted, messages};
use crate::project::EVENT;

/// How often it is looked for events.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody wants events again, where there is nothing to do.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// For how long who delivers is left alone.
const HOLDS: Duration = Duration::from_secs(30);
/// How often it is written how far that got, at least.
const KEEP: Duration = Duration::from_secs(1);
/// Events that are read at one time.
const READ: usize = 1000;
/// Events that may wait for their receiver before no more are read.
const WAITING: usize = 10_000;
/// Customers whose events are posted at one time.
const AT_ONCE: usize = 8;
/// How long the events of one customer go on before others have their turn.
const TURN: Duration = Duration::from_secs(10);
/// The first and the longest pause before an event is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// When the next event of a customer may be tried, after so many that were not taken.
struct Pause {
    tries: u32,
    until: Instant,
}

/// What one service knows of a webhook.
struct Delivery<'a> {
    service: &'a Service,
    webhook: &'a Webhook,
    holder: String,
    /// How far it has got, where this service delivers.
    held: Option<Held>,
    /// The events that wait, by their numbers.
    waiting: BTreeMap<i64, Message>,
    pauses: BTreeMap<Option<String>, Pause>,
    /// Events in a row that were not taken.
    failures: usize,
    /// The number of events at which there was nothing left to do, and when that was.
    idle_at: Option<(i64, Instant)>,
    kept: Instant,
}

/// Posts events until the service stops.
pub(crate) async fn deliver(service: Arc<Service>, webhook: Webhook, mut stopped: watch::Receiver<()>) {
    let mut delivery = Delivery {
        service: &service,
        webhook: &webhook,
        holder: uuid::Uuid::new_v4().to_string(),
        held: None,
        waiting: BTreeMap::new(),
        pauses: BTreeMap::new(),
        failures: 0,
        idle_at: None,
        kept: Instant::now(),
    };
    loop {
        let pause = tokio::select! {
            pause = delivery.round() => pause,
            _ = stopped.changed() => return delivery.stop().await,
        };
        let pause = pause.unwrap_or_else(|error| {
            warn!(webhook = webhook.name, "webhook {}: {}", webhook.name, told(&error));
            LOOK
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return delivery.stop().await,
        }
    }
}

impl Delivery<'_> {
    /// Posts what can be posted now; how long to wait then.
    async fn round(&mut self) -> Result<Duration> {
        let tables = match self.service.published.state().await {
            Err(Error::Busy { .. }) => return Ok(LOOK),
            tables => tables?,
        };
        let newest =
            tables.files.get(EVENT).map_or(0, |files| files.iter().map(|file| file.rows as i64).sum());
        let now = (self.service.clock)();
        if self.held.as_ref().is_none_or(|held| !held.holds(now)) {
            (self.held, self.waiting) = (None, BTreeMap::new());
            let is_idle = |(at, since): &(i64, Instant)| *at == newest && since.elapsed() < LOOK_AGAIN;
            if self.idle_at.as_ref().is_some_and(is_idle) {
                return Ok(LOOK);
            }
            let (warehouse, name) = (&self.service.warehouse, &self.webhook.name);
            if progress::is_done(warehouse, name, newest).await? {
                self.idle_at = Some((newest, Instant::now()));
                return Ok(LOOK);
            }
            let taken = Held::take(warehouse, name, newest, &self.holder, now, HOLDS).await?;
            let Some(held) = taken else { return Ok(LOOK) };
            self.read_waiting(&tables.context, &held).await?;
            self.held = Some(held);
        }
        self.read_on(&tables.context, newest).await?;
        if self.waiting.is_empty() {
            self.idle_at = Some((newest, Instant::now()));
            self.give_back().await?;
            return Ok(LOOK);
        }
        let turns = self.turns();
        if turns.is_empty() {
            self.keep_now_and_then().await?;
            let until = self.pauses.values().map(|pause| pause.until).min();
            let pause = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            return Ok(pause.min(LOOK));
        }
        self.keep_now_and_then().await?;
        self.post_all(turns).await?;
        Ok(Duration::ZERO)
    }

    /// Reads the events that wait, as somebody else has left them.
    async fn read_waiting(&mut self, context: &SessionContext, held: &Held) -> Result<()> {
        let waiting = &held.progress.waiting;
        let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else { return Ok(()) };
        let mut after = first - 1;
        while after < *last {
            let wanted = Wanted { after, most: READ, ..Wanted::default() };
            let read = messages(context, &wanted).await?;
            let Some(newest) = read.last() else { break };
            after = newest.number;
            let read = read.into_iter().filter(|message| waiting.contains(&message.number));
            self.waiting.extend(read.map(|message| (message.number, message)));
        }
        Ok(())
    }

    /// Reads events on, as long as not too many wait.
    async fn read_on(&mut self, context: &SessionContext, newest: i64) -> Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        while held.progress.after < newest && self.waiting.len() < WAITING {
            let wanted = Wanted { after: held.progress.after, most: READ, ..Wanted::default() };
            let read = messages(context, &wanted).await?;
            let Some(last) = read.last() else { break };
            held.progress.after = last.number;
            for message in read.into_iter().filter(|message| self.webhook.wants(message)) {
                held.progress.waiting.insert(message.number);
                self.waiting.insert(message.number, message);
            }
        }
        Ok(())
    }

    /// The numbers of events that may be posted now, those of a customer together. Of a receiver that took none
    /// lately, one is tried.
    fn turns(&self) -> Vec<Vec<i64>> {
        let now = Instant::now();
        let mut turns: BTreeMap<&Option<String>, Vec<i64>> = BTreeMap::new();
        for (number, message) in &self.waiting {
            turns.entry(&message.customer_id).or_default().push(*number);
        }
        turns.retain(|customer, _| self.pauses.get(customer).is_none_or(|pause| pause.until <= now));
        let mut turns: Vec<Vec<i64>> = turns.into_values().collect();
        turns.sort();
        if self.failures >= AT_ONCE {
            turns.truncate(1);
        }
        turns
    }

    async fn post_all(&mut self, turns: Vec<Vec<i64>>) -> Result<()> {
        // Shared while posts are on their way; what came of them is noted in between.
        let waiting = std::mem::take(&mut self.waiting);
        let mut outcome = Ok(());
        {
            let (webhook, clock, waiting) = (self.webhook, self.service.clock, &waiting);
            let until = self.held.as_ref().map_or(0, |held| held.progress.until);
            // Whoever takes over from a service that was silent has to be alone.
            let until = until - PATIENCE.as_micros() as i64;
            let posted = turns.into_iter().map(|numbers| async move {
                let began = Instant::now();
                let (mut taken, mut failed) = (Vec::new(), None);
                for message in numbers.iter().filter_map(|number| waiting.get(number)) {
                    if began.elapsed() > TURN || clock() >= until {
                        break;
                    }
                    match webhook.post(message, clock()).await {
                        Ok(()) => taken.push(message.number),
                        Err(not_taken) => {
                            failed = Some((message.customer_id.clone(), not_taken));
                            break;
                        }
                    }
                }
                (numbers, taken, failed)
            });
            let mut posted = futures::stream::iter(posted).buffer_unordered(AT_ONCE);
            while let Some((numbers, taken, failed)) = posted.next().await {
                self.note(waiting, &numbers, &taken, failed);
                outcome = self.keep_now_and_then().await;
                if outcome.is_err() || self.held.is_none() {
                    break;
                }
            }
        }
        if let Some(held) = &self.held {
            let numbers = &held.progress.waiting;
            self.waiting = waiting.into_iter().filter(|(number, _)| numbers.contains(number)).collect();
        }
        outcome
    }

    /// Notes what came of the events of a customer.
    fn note(
        &mut self,
        waiting: &BTreeMap<i64, Message>,
        numbers: &[i64],
        taken: &[i64],
        failed: Option<(Option<String>, NotTaken)>,
    ) {
        let Some(held) = &mut self.held else { return };
        for number in taken {
            held.progress.waiting.remove(number);
        }
        let name = &self.webhook.name;
        self.service.metrics.posted(name, taken.len() as u64, u64::from(failed.is_some()));
        if !taken.is_empty() {
            if std::mem::take(&mut self.failures) > 0 && failed.is_none() {
                info!(webhook = name, "webhook {name}: events are taken again");
            }
            let customer =
                numbers.first().and_then(|number| waiting.get(number)).map(|first| &first.customer_id);
            if let Some(customer) = customer {
                self.pauses.remove(customer);
            }
        }
        let Some((customer, NotTaken { why, pause })) = failed else { return };
        if self.failures == 0 {
            warn!(webhook = name, "webhook {name}: {why}; it is tried until it takes them");
        }
        self.failures += 1;
        let tries = self.pauses.get(&customer).map_or(0, |pause| pause.tries) + 1;
        let (first, longest) = PAUSES;
        let pause = pause.unwrap_or_else(|| first.saturating_mul(1 << (tries - 1).min(16))).min(longest);
        self.pauses.insert(customer, Pause { tries, until: Instant::now() + pause });
    }

    async fn keep_now_and_then(&mut self) -> Result<()> {
        if self.kept.elapsed() < KEEP {
            return Ok(());
        }
        self.kept = Instant::now();
        let Some(held) = &mut self.held else { return Ok(()) };
        let (warehouse, name) = (&self.service.warehouse, &self.webhook.name);
        if !held.keep(warehouse, name, &self.holder, (self.service.clock)(), HOLDS).await? {
            // Somebody else delivers now, or it begins anew.
            self.held = None;
        }
        Ok(())
    }

    async fn give_back(&mut self) -> Result<()> {
        match self.held.take() {
            Some(held) => held.give_back(&self.service.warehouse, &self.webhook.name).await,
            None => Ok(()),
        }
    }

    async fn stop(&mut self) {
        if let Err(error) = self.give_back().await {
            // What was posted since it was last written is posted again.
            warn!(webhook = self.webhook.name, "webhook {}: {}", self.webhook.name, told(&error));
        }
    }
}
