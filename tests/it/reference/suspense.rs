//! `docs/suspense.md` has every reason for which the queries let usage wait.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SelectItem, SetExpr, Value, Visit, Visitor,
};

use crate::sample::{project, repository};

/// What `field_trouble` says, which the queries pass on.
const OF_FIELD_TROUBLE: [&str; 4] = [
    "no number in ",
    "; the record has ",
    " has more than 12 decimals",
    " has more than 26 digits before the point",
];

/// The texts that a column `suspense_reason` is made of.
#[derive(Default)]
struct Reasons(BTreeSet<String>);

impl Reasons {
    fn of(&mut self, expression: &Expr) {
        match expression {
            Expr::Value(value) => {
                if let Value::SingleQuotedString(text) = &value.value {
                    self.0.insert(text.clone());
                }
            }
            Expr::Case { conditions, else_result, .. } => {
                conditions.iter().for_each(|when| self.of(&when.result));
                else_result.iter().for_each(|result| self.of(result));
            }
            Expr::Function(function) => {
                let FunctionArguments::List(list) = &function.args else { return };
                for argument in &list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument {
                        self.of(argument);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Visitor for Reasons {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut bodies = vec![query.body.as_ref()];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Select(select) => {
                    for item in &select.projection {
                        if let SelectItem::ExprWithAlias { expr, alias } = item
                            && alias.value == "suspense_reason"
                        {
                            self.of(expr);
                        }
                    }
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn every_reason_to_wait_is_on_the_page() {
    let page = std::fs::read_to_string(repository().join("docs/suspense.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut reasons = Reasons::default();
    for query in project(&repository()).queries.values() {
        let _ = query.syntax().visit(&mut reasons);
    }
    assert!(reasons.0.len() > 25, "{:?}", reasons.0);
    reasons.0.extend(OF_FIELD_TROUBLE.map(String::from));
    let has = |text: &String| rows.iter().any(|row| row.contains(text.as_str()));
    let missing: Vec<&String> = reasons.0.iter().filter(|text| !has(text)).collect();
    assert!(missing.is_empty(), "docs/suspense.md does not say what mends {missing:?}");
    // A part of a reason that stands alone is no reason: each row has to say something that a query says.
    let says = |row: &&str| reasons.0.iter().any(|text| text.trim().len() > 2 && row.contains(text.as_str()));
    let unknown: Vec<&str> = rows.into_iter().filter(|row| !says(row) && *row != "no FIELD").collect();
    assert!(unknown.is_empty(), "no query says what docs/suspense.md explains: {unknown:?}");
}
