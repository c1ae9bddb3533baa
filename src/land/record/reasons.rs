//! Why a record is rejected: everything that is wrong with it, said at once.

/// All that is wrong with a record, joined by `; `.
#[derive(Debug, Clone, Default)]
pub(super) struct Reasons {
    pub(super) texts: String,
    /// The same without values.
    pub(super) kinds: String,
}

impl Reasons {
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.kinds.clear();
    }

    pub(super) fn add(&mut self, name: &str, value: &str, what: &str) {
        for (text, value) in [(&mut self.texts, value), (&mut self.kinds, "")] {
            if !text.is_empty() {
                text.push_str("; ");
            }
            let blank = if value.is_empty() { "" } else { " " };
            text.extend(["`", name, "` ", value, blank, what]);
        }
    }
}
