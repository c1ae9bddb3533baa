//! The pages that are made from the source: what the program, the schemas and the queries say of themselves. A page that
//! says something else than they do fails the test, and is written anew with `METERHOUSE_WRITE_DOCS=1`.

mod architecture;
mod functions;
mod queries;
mod settings;
mod suspense;
mod tables;

use crate::sample::repository;

/// The name of a page, and what makes its text.
type Page = (&'static str, fn() -> String);

const PAGES: [Page; 5] = [
    ("docs/architecture.md", architecture::page),
    ("docs/functions.md", functions::page),
    ("docs/settings.md", settings::page),
    ("docs/tables.md", tables::page),
    ("docs/queries.md", queries::page),
];

#[test]
fn the_pages_are_tidy_and_say_what_schemas_queries_and_source_say() {
    let stale: Vec<String> = PAGES.iter().filter_map(|(name, make)| stale(name, &make())).collect();
    assert!(stale.is_empty(), "\n{}", stale.join("\n"));
}

/// What is other in a page than it should be, and how to write it anew; it is, where `METERHOUSE_WRITE_DOCS` is set.
pub fn stale(name: &str, made: &str) -> Option<String> {
    let path = repository().join(name);
    if std::env::var_os("METERHOUSE_WRITE_DOCS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let same = made.lines().zip(kept.lines()).take_while(|(made, kept)| made == kept).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("nothing").to_string();
    (kept != made).then(|| {
        format!(
            "{name}:{}: is stale; `METERHOUSE_WRITE_DOCS=1 cargo test --release --test it` writes it anew\n    says {}\n  should {}",
            same + 1,
            line(&kept),
            line(made)
        )
    })
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
