//! A project on disk: settings, schemas, queries, and the order of work that follows from the names they mention.
//!
//! Reads text and nothing else: planning against the schemas is `check`, running is `run`. Every mistake is
//! collected, with file, line and column, before one of them is reported.

mod folder;
mod names;
mod query;
mod reference;
pub mod schema;
pub mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use names::*;
pub use query::Query;

use meterhouse_sql::cycle::TimeZone;
use meterhouse_sql::name::did_you_mean;

use self::schema::TableSchema;
use self::settings::Settings;
use crate::error::{Error, Mistake, Place, Result, While};

/// What a project says.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// Its settings.
    pub settings: Settings,
    /// The tables with a contract.
    pub schemas: BTreeMap<String, TableSchema>,
    /// The queries by the table or view they make.
    pub queries: BTreeMap<String, Query>,
    /// The rules whose broken rows stop publication.
    pub checks: BTreeMap<String, Query>,
    /// What a run shows when it ends.
    pub reports: BTreeMap<String, Query>,
    /// What `status` shows.
    pub status: BTreeMap<String, Query>,
    /// What it shows of what is earned and not billed, and the reverse.
    pub accrual: BTreeMap<String, Query>,
    /// What it shows of closed periods that other rules reach back into, when they are rated by them.
    pub reach_back: BTreeMap<String, Query>,
    /// What `explain` shows of a line, by `$line_id`.
    pub explain_line: BTreeMap<String, Query>,
    /// What it shows of a record, by `$transaction_id` and `$source`.
    pub explain_usage: BTreeMap<String, Query>,
    /// What `export` writes for each customer.
    pub export: BTreeMap<String, Query>,
    /// What its HTML pages show besides.
    pub page: BTreeMap<String, Query>,
    /// What closing a period writes to the books.
    pub closing: BTreeMap<String, Query>,
    /// The rules whose rows are reasons not to close.
    pub guards: BTreeMap<String, Query>,
    /// What rating again shows before it is published.
    pub rerate: BTreeMap<String, Query>,
    /// What `verify` asks: each row is something that was kept and is not what it was made from.
    pub verify: BTreeMap<String, Query>,
    /// The conditions that somebody wants to hear about: each row is one that holds.
    pub events: BTreeMap<String, Query>,
    /// What the service reads for its HTTP requests.
    pub service: BTreeMap<String, Query>,
    /// The mappings of foreign files to usage records.
    pub landing: BTreeMap<String, Query>,
    /// The queries that make a sample.
    pub generate: BTreeMap<String, Query>,
    /// The queries in an order in which each comes after what it reads.
    pub order: Vec<String>,
}

/// Queries that can be worked on at a time; the views when the tables are there.
#[derive(Debug, Default)]
pub struct Wave<'a> {
    /// Those of tables.
    pub tables: Vec<&'a Query>,
    /// Those of views, in an order in which each comes after what it reads.
    pub views: Vec<&'a Query>,
}

impl Project {
    /// Reads the project in `root` under `--set` overrides: what could be read of it, and the mistakes in the rest.
    pub fn read(root: &Path, overrides: &[String]) -> Result<(Self, Vec<Mistake>)> {
        let (mut settings, mut mistakes) = Settings::read(root, overrides)?;
        // Each folder with what stands before a file's name to make a path relative to this project.
        let mut folders = vec![(root.to_path_buf(), String::new())];
        if let Some(base) = &settings.extends {
            let shown = settings::expand(base)?;
            let folder = root.join(&shown);
            if !folder.join(settings::FILE).exists() {
                // Whatever else is wrong follows from this.
                return Err(settings.wrong(
                    "extends",
                    format!("`extends` names {base}, which has no {}", settings::FILE),
                    "give the folder of another project, relative to this one",
                ));
            }
            folders.insert(0, (folder, format!("{}/", shown.trim_end_matches('/'))));
        }
        if TimeZone::get(&settings.time_zone).is_err() {
            let what = format!("unknown time zone `{}`", settings.time_zone);
            let hint = "use an IANA name such as Europe/Berlin or UTC";
            match settings.wrong("time_zone", what, hint) {
                Error::Project(found) => mistakes.extend(found),
                error => return Err(error),
            }
            settings.time_zone = TimeZone::utc().name().into();
        }
        let mut schemas = BTreeMap::new();
        for (name, (file, text)) in sql_files(&folders, "schemas", &mut mistakes)? {
            match TableSchema::parse(&name, &file, &text) {
                Ok(schema) => {
                    schemas.insert(name, schema);
                }
                Err(found) => mistakes.extend(found),
            }
        }
        if let Some(record) = schemas.get(USAGE_RECORD).cloned()
            && let Some(copies) = schemas.get_mut(LEFT_USAGE)
        {
            copies.take_columns(&record);
        }
        let mut read_queries = |folder: &str| -> Result<BTreeMap<String, Query>> {
            let mut queries = BTreeMap::new();
            for (name, (file, text)) in sql_files(&folders, folder, &mut mistakes)? {
                match Query::parse(&name, &file, &text) {
                    Ok(query) => {
                        queries.insert(name, query);
                    }
                    Err(found) => mistakes.extend(found),
                }
            }
            Ok(queries)
        };
        let mut queries = read_queries("queries")?;
        let checks = read_queries("queries/checks")?;
        let reports = read_queries("queries/report")?;
        let status = read_queries("queries/status")?;
        let accrual = read_queries("queries/status/accrual")?;
        let reach_back = read_queries("queries/status/reach_back")?;
        let explain_line = read_queries("queries/explain/line")?;
        let explain_usage = read_queries("queries/explain/usage")?;
        let export = read_queries("queries/export")?;
        let page = read_queries("queries/export/html")?;
        let closing = read_queries("queries/closing")?;
        let guards = read_queries("queries/closing/guards")?;
        let rerate = read_queries("queries/rerate")?;
        let verify = read_queries("queries/verify")?;
        let events = read_queries("queries/event")?;
        let service = read_queries("queries/service")?;
        let landing = read_queries("queries/landing")?;
        let generate = read_queries("queries/generate")?;

        let shown = [&reach_back, &explain_line, &explain_usage, &service];
        let others = [
            &checks, &reports, &status, &accrual, &export, &page, &closing, &guards, &rerate, &verify,
            &events,
        ];
        let others: Vec<&Query> = others.into_iter().chain(shown).flat_map(BTreeMap::values).collect();
        let reads = queries.values().chain(others.iter().copied()).flat_map(|query| query.reads.keys());
        let unknown =
            reads.filter(|name| !schemas.contains_key(*name) && !queries.contains_key(*name)).cloned();
        let (of_folders, unlike) = folder::read_as_tables(&queries, &unknown.collect());
        queries.extend(of_folders.into_iter().map(|query| (query.name.clone(), query)));
        mistakes.extend(unlike);
        let known: BTreeSet<&String> = schemas.keys().chain(queries.keys()).collect();
        for query in queries.values().chain(others) {
            for (name, place) in &query.reads {
                if JOURNAL.contains(&name.as_str()) {
                    mistakes.push(Mistake {
                        place: place.clone(),
                        what: format!("`{name}` is what services did, and no query of a project reads it"),
                        hint: "ask it with `meterhouse sql`".into(),
                    });
                }
                // A query that did not parse is reported already; whoever reads it is not wrong.
                if !known.contains(name)
                    && mistakes.iter().all(|mistake| !mentions(&mistake.place.file, name))
                {
                    mistakes.push(unknown_table(name, place, &known));
                }
            }
        }
        mistakes.extend(reference::unknown_references(&schemas, &queries, &known));
        for name in written() {
            if queries.contains_key(name) {
                mistakes.push(Mistake {
                    place: Place { file: queries[name].file.clone(), line: 1, column: 1 },
                    what: format!("`{name}` is written by the program and cannot be made by a query"),
                    hint: "give the query another name".into(),
                });
            }
        }
        for (name, inbox) in &settings.inbox {
            if let Some(with) = inbox.with.as_ref().filter(|with| !landing.contains_key(*with)) {
                let what = format!("inbox `{name}` lands with `{with}`, which is not there");
                let hint = format!("write queries/landing/{with}.sql");
                match settings.wrong(&format!("inbox.{name}.with"), what, &hint) {
                    Error::Project(found) => mistakes.extend(found),
                    error => return Err(error),
                }
            }
        }
        let order = order(&queries, &mut mistakes);
        let root = root.to_path_buf();
        #[rustfmt::skip]
        let project = Self { root, settings, schemas, queries, checks, reports, status, accrual, reach_back,
            explain_line, explain_usage, export, page, closing, guards, rerate, verify, events, service, landing,
            generate, order };
        Ok((project, mistakes))
    }

    /// A path as the user knows it: relative to the project where it is in there.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// Whether the table is materialized: it has a contract and a query.
    pub fn is_materialized(&self, name: &str) -> bool {
        self.schemas.contains_key(name) && self.queries.contains_key(name)
    }

    /// The reference tables: a contract, no query, and not written by the program.
    pub fn reference(&self) -> impl Iterator<Item = &TableSchema> {
        self.schemas.values().filter(|schema| {
            let name = schema.name.as_str();
            !self.queries.contains_key(name) && written().all(|written| written != name)
        })
    }

    /// Whether a table or view is made from another, directly or through others.
    pub fn is_made_from(&self, name: &str, other: &str) -> bool {
        name != other && reaches(&self.queries, name, other)
    }

    /// Whether a query of a folder of its own reads a table, through others too.
    pub fn is_behind(&self, query: &Query, name: &str) -> bool {
        query.reads.keys().any(|read| read == name || self.is_made_from(read, name))
    }

    /// The tables (never views) that a query reads, through views too.
    pub fn tables_behind(&self, query: &Query) -> BTreeSet<String> {
        let mut tables = BTreeSet::new();
        for name in query.reads.keys() {
            match self.queries.get(name) {
                Some(view) if !self.schemas.contains_key(name) => tables.extend(self.tables_behind(view)),
                _ => {
                    tables.insert(name.clone());
                }
            }
        }
        tables
    }

    /// The tables that the program writes and that have no schema; queries that were kept may be older than a table.
    pub fn missing_tables(&self) -> Vec<Mistake> {
        let missing = written().filter(|name| !self.schemas.contains_key(*name)).map(|name| Mistake {
            place: Place { file: format!("schemas/{name}.sql"), line: 0, column: 0 },
            what: format!("the schema of `{name}` is missing"),
            hint: "`meterhouse init` writes a project that has it, or set `extends`".into(),
        });
        missing.collect()
    }

    /// Some of the queries in waves, none of which reads another of the same wave: what is made first of all, then what
    /// reads that.
    pub fn waves(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Wave<'_>> {
        let mut waves: Vec<Wave<'_>> = Vec::new();
        let mut wave_of: BTreeMap<&str, usize> = BTreeMap::new();
        for query in self.order.iter().filter(|name| is_wanted(name)).map(|name| &self.queries[name]) {
            let is_table = self.schemas.contains_key(&query.name);
            // A view is there as soon as what it reads is.
            let after = query.reads.keys().filter_map(|name| wave_of.get(name.as_str())).max();
            let wave = after.map_or(0, |wave| wave + usize::from(is_table));
            wave_of.insert(&query.name, wave);
            waves.resize_with(waves.len().max(wave + 1), Wave::default);
            if is_table { &mut waves[wave].tables } else { &mut waves[wave].views }.push(query);
        }
        waves
    }

    /// The query together with the text of every view it reads: what its result depends on besides tables.
    pub fn text_behind(&self, query: &Query) -> String {
        let mut text = query.text.clone();
        for name in query.reads.keys() {
            if let Some(view) = self.queries.get(name).filter(|_| !self.schemas.contains_key(name)) {
                text.push_str(&self.text_behind(view));
            }
        }
        text
    }

    /// Whether the query reads `$as_of`, through views too.
    pub fn reads_as_of(&self, query: &Query) -> bool {
        !self.behind_as_of(query).is_empty()
    }

    /// The query and the views behind it, those of them that read `$as_of` themselves.
    pub fn behind_as_of<'a>(&'a self, query: &'a Query) -> Vec<&'a Query> {
        let is_view = |name: &&String| !self.schemas.contains_key(*name);
        let views = query.reads.keys().filter(is_view).filter_map(|name| self.queries.get(name));
        let behind = views.flat_map(|view| self.behind_as_of(view));
        query.reads_as_of().then_some(query).into_iter().chain(behind).collect()
    }
}

/// The SQL files of one folder of the projects, and of the stages in it; later projects replace earlier ones by
/// table name.
fn sql_files(
    roots: &[(PathBuf, String)],
    folder: &str,
    mistakes: &mut Vec<Mistake>,
) -> Result<BTreeMap<String, (String, String)>> {
    let mut files = BTreeMap::new();
    for (root, before) in roots {
        let mut of_this_project = BTreeMap::new();
        let mut folders = vec![folder.to_string()];
        while let Some(folder) = folders.pop() {
            let path = root.join(&folder);
            if !path.is_dir() {
                continue;
            }
            let entries = std::fs::read_dir(&path).during(|| format!("reading {}", path.display()))?;
            for entry in entries {
                let path = entry.during(|| format!("reading {folder}"))?.path();
                let Some(file_name) = path.file_name().and_then(|name| name.to_str()) else { continue };
                if path.is_dir() {
                    if is_stage(&folder, file_name) {
                        folders.push(format!("{folder}/{file_name}"));
                    }
                    continue;
                }
                let Some(stem) = file_name.strip_suffix(".sql") else { continue };
                let file = format!("{before}{folder}/{file_name}");
                let text = std::fs::read_to_string(&path).during(|| format!("reading {}", path.display()))?;
                let name = table_name(stem).to_string();
                if let Some((other, _)) = of_this_project.insert(name.clone(), (file.clone(), text)) {
                    mistakes.push(Mistake {
                        place: Place { file, line: 0, column: 0 },
                        what: format!("makes `{name}`, which {other} makes too"),
                        hint: "one table, one file".into(),
                    });
                }
            }
        }
        files.append(&mut of_this_project);
    }
    Ok(files)
}

/// Whether a folder within `queries/` holds queries of the pipeline: a stage, which is numbered, the proof, or a part
/// of one of these.
fn is_stage(folder: &str, name: &str) -> bool {
    let path = format!("{folder}/{name}");
    let within = path.strip_prefix("queries/").and_then(|within| within.split('/').next());
    within.is_some_and(|first| first == "proof" || first.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// `charge` of `50_charge`: the number is only reading order.
fn table_name(stem: &str) -> &str {
    match stem.split_once('_') {
        Some((number, name)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => stem,
    }
}

fn mentions(file: &str, name: &str) -> bool {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    table_name(stem) == name
}

fn unknown_table(name: &str, place: &Place, known: &BTreeSet<&String>) -> Mistake {
    let hint = did_you_mean(name, known.iter().map(|known| known.as_str()));
    Mistake { place: place.clone(), what: format!("there is no table or query `{name}`"), hint }
}

/// The queries, each after what it reads; a cycle is a mistake at every query on it.
fn order(queries: &BTreeMap<String, Query>, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut waiting: BTreeSet<&String> = queries.keys().collect();
    loop {
        let ready: Vec<&String> = waiting
            .iter()
            .copied()
            .filter(|name| queries[*name].reads.keys().all(|read| !waiting.contains(read)))
            .collect();
        if ready.is_empty() {
            break;
        }
        for name in ready {
            waiting.remove(name);
            order.push(name.clone());
        }
    }
    for name in &waiting {
        // Only the queries on the cycle are named, not those that merely read from it.
        let query = &queries[*name];
        if let Some((next, place)) = query.reads.iter().find(|(read, _)| reaches(queries, read, name)) {
            mistakes.push(Mistake {
                place: place.clone(),
                what: format!("`{name}` reads `{next}`, which is made from `{name}`"),
                hint: "break the cycle: a table cannot be made from itself".into(),
            });
        }
    }
    order
}

fn reaches(queries: &BTreeMap<String, Query>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            next.extend(
                queries.get(name).into_iter().flat_map(|query| query.reads.keys().map(String::as_str)),
            );
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, text: &str) -> Query {
        Query::parse(name, &format!("queries/{name}.sql"), text).unwrap()
    }

    #[test]
    fn a_cycle_is_found_and_the_rest_is_ordered() {
        let queries = BTreeMap::from([
            ("a".to_string(), query("a", "select x from b")),
            ("b".to_string(), query("b", "select x from a")),
            ("c".to_string(), query("c", "select x from d")),
            ("e".to_string(), query("e", "select x from c")),
        ]);
        let mut mistakes = Vec::new();
        assert_eq!(order(&queries, &mut mistakes), ["c", "e"]);
        assert_eq!(mistakes.len(), 2);
        assert_eq!(mistakes[0].what, "`a` reads `b`, which is made from `a`");
    }
}
