//! Runs and what came of them: `run`, `run --replay`, `status`.

use std::collections::BTreeMap;
use std::time::Instant;

use super::arguments::has_reason;
use super::shown::warn_parked;
use super::{Opened, Out, check_period};
use crate::books::{self, reach_back::reached_back};
use crate::error::Result;
use crate::ledger::Entry;
use crate::run;
use crate::run::event::{Event, Report};

impl Opened {
    pub(super) async fn run(
        &self,
        period: Option<String>,
        accepted: Option<String>,
        by: String,
        out: Out<'_>,
    ) -> Result<()> {
        if let Some(period) = &period {
            check_period(period)?;
        }
        has_reason(accepted.as_deref())?;
        self.format().of_tables(self.project.reports.len())?;
        let request = run::Request { period, accepted, ..self.request(by)? };
        let started = Instant::now();
        let hear = |event: &_| self.hear(event);
        let report = run::run(&self.project, &self.warehouse, &self.context, &request, &hear).await?;
        let seconds = started.elapsed().as_secs_f64();
        for (customer, check) in &report.parked {
            warn_parked(customer, check);
        }
        let next = match report.published {
            Some(number) => {
                self.show_with(&self.project.reports, Some(&report), out).await?;
                self.say(&format!(
                    "published as run {number}: {} tables made, {} up to date, {} checks held ({seconds:.1} s)",
                    report.steps.len(),
                    report.skipped,
                    report.checks
                ));
                "next: meterhouse sql \"select line_id, description, amount, currency from invoice_line\""
            }
            None => {
                self.show_with(&BTreeMap::new(), Some(&report), out).await?;
                let skipped = report.skipped;
                self.say(&format!("nothing to do: all {skipped} tables are up to date ({seconds:.1} s)"));
                "next: meterhouse status"
            }
        };
        // What is published is told, whatever comes of closing.
        books::close_due(&self.project, &self.warehouse, &self.context, &request, &hear).await?;
        self.say(next);
        Ok(())
    }

    /// Says what a run published on the way to something else.
    pub(super) fn say_published(&self, report: &Report) {
        for (customer, check) in &report.parked {
            warn_parked(customer, check);
        }
        if report.published.is_some() {
            self.say(&Event::Published(report.clone()).to_string());
        }
    }

    pub(super) async fn replay(&self, number: u64) -> Result<()> {
        let started = Instant::now();
        let hear = |event: &_| self.hear(event);
        let tables = run::replay(&self.project, &self.warehouse, number, &hear).await?;
        let seconds = started.elapsed().as_secs_f64();
        self.say(&format!("run {number} repeated: {tables} tables, all the same rows ({seconds:.1} s)"));
        Ok(())
    }

    pub(super) async fn status(&self, accrual: bool, out: Out<'_>) -> Result<()> {
        let Some(head) = self.last_run().await? else { return self.show(&BTreeMap::new(), out).await };
        let queries = if accrual { &self.project.accrual } else { &self.project.status };
        let reached = reached_back(&self.project, &self.warehouse, &head).await?;
        self.show(queries, out).await?;
        if !reached.is_empty() {
            self.say(&format!(
                "contracts, prices, quotas or queries have changed since {} closed; \
                 meterhouse status --reach-back shows what that comes to",
                first_to_last(&reached)
            ));
        }
        match books::next_due(&self.project, &self.context, &head, self.as_of).await? {
            Some(period) => self.say(&format!("next: meterhouse close --period {period}")),
            None => self.say("next: meterhouse run, when usage, prices or contracts have changed"),
        }
        Ok(())
    }

    /// Shows what the rules of today make of closed periods; nothing is published.
    pub(super) async fn reach_back(&self, out: Out<'_>) -> Result<()> {
        self.format().of_tables(self.project.reach_back.len())?;
        let Some(head) = self.last_run().await? else { return self.show(&BTreeMap::new(), out).await };
        let mut request = self.request("meterhouse status".into())?;
        let (project, warehouse, hear) = (&self.project, &self.warehouse, |event: &_| self.hear(event));
        let prepared =
            books::reach_back(project, warehouse, &self.context, &mut request, &head, &hear).await?;
        let Some(prepared) = prepared else {
            self.say("nothing reaches back: closed periods are rated by what counts today");
            return self.show(&BTreeMap::new(), out).await;
        };
        self.show(&self.project.reach_back, out).await?;
        prepared.discard().await?;
        self.say("next: meterhouse rerate --period PERIOD --reason WHY, where that is right");
        Ok(())
    }

    /// The newest run, with its parked customers told; none: what to do about that.
    async fn last_run(&self) -> Result<Option<Entry>> {
        let Some(head) = self.read().await? else {
            self.say("nothing was published yet");
            self.say("next: meterhouse run");
            return Ok(None);
        };
        self.say(&format!("last run {}, as of {}", head.run, head.as_of));
        for (customer, check) in &head.parked {
            warn_parked(customer, check);
        }
        Ok(Some(head))
    }
}

/// `2026-09`, or `2026-09 to 2026-11 (3 periods)`.
fn first_to_last(periods: &[String]) -> String {
    match periods {
        [first, .., last] => format!("{first} to {last} ({} periods)", periods.len()),
        _ => periods.concat(),
    }
}
