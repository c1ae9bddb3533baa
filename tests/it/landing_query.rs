//! Landing queries: a name that the file or the usage record does not have is told, and a file without ids can land.

use crate::sample::Sample;

fn with_query(columns: &str) -> Sample {
    let sample = Sample::empty();
    sample.write(
        "queries/landing/shop.sql",
        &format!("-- shop: orders of a shop.\nselect\n    {columns}\nfrom file\n"),
    );
    sample
}

const GOOD: &str = "file.id as transaction_id,\n    'api_call' as usage_type,\n    file.at as usage_start,\n    \
    file.amount as quantity,\n    file.region";
const CSV: &str = "id,at,amount,region,Full Name\n1,2026-10-02,5,eu,A\n";
const JSON: &str = "{\"id\": 1, \"at\": \"2026-10-02\", \"amount\": 5, \"region\": \"eu\"}\n{\"id\": 2, \"at\": \"2026-10-02\"}\n";

fn land(sample: &Sample, name: &str, text: &str) -> (i32, String) {
    sample.write(name, text);
    let path = sample.path().join(name);
    let output = sample.meterhouse(&["land", path.to_str().unwrap(), "--with", "shop"]);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_column_that_the_file_does_not_have_is_an_error() {
    for (wrong, place, hint) in [
        ("file.regoin as region", "queries/landing/shop.sql:7:10", "did you mean `region`?"),
        ("file.\"Full name\" as region", "queries/landing/shop.sql:7:10", "did you mean file.\"Full Name\"?"),
    ] {
        let sample = with_query(&GOOD.replace("file.region", wrong));
        let (status, text) = land(&sample, "orders.csv", CSV);
        assert_eq!(status, 1, "{text}");
        assert!(
            text.contains("the file has no column") && text.contains(place) && text.contains(hint),
            "{text}"
        );
        assert_eq!(sample.rows("select count(*) from usage_record"), ["0"]);
    }
    let sample = with_query(&GOOD.replace("file.region", "file.regoin as region"));
    let (status, text) = land(&sample, "orders.ndjson", JSON);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains(
            "did you mean `region`?; a field that a file may lack is json_text(file._text, 'regoin')"
        )
    );
    assert_eq!(sample.rows("select count(*) from usage_record"), ["0"]);
    let sample = with_query(GOOD);
    assert_eq!(land(&sample, "orders.ndjson", JSON).0, 0);
    let sample = with_query(&GOOD.replace("file.region", "json_text(file._text, 'shop') as shop"));
    assert_eq!(land(&sample, "orders.ndjson", JSON).0, 0);
}

/// 5 / 2 is 2: half a unit less on every record, and nobody would see it.
#[test]
fn whole_numbers_are_not_divided_in_silence() {
    let halved = |amount: &str| with_query(&GOOD.replace("file.amount as quantity", amount));
    let sample = halved("cast(file.amount as bigint) / 2 as quantity");
    for (status, text) in [land(&sample, "orders.csv", CSV), sample.fails(&["check"])] {
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("by `2`") && text.contains("queries/landing/shop.sql:6:10"), "{text}");
    }
    for (amount, quantity) in [
        ("cast(file.amount as decimal(38, 12)) / 2 as quantity", "2.50"),
        ("cast(cast(file.amount as bigint) / 2 as bigint) as quantity", "2"),
    ] {
        let sample = halved(amount);
        assert_eq!(land(&sample, "orders.csv", CSV).0, 0);
        assert_eq!(sample.rows("select quantity from usage_record"), [quantity]);
    }
    let sample = Sample::empty();
    sample.write(
        "queries/report/9_half.sql",
        "-- half: half of all usage\nselect count(*) / 2 as half\nfrom usage\n",
    );
    let (_, text) = sample.fails(&["check"]);
    assert!(text.contains("whole numbers are divided") && text.contains("9_half.sql"), "{text}");
}

#[test]
fn check_looks_into_the_inbox() {
    let sample = with_query(&GOOD.replace("file.region", "file.regoin as region"));
    sample.write("in/orders.csv", CSV);
    sample.replace(
        "meterhouse.toml",
        "[inbox.sample]",
        "[inbox.shop]\nfiles = [\"in/*.csv\"]\nwith = \"shop\"\n\n[inbox.sample]",
    );
    let (status, text) = sample.fails(&["check"]);
    assert!(status == 1 && text.contains("did you mean `region`?"), "{text}");
    sample.replace("queries/landing/shop.sql", "regoin", "region");
    let output = sample.meterhouse(&["check"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("shop.sql: region goes to `attributes`"), "{text}");
}

#[test]
fn what_a_usage_record_needs_is_yielded_under_its_name() {
    let sample = with_query("file.id as transaction_id,\n    'u' as usage_type,\n    file.amount as quantiy");
    let (status, text) = sample.fails(&["check"]);
    assert_eq!(status, 1);
    for told in [
        "`quantiy` is not a column of `usage_record`",
        "queries/landing/shop.sql:5:20",
        "did you mean `quantity`? If not, select null as quantity too",
        "yields no `usage_start`, so each record would be rejected",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let (status, _) = land(&sample, "orders.csv", CSV);
    assert_eq!(status, 1);
}

/// Neither ids nor anything else that tells the rows apart: two equal rows are two records.
#[test]
fn a_file_without_ids_lands_by_its_name_and_rows() {
    let query = "concat(file._file, '/', file._row) as transaction_id,\n    'api_call' as usage_type,\n    \
        file.at as usage_start,\n    file._line as line,\n    file._hash as content";
    let sample = with_query(query);
    let (status, text) = land(&sample, "rows.csv", "at\n2026-10-02\n\n2026-10-02\n2026-10-03\n");
    assert_eq!(status, 0, "{text}");
    let rows = "select transaction_id, json_text(attributes, 'line'), length(json_text(attributes, 'content')) \
        from usage order by transaction_id";
    sample.ok(&["run"]);
    assert_eq!(sample.rows(rows), ["rows.csv/1,2,64", "rows.csv/2,4,64", "rows.csv/3,5,64"]);
    let (status, text) = land(&sample, "own.csv", "at,_row\n2026-10-02,9\n");
    assert!(status == 1 && text.contains("rename it in the file"), "{text}");
}
