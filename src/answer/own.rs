//! What somebody sees who may see some customers: of each table and view that says whose its rows are, the rows of
//! these; everything else does not exist.
//!
//! What always holds: nothing of a query is asked of rows of other customers. A condition that is pushed down could
//! tell of them by its errors, so a table takes none, and what it reads is planned apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as Planned;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SessionContext};

use super::ask::tables;
use crate::engine::plan::CUSTOMER;
use crate::error::{Result, While};

/// Makes the rows of these customers in one session readable in another that has no tables.
pub async fn only_of(
    whole: &SessionContext,
    own: &SessionContext,
    customers: &BTreeSet<String>,
) -> Result<()> {
    let customers: Vec<Expr> = customers.iter().map(lit).collect();
    for name in tables(whole) {
        let opening = || format!("opening {name}");
        let rows = whole.table(name.as_str()).await.during(opening)?;
        if rows.schema().has_column_with_unqualified_name(CUSTOMER) {
            let rows = rows.filter(col(CUSTOMER).in_list(customers.clone(), false)).during(opening)?;
            own.register_table(name.as_str(), Arc::new(Own(rows))).during(opening)?;
        }
    }
    Ok(())
}

/// A table with some rows of another.
#[derive(Debug)]
struct Own(DataFrame);

#[async_trait]
impl TableProvider for Own {
    fn schema(&self) -> SchemaRef {
        Arc::new(self.0.schema().as_arrow().clone())
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Planned<Arc<dyn ExecutionPlan>> {
        let mut rows = self.0.clone();
        let mut schema = self.schema();
        if let Some(columns) = projection {
            let names = columns.iter().map(|column| Expr::Column(rows.schema().columns()[*column].clone()));
            rows = rows.clone().select(names.collect::<Vec<_>>())?;
            schema = Arc::new(schema.project(columns)?);
        }
        let plan = rows.limit(0, limit)?.create_physical_plan().await?;
        let apart = Arc::new(Apart { schema: schema.clone(), plan });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![apart], None, [], false, limit)?))
    }
}

/// Rows that are planned already.
#[derive(Debug)]
struct Apart {
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
}

impl PartitionStream for Apart {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        execute_stream(self.plan.clone(), context).unwrap_or_else(|error| {
            let failed = futures::stream::once(async { Err(error) });
            Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), failed))
        })
    }
}
