//! Every example of `docs/rate-book.md` is run: its rows are one project, and each query gives what stands behind it.

use std::collections::BTreeMap;

use crate::sample::{Sample, repository};

/// The fenced blocks of a page, as what stands behind the fence and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(kind)) => open = Some((kind.to_string(), String::new())),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of the page does not end");
    blocks
}

/// Rows of CSV texts with different headers as one CSV; what a row does not say is empty.
fn merged(texts: &[&str]) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<BTreeMap<String, String>> = Vec::new();
    for text in texts {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        for name in &header {
            if !columns.iter().any(|column| column == name) {
                columns.push(name.to_string());
            }
        }
        for record in reader.records() {
            let record = record.unwrap();
            rows.push(
                header
                    .iter()
                    .zip(&record)
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect(),
            );
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns).unwrap();
    for row in rows {
        let value = |column: &String| row.get(column).cloned().unwrap_or_default();
        writer.write_record(columns.iter().map(value)).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

#[test]
fn every_example_gives_what_the_page_says() {
    let page = std::fs::read_to_string(repository().join("docs/rate-book.md")).unwrap();
    let blocks = blocks(&page);
    let sample = Sample::blank();
    let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut usage = String::new();
    let mut queries: Vec<(&str, &str)> = Vec::new();
    for pair in blocks.iter().zip(blocks.iter().skip(1).map(Some).chain([None])) {
        let ((kind, text), next) = pair;
        match kind.split_once(' ') {
            Some(("csv", table)) => tables.entry(table).or_default().push(text),
            Some(("json", _)) => usage.push_str(text),
            None if kind == "sql" => {
                let (_, expected) = next.filter(|(kind, _)| kind == "text").unwrap();
                queries.push((text, expected));
            }
            _ => assert_eq!(kind, "text", "a block of another kind"),
        }
    }
    for (table, texts) in tables {
        sample.write(&format!("data/{table}.csv"), &merged(&texts));
    }
    sample.write("data/usage/usage.ndjson", &usage);
    sample.ok(&["run"]);
    assert!(queries.len() > 10, "{} examples", queries.len());
    for (query, expected) in queries {
        assert_eq!(sample.rows(query), expected.lines().collect::<Vec<_>>(), "{query}");
    }
}
