//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! Each room uses only rooms that stand behind it in this list; a test holds that:
//!
//! - `cli`: what may be typed; it asks and shows, and decides nothing
//! - `serve`: usage over HTTP, for as long as it is let
//! - `access`: who may do what over HTTP, and what was done
//! - `proof`: whether what was published is as it was
//! - `export`: files for the invoicing system
//! - `answer`: one query, what tables there are, views for other engines
//! - `books`: closing and rating again, whoever asks for it
//! - `run`: one run: pin, refresh, check, publish
//! - `check`: every mistake of a project at once
//! - `sample`: projects to begin with, and usage to try them with
//! - `events`: what has happened, for those who want to be told
//! - `catalog`: the tables as they are now
//! - `refresh`: how one table is brought up to date, and whether it is
//! - `land`: files into usage records, and what people decide about them
//! - `ledger`: what was published, and which periods are closed
//! - `engine`: the session set up for money, a query and what is wrong with it
//! - `table`: a table's files
//! - `store`: bytes that are written once
//! - `project`: what a project says
//! - `encode`: rows as bytes, in every format
//! - `error`: what went wrong, for the person who has to act

pub mod access;
pub mod answer;
pub mod books;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod encode;
pub mod engine;
pub mod error;
pub mod events;
pub mod export;
pub mod land;
pub mod ledger;
pub mod project;
pub mod proof;
pub mod refresh;
pub mod run;
pub mod sample;
pub mod serve;
pub mod store;
pub mod table;
