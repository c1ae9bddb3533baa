//! The settings of a project: `meterhouse.toml`, the environment, and `--set`.
//!
//! Precedence is `--set` > `METERHOUSE_*` > `meterhouse.toml` > the defaults in `definition`. An unknown key is an
//! error.
//! Paths may name environment variables, `${NAME}` or `${NAME:-default}`, and are relative to the project.

mod definition;
mod events;
mod serve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meterhouse_sql::name::{did_you_mean, nearest};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::error::{Error, Mistake, Place, Result, While};
use definition::default;
pub use definition::{Definition, SETTINGS};
pub use events::{EventSettings, HandOver, WebhookSettings};
pub use serve::{Does, JobSettings, LogFormat, ServeSettings};

/// The name of the settings file.
pub const FILE: &str = "meterhouse.toml";

/// Everything `meterhouse.toml` may say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Another project whose schemas and queries are taken where this one has no file for the same table.
    pub extends: Option<String>,
    /// The IANA zone of times that are written without an offset.
    #[serde(default = "time_zone")]
    pub time_zone: String,
    /// Where the tables are.
    #[serde(default)]
    pub warehouse: WarehouseSettings,
    /// Folders or globs whose new files every run lands first, by name.
    #[serde(default)]
    pub inbox: BTreeMap<String, Inbox>,
    /// How sources write their times, by the `source` of their records.
    #[serde(default)]
    pub source: BTreeMap<String, SourceSettings>,
    /// The CSV files of a reference table, a path or a glob, where they are not `data/<table>.csv` and
    /// `data/*/<table>.csv`.
    #[serde(default)]
    pub reference: BTreeMap<String, String>,
    /// When periods close.
    #[serde(default)]
    pub close: CloseSettings,
    /// What a run may use of the machine.
    #[serde(default)]
    pub engine: EngineSettings,
    /// How the service is reached, and what it takes.
    #[serde(default)]
    pub serve: ServeSettings,
    /// Who is told what has happened.
    #[serde(default)]
    pub events: EventSettings,
    /// Where events are sent to, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, WebhookSettings>,
    /// What the service does when it is due.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobSettings>,
    /// Where `meterhouse.toml` gives each value, by dotted key; what comes from elsewhere has no place.
    #[serde(skip)]
    places: BTreeMap<String, Place>,
}

/// Where the tables are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WarehouseSettings {
    /// A directory, or an `s3://`, `gs://` or `az://` URL.
    pub url: String,
    /// Whether files on this machine, of the warehouse and of exports, are for their owner alone; else the mask of the
    /// shell decides.
    pub private: bool,
}

/// One source of usage files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// Files, folders or globs.
    pub files: Vec<String>,
    /// The query under `queries/landing/` that maps a file of foreign shape to usage records.
    pub with: Option<String>,
}

/// How a source writes its times, where that is not ISO 8601 to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// What a number counts since 1970-01-01T00:00Z.
    pub epoch: Option<EpochUnit>,
    /// What becomes of decimals beyond microseconds; without it the record is rejected.
    pub decimals: Option<Decimals>,
}

/// What a time that is a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// What becomes of decimals beyond microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decimals {
    /// They are cut off: the microsecond that has begun.
    Floor,
}

/// When periods close.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloseSettings {
    /// Whether a run closes what is due, oldest first.
    pub automatic: bool,
    /// How many days after its last cycle ended a period is due.
    pub after_days: u32,
}

/// What a run may use of the machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Memory for sorts, joins and aggregates before they spill to disk, in MiB.
    pub memory_mb: usize,
    /// Threads; 0 takes one for each core.
    pub threads: usize,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// The share of its rows up to which a table is made by what changed.
    pub update_percent: u64,
}

impl Default for WarehouseSettings {
    fn default() -> Self {
        Self { url: default("warehouse.url"), private: default("warehouse.private") }
    }
}

impl Default for CloseSettings {
    fn default() -> Self {
        Self { automatic: default("close.automatic"), after_days: default("close.after_days") }
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            memory_mb: default("engine.memory_mb"),
            threads: default("engine.threads"),
            batch_rows: default("engine.batch_rows"),
            update_percent: default("engine.update_percent"),
        }
    }
}

fn time_zone() -> String {
    default("time_zone")
}

impl Settings {
    /// Reads the settings of the project in `root`, under `overrides` of the form `key.key=value`, and the mistakes in
    /// the file. What is wrong is left out, so that its default stands in and the rest of the project can be read.
    ///
    /// # Errors
    /// No file, a file that is not TOML, a mistake that may have meant `extends` (without it nothing else makes sense),
    /// or an override that is not a setting.
    pub fn read(root: &Path, overrides: &[String]) -> Result<(Self, Vec<Mistake>)> {
        let path = root.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| {
            Error::usage(
                format!("no project in {}: {FILE}: {source}", root.display()),
                "name a project with --project DIR, or write one with `meterhouse init DIR`",
            )
        })?;
        // The text alone comes first: only there do mistakes have a line and a column.
        let mut written =
            DeTable::parse(&text).map_err(|error| Error::Project(vec![mistake(&error, &text)]))?;
        let mut places = BTreeMap::new();
        note_places(written.get_ref(), "", &text, &mut places);
        let mut mistakes = Vec::new();
        while let Err(error) = Self::deserialize(Deserializer::from(written.clone())) {
            mistakes.push(mistake(&error, &text));
            let key = error.span().and_then(|span| take_out(written.get_mut(), span.start));
            if key.is_none_or(|key| nearest(&key, ["extends"]).is_some()) {
                return Err(Error::Project(mistakes));
            }
        }
        let mut table = toml::Table::deserialize(Deserializer::from(written))
            .map_err(|error| Error::Project(vec![mistake(&error, &text)]))?;
        for definition in SETTINGS {
            let Some(variable) = definition.variable() else { continue };
            if let Ok(value) = std::env::var(&variable) {
                set(&mut table, definition.key, &value, &variable)?;
                places.remove(definition.key);
            }
        }
        for setting in overrides {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                Error::usage(
                    format!("--set {setting} has no `=`"),
                    "write --set warehouse.url=/var/lib/meterhouse",
                )
            })?;
            set(&mut table, key.trim(), value.trim(), "--set")?;
            places.remove(key.trim());
        }
        let settings = Self { places, ..read_table(&table)? };
        settings.check_range()?;
        Ok((settings, mistakes))
    }

    /// Refuses numbers that a setting of the engine cannot have.
    fn check_range(&self) -> Result<()> {
        let percent = self.engine.update_percent;
        if percent > 100 {
            let what = format!("engine.update_percent = {percent} is more than all rows");
            return Err(self.wrong("engine.update_percent", what, "from 0 to 100"));
        }
        Ok(())
    }

    /// What is wrong with the value of a dotted key, at its place where the file says it.
    pub fn wrong(&self, key: &str, what: String, hint: &str) -> Error {
        match self.places.get(key) {
            Some(place) => Error::Project(vec![Mistake { place: place.clone(), what, hint: hint.into() }]),
            None => Error::usage(format!("in --set or METERHOUSE_*: {what}"), hint),
        }
    }
}

/// The settings that a table has, with those that were given from outside.
fn read_table(table: &toml::Table) -> Result<Settings> {
    // As text again, because only there an error knows its place, and by that the key.
    let text = table.to_string();
    let mut written = DeTable::parse(&text).during(|| "reading the settings".into())?;
    Settings::deserialize(Deserializer::from(written.clone())).map_err(|error| {
        let what = error.message().lines().next().unwrap_or_default().to_string();
        let hint = suggestion(&what);
        let key = error.span().and_then(|span| take_out(written.get_mut(), span.start));
        // An unknown one is named as it is.
        let key = key.filter(|_| hint.is_empty()).map(|key| format!("{key}: ")).unwrap_or_default();
        Error::usage(format!("in --set or METERHOUSE_*: {key}{what}"), hint)
    })
}

/// What is wrong with the text, and where.
fn mistake(error: &toml::de::Error, text: &str) -> Mistake {
    let place = match error.span() {
        Some(span) => place_at(text, span.start),
        None => Place { file: FILE.into(), line: 0, column: 0 },
    };
    let what = error.message().lines().next().unwrap_or_default().to_string();
    Mistake { hint: suggestion(&what), place, what }
}

/// Notes where the value of each dotted key stands.
fn note_places(table: &DeTable<'_>, before: &str, text: &str, places: &mut BTreeMap<String, Place>) {
    for (key, value) in table {
        let key = format!("{before}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            note_places(inner, &format!("{key}."), text, places);
        }
        places.insert(key, place_at(text, value.span().start));
    }
}

/// Takes out the innermost entry that stands at a byte offset, and tells its dotted key.
fn take_out(table: &mut DeTable<'_>, offset: usize) -> Option<String> {
    for (key, value) in table.iter_mut() {
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(below) = take_out(inner, offset)
        {
            return Some(format!("{}.{below}", key.get_ref()));
        }
    }
    let stands_there = |(key, value): &(&Spanned<_>, &Spanned<_>)| {
        key.span().contains(&offset) || value.span().contains(&offset)
    };
    let key = table.iter().find(stands_there).map(|(key, _)| key.clone())?;
    table.remove(&key);
    Some(key.into_inner().into())
}

/// Puts `value` under the dotted `key`; a number or a boolean is taken as such.
fn set(table: &mut toml::Table, key: &str, value: &str, from: &str) -> Result<()> {
    let parsed = if value == "true" || value == "false" || value.parse::<i64>().is_ok() {
        value.parse::<toml::Value>().during(|| format!("reading {from} {key}"))?
    } else {
        toml::Value::String(value.into())
    };
    let mut parts = key.split('.').collect::<Vec<_>>();
    let last = parts.pop().unwrap_or_default();
    let mut inner = table;
    for part in parts {
        inner = inner
            .entry(part)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| Error::usage(format!("{from}: `{key}` is not a setting"), ""))?;
    }
    inner.insert(last.into(), parsed);
    Ok(())
}

/// `did you mean `warehouse`?` for an unknown key, from the expected ones that the message lists.
fn suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(given) = quoted.next().filter(|_| message.starts_with("unknown field")) else {
        return String::new();
    };
    did_you_mean(given, quoted)
}

/// The place of a byte offset in the settings file.
fn place_at(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() as u64 + 1;
    Place { file: FILE.into(), line, column }
}

/// Fills `${NAME}` and `${NAME:-default}` from the environment; an unset name without a default is an error.
pub fn expand(text: &str) -> Result<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, behind) = after
            .split_once('}')
            .ok_or_else(|| Error::usage(format!("`{text}` has `${{` without `}}`"), "close the brace"))?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        let value = value.or_else(|| default.map(String::from)).ok_or_else(|| {
            Error::usage(
                format!("the environment variable {name}, named in {FILE}, is not set"),
                format!("export {name}=..., or write ${{{name}:-default}}"),
            )
        })?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = behind;
    }
    Ok(expanded + rest)
}

/// The same error without what the variables of a setting stand for: a variable may hold a secret, and a log is read by
/// many.
pub fn hide(setting: &str, error: Error) -> Error {
    let named = setting.split("${").skip(1).filter_map(|after| after.split_once('}'));
    let named = named.map(|(inside, _)| inside.split_once(":-").map_or(inside, |(name, _)| name));
    let values: Vec<(String, String)> = named
        .filter_map(|name| Some((std::env::var(name).ok().filter(|value| !value.is_empty())?, name)))
        .map(|(value, name)| (value, format!("${{{name}}}")))
        .collect();
    let shown = |text: String| values.iter().fold(text, |text, (value, name)| text.replace(value, name));
    match error {
        Error::Project(mistakes) => Error::Project(
            mistakes
                .into_iter()
                .map(|Mistake { place, what, hint }| Mistake { place, what: shown(what), hint: shown(hint) })
                .collect(),
        ),
        Error::Data { what, place, hint } => Error::Data { what: shown(what), place, hint: shown(hint) },
        Error::Usage { what, hint } => Error::Usage { what: shown(what), hint: shown(hint) },
        Error::Machine { what, source } if !values.is_empty() => {
            Error::Machine { what: shown(what), source: shown(source.to_string()).into() }
        }
        other => other,
    }
}

/// A path of the settings: variables filled in, relative to the project.
pub fn path(root: &Path, text: &str) -> Result<PathBuf> {
    Ok(root.join(expand(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_stands_in_for_an_unset_variable() {
        assert_eq!(expand("${METERHOUSE_NOT_SET:-a/b}/c").unwrap(), "a/b/c");
        assert!(expand("${METERHOUSE_NOT_SET}/c").unwrap_err().to_string().contains("METERHOUSE_NOT_SET"));
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "time_zone = \"UTC\"\n[warehose]\nurl = \"w\"\n").unwrap();
        let (settings, mistakes) = Settings::read(folder.path(), &[]).unwrap();
        assert_eq!(mistakes[0].place.to_string(), "meterhouse.toml:2:2");
        assert_eq!(mistakes[0].hint, "did you mean `warehouse`?");
        assert_eq!(settings.warehouse.url, "warehouse");
    }

    #[test]
    fn all_mistakes_are_told_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let text = "colour = 1\n[engine]\nthreads = \"two\"\nmemory_mb = 7\n[inbox.a]\n[inbox.b]\nfiles = []\nwit = \"x\"\n";
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let (settings, mut mistakes) = Settings::read(folder.path(), &[]).unwrap();
        mistakes.sort();
        let found: Vec<_> =
            mistakes.iter().map(|mistake| (mistake.place.line, mistake.hint.as_str())).collect();
        assert_eq!(found, [(1, ""), (3, ""), (5, ""), (8, "did you mean `with`?")]);
        assert_eq!((settings.engine.threads, settings.engine.memory_mb), (0, 7));
        assert_eq!(settings.inbox.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_may_have_meant_extends_stops_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "extend = \"..\"\n").unwrap();
        assert!(matches!(Settings::read(folder.path(), &[]), Err(Error::Project(_))));
    }

    #[test]
    fn an_error_shows_the_variable_and_not_its_value() {
        // Set in every test, and nothing else is like it.
        let value = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        let setting = "s3://${CARGO_MANIFEST_DIR}/${METERHOUSE_NOT_SET:-a}";
        let error = Error::usage(format!("{value}/x is not there"), format!("look at {value}"));
        let error = hide(setting, error);
        assert_eq!(error.to_string(), "${CARGO_MANIFEST_DIR}/x is not there");
        assert_eq!(error.hint(), "look at ${CARGO_MANIFEST_DIR}");
        let source = format!("no file {value}").into();
        let error = hide(setting, Error::Machine { what: "reading".into(), source });
        assert_eq!(error.to_string(), "reading: no file ${CARGO_MANIFEST_DIR}");
    }

    #[test]
    fn set_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "[engine]\nthreads = 1\n").unwrap();
        let (settings, _) = Settings::read(folder.path(), &["engine.threads=2".into()]).unwrap();
        assert_eq!(settings.engine.threads, 2);
    }
}
