//! What the prompt knows about a statement while it is typed: whether it has ended, and which names may come next.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

/// The words of a query that are worth completing.
const KEYWORDS: [&str; 34] = [
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "desc",
    "distinct",
    "else",
    "end",
    "exists",
    "from",
    "group",
    "having",
    "in",
    "inner",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "select",
    "then",
    "union",
    "where",
    "with",
];

const COMMANDS: [&str; 4] = ["\\?", "\\d", "\\q", "\\timing"];

/// What can be named.
#[derive(Debug, Default)]
pub struct Names {
    /// The columns of each table and view.
    pub tables: BTreeMap<String, Vec<String>>,
    /// The functions.
    pub functions: Vec<String>,
}

/// Completes and ends what is typed.
#[derive(Debug)]
pub struct TypedSql {
    names: Names,
}

impl TypedSql {
    /// Completes to these names.
    pub fn new(names: Names) -> Self {
        Self { names }
    }
}

/// The tokens, where the text has no quote or comment left open.
fn tokens(text: &str) -> Option<Vec<TokenWithSpan>> {
    Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().ok()
}

/// Whether what was typed can be answered: a command, nothing at all, or statements up to a last `;`.
pub fn is_complete(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.starts_with('\\') || ["quit", "exit", "help"].contains(&text) {
        return true;
    }
    let Some(tokens) = tokens(text) else { return false };
    let mut last = tokens.iter().rev().map(|token| &token.token);
    last.find(|token| !matches!(token, Token::Whitespace(_))) == Some(&Token::SemiColon)
}

/// The statements of a text, without their `;`.
pub fn statements(text: &str) -> Vec<&str> {
    // A place in the text counts characters; what is cut are bytes.
    let lines: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(line_end, _)| line_end + 1)).collect();
    let mut found = Vec::new();
    let mut start = 0;
    for token in tokens(text).unwrap_or_default() {
        if token.token != Token::SemiColon {
            continue;
        }
        let place = token.span.start;
        let line = lines.get(place.line as usize - 1).copied().unwrap_or(start);
        let column = text[line..].char_indices().nth(place.column as usize - 1);
        let end = line + column.map_or(0, |(byte, _)| byte);
        found.push(&text[start..end]);
        start = end + 1;
    }
    found.push(&text[start..]);
    let has_words = |part: &&str| {
        let tokens = tokens(part).unwrap_or_default();
        tokens.iter().any(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
    };
    found.into_iter().map(str::trim).filter(has_words).collect()
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where the word before the cursor begins, and what it may become.
pub fn candidates(names: &Names, text: &str) -> (usize, Vec<String>) {
    if text.starts_with('\\') && !text.contains(' ') {
        return (0, starting(COMMANDS.iter().copied(), text));
    }
    let start = text.char_indices().rev().take_while(|(_, letter)| is_name(*letter)).last();
    let start = start.map_or(text.len(), |(byte, _)| byte);
    let (before, word) = text.split_at(start);
    let tables = || names.tables.keys().map(String::as_str);
    // Of `table.`, the columns of that table; of a name that is not a table, such as a CTE, any.
    if let Some(owner) = before.strip_suffix('.') {
        let owner = owner.rsplit(|letter| !is_name(letter)).next().unwrap_or_default().to_lowercase();
        return match names.tables.get(&owner) {
            Some(columns) => (start, starting(columns.iter().map(String::as_str), word)),
            None => (start, starting(names.tables.values().flatten().map(String::as_str), word)),
        };
    }
    let last = before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    if text.starts_with('\\') || ["from", "join"].contains(&last.as_str()) {
        return (start, starting(tables(), word));
    }
    if word.is_empty() {
        return (start, Vec::new());
    }
    // The columns of the tables that are named already; of all where none is.
    let text = text.to_lowercase();
    let named: Vec<&str> = text.split(|letter| !is_name(letter)).collect();
    let is_named = |table: &String| named.contains(&table.as_str());
    let any_named = names.tables.keys().any(is_named);
    let columns = names.tables.iter().filter(|(table, _)| !any_named || is_named(table));
    let columns = columns.flat_map(|(_, columns)| columns).map(String::as_str);
    let functions = names.functions.iter().map(String::as_str);
    (start, starting(tables().chain(columns).chain(functions).chain(KEYWORDS), word))
}

/// The names that begin like the word, each once, in order.
fn starting<'a>(names: impl Iterator<Item = &'a str>, word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let mut found: Vec<String> = names.filter(|name| name.starts_with(&word)).map(String::from).collect();
    found.sort();
    found.dedup();
    found
}

impl Completer for TypedSql {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(&self.names, &line[..pos]))
    }
}

impl Validator for TypedSql {
    fn validate(&self, typed: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_complete(typed.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for TypedSql {
    type Hint = String;
}

impl Highlighter for TypedSql {}

impl Helper for TypedSql {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_its_semicolon() {
        for text in ["", "  ", "select 1;", "select 1; -- so be it", "select ';';", "\\d", "\\timing", "quit"]
        {
            assert!(is_complete(text), "{text}");
        }
        for text in
            ["select 1", "select ';", "select 1 -- ;", "select 1 /* ;", "select \"a;", "select 1; select"]
        {
            assert!(!is_complete(text), "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_at_semicolons_that_are_not_quoted() {
        assert_eq!(statements("select 'é;';\n select 2 ; -- end"), ["select 'é;'", "select 2"]);
        assert_eq!(statements("select 'ä', 1\n, ';' ;;"), ["select 'ä', 1\n, ';'"]);
        assert_eq!(statements("select 1"), ["select 1"]);
    }

    #[test]
    fn names_come_from_the_tables_that_are_named() {
        let columns = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let names = Names {
            tables: BTreeMap::from([
                ("trip".into(), columns(&["trip_id", "duration"])),
                ("tariff".into(), columns(&["tariff_id", "fare"])),
            ]),
            functions: vec!["trim".into()],
        };
        for (text, start, expected) in [
            ("sel", 0, vec!["select"]),
            ("select * from t", 14, vec!["tariff", "trip"]),
            ("select * from ", 14, vec!["tariff", "trip"]),
            ("select tr", 7, vec!["trim", "trip", "trip_id"]),
            ("select * from tariff where tr", 27, vec!["trim", "trip"]),
            ("select trip.", 12, vec!["duration", "trip_id"]),
            ("select TRIP.DU", 12, vec!["duration"]),
            ("select other.f", 13, vec!["fare"]),
            ("select 1 ", 9, vec![]),
            ("\\t", 0, vec!["\\timing"]),
            ("\\d tri", 3, vec!["trip"]),
        ] {
            let (at, found) = candidates(&names, text);
            assert_eq!((at, found), (start, columns(&expected)), "{text}");
        }
    }
}
