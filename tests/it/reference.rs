//! The pages that are made from the source: what the program, the schemas and the queries say of themselves. A page that
//! says something else than they do fails the test, and is written anew with `METERHOUSE_WRITE_DOCS=1`.

mod settings;

use crate::sample::repository;

/// Each page, and what makes its text.
const PAGES: [(&str, fn() -> String); 1] = [("docs/settings.md", settings::page)];

#[test]
fn the_pages_say_what_the_source_says() {
    let mut stale = Vec::new();
    for (name, make) in PAGES {
        let (path, made) = (repository().join(name), make());
        if std::env::var_os("METERHOUSE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if kept != made {
            let same = made.lines().zip(kept.lines()).take_while(|(made, kept)| made == kept).count();
            let (is, should) = (kept.lines().nth(same), made.lines().nth(same));
            stale.push(format!(
                "{name}:{}: is {:?}\n  and should be {:?}",
                same + 1,
                is.unwrap_or_default(),
                should.unwrap_or_default()
            ));
        }
    }
    assert!(
        stale.is_empty(),
        "pages that are made from the source are stale:\n{}\n`METERHOUSE_WRITE_DOCS=1 cargo test --release --test it reference` writes \
         them anew",
        stale.join("\n")
    );
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
