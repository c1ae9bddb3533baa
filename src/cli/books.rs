//! The books: closing, rating closed periods again, and proving that nothing has changed.

use datafusion::prelude::SessionContext;

use super::arguments::{Why, has_reason};
use super::shown::rows_of;
use super::stderr;
use super::{Opened, Out, check_period, is_terminal};
use crate::answer::encode::{self, Format};
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::TableEntry;
use crate::project::SUSPENSE;
use crate::proof::verify;
use crate::{ledger, run};

/// The query of `status` that says what waits, and why.
const SUSPENSE_STATUS: &str = "suspense_age";

impl Opened {
    pub(super) async fn close(
        &self,
        period: String,
        confirm: Option<&str>,
        accepted: Option<String>,
        by: String,
    ) -> Result<()> {
        check_period(&period)?;
        has_reason(accepted.as_deref())?;
        if self.is_closed(&period).await? {
            self.say(&format!("{period} is closed already"));
            self.say(&format!("next: meterhouse export --period {period}"));
            return Ok(());
        }
        confirmed("closed", &period, confirm)?;
        let close = run::Close { period: period.clone(), by };
        self.close_on(&self.context, close, accepted).await?;
        self.say(&format!("next: meterhouse export --period {period}"));
        Ok(())
    }

    /// Closes what is due, oldest first, where the settings say so.
    ///
    /// Not after a run that somebody had to accept, for that reason is none for closing, or that is ahead of the clock.
    pub(super) async fn close_due(&self, request: &run::Request) -> Result<()> {
        let settings = &self.project.settings;
        if !settings.close.automatic || request.accepted.is_some() || self.as_of > self.now {
            return Ok(());
        }
        const DAY: i64 = 86_400_000_000;
        let waits = i64::from(settings.close.after_days) * DAY;
        for (period, end) in run::period_ends(&self.context).await? {
            if self.is_closed(&period).await? || end.saturating_add(waits) > self.as_of {
                continue;
            }
            let context = session(settings, Some(&self.warehouse))?;
            let close = run::Close { period, by: "settings: close.automatic".into() };
            self.close_on(&context, close, None).await?;
        }
        Ok(())
    }

    async fn is_closed(&self, period: &str) -> Result<bool> {
        Ok(ledger::head(&self.warehouse).await?.is_some_and(|head| head.is_closed(period)))
    }

    /// Runs a last time, and closes what that has published.
    async fn close_on(
        &self,
        context: &SessionContext,
        close: run::Close,
        accepted: Option<String>,
    ) -> Result<()> {
        let (project, warehouse, notice) = (&self.project, &self.warehouse, |text: &str| self.notice(text));
        let period = close.period.clone();
        let mut request = run::Request { accepted, ..self.request(close.by.clone())? };
        run::clock::closing(&request, &period)?;
        let report = run::run(project, warehouse, context, &request, &notice).await?;
        self.say_published(&report);
        request.close = Some(close);
        let prepared = run::prepare(project, warehouse, context, &request, &notice).await?;
        if let Err(error) = self.tell_what_waits(context, &period).await {
            prepared.discard().await?;
            return Err(error);
        }
        prepared.publish().await?;
        self.say(&format!("{period} is closed"));
        Ok(())
    }

    /// Says, also to who asked for quiet, what is not in the period that is about to close.
    async fn tell_what_waits(&self, context: &SessionContext, period: &str) -> Result<()> {
        let head = ledger::head(&self.warehouse).await?;
        let waiting = head.and_then(|head| head.tables.get(SUSPENSE).map(TableEntry::rows)).unwrap_or(0);
        if waiting == 0 {
            return Ok(());
        }
        let records = match waiting {
            1 => "1 record waits in suspense, and is".to_string(),
            _ => format!("{waiting} records wait in suspense, and are"),
        };
        stderr::line(&format!("warning: {records} not in the books of {period}"));
        if let Some(query) = self.project.status.get(SUSPENSE_STATUS) {
            let (schema, rows) = rows_of(context, query, self.as_of).await?;
            let mut text = Vec::new();
            encode::write(&mut text, &schema, &rows, Format::Table)?;
            stderr::line(String::from_utf8_lossy(&text).trim_end());
        }
        stderr::line(
            "hint: what finds its place later makes corrections; data/close_limit.csv says how much may wait",
        );
        Ok(())
    }

    /// Shows what rating a closed period again comes to, and publishes it when confirmed.
    pub(super) async fn rerate(
        &self,
        period: String,
        confirm: Option<&str>,
        accepted: Option<String>,
        why: &Why,
        out: Out<'_>,
    ) -> Result<()> {
        check_period(&period)?;
        has_reason(accepted.as_deref())?;
        self.format().of_tables(self.project.rerate.len())?;
        let author = why.author(self.now)?;
        let (project, warehouse, notice) = (&self.project, &self.warehouse, |text: &str| self.notice(text));
        let mut request = run::Request { accepted, ..self.request(author.by.clone())? };
        let report = run::run(project, warehouse, &self.context, &request, &notice).await?;
        self.say_published(&report);
        if run::is_rerated(project, warehouse, &period).await? {
            self.say(&format!("{period} is rated again already, by the rules of today"));
            return Ok(());
        }
        let rerate = run::Rerate { period: period.clone(), by: author.by, reason: author.reason };
        request.rerate.push(rerate);
        let prepared = run::prepare(project, warehouse, &self.context, &request, &notice).await?;
        self.show(&project.rerate, out).await?;
        if let Err(error) = confirmed("rated again", &period, confirm) {
            prepared.discard().await?;
            return Err(error);
        }
        prepared.publish().await?;
        self.say(&format!("{period} is rated again; its corrections are lines of the open period"));
        self.say("next: meterhouse status");
        Ok(())
    }

    pub(super) async fn verify(&self, head: Option<&str>, out: Out<'_>) -> Result<()> {
        let known = head.map(sha256_of).transpose()?;
        let verified = verify::verify(&self.project, &self.warehouse, known.as_deref()).await?;
        self.say(&format!(
            "as it was written: {} entries of the ledger, {} closed periods, {} files",
            verified.runs, verified.closings, verified.files
        ));
        if verified.unchained > 0 {
            let (first, last) = (2, verified.unchained + 1);
            self.say(&format!(
                "runs {first} to {last} are from before entries had the hash of the one before"
            ));
        }
        verified.write_head(self.format(), out)?;
        self.say("next: keep this hash elsewhere; meterhouse verify --head SHA256 tells whether it is still the same ledger");
        Ok(())
    }
}

/// Nothing where the period was typed again, as a flag or on a terminal; else it is not `done`.
pub(super) fn confirmed(done: &str, period: &str, flag: Option<&str>) -> Result<()> {
    let typed = match flag {
        Some(flag) => flag.to_string(),
        None if is_terminal() => {
            stderr::ask(&format!("Type {period} to have it {done}: "));
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).during(|| "reading the answer".into())?;
            line.trim().to_string()
        }
        None => String::new(),
    };
    if typed == period {
        return Ok(());
    }
    let hint = format!("type the command again with --confirm {period}");
    Err(Error::usage(format!("{period} was not {done}: nobody confirmed it"), hint))
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
