//! Rows that are written once, as a file of their own, under a name that nobody else uses.

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;

use super::file::{By, Change};
use super::write::TableWriter;
use crate::error::Result;
use crate::project::schema::TableSchema;
use crate::store::warehouse::Warehouse;

/// Adds rows to a table under a name; when this returns they are there. The same again, as after an error that left
/// that open, changes nothing as long as the table has the file: until a run has merged it with others.
pub async fn add(
    context: &SessionContext,
    warehouse: &Warehouse,
    schema: &TableSchema,
    name: &str,
    rows: &RecordBatch,
) -> Result<()> {
    let mut writer = TableWriter::new(context, warehouse, schema, name.into())?;
    writer.write(rows).await?;
    let files = writer.finish().await?.files;
    warehouse.commit_all(schema, &[Change { by: By::Named, added: &files, removed: &[] }]).await
}
