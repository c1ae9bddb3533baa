//! meterhouse: usage records in, invoice-ready lines out, every commercial rule in SQL.
//!
//! Each module uses only modules below it in this list.

pub mod cli;
pub mod output;
pub mod run;
pub mod lint;
pub mod refresh;
pub mod publish;
pub mod land;
pub mod plan;
pub mod data_file;
pub mod table;
pub mod project;
pub mod warehouse;
pub mod functions;
pub mod schema;
pub mod cycle;
pub mod decimal;
pub mod config;
pub mod error;
