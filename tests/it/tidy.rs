//! House rules. What breaks one is told as `path:line: error: ...`.

use std::collections::BTreeSet;
use std::path::Path;

use meterhouse::project::schema::TableSchema;

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
fn queries_are_short() {
    let queries = files(&["queries"], &["sql"]);
    let mut lengths: Vec<(usize, &str)> =
        queries.iter().map(|(path, text)| (text.lines().count(), path.as_str())).collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > 150).collect();
    assert!(long.is_empty(), "a query of more than 150 lines answers more than one question: {long:?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median <= 70, "the median is {median} lines");
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

/// What a text of source uses of its own crate: each path behind `crate`, `self` or `super`, groups taken apart.
fn paths_used(text: &str) -> Vec<Vec<String>> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut paths = Vec::new();
    for first in ["crate", "self", "super"] {
        for part in code.split(&format!("{first}::")).skip(1) {
            taken_apart(&[first.to_string()], part, &mut paths);
        }
    }
    paths
}

/// The paths that `text` begins with, each behind `before`; what follows them, which is returned.
fn taken_apart<'a>(before: &[String], text: &'a str, paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        rest = group;
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = taken_apart(before, rest, paths).trim_start().trim_start_matches(',').trim_start();
        }
        return rest.get(1..).unwrap_or_default();
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let path: Vec<String> = before.iter().cloned().chain([rest[..end].to_string()]).collect();
    match rest[end..].strip_prefix("::") {
        Some(rest) => taken_apart(&path, rest, paths),
        None => {
            paths.push(path);
            // A group goes on behind what its members are called.
            let rest = &rest[end..];
            rest.find([',', '}', ';', '(']).map_or("", |end| &rest[end..])
        }
    }
}

/// The module that a file is: `[table, delta]` of `src/table/delta.rs`.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(String::from).collect()
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
        let others = paths_used(&text).into_iter().filter(|path| path[0] == "crate");
        for other in others.map(|path| path[1].clone()) {
            if let Some((mine, its)) = place(room).zip(place(&other)).filter(|(mine, its)| its < mine) {
                errors.push(format!("{path}:1: error: `{room}` ({mine}) uses `{other}` ({its})"));
            }
        }
    }
    errors
}

/// The files whose modules a text uses, but for those that its own stands in and those within it: they are one.
fn files_used(text: &str, own: &[String], modules: &[Vec<String>]) -> BTreeSet<usize> {
    let named = paths_used(text).into_iter().filter_map(|path| {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let mut whole = match path[0].as_str() {
            "super" => own[..own.len().saturating_sub(ups)].to_vec(),
            "self" => own.to_vec(),
            _ => Vec::new(),
        };
        whole.extend(path.into_iter().skip(ups.max(1)));
        let behind = |module: &Vec<String>| whole.starts_with(module);
        (0..modules.len()).filter(|&file| behind(&modules[file])).max_by_key(|&file| modules[file].len())
    });
    named.filter(|&file| !own.starts_with(&modules[file]) && !modules[file].starts_with(own)).collect()
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    let files = files(&["src"], &["rs"]);
    let modules: Vec<Vec<String>> = files.iter().map(|(path, _)| module(path)).collect();
    let uses: Vec<BTreeSet<usize>> =
        files.iter().zip(&modules).map(|((_, text), own)| files_used(text, own, &modules)).collect();
    // Take away, one after the other, what uses only what was taken away: what is left is a circle, or leads to one.
    let mut left: BTreeSet<usize> = (0..files.len()).collect();
    while let Some(&free) = left.iter().find(|&&file| uses[file].is_disjoint(&left)) {
        left.remove(&free);
    }
    let errors = left.iter().map(|&file| {
        let others: Vec<&str> =
            uses[file].intersection(&left).map(|&other| files[other].0.as_str()).collect();
        format!("{}:1: error: uses, in a circle, {}", files[file].0, others.join(", "))
    });
    none(&errors.collect::<Vec<_>>());
}
