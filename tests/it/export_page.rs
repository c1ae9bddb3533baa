//! The statement as a page: what a customer reads, and nothing that a browser would run or load.

use crate::export::exported;
use crate::export_names::odd_customers;
use crate::sample::Sample;

#[test]
fn a_page_holds_the_totals_and_loads_nothing() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-10", "--format", "html"]);
    let page = sample.read("export/2026-10/ALPEN/statement.html");
    for text in [
        "Alpenblick Car Sharing GmbH",
        "459.45 EUR",
        "349.45 EUR",
        "1\u{202f}127.25",
        "<svg",
        "default-src 'none'",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for text in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "{{", "{%"] {
        assert!(!page.contains(text), "{text}");
    }
    let before = exported(&sample);
    sample.ok(&["export", "--period", "2026-10", "--format", "html"]);
    assert!(before == exported(&sample));
}

#[test]
fn a_page_takes_names_for_text() {
    let sample = odd_customers(&["<script>alert(1)</script>", "a/b"]);
    sample.ok(&["export", "--period", "2026-10", "--format", "html"]);
    let files = exported(&sample);
    let pages = files.iter().filter(|(name, _)| name.ends_with(".html"));
    let pages: Vec<String> = pages.map(|(_, page)| String::from_utf8(page.clone()).unwrap()).collect();
    assert_eq!(pages.iter().filter(|page| page.contains("&lt;b&gt;Calls")).count(), 2);
    assert!(!pages.iter().any(|page| page.contains("<script") || page.contains("<b>Calls")));
}

#[test]
fn a_page_adds_up_many_records_by_day() {
    let sample = odd_customers(&["few", "many"]);
    let usage: String = (0..150)
        .map(|number| {
            format!(
                "{{\"transactionID\":\"M{number}\",\"usageType\":\"call\",\"usageStart\":\"2026-10-{:02}T08:00:00Z\",\
                 \"contractId\":\"odd-1\",\"quantity\":2}}\n",
                10 + number % 3
            )
        })
        .collect();
    sample.write("data/usage/many.ndjson", &usage);
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-10", "--format", "html"]);
    let few = sample.read("export/2026-10/few/statement.html");
    assert!(few.contains("<td>+0</td>") && !few.contains("added up by day"));
    let many = sample.read("export/2026-10/many/statement.html");
    assert!(many.contains("added up by day") && !many.contains("<td>M1"));
    for text in ["<td class=\"number\">50</td>", "<td class=\"number\">100</td>", "50.00 EUR", "148.50 EUR"] {
        assert!(many.contains(text), "{text}");
    }
}

#[test]
fn a_customer_with_a_quota_and_no_line_has_a_page_without_lines() {
    let sample = Sample::whole();
    sample.ok(&["run"]);
    sample.ok(&["export", "--period", "2026-11", "--format", "html"]);
    let pages = std::fs::read_dir(sample.path().join("export/2026-11")).unwrap();
    let pages =
        pages.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path().join("statement.html")).ok());
    let without: Vec<String> =
        pages.filter(|page| page.contains("There are no lines in this billing period")).collect();
    assert!(without.len() > 20, "{} pages have no line", without.len());
    assert!(without.iter().all(|page| page.contains("<h2>Quotas</h2>")));
    assert!(sample.path().join("export/2026-11/manifest-html.json").is_file());
}
