//! Which job was done for when, and who does one: create-only objects below `registry/job`.
//!
//! A job that is due is a name and a time. Claims on it are numbered: the next one can be made where the last has run
//! out, or by who has it, to renew it. What came of it is one object, which ends it for everybody.
//!
//! What always holds: this says what is done, and the table of jobs tells it on. An object with what came of a job has
//! claims beside it until its row is in the table, so that whoever comes next brings it there where a service was
//! killed in between; after that only the last ones are kept here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::project::settings::Does;
use crate::store::warehouse::Warehouse;

const FOLDER: &str = "registry/job";
/// How far the clocks of services may be apart, in microseconds. What was done for a time that is further ahead was
/// done by a clock that was wrong, and does not count before that time comes.
const APART: i64 = 600_000_000;

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Its name.
    pub job: String,
    /// What it does.
    pub does: Does,
    /// For when, as microseconds since the epoch, as all times here.
    pub due: i64,
    /// When it began.
    pub began: i64,
    /// When it ended.
    pub ended: i64,
    /// What came of it.
    pub outcome: Outcome,
    /// The same in words.
    pub detail: String,
    /// The service that did it.
    pub by: String,
    /// The newest run when it began; of one that failed, that of the time before.
    pub run: Option<u64>,
    /// The run that it published.
    pub published: Option<u64>,
    /// When it last ended well.
    pub succeeded: Option<i64>,
}

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was seen for the first time; what was due before is not done.
    New,
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
}

impl Outcome {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// That somebody does a job.
#[derive(Debug, Serialize, Deserialize)]
struct Claimed {
    holder: String,
    /// Until when, in microseconds since the epoch.
    until: i64,
}

/// A claim that is held.
#[derive(Debug)]
pub(super) struct Claim {
    job: String,
    due: i64,
    holder: String,
    number: u32,
}

/// The register of a warehouse.
pub(super) struct Register<'a> {
    warehouse: &'a Warehouse,
}

impl<'a> Register<'a> {
    pub(super) fn of(warehouse: &'a Warehouse) -> Self {
        Self { warehouse }
    }

    /// What there is of a job.
    pub(super) async fn of_job(&self, job: &str) -> Result<OfJob> {
        let mut found = OfJob::default();
        for path in self.paths(&folder_of(job)).await? {
            let Some(due) = path.filename().and_then(due_of) else { continue };
            if path.as_ref().ends_with(DONE) {
                found.done.insert(due);
            } else {
                found.claims.entry(due).or_default().push(path);
            }
        }
        Ok(found)
    }

    /// What came of a job when it was last done, or begun with.
    pub(super) async fn newest(&self, job: &str) -> Result<Option<Done>> {
        match self.of_job(job).await?.done.last() {
            Some(due) => self.done_at(job, *due).await,
            None => Ok(None),
        }
    }

    /// Until when somebody does a job, by when it was due; without those times for which it is done.
    pub(super) async fn claims(&self, of_job: &OfJob) -> Result<BTreeMap<i64, i64>> {
        let mut claims = BTreeMap::new();
        for (due, paths) in &of_job.claims {
            let last = paths.iter().max().filter(|_| !of_job.done.contains(due));
            if let Some(path) = last
                && let Some(claimed) = self.read::<Claimed>(path).await?
            {
                claims.insert(*due, claimed.until);
            }
        }
        Ok(claims)
    }

    /// What came of a job that was due then.
    pub(super) async fn done_at(&self, job: &str, due: i64) -> Result<Option<Done>> {
        self.read(&path_of(job, due, DONE)?).await
    }

    /// The newest run when it was last done, and when it last ended well.
    pub(super) async fn before(&self, job: &str) -> Result<(Option<u64>, Option<i64>)> {
        let (mut run, mut succeeded) = (None, None);
        for due in self.of_job(job).await?.done {
            let done = self.done_at(job, due).await?;
            run = run.max(done.as_ref().and_then(|done| done.run));
            succeeded = succeeded.max(done.and_then(|done| done.succeeded));
        }
        Ok((run, succeeded))
    }

    /// What is below a folder, in order.
    async fn paths(&self, folder: &Path) -> Result<BTreeSet<Path>> {
        let listed = self.warehouse.store().list(Some(folder)).map_ok(|object| object.location);
        listed.try_collect().await.during(|| format!("listing {folder} in the warehouse"))
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &Path) -> Result<Option<T>> {
        let Some(bytes) = self.warehouse.read(path).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).during(|| format!("reading {path} in the warehouse"))
    }

    /// Notes that a job is known from now on.
    pub(super) async fn begin(&self, job: &str, does: Does, due: i64, now: i64) -> Result<()> {
        let (detail, by) = ("known from now on".to_string(), String::new());
        let outcome = Outcome::New;
        self.done(&Done {
            job: job.into(),
            does,
            due,
            began: now,
            ended: now,
            outcome,
            detail,
            by,
            run: None,
            published: None,
            succeeded: None,
        })
        .await
        .map(|_| ())
    }

    /// Notes what came of a job, and returns it; where somebody else has done so, that stays, and is returned.
    pub(super) async fn done(&self, done: &Done) -> Result<Done> {
        let path = path_of(&done.job, done.due, DONE)?;
        let bytes = serde_json::to_vec(done).during(|| format!("writing {path}"))?;
        let there = self.warehouse.settle(&path, bytes).await?;
        serde_json::from_slice(&there).during(|| format!("reading {path} in the warehouse"))
    }

    /// Claims a job for so long; none where somebody does it, or has done it.
    pub(super) async fn claim(
        &self,
        job: &str,
        due: i64,
        holder: &str,
        now: i64,
        holds: Duration,
    ) -> Result<Option<Claim>> {
        let mut claim = Claim { job: job.into(), due, holder: holder.into(), number: 0 };
        loop {
            if self.of_job(job).await?.is_done(due, now) {
                return Ok(None);
            }
            if self.renew(&mut claim, now, holds).await? {
                break;
            }
            claim.number += 1;
            let path = path_of(job, due, &claim_name(claim.number))?;
            match self.read::<Claimed>(&path).await? {
                Some(other) if other.until > now => return Ok(None),
                // It has run out, or went with who gave it back.
                _ => {}
            }
        }
        // Whoever had done it meanwhile may have let its claims go.
        if self.of_job(job).await?.is_done(due, now) {
            self.warehouse.delete(vec![path_of(job, due, &claim_name(claim.number))?]).await?;
            return Ok(None);
        }
        Ok(Some(claim))
    }

    /// Makes the next claim on what is claimed; false where somebody else has made it.
    ///
    /// # Errors
    /// The store fails for half a minute, which leaves open whether it is made; the same may be tried again.
    pub(super) async fn renew(&self, claim: &mut Claim, now: i64, holds: Duration) -> Result<bool> {
        let path = path_of(&claim.job, claim.due, &claim_name(claim.number + 1))?;
        let claimed = Claimed { holder: claim.holder.clone(), until: now + holds.as_micros() as i64 };
        let bytes = serde_json::to_vec(&claimed).during(|| format!("writing {path}"))?;
        let there = self.warehouse.settle(&path, bytes).await?;
        let there: Claimed = serde_json::from_slice(&there).during(|| format!("reading {path}"))?;
        let is_made = there.holder == claim.holder && there.until > now;
        claim.number += u32::from(is_made);
        Ok(is_made)
    }

    /// Lets go what nobody needs of a job once a row of the table tells what came of it: the claims on it, and what
    /// there is of earlier times, as far as that is in the table too.
    pub(super) async fn forget(&self, job: &str, due: i64, now: i64) -> Result<()> {
        let OfJob { done, mut claims, .. } = self.of_job(job).await?;
        let mut gone = claims.remove(&due).unwrap_or_default();
        let (finished, left): (Vec<i64>, Vec<i64>) =
            done.range(..due).partition(|before| !claims.contains_key(before));
        for before in finished {
            gone.push(path_of(job, before, DONE)?);
        }
        // Somebody was at work on these, and is overtaken; who is at work still needs them.
        for (_, paths) in claims.into_iter().filter(|(before, _)| *before < due && !left.contains(before)) {
            let last = match paths.last() {
                Some(path) => self.read::<Claimed>(path).await?,
                None => None,
            };
            if last.is_none_or(|claimed| claimed.until <= now) {
                gone.extend(paths);
            }
        }
        self.warehouse.delete(gone).await
    }

    /// Lets all claims of a service go that stops, so that nobody waits for it; those stay beside what came of a job
    /// whose row is not in the table yet.
    pub(super) async fn give_back(&self, holder: &str) {
        let Ok(paths) = self.paths(&Path::from(FOLDER)).await else { return };
        let names: BTreeSet<&str> = paths.iter().map(Path::as_ref).collect();
        for path in &paths {
            let Some((before, _)) = path.as_ref().split_once(CLAIM) else { continue };
            if !names.contains(format!("{before}{DONE}").as_str())
                && let Ok(Some(claimed)) = self.read::<Claimed>(path).await
                && claimed.holder == holder
            {
                let _ = self.warehouse.delete(vec![path.clone()]).await;
            }
        }
    }
}

/// What there is of a job, by when it was due.
#[derive(Debug, Default)]
pub(super) struct OfJob {
    done: BTreeSet<i64>,
    claims: BTreeMap<i64, Vec<Path>>,
}

impl OfJob {
    /// Whether nobody has ever seen it.
    pub(super) fn is_new(&self) -> bool {
        self.done.is_empty()
    }

    /// Whether it is done for a time, or for a later one that has come.
    pub(super) fn is_done(&self, due: i64, now: i64) -> bool {
        self.done.range(due..=due.max(now + APART)).next().is_some()
    }

    /// For when it was last done.
    pub(super) fn newest(&self, now: i64) -> Option<i64> {
        self.done.range(..=now + APART).next_back().copied()
    }

    /// For when it was done and has no row in the table yet.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = i64> {
        self.done.iter().copied().filter(|due| self.claims.contains_key(due))
    }
}

const DONE: &str = ".done.json";
const CLAIM: &str = ".claim-";
/// How a time is written in the name of an object.
const NAMED: &str = "%Y%m%dT%H%M%SZ";

fn claim_name(number: u32) -> String {
    format!("{CLAIM}{number:04}.json")
}

fn folder_of(job: &str) -> Path {
    Path::from(FOLDER).join(job)
}

/// Where a job that is due has its objects.
fn path_of(job: &str, due: i64, end: &str) -> Result<Path> {
    let due = Timestamp::from_microsecond(due).during(|| "naming a job".into())?;
    Ok(folder_of(job).join(format!("{}{end}", due.strftime(NAMED))))
}

/// How a time is written in names.
pub(super) fn due_text(due: i64) -> String {
    Timestamp::from_microsecond(due).map(|due| due.strftime(NAMED).to_string()).unwrap_or_default()
}

/// When the job was due that an object is of, or a text that is written so.
pub(super) fn due_of(name: &str) -> Option<i64> {
    let due = DateTime::strptime(NAMED, name.split('.').next()?).ok()?;
    Some(due.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
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
    async fn one_of_several_does_a_job_and_another_takes_over_from_a_silent_one() {
        let store = Arc::new(InMemory::new());
        let warehouse = Warehouse::over(store, Url::parse("memory:///").unwrap()).unwrap();
        let register = Register::of(&warehouse);
        let due = 1_790_000_000 * SECOND;
        let mut one = register.claim("bill", due, "one", due, HOLDS).await.unwrap().unwrap();
        assert!(register.claim("bill", due, "two", due + SECOND, HOLDS).await.unwrap().is_none());
        // It renews its claim, and is left alone for longer.
        assert!(register.renew(&mut one, due + 40 * SECOND, HOLDS).await.unwrap());
        assert!(register.claim("bill", due, "two", due + 90 * SECOND, HOLDS).await.unwrap().is_none());
        // Then it is silent.
        register.claim("bill", due, "two", due + 101 * SECOND, HOLDS).await.unwrap().unwrap();
        assert!(!register.renew(&mut one, due + 102 * SECOND, HOLDS).await.unwrap());
        let by = |by: &str| Done {
            job: "bill".into(),
            does: Does::Run,
            due,
            began: due,
            ended: due + 5,
            outcome: Outcome::Done,
            detail: String::new(),
            by: by.into(),
            run: Some(7),
            published: None,
            succeeded: Some(due + 5),
        };
        register.done(&by("two")).await.unwrap();
        assert_eq!(register.done(&by("one")).await.unwrap(), by("two"));
        assert_eq!(register.done_at("bill", due).await.unwrap(), Some(by("two")));
        // Who stops leaves the claims as they are beside what is not in the table.
        register.give_back("two").await;
        assert_eq!(register.of_job("bill").await.unwrap().unfinished().collect::<Vec<_>>(), [due]);
        register.forget("bill", due, due).await.unwrap();
        let of_job = register.of_job("bill").await.unwrap();
        assert!(of_job.unfinished().next().is_none() && of_job.claims.is_empty());
        assert_eq!(register.before("bill").await.unwrap(), (Some(7), Some(due + 5)));
        assert_eq!(register.before("close").await.unwrap(), (None, None));
        assert!(register.claim("bill", due, "three", due + 200 * SECOND, HOLDS).await.unwrap().is_none());
        // The next time it is due only that is kept, and what came of the one before is done all the same.
        let next = due + 600 * SECOND;
        let slow = next - 30 * SECOND;
        register.claim("bill", slow, "slow", slow, HOLDS).await.unwrap().unwrap();
        register.claim("bill", next, "one", next, HOLDS).await.unwrap().unwrap();
        register.done(&Done { due: next, ..by("one") }).await.unwrap();
        register.forget("bill", next, next).await.unwrap();
        // Who is overtaken and at work still has its claim, until it runs out.
        assert_eq!(register.of_job("bill").await.unwrap().claims.into_keys().collect::<Vec<_>>(), [slow]);
        register.forget("bill", next, next + 31 * SECOND).await.unwrap();
        assert!(register.of_job("bill").await.unwrap().claims.is_empty());
        assert_eq!(register.of_job("bill").await.unwrap().done, BTreeSet::from([next]));
        assert!(register.claim("bill", due, "three", next, HOLDS).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_done_by_a_clock_that_was_ahead_does_not_count_before_its_time() {
        let store = Arc::new(InMemory::new());
        let warehouse = Warehouse::over(store, Url::parse("memory:///").unwrap()).unwrap();
        let register = Register::of(&warehouse);
        let now = 1_790_000_000 * SECOND;
        let far = now + 365 * 86_400 * SECOND;
        register.begin("a/b", Does::Run, far, far).await.unwrap();
        assert!(register.of_job("a").await.unwrap().is_new());
        let of_job = register.of_job("a/b").await.unwrap();
        assert!(!of_job.is_new() && !of_job.is_done(now, now) && of_job.is_done(far, far));
        assert!(register.claim("a/b", now, "one", now, HOLDS).await.unwrap().is_some());
        // Clocks that are a little apart do nothing twice.
        register.begin("a/b", Does::Run, now + 60 * SECOND, now).await.unwrap();
        assert!(register.of_job("a/b").await.unwrap().is_done(now, now));
        register.forget("a/b", now + 60 * SECOND, now).await.unwrap();
        assert_eq!(register.of_job("a/b").await.unwrap().done, BTreeSet::from([now + 60 * SECOND, far]));
    }

    #[tokio::test]
    async fn who_stops_gives_back_what_is_claimed() {
        let store = Arc::new(InMemory::new());
        let warehouse = Warehouse::over(store, Url::parse("memory:///").unwrap()).unwrap();
        let register = Register::of(&warehouse);
        let due = 1_790_000_000 * SECOND;
        register.claim("bill", due, "one", due, HOLDS).await.unwrap().unwrap();
        register.give_back("one").await;
        assert!(register.claim("bill", due, "two", due + SECOND, HOLDS).await.unwrap().is_some());
    }
}
