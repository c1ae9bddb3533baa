//! Events: each crossing is one, whoever looks again and for whatever reason.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::sample::Sample;
use crate::vacuum::age;

/// A contract with a quota of 10 calls a month, and somebody who wants to know of 80 and 100 percent.
pub fn project() -> Sample {
    let sample = Sample::blank();
    sample.write(
        "data/contract.csv",
        "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from\n\
         K,ALPEN,EUR,UTC,month,2026-06-01T00:00:00Z\n",
    );
    sample.write(
        "data/contract_item.csv",
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,quota_id,valid_from\n\
         i,K,p,Calls,call,quantity,calls,2026-06-01T00:00:00Z\n",
    );
    sample.write("data/quota.csv", "quota_id,included_quantity,valid_from\ncalls,10,2026-01-01\n");
    sample.write("data/quota_threshold.csv", "quota_id,used_percent\ncalls,80\ncalls,100\n");
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,2,2026-01-01\n",
    );
    sample
}

/// Lands a record of calls on a day of June.
pub fn land(sample: &Sample, id: &str, day: u32, quantity: u32) {
    let record = format!(
        "{{\"transaction_id\": \"{id}\", \"usage_type\": \"call\", \"usage_start\": \"2026-06-{day:02}T08:00:00Z\", \
         \"contract_id\": \"K\", \"quantity\": {quantity}}}\n"
    );
    let file = format!("{id}.ndjson");
    sample.write(&file, &record);
    sample.ok(&["land", sample.path().join(file).to_str().unwrap()]);
}

fn run(sample: &Sample) {
    sample.ok(&["run"]);
}

/// The same as of another time.
fn at(sample: &Sample, as_of: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .args(["--as-of", as_of])
        .args(arguments)
        .current_dir(sample.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Kind, the last part of the key, and the ordinal of all events behind a number.
fn events(sample: &Sample, after: usize) -> Vec<String> {
    let query = format!(
        "select kind || ' ' || split_part(event_key, '/', -1) || ' ' || ordinal from event \
         where event_number > {after} order by event_number"
    );
    sample.rows(&query)
}

#[test]
fn a_quota_that_is_reached_is_an_event_and_so_is_what_takes_it_back() {
    let sample = project();
    land(&sample, "a", 2, 7);
    run(&sample);
    assert_eq!(events(&sample, 0), Vec::<String>::new());
    land(&sample, "b", 3, 1);
    run(&sample);
    assert_eq!(events(&sample, 0), ["quota_reached 080%2E00 1"]);
    land(&sample, "c", 4, 5);
    run(&sample);
    assert_eq!(events(&sample, 1), ["quota_reached 100%2E00 1"]);
    // Both are taken back, and reached again.
    sample.ok(&["void", "c", "--reason", "x"]);
    sample.ok(&["void", "b", "--reason", "x"]);
    run(&sample);
    assert_eq!(events(&sample, 2), ["quota_reached 080%2E00 2", "quota_reached 100%2E00 2"]);
    land(&sample, "d", 5, 3);
    run(&sample);
    assert_eq!(events(&sample, 4), ["quota_reached 080%2E00 3", "quota_reached 100%2E00 3"]);
    // Nothing is told twice: not by a run that finds nothing, not for a reason of its own.
    run(&sample);
    land(&sample, "e", 6, 1);
    run(&sample);
    sample.ok(&["run", "--replay", "6"]);
    assert_eq!(events(&sample, 6), Vec::<String>::new());
    // What ended says what was true when it was told.
    let told = sample.rows("select data from event where ordinal = 2 and event_key like '%080%'");
    assert!(told[0].contains("\"\"used_quantity\"\":\"\"8\"\""), "{told:?}");
    let whom = sample.rows("select distinct customer_id from event");
    assert_eq!(whom, ["ALPEN"]);
    sample.ok(&["verify"]);
}

#[test]
fn closing_is_an_event_and_so_is_each_correction() {
    let sample = project();
    land(&sample, "a", 2, 12);
    run(&sample);
    let before = events(&sample, 0).len();
    sample.ok(&["close", "--period", "2026-06", "--confirm", "2026-06", "--by", "anna"]);
    assert_eq!(events(&sample, before), ["period_closed 2026-06 1"]);
    land(&sample, "late", 3, 5);
    run(&sample);
    assert_eq!(events(&sample, before + 1), ["correction_issued 10%2E000000000000 1"]);
    // While the period that carries it is open, it may become another one.
    land(&sample, "later", 4, 1);
    run(&sample);
    assert_eq!(
        events(&sample, before + 2),
        ["correction_issued 10%2E000000000000 2", "correction_issued 12%2E000000000000 1"]
    );
    // When it is billed it stays issued.
    sample.ok(&["close", "--period", "2026-07", "--confirm", "2026-07", "--by", "anna"]);
    assert_eq!(events(&sample, before + 4), ["period_closed 2026-07 1"]);
    sample.replace("data/price.csv", "per_unit,2", "per_unit,3");
    sample.ok(&["rerate", "--period", "2026-06", "--confirm", "2026-06", "--reason", "x", "--by", "anna"]);
    assert_eq!(events(&sample, before + 5), ["correction_issued 8%2E000000000000 1"]);
    run(&sample);
    assert_eq!(events(&sample, before + 6), Vec::<String>::new());
}

#[test]
fn what_the_clock_brings_about_is_told_when_somebody_looks() {
    let sample = project();
    sample.write("data/silence_limit.csv", "source,silent_hours\nusage,2\nnever_heard,1\n");
    sample.write("data/close_limit.csv", "limit_name,limit_value\nsuspense_records,0\nsuspense_days,3\n");
    land(&sample, "a", 2, 12);
    at(&sample, "2026-06-02T09:00:00Z", &["run"]);
    let look = |as_of: &str| at(&sample, as_of, &["events", "--look", "--format", "csv"]);
    let seen = events(&sample, 0).len();
    look("2026-06-02T10:00:00Z");
    assert_eq!(events(&sample, seen), ["source_silent never_heard 1"]);
    look("2026-06-02T10:00:01Z");
    assert_eq!(events(&sample, seen + 1), ["source_silent usage 1"]);
    // It is heard again, without any run.
    land(&sample, "b", 3, 1);
    look("2026-06-03T09:00:00Z");
    assert_eq!(events(&sample, seen + 2), ["source_silent usage 2"]);
    look("2026-06-03T09:00:00Z");
    look("2026-07-01T00:00:00Z");
    assert_eq!(events(&sample, seen + 3), ["period_due 2026-06 1", "source_silent usage 3"]);
    // What such a look publishes has nothing but events: the next run finds what it would have found.
    let plan = at(&sample, "2026-06-02T09:00:00Z", &["--format", "csv", "plan"]);
    assert!(plan.contains("usage_record"), "{plan}");
    // A record that cannot be placed waits: at once more than nothing, and in four days too long.
    land(&sample, "x", 30, 1);
    sample.replace("x.ndjson", "\"K\"", "\"nobody\"");
    sample.replace("x.ndjson", "\"x\"", "\"y\"");
    sample.ok(&["land", sample.path().join("x.ndjson").to_str().unwrap()]);
    let seen = events(&sample, 0).len();
    at(&sample, "2026-07-01T00:00:00Z", &["run"]);
    assert_eq!(events(&sample, seen), ["suspense_over_limit 0%2E000000 1"]);
    look("2026-07-01T00:00:00Z");
    assert_eq!(events(&sample, seen + 1), Vec::<String>::new());
    look("2026-07-05T00:00:00Z");
    assert_eq!(events(&sample, seen + 1), ["suspense_too_old 3%2E000000 1"]);
    // It can be repeated as any run can.
    let newest = sample.rows("select max(run) from event");
    sample.ok(&["run", "--replay", &newest[0]]);
}

#[test]
fn many_looks_leave_few_files() {
    let sample = project();
    sample.write("data/silence_limit.csv", "source,silent_hours\nusage,2\n");
    land(&sample, "a", 2, 1);
    at(&sample, "2026-06-02T09:00:00Z", &["run"]);
    for _ in 0..10 {
        at(&sample, "2026-06-02T12:00:00Z", &["events", "--look"]);
        at(&sample, "2026-06-02T09:00:00Z", &["events", "--look"]);
    }
    let counted =
        sample.rows("select count(*), min(event_number), max(event_number), max(ordinal) from event");
    assert_eq!(counted, ["20,1,20,20"]);
    let delta = sample.path().join("warehouse/event/_delta_log");
    let (mut added, mut removed) = (0, 0);
    for entry in std::fs::read_dir(delta).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            let text = std::fs::read_to_string(path).unwrap();
            added += text.lines().filter(|line| line.starts_with("{\"add\"")).count();
            removed += text.lines().filter(|line| line.starts_with("{\"remove\"")).count();
        }
    }
    assert_eq!(added, 20, "one file each time");
    assert_eq!(added - removed, 4, "16 of them became one");
    age(&sample.path().join("warehouse"));
    sample.ok(&["vacuum"]);
    let files = glob::glob(&format!("{}/warehouse/event/*.parquet", sample.path().display())).unwrap();
    assert_eq!(files.count(), 4, "what was merged is let go");
    assert_eq!(sample.rows("select count(*), max(ordinal) from event"), ["20,20"]);
}

#[test]
fn a_look_that_somebody_else_forestalls_leaves_nothing_behind() {
    let sample = project();
    sample.write("data/silence_limit.csv", "source,silent_hours\nusage,2\n");
    land(&sample, "a", 2, 1);
    at(&sample, "2026-06-02T09:00:00Z", &["run"]);
    let (mut looked, mut forestalled) = (0, 0);
    // At 12 the source is silent, and at 9 it is not yet; fewer events than would have their files merged.
    for as_of in ["2026-06-02T12:00:00Z", "2026-06-02T09:00:00Z"].into_iter().cycle().take(12) {
        let look = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
            command.args(["--as-of", as_of, "events", "--look"]).current_dir(sample.path());
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let looks: Vec<_> = (0..4).map(|_| look()).collect();
        forestalled +=
            looks.into_iter().filter_map(|mut look| (!look.wait().unwrap().success()).then_some(())).count();
        looked += 1;
        if forestalled > 2 {
            break;
        }
    }
    assert!(forestalled > 0, "each of 4 looks at once came alone");
    assert_eq!(sample.rows("select count(*) from event"), [looked.to_string()]);
    let files = glob::glob(&format!("{}/warehouse/event/*.parquet", sample.path().display())).unwrap();
    assert_eq!(files.count(), looked, "an event is a file");
}

#[test]
fn events_are_followed_as_they_are_published() {
    let sample = project();
    land(&sample, "a", 2, 8);
    run(&sample);
    let mut following = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .args(["events", "--follow"])
        .current_dir(sample.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["specversion"], "1.0");
    assert_eq!(first["type"], "meterhouse.quota_reached");
    assert_eq!(first["id"], "quota_reached/calls/contract/K/2026-06-01T00:00:00Z/080%2E00/1");
    assert_eq!(first["data"]["used_quantity"], "8");
    assert_eq!(first["data"]["has_access"], true);
    sample.ok(&["void", "a", "--reason", "x"]);
    run(&sample);
    let ended = next();
    assert_eq!(ended["type"], "meterhouse.quota_reached.ended");
    assert_eq!(ended["subject"], first["subject"]);
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn who_hands_over_by_schedule_has_no_events() {
    let sample = project();
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[events]\nhand_over = \"schedule\"\n"));
    land(&sample, "a", 2, 8);
    run(&sample);
    assert_eq!(events(&sample, 0), Vec::<String>::new());
    let (_, said) = sample.fails(&["--set", "events.hand_over=never", "run"]);
    assert!(said.contains("unknown variant `never`"), "{said}");
    // Who wants them later is told what holds then.
    sample.ok(&["--set", "events.hand_over=both", "run"]);
    assert_eq!(events(&sample, 0), ["quota_reached 080%2E00 1"]);
}

#[test]
fn an_event_query_says_which_one_of_its_kind_a_row_is() {
    let sample = project();
    let query = "-- calls: how many?\n--\n-- grain:  event_key\n-- reads:  usage\n\n\
                 select usage.contract_id as event_key, count(*) as calls from usage group by usage.contract_id\n";
    sample.write("queries/event/calls.sql", query);
    let (_, said) = sample.fails(&["check"]);
    assert!(said.contains("queries/event/calls.sql") && said.contains("event_key"), "{said}");
    sample.write("queries/event/calls.sql", &query.replace("usage.contract_id as", "make_array('x') as"));
    land(&sample, "a", 2, 8);
    run(&sample);
    land(&sample, "b", 3, 8);
    sample
        .write("b2.ndjson", &sample.read("b.ndjson").replace("\"b\"", "\"c\"").replace("\"K\"", "\"other\""));
    sample.ok(&["land", sample.path().join("b2.ndjson").to_str().unwrap()]);
    let (_, said) = sample.fails(&["run"]);
    assert!(said.contains("event `calls`: two rows have the key x"), "{said}");
}
