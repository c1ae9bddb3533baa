//! What people decide about usage and the books, as commands.

use super::{instant_text, is_terminal};
use crate::error::{Error, Result, While};
use crate::project::Project;
use crate::warehouse::{Warehouse, session};
use crate::{decision, publish, reader, run};

/// What people decide, and where.
pub(super) struct Decided<'a> {
    pub(super) project: &'a Project,
    pub(super) warehouse: &'a Warehouse,
    pub(super) context: &'a datafusion::prelude::SessionContext,
    pub(super) as_of: i64,
}

impl Decided<'_> {
    /// One decision for each record; all ids are looked up first.
    pub(super) async fn decide(
        &self,
        table: &str,
        ids: &[String],
        which: &decision::Which,
        replaced_by: Option<&str>,
        author: &decision::Author,
        make: impl Fn(decision::Identity) -> decision::Decision,
    ) -> Result<usize> {
        reader::open(self.project, self.warehouse, self.context, self.as_of).await?;
        let identities = decision::identities(self.context, table, ids, which).await?;
        if let Some(id) = replaced_by {
            decision::check_replacement(self.context, id, &identities).await?;
        }
        let decisions: Vec<_> = identities.into_iter().map(make).collect();
        decision::record(self.project, self.warehouse, self.context, &decisions, author).await?;
        Ok(decisions.len())
    }

    pub(super) async fn end_hold(&self, end: decision::Decision, author: &decision::Author) -> Result<()> {
        let (decision::Decision::Release(name) | decision::Decision::Discard(name)) = &end else {
            return Ok(());
        };
        reader::open(self.project, self.warehouse, self.context, self.as_of).await?;
        match decision::hold_state(self.context, name).await?.as_deref() {
            Some("hold") => {
                decision::record(self.project, self.warehouse, self.context, &[end], author).await
            }
            Some(state) => Err(Error::usage(format!("the batch {name} has ended: {state}"), "")),
            None => {
                let hint = "meterhouse sql \"select hold_name, place from landing_hold\"";
                Err(Error::usage(format!("no batch is held as {name}"), hint))
            }
        }
    }

    pub(super) async fn close(&self, close: run::Close, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let period = close.period.clone();
        let (as_of_text, by) = (instant_text(self.as_of)?, close.by.clone());
        let mut request =
            run::Request { as_of: self.as_of, as_of_text, by, period: None, close: None, rerate: Vec::new() };
        run::run(self.project, self.warehouse, self.context, &request, &say).await?;
        request.close = Some(close);
        let closing = run::prepare(self.project, self.warehouse, self.context, &request, &say).await?;
        closing.publish().await?;
        say(&format!("{period} is closed"));
        Ok(())
    }
}

/// Closes what is due, oldest first, where the settings say so.
pub(super) async fn close_due(
    project: &Project,
    warehouse: &Warehouse,
    context: &datafusion::prelude::SessionContext,
    as_of: i64,
    say: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    if !project.settings.close.automatic {
        return Ok(());
    }
    const DAY: i64 = 86_400_000_000;
    let waits = i64::from(project.settings.close.after_days) * DAY;
    for (period, end) in run::period_ends(context).await? {
        let is_closed = publish::head(warehouse).await?.is_some_and(|head| head.is_closed(&period));
        if is_closed || end.saturating_add(waits) > as_of {
            continue;
        }
        let context = session(&project.settings, Some(warehouse))?;
        let of = Decided { project, warehouse, context: &context, as_of };
        let close = run::Close { period, by: "settings: close.automatic".into(), accepted: None };
        of.close(close, say).await?;
    }
    Ok(())
}

/// Nothing where the period was typed again, as a flag or on a terminal; else it is not `done`.
pub(super) fn confirmed(done: &str, period: &str, flag: Option<&str>) -> Result<()> {
    let typed = match flag {
        Some(flag) => flag.to_string(),
        None if is_terminal() => {
            eprint!("Type {period} to have it {done}: ");
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
