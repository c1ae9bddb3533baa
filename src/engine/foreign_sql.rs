//! SQL of other engines that is written otherwise here: found in the syntax of a query that does not plan, because the
//! planner says of it only that two types do not go together.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Spanned, Subscript, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

/// What is written otherwise here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Where it stands.
    pub at: Location,
    /// What it is.
    pub what: String,
    /// How it is written here.
    pub hint: String,
}

/// The first such place of a statement.
pub fn find(statement: &impl Visit) -> Option<Foreign> {
    let mut finder = Finder { found: None };
    let _ = statement.visit(&mut finder);
    finder.found
}

/// Where a statement names a column of this name; none where it does not.
pub fn place_of(statement: &impl Visit, name: &str) -> Option<Location> {
    let mut names = Names { name, found: None };
    let _ = statement.visit(&mut names);
    names.found
}

struct Names<'a> {
    name: &'a str,
    found: Option<Location>,
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let is_meant = match expression {
            Expr::Identifier(name) => name.value.eq_ignore_ascii_case(self.name),
            Expr::CompoundIdentifier(_) => expression.to_string().eq_ignore_ascii_case(self.name),
            _ => false,
        };
        if !is_meant {
            return ControlFlow::Continue(());
        }
        self.found = Some(expression.span().start);
        ControlFlow::Break(())
    }
}

struct Finder {
    found: Option<Foreign>,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let (what, hint) = match expression {
            Expr::BinaryOp { left, op, right } if is_of_json(op) => {
                // A path into it, such as `'{a,b}'`, is no name of a field.
                let field = if is_text(right) { right.to_string() } else { "'field'".into() };
                let hint = format!("a field of JSON text is json_text({left}, {field})");
                (format!("there is no operator `{op}`"), hint)
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                let Some(field) = access_chain.iter().find_map(field_of) else {
                    return ControlFlow::Continue(());
                };
                let hint = format!("a field of JSON text is json_text({root}, {field})");
                (format!("`{root}` has no fields of its own"), hint)
            }
            Expr::AtTimeZone { timestamp, time_zone } if !is_text(time_zone) => {
                let what = format!("`at time zone` takes a zone in quotes, and `{time_zone}` is none");
                (what, format!("the clocks of a zone that is a column: local_time({timestamp}, {time_zone})"))
            }
            _ => return ControlFlow::Continue(()),
        };
        self.found = Some(Foreign { at: expression.span().start, what, hint });
        ControlFlow::Break(())
    }
}

/// The text in brackets behind a column.
fn field_of(access: &AccessExpr) -> Option<&Expr> {
    match access {
        AccessExpr::Subscript(Subscript::Index { index }) if is_text(index) => Some(index),
        _ => None,
    }
}

fn is_text(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)))
}

fn is_of_json(operator: &BinaryOperator) -> bool {
    use BinaryOperator::{Arrow, HashArrow, HashLongArrow, LongArrow};
    matches!(operator, Arrow | LongArrow | HashArrow | HashLongArrow)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn found(text: &str) -> Option<(u64, String)> {
        let statements = Parser::parse_sql(&GenericDialect {}, text).unwrap();
        find(&statements).map(|found| (found.at.column, found.hint))
    }

    #[test]
    fn json_and_zones_are_said_with_functions() {
        for (text, column, hint) in [
            (
                "select attributes ->> 'region' from usage_record",
                8,
                "a field of JSON text is json_text(attributes, 'region')",
            ),
            ("select 1 where a.b -> c = 2", 16, "a field of JSON text is json_text(a.b, 'field')"),
            ("select attributes['region']", 8, "a field of JSON text is json_text(attributes, 'region')"),
            (
                "select usage_start at time zone contract.time_zone",
                8,
                "the clocks of a zone that is a column: local_time(usage_start, contract.time_zone)",
            ),
        ] {
            assert_eq!(found(text), Some((column, hint.into())), "{text}");
        }
        assert_eq!(found("select usage_start at time zone 'Europe/Berlin'"), None);
    }
}
