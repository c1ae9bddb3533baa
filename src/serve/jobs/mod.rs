//! Scheduled jobs: what the settings say is done when it is due, by one of however many services there are.
//!
//! When a job is due is counted by its cron expression in its time zone. What was missed while no service was there is
//! done once, for the last time that it was due; of jobs that are due together the one that was due first is done
//! first. Who does one has claimed it (`register`). A claim only spares useless work, since a run of a service that
//! has lost its own cannot publish: somebody else has published by then.

mod asked;
mod failed;
mod history;
mod register;
mod task;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tokio::sync::watch;
use tracing::field::Empty;
use tracing::{Instrument, info, info_span, warn};

pub(super) use self::asked::{Asking, Listed, Why, Work, close, get, list, run, start};
pub use self::failed::FAILED;
pub use self::history::history;

use self::asked::NO_JOB;
use self::register::{Claim, Done, Outcome, Register};
use self::task::{Came, Task};
use super::problem::{instant_text, told};
use super::{Clock, Service};
use crate::error::{Error, Result, While};
use crate::ledger;
use crate::project::settings::{Does, HandOver, JobSettings, Settings};

/// The longest sleep: a clock that was set is noticed by then.
const LOOK: Duration = Duration::from_secs(10);
/// How long a claim holds. Who works renews it, so that it ends only with who does not any more.
const HOLDS: Duration = Duration::from_secs(120);
/// How often something is tried where somebody else has published meanwhile.
const TRIES: usize = 5;
/// How soon it is renewed again where that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// A job that is to be done when it is due.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name in the settings.
    pub name: String,
    /// What it does, and where to.
    pub settings: JobSettings,
    cron: Cron,
    zone: TimeZone,
}

impl Job {
    /// The jobs of a project.
    ///
    /// # Errors
    /// A cron expression or a time zone that is none, an export without a target.
    pub fn all(settings: &Settings) -> Result<Vec<Self>> {
        settings.jobs.iter().map(|(name, job)| Self::new(name, job, settings)).collect()
    }

    fn new(name: &str, job: &JobSettings, settings: &Settings) -> Result<Self> {
        let wrong =
            |key: &str, what: String, hint: &str| settings.wrong(&format!("jobs.{name}.{key}"), what, hint);
        if name.starts_with(NO_JOB) {
            let what = format!("`{name}` is the name of what is asked for over HTTP");
            return Err(wrong("cron", what, "give the job another name"));
        }
        let cron = Cron::from_str(&job.cron).map_err(|error| {
            let what = format!("`{}` is no cron expression: {error}", job.cron);
            wrong("cron", what, "minute, hour, day, month, weekday, such as `*/10 * * * *` or `30 6 2 * *`")
        })?;
        let zone = job.time_zone.as_ref().unwrap_or(&settings.time_zone);
        let zone = TimeZone::get(zone)
            .map_err(|error| wrong("time_zone", error.to_string(), "an IANA name such as Europe/Berlin"))?;
        if job.does == Does::Export && settings.events.hand_over == HandOver::Events {
            let what = "nothing is exported by schedule: events.hand_over is `events`";
            return Err(wrong("does", what.into(), "events.hand_over = \"both\""));
        }
        if (job.does == Does::Export) != job.to.is_some() {
            let (what, hint) = match job.does {
                Does::Export => ("an export has to say where to", "to = \"s3://bucket/folder\""),
                _ => ("only an export has `to`", "does = \"export\""),
            };
            return Err(wrong("does", what.into(), hint));
        }
        Ok(Self { name: name.into(), settings: job.clone(), cron, zone })
    }

    fn at(&self, instant: i64) -> Result<Zoned> {
        let instant = Timestamp::from_microsecond(instant).during(|| "reading the clock".into())?;
        Ok(instant.to_zoned(self.zone.clone()))
    }

    /// The last time that it was due, up to an instant; both in microseconds since the epoch. None: it never was.
    pub fn last_due(&self, instant: i64) -> Result<Option<i64>> {
        let last = self.cron.find_previous_occurrence(&self.at(instant)?, true);
        Ok(last.ok().map(|due| due.timestamp().as_second() * 1_000_000))
    }

    /// The next time after an instant.
    pub fn next_due(&self, instant: i64) -> Result<Option<i64>> {
        let next = self.cron.find_next_occurrence(&self.at(instant)?, false);
        Ok(next.ok().map(|due| due.timestamp().as_microsecond()))
    }
}

/// Does what is due, until the service stops. A job that is under way then is left; nothing of it is published.
pub(super) async fn by_the_clock(service: Arc<Service>, jobs: Vec<Job>, mut stopped: watch::Receiver<()>) {
    if jobs.is_empty() {
        return;
    }
    let holder = uuid::Uuid::new_v4().to_string();
    let mut ended = BTreeMap::new();
    loop {
        let pause = tokio::select! {
            pause = round(&service, &jobs, &holder, &mut ended) => pause,
            _ = stopped.changed() => return Register::of(&service.warehouse).give_back(&holder).await,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Does what is due now; how long to wait then.
async fn round(service: &Service, jobs: &[Job], holder: &str, ended: &mut BTreeMap<String, i64>) -> Duration {
    match due_jobs(service, jobs, ended).await {
        Ok(due) => {
            for (due, job) in due {
                if let Err(error) = claimed(service, job, due, holder).await {
                    warn!(job = job.name, "job {}: {}", job.name, told(&error));
                }
            }
        }
        Err(error) => warn!("jobs are not looked at: {}", told(&error)),
    }
    let now = (service.clock)();
    let next = jobs.iter().filter_map(|job| job.next_due(now).ok().flatten()).min();
    let until = next.map_or(LOOK, |next| Duration::from_micros(next.saturating_sub(now).max(0) as u64));
    until.min(LOOK)
}

/// The jobs that are due and not done, with their time, in its order.
///
/// `ended` is for when each was last done, as far as the metrics say it; whichever service did it.
async fn due_jobs<'a>(
    service: &Service,
    jobs: &'a [Job],
    ended: &mut BTreeMap<String, i64>,
) -> Result<Vec<(i64, &'a Job)>> {
    let register = Register::of(&service.warehouse);
    let now = (service.clock)();
    let mut due = Vec::new();
    for job in jobs {
        let Some(last) = job.last_due(now)? else { continue };
        let of_job = register.of_job(&job.name).await?;
        for due in of_job.unfinished() {
            if let Some(done) = register.done_at(&job.name, due).await? {
                finish(service, &done).await?;
            }
        }
        if let Some(newest) = of_job.newest(now).filter(|newest| ended.get(&job.name) != Some(newest)) {
            if let Some(done) = register.done_at(&job.name, newest).await? {
                done.succeeded.into_iter().for_each(|at| service.metrics.job(&job.name, "done", at));
                if done.outcome == Outcome::Failed {
                    service.metrics.job(&job.name, done.outcome.word(), done.ended);
                }
            }
            ended.insert(job.name.clone(), newest);
        }
        if of_job.is_new() {
            // What was due before anybody knew of it is not done, what is missed from now on is.
            register.begin(&job.name, job.settings.does, last, now).await?;
        } else if !of_job.is_done(last, now) {
            due.push((last, job));
        }
    }
    due.sort_by_key(|(due, _)| *due);
    Ok(due)
}

/// Brings what came of a job into the table, and lets go what is not needed for that any more.
async fn finish(service: &Service, done: &Done) -> Result<()> {
    if done.outcome != Outcome::New {
        history::keep(&service.project, &service.warehouse, done).await?;
    }
    let register = Register::of(&service.warehouse);
    register.forget(&done.job, done.due, (service.clock)()).await
}

/// Does a job where nobody else does it.
async fn claimed(service: &Service, job: &Job, due: i64, holder: &str) -> Result<()> {
    let register = Register::of(&service.warehouse);
    match register.claim(&job.name, due, holder, (service.clock)(), HOLDS).await? {
        Some(claim) => {
            let task = Task::of(job, format!("job {}", job.name));
            // What came of it is in the log.
            done(service, &task, due, claim, holder).await.map(|_| ())
        }
        None => Ok(()),
    }
}

/// Does what is claimed, and writes what came of it.
async fn done(
    service: &Service,
    task: &Task,
    due: i64,
    mut claim: Claim,
    holder: &str,
) -> Result<Result<Came>> {
    let register = Register::of(&service.warehouse);
    let (name, does) = (task.name.as_str(), task.settings.does);
    info!(job = name, %does, due = instant_text(due), "job {name}: {does} begins, due {}", instant_text(due));
    let began = (service.clock)();
    let (before, succeeded) = register.before(name).await?;
    let had_failed = register.newest(name).await?.is_some_and(|done| done.outcome == Outcome::Failed);
    // Known before it begins: what closes meanwhile is for the next time.
    let newest = ledger::head(&service.warehouse).await?.map(|head| head.run);
    let span = info_span!("job", job = name, %does, otel.status_code = Empty);
    let came = tokio::select! {
        came = task.tried(service, before).instrument(span.clone()) => came,
        lost = keep(&register, &mut claim, service.clock, HOLDS) => match lost? {},
    };
    let ended = (service.clock)();
    let seconds = (ended - began) as f64 / 1e6;
    let (outcome, detail, published) = match &came {
        Ok((detail, published)) => {
            info!(job = name, %does, seconds, run = published, "job {name}: {detail}");
            (Outcome::Done, detail.clone(), *published)
        }
        Err(error) => {
            let detail = told(error);
            span.record("otel.status_code", "ERROR");
            warn!(job = name, %does, seconds, "job {name} failed: {detail}");
            (Outcome::Failed, detail, None)
        }
    };
    let (run, succeeded) = match outcome {
        // What it did not get to is still to do.
        Outcome::Failed => (before, succeeded),
        _ => (newest, Some(ended)),
    };
    let (job, by) = (name.to_string(), holder.to_string());
    let done = Done { job, does, due, began, ended, outcome, detail, by, run, published, succeeded };
    if done.published.is_some() {
        service.published.look_again();
    }
    finish(service, &register.done(&done).await?).await?;
    if had_failed || outcome == Outcome::Failed {
        failed::tell(service, task.by.clone()).await;
    }
    Ok(came)
}

/// Renews a claim again and again; returns when it is lost, or runs out because the store takes nothing.
async fn keep(
    register: &Register<'_>,
    claim: &mut Claim,
    clock: Clock,
    holds: Duration,
) -> Result<Infallible> {
    let mut renewed = clock();
    let mut pause = holds / 3;
    loop {
        tokio::time::sleep(pause).await;
        let now = clock();
        pause = match register.renew(claim, now, holds).await {
            Ok(true) => {
                renewed = now;
                holds / 3
            }
            Ok(false) => {
                let what = "somebody else does it, because this service was silent for too long";
                return Err(Error::Busy { what: what.into() });
            }
            // Nobody else takes it before its time is over.
            Err(_) if clock() - renewed < holds.as_micros() as i64 => AGAIN,
            Err(error) => return Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::warehouse::Warehouse;

    fn job(cron: &str, zone: &str) -> Job {
        let settings = JobSettings {
            cron: cron.into(),
            does: Does::Run,
            time_zone: Some(zone.into()),
            to: None,
            format: None,
            keep_days: 7,
        };
        Job {
            name: "bill".into(),
            cron: Cron::from_str(cron).unwrap(),
            zone: TimeZone::get(zone).unwrap(),
            settings,
        }
    }

    fn instant(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    /// Every time at which it is due, as the clock passes from hour to hour.
    fn dues(job: &Job, from: &str, hours: i64) -> Vec<String> {
        let from = instant(from);
        let seen = (0..=hours).map(|hour| job.last_due(from + hour * 3_600_000_000).unwrap().unwrap());
        let mut seen: Vec<i64> = seen.filter(|due| *due >= from).collect();
        seen.dedup();
        seen.into_iter().map(instant_text).collect()
    }

    #[test]
    fn a_job_is_due_once_a_day_whatever_the_clocks_do() {
        // 2026-10-25: 03:00 summer time is 02:00 again. 2026-03-29: 02:00 is 03:00.
        let daily = job("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            dues(&daily, "2026-10-24T00:00:00Z", 72),
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        let spring = dues(&daily, "2026-03-28T00:00:00Z", 72);
        assert_eq!(spring.len(), 3, "{spring:?}");
        assert_eq!(spring[1], "2026-03-29T01:00:00Z", "the hour is not there: as soon as it is over");
    }

    #[test]
    fn every_ten_minutes_goes_on_through_both_hours() {
        let often = job("*/10 * * * *", "Europe/Berlin");
        let mut now = instant("2026-10-25T00:00:00Z");
        let mut count = 0;
        while let Some(next) =
            often.next_due(now).unwrap().filter(|next| *next <= instant("2026-10-25T03:00:00Z"))
        {
            assert_eq!(next - now, 600_000_000, "{}", instant_text(next));
            (now, count) = (next, count + 1);
        }
        assert_eq!(count, 18);
    }

    fn clock() -> i64 {
        Timestamp::now().as_microsecond()
    }

    #[tokio::test]
    async fn a_store_that_fails_for_a_while_takes_no_job_from_who_does_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new();
        let url = url::Url::from_directory_path(folder.path()).unwrap();
        let warehouse = Warehouse::over(Arc::new(store), url).unwrap();
        let register = Register::of(&warehouse);
        let (due, holds) = (clock(), Duration::from_secs(6));
        let mut claim = register.claim("bill", due, "one", clock(), holds).await.unwrap().unwrap();
        let (registry, aside) = (folder.path().join("registry"), folder.path().join("aside"));
        let fails = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            std::fs::rename(&registry, &aside).unwrap();
            std::fs::write(&registry, "no folder").unwrap();
            // It is to be renewed after 2 s.
            tokio::time::sleep(Duration::from_millis(2500)).await;
            std::fs::remove_file(&registry).unwrap();
            std::fs::rename(&aside, &registry).unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        tokio::select! {
            () = fails => {}
            lost = keep(&register, &mut claim, clock, holds) => panic!("it is lost: {lost:?}"),
        }
        // Longer than the first claim held, and it is held still.
        assert!(register.claim("bill", due, "two", clock(), holds).await.unwrap().is_none());
        // A store that takes nothing for longer than it holds lets it go.
        std::fs::rename(&registry, &aside).unwrap();
        std::fs::write(&registry, "no folder").unwrap();
        assert!(keep(&register, &mut claim, clock, Duration::from_secs(1)).await.is_err());
    }

    #[test]
    fn what_was_missed_is_due_once() {
        let often = job("*/10 * * * *", "UTC");
        let last = often.last_due(instant("2026-11-30T09:59:59Z")).unwrap();
        assert_eq!(last.map(instant_text).as_deref(), Some("2026-11-30T09:50:00Z"));
        let at_the_time = often.last_due(instant("2026-11-30T10:00:00Z")).unwrap();
        assert_eq!(at_the_time.map(instant_text).as_deref(), Some("2026-11-30T10:00:00Z"));
    }
}
