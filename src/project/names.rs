//! The tables and views that the program knows by name: those that it writes, and the few that it reads. All others are
//! the project's own.

/// The table that landing writes.
pub const USAGE_RECORD: &str = "usage_record";
/// The table of the copies of usage records that closings left out.
pub const LEFT_USAGE: &str = "left_usage";
/// The table that what people decide about usage is written to.
pub const USAGE_DECISION: &str = "usage_decision";
/// The table of what the invoicing system says it has booked.
pub const RECEIPT: &str = "receipt";
/// The view that compares that with what was billed.
pub const RECEIPT_STATUS: &str = "receipt_status";
/// The tables that landing, decisions and receipts write, between runs.
pub const LANDED: [&str; 5] = [USAGE_RECORD, "usage_rejected", "landing", USAGE_DECISION, RECEIPT];
/// The table of the jobs that services did.
pub const JOB_RUN: &str = "job_run";
/// The table of the changes that were asked of services.
pub const SERVICE_CHANGE: &str = "service_change";
/// The tables that services write of what they do. No run pins them and no query of a project reads them, so that what
/// is billed does not depend on who asked for what when.
pub const JOURNAL: [&str; 2] = [JOB_RUN, SERVICE_CHANGE];
/// The view in which usage has its place: from here on a closed period is rated by the queries of its closing.
pub const GUIDED_USAGE: &str = "guided_usage";
/// The landings that closed books have reached.
pub const BOOKED_LANDING: &str = "booked_landing";
/// The lines that are billed.
pub const INVOICE_LINE: &str = "invoice_line";
/// The view of the records that are void or written off.
pub const ANNULLED_USAGE: &str = "annulled_usage";
/// The records that wait.
pub const SUSPENSE: &str = "suspense";
/// The view that says when each period ends.
pub const PERIOD_END: &str = "period_end";
/// What tells which usage of closed periods changed since.
pub const PERIOD_CHANGE: &str = "period_change";
/// The table of the periods that are closed.
pub const CLOSED_PERIOD: &str = "closed_period";
/// The table that says which tables are those of its closing when a closed period is rated again.
pub const CLOSED_TABLE: &str = "closed_table";
/// The table of the closed periods that were rated again by other rules.
pub const RERATING: &str = "rerating";
/// The table of the items and prices of closed periods, where late usage finds its place.
pub const BILLED_ITEM: &str = "billed_item";
/// The table of the lines of closed periods.
pub const BILLED_LINE: &str = "billed_line";
/// The table of what lines of closed periods would be now.
pub const RERATED_LINE: &str = "rerated_line";
/// The table of what has happened, for those who want to be told.
pub const EVENT: &str = "event";
/// The tables that a run writes by itself: closing, rating again, and what has happened.
pub const BOOKS: [&str; 13] = [
    CLOSED_PERIOD,
    CLOSED_TABLE,
    BILLED_ITEM,
    BILLED_LINE,
    "billed_statement",
    "billed_usage",
    "closed_suspense",
    "closed_total",
    EVENT,
    "left_record",
    LEFT_USAGE,
    RERATED_LINE,
    RERATING,
];

/// The tables that the program writes.
pub fn written() -> impl Iterator<Item = &'static str> {
    LANDED.into_iter().chain(BOOKS).chain(JOURNAL)
}
