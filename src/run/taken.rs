//! How each table and view is taken when a closed period is rated again: as it is today, as its closing had it, or
//! made again. A closing says it once, in a table of the books, and so does a rerating by other rules;
//! rating again reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::{SessionContext, col, lit};

use super::Run;
use crate::engine::plan::{BILLING_PERIOD, execution_error};
use crate::error::{Error, Result, While};
use crate::project::{BOOKS, CLOSED_TABLE, GUIDED_USAGE, JOURNAL, LANDED, Project, RERATED_LINE};
use crate::refresh::is_made_by_period;
use crate::table::file::DataFile;
use crate::table::write::TableWriter;

/// How a table or view is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// As it is today: what usage is and whose, and the books.
    Today,
    /// As its closing had it: contracts, prices, and what corrects other periods.
    Closing,
    /// Made again for the period, by the query of the closing.
    Period,
    /// Made again as a whole, by that query.
    Whole,
}

impl Taken {
    const WORDS: [(&str, Self); 4] = [
        ("today", Self::Today),
        ("closing", Self::Closing),
        ("period", Self::Period),
        ("whole", Self::Whole),
    ];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, taken)| *taken == self).map_or("", |(word, _)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, taken)| *taken)
    }

    /// Whether it is made again.
    pub(super) fn is_again(self) -> bool {
        matches!(self, Self::Period | Self::Whole)
    }
}

/// How the tables and views of a project are taken, by name.
pub(super) type AllTaken = BTreeMap<String, Taken>;

/// What follows from the queries of a project.
pub(super) fn taken(project: &Project) -> AllTaken {
    let is_landed = |name: &str| LANDED.iter().any(|landed| project.is_made_from(name, landed));
    let is_of_books = |name: &str| {
        BOOKS.iter().any(|book| project.is_made_from(name, book))
            && !project.reference().any(|reference| project.is_made_from(name, &reference.name))
    };
    let of = |name: &String| {
        let is_kept = LANDED.contains(&name.as_str()) || BOOKS.contains(&name.as_str());
        // Up to its place, what usage is and whose is said by the queries of today.
        let is_before = name == GUIDED_USAGE || (is_landed(name) && project.is_made_from(GUIDED_USAGE, name));
        // What it had in this period stays.
        let is_correction =
            project.queries.get(name).is_some_and(|query| query.reads.contains_key(RERATED_LINE));
        if is_kept || is_before {
            Taken::Today
        } else if is_correction {
            Taken::Closing
        } else if is_made_by_period(project, name) {
            Taken::Period
        } else if project.is_made_from(name, GUIDED_USAGE) {
            Taken::Whole
        } else if project.schemas.contains_key(name) && (is_landed(name) || is_of_books(name)) {
            Taken::Today
        } else {
            Taken::Closing
        }
    };
    let names = project.schemas.keys().chain(project.queries.keys());
    let names = names.filter(|name| !JOURNAL.contains(&name.as_str()));
    names.map(|name| (name.clone(), of(name))).collect()
}

impl Run<'_> {
    /// Writes how the tables of this project are taken, should these periods be rated again.
    pub(super) async fn taken_rows(&self, numbered: &[(i64, &str)]) -> Result<Vec<DataFile>> {
        let Some(schema) = self.project.schemas.get(CLOSED_TABLE) else {
            let what = format!("the project has no table `{CLOSED_TABLE}`");
            return Err(Error::data(what, "take its schema from the sample"));
        };
        let taken = taken(self.project);
        let mut writer = TableWriter::new(self.context, self.warehouse, schema, self.stem.clone())?;
        for (number, period) in numbered {
            let text = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
            let rows = RecordBatch::try_from_iter([
                (BILLING_PERIOD, text(vec![period; taken.len()])),
                ("rerate_number", Arc::new(Int64Array::from(vec![*number; taken.len()])) as ArrayRef),
                ("table_name", text(taken.keys().map(String::as_str).collect())),
                ("taken", text(taken.values().map(|taken| taken.word()).collect())),
            ])
            .during(|| format!("noting which tables of {period} are those of its closing"))?;
            writer.write(&rows).await?;
        }
        Ok(writer.finish().await?.files)
    }
}

/// The books have to say it: a table that is taken otherwise than its closing meant would move closed amounts.
fn unsaid(period: &str) -> Error {
    let what =
        format!("`{CLOSED_TABLE}` does not say how the tables of {period} are taken when it is rated again");
    Error::data(what, "meterhouse verify says whether the books are as they were written")
}

/// What the books say of a closed period, by the last who wrote it.
///
/// # Errors
/// Books that do not say it.
pub(super) async fn taken_of(context: &SessionContext, period: &str) -> Result<AllTaken> {
    let working = || format!("reading {CLOSED_TABLE}");
    let frame = context.table(CLOSED_TABLE).await.during(working)?;
    let frame = frame.filter(col(BILLING_PERIOD).eq(lit(period))).during(working)?;
    let frame = frame.select_columns(&["table_name", "taken", "rerate_number"]).during(working)?;
    let mut found: BTreeMap<String, (i64, Taken)> = BTreeMap::new();
    for batch in frame.collect().await.map_err(|error| execution_error(&error, CLOSED_TABLE))? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (names, words) = (text(0).during(working)?, text(1).during(working)?);
        let numbers = batch.column(2).as_primitive::<Int64Type>();
        let rows = names.as_string::<i32>().iter().zip(words.as_string::<i32>()).zip(numbers.values());
        for ((name, word), number) in rows {
            let (Some(name), Some(taken)) = (name, word.and_then(Taken::of)) else {
                return Err(unsaid(period));
            };
            if found.get(name).is_none_or(|(before, _)| before < number) {
                found.insert(name.into(), (*number, taken));
            }
        }
    }
    let Some(last) = found.values().map(|(number, _)| *number).max() else { return Err(unsaid(period)) };
    found.retain(|_, (number, _)| *number == last);
    Ok(found.into_iter().map(|(name, (_, taken))| (name, taken)).collect())
}
