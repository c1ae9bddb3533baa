//! What became of a file, and why records of it were rejected, for the person who landed it.

use std::collections::BTreeMap;
use std::fmt;

use super::record::Rejected;

/// What became of one file.
#[derive(Debug, Clone)]
pub struct Landed {
    /// The file as it was named.
    pub file: String,
    /// The number of its landing.
    pub landing_id: i64,
    /// How many records it holds.
    pub received: u64,
    /// How many of them could not be read.
    pub rejected: u64,
    /// What had become of the same content before, which is all that counts.
    pub before: Option<Before>,
    /// The landing that was discarded for this one.
    pub replaced: Option<i64>,
    /// What is wrong with the file as a whole, and with each of its records for that.
    pub warnings: Vec<String>,
    /// Why records were rejected.
    pub reasons: Reasons,
}

/// What had become of a content before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It landed.
    Counted,
    /// Each of its records was rejected.
    Rejected,
}

impl Landed {
    pub(super) fn of(file: &str, landing_id: i64) -> Self {
        Self {
            file: file.into(),
            landing_id,
            received: 0,
            rejected: 0,
            before: None,
            replaced: None,
            warnings: Vec::new(),
            reasons: Reasons::default(),
        }
    }

    /// Whether nothing of it was taken, because each record was rejected.
    pub fn is_rejected(&self) -> bool {
        match self.before {
            Some(before) => before == Before::Rejected,
            None => self.received > 0 && self.rejected == self.received,
        }
    }
}

impl fmt::Display for Landed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, landing_id, received, rejected, .. } = self;
        match self.before {
            Some(Before::Counted) => {
                write!(out, "{file}: landed before, as landing {landing_id}")?;
            }
            Some(Before::Rejected) => {
                write!(out, "{file}: landed before, as landing {landing_id}, and each record was rejected")?;
            }
            None if *received == 0 => write!(out, "{file}: no records")?,
            None => write!(out, "{file}: {received} received, {rejected} rejected")?,
        }
        if let Some(replaced) = self.replaced {
            write!(out, "; landing {replaced} is discarded")?;
        }
        for warning in &self.warnings {
            write!(out, "\n{file}: {warning}")?;
        }
        self.reasons.fmt(out)
    }
}

/// Reasons that are kept apart; a file with more is hopeless.
const KINDS: usize = 1000;
/// How many of them are shown.
const SHOWN: usize = 5;

/// Why records were rejected: each reason without its values, how many records have it, and the first line of them.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    kinds: BTreeMap<String, (u64, u64)>,
}

impl Reasons {
    pub(super) fn add(&mut self, rejected: &[Rejected]) {
        for row in rejected {
            if let Some((count, first)) = self.kinds.get_mut(&row.kind) {
                *count += 1;
                *first = row.line.min(*first);
            } else if self.kinds.len() < KINDS {
                self.kinds.insert(row.kind.clone(), (1, row.line));
            }
        }
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(_, (count, first))| (std::cmp::Reverse(*count), *first));
        for (kind, (count, first)) in kinds.iter().take(SHOWN) {
            write!(out, "\n  {count}: {kind} (first in line {first})")?;
        }
        if kinds.len() > SHOWN {
            write!(out, "\n  and {} other reasons, in usage_rejected", kinds.len() - SHOWN)?;
        }
        Ok(())
    }
}
