//! What tables there are, and what their columns mean.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::SessionContext;
use meterhouse_sql::name::did_you_mean;

use crate::encode::{Format, answer};
use crate::error::{Error, Result, While};
use crate::project::schema::{TableSchema, header, sql_type};
use crate::project::{Project, written};

/// Writes the columns of a table or view, and returns how many they are; `context` knows the views.
///
/// # Errors
/// No such table.
pub async fn describe(
    project: &Project,
    context: &SessionContext,
    table: &str,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<usize> {
    let columns = columns(project, context, table).await?;
    answer::write(out, &columns, format)?;
    Ok(columns.num_rows())
}

/// The columns of a table or view, a row each.
///
/// # Errors
/// No such table.
pub async fn columns(project: &Project, context: &SessionContext, table: &str) -> Result<RecordBatch> {
    let columns: Vec<[String; 5]> = match project.schemas.get(table) {
        Some(schema) => schema
            .columns
            .iter()
            .map(|column| {
                let null = if column.required { "not null" } else { "" };
                let named = names(schema, &column.name);
                [column.name.clone(), sql_type(&column.data_type), null.into(), named, column.comment.clone()]
            })
            .collect(),
        None => {
            if !project.queries.contains_key(table) {
                let known = project.schemas.keys().chain(project.queries.keys());
                let hint = did_you_mean(table, known.map(String::as_str));
                return Err(Error::usage(format!("there is no table or view `{table}`"), hint));
            }
            let view = context.table(table).await.during(|| format!("describing {table}"))?;
            let fields = view.schema().fields().iter();
            fields
                .map(|field| {
                    let comment = comment_of(project, table, field.name());
                    let none = String::new();
                    [field.name().clone(), sql_type(field.data_type()), none.clone(), none, comment]
                })
                .collect()
        }
    };
    batch(["column", "type", "null", "references", "comment"], &columns)
}

/// The columns whose rows a column names, as `price.price_id`; with others, each names its own.
fn names(schema: &TableSchema, column: &str) -> String {
    let of_column = schema.references.iter().filter_map(|reference| {
        let at = reference.columns.iter().position(|name| name == column)?;
        Some(reference.named.iter().filter_map(move |named| {
            let name = named.columns.get(at)?;
            Some(format!("{}.{name}", named.table))
        }))
    });
    of_column.flatten().collect::<Vec<_>>().join(" or ")
}

/// What makes a table or view: the file of its query, or where its rows come from.
pub fn made_by(project: &Project, table: &str) -> String {
    match project.queries.get(table) {
        Some(query) => query.file.clone(),
        None if written().any(|written| written == table) => "the program".into(),
        None => format!("data/{table}.csv"),
    }
}

/// Writes the tables and views with what they hold, and what makes them.
pub fn tables(project: &Project, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (name, schema) in &project.schemas {
        let comment = schema.comment.lines().collect::<Vec<_>>().join(" ");
        rows.push([name.clone(), "table".into(), made_by(project, name), comment]);
    }
    for query in project.queries.values().filter(|query| !project.schemas.contains_key(&query.name)) {
        let title = header(&query.text).first().copied().unwrap_or_default();
        let comment = title.split_once(": ").map_or(title, |(_, comment)| comment);
        rows.push([query.name.clone(), "view".into(), query.file.clone(), comment.into()]);
    }
    rows.sort();
    answer::write(out, &batch(["name", "kind", "made_by", "comment"], &rows)?, format)
}

fn batch<const N: usize>(names: [&str; N], rows: &[[String; N]]) -> Result<RecordBatch> {
    let schema = Arc::new(Schema::new(names.map(|name| Field::new(name, DataType::Utf8, false)).to_vec()));
    let column = |at: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row[at].as_str())).collect::<StringArray>())
    };
    RecordBatch::try_new(schema, (0..N).map(column).collect()).during(|| "describing".into())
}

/// A view's column means what the column of that name means in the tables behind it, those first that it reads itself.
fn comment_of(project: &Project, view: &str, name: &str) -> String {
    let mut behind = vec![view];
    let mut at = 0;
    while let Some(reader) = behind.get(at).copied() {
        at += 1;
        if let Some(column) = project.schemas.get(reader).and_then(|schema| schema.column(name)) {
            return column.comment.clone();
        }
        let reads = project.queries.get(reader).filter(|_| !project.schemas.contains_key(reader));
        for read in reads.into_iter().flat_map(|query| query.reads.keys()) {
            if !behind.contains(&read.as_str()) {
                behind.push(read);
            }
        }
    }
    String::new()
}
