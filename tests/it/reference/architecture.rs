//! `docs/architecture.md` draws the stages as they are; its list of rooms is made from those in `lib.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::cell;
use super::tables::{STAGES, stage};
use crate::sample::{project, repository};

const BEFORE: &str = "<!-- rooms -->\n";
const BEHIND: &str = "<!-- end of rooms -->\n";
/// The crates, their folders first.
const CRATES: [&str; 2] = ["src", "crates/meterhouse-sql/src"];

/// The page, with its list of rooms as the source has it.
pub fn page() -> String {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let (before, rest) = page.split_once(BEFORE).unwrap();
    let (_, behind) = rest.split_once(BEHIND).unwrap();
    let lists: String = CRATES.iter().map(|folder| rooms(folder)).collect();
    format!("{before}{BEFORE}{lists}\n{BEHIND}{behind}")
}

/// The first sentence of a file, which says what it owns.
fn sentence(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).take_while(|line| !line.is_empty());
    let comment = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    comment.split_once(". ").map_or(comment.as_str(), |(first, _)| first).trim_end_matches('.').to_string()
}

/// The rooms of a crate in their order, what each is for, and its files.
fn rooms(folder: &str) -> String {
    let root = repository().join(folder);
    let list = std::fs::read_to_string(root.join("lib.rs")).unwrap();
    let items = list.lines().filter_map(|line| line.strip_prefix("//! - "));
    let mut text = format!("\n| in `{folder}/` | what it is for |\n|---|---|\n");
    for item in items {
        let (names, what) = item.split_once(": ").unwrap_or((item, ""));
        for name in names.split('`').skip(1).step_by(2) {
            let is_folder = root.join(name).join("mod.rs").is_file();
            let file = if is_folder { format!("{name}/mod.rs") } else { format!("{name}.rs") };
            let what = if what.is_empty() { sentence(&root.join(&file)) } else { what.into() };
            writeln!(text, "| **[`{name}`](../{folder}/{file})** | {} |", cell(&what)).unwrap();
            let mut files: Vec<String> = match std::fs::read_dir(root.join(name)) {
                Ok(entries) => {
                    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
                }
                Err(_) => Vec::new(),
            };
            files.retain(|file| file.ends_with(".rs") && !["mod.rs", "tests.rs"].contains(&file.as_str()));
            files.sort();
            for file in files {
                let (stem, path) = (file.trim_end_matches(".rs"), format!("{name}/{file}"));
                let what = cell(&sentence(&root.join(&path)));
                writeln!(text, "| [`{name}/{stem}`](../{folder}/{path}) | {what} |").unwrap();
            }
        }
    }
    text
}

#[test]
fn the_drawing_of_stages_is_true() {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let drawing = page.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let project = project(&repository());
    let stage_of = |name: &str| project.queries.get(name).map_or("inputs", |query| stage(query));
    let mut drawn: BTreeSet<&str> = BTreeSet::new();
    let mut joined: BTreeSet<&str> = BTreeSet::new();
    let mut folder = "";
    let mut mistakes = Vec::new();
    for line in drawing.lines().map(str::trim).filter(|line| !line.starts_with("flowchart") && *line != "end")
    {
        if let Some(name) = line.strip_prefix("subgraph ") {
            folder = name;
        } else if let Some((from, to)) = line.split_once(" --> ") {
            joined.extend([from, to]);
            if !project.is_made_from(to, from) {
                mistakes.push(format!("{to} is not made from {from}"));
            }
        } else {
            drawn.insert(line);
            if stage_of(line) != folder
                || !(project.schemas.contains_key(line) || project.queries.contains_key(line))
            {
                mistakes.push(format!("{line} is not in {folder}"));
            }
        }
    }
    assert!(mistakes.is_empty(), "docs/architecture.md:\n{}", mistakes.join("\n"));
    assert_eq!(drawn, joined, "what is drawn, and what has an arrow");
    for (name, _) in STAGES {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not on the page");
    }
}

#[test]
fn a_change_is_sent_to_a_file_that_there_is() {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let rooms: String = CRATES.iter().map(|folder| rooms(folder)).collect();
    let section = page.split("## Where a change of the program belongs").nth(1).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let mut named = 0;
    for row in rows {
        let (_, places) = row.split_once(" | ").unwrap();
        for place in places.split('`').skip(1).step_by(2) {
            named += 1;
            assert!(rooms.contains(&format!("[`{place}`]")), "docs/architecture.md: there is no {place}");
        }
    }
    assert!(named > 30, "{named} files are named");
}
