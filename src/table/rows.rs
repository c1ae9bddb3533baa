//! Rows in memory as a table whose number of rows a plan knows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;

/// Rows in memory.
#[derive(Debug)]
pub struct Rows {
    table: MemTable,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// How many there are.
    pub count: usize,
}

impl Rows {
    /// Rows of batches that have the columns of a schema, whatever those are called.
    pub fn of(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Arc<Self>> {
        let count = batches.iter().map(RecordBatch::num_rows).sum();
        let batches = batches.into_iter().map(|batch| Ok(batch.with_schema(Arc::clone(schema))?));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let table = MemTable::try_new(Arc::clone(schema), vec![batches.clone()])?;
        Ok(Arc::new(Self { table, batches, count }))
    }

    /// As a plan reads them.
    pub fn source(self: &Arc<Self>) -> Arc<dyn TableSource> {
        provider_as_source(Arc::clone(self) as _)
    }
}

#[async_trait]
impl TableProvider for Rows {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn statistics(&self) -> Option<Statistics> {
        let unknown = Statistics::new_unknown(&self.table.schema());
        Some(Statistics { num_rows: Precision::Exact(self.count), ..unknown })
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.table.scan(state, projection, filters, limit).await
    }
}
