//! One file of a table, and a change of which files a table has.

use std::collections::BTreeMap;

use deltalake_core::kernel::Transaction;
use serde::{Deserialize, Serialize};

use super::landings::Landings;

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
    /// The landings of its rows, where it took the place of files of several; else its name says the one.
    #[serde(default, skip_serializing_if = "Landings::is_empty")]
    pub landings: Landings,
    /// What its rows have in the partition columns.
    pub partition: BTreeMap<String, String>,
}

/// What the name of a file begins with that a landing wrote, before its number.
const LANDING: &str = "landing-";
/// What the name of a file begins with that took the place of others.
const MERGED: &str = "merged-";

impl DataFile {
    /// How landing names the files of a landing.
    pub fn stem_of(landing_id: i64) -> String {
        format!("{LANDING}{landing_id}")
    }

    /// How a file is named that takes the place of others.
    pub fn merged_stem() -> String {
        format!("{MERGED}{}", uuid::Uuid::new_v4().simple())
    }

    /// Whether it took the place of others.
    pub fn is_merged(&self) -> bool {
        self.name().starts_with(MERGED)
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The landings of its rows; none if they came by no landing.
    pub fn of_landings(&self) -> Landings {
        if !self.landings.is_empty() {
            return self.landings.clone();
        }
        let number = self.name().strip_prefix(LANDING).and_then(|name| name.split(['-', '.']).next());
        number.and_then(|number| number.parse().ok()).map(|number| (number, number)).into_iter().collect()
    }
}

/// A change of a table's files, made once.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Who makes it.
    pub by: By<'a>,
    /// The files that are new.
    pub added: &'a [DataFile],
    /// The files that are no longer part of the table.
    pub removed: &'a [DataFile],
}

/// Who changes a table's files; it tells whether the change was made.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// An application, and the number of the change among those that it makes one after the other.
    Application(&'a str, u64),
    /// A landing: it was done where a file of the table has rows of it.
    Landing(i64),
    /// Somebody whose names for files nobody else uses: it was done where the table has them.
    Named,
}

/// The names under which landings commit. A Delta log keeps each name for ever, so they share a few.
const NAMES: i64 = 1024;

impl By<'_> {
    /// What a commit says of it, so that one that meets another of the same name looks again.
    pub(super) fn transaction(&self) -> Transaction {
        match self {
            Self::Application(name, number) => Transaction::new(*name, *number as i64),
            Self::Landing(landing_id) => {
                Transaction::new(format!("{LANDING}{}", landing_id % NAMES), *landing_id)
            }
            Self::Named => Transaction::new("named", 0),
        }
    }
}
