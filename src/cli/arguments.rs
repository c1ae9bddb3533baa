//! What may be typed.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use meterhouse_sql::cycle::parse_instant;

use super::is_terminal;
use crate::access::key::Scope;
use crate::answer::views;
use crate::encode::Format;
use crate::error::{Error, Result};
use crate::land;
use crate::land::{decision, identity};
use crate::project::Project;
use crate::sample::generate;

/// The formats of files that `export` writes.
const FILES: [&str; 5] = ["csv", "json", "ndjson", "parquet", "html"];

/// Usage records in, invoice-ready lines out; every commercial rule in SQL.
#[derive(Debug, Parser)]
#[command(
    name = "meterhouse",
    version,
    before_help = "Examples:\n  meterhouse init bill                a project that bills its own sample\n  meterhouse run                      land new usage, rate it, publish\n  meterhouse plan                     what a run would do, and why\n  meterhouse sql \"select * from customer_total\"\n  meterhouse land usage.ndjson        take in a file\n  meterhouse check                    find every mistake in the project",
    max_term_width = 100
)]
pub struct Cli {
    /// The project's folder.
    #[arg(long, global = true, default_value = ".", value_name = "DIR", env = "METERHOUSE_PROJECT")]
    pub(super) project: PathBuf,
    /// Overrides a setting of meterhouse.toml.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// The instant to run for; the default is now.
    #[arg(long, global = true, value_name = "TIME")]
    pub(super) as_of: Option<String>,
    /// How rows are written; the default is a table on a terminal, CSV in a pipe.
    #[arg(long, global = true, value_enum)]
    pub(super) format: Option<Format>,
    /// Says nothing but errors.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Says also why tables are made as they are.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes a project that bills its own sample, or one without data.
    #[command(
        before_help = "Examples:\n  meterhouse init bill     the sample, into the folder bill\n  meterhouse init          into this one, which has to be empty\n  meterhouse init --empty bill --time-zone Europe/Berlin --currency EUR:2"
    )]
    Init {
        /// The folder to write to; the default is the project's.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// A project without data, for usage of one's own.
        #[arg(long)]
        empty: bool,
        /// The zone of times without an offset, an IANA name.
        #[arg(long, value_name = "ZONE", requires = "empty")]
        time_zone: Option<String>,
        /// A currency with its decimals, such as EUR:2, JPY:0 or USD:2:half_even; once for each.
        #[arg(long, value_name = "CODE:DECIMALS", requires = "empty")]
        currency: Vec<String>,
    },
    /// Plans all SQL without reading usage, and tells all mistakes at once.
    #[command(before_help = "Examples:\n  meterhouse check\n  meterhouse --project examples/taxi check")]
    Check,
    /// Takes usage files into the warehouse.
    #[command(
        before_help = "Examples:\n  meterhouse land usage.ndjson\n  meterhouse land export.csv --with shop      mapped by queries/landing/shop.sql\n  zcat *.json.gz | meterhouse land -\n  meterhouse land import.csv --hold november --reason \"new meter\""
    )]
    Land {
        /// NDJSON, JSON, CSV (also gzip or zstd) or Parquet, also s3://bucket/usage/*; - is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Maps files of foreign shape by queries/landing/NAME.sql.
        #[arg(long, value_name = "NAME")]
        with: Option<String>,
        /// Keeps the files out of every run until `release NAME` or `discard NAME`.
        #[arg(long, value_name = "NAME")]
        hold: Option<String>,
        /// Lands files anew that have landed before; the landings before are discarded.
        #[arg(long, conflicts_with = "hold")]
        again: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Lets a batch that was held count from the next run on.
    #[command(before_help = "Examples:\n  meterhouse release november --reason \"the meter is right\"")]
    Release {
        /// The name it was held under.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Gives up a batch that was held: it stays in the warehouse and never counts.
    #[command(before_help = "Examples:\n  meterhouse discard november --reason \"the meter was wrong\"")]
    Discard {
        /// The name it was held under.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Takes records out of every count; in a closed period that makes a correction.
    #[command(
        before_help = "Examples:\n  meterhouse void TR13134131223 --reason \"billed twice by the operator\"\n  meterhouse void TR17 --replaced-by TR17-2 --reason \"wrong distance\""
    )]
    Void {
        /// The records.
        #[arg(required = true, value_name = "TRANSACTION_ID")]
        ids: Vec<String>,
        #[command(flatten)]
        which: Which,
        /// The record that amends it.
        #[arg(long, value_name = "TRANSACTION_ID")]
        replaced_by: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Gives up records that wait in suspense.
    #[command(
        before_help = "Examples:\n  meterhouse write-off TR900004 --reason \"nobody knows whose it is\""
    )]
    WriteOff {
        /// The records.
        #[arg(required = true, value_name = "TRANSACTION_ID")]
        ids: Vec<String>,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        why: Why,
    },
    /// Lets voided or written-off records count again.
    #[command(
        before_help = "Examples:\n  meterhouse restore TR13134131223 --reason \"it was right after all\""
    )]
    Restore {
        /// The records.
        #[arg(required = true, value_name = "TRANSACTION_ID")]
        ids: Vec<String>,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        why: Why,
    },
    /// Lands the inbox, brings every table up to date, checks, publishes.
    #[command(
        before_help = "Examples:\n  meterhouse run\n  meterhouse run --period 2026-10\n  meterhouse run --replay 7          makes run 7 again beside the warehouse, and compares"
    )]
    Run {
        /// Makes the lines of this billing period only, such as 2026-10.
        #[arg(long)]
        period: Option<String>,
        /// Makes a published run again, from what it read and by the queries it had; publishes nothing, and fails where
        /// a table has other rows.
        #[arg(long, value_name = "RUN", conflicts_with = "period")]
        replay: Option<u64>,
        /// Why it is run as of a time before the last closing.
        #[arg(long, value_name = "WHY", conflicts_with = "replay")]
        accept: Option<String>,
        /// Who runs it.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
    },
    /// Shows what the next run would do and why, and does nothing.
    #[command(
        before_help = "Examples:\n  meterhouse plan\n  meterhouse plan --period 2026-10\n  meterhouse plan --count              also how many rows, periods and customers\n  meterhouse plan --format markdown    to paste into a review"
    )]
    Plan {
        /// Of a run for this billing period only, such as 2026-10.
        #[arg(long)]
        period: Option<String>,
        /// Counts also what would be written, and the rows, periods and customers that would change. For that all is
        /// made beside the warehouse, which takes as long as the run.
        #[arg(long)]
        count: bool,
    },
    /// Runs, and closes a billing period for good: what comes later makes corrections in the open one.
    #[command(
        before_help = "Examples:\n  meterhouse close --period 2026-10\n  meterhouse close --period 2026-10 --confirm 2026-10    where nobody can be asked"
    )]
    Close {
        /// The billing period, such as 2026-10.
        #[arg(long)]
        period: String,
        /// The period again, instead of being asked for it.
        #[arg(long, value_name = "PERIOD")]
        confirm: Option<String>,
        /// Why it is closed though a check, a guard, a parked customer or the clock speaks against it.
        #[arg(long, value_name = "WHY")]
        accept: Option<String>,
        /// Who closes it.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
    },
    /// Rates a closed period by the contracts, prices and queries of today; shows the difference, and corrects it.
    #[command(
        before_help = "Examples:\n  meterhouse rerate --period 2026-08 --reason \"price agreed in July\""
    )]
    Rerate {
        /// The closed billing period.
        #[arg(long)]
        period: String,
        /// The period again, instead of being asked for it when the difference is shown.
        #[arg(long, value_name = "PERIOD")]
        confirm: Option<String>,
        /// Why it is done as of a time before the last closing.
        #[arg(long, value_name = "WHY")]
        accept: Option<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Reads everything that was published and closed, and compares it with what was written; prints the ledger's head.
    #[command(
        before_help = "Examples:\n  meterhouse verify\n  meterhouse verify --head 5f70bf18a0860...    a head that was kept"
    )]
    Verify {
        /// SHA-256 of an entry of the ledger; fails where the ledger does not have it any more.
        #[arg(long, value_name = "SHA256")]
        head: Option<String>,
    },
    /// Shows billing periods, totals, what waits in suspense, and the next step.
    #[command(
        before_help = "Examples:\n  meterhouse status\n  meterhouse status --accrual        what is earned and not billed\n  meterhouse --format json status    one document, for a program"
    )]
    Status {
        /// Shows instead what is earned so far, how much of that is billed, and what waits in suspense.
        #[arg(long, group = "instead")]
        accrual: bool,
        /// Shows instead how closed periods would be corrected if the rules and prices of today counted for them.
        #[arg(long, group = "instead")]
        reach_back: bool,
    },
    /// Shows how a line comes to its amount, or where a record went and why.
    #[command(
        before_help = "Examples:\n  meterhouse explain CON124-km/2026-09-30T22:00/driven_km-autumn\n  meterhouse explain --usage TR13134131223"
    )]
    Explain {
        /// The line.
        #[arg(required_unless_present = "record", conflicts_with = "record")]
        line_id: Option<String>,
        /// The record.
        #[arg(long, value_name = "TRANSACTION_ID", group = "record")]
        usage: Option<String>,
        /// Where the record is from, if several sources have the id.
        #[arg(long, requires = "record")]
        source: Option<String>,
    },
    /// Queries everything, read-only; without a query on a terminal, a prompt.
    #[command(
        before_help = "Examples:\n  meterhouse sql \"select * from customer_total\"\n  meterhouse sql -f question.sql --format json\n  meterhouse sql                      a prompt"
    )]
    Sql {
        /// The query; - reads it from standard input.
        query: Option<String>,
        /// Reads the query from a file.
        #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
        file: Option<PathBuf>,
    },
    /// Writes sample contracts, prices and usage of any size, by queries/generate/; the same numbers, the same bytes.
    #[command(before_help = "Examples:\n  meterhouse generate --contracts 1000 --records 100000 --to sample")]
    Generate {
        /// How many contracts.
        #[arg(long, default_value_t = 304, value_parser = clap::value_parser!(i64).range(16..))]
        contracts: i64,
        /// How many usage records.
        #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(i64).range(1..))]
        records: i64,
        /// How many months of usage, up to October 2026.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i64).range(1..=3))]
        months: i64,
        /// How usage is written.
        #[arg(long, value_enum, default_value = "ndjson")]
        usage: generate::UsageFormat,
        /// The folder to write to; the default is data/generated of the project.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Writes lines, statements and quotas of a billing period for the invoicing system, customer by customer.
    #[command(
        before_help = "Examples:\n  meterhouse export --period 2026-10\n  meterhouse export --period 2026-10 --format html               a page for each customer\n  meterhouse export --period 2026-10 --one-file --format parquet --to s3://invoicing/meterhouse"
    )]
    Export {
        /// The billing period, such as 2026-10.
        #[arg(long)]
        period: String,
        /// A folder or an s3://, gs:// or az:// URL; the default is export of the project.
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        /// One file for the period instead of one for each customer.
        #[arg(long)]
        one_file: bool,
        /// How files are written; the default is CSV.
        // In place of the flag of all commands: its value is found there.
        #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(FILES)
            .try_map(|name| <Format as clap::ValueEnum>::from_str(&name, false)))]
        format: Option<Format>,
    },
    /// Takes usage over HTTP, until it is stopped.
    #[command(
        before_help = "Examples:\n  meterhouse serve\n  meterhouse serve --bind 127.0.0.1:9000\n  curl -d '{\"transactionID\": ...}' -H 'content-type: application/json' 127.0.0.1:8473/subscriptions/v1/usage"
    )]
    Serve {
        /// Address and port; the default is the setting serve.bind.
        #[arg(long, value_name = "ADDRESS")]
        bind: Option<String>,
        /// Lets other machines reach it without a key, or in plain text: what goes over the network can be read and
        /// changed on its way.
        #[arg(long)]
        insecure: bool,
    },
    /// Makes, lists and revokes the keys by which programs ask a service.
    #[command(
        before_help = "Examples:\n  meterhouse key add shop --scope land --source shop\n  meterhouse key add portal --scope read --customer CUST-7\n  meterhouse key list\n  meterhouse key revoke 0123456789abcdef --reason \"it was in a log\""
    )]
    Key {
        /// What is done.
        #[command(subcommand)]
        what: KeyCommand,
    },
    /// Shows what was changed over HTTP: when, by which key, and what came of it.
    #[command(
        before_help = "Examples:\n  meterhouse audit\n  meterhouse audit --since 2026-11-01T00:00:00 --format ndjson"
    )]
    Audit {
        /// Shows what was answered at this time or later.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Shows what came of scheduled jobs, and when each is due next.
    #[command(before_help = "Examples:\n  meterhouse jobs\n  meterhouse --format json jobs")]
    Jobs,
    /// Shows what has happened: quotas that are used up to a percentage, periods that are due or closed, corrections,
    /// sources that fell silent.
    #[command(
        before_help = "Examples:\n  meterhouse events --kind quota_reached\n  meterhouse events --follow --after 1200      as CloudEvents, one a line\n  meterhouse events --look                    what the clock alone brings about\n  meterhouse events --redeliver billing --after 1200"
    )]
    Events {
        /// Shows what comes behind the event of this number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
        /// Shows those of a kind; may be given again.
        #[arg(long, value_name = "KIND")]
        kind: Vec<String>,
        /// Shows those about a customer; may be given again.
        #[arg(long, value_name = "ID", conflicts_with = "redeliver")]
        customer: Vec<String>,
        /// Goes on until Ctrl-C, and prints each as a CloudEvent on a line.
        #[arg(long, conflicts_with_all = ["look", "redeliver"])]
        follow: bool,
        /// Looks first at what the clock alone brings about, as a job with does = "events" does.
        #[arg(long, conflicts_with = "redeliver")]
        look: bool,
        /// Lets the service post to this webhook again what comes behind --after.
        #[arg(long, value_name = "WEBHOOK", requires = "after", conflicts_with = "kind")]
        redeliver: Option<String>,
    },
    /// Removes files of tables that no run of the last days and no closed period needs; never usage, reference data or
    /// books.
    #[command(
        before_help = "Examples:\n  meterhouse vacuum --dry-run           what would go, and what stays\n  meterhouse vacuum --keep-days 30"
    )]
    Vacuum {
        /// Keeps what runs of so many days made, for readers and for run --replay.
        #[arg(long, default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        keep_days: u32,
        /// Shows what would be removed, and removes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Who removes it.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
    },
    /// Shows a table's columns with their types, units and meaning.
    #[command(before_help = "Examples:\n  meterhouse describe invoice_line")]
    Describe {
        /// The table or view.
        table: String,
    },
    /// Prints the SQL by which another engine opens every table.
    #[command(
        before_help = "Examples:\n  meterhouse views --for duckdb > views.sql && duckdb -init views.sql\n  meterhouse views --for duckdb --scan delta"
    )]
    Views {
        /// The engine.
        #[arg(long = "for", value_enum, default_value = "duckdb", value_name = "ENGINE")]
        engine: views::Engine,
        /// How it finds the files of a table.
        #[arg(long, value_enum, default_value = "parquet")]
        scan: views::Scan,
    },
    /// Prints what completes commands and flags in a shell.
    #[command(
        before_help = "Examples:\n  meterhouse completions bash > ~/.local/share/bash-completion/completions/meterhouse\n  meterhouse completions fish > ~/.config/fish/completions/meterhouse.fish\n  source <(meterhouse completions zsh)"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What is done about keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Makes a key, and prints it this once: the warehouse keeps only its hash.
    #[command(
        before_help = "Examples:\n  meterhouse key add shop --scope land --source shop\n  meterhouse key add prometheus --scope operate > key"
    )]
    Add {
        /// Whose it is, or what for.
        name: String,
        /// What it may do; once for each.
        #[arg(long, value_enum, required = true)]
        scope: Vec<Scope>,
        /// A source whose usage it may send and void, once for each; the default is all.
        #[arg(long)]
        source: Vec<String>,
        /// A customer of whom it may read, or say what is booked, once for each; the default is all.
        #[arg(long, value_name = "CUSTOMER_ID")]
        customer: Vec<String>,
        /// Who makes it.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
    },
    /// Shows all keys, those that are revoked among them.
    #[command(before_help = "Examples:\n  meterhouse key list")]
    List,
    /// Revokes a key for good; a service refuses it within 5 seconds.
    #[command(
        before_help = "Examples:\n  meterhouse key revoke 0123456789abcdef --reason \"it was in a log\""
    )]
    Revoke {
        /// The key, as the list has it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        why: Why,
    },
}

impl Command {
    /// Whether it writes rows, in a format.
    pub(super) fn writes_rows(&self) -> bool {
        matches!(
            self,
            Self::Run { replay: None, .. }
                | Self::Plan { .. }
                | Self::Rerate { .. }
                | Self::Verify { .. }
                | Self::Status { .. }
                | Self::Explain { .. }
                | Self::Sql { .. }
                | Self::Export { .. }
                | Self::Vacuum { .. }
                | Self::Jobs
                | Self::Events { .. }
                | Self::Describe { .. }
                | Self::Key { what: KeyCommand::List }
                | Self::Audit { .. }
        )
    }
}

/// Which of the records with an id are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Where they are from, if several sources have the id.
    #[arg(long)]
    source: Option<String>,
    /// When it was used, if records of the source with one id are told apart by their time.
    #[arg(long, value_name = "TIME", conflicts_with = "all")]
    usage_start: Option<String>,
    /// All of them, if several have the id.
    #[arg(long)]
    all: bool,
}

impl Which {
    /// The same with the time in the project's zone.
    pub(super) fn read(&self, project: &Project) -> Result<identity::Which> {
        let zone = land::project_zone(project)?;
        let usage_start = self.usage_start.as_deref().map(|text| parse_instant(text, &zone)).transpose();
        let usage_start = usage_start.map_err(|error| {
            Error::usage(format!("--usage-start: {error}"), "such as 2026-10-01T12:00:00Z")
        })?;
        Ok(identity::Which { source: self.source.clone(), usage_start, all: self.all })
    }
}

/// Who decides something, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    /// Who.
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
}

impl Why {
    /// With the time of the clock, and a reason that stands in where none is given.
    pub(super) fn author_or(&self, at: i64, reason: &str) -> decision::Author {
        let given = self.reason.trim();
        let reason = if given.is_empty() { reason } else { given };
        decision::Author { by: self.by.clone(), at, reason: reason.into() }
    }

    /// With the time of the clock; a reason has to be given.
    pub(super) fn author(&self, at: i64) -> Result<decision::Author> {
        if self.reason.trim().is_empty() {
            return Err(no_reason("--reason"));
        }
        Ok(decision::Author { by: self.by.clone(), at, reason: self.reason.clone() })
    }
}

/// Refuses a reason without a word in it.
pub(super) fn has_reason(accepted: Option<&str>) -> Result<()> {
    match accepted {
        Some(why) if why.trim().is_empty() => Err(no_reason("--accept")),
        _ => Ok(()),
    }
}

/// Whoever looks at the books later wants to know why.
fn no_reason(flag: &str) -> Error {
    Error::usage("no reason was given", format!("{flag} \"why\"; it is kept with the decision"))
}

impl Cli {
    /// The project's folder.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// Whether it ends by itself when it is told to stop.
    pub fn stops_by_itself(&self) -> bool {
        matches!(self.command, Command::Serve { .. })
    }

    /// Whether this is a prompt, where Ctrl-C stops what was asked last and not the program.
    pub fn is_prompt(&self) -> bool {
        matches!(self.command, Command::Sql { query: None, file: None }) && is_terminal()
    }
}
