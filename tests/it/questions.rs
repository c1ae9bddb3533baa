//! What is said of a query that cannot be answered: the place in it, the cause, and what to write instead.

use crate::sample::Sample;

/// What is wrong with queries, with what is said of each.
fn answers(sample: &Sample, cases: &[(&str, &[&str])]) {
    for (query, parts) in cases {
        let (status, said) = sample.fails(&["sql", query]);
        assert_eq!(status, 1, "{query}\n{said}");
        let mut rest = said.as_str();
        for part in *parts {
            let found = rest.find(part).unwrap_or_else(|| panic!("{part} is not, or not there, in\n{said}"));
            rest = &rest[found + part.len()..];
        }
        for inner in ["ParserError", "Ident", "sqltorel", "Span", "caused by", "was published", "Some("] {
            assert!(!said.contains(inner), "{query}\n{said}");
        }
    }
}

#[test]
fn a_query_that_does_not_plan_is_told_with_its_place() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let (status, said) = sample.fails(&["sql", "selct 1"]);
    assert_eq!(status, 1);
    assert_eq!(
        said,
        "error: expected an SQL statement, found `selct`\n --> query:1:1\n  |\n1 | selct 1\n  | ^^^^^\n\
         hint: did you mean `select`?\n"
    );
    answers(
        &sample,
        &[
            (
                "select attributes ->> 'region' from usage_record",
                &["error: there is no operator `->>`", "query:1:8", "json_text(attributes, 'region')"],
            ),
            (
                "select usage_record.attributes -> 'a' from usage_record",
                &["no operator `->`", "json_text(usage_record.attributes, 'a')"],
            ),
            (
                "select usage_start at time zone contract.time_zone from usage_record, contract",
                &["`at time zone` takes a zone in quotes", "local_time(usage_start, contract.time_zone)"],
            ),
            ("select 1; select 2", &["a second statement begins here", "query:1:11", "one by one"]),
            (
                "insert into usage_record (usage_type) values ('call')",
                &["only reads, it does not `insert`", "query:1:1", "data/"],
            ),
            ("SHOW TABLES", &["only reads, it does not `show`", "describe TABLE"]),
            ("explain insert into price select price_id from price", &["explains only what reads"]),
            ("select count(* from price", &["error: expected", "query:1:16"]),
            ("select nope from price", &["nope", "query:1:8"]),
            (
                "select price_id from prise",
                &["there is no table or view `prise`", "query:1:22", "did you mean `price`?"],
            ),
            (
                "select attributes['region'] from usage_record",
                &["query:1:8", "json_text(attributes, 'region')"],
            ),
            (
                "select local_time(usage_start) from usage_record",
                &["error: local_time takes 2 arguments, not 1: instant, time_zone\n"],
            ),
            (
                "select sum(price_id) from price",
                &["error: sum: the values must be decimals or integers, not varchar\n"],
            ),
            (
                "select price_id from price order by all",
                &["error: `all` stands for no columns here", "query:1:37", "name the columns"],
            ),
            (
                "select price_id from price order by prise",
                &["no column `prise`", "query:1:37", "did you mean `price.price_id`?"],
            ),
            ("select count(*) from price group by prise", &["no column `prise`", "query:1:37"]),
            ("select price_id from price having prise = 1", &["no column `prise`", "query:1:35"]),
            ("select substr(price_id) from price", &["error: Substring without for/from is not valid"]),
            ("describe prise", &["error: there is no table or view `prise`"]),
            ("", &["there is no query"]),
        ],
    );
}

#[test]
fn a_query_that_fails_on_the_data_is_told_with_what_to_do() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    answers(
        &sample,
        &[
            (
                "select sum(quantity * quantity * quantity) from usage_record",
                &["error: ", "hint: ", "decimal(38, 2)"],
            ),
            ("select cast(usage_type as date) from usage_record", &["the query failed: ", "try_cast"]),
            ("select cast(usage_type as bigint) from usage_record", &["to value of bigint type", "try_cast"]),
            ("select 1 / (count(*) - count(*)) from price", &["the query failed: ", "nullif(x, 0)"]),
            ("select date '2026-13-01'", &["2026-13-01", "a day is written"]),
            ("select $nobody", &["$nobody", "$as_of"]),
        ],
    );
}

#[test]
fn characters_that_nobody_sees_are_named() {
    let sample = Sample::empty();
    sample.ok(&["run"]);
    for (letter, name) in [
        ('\u{200b}', "U+200B (zero width space)"),
        ('\u{feff}', "U+FEFF (byte order mark)"),
        ('\u{202e}', "U+202E (mark of direction)"),
        ('\u{a0}', "U+00A0 (no-break space)"),
    ] {
        for query in [
            format!("select{letter} nope from price"),
            format!("select nope{letter} from price"),
            format!("{letter}select nope from price"),
            format!("select nope from{letter}price"),
            format!("select nope from price {letter}"),
        ] {
            let (status, said) = sample.fails(&["sql", &query]);
            assert_eq!(status, 1, "{said}");
            assert!(said.contains(name) && said.contains("cannot be seen"), "{said}");
        }
        // The same in a file of the project.
        sample.write(
            "queries/99_odd.sql",
            &format!("-- odd: nothing\n\nselect{letter} price.nope\nfrom price\n"),
        );
        let (status, said) = sample.fails(&["check"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("queries/99_odd.sql:3"), "{said}");
        std::fs::remove_file(sample.path().join("queries/99_odd.sql")).unwrap();
    }
}

#[test]
fn too_little_memory_names_the_setting_and_what_needs_it() {
    let sample = Sample::whole();
    let (status, said) = sample.fails(&["run", "-q", "--set", "engine.memory_mb=1"]);
    assert_eq!(status, 2);
    assert!(said.contains("` needs more memory than the engine may use"), "{said}");
    assert!(said.contains("engine.memory_mb") && !said.contains("datafusion"), "{said}");
}

/// A statement of SQL describes a table as the command does, in the words of the schemas.
#[test]
fn describe_is_a_query_too() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    for table in ["price", "customer_total", "usage_record"] {
        let described = sample.ok(&["describe", table]);
        for query in [format!("describe {table}"), format!("DESC {table};")] {
            assert_eq!(sample.ok(&["sql", &query]), described);
        }
        assert!(!described.contains("Utf8") && !described.contains("128"), "{described}");
    }
    let columns = sample.ok(&["sql", "describe contract_item", "--format", "csv"]);
    for line in [
        "column,type,null,references,comment",
        "contract_id,varchar,not null,contract.contract_id,its contract",
        "quota_id,varchar,,quota.quota_id or grant_account.quota_id,",
        "block_quantity,\"decimal(32, 12)\",,,",
        "valid_from,timestamp,not null,,",
    ] {
        assert!(columns.contains(line), "{line}: {columns}");
    }
}

/// Columns that nobody named bear what was asked for, as SQL has it.
#[test]
fn columns_without_a_name_say_what_was_asked_for() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let query = "select 1, 'x', 1 + 2.5, count(*), max(unit_amount) filter (where unit_amount > 1), \
        cast(max(unit_amount) as varchar), date '2026-10-01' from price";
    let answer = sample.ok(&["sql", query, "--format", "csv"]);
    assert_eq!(
        answer.lines().next().unwrap(),
        "1,'x',1 + 2.5,count(*),max(price.unit_amount) FILTER (WHERE price.unit_amount > 1),\
         max(price.unit_amount),'2026-10-01'"
    );
}
