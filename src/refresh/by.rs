//! By which column of a table its rows are found that have to be made again: the first one, those of the primary key
//! before others, that can be followed down to what changed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column as PlanColumn, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};

use super::fold::Fold;
use super::restrict::{Following, Lost, Source};
use super::touched::{Changes, compared_rows, rows_of, unknown};
use super::why::Why;
use crate::project::schema::{Column, TableSchema};
use crate::table::file::SEQUENCE;

/// Rows that are compared, as they were and as they are, are read and grouped: that pays where they are at most this
/// part of what the query reads.
const WORTH_COMPARING: u64 = 4;

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
    /// Those that can be followed, and for which much has to be compared.
    dear: VecDeque<By>,
    /// The plan of its query.
    pub rows: LogicalPlan,
    /// How the tables are other that it reads.
    pub changes: Changes,
    /// More touched keys than these are too many.
    pub at_most: u64,
    /// The rows of the largest table that the query reads.
    most_read: u64,
    /// Tables with fewer rows together are quick to read twice.
    pub few_rows: usize,
    lost: Option<Why>,
    many: Option<Why>,
}

impl Columns {
    /// Those of a table whose query has this plan.
    pub fn of(
        schema: &TableSchema,
        rows: LogicalPlan,
        changes: Changes,
        (at_most, most_read, few_rows): (u64, u64, usize),
    ) -> Self {
        let is_of_key = |column: &&Column| schema.primary_key.contains(&column.name);
        let (first, others): (Vec<_>, Vec<_>) = schema.columns.iter().partition(is_of_key);
        let left = first.into_iter().chain(others).filter(|column| column.required).cloned().collect();
        let dear = VecDeque::new();
        Self { left, dear, rows, changes, at_most, most_read, few_rows, lost: None, many: None }
    }

    /// The next one that can be followed, and by which not too many rows are other; none where there is no more. Those
    /// for which much has to be compared come last.
    pub fn next_by(&mut self) -> Result<Option<By>> {
        while let Some(column) = self.left.pop_front() {
            let by = match self.follow(&column)? {
                Ok(by) => by,
                Err(why) => {
                    self.lost.get_or_insert(why);
                    continue;
                }
            };
            // A row that is another is told twice, as it was and as it is.
            if rows_of(&by.sources, &self.changes) > 2 * self.at_most {
                self.pass_over(&by);
                continue;
            }
            match compared_rows(&by.sources, &self.changes, self.few_rows)? {
                None => return Ok(Some(by)),
                // To compare so many costs more than to make the table.
                Some(rows) if rows as u64 > self.most_read / WORTH_COMPARING => {
                    self.lost.get_or_insert_with(|| Why::Dear(by.column.clone()));
                }
                Some(_) => self.dear.push_back(by),
            }
        }
        // To compare much costs more than to make the table, where another column says that many rows are touched.
        Ok(self.dear.pop_front().filter(|_| self.many.is_none()))
    }

    /// What the table adds up, where it only does that, and by what it can be folded.
    pub fn fold(&self) -> Result<Option<(Fold, Vec<By>)>> {
        let Some(fold) = Fold::of(&self.rows)? else { return Ok(None) };
        let each = By::each(&fold.rows, &self.changes, self.few_rows)?;
        Ok(Some((fold, each)))
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
        by.restricted(&self.rows, &self.changes, self.few_rows, touched)
    }

    /// What touches the keys of the plan in one column of its rows; or why that is lost, or not known.
    fn follow(&self, column: &Column) -> Result<std::result::Result<By, Why>> {
        let made = self.rows.schema().columns().into_iter().find(|made| made.name == column.name);
        let Some(key) = made else { return Ok(Err(Why::NoColumn)) };
        By::follow(key, &column.data_type, &self.rows, &self.changes, self.few_rows)
    }
}

impl By {
    /// What touches the keys of a plan in one column of its rows; or why that is lost, or not known.
    pub fn follow(
        column: PlanColumn,
        data_type: &DataType,
        rows: &LogicalPlan,
        changes: &Changes,
        few_rows: usize,
    ) -> Result<std::result::Result<Self, Why>> {
        let (name, key) = (column.name.clone(), Expr::Column(column));
        let mut following = following(changes, few_rows, None);
        if let Err(lost) = following.restrict(rows, &key)? {
            return Ok(Err(lost_by(&name, lost)));
        }
        let sources = following.sources;
        if let Some(table) = unknown(&sources, changes) {
            return Ok(Err(Why::NotKnown(table.into())));
        }
        Ok(Ok(Self { key, column: name, data_type: data_type.clone(), sources }))
    }

    /// By each of the columns of a plan that are never null, as far as they can be followed: first by the number of a
    /// record, which few rows have, then by those that all that is joined has, so that of nothing all is read, and last
    /// by those for which much has to be compared.
    pub fn each(rows: &LogicalPlan, changes: &Changes, few_rows: usize) -> Result<Vec<Self>> {
        let columns = rows.schema().columns().into_iter().zip(rows.schema().fields());
        let columns = columns.filter(|(_, field)| !field.is_nullable());
        let (mut each, mut dear) = (Vec::new(), Vec::new());
        for (column, field) in columns {
            let by = Self::follow(column, field.data_type(), rows, changes, few_rows)?;
            let Ok(by) = by else { continue };
            match compared_rows(&by.sources, changes, few_rows)? {
                Some(_) => dear.push(by),
                None => each.push(by),
            }
        }
        let meets = |by: &Self| by.sources.iter().any(|source| !matches!(source, Source::Changed { .. }));
        each.sort_by_key(|by| (by.column != SEQUENCE, meets(by)));
        each.extend(dear);
        Ok(each)
    }

    /// A plan over rows of touched keys only.
    pub fn restricted(
        &self,
        rows: &LogicalPlan,
        changes: &Changes,
        few_rows: usize,
        touched: Arc<dyn TableSource>,
    ) -> Result<std::result::Result<LogicalPlan, Why>> {
        let mut following = following(changes, few_rows, Some((touched, self.data_type.clone())));
        Ok(following.restrict(rows, &self.key)?.map_err(|lost| lost_by(&self.column, lost)))
    }
}

fn following(
    changes: &Changes,
    few_rows: usize,
    touched: Option<(Arc<dyn TableSource>, DataType)>,
) -> Following {
    let changed: BTreeSet<String> = changes.keys().cloned().collect();
    Following { changed, few_rows, touched, sources: Vec::new(), finding: None }
}

fn lost_by(column: &str, Lost(why): Lost) -> Why {
    Why::Lost { column: column.into(), why }
}
