//! What comes in, and what people decide about it: landing, held batches, voids, write-offs.

use std::path::PathBuf;

use super::Opened;
use super::arguments::{Which, Why};
use crate::books::{self, Asking};
use crate::error::{Error, Result};
use crate::land::decision::{self, Decision, Identity};
use crate::project::{ANNULLED_USAGE, Project, Query, SUSPENSE, USAGE_RECORD};
use crate::{catalog, land, ledger};

const NEXT: &str = "next: meterhouse run";

impl Opened {
    pub(super) async fn land(
        &self,
        files: &[PathBuf],
        with: Option<&str>,
        hold: Option<&str>,
        again: bool,
        why: &Why,
    ) -> Result<()> {
        let with = with.map(|name| landing_query(&self.project, name)).transpose()?;
        self.warehouse.probe().await?;
        if let Some(head) = ledger::head(&self.warehouse).await? {
            // What is landed on a log that lost its end would hide that.
            catalog::pin_all(&self.warehouse, &head).await?;
        }
        let hold = match hold {
            Some(name) => Some(self.hold(name, why).await?),
            None => None,
        };
        let author = why.author_or(self.now, "landed again");
        let how = land::How { with, hold: hold.as_ref(), again, author: Some(&author) };
        let (mut failed, mut is_new, mut rejected) = (None, false, Vec::new());
        // One unreadable file does not keep the others out; the first error is the command's.
        for file in files {
            let sources = match land::Source::named(file).await {
                Ok(sources) => sources,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            let (project, warehouse, context) = (&self.project, &self.warehouse, &self.context);
            for source in &sources {
                match land::land(project, warehouse, context, source, how).await {
                    Ok(landed) => {
                        is_new |= landed.before.is_none();
                        if landed.is_rejected() {
                            rejected.push(landed.file.clone());
                        }
                        let again = match landed.before {
                            Some(land::Before::Counted) => "; --again discards that and lands it anew",
                            Some(land::Before::Rejected) => "; --again lands it anew",
                            None => "",
                        };
                        self.say(&format!("{landed}{again}"));
                    }
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        if !rejected.is_empty() {
            let what = format!("each record of {} was rejected", rejected.join(", "));
            let shape = if with.is_none() { "; a file of another shape needs --with NAME" } else { "" };
            let hint = format!("meterhouse sql \"select * from usage_rejected\" shows them{shape}");
            failed = failed.or(Some(Error::data(what, hint)));
        }
        failed.map_or(Ok(()), Err)?;
        match hold.filter(|_| is_new) {
            Some(hold) => self.say(&format!("next: meterhouse release {0}, or discard {0}", hold.name)),
            None => self.say(NEXT),
        }
        Ok(())
    }

    /// A batch that more can be landed into.
    async fn hold(&self, name: &str, why: &Why) -> Result<land::Hold> {
        self.read().await?;
        let state = decision::hold_state(&self.context, name).await?;
        if let Some(state) = state.filter(|state| state != "hold") {
            let what = format!("the batch {name} was {}", ended(&state));
            return Err(Error::usage(what, "hold this one under another name"));
        }
        Ok(land::Hold { name: name.into(), author: why.author(self.now)? })
    }

    pub(super) async fn end_hold(&self, end: Decision, why: &Why) -> Result<()> {
        let (name, done) = match &end {
            Decision::Release(name) => (name, "released"),
            Decision::Discard(name) => (name, "discarded"),
            _ => return Ok(()),
        };
        let author = why.author(self.now)?;
        self.read().await?;
        match decision::hold_state(&self.context, name).await?.as_deref() {
            Some("hold") => {
                decision::record(&self.project, &self.warehouse, &self.context, &[end], &author).await?;
                self.say(NEXT);
                Ok(())
            }
            Some(state) if state == end.word() => {
                self.say(&format!("the batch {name} is {done} already"));
                self.say(NEXT);
                Ok(())
            }
            Some(state) => {
                let hint = "what was decided stands; land it again under another name";
                Err(Error::usage(format!("the batch {name} was {}", ended(state)), hint))
            }
            None => {
                let hint = "meterhouse sql \"select hold_name, place from landing_hold\"";
                Err(Error::usage(format!("no batch is held as {name}"), hint))
            }
        }
    }

    pub(super) async fn void(
        &self,
        ids: &[String],
        which: &Which,
        replaced_by: Option<&str>,
        why: &Why,
    ) -> Result<()> {
        let make = |id| Decision::Void(id, replaced_by.map(String::from));
        self.decide(USAGE_RECORD, ids, which, replaced_by, why, "void", make).await
    }

    pub(super) async fn write_off(&self, ids: &[String], which: &Which, why: &Why) -> Result<()> {
        self.decide(SUSPENSE, ids, which, None, why, "written off", Decision::WriteOff).await
    }

    pub(super) async fn restore(&self, ids: &[String], which: &Which, why: &Why) -> Result<()> {
        self.decide(ANNULLED_USAGE, ids, which, None, why, "restored", Decision::Restore).await
    }

    /// One decision for each record for which the same was not decided before; all ids are looked up first. Then they
    /// are `done`.
    #[expect(clippy::too_many_arguments, reason = "each is what was typed")]
    async fn decide(
        &self,
        table: &str,
        ids: &[String],
        which: &Which,
        replaced_by: Option<&str>,
        why: &Why,
        done: &str,
        make: impl Fn(Identity) -> Decision,
    ) -> Result<()> {
        let which = which.read(&self.project)?;
        let asking = Asking { table, ids, which, replaced_by, author: why.author(self.now)? };
        let (project, warehouse) = (&self.project, &self.warehouse);
        let decided = books::decide(project, warehouse, &self.context, self.as_of, asking, make).await?;
        for id in &decided.again {
            self.say(&format!("{id} is {done} already"));
        }
        if decided.made > 0 {
            self.say(&format!("{} {done}", decided.made));
        }
        self.say(NEXT);
        Ok(())
    }
}

/// What became of a batch, by the decision that ended it.
fn ended(decision: &str) -> &str {
    if decision == "release" { "released" } else { "discarded" }
}

fn landing_query<'a>(project: &'a Project, name: &str) -> Result<&'a Query> {
    project.landing.get(name).ok_or_else(|| {
        let known = project.landing.keys().cloned().collect::<Vec<_>>().join(", ");
        let hint = if known.is_empty() { "write it".into() } else { format!("there are: {known}") };
        Error::usage(format!("there is no queries/landing/{name}.sql"), hint)
    })
}
