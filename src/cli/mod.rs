//! The command line: what may be typed, and which part of the program does it.

mod access;
mod answers;
mod arguments;
mod begin;
mod books;
mod completion;
mod counter;
mod events;
mod explain;
mod log;
pub mod mistakes;
mod plan;
pub mod prompt;
mod runs;
mod serve;
mod shown;
mod spans;
pub mod stderr;
pub mod stdout;
mod usage;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::CommandFactory;
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;
use meterhouse_sql::cycle::parse_instant;

pub use arguments::Cli;

use self::arguments::Command;
use self::shown::{in_reading_order, title, warn_waiting};
use crate::answer::{describe, views};
use crate::check::reference;
use crate::encode::Format;
use crate::encode::answer::Tables;
use crate::engine::plan::{execution_error, stream_of};
use crate::engine::session::session;
use crate::error::{Error, Mistake, Result, While};
use crate::events::message::Wanted;
use crate::land::decision::Decision;
use crate::project::{Project, Query};
use crate::run::event::{Event, Report, Way};
use crate::sample::{generate, init};
use crate::serve::Clock;
use crate::store::location::keep_private;
use crate::store::warehouse::Warehouse;
use crate::{catalog, check, land, ledger, run};

/// Whether somebody sits at both ends.
fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Where data goes.
type Out<'a> = &'a mut (dyn Write + Send);

/// Does what was typed; `clock` is read once, and again and again only by what goes on, `sample` is what `init` writes,
/// and `out` takes the data.
///
/// Boxed, so that all of it is compiled with the library and not once more with each program and test.
pub fn execute<'a>(
    cli: Cli,
    clock: Clock,
    sample: fn() -> init::Sample,
    out: Out<'a>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(dispatch(cli, clock, sample, out))
}

async fn dispatch(cli: Cli, clock: Clock, sample: fn() -> init::Sample, out: Out<'_>) -> Result<()> {
    let now = clock();
    if cli.format == Some(Format::Html) && !matches!(cli.command, Command::Export { .. }) {
        let hint = "--format table, json, ndjson, csv, markdown or parquet";
        return Err(Error::usage("only `meterhouse export` writes html", hint));
    }
    if cli.format == Some(Format::Arrow) {
        let hint = "--format parquet; over HTTP, `meterhouse serve` writes it";
        return Err(Error::usage("no command writes a stream of Arrow", hint));
    }
    if cli.format == Some(Format::Parquet)
        && std::io::stdout().is_terminal()
        && !matches!(cli.command, Command::Export { .. })
    {
        let hint = "meterhouse --format parquet sql \"select ...\" > rows.parquet";
        return Err(Error::usage("Parquet is not text, and standard output is a terminal", hint));
    }
    if cli.format.is_some() && !cli.command.writes_rows() {
        stderr::line("warning: this command writes no rows, so --format has no effect");
    }
    if let Some(outcome) = without_project(&cli, sample, out) {
        return outcome;
    }
    let (project, mut mistakes) = Project::read(&cli.project, &cli.set)?;
    if mistakes.is_empty() {
        mistakes = project.missing_tables();
    }
    if !mistakes.is_empty() {
        return Err(all_mistakes(&project, mistakes).await);
    }
    let as_of = match &cli.as_of {
        None => now,
        Some(text) => parse_instant(text, &land::project_zone(&project)?)
            .map_err(|error| Error::usage(format!("--as-of: {error}"), "such as 2026-11-01T00:00:00Z"))?,
    };
    if jiff::Timestamp::from_microsecond(as_of).is_err() {
        return Err(Error::usage("--as-of: no time of these years", "such as 2026-11-01T00:00:00Z"));
    }
    if let Some(outcome) = without_warehouse(&cli, &project, out).await {
        return outcome;
    }
    if project.settings.warehouse.private {
        keep_private();
    }
    let warehouse = Warehouse::open(&cli.project, &project.settings).await?;
    let context = session(&project.settings, Some(&warehouse))?;
    let (asked, quiet, verbose) = (cli.format, cli.quiet, cli.verbose);
    let opened = Opened { project, warehouse, context, as_of, now, asked, quiet, verbose };
    match cli.command {
        // Done above.
        Command::Check | Command::Describe { .. } | Command::Generate { .. } => Ok(()),
        Command::Init { .. } | Command::Completions { .. } => Ok(()),
        Command::Land { files, with, hold, again, why } => {
            opened.land(&files, with.as_deref(), hold.as_deref(), again, &why).await
        }
        Command::Release { name, why } => opened.end_hold(Decision::Release(name), &why).await,
        Command::Discard { name, why } => opened.end_hold(Decision::Discard(name), &why).await,
        Command::Void { ids, which, replaced_by, why } => {
            opened.void(&ids, &which, replaced_by.as_deref(), &why).await
        }
        Command::WriteOff { ids, which, why } => opened.write_off(&ids, &which, &why).await,
        Command::Restore { ids, which, why } => opened.restore(&ids, &which, &why).await,
        Command::Close { period, confirm, accept, by } => {
            opened.close(period, confirm.as_deref(), accept, by).await
        }
        Command::Rerate { period, confirm, accept, why } => {
            opened.rerate(period, confirm.as_deref(), accept, &why, out).await
        }
        Command::Vacuum { keep_days, dry_run, by } => opened.vacuum(keep_days, dry_run, by, out).await,
        Command::Verify { head } => opened.verify(head.as_deref(), out).await,
        Command::Run { replay: Some(number), .. } => opened.replay(number).await,
        Command::Run { period, replay: None, accept, by } => opened.run(period, accept, by, out).await,
        Command::Plan { period, count } => opened.plan(period, count, out).await,
        Command::Status { reach_back: true, .. } => opened.reach_back(out).await,
        Command::Status { accrual, reach_back: false } => opened.status(accrual, out).await,
        Command::Explain { line_id, usage, source } => {
            opened.explain(line_id.as_deref(), usage.as_deref(), source.as_deref(), out).await
        }
        Command::Export { period, to, one_file, .. } => {
            let to = to.unwrap_or_else(|| cli.project.join("export").display().to_string());
            opened.export(period, to, one_file).await
        }
        Command::Views { engine: views::Engine::Duckdb, scan } => opened.views(scan, out).await,
        Command::Sql { query, file } => opened.sql(query, file, out).await,
        Command::Serve { bind, insecure } => opened.serve(cli.project, cli.set, bind, insecure, clock).await,
        Command::Key { what } => opened.key(what, out).await,
        Command::Audit { since } => opened.audit(since.as_deref(), out).await,
        Command::Jobs => opened.jobs(out).await,
        Command::Events { redeliver: Some(webhook), after, .. } => opened.redeliver(&webhook, after).await,
        Command::Events { after, kind, customer, follow, look, redeliver: None } => {
            let customers = Some(customer).filter(|customers| !customers.is_empty());
            let wanted = Wanted { after, kinds: kind, customers, ..Wanted::default() };
            if follow {
                opened.follow_events(wanted, out).await
            } else {
                opened.events(&wanted, look, out).await
            }
        }
    }
}

/// A project and its warehouse, opened for one command.
struct Opened {
    project: Project,
    warehouse: Warehouse,
    context: SessionContext,
    /// The instant it is for, and the clock, in microseconds since the epoch.
    as_of: i64,
    now: i64,
    /// The format that was asked for.
    asked: Option<Format>,
    quiet: bool,
    verbose: bool,
}

impl Opened {
    fn say(&self, text: &str) {
        say(self.quiet, text);
    }

    /// Says what a run or a closing does; a warning also to who asked for quiet.
    fn hear(&self, event: &Event) {
        match event {
            Event::Begun { .. } if !self.quiet => stderr::moving(event.to_string()),
            Event::Begun { .. } => {}
            Event::Made(step) if step.way == Way::Snapshot => {}
            Event::Published(report) => self.say_published(report),
            Event::Made(_) | Event::Checked { .. } if self.verbose => self.say(&format!("{event:#}")),
            Event::Checked { .. } => {}
            _ => say(self.quiet && !event.is_warning(), &event.to_string()),
        }
        if let Event::Waiting { shown, .. } = event {
            warn_waiting(shown);
        }
    }

    fn format(&self) -> Format {
        Format::or_default(self.asked)
    }

    /// Registers every table as it was published last.
    async fn read(&self) -> Result<Option<ledger::Entry>> {
        catalog::open(&self.project, &self.warehouse, &self.context, self.as_of).await
    }

    /// What a run is asked for, of all open periods.
    fn request(&self, by: String) -> Result<run::Request> {
        run::Request::new(self.as_of, self.now, by)
    }

    /// Shows what the queries of a folder say.
    async fn show(&self, queries: &BTreeMap<String, Query>, out: Out<'_>) -> Result<()> {
        self.show_with(queries, None, out).await
    }

    /// The same; a JSON document has besides what a run did.
    async fn show_with(
        &self,
        queries: &BTreeMap<String, Query>,
        report: Option<&Report>,
        out: Out<'_>,
    ) -> Result<()> {
        let mut tables = Tables::begin(out, self.format(), queries.len())?;
        for query in in_reading_order(queries) {
            let rows = stream_of(&self.context, query, self.as_of).await?;
            let failed = |error: &_| execution_error(error, &query.name);
            tables.add(&query.name, title(query), rows, &failed).await?;
        }
        let report = report.map(serde_json::to_value).transpose().during(|| "writing a report".into())?;
        tables.end(report.map(|report| ("run", report)))
    }
}

fn say(quiet: bool, text: &str) {
    if !quiet {
        stderr::line(text);
    }
}

/// Does what reads and writes nothing in the warehouse.
async fn without_warehouse(cli: &Cli, project: &Project, out: Out<'_>) -> Option<Result<()>> {
    match &cli.command {
        Command::Check => Some(check(project, cli.quiet).await),
        Command::Describe { table } => {
            Some(describe_table(project, table, Format::or_default(cli.format), cli.quiet, out).await)
        }
        Command::Generate { contracts, records, months, usage, to } => {
            let size = generate::Size { contracts: *contracts, records: *records, months: *months };
            let folder = to.clone().unwrap_or_else(|| cli.project.join("data/generated"));
            Some(generate_sample(project, size, *usage, &folder, cli.quiet).await)
        }
        _ => None,
    }
}

async fn check(project: &Project, quiet: bool) -> Result<()> {
    let findings = check::check(project, &session(&project.settings, None)?).await;
    let findings = match (findings, reference::check(project).await) {
        (Err(Error::Project(mut mistakes)), Err(Error::Project(found))) => {
            mistakes.extend(found);
            mistakes.sort();
            return Err(Error::Project(mistakes));
        }
        (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
        (Ok(findings), Ok(())) => findings,
    };
    for warning in &findings.warnings {
        stderr::line(&format!("warning: {warning}"));
    }
    for note in &findings.notes {
        say(quiet, note);
    }
    let (queries, tables) = (findings.queries, project.schemas.len());
    say(quiet, &format!("{queries} queries plan, {tables} tables have contracts"));
    say(quiet, "next: meterhouse run");
    Ok(())
}

async fn describe_table(
    project: &Project,
    table: &str,
    format: Format,
    quiet: bool,
    out: Out<'_>,
) -> Result<()> {
    let planning = session(&project.settings, None)?;
    if !project.schemas.contains_key(table) {
        check::check(project, &planning).await?;
    }
    describe::describe(project, &planning, table, format, out).await?;
    say(quiet, &format!("made by {}", describe::made_by(project, table)));
    Ok(())
}

async fn generate_sample(
    project: &Project,
    size: generate::Size,
    usage: generate::UsageFormat,
    folder: &Path,
    quiet: bool,
) -> Result<()> {
    generate::generate(project, size, usage, folder, &|text| say(quiet, text)).await?;
    say(quiet, &format!("written to {}", folder.display()));
    say(quiet, "next: meterhouse run");
    Ok(())
}

/// Does what needs no project around it.
fn without_project(cli: &Cli, sample: fn() -> init::Sample, out: Out<'_>) -> Option<Result<()>> {
    match &cli.command {
        Command::Init { folder, empty, time_zone, currency } => {
            let folder = folder.as_deref().unwrap_or(&cli.project);
            Some(if *empty {
                begin::empty(folder, sample(), time_zone.as_deref(), currency, cli.quiet)
            } else {
                begin::sample(folder, sample(), cli.quiet)
            })
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "meterhouse", &mut script);
            Some(out.write_all(&script).during(|| "writing completions".into()))
        }
        _ => None,
    }
}

/// The mistakes of reading together with those of planning what could be read.
async fn all_mistakes(project: &Project, mut mistakes: Vec<Mistake>) -> Error {
    let planning = match session(&project.settings, None) {
        Ok(planning) => planning,
        Err(error) => return error,
    };
    if let Err(Error::Project(found)) = check::check(project, &planning).await {
        mistakes.extend(found);
    }
    mistakes.sort();
    mistakes.dedup();
    Error::Project(mistakes)
}

fn check_period(period: &str) -> Result<()> {
    let number = |text: &str| text.parse::<u32>().ok();
    let is_period = period.split_once('-').is_some_and(|(year, month)| {
        year.len() == 4 && month.len() == 2 && number(year).is_some() && matches!(number(month), Some(1..=12))
    });
    if is_period {
        return Ok(());
    }
    Err(Error::usage(format!("`{period}` is not a billing period"), "write year and month, such as 2026-10"))
}

/// RFC 3339 in UTC.
fn instant_text(instant: i64) -> Result<String> {
    let stamp = jiff::Timestamp::from_microsecond(instant);
    Ok(stamp.during(|| "writing the as-of".into())?.to_string())
}
