//! `docs/settings.md`, from the table of settings that the program reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use meterhouse::project::settings::{FILE, SETTINGS, Settings};
use tempfile::TempDir;

use super::cell;

const BEGIN: &str = "# Settings

`meterhouse.toml` in the folder of a project holds its settings. A setting that it does not name has its default. This
page is made from the table of settings that the program itself reads.

What is said in several places is taken from the first of these:

1. `--set KEY=VALUE` on the command line, for instance `--set engine.threads=2`;
2. the environment variable of the setting;
3. `meterhouse.toml`;
4. the default.

An unknown key and a value that does not fit are errors, with their line and a suggestion. A part in capitals stands for
a name of your own: an inbox, the `source` of records, a reference table. Paths are relative to the project. A path or URL
may name environment variables: `${NAME}`, or `${NAME:-default}` for one that may be missing. Secrets stay in the
environment ([object storage](../README.md#object-storage)).

| setting | holds | default | environment variable | meaning |
|---|---|---|---|---|
";

const OTHERS: &str = "
## Environment variables beside the settings

| variable | meaning |
|---|---|
| `METERHOUSE_PROJECT` | the project's folder, as `--project` |
| `USER` | who decides, where a decision is kept: closing, rating again, voiding; as `--by` |
| `NO_COLOR`, `TERM=dumb` | no colours; `TERM=dumb` also no progress |
| `TMPDIR` | where objects of a bucket and sorts that do not fit into memory are kept for a while |
| `AWS_*`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_*` | [keys and places of buckets](../README.md#object-storage) |
";

/// The page.
pub fn page() -> String {
    let mut page = String::from(BEGIN);
    for setting in SETTINGS {
        let code = |text: &str| format!("`{text}`");
        let default = setting.default.map_or("none".into(), code);
        let variable = setting.variable().map_or("none".into(), |variable| code(&variable));
        writeln!(
            page,
            "| `{}` | {} | {default} | {variable} | {} |",
            setting.key,
            cell(setting.kind),
            cell(setting.meaning)
        )
        .unwrap();
    }
    page += "\nA file in which each of them is set:\n\n```toml\n";
    page += &example();
    page += "```\n";
    page + OTHERS
}

/// A settings file that says everything.
fn example() -> String {
    let mut text = String::new();
    let mut table = String::new();
    for setting in SETTINGS {
        let key = setting.key.replace("NAME", "shop").replace("TABLE", "price");
        let (of, key) = key.rsplit_once('.').unwrap_or(("", &key));
        if of != table {
            table = of.into();
            write!(text, "\n[{table}]\n").unwrap();
        }
        writeln!(text, "{key} = {}", setting.example).unwrap();
    }
    text
}

/// What reading a settings file says.
fn read(text: &str) -> (Settings, Vec<String>) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    let (settings, mistakes) = Settings::read(folder.path(), &[]).unwrap();
    (settings, mistakes.into_iter().map(|mistake| mistake.what).collect())
}

#[test]
fn the_program_takes_each_setting_and_no_other() {
    assert_eq!(read(&example()).1, Vec::<String>::new());
    // The settings that are named, by the table in which they stand.
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for setting in SETTINGS {
        let mut key = setting.key;
        while let Some((table, last)) = key.rsplit_once('.') {
            named.entry(table).or_default().insert(last);
            key = table;
        }
        named.entry("").or_default().insert(key);
    }
    // An unknown key is answered with those that there are; what has names of the project's knows no unknown ones.
    named.retain(|_, keys| !keys.iter().any(|key| key.contains(char::is_uppercase)));
    for (table, keys) in named {
        let text = if table.is_empty() { "surely = 1\n".into() } else { format!("[{table}]\nsurely = 1\n") };
        let said = read(&text).1;
        let known: Vec<&str> = said[0].split('`').skip(1).step_by(2).collect();
        assert_eq!(known[0], "surely", "{}", said[0]);
        assert_eq!(known[1..].iter().copied().collect::<BTreeSet<_>>(), keys, "[{table}]");
    }
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let mut written = String::new();
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            writeln!(written, "{} = {default}", setting.key).unwrap();
        }
    }
    let ((written, mistakes), (none, _)) = (read(&written), read(""));
    assert_eq!(mistakes, Vec::<String>::new());
    assert_eq!(format!("{:?}", written.warehouse), format!("{:?}", none.warehouse));
    assert_eq!(format!("{:?}", written.close), format!("{:?}", none.close));
    assert_eq!(format!("{:?}", written.engine), format!("{:?}", none.engine));
    assert_eq!(written.time_zone, none.time_zone);
    assert_eq!((none.warehouse.url.as_str(), none.engine.memory_mb), ("warehouse", 4096));
}

#[test]
fn the_environment_is_heard() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(FILE), "").unwrap();
    // Where a number or true and false is asked, a word is refused: so the variable was read.
    for setting in
        SETTINGS.iter().filter(|setting| setting.default.is_some_and(|text| !text.starts_with('"')))
    {
        let variable = setting.variable().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .arg("check")
            .current_dir(folder.path())
            .env(&variable, "perhaps")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("invalid type"), "{variable}: {said}");
    }
}
