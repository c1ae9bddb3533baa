//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! What SQL cannot say, the functions and calendars, is a crate of its own, `meterhouse_sql`.
//! A module uses only modules that stand behind it in this list, or beside it in its line; a test holds that:
//!
//! - `cli`: what may be typed
//! - `init`: the sample project
//! - `prompt`, `completion`: the prompt of `meterhouse sql`
//! - `report`: an error as text
//! - `views`: SQL for other engines
//! - `verify`: whether what was published is as it was
//! - `ask`: one query, read-only
//! - `describe`: what tables there are
//! - `export`: files for the invoicing system
//! - `output`: rows as text
//! - `run`: one run: pin, refresh, check, publish
//! - `lint`: every mistake of a project at once
//! - `generate`: sample usage of any size
//! - `reference`: whether rows name only what there is
//! - `fingerprint`: whether a table is up to date
//! - `refresh`: how one table is brought up to date
//! - `reader`: the tables as they are now
//! - `publish`: the ledger
//! - `books`: which periods are closed
//! - `land`: files into usage records
//! - `decision`: what people decide about them
//! - `plan`: a query and what is wrong with it
//! - `data_file`: a table's files, written
//! - `primary_key`: no two rows with one key
//! - `table`: a table's files, read
//! - `proof`: whether a file is what was written
//! - `project`: what a project says
//! - `foreign_sql`: what other engines write otherwise
//! - `warehouse`: Delta logs, session
//! - `microseconds`: the unit of times in every plan
//! - `small_files`: kept in memory
//! - `scratch`: a store that is read and not written
//! - `location`: a directory or bucket and its store
//! - `schema`: a table's contract
//! - `config`, `digest`, `error`, `stderr`, `stdout`

pub mod ask;
pub mod books;
pub mod cli;
pub mod completion;
pub mod config;
pub mod data_file;
pub mod decision;
pub mod describe;
pub mod digest;
pub mod error;
pub mod export;
pub mod fingerprint;
pub mod foreign_sql;
pub mod generate;
pub mod init;
pub mod land;
pub mod lint;
pub mod location;
pub mod microseconds;
pub mod output;
pub mod plan;
pub mod primary_key;
pub mod project;
pub mod prompt;
pub mod proof;
pub mod publish;
pub mod reader;
pub mod reference;
pub mod refresh;
pub mod report;
pub mod run;
pub mod schema;
pub mod scratch;
pub mod small_files;
pub mod stderr;
pub mod stdout;
pub mod table;
pub mod verify;
pub mod views;
pub mod warehouse;
