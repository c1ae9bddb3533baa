//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! A module uses only modules that stand behind it in this list: `cli` (what may be typed), `init` (the sample project),
//! `prompt` and `completion` (`sql` on a terminal), `report` (an error as text), `views` (SQL for other engines), `ask`
//! (one query, read-only), `describe` (what tables there are), `output` (rows as text), `run` (one run: pin, refresh,
//! check, publish), `lint` (every mistake of a project at once), `refresh` (how one table is brought up to date),
//! `reader` (the tables as they are now), `publish` (the ledger), `land` (files into usage records), `plan` (a query
//! and what is wrong with it), `primary_key`, `data_file` and `table` (a table's files, written and read), `project`
//! (what a project says), `warehouse` (object store, Delta logs, session), `functions` (what SQL cannot say), `schema`
//! (a table's contract), `cycle`, `decimal`, `config`, `error`.

pub mod ask;
pub mod cli;
pub mod completion;
pub mod config;
pub mod cycle;
pub mod data_file;
pub mod decimal;
pub mod describe;
pub mod error;
pub mod functions;
pub mod generate;
pub mod init;
pub mod land;
pub mod lint;
pub mod output;
pub mod plan;
pub mod primary_key;
pub mod project;
pub mod prompt;
pub mod publish;
pub mod reader;
pub mod refresh;
pub mod report;
pub mod run;
pub mod schema;
pub mod table;
pub mod views;
pub mod warehouse;
