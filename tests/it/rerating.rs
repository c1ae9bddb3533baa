//! Closed periods that are rated by other rules than those of their closing, because somebody says so.

use std::collections::BTreeMap;

use crate::closing::{billed, close, land, refused, rental, rows, run_at};
use crate::sample::Sample;

fn rerate(sample: &Sample, period: &str) {
    run_at(sample, &["rerate", "--period", period, "--confirm", period, "--reason", "agreed before"]);
}

/// What is billed for each price, whatever the lines are called.
const BY_PRICE: &str = "select coalesce(corrected_period, billing_period), contract_id, price_id, sum(amount), \
                        sum(quantity) from invoice_line group by 1, 2, 3 \
                        having sum(amount) <> 0 or sum(quantity) <> 0 order by 1, 2, 3";

/// What is billed by a project that sees all at once, with the reference data of another.
fn billed_at_once(sample: &Sample, files: &[&str], landed: &[String]) -> BTreeMap<String, String> {
    let fresh = Sample::new();
    for file in files {
        fresh.write(file, &sample.read(file));
    }
    land(&fresh, "all.ndjson", &landed.concat());
    run_at(&fresh, &["run"]);
    billed(&fresh)
}

#[test]
fn a_price_that_reaches_back_is_applied_when_somebody_says_so() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let before = billed(&sample);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    run_at(&sample, &["run"]);
    let rentals = rows(&sample, "select sum(quantity) from billed_line where price_id = 'rental-2026'");
    let count: i64 = rentals[0].split('.').next().unwrap().parse().unwrap();
    let amount = match 25 * (count % 4) {
        0 => format!("{}", count / 4),
        cents => format!("{}.{cents:02}", count / 4),
    };
    assert_eq!(
        run_at(&sample, &["status", "--reach-back"]),
        format!(
            "# reach_back: what closed periods would be corrected by, rated by the rules of today\n\
             corrected_period,customers,lines,records,currency,amount\n2026-09,1,1,{count},EUR,{amount}\n"
        )
    );
    let why = ["--reason", "agreed in August", "--by", "anna"];
    let said = refused(&sample, &[&["rerate", "--period", "2026-09"][..], &why].concat());
    assert_eq!(said, "2 error: 2026-09 was not rated again: nobody confirmed it");
    assert_eq!(rows(&sample, "select count(*) from correction_line"), ["0"]);
    let shown =
        run_at(&sample, &[&["rerate", "--period", "2026-09", "--confirm", "2026-09"][..], &why].concat());
    assert_eq!(
        shown,
        format!(
            "# difference: corrections of the closed period that are not yet billed, by customer\n\
             customer_id,corrected_period,corrected_in,lines,amount,currency\n\
             ALPEN,2026-09,2026-10,1,{amount},EUR\n"
        )
    );
    let fresh = Sample::new();
    fresh.write("data/price.csv", &sample.read("data/price.csv"));
    run_at(&fresh, &["run"]);
    assert_eq!(billed(&sample), billed(&fresh));
    assert_ne!(billed(&sample), before);
    assert_eq!(
        rows(&sample, "select billing_period, rerated_by, reason from rerating"),
        ["2026-09,anna,agreed in August"]
    );
    // What comes late from now on is rated by the new price too.
    land(&sample, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "10"));
    run_at(&sample, &["run"]);
    land(&fresh, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "10"));
    run_at(&fresh, &["run"]);
    assert_eq!(billed(&sample), billed(&fresh));
    run_at(&sample, &["verify"]);
}

#[test]
fn another_price_or_payer_that_reaches_back_is_rated_again() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let september = "select coalesce(corrected_period, billing_period), customer_id, sum(amount) from invoice_line \
                     where currency = 'EUR' group by 1, 2 order by 1, 2";
    sample.replace("data/price.csv", "fleet_fee-2026,fleet_fee,flat,,49", "fleet_fee-new,fleet_fee,flat,,59");
    run_at(&sample, &["run"]);
    rerate(&sample, "2026-09");
    let fresh = Sample::new();
    fresh.write("data/price.csv", &sample.read("data/price.csv"));
    run_at(&fresh, &["run"]);
    assert_eq!(rows(&sample, september), rows(&fresh, september));
}

/// A car that belonged to somebody else: its usage leaves one contract and comes to another, and stays there when the
/// correction closes.
#[test]
fn usage_moves_to_the_contract_that_it_belongs_to_now() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let before = billed(&sample);
    let identifiers = "data/contract_identifier.csv";
    sample.replace(identifiers, "CON123,2026-09-01,2026-10-15", "CON123,2026-09-01,2026-09-12");
    sample.replace(identifiers, "CON124,2026-10-15,", "CON124,2026-09-12,");
    run_at(&sample, &["run"]);
    let of_september = |billed: &BTreeMap<String, String>| {
        let lines = billed.iter().filter(|(line, _)| line.starts_with("2026-09"));
        lines.map(|(line, sums)| format!("{line}: {sums}")).collect::<Vec<_>>()
    };
    assert_eq!(of_september(&billed(&sample)), of_september(&before), "a run does not move it");
    let said = run_at(&sample, &["status", "--reach-back"]);
    assert!(said.contains("\n2026-09,1,3,"), "{said}");
    rerate(&sample, "2026-09");
    let files = [identifiers];
    let truth = billed_at_once(&sample, &files, &[]);
    assert_ne!(of_september(&truth), of_september(&before));
    assert_eq!(billed(&sample), truth);
    let explained = run_at(&sample, &["explain", "--usage", "TR000025"]);
    assert!(explained.contains("counts for CON124-km in 2026-09"), "{explained}");
    assert!(explained.contains("rerated,CON123-km/2026-08-31T22:00/driven_km-2026/correction-2026-10"));
    assert!(explained.contains("rerated,CON124-km/2026-08-31T22:00/driven_km-2026/correction-2026-10"));
    // Somebody moves it back; that waits for another rerate, as the correction has closed.
    close(&sample, "2026-10");
    assert_eq!(billed(&sample), truth);
    sample.replace(identifiers, "CON123,2026-09-01,2026-09-12", "CON123,2026-09-01,2026-10-15");
    sample.replace(identifiers, "CON124,2026-09-12,", "CON124,2026-10-15,");
    let late =
        rental("late-1", "2026-09-20T12:00:00", "10").replace("WVWZZZ1KZAW000042", "SGZCZ43D13S812715");
    land(&sample, "late.ndjson", &late);
    run_at(&sample, &["void", "TR000025", "--reason", "test"]);
    run_at(&sample, &["run"]);
    let moved = "select contract_id, quantity from correction_line where billing_period = '2026-11' \
                 and line_id like '%km%' order by 1";
    assert_eq!(rows(&sample, moved).len(), 2, "late usage here, void usage there");
    run_at(&sample, &["restore", "TR000025", "--reason", "test"]);
    rerate(&sample, "2026-09");
    rerate(&sample, "2026-10");
    assert_eq!(billed(&sample), billed_at_once(&sample, &files, &[late]));
    run_at(&sample, &["verify"]);
    for run in 1..=9 {
        run_at(&sample, &["run", "--replay", &run.to_string()]);
    }
}

/// An item and a price that a closed period did not have.
#[test]
fn usage_that_waits_for_an_item_or_a_price_in_closed_books_is_rated_with_them() {
    let sample = Sample::new();
    let priced = "rental-2026,rental,per_unit,1.50,,arrears,none,2026-01-01,";
    sample.replace("data/price.csv", priced, &priced.replace("2026-01-01", "2026-09-10"));
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    sample.replace("data/price.csv", &priced.replace("2026-01-01", "2026-09-10"), priced);
    let video = "video-2026,video,per_unit,0.50,,arrears,none,2026-01-01,\n";
    sample.write("data/price.csv", &(sample.read("data/price.csv") + video));
    let item = "BYTE-video,BYTE-API,video,Video calls,video_call,quantity,,call,,contract,1,suspend,full,,,,,\
                2026-08-31T00:00:00-04:00,\n";
    sample.write("data/contract_item.csv", &(sample.read("data/contract_item.csv") + item));
    let late = "{\"transactionID\":\"V-1\",\"usageStart\":\"2026-09-15T12:00:00Z\",\"usageType\":\"video_call\",\
                \"quantity\":7,\"unit\":\"call\",\"accountID\":\"byte-prod\"}\n";
    land(&sample, "late.ndjson", late);
    run_at(&sample, &["run"]);
    let waiting =
        "select distinct suspense_reason from suspense where suspense_reason like '%books' order by 1";
    assert_eq!(rows(&sample, waiting), ["item not in the closed books", "no price in the closed books"]);
    rerate(&sample, "2026-09");
    assert!(rows(&sample, waiting).is_empty());
    let files = ["data/price.csv", "data/contract_item.csv"];
    assert_eq!(billed(&sample), billed_at_once(&sample, &files, &[late.into()]));
    run_at(&sample, &["verify"]);
}

/// Where late usage counts in the next period, it stays in that one when it is rated again.
#[test]
fn what_counted_in_the_next_period_stays_there() {
    let sample = Sample::new();
    sample.write("data/late_policy.csv", "usage_type,policy\nCarRentUsage,next_period\n");
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    land(&sample, "late.ndjson", &rental("late-1", "2026-09-20T12:00:00", "10"));
    run_at(&sample, &["run"]);
    close(&sample, "2026-10");
    let before = billed(&sample);
    rerate(&sample, "2026-10");
    rerate(&sample, "2026-09");
    assert_eq!(billed(&sample), before);
}

/// A contract that begins before anything was closed: its first months close after later ones, and September is rated
/// again with it.
#[test]
fn a_contract_that_reaches_back_beyond_the_first_closing_is_billed_in_full() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    let append = |file: &str, line: &str| sample.write(file, &(sample.read(file) + line));
    append("data/contract.csv", "OLD,ALPEN,EUR,Europe/Berlin,month,,,,,,2026-07-01,\n");
    append(
        "data/contract_item.csv",
        "OLD-fee,OLD,fleet_fee,Fleet management,,,,,,contract,1,suspend,full,,,,,2026-07-01,\n\
         OLD-rent,OLD,rental,Rentals,CarRentUsage,records,,rental,,contract,1,suspend,full,,,,,2026-07-01,\n",
    );
    append("data/contract_identifier.csv", "vin,OLDCAR,OLD,2026-07-01,\n");
    let usage = (7..=10).map(|month| {
        rental(&format!("old-{month}"), &format!("2026-{month:02}-20T12:00:00"), "10")
            .replace("WVWZZZ1KZAW000042", "OLDCAR")
    });
    let usage: String = usage.collect();
    land(&sample, "old.ndjson", &usage);
    run_at(&sample, &["run"]);
    close(&sample, "2026-07");
    close(&sample, "2026-08");
    rerate(&sample, "2026-09");
    close(&sample, "2026-10");
    let files = ["data/contract.csv", "data/contract_item.csv", "data/contract_identifier.csv"];
    assert_eq!(billed(&sample), billed_at_once(&sample, &files, &[usage]));
    assert_eq!(rows(&sample, "select count(distinct billing_period) from billed_line"), ["4"]);
    run_at(&sample, &["verify"]);
    run_at(&sample, &["run", "--replay", "6"]);
}

/// A calendar that changes under closed books: the new cycles wait with their customer until what they hold is rated
/// again.
#[test]
fn a_calendar_that_changes_parks_its_customer_until_closed_cycles_are_rated_again() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    close(&sample, "2026-10");
    sample.replace(
        "data/contract.csv",
        "BYTE-API,BYTE,USD,America/New_York,month",
        "BYTE-API,BYTE,USD,America/New_York,quarter",
    );
    run_at(&sample, &["run"]);
    let parked =
        |run: u32| sample.read(&format!("warehouse/ledger/0000000/{run:010}.json")).contains("\"BYTE\"");
    assert!(parked(4), "the quarter holds two closed months");
    let waiting = "select count(*) from suspense where suspense_reason = 'cycle not begun'";
    assert_ne!(rows(&sample, waiting), ["0"]);
    rerate(&sample, "2026-09");
    rerate(&sample, "2026-10");
    assert!(!parked(6));
    assert_eq!(rows(&sample, waiting), ["0"]);
    let fresh = Sample::new();
    fresh.write("data/contract.csv", &sample.read("data/contract.csv"));
    run_at(&fresh, &["run"]);
    assert_eq!(rows(&sample, BY_PRICE), rows(&fresh, BY_PRICE));
    run_at(&sample, &["verify"]);
}

/// A period that was rated again keeps the calendar it was rated by when an earlier one is, too: here it has the fee of
/// the next quarter, which is billed in advance.
#[test]
fn closed_periods_may_be_rated_again_newest_first() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    close(&sample, "2026-10");
    for contract in ["CON123", "CON124"] {
        let calendar = format!("{contract},ALPEN,EUR,Europe/Berlin,");
        sample.replace("data/contract.csv", &format!("{calendar}month"), &format!("{calendar}quarter"));
    }
    run_at(&sample, &["run"]);
    rerate(&sample, "2026-10");
    rerate(&sample, "2026-09");
    run_at(&sample, &["run"]);
    let fresh = Sample::new();
    fresh.write("data/contract.csv", &sample.read("data/contract.csv"));
    run_at(&fresh, &["run"]);
    assert_eq!(rows(&sample, BY_PRICE), rows(&fresh, BY_PRICE));
    run_at(&sample, &["verify"]);
}
