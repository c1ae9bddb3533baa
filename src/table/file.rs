//! One file of a table, and a change of which files a table has.

use std::collections::BTreeMap;

use deltalake_core::kernel::Transaction;
use serde::{Deserialize, Serialize};

/// The column that numbers usage records, by which files are told apart that need not be read.
pub const SEQUENCE: &str = "landing_sequence";

/// One data file of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataFile {
    /// Its path below the table.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its number of rows.
    pub rows: u64,
    /// The order-independent hash of its rows: the sum of their 128-bit hashes, wrapping, in hexadecimal.
    pub hash: String,
    /// The hash of its bytes, as [`super::checksum::Checksum`] has it; empty where nobody noted it.
    pub checksum: String,
    /// The least and the greatest `landing_sequence` of its rows, where they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<(i64, i64)>,
    /// What its rows have in the partition columns.
    pub partition: BTreeMap<String, String>,
}

/// A change of a table's files, made once for each `(application, version)`.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Who makes it.
    pub application: &'a str,
    /// Its number among the changes of whoever makes it.
    pub version: u64,
    /// The files that are new.
    pub added: &'a [DataFile],
    /// The files that are no longer part of the table.
    pub removed: &'a [DataFile],
}

impl Change<'_> {
    /// Who makes it, and its number.
    pub(super) fn transaction(&self) -> Transaction {
        Transaction::new(self.application, self.version as i64)
    }
}
