//! Why a table is made whole, and not by what changed.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why a table is made whole. Its text is a part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No run has made it.
    First,
    /// The run closes a period.
    Closes,
    /// The run lets closed periods be rated by the rules of today.
    Rerates,
    /// The run makes this billing period only.
    Limited(String),
    /// The run before made one billing period of it only.
    WasLimited,
    /// Closed periods of it were rated again, and others carry on from these.
    RatedAgain,
    /// It has no rows that could stay.
    NoRows,
    /// It reads the as-of, which was this one.
    AsOf(String),
    /// Its query, a view behind it, or its contract is another.
    Rewritten,
    /// Of this table that it reads, nobody knows which rows are other than before.
    NotKnown(String),
    /// This table that it reads has lost its last row.
    Emptied(String),
    /// None of its columns is a key that can be followed to what changed; the first is lost on the way.
    Lost {
        /// The first column.
        column: String,
        /// Where it is lost.
        why: String,
    },
    /// Too many of its rows may be other than before, by this column.
    Many(String),
    /// To say which of its rows are touched, by this column, takes longer than to make it.
    Dear(String),
    /// It has no column that every row has to have.
    NoColumn,
    /// Making it by what changed went wrong.
    Failed(String),
}

impl fmt::Display for Why {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => write!(text, "it is made for the first time"),
            Self::Closes => write!(text, "the run closes a period"),
            Self::Rerates => write!(text, "the run rates closed periods by the rules of today"),
            Self::Limited(period) => write!(text, "the run is for {period} only"),
            Self::WasLimited => write!(text, "the run before was for one billing period only"),
            Self::RatedAgain => write!(text, "closed periods of it were rated again"),
            Self::NoRows => write!(text, "it has no rows so far"),
            Self::AsOf(before) => write!(text, "it reads the as-of, which was {before}"),
            Self::Rewritten => write!(text, "its query, a view behind it or its contract has changed"),
            Self::Dear(column) => {
                write!(text, "to find what has changed in it, by `{column}`, takes longer than to make it")
            }
            Self::NotKnown(table) => write!(text, "which rows of `{table}` have changed is not known"),
            Self::Emptied(table) => write!(text, "`{table}` has no rows any more"),
            Self::Lost { column, why } => write!(text, "`{column}` cannot be followed: {why}"),
            Self::Many(column) => write!(text, "too many of its rows may have changed, by `{column}`"),
            Self::NoColumn => write!(text, "it has no column that is never null"),
            Self::Failed(error) => write!(text, "making it by what changed failed: {error}"),
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
