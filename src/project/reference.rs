//! Whether what schemas refer to is there: the table or view, and its columns.

use std::collections::{BTreeMap, BTreeSet};

use meterhouse_sql::name::did_you_mean;

use super::schema::{TIME_ZONE, TableSchema, ZONE_NAME};
use super::{Query, unknown_table};
use crate::error::Mistake;

/// REFERENCES clauses that name a table, view or column which is not there; `known` are all tables and queries.
pub(super) fn unknown_references(
    schemas: &BTreeMap<String, TableSchema>,
    queries: &BTreeMap<String, Query>,
    known: &BTreeSet<&String>,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let all = schemas.values().flat_map(|schema| &schema.references);
    for named in all.flat_map(|reference| &reference.named) {
        let columns: Vec<&str> = match (schemas.get(&named.table), queries.get(&named.table)) {
            (Some(schema), _) => schema.columns.iter().map(|column| column.name.as_str()).collect(),
            (None, Some(view)) => view.columns.keys().map(String::as_str).collect(),
            (None, None) if named.table == TIME_ZONE => vec![ZONE_NAME],
            (None, None) => {
                mistakes.push(unknown_table(&named.table, &named.place, known));
                continue;
            }
        };
        for column in named.columns.iter().filter(|column| !columns.contains(&column.as_str())) {
            mistakes.push(Mistake {
                place: named.place.clone(),
                what: format!("`{}` has no column `{column}` that could be named", named.table),
                hint: did_you_mean(column, columns.iter().copied()),
            });
        }
    }
    mistakes
}
