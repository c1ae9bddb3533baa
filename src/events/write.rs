//! How events are appended to their table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::prelude::SessionContext;

use super::Happened;
use crate::engine::plan::execution_error;
use crate::error::{Result, While};
use crate::project::schema::TableSchema;
use crate::store::warehouse::Warehouse;
use crate::table::file::DataFile;
use crate::table::scan::FileTable;
use crate::table::write::TableWriter;

/// Small files that are left alone; beyond, one takes their place with what is added.
const MANY: usize = 16;
/// A file is small that has fewer rows.
const SMALL_ROWS: u64 = 1 << 16;

/// Writes what happened behind the events of these files, under a run's number and as-of; all files of the table then.
pub async fn write(
    context: &SessionContext,
    warehouse: &Warehouse,
    schema: &TableSchema,
    stem: String,
    before: &[DataFile],
    happened: &[Happened],
    (run, as_of): (u64, i64),
) -> Result<Vec<DataFile>> {
    let first = before.iter().map(|file| file.rows).sum::<u64>() as i64 + 1;
    let rows = rows(happened, first, run, as_of)?;
    let (small, large): (Vec<DataFile>, Vec<DataFile>) =
        before.iter().cloned().partition(|file| file.rows < SMALL_ROWS);
    let (merged, kept) = if small.len() < MANY { (Vec::new(), before.to_vec()) } else { (small, large) };
    let mut writer = TableWriter::new(context, warehouse, schema, stem)?;
    if !merged.is_empty() {
        let failed = |error| execution_error(&error, &schema.name);
        let table = context.read_table(Arc::new(FileTable::new(schema, merged))).map_err(failed)?;
        for batch in table.collect().await.map_err(failed)? {
            writer.write(&batch).await?;
        }
    }
    writer.write(&rows).await?;
    let mut files = kept;
    files.extend(writer.finish().await?.files);
    files.sort();
    Ok(files)
}

fn rows(happened: &[Happened], first: i64, run: u64, as_of: i64) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&Happened) -> Option<String>| -> ArrayRef {
        Arc::new(happened.iter().map(of).collect::<StringArray>())
    };
    let count = happened.len();
    let as_of = TimestampMicrosecondArray::from(vec![as_of; count]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 10] = [
        ("event_number", Arc::new(Int64Array::from_iter_values(first..first + count as i64))),
        ("event_id", text(&|one| Some(one.id()))),
        ("kind", text(&|one| Some(one.condition.kind.clone()))),
        ("event_key", text(&|one| Some(one.condition.key.clone()))),
        ("ordinal", Arc::new(Int64Array::from_iter_values(happened.iter().map(|one| one.ordinal)))),
        ("has_ended", Arc::new(happened.iter().map(|one| Some(one.has_ended())).collect::<BooleanArray>())),
        ("customer_id", text(&|one| one.condition.customer_id.clone())),
        ("run", Arc::new(Int64Array::from(vec![run as i64; count]))),
        ("happened_as_of", Arc::new(as_of)),
        ("data", text(&|one| Some(one.condition.data.clone()))),
    ];
    let columns = columns.map(|(name, column)| (name, column.clone(), column.is_nullable()));
    RecordBatch::try_from_iter_with_nullable(columns).during(|| "writing events".into())
}
