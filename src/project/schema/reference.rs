//! What a schema says about names: which columns hold the name of a row elsewhere, and in which tables it may stand.

use datafusion::sql::sqlparser::ast::{ForeignKeyConstraint, Ident, Spanned};

use crate::error::{Mistake, Place};

/// Where the names of time zones stand: the IANA database, which the program has and no file.
pub const TIME_ZONE: &str = "time_zone";
/// Its one column.
pub const ZONE_NAME: &str = "name";

/// Columns whose values name a row: `references quota (quota_id)` at a column, or for several columns
/// `foreign key (tag, usage_type) references tag_rule (tag, usage_type)`. Said more than once of the same columns, any
/// of the tables may have the row. A row in which one of the columns is null names nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The columns that name.
    pub columns: Vec<String>,
    /// What they may name.
    pub named: Vec<Named>,
}

/// The columns that are named: of a table, of a view, or [`TIME_ZONE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The table or view.
    pub table: String,
    /// As many of its columns.
    pub columns: Vec<String>,
    /// Where that is declared.
    pub place: Place,
}

impl Reference {
    /// Whether it names a time zone.
    pub fn is_time_zone(&self) -> bool {
        self.named.iter().any(|named| named.table == TIME_ZONE)
    }
}

/// Adds what one REFERENCES clause says; `columns` are those it stands behind.
pub(super) fn add(
    references: &mut Vec<Reference>,
    columns: Vec<String>,
    clause: &ForeignKeyConstraint,
    file: &str,
) -> Result<(), Mistake> {
    let start = clause.foreign_table.span().start;
    let place = Place { file: file.into(), line: start.line, column: start.column };
    let mistake =
        |what: String, hint: &str| Err(Mistake { place: place.clone(), what, hint: hint.to_string() });
    let table = clause.foreign_table.to_string();
    let has_rest = clause.on_delete.is_some()
        || clause.on_update.is_some()
        || clause.match_kind.is_some()
        || clause.characteristics.is_some();
    if has_rest {
        return mistake(
            format!("more than a table and columns behind `references {table}`"),
            "rows are neither deleted nor changed here: leave it out",
        );
    }
    let names = |names: &[Ident]| names.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    let named = Named { table, columns: names(&clause.referred_columns), place: place.clone() };
    if named.columns.len() != columns.len() {
        return mistake(
            format!(
                "`references {}` names {} columns for {}",
                named.table,
                named.columns.len(),
                columns.len()
            ),
            "write as many columns, such as references price (price_id)",
        );
    }
    match references.iter_mut().find(|reference| reference.columns == columns) {
        Some(reference) => reference.named.push(named),
        None => references.push(Reference { columns, named: vec![named] }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::project::schema::TableSchema;

    #[test]
    fn references_are_read_and_of_the_same_columns_any_holds() {
        let text = "create table item (\n    quota_id varchar references quota (quota_id) references account (quota_id),\n    \
                    tag varchar,\n    usage_type varchar,\n    foreign key (tag, usage_type) references tag (tag, usage_type)\n)";
        let schema = TableSchema::parse("item", "schemas/item.sql", text).unwrap();
        let [quota, tag] = schema.references.as_slice() else { panic!("{:?}", schema.references) };
        let tables = |reference: &super::Reference| {
            reference.named.iter().map(|named| named.table.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (quota.columns.join(","), tables(quota)),
            ("quota_id".into(), vec!["quota".into(), "account".into()])
        );
        assert_eq!((tag.columns.join(","), tables(tag)), ("tag,usage_type".into(), vec!["tag".into()]));
        assert_eq!(quota.named[1].place.to_string(), "schemas/item.sql:2:61");
    }

    #[test]
    fn a_reference_that_says_more_or_less_is_refused() {
        for (clause, what) in [
            ("references quota", "`references quota` names 0 columns for 1"),
            ("references quota (a, b)", "`references quota` names 2 columns for 1"),
            (
                "references quota (a) on delete cascade",
                "more than a table and columns behind `references quota`",
            ),
        ] {
            let text = format!("create table item (quota_id varchar {clause})");
            let mistakes = TableSchema::parse("item", "schemas/item.sql", &text).unwrap_err();
            assert_eq!(mistakes[0].what, what);
        }
    }
}
