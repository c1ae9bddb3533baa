//! One query file: what it reads, calls and yields, from its syntax alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement as Planned;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query as SqlQuery, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, Spanned, Statement, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::{USAGE_RECORD, schema};
use crate::error::{Mistake, Place};

/// One query file: a single SELECT.
#[derive(Debug, Clone)]
pub struct Query {
    /// The table, view, check or mapping it makes.
    pub name: String,
    /// The file, relative to its project.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The same as syntax.
    statement: Arc<Statement>,
    /// The tables and views it mentions, with where each is first mentioned.
    pub reads: BTreeMap<String, Place>,
    /// Every name in its expressions, with where each is first mentioned.
    pub names: BTreeMap<String, Place>,
    /// The functions it calls, with where.
    pub calls: Vec<(String, Place)>,
    /// Where each column that it yields is written, if it has a name there.
    pub columns: BTreeMap<String, Place>,
    /// The parameters it mentions, without `$`, with where each is first mentioned.
    pub parameters: BTreeMap<String, Place>,
}

impl Query {
    /// Parses one query file; `name` is what it makes.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let statements = Parser::parse_sql(&GenericDialect {}, text).map_err(|error| {
            let (what, place) = schema::parser_error(&error.to_string(), file, text);
            vec![Mistake { place, what, hint: "a query file is one SELECT statement".into() }]
        })?;
        let [statement @ Statement::Query(query)] = statements.as_slice() else {
            let place = Place { file: file.into(), line: 1, column: 1 };
            let what = "not one SELECT statement".to_string();
            return Err(vec![Mistake { place, what, hint: "a query file makes one table".into() }]);
        };
        let mut reader = Reader { file, ..Reader::default() };
        let _ = query.visit(&mut reader);
        if !reader.mistakes.is_empty() {
            return Err(reader.mistakes);
        }
        for name in &reader.ctes {
            reader.reads.remove(name);
        }
        Ok(Self {
            name: name.into(),
            file: file.into(),
            text: text.into(),
            statement: Arc::new(statement.clone()),
            reads: reader.reads,
            names: reader.names,
            calls: reader.calls,
            columns: columns(&query.body, file),
            parameters: reader.parameters,
        })
    }

    /// Its syntax.
    pub fn syntax(&self) -> &Statement {
        &self.statement
    }

    /// What the planner takes.
    pub fn statement(&self) -> Planned {
        Planned::Statement(Box::new(Statement::clone(&self.statement)))
    }

    /// Whether it mentions `$as_of` itself.
    pub fn reads_as_of(&self) -> bool {
        self.parameters.contains_key("as_of")
    }
}

/// The named columns of a query; those of a union are named by its first part.
fn columns(body: &SetExpr, file: &str) -> BTreeMap<String, Place> {
    let select = match body {
        SetExpr::SetOperation { left, .. } => return columns(left, file),
        SetExpr::Select(select) => select,
        _ => return BTreeMap::new(),
    };
    let names = select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last(),
        _ => None,
    });
    let place = |name: &Ident| Place {
        file: file.into(),
        line: name.span.start.line,
        column: name.span.start.column,
    };
    names.map(|name| (normal(name), place(name))).collect()
}

/// A name as the planner takes it: in lower case unless quoted.
fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Walks a parsed query for what it mentions.
#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    ctes: BTreeSet<String>,
    reads: BTreeMap<String, Place>,
    names: BTreeMap<String, Place>,
    calls: Vec<(String, Place)>,
    parameters: BTreeMap<String, Place>,
    mistakes: Vec<Mistake>,
    /// Whether the query itself was entered; what comes after are its CTEs and subqueries.
    is_within: bool,
}

impl Reader<'_> {
    /// Whether a selected item passes on all columns of a CTE, which hides none: they stand in this file; or those of
    /// usage records, to which a project adds its own.
    fn passes_on(&self, item: &SelectItem) -> bool {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item else {
            return false;
        };
        name.to_string() == USAGE_RECORD || (self.is_within && self.ctes.contains(&name.to_string()))
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.file.into(), line: span.start.line, column: span.start.column }
    }

    fn name(&mut self, name: &Ident) {
        let place = self.place(name.span);
        self.names.entry(normal(name)).or_insert(place);
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &SqlQuery) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.ctes.insert(cte.alias.name.value.clone());
        }
        let mut bodies = vec![query.body.as_ref()];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Select(select) => {
                    for item in &select.projection {
                        let is_star =
                            matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
                        if is_star && !self.passes_on(item) {
                            self.mistakes.push(Mistake {
                                place: self.place(item.span()),
                                what: "`select *` hides which columns a table has".into(),
                                hint: "write the columns out; `name.*` passes on those of a CTE within the query"
                                    .into(),
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        self.is_within = true;
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let Some(ObjectNamePart::Identifier(name)) = relation.0.last() {
            let place = self.place(name.span);
            self.reads.entry(name.value.clone()).or_insert(place);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Function(function) => {
                let place = self.place(function.name.span());
                self.calls.push((function.name.to_string().to_lowercase(), place));
            }
            Expr::Identifier(name) => self.name(name),
            Expr::CompoundIdentifier(parts) => parts.iter().for_each(|name| self.name(name)),
            Expr::Value(value) => {
                if let Value::Placeholder(name) = &value.value {
                    let place = self.place(value.span);
                    self.parameters.entry(name.trim_start_matches('$').into()).or_insert(place);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Query, Vec<Mistake>> {
        Query::parse("a", "queries/a.sql", text)
    }

    #[test]
    fn a_query_reads_tables_and_not_its_own_ctes() {
        let query =
            parsed("with b as (select x from c) select b.x, f($as_of) from b inner join d on b.x = d.x")
                .unwrap();
        assert_eq!(query.reads.keys().collect::<Vec<_>>(), ["c", "d"]);
        assert!(query.reads_as_of());
        assert_eq!(query.parameters["as_of"].to_string(), "queries/a.sql:1:43");
        assert_eq!(query.calls[0].0, "f");
    }

    #[test]
    fn select_star_is_refused_with_its_place() {
        let mistakes = parsed("select\n    *\nfrom b").unwrap_err();
        assert_eq!(mistakes[0].place.to_string(), "queries/a.sql:2:5");
        assert!(parsed("with b as (select c.x from c), d as (select b.* from b) select d.x from d").is_ok());
        assert!(parsed("with b as (select c.x from c) select b.* from b").is_err());
        assert!(parsed("with b as (select c.* from c) select b.x from b").is_err());
    }
}
