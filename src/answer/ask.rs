//! One query that somebody asks: read-only, planned, and its rows written.
//!
//! What is wrong with it is told as a mistake in its text, with the place, and with what to write instead where that is
//! known; nothing of it is about runs.

use std::collections::BTreeSet;
use std::io::Write;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use meterhouse_sql::name::did_you_mean;

use super::describe::columns;
use crate::encode::answer::Answer;
use crate::encode::{Encoder, Format};
use crate::engine::plan::{Failure, failure, planning_mistake, syntax_mistake};
use crate::engine::words::with_sql_types;
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::Project;
use crate::project::schema::parser_error;
use crate::table::scan::FIELDS;

/// What a place in the query is called.
const QUERY: &str = "query";
/// The parameter that a query may have.
const AS_OF: &str = "$as_of";

/// Writes the rows of a query, in which `$as_of` may stand, as they come, and returns how many they are; of `describe`
/// the columns of a table.
///
/// # Errors
/// SQL that does not plan, anything but a query, a query that fails on the data.
pub async fn ask(
    project: &Project,
    context: &SessionContext,
    text: &str,
    as_of: i64,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<usize> {
    let rows = rows(project, context, text, as_of).await?;
    let encoder = Encoder::new(format, &rows.schema())?;
    let mut answer = Answer::to(out);
    let count = answer.rows(encoder, rows, &failed).await?;
    answer.finish()?;
    Ok(count)
}

/// The same rows, for the caller to write; [`failed`] explains what fails on the way.
///
/// # Errors
/// SQL that does not plan, anything but a query.
pub async fn rows(
    project: &Project,
    context: &SessionContext,
    text: &str,
    as_of: i64,
) -> Result<SendableRecordBatchStream> {
    let wrong = |mistake| Error::Query { text: text.into(), mistake: Box::new(mistake) };
    let statement = parsed(text).map_err(wrong)?;
    if let Some(table) = described(project, context, &statement) {
        let columns = columns(project, context, &table).await?;
        let schema = columns.schema();
        return Ok(Box::pin(
            MemoryStream::try_new(vec![columns], schema, None).during(|| "describing".into())?,
        ));
    }
    let frame = planned(context, text, statement, as_of).await.map_err(wrong)?;
    frame.execute_stream().await.map_err(|error| failed(&error))
}

/// What an error in the data says to the person who asked.
pub fn failed(error: &DataFusionError) -> Error {
    match failure(error, "the query") {
        Failure::OfMachine(error) => error,
        Failure::OfData(cause) => {
            let hint = hint_for(&cause);
            Error::data(format!("the query failed: {cause}"), hint)
        }
    }
}

/// The table or view that a statement wants described, where there is one of that name.
fn described(project: &Project, context: &SessionContext, statement: &Statement) -> Option<String> {
    let Statement::Statement(statement) = statement else { return None };
    let ast::Statement::ExplainTable { table_name, .. } = &**statement else { return None };
    let name = table_name.to_string().to_lowercase();
    let is_of_project = project.schemas.contains_key(&name) || project.queries.contains_key(&name);
    (is_of_project && tables(context).contains(&name)).then_some(name)
}

/// The query planned, or what is wrong with it.
async fn planned(
    context: &SessionContext,
    text: &str,
    statement: Statement,
    as_of: i64,
) -> Result<DataFrame, Mistake> {
    let syntax = match &statement {
        Statement::Statement(syntax) => Some(syntax.clone()),
        _ => None,
    };
    let failed = |error: DataFusionError| {
        let mut mistake = planning_mistake(&error, QUERY);
        let missing = mistake.what.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
        if let Some(name) = missing.and_then(|name| name.rsplit('.').next()).map(String::from) {
            let tables = tables(context);
            mistake.what = format!("there is no table or view `{name}`");
            mistake.hint = did_you_mean(&name, tables.iter().map(String::as_str));
        }
        if mistake.hint.is_empty() {
            mistake.hint = hint_for(&mistake.what).into();
        }
        match &syntax {
            Some(syntax) => syntax_mistake(mistake, syntax.as_ref()),
            None => mistake,
        }
    };
    let state = context.state();
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    // Reading is all that a session from outside may do.
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&plan).map_err(failed)?;
    let frame = with_text(context, DataFrame::new(state, plan)).map_err(failed)?;
    if !text.contains(AS_OF) {
        return Ok(frame);
    }
    let instant = ScalarValue::TimestampMicrosecond(Some(as_of), Some("UTC".into()));
    frame.with_param_values(vec![("as_of", instant)]).map_err(failed)
}

/// The same rows with the fields of records as JSON, because a file has no columns inside a column, and with names that
/// say in SQL what was asked for.
fn with_text(context: &SessionContext, frame: DataFrame) -> datafusion::error::Result<DataFrame> {
    let is_record =
        |field: &FieldRef| field.name() == FIELDS && matches!(field.data_type(), DataType::Struct(_));
    let mut names: Vec<String> = frame.schema().fields().iter().map(name_of).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() < names.len() {
        names = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    }
    let is_other = |(field, name): (&FieldRef, &String)| is_record(field) || field.name() != name;
    if !frame.schema().fields().iter().zip(&names).any(is_other) {
        return Ok(frame);
    }
    let to_json = context.udf("fields_json")?;
    let columns = frame.schema().iter().zip(&names).map(|((table, field), name)| {
        let column = Expr::Column(Column::from((table, field)));
        match is_record(field) {
            true => to_json.call(vec![column]).alias(FIELDS),
            false if field.name() == name => column,
            false => column.alias(name),
        }
    });
    let columns: Vec<Expr> = columns.collect();
    frame.select(columns)
}

/// The name of a column of an answer.
fn name_of(field: &FieldRef) -> String {
    // What has no bracket is a name that somebody gave.
    if field.name().contains('(') { with_sql_types(field.name()) } else { field.name().clone() }
}

/// The one statement of the text, which reads.
fn parsed(text: &str) -> Result<Statement, Mistake> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| mistake(error.location, error.message, ""))?;
    let is_written = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let mut words = tokens.iter().filter(is_written);
    let Some(first) = words.next() else {
        return Err(mistake(Location::new(1, 1), "there is no query", "such as select 1"));
    };
    let mut after = words.skip_while(|token| token.token != Token::SemiColon);
    if let Some(second) = after.find(|token| token.token != Token::SemiColon) {
        let hint = "ask them one by one; only at the prompt several may stand in a line";
        return Err(mistake(second.span.start, "a second statement begins here", hint));
    }
    let parser = DFParserBuilder::new(text).with_dialect(&dialect).build();
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.map_err(|error| {
        let message = match error.find_root() {
            DataFusionError::SQL(parser, _) => parser.to_string(),
            other => other.strip_backtrace(),
        };
        let (what, place) = parser_error(&message, QUERY, text);
        let hint = meant(&what);
        Mistake { place, what, hint }
    })?;
    match statements.pop_front().filter(reads) {
        Some(statement) => Ok(statement),
        None => {
            let word = first.token.to_string().to_lowercase();
            let hint = match word.as_str() {
                "show" => "`describe TABLE` shows the columns of one, `\\d` at the prompt which there are",
                _ => "prices and contracts change in data/, rules in queries/; usage is landed, or voided",
            };
            let what = match word.as_str() {
                "explain" => "a query only reads, and explains only what reads".to_string(),
                _ => format!("a query only reads, it does not `{word}`"),
            };
            Err(mistake(first.span.start, what, hint))
        }
    }
}

/// The tables and views that there are.
pub(super) fn tables(context: &SessionContext) -> Vec<String> {
    let catalogs = context.catalog_names().into_iter().filter_map(|name| context.catalog(&name));
    let schemas = catalogs
        .flat_map(|catalog| catalog.schema_names().into_iter().filter_map(move |name| catalog.schema(&name)));
    schemas.flat_map(|schema| schema.table_names()).collect()
}

fn mistake(at: Location, what: impl Into<String>, hint: &str) -> Mistake {
    let place = Place { file: QUERY.into(), line: at.line, column: at.column };
    Mistake { place, what: what.into(), hint: hint.into() }
}

fn reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(
            **statement,
            ast::Statement::Query(_) | ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. }
        ),
        Statement::Explain(explain) => reads(&explain.statement),
        _ => false,
    }
}

/// The word that was meant where the parser found another.
fn meant(what: &str) -> String {
    const WORDS: [&str; 14] = [
        "select", "from", "where", "with", "group", "order", "having", "limit", "join", "inner", "left",
        "union", "explain", "values",
    ];
    let found = what.rsplit_once("found `").map(|(_, found)| found.trim_end_matches('`').to_lowercase());
    let found = found.filter(|found| !WORDS.contains(&found.as_str()));
    found.map_or_else(String::new, |found| did_you_mean(&found, WORDS))
}

/// What to do about a query that cannot be answered.
fn hint_for(cause: &str) -> &'static str {
    let cause = cause.to_lowercase();
    let is_about = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if is_about(&["overflow", "38 digits", "too large to store", "exceed max scale"]) {
        "a product has the digits of both sides: cast one of them first, as cast(quantity as decimal(38, 2))"
    } else if is_about(&["divide by zero", "division by zero"]) {
        "divide by nullif(x, 0), which gives null there"
    } else if is_about(&["error parsing timestamp", "of date type", "of timestamp type"]) {
        "a day is written '2026-10-01', an instant '2026-10-01T12:00:00Z'; try_cast gives null for other texts"
    } else if is_about(&["placeholder"]) {
        "the one parameter of a query is $as_of"
    } else if is_about(&["cannot cast", "error parsing"]) {
        "try_cast(x as ...) gives null where a text is of another form"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        let mistake = parsed(text).unwrap_err();
        format!("{}:{} {}; {}", mistake.place.line, mistake.place.column, mistake.what, mistake.hint)
    }

    #[test]
    fn what_is_no_query_is_told_with_its_place() {
        for (text, said) in [
            ("selct 1", "1:1 expected an SQL statement, found `selct`; did you mean `select`?"),
            ("select 1 +", "1:11 expected an expression, found the end of the text; "),
            ("\n insert into price values (1)", "2:2 a query only reads, it does not `insert`; "),
            ("select 1; select 2", "1:11 a second statement begins here; ask them one by one"),
            (" -- nothing\n", "1:1 there is no query; such as select 1"),
        ] {
            assert!(wrong(text).starts_with(said), "{}", wrong(text));
        }
        assert!(parsed("select 1;").is_ok() && parsed("explain select 1").is_ok());
    }
}
