//! What people decide is kept once, however often it is typed.

use crate::closing::{close, land, refused, rental, rows, run_at};
use crate::sample::Sample;

const DECISIONS: &str =
    "select decision, transaction_id, hold_name, reason from usage_decision order by decision_number";

/// What a command says to a person.
fn said(sample: &Sample, arguments: &[&str]) -> String {
    let output = sample.meterhouse(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn what_is_typed_twice_is_decided_once() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    let void = ["void", "TR000001", "TR000002", "TR000001", "--reason", "wrong car"];
    assert!(said(&sample, &void).starts_with("2 void\n"));
    let again = said(&sample, &["void", "TR000001", "TR000003", "--reason", "wrong car"]);
    assert!(again.starts_with("TR000001 is void already\n1 void\n"), "{again}");
    run_at(&sample, &["run"]);
    assert_eq!(
        said(&sample, &void),
        "TR000001 is void already\nTR000002 is void already\nnext: meterhouse run\n"
    );
    let restore = ["restore", "TR000001", "--reason", "it was right"];
    assert!(said(&sample, &restore).starts_with("1 restored\n"));
    assert_eq!(said(&sample, &restore), "TR000001 is restored already\nnext: meterhouse run\n");
    run_at(&sample, &["run"]);
    assert_eq!(said(&sample, &restore), "TR000001 is restored already\nnext: meterhouse run\n");
    let write_off = ["write-off", "TR900004", "--reason", "the meter was broken"];
    assert!(said(&sample, &write_off).starts_with("1 written off\n"));
    assert_eq!(said(&sample, &write_off), "TR900004 is written off already\nnext: meterhouse run\n");
    run_at(&sample, &["run"]);
    assert_eq!(said(&sample, &write_off), "TR900004 is written off already\nnext: meterhouse run\n");
    let decided = [
        "void,TR000001,,wrong car",
        "void,TR000002,,wrong car",
        "void,TR000003,,wrong car",
        "restore,TR000001,,it was right",
        "write_off,TR900004,,the meter was broken",
    ];
    assert_eq!(rows(&sample, DECISIONS), decided);
    // Another decision is one: who amends it, and back and forth.
    run_at(&sample, &["void", "TR000002", "--replaced-by", "TR000004", "--reason", "wrong car"]);
    run_at(&sample, &["void", "TR000001", "--reason", "wrong after all"]);
    assert_eq!(rows(&sample, DECISIONS).len(), decided.len() + 2);
    // What lands later under the same id is another record.
    land(&sample, "again.ndjson", &rental("TR000003", "2026-09-03T12:45:00", "10"));
    let later = said(&sample, &["void", "TR000003", "--reason", "wrong car"]);
    assert!(later.starts_with("1 void\n"), "{later}");
    let never = refused(&sample, &["restore", "TR000005", "--reason", "x"]);
    assert_eq!(never, "2 error: TR000005 is neither void nor written off");
}

#[test]
fn a_batch_ends_once() {
    let sample = Sample::new();
    for (name, end, done) in [("one", "release", "released"), ("two", "discard", "discarded")] {
        let file = sample.path().join(format!("{name}.ndjson"));
        std::fs::write(&file, rental(name, "2026-10-20T12:00:00", "100")).unwrap();
        run_at(&sample, &["land", file.to_str().unwrap(), "--hold", name, "--reason", "new meter"]);
        run_at(&sample, &[end, name, "--reason", "looked at"]);
        let again = said(&sample, &[end, name, "--reason", "looked at"]);
        assert_eq!(again, format!("the batch {name} is {done} already\nnext: meterhouse run\n"));
    }
    let decided = rows(&sample, "select decision, hold_name from usage_decision order by decision_number");
    assert_eq!(decided, ["hold,one", "release,one", "hold,two", "discard,two"]);
    let other = refused(&sample, &["discard", "one", "--reason", "x"]);
    assert_eq!(other, "2 error: the batch one was released");
}

/// Whoever types it again after the program was killed does not know that it was published.
#[test]
fn a_period_is_rated_again_once_by_the_same_rules() {
    let sample = Sample::new();
    run_at(&sample, &["run"]);
    close(&sample, "2026-09");
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.50", "rental-2026,rental,per_unit,1.75");
    let rerate = ["rerate", "--period", "2026-09", "--confirm", "2026-09", "--reason", "agreed in August"];
    run_at(&sample, &rerate);
    let billed = "select line_id, amount from invoice_line order by 1";
    let (ratings, lines) =
        ("select rerate_number, billing_period, reason from rerating", rows(&sample, billed));
    for _ in 0..3 {
        run_at(&sample, &rerate);
    }
    assert_eq!(rows(&sample, ratings), ["1,2026-09,agreed in August"]);
    assert_eq!(rows(&sample, billed), lines);
    sample.replace("data/price.csv", "rental-2026,rental,per_unit,1.75", "rental-2026,rental,per_unit,1.80");
    run_at(&sample, &rerate);
    assert_eq!(rows(&sample, ratings).len(), 2);
    assert_ne!(rows(&sample, billed), lines);
    run_at(&sample, &["verify"]);
}
