//! Where the tables are, and the one DataFusion session that reads them.
//!
//! Owns the object store, the Delta logs and the session's settings for money. Which tables there are and when they
//! change is left to `publish.rs` and `run.rs`. A path in here is relative to the warehouse's own root.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitData, CommitProperties, PreCommit, TransactionError,
};
use deltalake_core::kernel::{
    Action, Add, MetadataExt, Protocol, Remove, StructType, Transaction, new_metadata,
};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::table::state::DeltaTableState;
use meterhouse_sql::functions;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{self, Settings};
use crate::error::{Error, Result, While};
use crate::location::Location;
use crate::microseconds;
use crate::schema::TableSchema;
use crate::scratch::Scratch;
use crate::small_files::SmallFiles;

/// One data file of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataFile {
    /// Its path below the table.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its number of rows.
    pub rows: u64,
    /// The order-independent hash of its rows: the sum of their 128-bit hashes, wrapping, in hexadecimal.
    pub hash: String,
    /// The hash of its bytes, as [`crate::proof::Checksum`] has it; empty where nobody noted it.
    #[serde(default)]
    pub checksum: String,
    /// What its rows have in the partition columns.
    pub partition: BTreeMap<String, String>,
}

/// A change of a table's files, made once for each `(application, version)`.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Who makes it.
    pub application: &'a str,
    /// Its number among the changes of whoever makes it.
    pub version: u64,
    /// The files that are new.
    pub added: &'a [DataFile],
    /// The files that are no longer part of the table.
    pub removed: &'a [DataFile],
}

impl Change<'_> {
    fn transaction(&self) -> Transaction {
        Transaction::new(self.application, self.version as i64)
    }
}

/// A table up to this size is built into one hash table: contracts, prices, cycles; never usage.
const SMALL_SIDE_BYTES: usize = 512 << 20;
/// The same where only the number of rows is known.
const SMALL_SIDE_ROWS: usize = 4 << 20;
/// Rows that are worked on at once. A joined column of texts keeps the buffers of all batches it was built from, and
/// from join to join their number multiplies: few large batches keep a chain of joins quick.
pub const BATCH_ROWS: usize = 1 << 15;

/// The tag under which a file's Delta log has the hash of its rows.
const ROW_HASH: &str = "meterhouse.row_hash";
/// The same for its bytes.
const CHECKSUM: &str = "meterhouse.checksum";

/// What to wait before each try of a create or a commit, half a minute in all. A store also refuses a create because of
/// another that is under way: somebody's, or one's own that was given up; and one that has just been started takes its
/// time for that one.
fn tries() -> impl Iterator<Item = Duration> {
    let again = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(14)
        .with_jitter();
    iter::once(Duration::ZERO).chain(again.build())
}

/// The object store that holds the tables, the ledger and the registers.
#[derive(Debug, Clone)]
pub struct Warehouse {
    /// The whole bucket or file system, in which Delta names tables by URL.
    root: Arc<dyn ObjectStore>,
    /// The warehouse's part of it.
    store: Arc<dyn ObjectStore>,
    url: Url,
}

impl Warehouse {
    /// Opens the warehouse that the settings name; a local directory is made, a store is asked whether it is there.
    pub async fn open(root: &FilePath, settings: &Settings) -> Result<Self> {
        let setting = &settings.warehouse.url;
        let text = config::expand(setting)?;
        let location = Location::open(root, &text).map_err(|error| match config::hide(setting, error) {
            Error::Usage { what, hint } => settings.wrong("warehouse.url", what, &hint),
            other => other,
        })?;
        location.reach().await.map_err(|error| config::hide(setting, error))?;
        Self::over(location.store.clone(), location.url()?)
    }

    /// The warehouse at a URL, in a store that holds the whole bucket or file system.
    pub fn over(root: Arc<dyn ObjectStore>, url: Url) -> Result<Self> {
        let path = Path::from_url_path(url.path()).during(|| format!("opening the warehouse {url}"))?;
        let store = Arc::new(PrefixStore::new(root.clone(), path));
        Ok(Self { root, store, url })
    }

    /// The same, to try something out: files whose name begins with `stem` are written to a folder of this machine, and
    /// read from there.
    pub fn with_scratch(&self, folder: &FilePath, stem: &str) -> Result<Self> {
        let store = Scratch::over(self.store.clone(), folder, stem);
        let store = Arc::new(store.during(|| format!("opening {}", folder.display()))?);
        Ok(Self { store, ..self.clone() })
    }

    /// Where it is; ends with a slash.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Refuses a store that lets a second conditional create win: such a store loses acknowledged commits.
    pub async fn probe(&self) -> Result<()> {
        let path = Path::from("registry/probe");
        // A create that is refused says already that the store honours it.
        for _ in 0..2 {
            match self.create_object(&path, b"probe".to_vec()).await {
                Ok(()) => {}
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(()),
                Err(object_store::Error::NotImplemented { .. }) => break,
                Err(error) => return Err(error).during(|| format!("creating {path} in the warehouse")),
            }
        }
        Err(Error::usage(
            "the warehouse's object store does not honour conditional puts (If-None-Match)",
            "use a store that does: S3, GCS, Azure, SeaweedFS 4.48, or a local directory",
        ))
    }

    /// Creates an object unless it is there already; `false` where it was. An error leaves open whether it is there
    /// now, and `false` who made it: where that counts, [`Self::settle`].
    pub async fn create(&self, path: &Path, bytes: Vec<u8>) -> Result<bool> {
        match self.create_object(path, bytes).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error).during(|| format!("creating {path} in the warehouse")),
        }
    }

    /// Creates an object unless it is there already, and returns what is there then: `bytes`, or what somebody else
    /// was first with.
    ///
    /// A create that returned an error may have happened all the same, and one that was refused may have met its own
    /// first try; so whatever a store says but success, what it holds decides.
    pub async fn settle(&self, path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut outcome = Ok(false);
        for pause in tries() {
            tokio::time::sleep(pause).await;
            outcome = self.create(path, bytes.clone()).await;
            if let Ok(true) = outcome {
                return Ok(bytes);
            }
            if let Some(found) = self.read(path).await? {
                return Ok(found);
            }
            // Neither made nor there.
        }
        outcome?;
        Err(Error::Busy { what: format!("{path} in the warehouse could not be made") })
    }

    async fn create_object(&self, path: &Path, bytes: Vec<u8>) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(path, PutPayload::from(bytes), options).await.map(|_| ())
    }

    /// The bytes of an object, or `None` where there is none.
    pub async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.store.get(path).await {
            Ok(found) => {
                let bytes = found.bytes().await.during(|| format!("reading {path} in the warehouse"))?;
                Ok(Some(bytes.to_vec()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error).during(|| format!("reading {path} in the warehouse")),
        }
    }

    /// The names of the objects below a folder of the warehouse.
    pub async fn list(&self, folder: &str) -> Result<BTreeSet<String>> {
        use futures::TryStreamExt;
        let objects = self.store.list(Some(&Path::from(folder)));
        let names = objects.map_ok(|object| object.location.filename().unwrap_or_default().to_string());
        names.try_collect().await.during(|| format!("listing {folder} in the warehouse"))
    }

    /// The next free number of a register, by a create-only object below `folder`; nobody else is given it.
    pub async fn take_number(&self, folder: &str) -> Result<i64> {
        let taken = self.list(folder).await?;
        let mut number = taken.last().and_then(|name| name.parse::<i64>().ok()).unwrap_or(0) + 1;
        while !self.create(&Path::from(format!("{folder}/{number:010}")), Vec::new()).await? {
            number += 1;
        }
        Ok(number)
    }

    /// The Delta log of a table.
    fn log_store(&self, table: &str) -> Result<LogStoreRef> {
        let url = self.url.join(&format!("{table}/")).during(|| format!("naming table {table}"))?;
        let of_table = Arc::new(PrefixStore::new(self.store.clone(), table));
        Ok(default_logstore(of_table, self.root.clone(), &url, &StorageConfig::default()))
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

    /// Commits a change of files to a table's Delta log, once for each `(application, version)`.
    ///
    /// The table is made where it is not there, and takes the schema's columns where they changed. A commit that
    /// returns an error may have happened, so the log is read again before deciding.
    pub async fn commit(
        &self,
        schema: &TableSchema,
        application: &str,
        version: u64,
        added: &[DataFile],
        removed: &[DataFile],
    ) -> Result<()> {
        self.commit_all(schema, &[Change { application, version, added, removed }]).await
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
                let seen = state.transaction_version(log.as_ref(), change.application).await;
                let seen = seen.during(|| format!("reading the Delta log of {table}"))?;
                if seen.is_none_or(|seen| seen.unsigned_abs() < change.version) {
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
            actions.extend(removed.map(|file| Action::Remove(remove(file))));
            let mode = if actions.iter().any(|action| matches!(action, Action::Remove(_))) {
                SaveMode::Overwrite
            } else {
                SaveMode::Append
            };
            actions.extend(new.iter().flat_map(|change| change.added).map(|file| Action::Add(add(file))));
            let operation = DeltaOperation::Write { mode, partition_by: None, predicate: None };
            let properties = CommitProperties::default()
                .with_application_transactions(new.iter().map(|change| change.transaction()).collect())
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
        actions.extend(files.map(|file| Action::Add(add(file))));
        let location = log.root_url().clone();
        let transactions = changes.iter().map(Change::transaction).collect();
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

fn add(file: &DataFile) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: file
            .partition
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect(),
        size: file.size as i64,
        modification_time: 0,
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{}}}", file.rows)),
        tags: Some(HashMap::from([
            (ROW_HASH.into(), Some(file.hash.clone())),
            (CHECKSUM.into(), Some(file.checksum.clone())),
        ])),
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn remove(file: &DataFile) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: true,
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

/// How the session names the warehouse's own store.
pub fn store_url() -> ObjectStoreUrl {
    #[allow(clippy::unwrap_used, reason = "the text is constant and parses")]
    ObjectStoreUrl::parse("meterhouse://warehouse").unwrap()
}

/// The one place that builds a DataFusion session: exact literals, checked sums, UTC, our functions, bounded memory.
pub fn session(settings: &Settings, warehouse: Option<&Warehouse>) -> Result<SessionContext> {
    let mut session = SessionConfig::new().with_information_schema(false).with_batch_size(BATCH_ROWS);
    if settings.engine.threads > 0 {
        session = session.with_target_partitions(settings.engine.threads);
    }
    let options = session.options_mut();
    // `0.1` is a decimal, so that no literal turns money into a double.
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".into());
    options.execution.parquet.schema_force_view_types = true;
    // Reference data is built into one hash table and usage streams past it, instead of both being cut up by key.
    options.optimizer.hash_join_single_partition_threshold = SMALL_SIDE_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = SMALL_SIDE_ROWS;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(settings.engine.memory_mb << 20)))
        .build_arc()
        .during(|| "starting the engine".into())?;
    let context = microseconds::context(session, runtime);
    functions::register(&context);
    if let Some(warehouse) = warehouse {
        let store: Arc<dyn ObjectStore> = match warehouse.url.scheme() {
            "file" => warehouse.store.clone(),
            _ => Arc::new(SmallFiles::over(warehouse.store.clone())),
        };
        context.register_object_store(store_url().as_ref(), store);
    }
    Ok(context)
}

/// Lets each plan of the session run on one thread.
pub fn work_undivided(context: &SessionContext) {
    context.state_ref().write().config_mut().options_mut().execution.target_partitions = 1;
}
