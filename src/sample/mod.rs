//! Projects to begin with, and usage to try them with.

pub mod generate;
pub mod init;
