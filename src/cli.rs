//! The command line: what may be typed, and which part of the program does it.

mod arguments;
mod books;
mod explain;
mod shown;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use futures::future::BoxFuture;

pub use arguments::Cli;

use self::arguments::Command;
use self::books::{Decided, close_due, confirmed};
use self::shown::{held_back, in_reading_order, show, warn_parked};
use crate::cycle::parse_instant;
use crate::error::{Error, Mistake, Result, While};
use crate::output::{Counter, Format};
use crate::project::{EXCLUDED_USAGE, Project, Query, SUSPENSE, USAGE_RECORD};
use crate::prompt::Prompt;
use crate::warehouse::{Warehouse, session};
use crate::{
    ask, decision, describe, export, generate, init, land, lint, publish, reader, run, verify, views,
};

/// Whether somebody sits at both ends.
fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Where data goes.
type Out<'a> = &'a mut (dyn Write + Send);

/// Does what was typed; `now` is the clock, in microseconds since the epoch, `sample` what `init` writes, and `out`
/// takes the data.
///
/// Boxed, so that all of it is compiled with the library and not once more with each program and test.
pub fn execute<'a>(
    cli: Cli,
    now: i64,
    sample: fn() -> init::Sample,
    out: Out<'a>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(dispatch(cli, now, sample, out))
}

async fn dispatch(cli: Cli, now: i64, sample: fn() -> init::Sample, out: Out<'_>) -> Result<()> {
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
    let quiet = cli.quiet;
    let say = move |text: &str| {
        if !quiet {
            eprintln!("{text}");
        }
    };
    let format = Format::or_default(cli.format);
    if let Command::Check = cli.command {
        let findings = lint::check(&project, &session(&project.settings, None)?).await?;
        for warning in &findings.warnings {
            eprintln!("warning: {warning}");
        }
        say(&format!("{} queries plan, {} tables have contracts", findings.queries, project.schemas.len()));
        say("next: meterhouse run");
        return Ok(());
    }
    if let Command::Describe { table } = &cli.command {
        let planning = session(&project.settings, None)?;
        if !project.schemas.contains_key(table) {
            lint::check(&project, &planning).await?;
        }
        return describe::describe(&project, &planning, table, format, out).await;
    }
    if let Command::Generate { contracts, records, months, usage, to } = &cli.command {
        let size = generate::Size { contracts: *contracts, records: *records, months: *months };
        let folder = to.clone().unwrap_or_else(|| cli.project.join("data/generated"));
        generate::generate(&project, size, *usage, &folder, &say).await?;
        say(&format!("written to {}", folder.display()));
        say("next: meterhouse run");
        return Ok(());
    }
    let warehouse = Warehouse::open(&cli.project, &project.settings).await?;
    let context = session(&project.settings, Some(&warehouse))?;
    match cli.command {
        // Done above.
        Command::Check | Command::Describe { .. } | Command::Generate { .. } => Ok(()),
        Command::Init { .. } | Command::Completions { .. } => Ok(()),
        Command::Land { files, with, hold, why } => {
            let with = with.map(|name| landing_query(&project, &name)).transpose()?;
            warehouse.probe().await?;
            let hold = match hold {
                None => None,
                Some(name) => {
                    reader::open(&project, &warehouse, &context, as_of).await?;
                    let state = decision::hold_state(&context, &name).await?;
                    if let Some(state) = state.filter(|state| state != "hold") {
                        let what = format!("the batch {name} has ended: {state}");
                        return Err(Error::usage(what, "hold this one under another name"));
                    }
                    Some(land::Hold { name, author: why.author(now)? })
                }
            };
            let (mut failed, mut is_new) = (None, false);
            // One unreadable file does not keep the others out; the first error is the command's.
            for file in &files {
                let sources = match land::Source::named(file).await {
                    Ok(sources) => sources,
                    Err(error) => {
                        failed = failed.or(Some(error));
                        continue;
                    }
                };
                for source in &sources {
                    match land::land(&project, &warehouse, &context, source, with, hold.as_ref()).await {
                        Ok(landed) => {
                            is_new |= !landed.before;
                            say(&run::describe_landed(&landed));
                        }
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
            }
            failed.map_or(Ok(()), Err)?;
            match hold {
                Some(hold) if is_new => {
                    say(&format!("next: meterhouse release {0}, or discard {0}", hold.name))
                }
                _ => say("next: meterhouse run"),
            }
            Ok(())
        }
        Command::Release { name, why } => {
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            of.end_hold(decision::Decision::Release(name), &why.author(now)?).await?;
            say("next: meterhouse run");
            Ok(())
        }
        Command::Discard { name, why } => {
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            of.end_hold(decision::Decision::Discard(name), &why.author(now)?).await?;
            say("next: meterhouse run");
            Ok(())
        }
        Command::Void { ids, which, replaced_by, why } => {
            let which = which.read(&project)?;
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            let make = |id| decision::Decision::Void(id, replaced_by.clone());
            let count = of
                .decide(USAGE_RECORD, &ids, &which, replaced_by.as_deref(), &why.author(now)?, make)
                .await?;
            say(&format!("{count} void"));
            say("next: meterhouse run");
            Ok(())
        }
        Command::WriteOff { ids, which, why } => {
            let which = which.read(&project)?;
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            let make = decision::Decision::WriteOff;
            let count = of.decide(SUSPENSE, &ids, &which, None, &why.author(now)?, make).await?;
            say(&format!("{count} written off"));
            say("next: meterhouse run");
            Ok(())
        }
        Command::Restore { ids, which, why } => {
            let which = which.read(&project)?;
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            let make = decision::Decision::Restore;
            let count = of.decide(EXCLUDED_USAGE, &ids, &which, None, &why.author(now)?, make).await?;
            say(&format!("{count} restored"));
            say("next: meterhouse run");
            Ok(())
        }
        Command::Close { period, confirm, accept, by } => {
            check_period(&period)?;
            if publish::head(&warehouse).await?.is_some_and(|head| head.is_closed(&period)) {
                say(&format!("{period} is closed already"));
                return Ok(());
            }
            confirmed("closed", &period, confirm.as_deref())?;
            let close = run::Close { period, by, accepted: accept };
            let of = Decided { project: &project, warehouse: &warehouse, context: &context, as_of };
            of.close(close, &say).await?;
            say("next: meterhouse export --period ..., or `meterhouse verify`");
            Ok(())
        }
        Command::Rerate { period, confirm, why } => {
            check_period(&period)?;
            let author = why.author(now)?;
            let as_of_text = instant_text(as_of)?;
            let by = author.by.clone();
            let mut request =
                run::Request { as_of, as_of_text, by, period: None, close: None, rerate: Vec::new() };
            run::run(&project, &warehouse, &context, &request, &say).await?;
            let rerate = run::Rerate { period: period.clone(), by: author.by, reason: author.reason };
            request.rerate.push(rerate);
            let prepared = run::prepare(&project, &warehouse, &context, &request, &say).await?;
            for query in in_reading_order(&project.rerate) {
                show(&context, query, as_of, Format::or_default(cli.format), out).await?;
            }
            if let Err(error) = confirmed("rated again", &period, confirm.as_deref()) {
                prepared.discard().await?;
                return Err(error);
            }
            prepared.publish().await?;
            say(&format!("{period} is rated again; its corrections are lines of the open period"));
            say("next: meterhouse status");
            Ok(())
        }
        Command::Verify { head } => {
            let known = head.as_deref().map(sha256_of).transpose()?;
            let verified = verify::verify(&project, &warehouse, known.as_deref()).await?;
            say(&format!(
                "as it was written: {} entries of the ledger, {} closed periods, {} files",
                verified.runs, verified.closings, verified.files
            ));
            if verified.unchained > 0 {
                let (first, last) = (2, verified.unchained + 1);
                say(&format!(
                    "runs {first} to {last} are from before entries had the hash of the one before"
                ));
            }
            verified.write_head(format, out)
        }
        Command::Run { replay: Some(number), .. } => {
            let started = std::time::Instant::now();
            let tables = run::replay(&project, &warehouse, number, &say).await?;
            let seconds = started.elapsed().as_secs_f64();
            say(&format!("run {number} repeated: {tables} tables, all the same rows ({seconds:.1} s)"));
            Ok(())
        }
        Command::Run { period, replay: None, by } => {
            if let Some(period) = &period {
                check_period(period)?;
            }
            let as_of_text = instant_text(as_of)?;
            let request = run::Request { as_of, as_of_text, by, period, close: None, rerate: Vec::new() };
            let started = std::time::Instant::now();
            let report = run::run(&project, &warehouse, &context, &request, &say).await?;
            let seconds = started.elapsed().as_secs_f64();
            for (customer, check) in &report.parked {
                warn_parked(customer, check);
            }
            let Some(number) = report.published else {
                close_due(&project, &warehouse, &context, as_of, &say).await?;
                say(&format!("nothing to do: all {} tables are up to date ({seconds:.1} s)", report.skipped));
                return Ok(());
            };
            close_due(&project, &warehouse, &context, as_of, &say).await?;
            for query in in_reading_order(&project.reports) {
                show(&context, query, as_of, Format::or_default(cli.format), out).await?;
            }
            say(&format!(
                "published as run {number}: {} tables made, {} up to date, {} checks held ({seconds:.1} s)",
                report.steps.len(),
                report.skipped,
                report.checks
            ));
            say("next: meterhouse sql \"select line_id, description, amount, currency from invoice_line\"");
            Ok(())
        }
        Command::Status { accrual, reach_back } => {
            let head = reader::open(&project, &warehouse, &context, as_of).await?;
            let Some(head) = head else {
                say("nothing was published yet");
                say("next: meterhouse run");
                return Ok(());
            };
            say(&format!("last run {}, as of {}", head.run, head.as_of));
            for (customer, check) in &head.parked {
                warn_parked(customer, check);
            }
            let reached = run::reached_back(&project, &warehouse, &head).await?;
            if reach_back {
                let (as_of_text, by) = (instant_text(as_of)?, "meterhouse status".to_string());
                let why = |period| run::Rerate { period, by: by.clone(), reason: "to be shown".into() };
                let rerate = reached.into_iter().map(why).collect();
                let request =
                    run::Request { as_of, as_of_text, by: by.clone(), period: None, close: None, rerate };
                let prepared = run::prepare(&project, &warehouse, &context, &request, &say).await?;
                for query in in_reading_order(&project.reach_back) {
                    show(&context, query, as_of, format, out).await?;
                }
                prepared.discard().await?;
                say("next: meterhouse rerate --period PERIOD --reason WHY, where that is right");
                return Ok(());
            }
            let queries = if accrual { &project.accrual } else { &project.status };
            for query in in_reading_order(queries) {
                show(&context, query, as_of, format, out).await?;
            }
            if !reached.is_empty() {
                say(&format!(
                    "contracts, prices, quotas or queries have changed since {} closed; \
                     meterhouse status --reach-back shows what that comes to",
                    first_to_last(&reached)
                ));
            }
            say("next: meterhouse run, when usage, prices or contracts have changed");
            Ok(())
        }
        Command::Explain { line_id, usage, source } => {
            if reader::open(&project, &warehouse, &context, as_of).await?.is_none() {
                return Err(Error::usage("nothing was published yet", "meterhouse run"));
            }
            let explain = explain::Explain { project: &project, context: &context, as_of, format };
            if let Some(id) = &usage {
                explain.usage(id, source.as_deref(), out).await?;
                say("next: meterhouse explain LINE_ID, for one of its lines");
            }
            if let Some(id) = &line_id {
                explain.line(id, out).await?;
                say("next: meterhouse explain --usage TRANSACTION_ID, for one of its records");
            }
            Ok(())
        }
        Command::Export { period, to, one_file } => {
            check_period(&period)?;
            let to = to.unwrap_or_else(|| cli.project.join("export").display().to_string());
            let format = cli.format.unwrap_or(Format::Csv);
            let request = export::Request { period, as_of, to, one_file, format };
            let counter = Counter::new(quiet, "customers exported");
            let progress = |count| counter.show(count);
            let warn = |text: &str| eprintln!("{text}");
            let report = export::export(&project, &warehouse, &context, &request, &warn, &progress).await?;
            counter.clear();
            say(&format!("{} customers, {} files", report.customers, report.files));
            say(&format!("manifest: {}/{}", request.to.trim_end_matches('/'), report.manifest));
            held_back(&report.parked)?;
            if format != Format::Html {
                say(&format!("next: meterhouse export --period {} --format html", request.period));
            }
            Ok(())
        }
        Command::Views { engine: views::Engine::Duckdb, scan } => {
            let (head, files) = reader::readable(&project, &warehouse).await?;
            let text = views::duckdb(&project, &warehouse, head.as_ref(), &files, scan)?;
            out.write_all(text.as_bytes()).during(|| "writing views".into())
        }
        Command::Sql { query, file } => {
            if query.is_none() && file.is_none() && is_terminal() {
                let prompt =
                    Prompt { project: &project, warehouse: &warehouse, as_of, format, quiet: cli.quiet };
                return prompt.run(out).await;
            }
            let text = query_text(query, file)?;
            reader::open(&project, &warehouse, &context, as_of).await?;
            ask::ask(&context, &text, as_of, format, out).await.map(|_| ())
        }
    }
}

/// Does what needs no project around it.
fn without_project(cli: &Cli, sample: fn() -> init::Sample, out: Out<'_>) -> Option<Result<()>> {
    match &cli.command {
        Command::Init { folder } => {
            let folder = folder.as_deref().unwrap_or(&cli.project);
            Some(init::init(folder, sample()).map(|files| {
                if !cli.quiet {
                    eprintln!("{files} files written to {}", folder.display());
                    eprintln!("next: {}", init::next_command(folder));
                }
            }))
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
    if let Err(Error::Project(found)) = lint::check(project, &planning).await {
        mistakes.extend(found);
    }
    mistakes.sort();
    mistakes.dedup();
    Error::Project(mistakes)
}

fn landing_query<'a>(project: &'a Project, name: &str) -> Result<&'a Query> {
    project.landing.get(name).ok_or_else(|| {
        let known = project.landing.keys().cloned().collect::<Vec<_>>().join(", ");
        let hint = if known.is_empty() { "write it".into() } else { format!("there are: {known}") };
        Error::usage(format!("there is no queries/landing/{name}.sql"), hint)
    })
}

fn check_period(period: &str) -> Result<()> {
    let number = |text: &str| text.parse::<u32>().ok();
    let is_period = period.split_once('-').is_some_and(|(year, month)| {
        year.len() == 4 && month.len() == 2 && number(year).is_some() && matches!(number(month), Some(1..=12))
    });
    if is_period {
        return Ok(());
    }
    Err(Error::usage(format!("`{period}` is no billing period"), "write year and month, such as 2026-10"))
}

/// A SHA-256 as it is printed, from what was typed.
fn sha256_of(text: &str) -> Result<String> {
    let hash = text.trim().to_lowercase();
    if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hash);
    }
    let hint = "give the 64 digits that `meterhouse verify` printed";
    Err(Error::usage(format!("`{text}` is no SHA-256"), hint))
}

/// RFC 3339 in UTC.
fn instant_text(instant: i64) -> Result<String> {
    let stamp = jiff::Timestamp::from_microsecond(instant);
    Ok(stamp.during(|| "writing the as-of".into())?.to_string())
}

/// The query, from wherever it was given.
fn query_text(query: Option<String>, file: Option<PathBuf>) -> Result<String> {
    match (query.as_deref(), file) {
        (_, Some(file)) => {
            std::fs::read_to_string(&file).during(|| format!("reading {}", Path::display(&file)))
        }
        (Some("-"), None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).during(|| "reading standard input".into())?;
            Ok(text)
        }
        (Some(text), None) => Ok(text.into()),
        (None, None) => Err(Error::usage(
            "no query was given",
            "meterhouse sql \"select ...\", or -f FILE, or - for standard input",
        )),
    }
}

/// `2026-09`, or `2026-09 to 2026-11 (3 periods)`.
fn first_to_last(periods: &[String]) -> String {
    match periods {
        [first, .., last] => format!("{first} to {last} ({} periods)", periods.len()),
        _ => periods.concat(),
    }
}
