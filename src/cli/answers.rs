//! What others take away: exports, views for other engines, answers to queries.

use std::io::Read;
use std::path::{Path, PathBuf};

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;

use super::counter::Counter;
use super::prompt::Prompt;
use super::shown::held_back;
use super::stderr;
use super::{Opened, Out, check_period, is_terminal};
use crate::answer::{ask, views};
use crate::encode::answer::Answer;
use crate::encode::{Encoder, Format};
use crate::error::{Error, Result, While};
use crate::{catalog, export};

impl Opened {
    /// Writes rows of the program's own tables, and returns how many they are.
    pub(super) async fn show_rows(&self, rows: SendableRecordBatchStream, out: Out<'_>) -> Result<usize> {
        let failed = |error: &DataFusionError| Error::data(error.to_string(), "meterhouse verify");
        let mut answer = Answer::to(out);
        let encoder = Encoder::new(self.format(), &rows.schema())?;
        let count = answer.rows(encoder, rows, &failed).await?;
        answer.finish()?;
        Ok(count)
    }

    pub(super) async fn export(&self, period: String, to: String, one_file: bool) -> Result<()> {
        check_period(&period)?;
        let format = self.asked.unwrap_or(Format::Csv);
        let request = export::Request { period, as_of: self.as_of, to, one_file, format };
        let counter = Counter::new(self.quiet, "customers exported");
        let progress = |count| counter.show(count);
        let warn = |remark: export::Remark| stderr::line(&remark.to_string());
        let (project, warehouse) = (&self.project, &self.warehouse);
        let report = export::export(project, warehouse, &self.context, &request, &warn, &progress).await?;
        counter.clear();
        self.say(&format!("{} customers, {} files", report.customers, report.files));
        self.say(&format!("manifest: {}/{}", request.to.trim_end_matches('/'), report.manifest));
        held_back(&report.parked)?;
        if format == Format::Html {
            let folder = request.to.trim_end_matches('/');
            self.say(&format!("next: open {folder}/{}/CUSTOMER/statement.html", request.period));
        } else {
            self.say(&format!("next: meterhouse export --period {} --format html", request.period));
        }
        Ok(())
    }

    pub(super) async fn views(&self, scan: views::Scan, out: Out<'_>) -> Result<()> {
        let (head, files) = catalog::readable(&self.project, &self.warehouse).await?;
        let text = views::duckdb(&self.project, &self.warehouse, head.as_ref(), &files, scan)?;
        out.write_all(text.as_bytes()).during(|| "writing views".into())
    }

    pub(super) async fn sql(&self, query: Option<String>, file: Option<PathBuf>, out: Out<'_>) -> Result<()> {
        let (as_of, format) = (self.as_of, self.format());
        if query.is_none() && file.is_none() && is_terminal() {
            let (project, warehouse) = (&self.project, &self.warehouse);
            let prompt = Prompt { project, warehouse, as_of, format, quiet: self.quiet };
            return prompt.run(out).await;
        }
        let text = query_text(query, file)?;
        self.read().await?;
        ask::ask(&self.project, &self.context, &text, as_of, format, out).await.map(|_| ())
    }
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
