//! What has happened, for those who want to be told.
//!
//! A query of `queries/event/` says which conditions of its kind hold. Where one begins to hold, or ends, that is an
//! event, and a row of the table `event`; which conditions held before is said by that table alone. So each crossing is
//! an event of its own, and what is looked at again, by whom ever and for what reason, makes none twice.
//!
//! Queries over what a run makes are asked by the run, and their events are published with it. Those that read
//! `$as_of` tell what the clock alone brings about: they are asked from time to time (`look`), and where that finds
//! something it is published as an entry of events only. Whom all this is told is left to who reads the table.

pub mod look;
pub mod message;
mod since;
mod write;

use crate::project::settings::HandOver;
use crate::project::{EVENT, Project, Query};

pub use self::since::{Condition, misfit, since};
pub use self::write::write;

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Which condition.
    pub condition: Condition,
    /// Counts up for each condition, from 1: odd where it began to hold, even where it ended.
    pub ordinal: i64,
}

impl Happened {
    /// Whether the condition ended.
    pub fn has_ended(&self) -> bool {
        self.ordinal % 2 == 0
    }

    /// Another one for each time.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.condition.kind, self.condition.key, self.ordinal)
    }
}

/// The queries that a run asks.
pub fn of_runs(project: &Project) -> impl Iterator<Item = &Query> {
    wanted(project).filter(|query| !project.reads_as_of(query))
}

/// The queries that tell what the clock alone brings about.
fn of_clock(project: &Project) -> impl Iterator<Item = &Query> {
    wanted(project).filter(|query| project.reads_as_of(query))
}

/// Whether anybody wants to be told.
pub fn are_wanted(project: &Project) -> bool {
    project.settings.events.hand_over != HandOver::Schedule && project.schemas.contains_key(EVENT)
}

fn wanted(project: &Project) -> impl Iterator<Item = &Query> {
    let are_wanted = are_wanted(project);
    project.events.values().filter(move |_| are_wanted)
}
