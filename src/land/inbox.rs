//! The inboxes: whatever is new in them lands at the beginning of a run.

use std::collections::{BTreeSet, VecDeque};

use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;

use super::format::Input;
use super::registry::Attempt;
use super::source::nowhere;
use super::turn::{Turn, mapping_of, turn, would_land};
use super::{Before, How, Landed, Source, Written, acknowledge, gathered, landings, mapping, reader, write};
use crate::error::{Error, Mistake, Result};
use crate::project::settings::Inbox;
use crate::project::{Project, Query};
use crate::store::digest::sha256;
use crate::store::location::is_url;
use crate::store::warehouse::Warehouse;

/// Files of an inbox that are landed side by side, if they are this small together, in bytes.
const TOGETHER: usize = 16;
const TOGETHER_BYTES: u64 = 16 << 20;
/// Files of an inbox that are looked up one by one.
const LOOKED_UP: usize = 64;

/// The inboxes that look where nothing is: in none of their places, as far as those are on the disk.
pub fn inboxes_nowhere(project: &Project) -> Vec<String> {
    let of_inbox = |(name, inbox): (&String, &Inbox)| {
        if inbox.files.is_empty() {
            return Some(format!("nothing lands from inbox `{name}`: its `files` is empty"));
        }
        let mut places = Vec::new();
        for pattern in &inbox.files {
            let meant = nowhere(&project.root, pattern)?;
            places.push(if meant.is_empty() {
                format!("`{pattern}`")
            } else {
                format!("`{pattern}` ({meant})")
            });
        }
        Some(format!("nothing lands from inbox `{name}`: there is no {}", places.join(" and no ")))
    };
    project.settings.inbox.iter().filter_map(of_inbox).collect()
}

/// Lands the new files of every inbox; a file is looked at again only when its size or time changed.
pub async fn land_inboxes(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let mut seen = None;
    for inbox in project.settings.inbox.values() {
        let with = inbox.with.as_ref().and_then(|with| project.landing.get(with));
        let files = Source::of_inbox(&project.root, &inbox.files).await?;
        if files.is_empty() {
            continue;
        }
        let mapping = mapping_of(project, with)?;
        let marked = files.into_iter().map(|file| (Marks::of(&file, &mapping), file)).collect();
        let mut new = not_seen(warehouse, marked, &mut seen).await?;
        while !new.is_empty() {
            let together = together(&mut new);
            land_together(project, warehouse, context, &together, with, notice).await?;
        }
    }
    Ok(())
}

/// A file of an inbox that the next run lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The file as messages name it.
    pub file: String,
    /// In bytes.
    pub bytes: u64,
}

/// The files of every inbox that a run would land now, in the order of landing, and what was sent to a service. Nothing
/// is written, and of a file on the disk it is known whether its content has landed; one elsewhere is not fetched for
/// that.
pub async fn awaited(project: &Project, warehouse: &Warehouse) -> Result<Vec<Awaited>> {
    let known = landings(warehouse).await?;
    let (mut seen, mut contents, mut awaited) = (None, BTreeSet::new(), Vec::new());
    for inbox in project.settings.inbox.values() {
        let with = inbox.with.as_ref().and_then(|with| project.landing.get(with));
        let mapping = mapping_of(project, with)?;
        let files = Source::of_inbox(&project.root, &inbox.files).await?;
        let marked = files.into_iter().map(|file| (Marks::of(&file, &mapping), file)).collect();
        for (_, file) in not_seen(warehouse, marked, &mut seen).await? {
            if file.path().is_some() {
                let content = file.fetch().await?.content;
                let how = How { with, ..How::default() };
                let lands = would_land(project, warehouse, &content, how, &known).await?;
                if !lands || !contents.insert(content) {
                    continue;
                }
            }
            awaited.push(Awaited { file: file.name, bytes: file.size });
        }
    }
    let bytes = gathered::waiting_bytes(warehouse).await?;
    if bytes > 0 {
        awaited.push(Awaited { file: "usage that was sent".into(), bytes });
    }
    Ok(awaited)
}

/// The files that were not seen before. Few are looked up one by one, however many have been seen; of many, the list of
/// those is shorter work, and it is read once.
async fn not_seen(
    warehouse: &Warehouse,
    marked: Vec<(Marks, Source)>,
    listed: &mut Option<BTreeSet<String>>,
) -> Result<VecDeque<(Marks, Source)>> {
    if marked.len() <= LOOKED_UP && listed.is_none() {
        let looked_up = marked.into_iter().map(|(marks, file)| async move {
            let is_seen = warehouse.has(&seen_at(&marks.taken)).await?
                || warehouse.has(&seen_at(&marks.rejected)).await?;
            Ok::<_, Error>((!is_seen).then_some((marks, file)))
        });
        let found: Vec<Option<(Marks, Source)>> =
            futures::stream::iter(looked_up).buffered(TOGETHER).try_collect().await?;
        return Ok(found.into_iter().flatten().collect());
    }
    let listed = match listed {
        Some(listed) => listed,
        None => listed.insert(warehouse.list(SEEN).await?),
    };
    let is_new = |marks: &Marks| !listed.contains(&marks.taken) && !listed.contains(&marks.rejected);
    Ok(marked.into_iter().filter(|(marks, _)| is_new(marks)).collect())
}

/// The register of files that were seen, and where one is in it.
const SEEN: &str = "registry/seen";

fn seen_at(mark: &str) -> Path {
    Path::from(format!("{SEEN}/{mark}"))
}

/// The names under which the registry keeps that a file was seen.
struct Marks {
    /// Where something of it was taken: read in another way it would be the same usage.
    taken: String,
    /// Where nothing was: read in another way it is tried again.
    rejected: String,
}

impl Marks {
    fn of(file: &Source, mapping: &str) -> Self {
        let version = &file.version;
        Self { taken: sha256(version), rejected: sha256(format!("{version}\0{mapping}")) }
    }
}

/// Takes the next files that are landed side by side: small ones, or one that is not.
fn together(files: &mut VecDeque<(Marks, Source)>) -> Vec<(Marks, Source)> {
    let mut bytes = 0;
    let mut together = Vec::new();
    while let Some((_, file)) = files.front() {
        bytes += file.size;
        if !together.is_empty() && (bytes > TOGETHER_BYTES || together.len() == TOGETHER) {
            break;
        }
        together.extend(files.pop_front());
    }
    together
}

/// Lands files that are numbered in their order, and acknowledges them at once; where one fails, those before it are
/// landed all the same.
async fn land_together(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    files: &[(Marks, Source)],
    with: Option<&Query>,
    notice: &(dyn Fn(&Landed) + Sync),
) -> Result<()> {
    let known = landings(warehouse).await?;
    let mut begun = BTreeSet::new();
    let mut failed = None;
    let mut writing: Vec<BoxFuture<'_, Result<Written>>> = Vec::new();
    for (_, file) in files {
        let numbered = async {
            let file = file.fetch().await?;
            let turn = turn(project, warehouse, &file, How { with, ..How::default() }, &known).await?;
            Ok((file, turn))
        };
        match numbered.await {
            Ok((file, Turn::Now(Attempt { landing_id, .. }))) if begun.insert(landing_id) => writing.push(
                async move { write(project, warehouse, context, &file, with, landing_id).await }.boxed(),
            ),
            // A copy of a file that lands at this moment.
            Ok((file, Turn::Now(Attempt { landing_id, .. }))) => {
                writing.push(async move { Ok(Written::before(&file, landing_id, Before::Counted)) }.boxed())
            }
            Ok((file, Turn::Not(landing_id, before))) => {
                writing.push(async move { Ok(Written::before(&file, landing_id, before)) }.boxed())
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let mut landed = Vec::new();
    let mut outcomes = futures::stream::iter(writing).buffered(TOGETHER);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(written) => landed.push(written),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    copy_fates(&mut landed);
    let with_records: Vec<&Written> = landed.iter().filter(|written| written.has_records()).collect();
    acknowledge(project, warehouse, &with_records).await?;
    for ((marks, _), Written { landed, .. }) in files.iter().zip(&landed) {
        let mark = if landed.is_rejected() { &marks.rejected } else { &marks.taken };
        warehouse.create(&seen_at(mark), Vec::new()).await?;
        notice(landed);
    }
    failed.map_or(Ok(()), Err)
}

/// Of files with one content, the later ones are what the first one is.
fn copy_fates(landed: &mut [Written]) {
    for number in 0..landed.len() {
        let (before, [this, ..]) = landed.split_at_mut(number) else { break };
        let first = before.iter().find(|one| one.landed.landing_id == this.landed.landing_id);
        match first.map(|first| &first.landed) {
            Some(first) if first.received == 0 && first.before.is_none() => this.landed.before = None,
            Some(first) if first.is_rejected() => this.landed.before = Some(Before::Rejected),
            _ => {}
        }
    }
}

/// What a landing query says that no file of an inbox has, as far as these can be read without landing them: the newest
/// ones on the disk, if none of them is JSON.
pub async fn inbox_mistakes(project: &Project, context: &SessionContext) -> Result<Vec<Mistake>> {
    const LOOKED_AT: usize = 20;
    let mut mistakes = Vec::new();
    for inbox in project.settings.inbox.values() {
        let Some(query) = inbox.with.as_ref().and_then(|with| project.landing.get(with)) else { continue };
        let patterns = inbox.files.iter().filter(|pattern| !is_url(pattern));
        let patterns: Vec<String> = patterns.cloned().collect();
        // Whatever is wrong with the inbox itself is said by whoever lands it.
        let Ok(files) = Source::of_inbox(&project.root, &patterns).await else { continue };
        let mut names = BTreeSet::new();
        for path in files.iter().rev().filter_map(Source::path).take(LOOKED_AT) {
            match reader::field_names(Input::File(path.to_path_buf())) {
                Ok(Some(found)) => names.extend(found),
                _ => {
                    names.clear();
                    break;
                }
            }
        }
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            mistakes.extend(mapping::unknown_columns(context, query, &names).await?);
        }
    }
    Ok(mistakes)
}
