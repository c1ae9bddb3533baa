//! The books: closing, rating closed periods again, and proving that nothing has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};

use super::arguments::{Why, has_reason};
use super::stderr;
use super::{Opened, Out, check_period, is_terminal};
use crate::catalog::pin_all;
use crate::encode::answer;
use crate::error::{Error, Result, While};
use crate::ledger::vacuum::{self, OfTable};
use crate::proof::verify;
use crate::{books, ledger, run};

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
        if books::is_closed(&self.warehouse, &period).await? {
            self.say(&format!("{period} is closed already"));
            self.say(&format!("next: meterhouse export --period {period}"));
            return Ok(());
        }
        confirmed("closed", &period, confirm)?;
        let request = run::Request { accepted, ..self.request(by.clone())? };
        let close = run::Close { period: period.clone(), by };
        let hear = |event: &_| self.hear(event);
        books::close(&self.project, &self.warehouse, &self.context, &request, close, &hear).await?;
        self.say(&format!("next: meterhouse export --period {period}"));
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
        let mut request = run::Request { accepted, ..self.request(author.by.clone())? };
        let rerate = run::Rerate { period: period.clone(), by: author.by, reason: author.reason };
        let (project, warehouse, hear) = (&self.project, &self.warehouse, |event: &_| self.hear(event));
        let prepared = books::rerate(project, warehouse, &self.context, &mut request, rerate, &hear).await?;
        let Some(prepared) = prepared else {
            self.say(&format!("{period} is rated again already, by the rules of today"));
            return self.show(&BTreeMap::new(), out).await;
        };
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

    /// Removes what nobody needs, or shows it; and what stays for whom.
    pub(super) async fn vacuum(&self, keep_days: u32, is_dry: bool, by: String, out: Out<'_>) -> Result<()> {
        let request = vacuum::Request { now: self.now, keep_days, by, is_dry };
        let landed = match ledger::head(&self.warehouse).await? {
            Some(head) => pin_all(&self.warehouse, &head).await?,
            None => BTreeMap::new(),
        };
        let vacuumed = vacuum::vacuum(&self.project, &self.warehouse, &request, &landed).await?;
        let (vacuumed, tables) =
            vacuumed.map(|(vacuumed, tables)| (Some(vacuumed), tables)).unwrap_or_default();
        let numbers = |of: fn(&OfTable) -> u64| -> ArrayRef {
            Arc::new(tables.values().map(of).map(Some).collect::<UInt64Array>())
        };
        let names: ArrayRef = Arc::new(tables.keys().map(Some).collect::<StringArray>());
        let rows = RecordBatch::try_from_iter([
            ("table", names),
            ("kept_files", numbers(|table| table.kept.0)),
            ("kept_bytes", numbers(|table| table.kept.1)),
            ("removed_files", numbers(|table| table.removed.0)),
            ("removed_bytes", numbers(|table| table.removed.1)),
        ])
        .during(|| "writing what was removed".into())?;
        answer::write(out, &rows, self.format())?;
        let Some(vacuumed) = vacuumed else {
            self.say("nothing was published yet");
            return Ok(());
        };
        let days = if keep_days == 1 { "the last day".into() } else { format!("the last {keep_days} days") };
        self.say(&format!(
            "kept: what {} read and made, and what was written in {days}; usage, reference data and the books always stay",
            vacuum::told(&vacuumed.kept_runs)
        ));
        if !vacuumed.closed_by.is_empty() {
            self.say(&format!("closed periods are rated by what {} made", vacuum::told(&vacuumed.closed_by)));
        }
        let (done, next) = match is_dry {
            true => ("would be removed", "next: meterhouse vacuum"),
            false => ("removed", "next: meterhouse verify"),
        };
        self.say(&format!("{done}: {} files, {} bytes", vacuumed.files, vacuumed.bytes));
        self.say(next);
        Ok(())
    }

    pub(super) async fn verify(&self, head: Option<&str>, out: Out<'_>) -> Result<()> {
        let known = head.map(sha256_of).transpose()?;
        let verified = verify::verify(&self.project, &self.warehouse, known.as_deref()).await?;
        self.say(&format!(
            "as it was written: {} entries of the ledger, {} closed periods, {} files",
            verified.runs, verified.closings, verified.files
        ));
        if let Some(vacuumed) = vacuum::last(&self.warehouse).await? {
            self.say(&format!(
                "vacuum has removed what other runs than {} made",
                vacuum::told(&vacuumed.kept_runs)
            ));
        }
        verified.write_head(self.format(), out)?;
        self.say("next: keep this hash elsewhere; meterhouse verify --head SHA256 tells whether it is still the same ledger");
        Ok(())
    }
}

/// Nothing if the period was typed again, as a flag or on a terminal; else it is not `done`.
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
    Err(Error::usage(format!("`{text}` is not a SHA-256 hash"), hint))
}
