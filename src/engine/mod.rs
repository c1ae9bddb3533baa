//! The engine that runs SQL, set up for money, and what it says of a query in the words of whoever wrote it.

mod compact;
pub mod foreign_sql;
mod in_force;
pub mod microseconds;
pub mod plan;
mod qualified;
mod rules;
pub mod session;
pub mod words;
