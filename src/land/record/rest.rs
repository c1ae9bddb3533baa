//! What a record has beyond the columns.

use std::collections::HashMap;

use super::super::json::{Cell, write_json_string};

/// The fields without a column, as one JSON object.
pub(super) struct Rest {
    object: String,
    // The number of the record in which a name was seen last.
    seen: HashMap<Box<str>, u64>,
    record: u64,
}

impl Rest {
    pub(super) fn new() -> Self {
        Self { object: String::new(), seen: HashMap::new(), record: 0 }
    }

    pub(super) fn begin(&mut self) {
        self.object.clear();
        self.record += 1;
        if self.seen.len() > 4096 {
            self.seen.clear();
        }
    }

    /// Adds a field; false where the record had the name already.
    pub(super) fn add(&mut self, name: &str, cell: Cell<'_>) -> bool {
        if let Some(record) = self.seen.get_mut(name) {
            if *record == self.record {
                return false;
            }
            *record = self.record;
        } else {
            self.seen.insert(name.into(), self.record);
        }
        self.object.push(if self.object.is_empty() { '{' } else { ',' });
        write_json_string(name, &mut self.object);
        self.object.push(':');
        cell.write_json(&mut self.object);
        true
    }

    /// The object; none without a field.
    pub(super) fn object(&mut self) -> Option<&str> {
        if self.object.is_empty() {
            return None;
        }
        self.object.push('}');
        Some(&self.object)
    }
}
