//! What became of a run of records: rows, and rejections with their text.

use arrow::array::RecordBatch;

/// The most of a rejected record's text that is kept, in bytes.
pub const RAW_LIMIT: usize = 64 << 10;

/// A record that did not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its landing sequence.
    pub sequence: i64,
    /// The line of the file it begins on, from 1; in Parquet the row.
    pub line: u64,
    /// Its text, cut at [`RAW_LIMIT`]; for Parquet the row as a JSON object.
    pub raw: String,
    /// All that is wrong with it, joined by `; `.
    pub reason: String,
    /// The same without its values, by which reasons are counted.
    pub kind: String,
    /// The first column, by its number, that a reason is against; none if the record could not be taken apart.
    pub column: Option<usize>,
    /// Its usage type, where that could be read.
    pub usage_type: Option<String>,
    /// Its transaction id, where that could be read.
    pub transaction_id: Option<String>,
}

/// What became of a run of records of one file.
#[derive(Debug)]
pub struct LandedChunk {
    /// How many records were read.
    pub received: u64,
    /// The good ones, by [`RecordShape::schema`], in the order of the file.
    pub records: RecordBatch,
    /// The others, in the order of the file.
    pub rejected: Vec<Rejected>,
    /// Of each good one its line and text, where these are kept.
    pub kept: Vec<(u64, String)>,
    /// How many begin at a local time that the clocks show twice, and say not which.
    pub ambiguous: u64,
}

/// The text of a rejected record as it is kept: at most [`RAW_LIMIT`] bytes, with a mark where it was cut; bytes that
/// are not UTF-8 become replacement characters.
pub fn raw_text(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(RAW_LIMIT)];
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if kept.len() < bytes.len() {
        // The cut may go through a character.
        while text.ends_with('\u{FFFD}') {
            text.pop();
        }
        text.push_str(&format!(" ... [cut, {} bytes in all]", bytes.len()));
    }
    text
}
