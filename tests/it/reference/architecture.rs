//! `docs/architecture.md` draws the stages as they are.

use std::collections::BTreeSet;

use super::tables::{STAGES, stage};
use crate::sample::{project, repository};

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
