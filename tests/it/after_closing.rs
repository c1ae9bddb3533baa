//! What is changed when a period has closed, and whom that may surprise.

use std::collections::BTreeSet;
use std::process::Command;

use crate::closing::{AFTER, close, refused, rows, run_at};
use crate::explain::UNEXPLAINED;
use crate::sample::Sample;

fn rental(id: &str, start: &str) -> String {
    format!(
        "{{\"transactionID\":\"{id}\",\"usageStart\":\"{start}\",\"usageType\":\"CarRentUsage\",\
         \"VIN\":\"SGZCZ43D13S812715\",\"distance\":10}}\n"
    )
}

#[test]
fn late_usage_counts_in_the_closed_cycle_whatever_the_zone_of_its_contract_is_now() {
    let corrections = |zone: &str| {
        let sample = Sample::new();
        run_at(&sample, &["run"]);
        close(&sample, "2026-09");
        sample.replace(
            "data/contract.csv",
            "CON123,ALPEN,EUR,Europe/Berlin",
            &format!("CON123,ALPEN,EUR,{zone}"),
        );
        sample.write("data/usage/late.ndjson", &rental("late-a", "2026-09-20T12:00:00"));
        // September in New York still, October in the books and nowhere now.
        sample.write("data/usage/between.ndjson", &rental("late-b", "2026-09-30T23:30:00Z"));
        run_at(&sample, &["run"]);
        let waiting =
            rows(&sample, "select suspense_reason from suspense where transaction_id like 'late-%'");
        run_at(&sample, &["verify"]);
        (rows(&sample, "select corrected_line_id, quantity, amount from correction_line order by 1"), waiting)
    };
    let (same, waiting) = corrections("Europe/Berlin");
    assert_eq!(same.len(), 2, "{same:?}");
    assert!(waiting.is_empty(), "{waiting:?}");
    let (moved, waiting) = corrections("America/New_York");
    assert_eq!(moved, same);
    assert_eq!(waiting, ["outside the cycles of the closed books"]);
}

#[test]
fn a_fee_that_was_billed_in_advance_is_not_billed_again_in_arrears() {
    let sample = Sample::new();
    let (advance, arrears) =
        ("support-2026,support,flat,,900.00,advance", "support-2026,support,flat,,900.00,arrears");
    sample.replace("data/price.csv", arrears, advance);
    run_at(&sample, &["run"]);
    let fees =
        "select billing_period, amount from invoice_line where contract_id = 'BYTE-SUPPORT' order by 1";
    let billed = ["2026-07,900", "2026-10,900"];
    assert_eq!(rows(&sample, fees), billed);
    for period in ["2026-07", "2026-09", "2026-10"] {
        close(&sample, period);
    }
    // The fee of October to December is billed; as from January it comes when the quarter is over.
    sample.replace("data/price.csv", advance, arrears);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, fees), billed);
    run_at(&sample, &["verify"]);
    // Somebody may take it back from October, and it comes in December.
    run_at(&sample, &["rerate", "--period", "2026-10", "--confirm", "2026-10", "--reason", "agreed"]);
    assert_eq!(rows(&sample, fees), [&billed[..], &["2026-11,-900", "2026-12,900"]].concat());
    // The fee that has moved is a line of its own, and each is explained.
    let lines = rows(&sample, "select line_id, amount from invoice_line where contract_id = 'BYTE-SUPPORT'");
    let ids: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids.len(), lines.len(), "{lines:?}");
    assert!(ids.contains("BYTE-support/2026-10-01T04:00/support-2026/2026-12"), "{ids:?}");
    assert!(rows(&sample, UNEXPLAINED).is_empty());
}

#[test]
fn a_parked_customer_stays_parked_when_only_usage_is_new() {
    let sample = Sample::new();
    sample.write(
        "queries/checks/watched.sql",
        "-- watched: nothing of this customer is invoiced.\n\nselect customer.customer_id\nfrom customer\n\
         where customer.customer_id = 'KANJI'\n",
    );
    run_at(&sample, &["run"]);
    let parked = |number: u64| {
        sample.read(&format!("warehouse/ledger/0000000/{number:010}.json")).contains("\"watched\"")
    };
    assert!(parked(1));
    sample.write("data/usage/more.ndjson", &rental("more", "2026-10-03T12:00:00"));
    run_at(&sample, &["run"]);
    assert!(parked(2));
}

/// Two records of one id and one that came twice, of a source that tells them apart by time.
fn of_one_id() -> Sample {
    let sample = Sample::new();
    sample.write("data/identity_rule.csv", "source,identity,keeps\nfleet,transaction_id_time,first\n");
    let record = |day: &str| {
        let text = rental("X1", &format!("2026-10-{day}T12:00:00Z"));
        text.replacen('{', "{\"source\":\"fleet\",", 1)
    };
    sample.write("data/usage/fleet.ndjson", &[record("05"), record("06"), record("06")].concat());
    run_at(&sample, &["run"]);
    sample
}

/// A record that came again is void with the one that it came again of.
const EXCLUDED: &str = "select distinct usage_record.usage_start, usage_exclusion.place from usage_exclusion
    inner join usage_record on usage_exclusion.landing_sequence = usage_record.landing_sequence order by 1";

#[test]
fn of_several_records_with_one_id_the_one_that_is_told_is_void() {
    let sample = of_one_id();
    let output = sample.meterhouse(&["void", "X1", "--reason", "wrong car"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: X1 is the id of 2 records\n  2026-10-05T12:00:00Z  CarRentUsage\n  \
         2026-10-06T12:00:00Z  CarRentUsage\nhint: say which by --usage-start TIME, or take --all\n"
    );
    let said = refused(&sample, &["void", "X1", "--usage-start", "2026-10-07", "--reason", "wrong car"]);
    assert!(said.starts_with("2 error: "), "{said}");
    run_at(&sample, &["void", "X1", "--usage-start", "2026-10-06T14:00:00", "--reason", "wrong car"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, EXCLUDED), ["2026-10-06T12:00:00Z,void"]);
    run_at(&sample, &["void", "X1", "--all", "--reason", "wrong car"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, EXCLUDED), ["2026-10-05T12:00:00Z,void", "2026-10-06T12:00:00Z,void"]);
    // Back in turn; the second is the only one left, so it need not be told.
    let said = refused(&sample, &["restore", "X1", "--reason", "it was right"]);
    assert_eq!(said, "2 error: X1 is the id of 2 records");
    run_at(&sample, &["restore", "X1", "--usage-start", "2026-10-05T12:00:00Z", "--reason", "it was right"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, EXCLUDED), ["2026-10-06T12:00:00Z,void"]);
    run_at(&sample, &["restore", "X1", "--reason", "it was right"]);
    run_at(&sample, &["run"]);
    assert!(rows(&sample, EXCLUDED).is_empty());
    run_at(&sample, &["restore", "X1", "--reason", "typed twice"]);
    assert_eq!(rows(&sample, "select count(*) from usage_decision where reason = 'typed twice'"), ["0"]);
}

#[test]
fn a_decision_about_nothing_is_refused() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let void = |by: &str| refused(&sample, &["void", "TR000002", "--replaced-by", by, "--reason", "wrong"]);
    assert_eq!(
        void("TR17-2"),
        "2 error: no record of `usage_record` has the transaction_id TR17-2, which is to amend it"
    );
    assert_eq!(void("TR000002"), "2 error: TR000002 cannot amend itself");
    let restore = || refused(&sample, &["restore", "TR000002", "--reason", "right"]);
    assert_eq!(restore(), "2 error: TR000002 is neither void nor written off");
    run_at(&sample, &["void", "TR000002", "--replaced-by", "TR000003", "--reason", "wrong"]);
    run_at(&sample, &["restore", "TR000002", "--reason", "right"]);
    assert_eq!(restore(), "0 ", "it is restored already");
    let said = refused(&sample, &["restore", "TR900004", "--reason", "right"]);
    assert_eq!(said, "2 error: TR900004 is neither void nor written off");
    run_at(&sample, &["write-off", "TR900004", "--reason", "the meter was broken"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, EXCLUDED), ["2026-10-22T07:00:00Z,written off"]);
    run_at(&sample, &["restore", "TR900004", "--reason", "right"]);
    assert_eq!(rows(&sample, "select count(*) from usage_decision"), ["4"]);
    let listed = "source,transaction_id,usage_start,replaced_by,reason\n";
    sample.write(
        "data/usage_void.csv",
        &format!("{listed}usage,TR000002,,,on the list\nusage,TR99,,,not landed\n"),
    );
    let report = run_at(&sample, &["run"]);
    assert!(report.contains("usage,TR99,,not landed"), "{report}");
    assert_eq!(restore(), "2 error: TR000002 is void since a list says so");
    sample.write("data/usage_void.csv", listed);
    run_at(&sample, &["run"]);
    assert_eq!(restore(), "0 ", "it is restored already");
}

/// What a closing counted is not counted again by runs, so the first balance and `verify` have to find it wrong.
#[test]
fn what_a_closing_counted_is_proven() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let guided = "select landing_id, usage_type, unit, record_count, quantity, id_hash from control_total \
                  where place = 'guided' order by 1, 2, 3";
    let open = rows(&sample, guided);
    sample.replace(
        "queries/closing/5_closed_total.sql",
        "count(*) as record_count",
        "count(*) + 1 as record_count",
    );
    let said = refused(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
    assert!(said.contains("check `landing_balance` found"), "{said}");
    sample.replace("queries/checks/landing_balance.sql", "balance.records_missing <> 0\n", "false\n");
    close(&sample, "2026-09");
    let (_, said) = sample.fails(&["verify"]);
    assert!(said.contains("closed_total is not what it was made from"), "{said}");

    // Half of what was left out is said to be in the books: nobody would look at it again.
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    sample.replace(
        "queries/closing/7_left_record.sql",
        "    closing.age = 0\n    and not exists",
        "    closing.age = 0\n    and open_before.landing_sequence % 2 = 0\n    and not exists",
    );
    let said = refused(&sample, &["close", "--period", "2026-09", "--confirm", "2026-09"]);
    assert!(said.contains("check `landing_balance` found"), "{said}");

    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    assert_ne!(rows(&sample, "select count(*) from closed_total"), ["0"]);
    assert_eq!(rows(&sample, guided), open, "closed or not, it is the same usage");
    // What is void since counts no more, and is back when it is restored.
    run_at(&sample, &["void", "TR000002", "--reason", "wrong car"]);
    run_at(&sample, &["run"]);
    assert_ne!(rows(&sample, guided), open);
    run_at(&sample, &["restore", "TR000002", "--reason", "the right car"]);
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, guided), open);
    run_at(&sample, &["verify"]);
}

/// Of what waits when its period closes runs read the copy, so the copy has to be the record, own columns and all.
#[test]
fn what_was_left_out_is_copied_as_it_was_received() {
    let closed = |copied: &str| {
        let sample = Sample::new();
        sample.replace(
            "schemas/usage_record.sql",
            "    attributes varchar",
            "    fuel varchar comment 'what the car burns',\n    attributes varchar",
        );
        let lost = rental("lost", "2026-09-20T12:00:00").replace("SGZCZ43D13S812715", "NOBODYS");
        let lost = lost.replace("\"distance\"", "\"fuel\":\"diesel\",\"distance\"");
        sample.write("data/usage/lost.ndjson", &format!("{}{lost}", rental("found", "2026-09-20T12:00:00")));
        sample.replace("queries/closing/8_left_usage.sql", "usage_record.* except (fields)", copied);
        run_at(&sample, &["run"]);
        close(&sample, "2026-09");
        sample
    };
    let sample = closed("usage_record.* except (fields)");
    let copy = "select left_usage.transaction_id, left_usage.fuel, field_text(left_usage.fields, 'fuel') \
                from left_usage where transaction_id in ('lost', 'found')";
    assert_eq!(rows(&sample, copy), ["lost,diesel,diesel"]);
    assert_eq!(
        rows(
            &sample,
            "select is_copied from open_record inner join left_usage using (landing_sequence) \
                       where transaction_id = 'lost'"
        ),
        ["true"]
    );
    run_at(&sample, &["verify"]);
    // Whose it is is known at last: it is billed from its copy.
    let identifiers = sample.read("data/contract_identifier.csv");
    let known = identifiers.lines().find(|line| line.contains("SGZCZ43D13S812715")).unwrap();
    let known = known.replace("SGZCZ43D13S812715", "NOBODYS");
    sample.write("data/contract_identifier.csv", &format!("{}\n{known}\n", identifiers.trim_end()));
    run_at(&sample, &["run"]);
    let guided = "select guided_usage.quantity from guided_usage inner join usage_record using (landing_sequence) \
                  where transaction_id = 'lost'";
    assert!(!rows(&sample, guided).is_empty());

    let sample = closed("usage_record.* except (fields, distance), usage_record.distance + 1 as distance");
    let (_, said) = sample.fails(&["verify"]);
    assert!(said.contains("left_usage is not what it was made from"), "{said}");
}

#[test]
fn a_price_leaves_the_places_of_late_usage_alone() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    sample.write("data/usage/late.ndjson", &rental("late-a", "2026-09-20T12:00:00"));
    run_at(&sample, &["run"]);
    assert_eq!(rows(&sample, "select count(*) from late_usage"), ["2"]);
    sample.replace(
        "data/price.csv",
        "driven_km-autumn,driven_km,per_unit,0.31",
        "driven_km-autumn,driven_km,per_unit,0.41",
    );
    let mut run = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
    let output = run.arg("--project").arg(sample.path()).args(["--as-of", AFTER, "run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("rebuild charge"), "{said}");
    for table in ["open_record", "guiding", "late_usage"] {
        assert!(!said.contains(&format!("rebuild {table}")), "{table} was made again: {said}");
    }
}

#[test]
fn which_tables_are_those_of_its_closing_is_in_the_books() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let taken = "select rerate_number, table_name, taken from closed_table where table_name in \
                 ('billing_cycle', 'charge', 'correction_line', 'guiding', 'open_record', 'price', 'suspense') \
                 order by 1, 2";
    let of_closing = [
        "0,billing_cycle,closing",
        "0,charge,period",
        "0,correction_line,closing",
        "0,guiding,today",
        "0,open_record,today",
        "0,price,closing",
        "0,suspense,whole",
    ];
    assert_eq!(rows(&sample, taken), of_closing);
    // Who lets the rules of today count says it for these.
    sample.replace(
        "data/price.csv",
        "driven_km-2026,driven_km,per_unit,0.29",
        "driven_km-2026,driven_km,per_unit,0.30",
    );
    run_at(&sample, &["rerate", "--period", "2026-09", "--confirm", "2026-09", "--reason", "agreed"]);
    let again = of_closing.map(|row| row.replacen('0', "1", 1));
    assert_eq!(rows(&sample, taken), [of_closing.map(String::from), again].concat());
    run_at(&sample, &["verify"]);
}
