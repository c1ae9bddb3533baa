//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! A module uses only modules that stand behind it in this list: `cli` (what may be typed), `output` (rows as text),
//! `run` (one run: pin, refresh, check, publish), `lint` (every mistake of a project at once), `refresh` (how one
//! table is brought up to date), `publish` (the ledger), `land` (files into usage records), `plan` (a query and what
//! is wrong with it), `primary_key`, `data_file` and `table` (a table's files, written and read), `project` (what a
//! project says), `warehouse` (object store, Delta logs, session), `functions` (what SQL cannot say), `schema` (a
//! table's contract), `cycle`, `decimal`, `config`, `error`.

pub mod cli;
pub mod config;
pub mod cycle;
pub mod data_file;
pub mod decimal;
pub mod error;
pub mod functions;
pub mod generate;
pub mod land;
pub mod lint;
pub mod output;
pub mod plan;
pub mod primary_key;
pub mod project;
pub mod publish;
pub mod refresh;
pub mod run;
pub mod schema;
pub mod table;
pub mod warehouse;
