//! Whether rows name only what there is: every REFERENCES clause of the schemas, held against all tables alike.
//!
//! Owns the comparison and its messages. That a clause names a table which is there is the project's business, and a
//! time zone in a file is found while the file is read. Always holds: a row with a null in one naming column names
//! nothing, and what several clauses of the same columns name may stand in any of their tables.

mod files;
mod foreign;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::JoinType;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::{MemTable, empty::EmptyTable};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{DataFrame, SessionContext};

pub use files::unread_files;
pub use foreign::hide;

use meterhouse_sql::cycle::TimeZone;
use meterhouse_sql::name::did_you_mean;

use crate::catalog::register_view;
use crate::engine::session::session;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::land::{self, ReferenceRows};
use crate::project::Project;
use crate::project::schema::{Named, Reference, TableSchema};
use crate::refresh::fingerprint::reference_files;

/// Mistakes that are told of one reference.
const TOLD: usize = 100;
/// Values that a hint lists, where none is like the one that was given.
const LISTED: usize = 5;
/// Values that are compared with one that was given.
const COMPARED: usize = 20_000;

/// One reference of one table.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    schema: &'a TableSchema,
    reference: &'a Reference,
}

/// All references of the tables that a run makes or takes in: those that only reference data has to do with, which hold
/// before anything is rated, and the others.
pub fn declared(project: &Project) -> (Vec<Declared<'_>>, Vec<Declared<'_>>) {
    let references: BTreeSet<&str> = project.reference().map(|schema| schema.name.as_str()).collect();
    let is_reference = |table: &str| match project.queries.get(table) {
        Some(view) if !project.schemas.contains_key(table) => {
            project.tables_behind(view).iter().all(|table| references.contains(table.as_str()))
        }
        _ => references.contains(table),
    };
    let all = project
        .schemas
        .values()
        .flat_map(|schema| schema.references.iter().map(move |reference| Declared { schema, reference }));
    // A zone in a file was looked for when the file was read: its times depend on it.
    let all = all.filter(|one| !(one.reference.is_time_zone() && is_reference(&one.schema.name)));
    all.partition(|one| {
        is_reference(&one.schema.name) && one.reference.named.iter().all(|named| is_reference(&named.table))
    })
}

/// Every value of these references that names nothing, at its place; so many are looked for at a time.
///
/// The tables have to be known to the session; views that only reference data is behind are made known here.
pub async fn mistakes(
    project: &Project,
    context: &SessionContext,
    declared: &[Declared<'_>],
    as_of: i64,
    at_once: usize,
) -> Result<Vec<Mistake>> {
    let named: Vec<&str> =
        declared.iter().flat_map(|one| &one.reference.named).map(|named| named.table.as_str()).collect();
    for name in &project.order {
        let is_behind = named.iter().any(|named| named == name || project.is_made_from(named, name));
        if is_behind && !project.schemas.contains_key(name) {
            register_view(context, &project.queries[name], as_of).await?;
        }
    }
    let mut mistakes = Vec::new();
    for some in declared.chunks(at_once.max(1)) {
        let asked: Vec<_> = some
            .iter()
            .map(|one| {
                let (context, schema, reference) =
                    (context.clone(), one.schema.name.clone(), one.reference.clone());
                SpawnedTask::spawn(async move { unnamed(&context, &schema, &reference).await })
            })
            .collect();
        for (one, asked) in some.iter().zip(asked) {
            let looking = || format!("looking for what {} names", one.schema.name);
            let values = asked.join().await.during(looking)?.during(looking)?;
            if !values.is_empty() {
                let told = one.told(project, context, values).await?;
                mistakes.extend(foreign::hidden(project, one.schema, told));
            }
        }
    }
    mistakes.sort();
    mistakes.dedup();
    Ok(mistakes)
}

/// The same of a project's files alone, without a warehouse: nothing is looked for in what queries make of usage.
///
/// # Errors
/// The mistakes, those of the files' lines among them. What names a table with an unreadable line is not
/// judged: that line may be what is meant.
pub async fn check(project: &Project) -> Result<()> {
    let context = session(&project.settings, None)?;
    let mut found = Vec::new();
    let mut partial = BTreeSet::new();
    for schema in project.reference() {
        let opening = || format!("opening {}", schema.name);
        let paths = reference_files(project, &schema.name)?;
        let ReferenceRows { batches, mistakes, is_whole } =
            land::reference_rows(&context, project, schema, &paths)
                .map_err(|error| hide(project, schema, error))?;
        // What is wrong elsewhere is not judged by a file of which nothing may be shown either.
        if !is_whole || (!mistakes.is_empty() && foreign::is_outside(project, schema)) {
            partial.insert(schema.name.as_str());
        }
        found.extend(foreign::hidden(project, schema, mistakes));
        let table: Arc<dyn TableProvider> = match batches.first().map(RecordBatch::schema) {
            None => Arc::new(EmptyTable::new(schema.arrow())),
            Some(columns) => Arc::new(MemTable::try_new(columns, vec![batches]).during(opening)?),
        };
        context.register_table(schema.name.as_str(), table).during(opening)?;
    }
    let is_partial = |table: &str| match project.queries.get(table) {
        Some(view) if !project.schemas.contains_key(table) => {
            project.tables_behind(view).iter().any(|table| partial.contains(table.as_str()))
        }
        _ => partial.contains(table),
    };
    let (mut first, _) = declared(project);
    first.retain(|one| !one.reference.named.iter().any(|named| is_partial(&named.table)));
    match mistakes(project, &context, &first, 0, 1).await {
        Ok(unnamed) => found.extend(unnamed),
        // It may follow from what is wrong already.
        Err(_) if !found.is_empty() => {}
        Err(error) => return Err(error),
    }
    found.sort();
    found.dedup();
    if found.is_empty() { Ok(()) } else { Err(Error::Project(found)) }
}

/// The values of some columns as texts, each once; `name` and a number is what they are called.
fn values_of(frame: DataFrame, columns: &[String], name: &str) -> Result<DataFrame, DataFusionError> {
    let column = |column: &String| Expr::Column(Column::from_name(column));
    let frame = columns.iter().try_fold(frame, |frame, name| frame.filter(column(name).is_not_null()))?;
    let texts = columns
        .iter()
        .enumerate()
        .map(|(number, name_of)| cast(column(name_of), DataType::Utf8View).alias(format!("{name}_{number}")));
    frame.select(texts.collect::<Vec<_>>())?.distinct()
}

fn texts_of(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut texts = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().filter_map(|column| column.as_string_view_opt()).collect();
        texts.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()),
        );
    }
    texts
}

/// What the columns of a reference hold and none of the tables that it may name has.
async fn unnamed(
    context: &SessionContext,
    table: &str,
    reference: &Reference,
) -> Result<Vec<Vec<String>>, DataFusionError> {
    let mut values = values_of(context.table(table).await?, &reference.columns, "value")?;
    let names = |name: &str| (0..reference.columns.len()).map(|number| format!("{name}_{number}")).collect();
    let (left, right): (Vec<String>, Vec<String>) = (names("value"), names("named"));
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    for named in reference.named.iter().filter(|_| !reference.is_time_zone()) {
        let there = values_of(context.table(named.table.as_str()).await?, &named.columns, "named")?;
        values = values.join(there, JoinType::LeftAnti, &left, &right, None)?;
    }
    let mut values = texts_of(&values.collect().await?);
    if reference.is_time_zone() {
        values.retain(|value| value.iter().any(|zone| TimeZone::get(zone).is_err()));
    }
    values.sort();
    Ok(values)
}

impl Declared<'_> {
    /// What is wrong with values that name nothing, at the place of each row that has one.
    async fn told(
        &self,
        project: &Project,
        context: &SessionContext,
        values: Vec<Vec<String>>,
    ) -> Result<Vec<Mistake>> {
        let known = self.known(context).await?;
        let owners = self.owners(project, context).await?;
        let places = self.places(project, &values)?;
        let mut hints: BTreeMap<Vec<String>, String> = BTreeMap::new();
        let count = places.len();
        let mut mistakes = Vec::new();
        for (value, place) in places.into_iter().take(TOLD) {
            let hint =
                hints.entry(value.clone()).or_insert_with(|| self.hint(project, &known, &owners, &value));
            let given = self
                .reference
                .columns
                .iter()
                .zip(&value)
                .map(|(column, value)| format!("`{column}` {value}"));
            let tables: Vec<String> =
                self.reference.named.iter().map(|named| format!("`{}`", named.table)).collect();
            let what = format!(
                "{} names no row of {}",
                given.collect::<Vec<_>>().join(" with "),
                tables.join(" or ")
            );
            mistakes.push(Mistake { place, what, hint: hint.clone() });
        }
        if let Some(last) = mistakes.last_mut().filter(|_| count > TOLD) {
            last.hint += &format!("; {} more rows name nothing, too", count - TOLD);
        }
        Ok(mistakes)
    }

    /// The places of the rows that have these values: in the table's files, or where a query makes it, in the query.
    fn places(&self, project: &Project, values: &[Vec<String>]) -> Result<Vec<(Vec<String>, Place)>> {
        if let Some(query) = project.queries.get(&self.schema.name) {
            let place = Place { file: query.file.clone(), line: 0, column: 0 };
            return Ok(values.iter().map(|value| (value.clone(), place.clone())).collect());
        }
        let mut places = Vec::new();
        for path in reference_files(project, &self.schema.name)? {
            places.extend(land::places_of(project, self.schema, &path, &self.reference.columns, values)?);
        }
        Ok(places)
    }

    /// What could have been meant.
    async fn known(&self, context: &SessionContext) -> Result<Vec<Vec<String>>> {
        let mut known = Vec::new();
        for Named { table, columns, .. } in
            self.reference.named.iter().filter(|_| !self.reference.is_time_zone())
        {
            let reading = || format!("reading {table}");
            let frame = context.table(table.as_str()).await.during(reading)?;
            let values = values_of(frame, columns, "named").and_then(|frame| frame.limit(0, Some(COMPARED)));
            known.extend(texts_of(&values.during(reading)?.collect().await.during(reading)?));
        }
        known.sort();
        known.dedup();
        Ok(known)
    }

    /// Where several columns name a row, what the first of them may be by itself, such as the prices that tiers are of.
    async fn owners(&self, project: &Project, context: &SessionContext) -> Result<BTreeSet<String>> {
        let mut owners = BTreeSet::new();
        for named in self.reference.named.iter().filter(|named| named.columns.len() > 1) {
            let Some(schema) = project.schemas.get(&named.table) else { continue };
            let of_first =
                schema.references.iter().filter(|reference| reference.columns[..] == named.columns[..1]);
            for Named { table, columns, .. } in of_first.flat_map(|reference| &reference.named) {
                let reading = || format!("reading {table}");
                let frame = context.table(table.as_str()).await.during(reading)?;
                let values = values_of(frame, columns, "named").during(reading)?;
                owners.extend(texts_of(&values.collect().await.during(reading)?).concat());
            }
        }
        Ok(owners)
    }

    fn hint(
        &self,
        project: &Project,
        known: &[Vec<String>],
        owners: &BTreeSet<String>,
        value: &[String],
    ) -> String {
        if self.reference.is_time_zone() {
            let near = value.first().and_then(|zone| TimeZone::nearest(zone));
            return near.map_or("write an IANA name, such as Europe/Berlin".into(), |near| {
                format!("did you mean `{near}`?")
            });
        }
        // The row of another one than the first column names is not meant.
        let of_same: Vec<Vec<String>> = known.iter().filter(|one| one[..1] == value[..1]).cloned().collect();
        let known = match owners.contains(&value[0]) {
            true if of_same.is_empty() && !known.is_empty() => {
                return format!("no row of it has `{}` {}", self.reference.columns[0], value[0]);
            }
            true => &of_same,
            false => known,
        };
        let given = value.join(" with ");
        let known: Vec<String> = known.iter().map(|value| value.join(" with ")).collect();
        // Short names are alike by their letters and digits, or not at all.
        if let Some(same) = known.iter().find(|name| plain(name) == plain(&given)) {
            return format!("did you mean `{same}`?");
        }
        if known.is_empty() {
            let tables = self.reference.named.iter().map(|named| named.table.as_str());
            let files: Vec<String> = tables
                .filter(|table| !project.queries.contains_key(*table))
                .map(|table| format!("data/{table}.csv"))
                .collect();
            if files.is_empty() {
                return "it has no rows".into();
            }
            return format!("it has no rows: write {}", files.join(" or "));
        }
        let hint = did_you_mean(&given, known.iter().map(String::as_str));
        if !hint.is_empty() {
            return hint;
        }
        let some = known.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        let more = known.len().saturating_sub(LISTED);
        if more == 0 { format!("there is {some}") } else { format!("there is {some}, and {more} more") }
    }
}

/// The letters and digits of a name, in one case.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
