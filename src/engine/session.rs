//! The one DataFusion session that reads the tables: its settings for money, its memory, its functions.

use std::sync::Arc;

use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use meterhouse_sql::functions;
use object_store::ObjectStore;

use super::microseconds;
use crate::error::{Result, While};
use crate::project::settings::Settings;
use crate::store::cache::SmallFiles;
use crate::store::warehouse::{Warehouse, store_url};

/// A table up to this size is built into one hash table: contracts, prices, cycles; never usage.
const SMALL_SIDE_BYTES: usize = 512 << 20;
/// The same where only the number of rows is known.
const SMALL_SIDE_ROWS: usize = 4 << 20;
/// Sorts that the memory suffices for at one time, counted on each thread.
const SORTS: usize = 1024;

/// The one place that builds a DataFusion session: exact literals, checked sums, UTC, our functions, bounded memory.
pub fn session(settings: &Settings, warehouse: Option<&Warehouse>) -> Result<SessionContext> {
    let mut session = SessionConfig::new()
        .with_information_schema(false)
        .with_batch_size(settings.engine.batch_rows.max(1));
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
    let memory = settings.engine.memory_mb << 20;
    // Each sort on each thread keeps so much for merging what it spilled; a query may have many.
    let merging = &mut options.execution.sort_spill_reservation_bytes;
    *merging = (memory / SORTS).min(*merging);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .build_arc()
        .during(|| "starting the engine".into())?;
    let context = microseconds::context(session, runtime);
    functions::register(&context);
    if let Some(warehouse) = warehouse {
        let store: Arc<dyn ObjectStore> = match warehouse.url().scheme() {
            "file" => warehouse.store().clone(),
            _ => Arc::new(SmallFiles::over(warehouse.store().clone())),
        };
        context.register_object_store(store_url().as_ref(), store);
    }
    Ok(context)
}

/// Lets each plan of the session run on one thread.
pub fn work_undivided(context: &SessionContext) {
    context.state_ref().write().config_mut().options_mut().execution.target_partitions = 1;
}
