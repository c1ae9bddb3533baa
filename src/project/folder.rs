//! A folder of a stage, read as a table: the rows of all queries in it, which yield the same columns.
//!
//! So what comes in kinds (a charge model, a step of a line) has a file for each kind, and a further kind is one more
//! file: nothing else has to name it.

use std::collections::{BTreeMap, BTreeSet};

use super::query::Query;
use crate::error::{Mistake, Place};

/// A query for each folder of a stage that is among `wanted`, made from the files in it; and what keeps one from it.
pub(super) fn read_as_tables(
    queries: &BTreeMap<String, Query>,
    wanted: &BTreeSet<String>,
) -> (Vec<Query>, Vec<Mistake>) {
    let mut parts: BTreeMap<&str, Vec<&Query>> = BTreeMap::new();
    for query in queries.values() {
        let folder = query.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let within = folder.rsplit_once("queries/").map_or(folder, |(_, within)| within);
        if let Some((_, name)) = within.rsplit_once('/') {
            parts.entry(name).or_default().push(query);
        }
    }
    let (mut made, mut mistakes) = (Vec::new(), Vec::new());
    for (name, parts) in parts {
        if !wanted.contains(name) {
            continue;
        }
        let other = different_columns(&parts);
        if other.is_empty() {
            let folder = parts[0].file.rsplit_once('/').map_or("", |(folder, _)| folder);
            match Query::parse(name, folder, &text(name, &parts)) {
                Ok(query) => made.push(query),
                Err(found) => mistakes.extend(found),
            }
        }
        mistakes.extend(other);
    }
    (made, mistakes)
}

/// What one part yields and most others do not, or the reverse.
fn different_columns(parts: &[&Query]) -> Vec<Mistake> {
    let mut count: BTreeMap<&String, usize> = BTreeMap::new();
    for column in parts.iter().flat_map(|part| part.columns.keys()) {
        *count.entry(column).or_default() += 1;
    }
    let mut mistakes = Vec::new();
    for (column, count) in count.into_iter().filter(|(_, count)| *count < parts.len()) {
        for part in parts {
            let name = &part.name;
            let (place, what) = match part.columns.get(column) {
                Some(place) if count * 2 <= parts.len() => {
                    (place.clone(), format!("`{name}` yields `{column}`, which the queries beside it do not"))
                }
                None if count * 2 > parts.len() => (
                    Place { file: part.file.clone(), line: 0, column: 0 },
                    format!("`{name}` does not yield `{column}`, as the queries beside it do"),
                ),
                _ => continue,
            };
            mistakes.push(Mistake {
                place,
                what,
                hint: "the queries of a folder that is read as a table yield the same columns".into(),
            });
        }
    }
    mistakes
}

/// The query, with a header like others.
fn text(name: &str, parts: &[&Query]) -> String {
    let selects = parts.iter().map(|part| {
        let columns = parts[0].columns.keys().map(|column| format!("    {}.{column}", part.name));
        format!("select\n{}\nfrom {}", columns.collect::<Vec<_>>().join(",\n"), part.name)
    });
    let names = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(",\n--         ");
    format!(
        "-- {name}: the rows of all queries in this folder\n--\n-- grain:  that of the queries\n-- reads:  {names}\n\n{}\n",
        selects.collect::<Vec<_>>().join("\n\nunion all\n\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(files: &[(&str, &str)]) -> BTreeMap<String, Query> {
        let parsed = files.iter().map(|(file, text)| {
            let name = file.rsplit_once('/').unwrap().1.trim_end_matches(".sql");
            (name.to_string(), Query::parse(name, file, text).unwrap())
        });
        parsed.collect()
    }

    #[test]
    fn the_rows_of_a_folder_are_those_of_its_queries() {
        let queries = queries(&[
            ("queries/7_rating/by_model/flat.sql", "select t.a, t.b from t"),
            ("../base/queries/7_rating/by_model/volume.sql", "select t.b, t.a from t"),
            ("queries/7_rating/charge.sql", "select t.c from t"),
        ]);
        let (wanted, other) = ("by_model".to_string(), "7_rating".to_string());
        let (made, mistakes) = read_as_tables(&queries, &BTreeSet::from([wanted, other]));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(made.len(), 1);
        let names: Vec<_> = made[0].reads.keys().map(String::as_str).collect();
        assert_eq!((made[0].name.as_str(), names), ("by_model", vec!["flat", "volume"]));
        assert!(made[0].text.ends_with("select\n    volume.a,\n    volume.b\nfrom volume\n"));
    }

    #[test]
    fn who_yields_other_columns_is_told() {
        let queries = queries(&[
            ("queries/7_rating/by_model/a.sql", "select t.amount, t.tier from t"),
            ("queries/7_rating/by_model/b.sql", "select t.amount, t.tier from t"),
            ("queries/7_rating/by_model/c.sql", "select t.amont, t.tier from t"),
        ]);
        let wanted = "by_model".to_string();
        let (made, mistakes) = read_as_tables(&queries, &BTreeSet::from([wanted]));
        assert!(made.is_empty());
        let told: Vec<_> = mistakes.iter().map(|told| format!("{} {}", told.place, told.what)).collect();
        assert_eq!(
            told,
            [
                "queries/7_rating/by_model/c.sql:1:10 `c` yields `amont`, which the queries beside it do not",
                "queries/7_rating/by_model/c.sql `c` does not yield `amount`, as the queries beside it do",
            ]
        );
    }
}
