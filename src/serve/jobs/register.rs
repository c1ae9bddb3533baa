//! Which job was done when, and who does one: create-only objects below `registry/job`.
//!
//! A job that is due is a name and a time. Claims on it are numbered: the next one can be made where the last has run
//! out, or by who has it, to renew it. What came of it is one object, which ends it for everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::error::{Result, While};
use crate::project::settings::Does;
use crate::store::warehouse::Warehouse;

const FOLDER: &str = "registry/job";
/// Objects that are read at one time.
const AT_ONCE: usize = 16;

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

    /// For when a job was last done, or begun with.
    pub(super) async fn last_done(&self, job: &str) -> Result<Option<i64>> {
        Ok(self.newest(job).await?.map(|done| done.due))
    }

    /// The newest run when it was last done.
    pub(super) async fn last_run(&self, job: &str) -> Result<Option<u64>> {
        let newest = self.newest(job).await?;
        Ok(newest.filter(|done| done.outcome != Outcome::New).and_then(|done| done.run))
    }

    /// What came of a job when it was last done, or begun with.
    pub(super) async fn newest(&self, job: &str) -> Result<Option<Done>> {
        let listing = || format!("listing {FOLDER}/{job} in the warehouse");
        let folder = Path::from(format!("{FOLDER}/{job}"));
        let months = self.warehouse.store().list_with_delimiter(Some(&folder)).await.during(listing)?;
        let mut months = months.common_prefixes;
        months.sort();
        for month in months.iter().rev() {
            let names = self.warehouse.list(month.as_ref()).await?;
            if let Some(name) = names.iter().filter(|name| name.ends_with(DONE)).max() {
                return self.read(&month.clone().join(name.as_str())).await;
            }
        }
        Ok(None)
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &Path) -> Result<Option<T>> {
        let Some(bytes) = self.warehouse.read(path).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).during(|| format!("reading {path} in the warehouse"))
    }

    /// Notes that a job is known from now on.
    pub(super) async fn begin(&self, job: &str, does: Does, due: i64, now: i64) -> Result<()> {
        let (detail, by) = ("known from now on".to_string(), String::new());
        let outcome = Outcome::New;
        let done =
            Done { job: job.into(), does, due, began: now, ended: now, outcome, detail, by, run: None };
        self.done(&done).await
    }

    /// Notes what came of a job; where somebody else has done so, that stays.
    pub(super) async fn done(&self, done: &Done) -> Result<()> {
        let path = path_of(&done.job, done.due, DONE)?;
        let bytes = serde_json::to_vec(done).during(|| format!("writing {path}"))?;
        self.warehouse.create(&path, bytes).await.map(|_| ())
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
            if self.warehouse.has(&path_of(job, due, DONE)?).await? {
                return Ok(None);
            }
            if self.renew(&mut claim, now, holds).await? {
                return Ok(Some(claim));
            }
            claim.number += 1;
            let path = path_of(job, due, &claim_name(claim.number))?;
            match self.read::<Claimed>(&path).await? {
                Some(other) if other.until > now => return Ok(None),
                // It has run out, or went with who gave it back.
                _ => {}
            }
        }
    }

    /// Makes the next claim on what is claimed; false where somebody else has made it.
    pub(super) async fn renew(&self, claim: &mut Claim, now: i64, holds: Duration) -> Result<bool> {
        let path = path_of(&claim.job, claim.due, &claim_name(claim.number + 1))?;
        let claimed = Claimed { holder: claim.holder.clone(), until: now + holds.as_micros() as i64 };
        let bytes = serde_json::to_vec(&claimed).during(|| format!("writing {path}"))?;
        let is_made = self.warehouse.create(&path, bytes).await?;
        claim.number += u32::from(is_made);
        Ok(is_made)
    }

    /// Lets the claims of a job go that is done.
    pub(super) async fn drop_claims(&self, claim: &Claim) -> Result<()> {
        let paths = (1..=claim.number).map(|number| path_of(&claim.job, claim.due, &claim_name(number)));
        self.warehouse.delete(paths.collect::<Result<_>>()?).await
    }

    /// Lets all claims of a service go that stops, so that nobody waits for it.
    pub(super) async fn give_back(&self, holder: &str) {
        let Ok(objects) = self.objects(CLAIM).await else { return };
        for path in objects {
            if let Ok(Some(claimed)) = self.read::<Claimed>(&path).await
                && claimed.holder == holder
            {
                let _ = self.warehouse.delete(vec![path]).await;
            }
        }
    }

    async fn objects(&self, kind: &str) -> Result<Vec<Path>> {
        let listed = self.warehouse.store().list(Some(&Path::from(FOLDER)));
        let found = listed.map_ok(|object| object.location).try_filter(|path| {
            let is_kind = path.filename().is_some_and(|name| name.contains(kind));
            std::future::ready(is_kind)
        });
        found.try_collect().await.during(|| format!("listing {FOLDER} in the warehouse"))
    }
}

/// What came of all jobs, the newest first.
pub async fn history(warehouse: &Warehouse) -> Result<Vec<Done>> {
    let paths = Register::of(warehouse).objects(DONE).await?;
    let read = paths.into_iter().map(|path| async move { Register::of(warehouse).read::<Done>(&path).await });
    let done: Vec<Option<Done>> = futures::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let by_time = done.into_iter().flatten().map(|done| ((done.began, done.due, done.job.clone()), done));
    Ok(by_time.collect::<BTreeMap<_, _>>().into_values().rev().collect())
}

const DONE: &str = ".done.json";
const CLAIM: &str = ".claim-";

fn claim_name(number: u32) -> String {
    format!("{CLAIM}{number:04}.json")
}

/// Where a job that is due has its objects: in the folder of the month.
fn path_of(job: &str, due: i64, end: &str) -> Result<Path> {
    let due = Timestamp::from_microsecond(due).during(|| "naming a job".into())?;
    let (month, second) = (due.strftime("%Y-%m"), due.strftime("%Y%m%dT%H%M%SZ"));
    Ok(Path::from(format!("{FOLDER}/{job}/{month}/{second}{end}")))
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
        let two = register.claim("bill", due, "two", due + 101 * SECOND, HOLDS).await.unwrap().unwrap();
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
        };
        register.done(&by("two")).await.unwrap();
        register.done(&by("one")).await.unwrap();
        register.drop_claims(&two).await.unwrap();
        assert_eq!(history(&warehouse).await.unwrap(), [by("two")]);
        assert_eq!(register.last_done("bill").await.unwrap(), Some(due));
        assert_eq!(register.last_run("bill").await.unwrap(), Some(7));
        assert_eq!(register.last_run("close").await.unwrap(), None);
        assert!(register.claim("bill", due, "three", due + 200 * SECOND, HOLDS).await.unwrap().is_none());
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
