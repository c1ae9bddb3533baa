//! `docs/architecture.md` draws the stages as they are; its list of rooms is made from those in `lib.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

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

/// The rooms of a crate and what each is for, in their order.
fn rooms(folder: &str) -> String {
    let list = std::fs::read_to_string(repository().join(folder).join("lib.rs")).unwrap();
    let comment = list.lines().map_while(|line| line.strip_prefix("//!"));
    let mut items: Vec<String> = Vec::new();
    for line in comment {
        match line.strip_prefix(" - ") {
            Some(item) => items.push(item.into()),
            // An item goes on where its line is set in.
            None if line.starts_with("   ") => {
                if let Some(item) = items.last_mut() {
                    *item += line.trim_start_matches(' ').trim_end();
                }
            }
            None => {}
        }
    }
    let mut text = format!("\n| in `{folder}/` | what it is for |\n|---|---|\n");
    for item in items {
        let (names, what) = item.split_once(": ").unwrap_or((&item, ""));
        for name in names.split('`').skip(1).step_by(2) {
            let places = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            let file = places.iter().find(|file| repository().join(file).is_file()).unwrap();
            let own = std::fs::read_to_string(repository().join(file)).unwrap();
            let own = own.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default();
            let what = if what.is_empty() { own } else { what };
            writeln!(text, "| [`{name}`](../{file}) | {} |", cell(what)).unwrap();
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
