//! House rules. What breaks one is told as `path:line: error: ...`.

use std::path::Path;

use meterhouse::schema::TableSchema;

use crate::sample::repository;

/// Columns that only mirror a foreign file and say so once.
const WITHOUT_COMMENT: &str = "list_rate";

/// Words that SQL writes in lower case.
const KEYWORDS: [&str; 30] = [
    "select", "from", "where", "with", "as", "and", "or", "not", "null", "join", "inner", "left", "on",
    "group", "by", "order", "having", "union", "all", "case", "when", "then", "else", "end", "create",
    "table", "primary", "key", "check", "over",
];

/// Binary fractions, which no amount or quantity may be.
const FLOATS: [&str; 5] = ["double", "float", "f64", "float64", "real"];

/// Calls that end the program instead of telling what is wrong.
const ABORTS: [&str; 4] = [".unwrap()", ".expect(", "panic!", "todo!"];

/// Files under the folders of the repository that have one of the extensions, as path and text.
fn files(folders: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&repository().join(folder), extensions, &mut found);
    }
    found.sort();
    assert!(!found.is_empty(), "no files in {folders:?}");
    found
}

fn collect(folder: &Path, extensions: &[&str], found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "warehouse", "inbox", ".git"].contains(&name) {
                collect(&path, extensions, found);
            }
        } else if extensions.contains(&path.extension().map_or("", |extension| extension.to_str().unwrap())) {
            let shown = path.strip_prefix(repository()).unwrap().display().to_string();
            found.push((shown, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Applies a rule to each line; it says what is wrong, if anything.
fn each_line(files: &[(String, String)], rule: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut errors = Vec::new();
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            errors.extend(rule(line).map(|what| format!("{path}:{}: error: {what}", index + 1)));
        }
    }
    errors
}

fn none(errors: &[String]) {
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

/// The SQL of a line: without its comment and its quoted texts.
fn code(line: &str) -> String {
    let line = line.split("--").next().unwrap_or_default();
    line.split('\'').step_by(2).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

fn sql_files() -> Vec<(String, String)> {
    files(&["schemas", "queries", "examples"], &["sql"])
}

fn float(line: &str) -> Option<String> {
    let code = code(line).to_lowercase();
    let word = words(&code).find(|word| FLOATS.contains(word))?;
    Some(format!("{word} is banned, use decimal"))
}

fn upper_case(line: &str) -> Option<String> {
    let code = code(line);
    let word = words(&code).find(|word| {
        let lower = word.to_lowercase();
        lower != **word && KEYWORDS.contains(&lower.as_str())
    })?;
    Some(format!("write {word} in lower case"))
}

fn too_long(line: &str, limit: usize) -> Option<String> {
    let length = line.chars().count();
    (length > limit).then(|| format!("{length} characters, more than {limit}"))
}

fn machine_path(line: &str) -> Option<String> {
    // Put together, so that this file keeps the rule as well.
    let folder = ["work", "root", "tmp"].into_iter().find(|folder| line.contains(&format!("/{folder}/")))?;
    Some(format!("a path of one machine, in /{folder}"))
}

#[test]
fn rules_find_what_breaks_them() {
    assert!(float("amount double precision,").is_some());
    assert!(float("amount decimal(38, 12) -- no double").is_none());
    assert!(upper_case("SELECT 1").is_some());
    assert!(upper_case("where name = 'AND' -- NOT NULL").is_none());
    assert!(too_long("ééé", 2).is_some() && too_long("ééé", 3).is_none());
    assert!(machine_path(&["see /", "tmp/x"].concat()).is_some());
}

#[test]
fn no_binary_fractions_in_sql() {
    none(&each_line(&sql_files(), float));
}

#[test]
fn sql_is_lower_case() {
    none(&each_line(&sql_files(), upper_case));
}

#[test]
fn no_tabs() {
    let mut files = sql_files();
    files.extend(self::files(&["src", "crates", "tests"], &["rs", "slt"]));
    none(&each_line(&files, |line| line.contains('\t').then(|| "a tab, use blanks".into())));
}

#[test]
fn queries_are_narrow() {
    let folders =
        ["queries", "examples/aws_bill/queries", "examples/bike_share/queries", "examples/taxi/queries"];
    none(&each_line(&files(&folders, &["sql"]), |line| too_long(line, 90)));
}

#[test]
fn source_is_narrow() {
    // A text in quotes is not broken.
    none(&each_line(&files(&["src", "crates"], &["rs"]), |line| {
        let is_comment = line.trim_start().starts_with("//");
        too_long(line, 120).filter(|_| is_comment || !line.contains('"'))
    }));
}

#[test]
fn source_does_not_abort() {
    let mut sources = files(&["src", "crates"], &["rs"]);
    // Compiled for tests alone; were it not, clippy would deny what is in there.
    sources.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    for (_, text) in &mut sources {
        // Tests are the last thing in a file.
        if let Some(end) = text.find("#[cfg(test)]") {
            text.truncate(end);
        }
        // Where one is allowed, the line before it says why.
        let mut is_allowed = false;
        let lines = text.lines().map(|line| {
            let kept = if is_allowed { "" } else { line };
            is_allowed = line.contains("#[allow(clippy::") && line.contains("reason = ");
            kept.to_string()
        });
        *text = lines.collect::<Vec<_>>().join("\n");
    }
    none(&each_line(&sources, |line| {
        let is_code = !line.trim_start().starts_with("//");
        let call = ABORTS.into_iter().find(|call| is_code && line.contains(call))?;
        Some(format!("{call} ends the program without a word, return an error"))
    }));
}

#[test]
fn no_paths_of_one_machine() {
    none(&each_line(&files(&[""], &["md", "toml", "sql", "rs", "slt", "yml", "yaml"]), machine_path));
    if repository().join(".ci").exists() {
        none(&each_line(&files(&[".ci"], &["sh", "yml", "toml", ""]), machine_path));
    }
}

#[test]
fn every_column_has_a_comment() {
    let mut errors = Vec::new();
    for (path, text) in files(&["schemas", "examples/aws_bill/schemas", "examples/taxi/schemas"], &["sql"]) {
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        let schema = TableSchema::parse(name, &path, &text).unwrap();
        for column in schema.columns.iter().filter(|column| column.comment.is_empty()) {
            if name != WITHOUT_COMMENT {
                errors.push(format!("{}: error: `{}` has no comment", column.place, column.name));
            }
        }
        if schema.comment.is_empty() {
            errors.push(format!("{path}:1: error: says not what `{name}` holds"));
        }
    }
    none(&errors);
}

/// The rooms that a text names by `crate::room` or in a `use crate::{...}`.
fn rooms_used(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.split("#[cfg(test)]").next().unwrap_or_default().to_string();
    let mut rooms = Vec::new();
    for part in code.split("crate::").skip(1) {
        match part.strip_prefix('{') {
            Some(several) => {
                let mut depth = 0;
                let several = several.split(|letter: char| {
                    depth += match letter {
                        '{' => 1,
                        '}' => -1,
                        _ => 0,
                    };
                    depth < 0 || (depth == 0 && letter == ',')
                });
                rooms.extend(several.map_while(|name| words(name).next().map(String::from)));
            }
            None => rooms.extend(words(part).next().map(String::from)),
        }
    }
    rooms
}

#[test]
fn a_module_uses_only_what_stands_behind_it() {
    let crates = std::fs::read_dir(repository().join("crates")).unwrap();
    let crates = crates.map(|entry| format!("crates/{}/src", entry.unwrap().file_name().display()));
    let errors: Vec<String> =
        crates.chain(["src".to_string()]).flat_map(|folder| out_of_order(&folder)).collect();
    none(&errors);
}

/// The modules of a crate that are not in the list of its lib.rs, or use one that stands before them.
fn out_of_order(folder: &str) -> Vec<String> {
    let list = std::fs::read_to_string(repository().join(folder).join("lib.rs")).unwrap();
    let lines: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("//! - ")).collect();
    let named = |line: &str| -> Vec<String> {
        let names = line.split(": ").next().unwrap_or_default();
        names.split('`').skip(1).step_by(2).map(String::from).collect()
    };
    let lines: Vec<Vec<String>> = lines.into_iter().map(named).collect();
    let place = |room: &str| lines.iter().position(|line| line.iter().any(|name| name == room));
    let mut errors = Vec::new();
    for room in list.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let room = room.trim_end_matches(';');
        if place(room).is_none() {
            errors.push(format!("{folder}/lib.rs:1: error: `{room}` is not in the list"));
        }
    }
    for (path, text) in files(&[folder], &["rs"]) {
        let room =
            path.trim_start_matches(folder).trim_start_matches('/').split('/').next().unwrap_or_default();
        let room = room.trim_end_matches(".rs");
        for other in rooms_used(&text) {
            if let Some((mine, its)) = place(room).zip(place(&other)).filter(|(mine, its)| its < mine) {
                errors.push(format!("{path}:1: error: `{room}` ({mine}) uses `{other}` ({its})"));
            }
        }
    }
    errors
}
