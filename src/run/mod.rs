//! One run: pin what has landed, bring every table up to date, check, publish.
//!
//! A run is a function of the queries, the reference files, the landed records and the as-of. It reads no clock; where
//! nothing that it depends on has changed, it does nothing.

mod aside;
mod checks;
pub mod clock;
mod close;
mod decide;
pub mod event;
mod fold;
mod merge;
pub mod plan;
mod replay;
mod rerate;
mod start;
mod tables;
mod taken;
mod tell;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;

pub use aside::{Aside, aside};
pub use close::period_ends;
pub use replay::replay;
pub use rerate::is_closed;

use self::event::{Event, Hear, Report, Step, Way};
use self::start::{last_landing, stem_after};
use crate::catalog::{pin, pin_all, pin_at};
use crate::check::reference;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::land;
use crate::ledger::closing::{Closing, Rules, keep_project};
use crate::ledger::{self, Entry, FORM, TableEntry, content, files_hash};
use crate::project::{
    BILLED_ITEM, BOOKS, GUIDED_USAGE, PERIOD_CHANGE, PERIOD_END, Project, Query, RERATED_LINE, USAGE_RECORD,
};
use crate::refresh::fingerprint;
use crate::refresh::touched::Changes;
use crate::store::warehouse::Warehouse;
use crate::table::checksum;
use crate::table::file::DataFile;

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The instant it is made for, in microseconds since the epoch.
    pub as_of: i64,
    /// The same as text, RFC 3339.
    pub as_of_text: String,
    /// The clock, in microseconds since the epoch; a guard compares the as-of with it, and nothing else reads it.
    pub now: i64,
    /// Why it is done though a guard refuses; none: not then.
    pub accepted: Option<String>,
    /// Who runs it.
    pub by: String,
    /// The one billing period whose cycle-grain tables are made; none: all.
    pub period: Option<String>,
    /// The period that is closed next: where it cannot be, nothing is published.
    pub before_closing: Option<String>,
    /// The period to close, as the run before published it; then the tables that follow the books are made.
    pub close: Option<Close>,
    /// The closed periods to rate by the rules of today.
    pub rerate: Vec<Rerate>,
}

impl Request {
    /// A run of all open periods for an instant, which is the clock's if nobody says another.
    pub fn new(as_of: i64, now: i64, by: String) -> Result<Self> {
        let as_of_text = jiff::Timestamp::from_microsecond(as_of).during(|| "writing the as-of".into())?;
        Ok(Self {
            as_of,
            as_of_text: as_of_text.to_string(),
            now,
            accepted: None,
            by,
            period: None,
            before_closing: None,
            close: None,
            rerate: Vec::new(),
        })
    }
}

/// A period that is to be closed.
#[derive(Debug, Clone)]
pub struct Close {
    /// The billing period.
    pub period: String,
    /// Who closes it.
    pub by: String,
}

/// A closed period that is to be rated by the rules of today.
#[derive(Debug, Clone)]
pub struct Rerate {
    /// The billing period.
    pub period: String,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a run would find new.
#[derive(Debug, Clone)]
pub struct News {
    /// What changed in the project.
    pub changed: Option<String>,
    /// Whether anything landed.
    pub has_landed: bool,
}

/// What is new since this run was published, without doing anything about it.
pub async fn news(project: &Project, warehouse: &Warehouse, head: &Entry) -> Result<News> {
    let mut landed = BTreeMap::new();
    let now = pin(warehouse).await?;
    let is_then = now.iter().all(|(table, (version, _))| head.inputs.get(table) == Some(version));
    let then = if is_then { None } else { Some(pin_at(warehouse, Some(&head.inputs)).await?) };
    for (table, (_, files)) in &now {
        // Files that were merged since have the rows that they had.
        let before = then.as_ref().unwrap_or(&now).get(table).map(|(_, files)| content(files));
        landed.insert(table.clone(), Some(content(files)).filter(|now| before.as_ref() == Some(now)));
    }
    let has_landed = landed.values().any(Option::is_none);
    Ok(News { changed: fingerprint::changed_since(project, head, &landed)?, has_landed })
}

/// Lands the inboxes, looks for mistakes in the project meanwhile, and runs and publishes where there is none.
pub async fn run(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    request: &Request,
    hear: Hear<'_>,
) -> Result<Report> {
    let checked = project.clone();
    let checking =
        tokio::spawn(async move { crate::check::check(&checked, &session(&checked.settings, None)?).await });
    let begun = async {
        let head = ledger::head(warehouse).await?;
        clock::before_closing(request, head.as_ref())?;
        clock::tell(request, head.as_ref(), hear)?;
        take_in(project, warehouse, context, head.as_ref(), hear).await?;
        begin(project, warehouse, context, request, hear).await
    };
    let begun = begun.await;
    // Whatever else went wrong may follow from a mistake.
    if let Err(mistakes) = checking.await.during(|| "checking the project".into())? {
        if let Ok(begun) = begun {
            begun.run.discard().await?;
        }
        return Err(mistakes);
    }
    begun?.make().await?.publish().await
}

async fn take_in(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    head: Option<&Entry>,
    hear: Hear<'_>,
) -> Result<()> {
    warehouse.probe().await?;
    if let Some(head) = head {
        // What is landed on a log that lost its end would hide that.
        let landed = pin_all(warehouse, head).await?;
        merge::merge(project, warehouse, head, &landed, hear).await?;
    }
    for inbox in land::inboxes_nowhere(project) {
        hear(&Event::Nowhere { inbox });
    }
    let notice = |one: &land::Landed| hear(&Event::Landed(one.clone()));
    land::land_inboxes(project, warehouse, context, &notice).await?;
    land::gathered::land_gathered(project, warehouse, context, &notice).await
}

/// A run whose inputs are pinned and whose reference data is taken in and checked.
struct Begun<'a> {
    run: Run<'a>,
    parked: Vec<(String, String)>,
    /// The checks that read reference data only.
    first: Vec<&'a Query>,
    /// The others.
    last: Vec<&'a Query>,
    started: Instant,
}

/// A run that is made and checked; nobody sees it before it is published.
pub struct Prepared<'a> {
    run: Run<'a>,
    parked: Vec<(String, String)>,
    /// How long it took so far; while somebody is asked whether it is right, nothing is done.
    took: Duration,
}

/// Brings every table up to date with what has landed, and checks it; the tables of the session are those of the run.
pub async fn prepare<'a>(
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a Request,
    hear: Hear<'a>,
) -> Result<Prepared<'a>> {
    begin(project, warehouse, context, request, hear).await?.make().await
}

/// Pins what has landed, and takes in reference data and checks it.
async fn begin<'a>(
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a Request,
    hear: Hear<'a>,
) -> Result<Begun<'a>> {
    let started = Instant::now();
    let head = ledger::recover(warehouse, project).await?;
    let is_accepted = clock::before_closing(request, head.as_ref())?;
    checksum::demand(context);
    let stem = stem_after(head.as_ref());
    let mut run = Run::start(project, warehouse, context, request, hear, head, stem).await?;
    run.is_accepted = is_accepted;
    let (first, last) = first_and_last(project);
    let begun = run.begin(&first).await;
    let parked = run.or_discard(begun).await?;
    Ok(Begun { run, parked, first, last, started })
}

/// The checks that read reference data only, and the others: two prices in force at one instant are found before
/// anything is rated.
fn first_and_last(project: &Project) -> (Vec<&Query>, Vec<&Query>) {
    let references: BTreeSet<&str> = project.reference().map(|schema| schema.name.as_str()).collect();
    let is_first = |check: &&Query| check.reads.keys().all(|name| references.contains(name.as_str()));
    project.checks.values().partition(is_first)
}

impl<'a> Begun<'a> {
    /// Makes every table, and checks them.
    async fn make(self) -> Result<Prepared<'a>> {
        let Self { mut run, parked, first, last, started } = self;
        let made = run.make_all(parked, &first, &last).await;
        let parked = run.or_discard(made).await?;
        Ok(Prepared { run, parked, took: started.elapsed() })
    }
}

impl<'a> Run<'a> {
    /// Closes and lets rate again what is asked for, and takes in reference data and checks it; who is parked.
    async fn begin(&mut self, first: &[&'a Query]) -> Result<Vec<(String, String)>> {
        let request = self.request;
        if let Some(period) = request.period.as_ref().filter(|period| self.closed().contains(*period)) {
            let hint = "what comes late is settled by corrections in the open period: `meterhouse run`";
            return Err(Error::usage(format!("{period} is closed"), hint));
        }
        if let Some(close) = &request.close {
            self.close(close).await?;
        }
        self.let_rerate(&request.rerate).await?;
        self.read_ahead();
        self.snapshot_references().await?;
        self.divide_work();
        if self.steps.is_empty() {
            return Ok(Vec::new());
        }
        self.check_names(&reference::declared(self.project).0).await?;
        self.check(first).await
    }

    /// Makes every table, and checks them; who is parked, with whom is already.
    async fn make_all(
        &mut self,
        mut parked: Vec<(String, String)>,
        first: &[&'a Query],
        last: &[&'a Query],
    ) -> Result<Vec<(String, String)>> {
        let has_references = !self.steps.is_empty();
        self.make_tables(|_| true).await?;
        self.knows_its_periods().await?;
        if self.has_news() {
            // Whoever was parked for what is the same still stays parked.
            if !has_references {
                parked.extend(self.check(first).await?);
            }
            self.check_names(&reference::declared(self.project).1).await?;
            parked.extend(self.check(last).await?);
            self.tell().await?;
            parked.sort();
            parked.dedup();
        }
        Ok(parked)
    }

    /// Makes the tables and views that are wanted; what they read has to be wanted too.
    async fn make_tables(&mut self, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let project = self.project;
        // Closed periods are rated again before anything carries on from them.
        let items = project.closing.get(BILLED_ITEM).filter(|_| !self.request.rerate.is_empty());
        let is_item =
            |name: &str| is_wanted(name) && items.is_some_and(|items| project.is_behind(items, name));
        self.refresh_all(project.waves(is_item)).await?;
        self.book_items(items).await?;
        let carries_on = |name: &str| is_wanted(name) && carries_on(project, name);
        self.refresh_all(project.waves(|name| is_wanted(name) && !is_item(name) && !carries_on(name)))
            .await?;
        if project.order.iter().any(|name| carries_on(name)) {
            self.rerate_changed().await?;
            self.refresh_all(project.waves(carries_on)).await?;
        }
        Ok(())
    }
}

/// Whether a table or view carries on from closed periods, as they are rated now.
fn carries_on(project: &Project, name: &str) -> bool {
    let tells = name == PERIOD_CHANGE || project.is_made_from(PERIOD_CHANGE, name);
    !tells && [GUIDED_USAGE, RERATED_LINE].iter().any(|table| project.is_made_from(name, table))
}

impl Prepared<'_> {
    /// Publishes the run; where nothing is new, there is nothing to publish.
    pub async fn publish(self) -> Result<Report> {
        let Self { run, parked, took } = self;
        if !run.has_news() {
            run.discard().await?;
            let parked = run.head.map(|head| head.parked).unwrap_or_default();
            let skipped = run.tables.keys().filter(|table| !BOOKS.contains(&table.as_str())).count();
            return Ok(Report { steps: Vec::new(), skipped, published: None, parked, checks: 0 });
        }
        let (project, warehouse) = (run.project, run.warehouse);
        let mut entry = Entry {
            schema_version: FORM,
            run: run.number,
            as_of: run.request.as_of_text.clone(),
            by: run.request.by.clone(),
            took_seconds: took.as_millis() as f64 / 1000.0,
            project: keep_project(warehouse, project).await?,
            period: run.request.period.clone(),
            inputs: run.inputs,
            landed: run
                .landed_files
                .iter()
                .map(|(table, files)| (table.clone(), files_hash(files)))
                .collect(),
            last_landing: last_landing(&run.landed_files),
            tables: run.tables,
            accepted: run.request.accepted.clone().filter(|_| run.is_accepted),
            parked: parked.clone(),
            closings: run.closings,
            rules: run.rules,
            rerated: run.rerated,
            asked: run.asked,
            previous: String::new(),
        };
        ledger::publish(warehouse, project, run.head.as_ref(), &mut entry).await?;
        let written: BTreeSet<&str> = run.steps.iter().map(|step| step.table.as_str()).chain(BOOKS).collect();
        let skipped = entry.tables.keys().filter(|table| !written.contains(table.as_str())).count();
        let broken: BTreeSet<&String> = parked.iter().map(|(_, check)| check).collect();
        let checks = project.checks.len() - broken.len();
        Ok(Report { steps: run.steps, skipped, published: Some(entry.run), parked, checks })
    }

    /// Gives the run up; what it wrote is deleted.
    pub async fn discard(self) -> Result<()> {
        self.run.discard().await
    }
}

struct Run<'a> {
    project: &'a Project,
    warehouse: &'a Warehouse,
    context: &'a SessionContext,
    request: &'a Request,
    hear: Hear<'a>,
    head: Option<Entry>,
    number: u64,
    /// Names the files of this attempt, so that two runners never write one path.
    stem: String,
    inputs: BTreeMap<String, u64>,
    /// What each landed table holds, as far as fingerprints are concerned.
    landed: BTreeMap<String, String>,
    /// The files of each landed table.
    landed_files: BTreeMap<String, Vec<DataFile>>,
    /// What each landed table held when the run before read it.
    landed_then: BTreeMap<String, String>,
    /// How tables are other than the run before left them.
    changes: Changes,
    /// Tables that a plan takes for changed, though it does not make them.
    assumed: BTreeSet<String>,
    tables: BTreeMap<String, TableEntry>,
    steps: Vec<Step>,
    /// Whether it is done because somebody accepted what a guard refuses.
    is_accepted: bool,
    closings: Vec<Closing>,
    rerated: BTreeMap<String, String>,
    rules: BTreeMap<String, Rules>,
    /// Of what each event query was asked, as `Entry` has it.
    asked: BTreeMap<String, String>,
    /// What this run made of closed periods, by table and period.
    again: BTreeMap<String, BTreeMap<String, Vec<DataFile>>>,
}

impl Run<'_> {
    /// What a table holds, as far as fingerprints are concerned.
    fn content(&self, table: &str) -> String {
        match self.landed.get(table) {
            _ if self.assumed.contains(table) => "another".into(),
            Some(landed) => landed.clone(),
            None => self.tables.get(table).map(TableEntry::content).unwrap_or_default(),
        }
    }

    /// The periods that are closed, or are being closed by this run.
    fn closed(&self) -> BTreeSet<String> {
        self.closings.iter().map(|closing| closing.billing_period.clone()).collect()
    }

    fn before(&self, table: &str) -> TableEntry {
        let before = self.head.as_ref().and_then(|head| head.tables.get(table));
        let mut before = before.cloned().unwrap_or_default();
        before.again.extend(self.again.get(table).cloned().unwrap_or_default());
        before
    }

    /// Reads little usage that is new while reference data is taken in; the first tables are made from it.
    fn read_ahead(&self) {
        let before = self.head.as_ref().and_then(|head| head.inputs.get(USAGE_RECORD));
        if self.inputs.get(USAGE_RECORD) == before {
            return;
        }
        let context = self.context.clone();
        // An error comes again from whoever reads it next.
        tokio::spawn(async move { context.table(USAGE_RECORD).await?.create_physical_plan().await });
    }

    /// Whether there is anything to publish: a changed table, or one that need not be made again next time.
    fn has_news(&self) -> bool {
        let Some(head) = &self.head else { return true };
        if self.asks_otherwise(head) {
            return true;
        }
        self.tables.iter().any(|(name, table)| match head.tables.get(name) {
            None => true,
            Some(before) => {
                // What reads the as-of is made again whenever that moves; the same rows are no news.
                let by_as_of =
                    self.project.queries.get(name).is_some_and(|query| self.project.reads_as_of(query));
                table.files != before.files
                    || table.again != before.again
                    || (!by_as_of && table.fingerprint != before.fingerprint)
            }
        })
    }

    /// Refuses the one billing period that is to be made where there is none of that name, and the one that is closed
    /// next where it cannot be.
    async fn knows_its_periods(&self) -> Result<()> {
        if let Some(period) = &self.request.before_closing {
            self.may_close(period).await?;
        }
        let Some(period) = &self.request.period else { return Ok(()) };
        if !self.project.queries.contains_key(PERIOD_END) {
            return Ok(());
        }
        let ends = period_ends(self.context).await?;
        if ends.contains_key(period) {
            return Ok(());
        }
        let known = match (ends.keys().next(), ends.keys().last()) {
            (Some(first), Some(last)) => format!("there are {first} to {last}"),
            _ => "there are none: no contract has a cycle".into(),
        };
        Err(Error::data(
            format!("there is no billing period {period}; nothing was published"),
            format!("{known}, as of {}; `meterhouse status` shows them", self.request.as_of_text),
        ))
    }

    /// Nothing was published, so nothing is left behind.
    async fn discard(&self) -> Result<()> {
        for step in self.steps.iter().filter(|step| step.way != Way::Same) {
            let before = self.before(&step.table);
            self.delete_new(
                &self.project.schemas[&step.table],
                &self.tables[&step.table].files,
                &before.files,
            )
            .await?;
        }
        for (table, periods) in &self.again {
            for files in periods.values() {
                self.delete_new(&self.project.schemas[table], files, &[]).await?;
            }
        }
        for schema in BOOKS.iter().filter_map(|name| self.project.schemas.get(*name)) {
            let now = self.tables.get(&schema.name).map(|table| table.files.as_slice()).unwrap_or_default();
            self.delete_new(schema, now, &self.before(&schema.name).files).await?;
        }
        Ok(())
    }
}
