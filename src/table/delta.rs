//! The Delta log of a table: which files it has now, which it had, and how that is changed once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitData, CommitProperties, PreCommit, TransactionError,
};
use deltalake_core::kernel::{Action, Add, MetadataExt, Protocol, Remove, StructType, new_metadata};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::table::state::DeltaTableState;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use super::file::{By, Change, DataFile, SEQUENCE};
use super::landings::Landings;
use crate::error::{Error, Result, While};
use crate::project::schema::TableSchema;
use crate::store::warehouse::{Warehouse, tries};

/// The tag under which a file's Delta log has the hash of its rows.
const ROW_HASH: &str = "meterhouse.row_hash";
/// The same for the least and the greatest landing sequence of its rows.
const RANGE: &str = "meterhouse.sequences";
/// The same for the landings of its rows, where these are several.
const LANDINGS: &str = "meterhouse.landings";
/// The same for its bytes.
const CHECKSUM: &str = "meterhouse.checksum";

impl Warehouse {
    /// The Delta log of a table.
    fn log_store(&self, table: &str) -> Result<LogStoreRef> {
        let url = self.url().join(&format!("{table}/")).during(|| format!("naming table {table}"))?;
        let of_table = Arc::new(PrefixStore::new(self.store().clone(), table));
        Ok(default_logstore(of_table, self.root().clone(), &url, &StorageConfig::default()))
    }

    /// The newest state of a table's Delta log, or `None` where the table is not there yet.
    pub async fn delta(&self, table: &str) -> Result<Option<DeltaTableState>> {
        let log = self.log_store(table)?;
        let reading = || format!("reading the Delta log of {table}");
        if !log.is_delta_table_location().await.during(reading)? {
            return Ok(None);
        }
        DeltaTableState::try_new(log.as_ref(), None).await.map(Some).during(reading)
    }

    /// The files of a table as its Delta log has them now, and the version they were read at.
    pub async fn delta_files(&self, table: &str) -> Result<(u64, Vec<DataFile>)> {
        let state = self.delta(table).await?;
        Ok(state.map_or_else(|| (0, Vec::new()), |state| (state.version() + 1, files(&state))))
    }

    /// The files of a table as its Delta log had them at a version that [`Self::delta_files`] told.
    pub async fn delta_files_at(&self, table: &str, version: u64) -> Result<Vec<DataFile>> {
        let Some(version) = version.checked_sub(1) else { return Ok(Vec::new()) };
        let log = self.log_store(table)?;
        let state = DeltaTableState::try_new(log.as_ref(), Some(version)).await;
        Ok(files(&state.during(|| format!("reading the Delta log of {table} at version {version}"))?))
    }

    /// The version that a table's Delta log had at an instant, in microseconds since the epoch, counted as in
    /// [`Self::delta_files`]; `newest` is its version now.
    pub async fn delta_version_at(&self, table: &str, newest: u64, instant: i64) -> Result<u64> {
        let (mut before, mut after) = (0, newest + 1);
        while before + 1 < after {
            let version = before + (after - before) / 2;
            let path = Path::from(format!("{table}/_delta_log/{:020}.json", version - 1));
            let commit = self.store().head(&path).await.during(|| format!("looking for {path}"))?;
            if commit.last_modified.timestamp_micros() < instant {
                before = version;
            } else {
                after = version;
            }
        }
        Ok(before)
    }

    /// Commits a change of files to a table's Delta log, once for each number of an application.
    ///
    /// The table is made where it is not there, and takes the schema's columns where they changed. A commit that
    /// returns an error may have happened, so the log is read again before deciding.
    pub async fn commit(
        &self,
        schema: &TableSchema,
        application: &str,
        number: u64,
        added: &[DataFile],
        removed: &[DataFile],
    ) -> Result<()> {
        let by = By::Application(application, number);
        self.commit_all(schema, &[Change { by, added, removed }]).await
    }

    /// The same for several changes in one commit, each of which is made once.
    pub async fn commit_all(&self, schema: &TableSchema, changes: &[Change<'_>]) -> Result<()> {
        let table = &schema.name;
        let log = self.log_store(table)?;
        let mut last_error = None;
        for pause in tries() {
            tokio::time::sleep(pause).await;
            let Some(state) = self.delta(table).await? else {
                // Somebody else may make it at the same moment; the next round sees the table of whoever was first.
                match self.make(schema, &log, changes).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) => last_error = Some(error),
                }
                continue;
            };
            let mut new = Vec::new();
            for change in changes {
                let is_made = match change.by {
                    By::Landing(landing_id) => {
                        let files = files(&state);
                        same_rows(table, landing_id, &files, change.added)?;
                        files.iter().any(|file| file.of_landings().has(landing_id))
                    }
                    By::Named => {
                        let files = files(&state);
                        change.added.iter().all(|new| files.iter().any(|file| file.path == new.path))
                    }
                    By::Application(name, number) => {
                        let seen = state.transaction_version(log.as_ref(), name).await;
                        let seen = seen.during(|| format!("reading the Delta log of {table}"))?;
                        seen.is_some_and(|seen| seen.unsigned_abs() >= number)
                    }
                };
                if !is_made {
                    new.push(change);
                }
            }
            if new.is_empty() {
                return Ok(());
            }
            let mut actions: Vec<Action> = Vec::new();
            let columns = delta_schema(schema)?;
            if *state.schema() != columns {
                let metadata = state.metadata().clone().with_schema(&columns);
                actions
                    .push(Action::Metadata(metadata.during(|| format!("changing the columns of {table}"))?));
            }
            let removed = new.iter().flat_map(|change| change.removed);
            actions.extend(removed.map(|file| Action::Remove(remove(file, true))));
            let mode = if actions.iter().any(|action| matches!(action, Action::Remove(_))) {
                SaveMode::Overwrite
            } else {
                SaveMode::Append
            };
            let added = new.iter().flat_map(|change| change.added);
            actions.extend(added.map(|file| Action::Add(add(file, true))));
            let operation = DeltaOperation::Write { mode, partition_by: None, predicate: None };
            let properties = CommitProperties::default()
                .with_application_transactions(new.iter().map(|change| change.by.transaction()).collect())
                .with_cleanup_expired_logs(Some(false));
            let commit = CommitBuilder::from(properties).with_actions(actions);
            let prepared = commit.build(Some(state.snapshot()), log.clone(), operation);
            let interval = state.table_config().checkpoint_interval().get();
            match commit_only(prepared, interval).await {
                Ok(()) => return Ok(()),
                Err(error) => last_error = Some(error),
            }
        }
        match last_error {
            Some(error) => Err(error).during(|| format!("committing to {table}")),
            None => Err(Error::Busy { what: format!("{table} changes faster than a commit can be made") }),
        }
    }

    /// Puts files in the place of others that have the same rows, in one commit; `false` where somebody else was first,
    /// and not all of the others are the table's any more.
    pub async fn replace(&self, table: &str, added: &[DataFile], removed: &[DataFile]) -> Result<bool> {
        let log = self.log_store(table)?;
        let mut last_error = None;
        for pause in tries() {
            tokio::time::sleep(pause).await;
            let Some(state) = self.delta(table).await? else { return Ok(false) };
            let now = files(&state);
            let now: BTreeSet<&str> = now.iter().map(|file| file.path.as_str()).collect();
            // A commit that returned an error may have happened.
            if added.iter().all(|file| now.contains(file.path.as_str())) {
                return Ok(true);
            }
            if !removed.iter().all(|file| now.contains(file.path.as_str())) {
                return Ok(false);
            }
            let removed = removed.iter().map(|file| Action::Remove(remove(file, false)));
            let added = added.iter().map(|file| Action::Add(add(file, false)));
            let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
            // What came between is looked at here, not by the library.
            let properties =
                CommitProperties::default().with_max_retries(0).with_cleanup_expired_logs(Some(false));
            let commit = CommitBuilder::from(properties).with_actions(removed.chain(added).collect());
            let prepared = commit.build(Some(state.snapshot()), log.clone(), operation);
            match commit_only(prepared, state.table_config().checkpoint_interval().get()).await {
                Ok(()) => return Ok(true),
                Err(error) => last_error = Some(error),
            }
        }
        match last_error {
            Some(error) => Err(error).during(|| format!("merging files of {table}")),
            None => Ok(false),
        }
    }

    /// Makes a table with its first files; `false` where somebody else made it meanwhile.
    async fn make(
        &self,
        schema: &TableSchema,
        log: &LogStoreRef,
        changes: &[Change<'_>],
    ) -> Result<bool, DeltaTableError> {
        let columns = delta_schema(schema).map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        // The least there is, which every reader and writer of Delta knows.
        let protocol = serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
        let protocol: Protocol = serde_json::from_value(protocol)?;
        // Pinned versions must stay readable, so the log keeps its history.
        let configuration = [("delta.enableExpiredLogCleanup", "false")];
        let metadata = new_metadata(&columns, &schema.partition_by, configuration)?
            .with_name(schema.name.clone())?
            .with_description(schema.comment.clone())?;
        let mut actions = vec![Action::Protocol(protocol.clone()), Action::Metadata(metadata.clone())];
        let files = changes.iter().flat_map(|change| change.added);
        actions.extend(files.map(|file| Action::Add(add(file, true))));
        let location = log.root_url().clone();
        let transactions = changes.iter().map(|change| change.by.transaction()).collect();
        let operation = DeltaOperation::Create { mode: SaveMode::Ignore, location, protocol, metadata };
        let commit = CommitData::new(actions, operation, HashMap::new(), transactions);
        let bytes = CommitOrBytes::LogBytes(commit.get_bytes()?);
        // A conditional create, so that of two who make it one does.
        match log.write_commit_entry(0, bytes, uuid::Uuid::new_v4()).await {
            Ok(()) => Ok(true),
            Err(TransactionError::VersionAlreadyExists(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Refuses a landing for which the table has other rows under the same name: two contents have one number, and one of
/// them would be lost.
fn same_rows(table: &str, landing_id: i64, there: &[DataFile], added: &[DataFile]) -> Result<()> {
    let is_other = |file: &&DataFile| added.iter().any(|new| new.path == file.path && new.hash != file.hash);
    let Some(other) = there.iter().find(is_other) else { return Ok(()) };
    let what =
        format!("{table}/{} is there with other rows: landing {landing_id} was given out twice", other.path);
    let hint = "the warehouse's object store let two creates of one object win, and nothing of this file is \
                acknowledged; land a copy of it with an empty line more, which is a content of its own";
    Err(Error::data(what, hint))
}

/// Commits, and sums the log up in a checkpoint where that is due. What else follows a commit in the library reads the
/// log once more, for a state that nobody here asks for.
async fn commit_only(commit: PreCommit<'_>, checkpoint_interval: u64) -> Result<(), DeltaTableError> {
    let committed = commit.into_prepared_commit_future().await?.await?;
    if (committed.version + 1).is_multiple_of(checkpoint_interval) {
        committed.await?;
    }
    Ok(())
}

/// The files of a table in one state of its Delta log.
fn files(state: &DeltaTableState) -> Vec<DataFile> {
    let mut files: Vec<DataFile> = state
        .log_data()
        .iter()
        .map(|file| {
            #[expect(deprecated, reason = "nothing else tells the tags of a file")]
            let tags = file.add_action().tags.unwrap_or_default();
            let partition = file.partition_values_map().into_iter();
            DataFile {
                path: file.object_store_path().to_string(),
                size: file.size().unsigned_abs(),
                rows: file.num_records().unwrap_or(0) as u64,
                hash: tags.get(ROW_HASH).cloned().flatten().unwrap_or_default(),
                checksum: tags.get(CHECKSUM).cloned().flatten().unwrap_or_default(),
                landings: tags
                    .get(LANDINGS)
                    .and_then(|text| Landings::parse(text.as_deref()?))
                    .unwrap_or_default(),
                sequences: tags.get(RANGE).and_then(|text| text.as_deref()).and_then(sequences),
                partition: partition.map(|(name, value)| (name, value.unwrap_or_default())).collect(),
            }
        })
        .collect();
    files.sort();
    files
}

/// The columns of a table as Delta knows them. NOT NULL is checked before writing and not declared to Delta, so that
/// a column can be added to a table that has files.
fn delta_schema(schema: &TableSchema) -> Result<StructType> {
    use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
    let fields = schema.columns.iter().map(|column| {
        let data_type = match &column.data_type {
            arrow::datatypes::DataType::Utf8View => arrow::datatypes::DataType::Utf8,
            other => other.clone(),
        };
        let comment = (!column.comment.is_empty()).then(|| ("comment".to_string(), column.comment.clone()));
        arrow::datatypes::Field::new(&column.name, data_type, true)
            .with_metadata(comment.into_iter().collect())
    });
    let columns = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    (&columns).try_into_kernel().during(|| format!("describing the columns of {} to Delta", schema.name))
}

/// `7000000000 7000000999`, both inclusive.
fn sequences(text: &str) -> Option<(i64, i64)> {
    let (least, greatest) = text.split_once(' ')?;
    least.parse().ok().zip(greatest.parse().ok())
}

/// A file that is new; whether its rows are, too.
fn add(file: &DataFile, data_change: bool) -> Add {
    let mut tags = HashMap::from([
        (ROW_HASH.into(), Some(file.hash.clone())),
        (CHECKSUM.into(), Some(file.checksum.clone())),
    ]);
    let mut stats = serde_json::json!({ "numRecords": file.rows });
    if let Some((least, greatest)) = file.sequences {
        tags.insert(RANGE.into(), Some(format!("{least} {greatest}")));
        stats["minValues"] = serde_json::json!({ SEQUENCE: least });
        stats["maxValues"] = serde_json::json!({ SEQUENCE: greatest });
    }
    if !file.landings.is_empty() {
        tags.insert(LANDINGS.into(), Some(file.landings.to_string()));
    }
    Add {
        path: file.path.clone(),
        partition_values: file
            .partition
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect(),
        size: file.size as i64,
        modification_time: 0,
        data_change,
        stats: Some(stats.to_string()),
        tags: Some(tags),
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn remove(file: &DataFile, data_change: bool) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change,
        deletion_timestamp: Some(0),
        extended_file_metadata: Some(true),
        partition_values: Some(
            file.partition.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        ),
        size: Some(file.size as i64),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_of_other_rows_under_the_same_name_is_refused() {
        let file =
            |path: &str, hash: &str| DataFile { path: path.into(), hash: hash.into(), ..DataFile::default() };
        let there = [file("landing-1.parquet", "a"), file("landing-2.parquet", "b")];
        let commit = |path: &str, hash: &str| same_rows("usage_record", 1, &there, &[file(path, hash)]);
        assert!(commit("landing-1.parquet", "a").is_ok());
        assert!(commit("landing-3.parquet", "c").is_ok());
        let refused = commit("landing-1.parquet", "c").unwrap_err().to_string();
        assert_eq!(
            refused,
            "usage_record/landing-1.parquet is there with other rows: landing 1 was given out twice"
        );
    }
}
