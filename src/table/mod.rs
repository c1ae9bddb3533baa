//! A table's files: how they are written, found, read and compared with what was written.

pub mod checksum;
pub mod delta;
pub mod file;
pub mod key;
pub mod landings;
pub mod named;
pub mod rows;
pub mod scan;
pub mod write;

/// Rows that are worked on at once. A joined column of texts keeps the buffers of all batches it was built from, and
/// from join to join their number multiplies: few large batches keep a chain of joins quick.
pub const BATCH_ROWS: usize = 1 << 15;
