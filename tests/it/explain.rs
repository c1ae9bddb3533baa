//! `explain` and `status --accrual`: each line is the sum of its steps, each record is somewhere, and what is earned is
//! what time and usage say.

use std::path::Path;
use std::process::Command;

use crate::sample::Sample;

/// Lines that their steps do not sum to, or that have none.
pub const UNEXPLAINED: &str = "
    with explained as (select line_id, sum(amount) as amount from line_step group by line_id)
    select invoice_line.line_id, invoice_line.amount, explained.amount
    from invoice_line left join explained on invoice_line.line_id = explained.line_id
    where explained.amount is null or explained.amount <> invoice_line.amount";

/// Periods up to 2026-10 have ended.
const AFTER: &str = "2026-11-21T00:00:00Z";

fn at(sample: &Sample, as_of: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", as_of, "--format", "csv"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn rows(sample: &Sample, query: &str) -> Vec<String> {
    at(sample, AFTER, &["sql", query]).lines().skip(1).map(String::from).collect()
}

fn close(sample: &Sample, period: &str) {
    at(sample, AFTER, &["close", "--period", period, "--confirm", period, "--by", "tests"]);
}

fn land(sample: &Sample, name: &str, text: &str, more: &[&str]) {
    let file = sample.path().join(name);
    std::fs::write(&file, text).unwrap();
    at(sample, AFTER, &[&["land", file.to_str().unwrap()], more].concat());
}

fn rental(id: &str, start: &str, km: &str) -> String {
    format!(
        "{{\"transactionID\":\"{id}\",\"usageStart\":\"{start}\",\"usageType\":\"CarRentUsage\",\
         \"VIN\":\"WVWZZZ1KZAW000042\",\"distance\":{km}}}\n"
    )
}

/// Everything that is said has to be there, in this order.
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let found = rest.find(part);
        rest = &rest[found.unwrap_or_else(|| panic!("{part} is not, or not there, in\n{text}"))..];
    }
}

#[test]
fn the_steps_of_every_line_sum_to_it() {
    let sample = Sample::whole();
    sample.ok(&["run", "-q"]);
    assert_eq!(sample.rows(UNEXPLAINED), Vec::<String>::new());
    let counts = sample.rows("select count(*), count(distinct line_type) from invoice_line");
    assert_eq!(counts, ["1982,4"]);
    // No line is explained by nothing but its rounding.
    let thin = "select line_id from line_step group by line_id having count(*) < 2";
    assert_eq!(sample.rows(thin), Vec::<String>::new());
    // What a formula of units says is what the charge is.
    let broken = "select formula from line_step where formula is null or formula = '' or by_rule is null";
    assert_eq!(sample.rows(broken), Vec::<String>::new());
}

#[test]
fn a_line_is_explained_with_its_numbers() {
    let sample = Sample::new();
    sample.ok(&["run", "-q"]);
    let said = sample.ok(&["explain", "CON124-km/2026-09-30T22:00/driven_km-autumn", "--format", "csv"]);
    assert_says(
        &said,
        &[
            "CON124-km/2026-09-30T22:00/driven_km-autumn,Kilometres driven,ALPEN,CON124,2026-10,draft,2026-10-15,2026-11-01,349.45",
            "1,usage,\"28 records: 1,857.25 km\",0",
            "2,quota,\"included 730, used 1,857.25, billable 1,127.25\",0",
            "\"quota fleet_km of ALPEN: 1,500 in the cycle, 2,627.25 used\",billable_usage",
            "3,per_unit,\"1,127.25 x 0.31 = 349.4475\",349.4475",
            "\"price driven_km-autumn, in force from 2026-10-15\",per_unit_charge",
            "4,rounding,exact 349.4475 -> 349.45 (half_up to 2 places),0.0025",
            "1,CON123,CON123-km,driven_km-2026,514.5",
            "4,CON124,CON124-km,driven_km-autumn,1857.25",
            "usage,TR000056,2026-10-15T10:00:00Z,104",
            ",and 8 more,,533",
        ],
    );
    let said = sample.ok(&["explain", "BYTE-calls/2026-09-30T04:00/api_call-2026", "--format", "csv"]);
    assert_says(
        &said,
        &[
            "graduated tier 1,\"10,000 x 0.004 + 5.00 = 45.00\",45",
            "graduated tier 2,\"28,103.290322580645 x 0.0025 = 70.258225806452\",70.258225806452",
            "rounding,exact 115.258225806452 -> 115.26 (half_even to 2 places)",
        ],
    );
    let minimum = sample.rows(
        "select what, formula, amount_so_far from line_step \
         where line_id = 'KANJI-1/2026-08-31T15:00/minimum_fee' order by step_number",
    );
    assert_eq!(
        minimum,
        [
            "minimum,\"20,000\",20000",
            "reached,\"less 8,000, the lines of the contract\",12000",
            "rounding,\"exact 12,000 -> 12,000 (half_up to 0 places)\",12000"
        ]
    );
    let people = sample.ok(&["explain", "CON123-fee/2026-08-31T22:00/fleet_fee-2026", "--format", "table"]);
    assert_says(
        &people,
        &["the line, and what it comes to", "how it comes to its amount, and the sum so far", "49.00"],
    );
    assert!(!people.contains("what corrects it") && !people.contains("unexplained"), "{people}");
    let (status, said) = sample.fails(&["explain", "CON124-km"]);
    assert_eq!(
        (status, said.as_str()),
        (
            2,
            "error: no line has the line_id CON124-km\n\
             hint: meterhouse sql \"select line_id, description from invoice_line\" shows all lines\n"
        )
    );
}

#[test]
fn closed_lines_and_corrections_are_explained() {
    let sample = Sample::new();
    at(&sample, AFTER, &["run"]);
    close(&sample, "2026-09");
    land(&sample, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "1000.5"), &[]);
    at(&sample, AFTER, &["void", "TR000002", "--reason", "wrong car"]);
    // The books keep the numbers of their closing, whatever prices say now.
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    at(&sample, AFTER, &["run"]);
    assert_eq!(rows(&sample, UNEXPLAINED), Vec::<String>::new());
    let closed = "CON123-rent/2026-08-31T22:00/rental-2026";
    assert_says(
        &at(&sample, AFTER, &["explain", closed]),
        &[
            "2026-09,closed",
            "per_unit,30 x 1.5 = 45.00",
            "2026-10,CON123-rent/2026-08-31T22:00/rental-2026/correction-2026-10,draft",
        ],
    );
    let correction = "CON124-km/2026-08-31T22:00/driven_km-2026/correction-2026-10";
    assert_says(
        &at(&sample, AFTER, &["explain", correction]),
        &[
            "2026-10,draft,2026-09-01,2026-10-01,290.14",
            "2026-09,CON124-km/2026-08-31T22:00/driven_km-2026",
            "1,owed now,\"the line rated again: 1,530.25 km for 443.77\",443.77",
            "2,billed in 2026-09,less 153.63,-153.63",
        ],
    );
    assert_says(
        &at(&sample, AFTER, &["explain", "--usage", "late-1"]),
        &["guided,counts for CON124-km in 2026-09", "late,", correction],
    );
    assert_says(
        &at(&sample, AFTER, &["explain", "--usage", "TR000002"]),
        &[
            "void,wrong car",
            "2026-09,closed",
            "void,CON123-km/2026-08-31T22:00/driven_km-2026/correction-2026-10",
        ],
    );
    // Back and forth over another closing, and by other rules.
    close(&sample, "2026-10");
    at(&sample, AFTER, &["restore", "TR000002", "--reason", "it was this car"]);
    at(&sample, AFTER, &["run"]);
    assert_eq!(rows(&sample, UNEXPLAINED), Vec::<String>::new());
    let rerate = ["rerate", "--period", "2026-09", "--confirm", "2026-09", "--reason", "agreed"];
    at(&sample, AFTER, &rerate);
    assert_eq!(rows(&sample, UNEXPLAINED), Vec::<String>::new());
    let corrections = rows(
        &sample,
        "select count(distinct billing_period) from invoice_line where line_type = 'correction'",
    );
    assert_eq!(corrections, ["2"]);
}

#[test]
fn a_record_is_found_wherever_it_went() {
    let sample = Sample::new();
    at(&sample, AFTER, &["run"]);
    let held = rental("held-1", "2026-10-20T12:00:00", "7");
    land(&sample, "held.ndjson", &held, &["--hold", "import", "--reason", "new meter"]);
    let other = rental("TR000041", "2026-10-17T06:15:00", "7").replace("{\"t", "{\"source\":\"other\",\"t");
    land(&sample, "other.ndjson", &other, &[]);
    at(&sample, AFTER, &["void", "TR000043", "--replaced-by", "TR000044", "--reason", "typed wrong"]);
    at(&sample, AFTER, &["write-off", "TR900004", "--reason", "too small"]);
    at(&sample, AFTER, &["run"]);
    land(&sample, "new.ndjson", &rental("new-1", "2026-10-20T12:00:00", "7"), &[]);
    let places = "select place from control_total group by place order by place";
    assert_eq!(rows(&sample, places).len(), 9, "all but what is discarded");
    for (id, parts) in [
        (
            "TR000042",
            &[
                "guided,counts for CON124-km in 2026-10",
                "CON124-km/2026-09-30T22:00/driven_km-autumn,2026-10,draft",
            ][..],
        ),
        ("TR000046", &["duplicate,\"conflicting to ", "which counts\""]),
        ("TR900001", &["rejected,`distance` 12,5 is not a number"]),
        ("api-9001", &["filtered,left out by rule "]),
        ("TR900003", &["suspense,identifier not assigned"]),
        ("held-1", &["held,landed with --hold import"]),
        ("TR000043", &["void,typed wrong; replaced by TR000044", "void,usage,typed wrong,TR000044"]),
        ("TR900004", &["written off,too small"]),
        ("new-1", &["not yet run,landed after the last run: meterhouse run"]),
    ] {
        let said = at(&sample, AFTER, &["explain", "--usage", id]).replace('"', "");
        let parts: Vec<String> = parts.iter().map(|part| part.replace('"', "")).collect();
        assert_says(&said, &parts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let (status, said) = sample.fails(&["explain", "--usage", "TR000041"]);
    assert_eq!(
        (status, said.as_str()),
        (2, "error: TR000041 is in several sources (other, usage): name one with --source\n")
    );
    let one = at(&sample, AFTER, &["explain", "--usage", "TR000041", "--source", "other"]);
    assert_says(&one, &["other,CarRentUsage", "guided,counts for CON124-km"]);
    let (status, said) = sample.fails(&["explain", "--usage", "TR1", "--source", "other"]);
    assert_eq!(status, 2);
    assert!(
        said.starts_with("error: no record of source other has the transaction_id TR1\nhint: "),
        "{said}"
    );
}

#[test]
fn what_is_earned_follows_time_and_usage() {
    let sample = Sample::new();
    // Billed for a quarter in advance.
    sample.replace("data/price.csv", "900.00,arrears", "900.00,advance");
    at(&sample, AFTER, &["run"]);
    let fee = "select line_type, amount, billed_amount, earned_amount, deferred_amount, accrued_amount from accrual \
               where line_id = 'BYTE-support/2026-10-01T04:00/support-2026'";
    // 1,220 of the 2,209 hours of a quarter in which clocks go back are over.
    let open = "fee,900,0,497.06,0,497.06";
    assert_eq!(rows(&sample, fee), [open]);
    for period in rows(
        &sample,
        "select distinct billing_period from priced_cycle where billing_period <= '2026-10' order by 1",
    ) {
        close(&sample, &period);
    }
    let billed = "fee,900,900,497.06,402.94,0";
    assert_eq!(rows(&sample, fee), [billed]);
    // 489 of 720 hours of the minimum's month are over, and nothing was used.
    let minimum = "select amount, earned_amount, is_unfinished from accrual where line_type = 'minimum_fee'";
    assert_eq!(rows(&sample, minimum), ["20000,13583,true"]);
    // What is billed and earned in full is not listed, and the two sides balance.
    let odd = "select line_id from accrual where billed_amount + accrued_amount <> earned_amount + deferred_amount \
               or (billed_amount = amount and earned_amount = amount and amount <> 0)";
    assert_eq!(rows(&sample, odd), Vec::<String>::new());
    let shown = at(&sample, AFTER, &["status", "--accrual"]);
    assert_says(
        &shown,
        &[
            "billing_period,cycles,lines,currency,amount,billed,earned,deferred,accrued",
            "2026-10,unfinished,1,USD,900,900,497.06,402.94,0",
            "gl_account,currency,billed,earned,deferred,accrued",
            "4420,USD,900",
            "usage_type,records,oldest,at_risk,currency",
            "CarRentUsage,2,",
        ],
    );
    // When the quarter is over, nothing is deferred.
    let later = at(&sample, "2027-01-01T05:00:00Z", &["sql", fee]);
    assert_eq!(later.lines().count(), 1, "{later}");
}

/// The sums of a file of an export by line: quantity, amount and records.
fn by_line(file: &Path) -> std::collections::BTreeMap<String, (i128, i128, i64, usize)> {
    let exact = |text: &str| -> i128 {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{fraction:0<12}").parse().unwrap()
    };
    let mut sums = std::collections::BTreeMap::new();
    let mut reader = csv::Reader::from_path(file).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let column = |name: &str| names.iter().position(|known| known == name);
    for row in reader.records() {
        let row = row.unwrap();
        let value = |name: &str| column(name).map_or("0", |column| &row[column]).to_string();
        let sum: &mut (i128, i128, i64, usize) = sums.entry(value("line_id")).or_default();
        sum.0 += exact(&value("quantity"));
        sum.1 += exact(&value("amount"));
        sum.2 += value("record_count").parse::<i64>().unwrap();
        sum.3 += 1;
    }
    sums
}

#[test]
fn statements_by_day_and_by_line_sum_to_the_line_with_details_beneath() {
    let sample = Sample::new();
    let items = sample.read("data/contract_item.csv");
    let mut lines = items.lines();
    let mut text = format!("{},statement_grain\n", lines.next().unwrap());
    for line in lines {
        let grain = match line.split(',').next().unwrap() {
            "CON123-km" | "BYTE-storage" => "day",
            "CON124-km" | "BYTE-calls" => "line",
            _ => "record",
        };
        text.push_str(&format!("{line},{grain}\n"));
    }
    sample.write("data/contract_item.csv", &text);
    at(&sample, AFTER, &["run"]);
    let mut of_state = Vec::new();
    for _ in ["draft", "closed"] {
        at(&sample, AFTER, &["export", "--period", "2026-09", "--one-file"]);
        let export = sample.path().join("export/2026-09");
        let (lines, statement) =
            (by_line(&export.join("invoice_line.csv")), by_line(&export.join("usage_statement.csv")));
        let details = by_line(&export.join("usage_detail.csv"));
        assert_eq!(lines.len(), statement.len());
        for (line, sum) in &lines {
            assert_eq!((sum.0, sum.1), (statement[line].0, statement[line].1), "{line}");
            if let Some(detail) = details.get(line) {
                assert_eq!((sum.0, sum.1), (detail.0, detail.1), "{line}");
                assert_eq!(statement[line].2, i64::try_from(detail.3).unwrap(), "{line} counts its records");
            }
        }
        let grouped = |line: &str| (statement[line].3, details[line].3);
        assert_eq!(grouped("CON124-km/2026-08-31T22:00/driven_km-2026"), (1, 10));
        let (days, records) = grouped("CON123-km/2026-08-31T22:00/driven_km-2026");
        assert!(days > 1 && days < records, "{days} days, {records} records");
        assert!(!details.contains_key("CON123-rent/2026-08-31T22:00/rental-2026"));
        at(&sample, AFTER, &["export", "--period", "2026-09", "--format", "html"]);
        let page = std::fs::read_to_string(export.join("ALPEN/statement.html")).unwrap();
        assert_says(&page, &["Usage behind the lines", "2026-09-", "<td class=\"number\">10</td>"]);
        of_state.push((statement, details));
        if of_state.len() == 1 {
            close(&sample, "2026-09");
        }
    }
    assert_eq!(of_state[0], of_state[1], "a closed statement is the draft");
    let kept = rows(
        &sample,
        "select count(*) from usage_statement where line_id = 'CON124-km/2026-08-31T22:00/driven_km-2026'",
    );
    assert_eq!(kept, ["10"]);
}

/// What a project counts in a column of its own is among what arrived.
#[test]
fn columns_of_ones_own_are_explained_with_the_record() {
    let sample = Sample::empty();
    sample.replace(
        "schemas/usage_record.sql",
        "    distance decimal(38, 12)",
        "    seats bigint comment 'seats in use',\n    distance decimal(38, 12)",
    );
    sample.write(
        "data/usage/seats.ndjson",
        "{\"transaction_id\":\"s\",\"usage_type\":\"seat\",\"usage_start\":\"2026-10-02\",\"seats\":7,\"plan\":\"gold\"}\n",
    );
    sample.ok(&["run"]);
    let said = sample.ok(&["explain", "--usage", "s", "--format", "json"]);
    assert_says(&said, &["\"fields\"", "\\\"seats\\\":7", "\\\"plan\\\":\\\"gold\\\""]);
}
