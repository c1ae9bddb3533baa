//! By which column of a table its rows are found that have to be made again: the first one, those of the primary key
//! before others, that can be followed down to what changed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};

use super::restrict::{Following, Lost, Source};
use super::touched::{Changes, rows_of, unknown};
use super::why::Why;
use crate::project::schema::{Column, TableSchema};

/// A plan over tables with fewer rows together is quick to make as it was and as it is.
const SMALL_ROWS: usize = 1 << 18;

/// By what a table is made.
pub struct By {
    /// The key, over the rows of its plan.
    pub key: Expr,
    /// The column of the table that has it.
    pub column: String,
    /// The type of that.
    pub data_type: DataType,
    /// What touches keys.
    pub sources: Vec<Source>,
}

/// The columns by which a table can be made, one after the other.
pub struct Columns {
    left: VecDeque<Column>,
    /// The plan of its query.
    pub rows: LogicalPlan,
    /// How the tables are other that it reads.
    pub changes: Changes,
    /// More changed rows than these are too many.
    pub at_most: u64,
    lost: Option<Why>,
    many: Option<Why>,
}

impl Columns {
    /// Those of a table whose query has this plan.
    pub fn of(schema: &TableSchema, rows: LogicalPlan, changes: Changes, at_most: u64) -> Self {
        let is_of_key = |column: &&Column| schema.primary_key.contains(&column.name);
        let (first, others): (Vec<_>, Vec<_>) = schema.columns.iter().partition(is_of_key);
        let left = first.into_iter().chain(others).filter(|column| column.required).cloned().collect();
        Self { left, rows, changes, at_most, lost: None, many: None }
    }

    /// The next one that can be followed, and by which not too many rows are other; none where there is no more.
    pub fn next_by(&mut self) -> Result<Option<By>> {
        while let Some(column) = self.left.pop_front() {
            match self.follow(&column)? {
                Ok(by) if rows_of(&by.sources, &self.changes) <= self.at_most => return Ok(Some(by)),
                Ok(by) => self.pass_over(&by),
                Err(why) => _ = self.lost.get_or_insert(why),
            }
        }
        Ok(None)
    }

    /// Notes that too many rows have touched keys in a column.
    pub fn pass_over(&mut self, by: &By) {
        self.many.get_or_insert_with(|| Why::Many(by.column.clone()));
    }

    /// Why none of them does.
    pub fn why_none(self) -> Why {
        self.many.or(self.lost).unwrap_or(Why::NoColumn)
    }

    /// The plan over rows of touched keys only.
    pub fn restricted(
        &self,
        by: &By,
        touched: Arc<dyn TableSource>,
    ) -> Result<std::result::Result<LogicalPlan, Why>> {
        let mut following = self.following(Some((touched, by.data_type.clone())));
        Ok(following.restrict(&self.rows, &by.key)?.map_err(|lost| lost_by(&by.column, lost)))
    }

    /// What touches the keys of the plan in one column of its rows; or why that is lost, or not known.
    fn follow(&self, column: &Column) -> Result<std::result::Result<By, Why>> {
        let made = self.rows.schema().columns().into_iter().find(|made| made.name == column.name);
        let Some(key) = made.map(Expr::Column) else { return Ok(Err(Why::NoColumn)) };
        let mut following = self.following(None);
        if let Err(lost) = following.restrict(&self.rows, &key)? {
            return Ok(Err(lost_by(&column.name, lost)));
        }
        let sources = following.sources;
        if let Some(table) = unknown(&sources, &self.changes) {
            return Ok(Err(Why::NotKnown(table.into())));
        }
        let (column, data_type) = (column.name.clone(), column.data_type.clone());
        Ok(Ok(By { key, column, data_type, sources }))
    }

    fn following(&self, touched: Option<(Arc<dyn TableSource>, DataType)>) -> Following {
        let changed: BTreeSet<String> = self.changes.keys().cloned().collect();
        Following { changed, is_small, touched, sources: Vec::new() }
    }
}

fn lost_by(column: &str, Lost(why): Lost) -> Why {
    Why::Lost { column: column.into(), why }
}

/// Whether the tables of a plan have few rows together.
fn is_small(plan: &LogicalPlan) -> bool {
    let mut rows = 0;
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let known = source_as_provider(&scan.source)?.statistics();
            let known = known.and_then(|known| known.num_rows.get_value().copied());
            rows += known.unwrap_or(SMALL_ROWS);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    rows < SMALL_ROWS
}
