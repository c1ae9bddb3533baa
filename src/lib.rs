//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! Each module uses only modules below it in this list.

pub mod cli;
pub mod config;
pub mod cycle;
pub mod data_file;
pub mod decimal;
pub mod error;
pub mod functions;
pub mod land;
pub mod lint;
pub mod output;
pub mod plan;
pub mod project;
pub mod publish;
pub mod refresh;
pub mod run;
pub mod schema;
pub mod table;
pub mod warehouse;
