//! How an entry is written: what has changed since the entry before it, so that entries grow with what changes and not
//! with what there is; every so often one has all, so that few are read for the newest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::closing::Closing;
use super::{AsOf, Entry, FORM, TableEntry};
use crate::error::{Error, Result, While};
use crate::table::file::DataFile;

/// Of so many entries the first has all.
const FROM_WHOLE: u64 = 16;

/// The first of the entries that say what run `run` published.
pub fn whole_before(run: u64) -> u64 {
    run - run.saturating_sub(1) % FROM_WHOLE
}

/// An entry as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub struct Written {
    /// What it says of the run.
    #[serde(flatten)]
    pub entry: Entry,
    /// The tables that have changed since the entry before.
    tables: BTreeMap<String, Changed>,
    /// The tables that are there no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<String>,
    /// The periods that it closes.
    closings: Vec<Closing>,
}

/// How a table has changed since the entry before.
#[derive(Debug, Serialize, Deserialize)]
struct Changed {
    changed_in: u64,
    fingerprint: String,
    /// Its files that were not there before.
    added: Vec<DataFile>,
    /// The paths of those that are there no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    again: BTreeMap<String, Vec<DataFile>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_as_of: Option<AsOf>,
}

impl Written {
    /// How an entry is written that follows another.
    pub fn of(entry: &Entry, before: Option<&Entry>) -> Self {
        let before = before.filter(|_| whole_before(entry.run) != entry.run);
        let tables = before.map(|before| &before.tables);
        let then = |name: &str| tables.and_then(|tables| tables.get(name));
        let changed = entry.tables.iter().filter(|(name, now)| then(name) != Some(now));
        let changed = changed.map(|(name, now)| (name.clone(), Changed::of(now, then(name))));
        let gone =
            tables.into_iter().flat_map(BTreeMap::keys).filter(|name| !entry.tables.contains_key(*name));
        let closed = before.map_or(0, |before| before.closings.len());
        Self {
            tables: changed.collect(),
            gone: gone.cloned().collect(),
            closings: entry.closings[closed..].to_vec(),
            entry: Entry { tables: BTreeMap::new(), closings: Vec::new(), ..entry.clone() },
        }
    }

    /// A written entry from its bytes.
    ///
    /// # Errors
    /// They are none, or have a form that this program does not know.
    pub fn parse(run: u64, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            schema_version: u32,
        }
        let reading = || format!("reading the ledger's entry of run {run}");
        let Form { schema_version } = serde_json::from_slice(bytes).during(reading)?;
        if schema_version != FORM {
            let what = format!(
                "the ledger's entry of run {run} has form {schema_version}, and this program reads {FORM}"
            );
            return Err(Error::data(
                what,
                "use the program that wrote it, or land the usage in a new warehouse",
            ));
        }
        serde_json::from_slice(bytes).during(reading)
    }

    /// The entry that it is, after the one before.
    pub fn after(self, before: Option<Entry>) -> Entry {
        let (mut tables, mut closings) =
            before.map(|before| (before.tables, before.closings)).unwrap_or_default();
        tables.retain(|name, _| !self.gone.contains(name));
        for (name, changed) in self.tables {
            let then = tables.remove(&name).unwrap_or_default();
            tables.insert(name, changed.after(then));
        }
        closings.extend(self.closings);
        Entry { tables, closings, ..self.entry }
    }
}

impl Changed {
    fn of(now: &TableEntry, before: Option<&TableEntry>) -> Self {
        let files = before.map(|before| before.files.as_slice()).unwrap_or_default();
        let removed = files.iter().filter(|file| !now.files.contains(file));
        Self {
            changed_in: now.changed_in,
            fingerprint: now.fingerprint.clone(),
            added: now.files.iter().filter(|file| !files.contains(file)).cloned().collect(),
            removed: removed.map(|file| file.path.clone()).collect(),
            again: now.again.clone(),
            made_as_of: now.made_as_of.clone(),
        }
    }

    fn after(self, before: TableEntry) -> TableEntry {
        let kept = before.files.into_iter().filter(|file| !self.removed.contains(&file.path));
        let mut files: Vec<DataFile> = kept.chain(self.added).collect();
        files.sort();
        let Self { changed_in, fingerprint, again, made_as_of, .. } = self;
        TableEntry { changed_in, fingerprint, files, again, made_as_of }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn file(path: &str, rows: u64) -> DataFile {
        DataFile { path: path.into(), rows, ..DataFile::default() }
    }

    fn table(changed_in: u64, files: &[DataFile]) -> TableEntry {
        TableEntry { changed_in, files: files.to_vec(), ..TableEntry::default() }
    }

    fn entry(run: u64, tables: &[(&str, TableEntry)]) -> Entry {
        let text = format!(
            r#"{{"schema_version": {FORM}, "run": {run}, "as_of": "", "by": "", "took_seconds": 0, "project": "",
                "period": null, "inputs": {{}}, "landed": {{}}, "parked": [], "rules": {{}}, "rerated": {{}},
                "previous": ""}}"#
        );
        let tables = tables.iter().map(|(name, table)| (name.to_string(), table.clone())).collect();
        Entry { tables, ..serde_json::from_str(&text).unwrap() }
    }

    #[test]
    fn an_entry_is_what_it_was_when_it_is_read_after_the_one_before() {
        let first = entry(
            17,
            &[
                ("same", table(3, &[file("a", 1)])),
                ("other", table(17, &[file("a", 1), file("b", 2)])),
                ("gone", table(17, &[file("a", 1)])),
            ],
        );
        // A file that is written again has the same path, and may have other rows.
        let second = entry(
            18,
            &[
                ("same", table(3, &[file("a", 1)])),
                ("other", table(18, &[file("a", 4), file("c", 3)])),
                ("new", table(18, &[])),
            ],
        );
        let written = serde_json::to_string(&Written::of(&second, Some(&first))).unwrap();
        assert!(!written.contains("same"), "{written}");
        let read = Written::parse(18, written.as_bytes()).unwrap().after(Some(first));
        assert_eq!(read.tables, second.tables);
    }

    #[test]
    fn the_first_of_some_entries_has_all() {
        assert_eq!([1, 2, 16, 17, 18, 33].map(whole_before), [1, 1, 1, 17, 17, 33]);
        let first = entry(16, &[("same", table(3, &[file("a", 1)]))]);
        let second = Entry { run: 17, ..first.clone() };
        let read = Written::of(&second, Some(&first)).after(None);
        assert_eq!(read.tables, second.tables);
    }
}
