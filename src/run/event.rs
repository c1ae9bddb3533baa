//! What a run, a closing or a rating again does, told to a listener as it happens.

use std::fmt;
use std::time::Duration;

use arrow::array::RecordBatch;
use serde::Serialize;

use crate::land::Landed;
use crate::refresh::why::Why;

/// Who hears of each event as it happens; called on the run's own tasks, so it must not wait.
pub type Hear<'a> = &'a (dyn Fn(&Event) + Sync);

/// Something that happened. Its text is a line for people.
#[derive(Debug, Clone)]
pub enum Event {
    /// A file of an inbox was taken in, or had been before.
    Landed(Landed),
    /// The run is for an earlier time than the one before it.
    Earlier {
        /// The time it is for.
        as_of: String,
        /// The time that the run before was for.
        before: String,
    },
    /// The run is for a time that has not come.
    Ahead {
        /// The time it is for.
        as_of: String,
        /// The clock.
        now: String,
    },
    /// Small files of a landed table were merged.
    Merged {
        /// The table.
        table: String,
        /// How many there were.
        files: usize,
        /// How many took their place.
        into: usize,
    },
    /// A table begins to be made.
    Begun {
        /// The table.
        table: String,
    },
    /// A table could not be made by what changed, and is made whole.
    NotUpdated {
        /// The table.
        table: String,
        /// Why.
        why: Why,
    },
    /// A table was made. Its long text says why so.
    Made(Step),
    /// A check was asked. Its long text says of what, and why.
    Checked {
        /// The check.
        check: String,
        /// The customers that it holds back.
        parked: usize,
        /// Why it was asked of all rows; none: it was asked of those that have changed.
        why: Option<String>,
    },
    /// A closed period was rated again.
    Rerated {
        /// The billing period.
        period: String,
        /// How long it took.
        took: Duration,
    },
    /// A table of a repeated run has the rows that were published.
    Repeated {
        /// The table.
        table: String,
        /// Its rows.
        rows: u64,
    },
    /// An inbox looks where nothing is.
    Nowhere {
        /// Which, and where.
        inbox: String,
    },
    /// A run was published on the way to something else.
    Published(Report),
    /// Records wait in suspense, and will not be in the books of a period that is about to close.
    Waiting {
        /// The billing period.
        period: String,
        /// How many.
        records: u64,
        /// Which, as the project's query of what waits says.
        shown: Vec<RecordBatch>,
    },
    /// A period was closed.
    Closed {
        /// The billing period.
        period: String,
    },
}

impl Event {
    /// Whether it is shown even to those who asked for quiet.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Earlier { .. } | Self::Ahead { .. } | Self::Nowhere { .. } | Self::Waiting { .. }
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Landed(landed) => landed.fmt(text),
            Self::Earlier { as_of, before } => write!(
                text,
                "warning: this run is as of {as_of}, the one before as of {before}: cycles that began in between are \
                 taken back, and their drafts with them"
            ),
            Self::Ahead { as_of, now } => write!(
                text,
                "warning: this run is as of {as_of}, ahead of the clock ({now}): cycles that have not begun are billed \
                 as drafts"
            ),
            Self::Nowhere { inbox } => write!(text, "warning: {inbox}"),
            Self::Merged { table, files, into } => {
                write!(text, "merge {table}: {files} small files are {into} now, with the same rows")
            }
            Self::Begun { table } => write!(text, "making {table}"),
            Self::NotUpdated { table, why } => write!(text, "rebuild {table}: {why}"),
            Self::Made(Step { table, way, by, why, rows, took }) => {
                write!(text, "{way} {table}: {rows} rows ({:.1} s)", took.as_secs_f64())?;
                match (by, why) {
                    (Some(column), _) if text.alternate() => write!(text, ", by {column}"),
                    (_, Some(why)) if text.alternate() => write!(text, ", because {why}"),
                    _ => Ok(()),
                }
            }
            Self::Checked { check, parked, why } => {
                match parked {
                    0 => write!(text, "check {check} held")?,
                    _ => write!(text, "check {check} holds {parked} customers back")?,
                }
                match why {
                    Some(why) if text.alternate() => write!(text, ", asked of all rows, because {why}"),
                    None if text.alternate() => write!(text, ", asked of what has changed"),
                    _ => Ok(()),
                }
            }
            Self::Rerated { period, took } => write!(
                text,
                "rerate {period}: its usage or its rules have changed since it closed ({:.1} s)",
                took.as_secs_f64()
            ),
            Self::Repeated { table, rows } => write!(text, "same {table}: {rows} rows"),
            Self::Published(Report { published: Some(number), steps, .. }) => {
                write!(text, "published as run {number}: {} tables made", steps.len())
            }
            Self::Published(Report { skipped, .. }) => {
                write!(text, "nothing to do: all {skipped} tables are up to date")
            }
            Self::Waiting { period, records: 1, .. } => {
                write!(text, "warning: 1 record waits in suspense, and is not in the books of {period}")
            }
            Self::Waiting { period, records, .. } => {
                write!(
                    text,
                    "warning: {records} records wait in suspense, and are not in the books of {period}"
                )
            }
            Self::Closed { period } => write!(text, "{period} is closed"),
        }
    }
}

/// How a table was brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Its reference file was taken in.
    Snapshot,
    /// Its query made it again.
    Rebuild,
    /// The rows that what changed has touched were made again.
    Update,
    /// It was made again, and has the same rows.
    Same,
}

impl fmt::Display for Way {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(match self {
            Self::Snapshot => "snapshot",
            Self::Rebuild => "rebuild",
            Self::Update => "update",
            Self::Same => "same",
        })
    }
}

/// What happened to one table.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The table.
    pub table: String,
    /// How it was made.
    pub way: Way,
    /// The column by which it was made, where that was by what changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why its query made all of it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Its rows now.
    pub rows: u64,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The number it was published under; none if there was nothing to do.
    pub published: Option<u64>,
    /// The tables that were made; those that were skipped are left out.
    pub steps: Vec<Step>,
    /// The tables that nothing had changed for.
    pub skipped: usize,
    /// The customers that a check holds back, with the check.
    pub parked: Vec<(String, String)>,
    /// How many checks held.
    pub checks: usize,
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_millis() as f64 / 1000.0)
}
