//! Rows page by page, and parts of an answer by ranges of bytes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sample::Sample;
use crate::served::{Answer, Served};

const LINES: &str = "/periods/2026-10/invoice_line";

fn published() -> (Sample, Served) {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let served = Served::start(sample.path(), &[]);
    (sample, served)
}

fn page(answer: &Answer) -> (Vec<Value>, Option<String>) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let next = told["next"].as_str().map(String::from);
    assert_eq!(next.as_deref().unwrap_or_default(), answer.header("meterhouse-next"));
    (told["rows"].as_array().unwrap().clone(), next)
}

#[test]
fn pages_have_each_row_once_until_there_is_a_newer_run() {
    let (sample, served) = published();
    for path in [
        "/subscriptions/v1/contracts/CON123/usage?from=2026-10-01&to=2026-11-01&granularity=hour",
        &format!("{LINES}?format=json"),
        "/periods?format=json",
    ] {
        let (all, none) = page(&served.get(path));
        assert!(all.len() > 3 && none.is_none(), "{path}");
        let mut taken = Vec::new();
        let mut after = String::new();
        loop {
            let (rows, next) = page(&served.get(&format!("{path}&limit=2{after}")));
            assert!(rows.len() == 2 || next.is_none());
            taken.extend(rows);
            let Some(next) = next else { break };
            after = format!("&after={next}");
        }
        assert_eq!(taken, all, "{path}");
        // A page of all of them is followed by none.
        let (rows, next) = page(&served.get(&format!("{path}&limit={}", all.len())));
        assert_eq!((rows.len(), next), (all.len(), None));
    }
    let csv = served.get(&format!("{LINES}?format=csv&limit=1"));
    assert_eq!(csv.body.lines().count(), 2, "{}", csv.body);
    let next = csv.header("meterhouse-next").to_string();
    for (asked, status) in [("limit=0", 400), ("limit=10001", 400), ("limit=many", 400), ("after=here", 400)]
    {
        assert_eq!(served.get(&format!("{LINES}?{asked}")).status, status, "{asked}");
    }
    // Each page has a tag of its own.
    let tag = |path: &str| served.get(path).header("etag").to_string();
    let (first, second) = (tag(&format!("{LINES}?limit=1")), tag(&format!("{LINES}?limit=1&after={next}")));
    assert!(first != second && first != tag(LINES), "{first} {second}");

    sample.replace("data/quota.csv", "30000", "30001");
    sample.ok(&["run"]);
    let began = Instant::now();
    loop {
        let answer = served.get(&format!("{LINES}?limit=1&after={next}"));
        if answer.status != 200 {
            assert_eq!((answer.status, &answer.json()["title"]), (410, &json!("the rows are others by now")));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let (_sample, served) = published();
    let path = format!("{LINES}?format=csv");
    let whole = served.get(&path);
    let (all, tag) = (whole.body.as_str(), whole.header("etag"));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(all.is_ascii() && all.len() > 1000);
    let part = |range: &str, of: &str| served.send("GET", &path, &[("range", range), ("if-range", of)], "");
    let rest = part("bytes=1000-", tag);
    assert_eq!((rest.status, rest.body.as_str()), (206, &all[1000..]));
    assert_eq!(rest.header("content-range"), format!("bytes 1000-{}/{}", all.len() - 1, all.len()));
    assert_eq!(
        (rest.header("etag"), rest.header("content-length")),
        (tag, (all.len() - 1000).to_string().as_str())
    );
    let some = part("bytes=10-19", tag);
    assert_eq!((some.status, some.body.as_str()), (206, &all[10..20]));
    assert_eq!(part("bytes=-7", tag).body, all[all.len() - 7..]);
    let beyond = part(&format!("bytes={}-", all.len()), tag);
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, format!("bytes */{}", all.len()).as_str())
    );
    // Of another answer, or several at one time: all of it.
    for (range, of) in [("bytes=10-19", "\"other\""), ("bytes=0-1,5-6", tag), ("lines=1-2", tag)] {
        let answer = part(range, of);
        assert_eq!((answer.status, answer.body.as_str()), (200, all), "{range} {of}");
    }
}
