//! The generated part of the sample: the same bytes each time, and every rule in use.

use std::collections::BTreeMap;
use std::path::Path;

use crate::sample::{Sample, meterhouse, repository};

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in glob::glob(&format!("{}/**/*", folder.display())).unwrap() {
        let path = entry.unwrap();
        if path.is_file() {
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

fn generate(arguments: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::TempDir::new().unwrap();
    let to = folder.path().join("made");
    let arguments = [&["generate", "--to", to.to_str().unwrap()], arguments].concat();
    let output = meterhouse(&repository(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    files(&to)
}

#[test]
fn the_sample_is_what_generate_makes() {
    let made = generate(&[]);
    let kept = files(&repository().join("data/generated"));
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (name, bytes) in &made {
        assert!(kept[name] == *bytes, "data/generated/{name} is not what `meterhouse generate` makes");
    }
}

#[test]
fn any_size_in_any_format_is_the_same_usage() {
    let sizes = ["--contracts", "40", "--records", "500", "--months", "1", "--usage"];
    let lines: Vec<Vec<String>> = ["ndjson", "csv", "parquet"]
        .iter()
        .map(|format| {
            let sample = Sample::empty();
            let to = sample.path().join("data/generated");
            let arguments =
                [&["generate", "--to", to.to_str().unwrap()], sizes.as_slice(), &[format]].concat();
            sample.ok(&arguments);
            assert!(to.join(format!("usage/2026-10.{format}")).exists());
            sample.ok(&["run"]);
            sample.rows("select line_id, quantity, amount from invoice_line order by line_id")
        })
        .collect();
    assert!(lines[0].len() > 100);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0], lines[2]);
}

#[test]
fn the_whole_sample_uses_every_rule() {
    let sample = Sample::whole();
    sample.ok(&["run"]);
    let row = |query: &str| sample.rows(query).join(" ");
    assert_eq!(row("select count(distinct contract_id) as n from billing_cycle"), "309", "304 are generated");
    assert_eq!(
        row("select string_agg(distinct price.charge_model, '+' order by price.charge_model) as models \
             from charge inner join price on charge.price_id = price.price_id"),
        "flat+graduated+per_unit+record_price+volume"
    );
    assert_eq!(
        row("select string_agg(distinct line_type, '+' order by line_type) as types from invoice_line"),
        "fee+minimum_fee+overage+usage"
    );
    assert_eq!(
        row(
            "select string_agg(distinct duplicate_kind, '+' order by duplicate_kind) as kinds from usage_duplicate"
        ),
        "conflicting+identical"
    );
    // The quota to its last kilometre, the tier to its last GB-day, and what comes after them.
    assert_eq!(
        sample.rows(
            "select line_id, included_quantity, billable_quantity, amount from invoice_line \
             where billing_period = '2026-10' and quantity > 0 and contract_id like '%-000000%' \
             and (contract_id like 'fleet%' and line_id like '%km%' or contract_id like 'storage%' \
             or line_id like 'phone%calls%') order by line_id"
        ),
        [
            "fleet-000000-a-km/2026-09-30T22:00/driven_km-2026,1000,0,0",
            "fleet-000000-b-km/2026-09-30T22:00/driven_km-2026,500,1,0.29",
            "fleet-000000-b-km/2026-09-30T22:00/driven_km-autumn,0,1,0.31",
            "phone-000000-calls/2026-09-30T06:00/call_minute-2026,300,0,0",
            "storage-000000-storage/2026-10-04T23:00/storage-2026,0,1000,20",
            "storage-000000-storage/2026-10-11T23:00/storage-2026,0,1000.10,15",
        ]
    );
}
