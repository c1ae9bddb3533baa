//! The prompt of `meterhouse sql`: lines in, rows out, until it is left.
//!
//! Owns what is typed and what is done about it. Reading rows is `answer::ask`, as for the command with a query, so the
//! prompt can only read. An error is shown, and the prompt goes on.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use datafusion::prelude::SessionContext;
use rustyline::error::ReadlineError;
use rustyline::{CompletionType, Config, Editor};

use super::completion::{self, Names, TypedSql};
use super::mistakes::report;
use super::stderr;
use crate::answer::{ask, describe};
use crate::catalog;
use crate::encode::Format;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::ledger::{self, Entry};
use crate::project::Project;
use crate::store::warehouse::Warehouse;

const HELP: &str = r"A statement ends with ; and may have many lines. Tab completes names, arrows and Ctrl-R find old statements.
  \d          the tables and views
  \d TABLE    its columns with types, units and meaning
  \timing     how long each statement takes: on or off
  \q          leaves, as Ctrl-D does; Ctrl-C clears the line or stops a statement";

/// What the prompt works on, and how it shows it.
pub struct Prompt<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its warehouse.
    pub warehouse: &'a Warehouse,
    /// What `$as_of` stands for, in microseconds since the epoch.
    pub as_of: i64,
    /// How rows are written.
    pub format: Format,
    /// Whether only rows and errors are shown.
    pub quiet: bool,
}

/// What to do after a line.
#[derive(PartialEq, Eq)]
enum Next {
    Read,
    Leave,
}

impl Prompt<'_> {
    /// Reads and answers until it is left.
    ///
    /// # Errors
    /// A warehouse that cannot be opened, a terminal that cannot be read. What is wrong with a statement is none.
    pub async fn run(&self, out: &mut (dyn Write + Send)) -> Result<()> {
        let (mut context, mut head) = self.open().await?;
        self.say(&match &head {
            Some(head) => format!("run {}, as of {}; \\? shows what can be typed", head.run, head.as_of),
            None => "nothing was published yet; next: meterhouse run".into(),
        });
        let config =
            Config::builder().completion_type(CompletionType::List).history_ignore_space(true).build();
        let mut editor = Editor::with_config(config).during(|| "opening the terminal".into())?;
        editor.set_helper(Some(TypedSql::new(self.names(&context).await)));
        let history = history();
        if let Some(file) = &history {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        let mut is_timing = !self.quiet;
        // From its first use on, Ctrl-C no longer ends the program; so it is used once before there is a line.
        let _ = futures::poll!(std::pin::pin!(tokio::signal::ctrl_c()));
        loop {
            let read = tokio::task::block_in_place(|| editor.readline("meterhouse> "));
            let text = match read {
                Ok(text) => text,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(error).during(|| "reading the terminal".into()),
            };
            if text.trim().is_empty() {
                continue;
            }
            let _ = editor.add_history_entry(text.trim());
            if let Some(file) = &history {
                // Written at once, so that a prompt that is killed forgets nothing; a full disk stops nobody.
                let _ = editor.append_history(file);
            }
            let outcome = tokio::select! {
                // In this order, so that it is listened to before a long statement begins.
                biased;
                _ = tokio::signal::ctrl_c() => {
                    stderr::line("stopped");
                    Ok(Next::Read)
                }
                outcome = async {
                    // Whoever leaves a prompt open sees what was published meanwhile.
                    if let Some((new_context, new_head)) = self.news(head.as_ref()).await? {
                        self.say(&format!("run {} was published", new_head.run));
                        (context, head) = (new_context, Some(new_head));
                        editor.set_helper(Some(TypedSql::new(self.names(&context).await)));
                    }
                    self.answer(&context, text.trim(), &mut is_timing, out).await
                } => outcome,
            };
            out.flush().during(|| "writing rows".into())?;
            match outcome {
                Ok(Next::Read) => {}
                Ok(Next::Leave) => return Ok(()),
                Err(error) => report(&error, &self.project.root),
            }
        }
    }

    async fn open(&self) -> Result<(SessionContext, Option<Entry>)> {
        let context = session(&self.project.settings, Some(self.warehouse))?;
        let head = catalog::open(self.project, self.warehouse, &context, self.as_of).await?;
        Ok((context, head))
    }

    /// The tables as a newer run published them, if there is one.
    async fn news(&self, seen: Option<&Entry>) -> Result<Option<(SessionContext, Entry)>> {
        let head = ledger::head(self.warehouse).await?;
        if head.map(|head| head.run) == seen.map(|head| head.run) {
            return Ok(None);
        }
        let (context, head) = self.open().await?;
        Ok(head.map(|head| (context, head)))
    }

    /// The columns of every table and view, for completion.
    async fn names(&self, context: &SessionContext) -> Names {
        let mut tables = BTreeMap::new();
        for name in self.project.schemas.keys().chain(self.project.queries.keys()) {
            if let Ok(table) = context.table_provider(name.as_str()).await {
                let columns = table.schema().fields().iter().map(|field| field.name().clone()).collect();
                tables.insert(name.clone(), columns);
            }
        }
        let state = context.state();
        let functions = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        Names { tables, functions: functions.cloned().collect() }
    }

    async fn answer(
        &self,
        context: &SessionContext,
        text: &str,
        is_timing: &mut bool,
        out: &mut (dyn Write + Send),
    ) -> Result<Next> {
        let mut words = text.trim_end_matches(';').split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("\\q" | "quit" | "exit"), None, _) => return Ok(Next::Leave),
            (Some("\\?" | "\\h" | "help"), None, _) => stderr::line(HELP),
            (Some("\\timing"), None, _) => {
                *is_timing = !*is_timing;
                stderr::line(if *is_timing { "timing is on" } else { "timing is off" });
            }
            (Some("\\d" | "\\dt"), None, _) => describe::tables(self.project, self.format, out)?,
            (Some("\\d"), Some(table), None) => {
                describe::describe(self.project, context, table, self.format, out).await?;
            }
            _ if text.starts_with('\\') => {
                return Err(Error::usage(
                    format!("`{text}` is not a command of the prompt"),
                    "\\? shows them",
                ));
            }
            _ => {
                for statement in completion::statements(text) {
                    let started = std::time::Instant::now();
                    let rows =
                        ask::ask(self.project, context, statement, self.as_of, self.format, out).await?;
                    out.flush().during(|| "writing rows".into())?;
                    if *is_timing {
                        let plural = if rows == 1 { "" } else { "s" };
                        let seconds = started.elapsed().as_secs_f64();
                        stderr::line(&format!("({rows} row{plural}, {seconds:.3} s)"));
                    }
                }
            }
        }
        Ok(Next::Read)
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            stderr::line(text);
        }
    }
}

/// The file that keeps what was typed, in the user's folder for such things; none if that cannot be made.
fn history() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    let folder = state.join("meterhouse");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
