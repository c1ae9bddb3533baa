//! The law of incremental refresh: whatever happens, after each run every table has the rows that it has when all of it
//! is made again, row for row.

use std::ops::Range;
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::closing::{close, land, rows, run_at};
use crate::life::{Done, Life, Step, step};
use crate::terms::{CUSTOMERS, Terms, blank};

/// For how many minutes other histories are tried; without it, a few.
const MINUTES: &str = "METERHOUSE_HISTORY_MINUTES";

/// A history: with whom it begins, whether with much usage, and its steps.
#[derive(Debug, Clone)]
struct History {
    customers: Vec<Index>,
    has_much: bool,
    steps: Vec<Step>,
}

/// Histories of so many steps; this share of them begins with much usage.
fn history(steps: Range<usize>, much: f64) -> impl Strategy<Value = History> {
    let customers = prop::collection::vec(any::<Index>(), 1..12);
    (customers, prop::bool::weighted(much), prop::collection::vec(step(), steps))
        .prop_map(|(customers, has_much, steps)| History { customers, has_much, steps })
}

/// Lives one history.
fn live(done: &mut Done, history: &History) -> Result<(), TestCaseError> {
    done.histories += 1;
    let mut life = Life::of(&history.customers, done);
    if history.has_much {
        life.land_much();
    }
    for step in &history.steps {
        life.step(step)?;
    }
    let (is_right, said) = life.tried(&["verify"]);
    prop_assert!(is_right, "{}", said);
    Ok(())
}

/// Tries a history for each seed, until the time is over.
fn try_all(
    seeds: impl Iterator<Item = u64>,
    minutes: Option<u64>,
    histories: impl Strategy<Value = History>,
) -> Done {
    let (started, mut done) = (Instant::now(), Done::default());
    for seed in seeds {
        if minutes.is_some_and(|minutes| started.elapsed().as_secs() > 60 * minutes) {
            break;
        }
        let config = Config {
            cases: 1,
            rng_seed: RngSeed::Fixed(seed),
            // What is repeated takes long: rather a long history that fails than none that is told.
            max_shrink_time: 300_000,
            failure_persistence: None,
            ..Config::default()
        };
        let counted = std::cell::RefCell::new(&mut done);
        let outcome =
            TestRunner::new(config).run(&histories, |history| live(&mut counted.borrow_mut(), &history));
        eprintln!("seed {seed}, {} s: {done:?}", started.elapsed().as_secs());
        outcome.unwrap();
    }
    done
}

/// A run sees late usage of one customer, whose closed period it rates again, and new usage of another: both have
/// changed what reads closed and open periods.
#[test]
fn what_was_rated_again_is_a_change_beside_others() {
    let sample = blank();
    let is_there = |name: &str| ["grid", "plans"].contains(&name);
    Terms::of((0..CUSTOMERS.len()).filter(|number| is_there(CUSTOMERS[*number].0))).write(&sample);
    let record = |id: &str, customer: &str, start: &str| {
        format!(
            "{{\"transaction_id\":\"{id}\",\"usage_type\":\"{customer}\",\"contract_id\":\"{customer}\",\
             \"usage_start\":\"{start}\",\"region\":\"eu\",\"quantity\":5}}\n"
        )
    };
    let run = ["--set", "engine.update_percent=100", "run"];
    for number in 1..=2 {
        let text = record(&format!("a{number}"), "grid", "2026-09-20T10:00:00Z")
            + &record(&format!("b{number}"), "plans", "2026-10-20T10:00:00Z");
        land(&sample, &format!("{number}.ndjson"), &text);
        run_at(&sample, &run);
        if number == 1 {
            close(&sample, "2026-09");
        }
    }
    let measured = "select contract_item_id, record_count from measured_usage order by contract_item_id";
    assert_eq!(rows(&sample, measured), ["grid,2", "plans,2"]);
    run_at(&sample, &["run", "--replay", "3"]);
}

/// Landings in any split and order, records that come again, late or broken, voids, holds and releases, changes of every
/// reference table and of queries, customers who come and go, cycles that begin, closings, rating again and kills: after
/// each step all is made again, with other threads, batches and memory.
///
/// `METERHOUSE_HISTORY_MINUTES` tries others for so long, from `PROPTEST_RNG_SEED` on; with `--nocapture` it tells how
/// many.
#[test]
fn every_table_has_the_rows_of_one_that_is_made_whole() {
    let done = match std::env::var(MINUTES) {
        Ok(minutes) => {
            let seed = std::env::var("PROPTEST_RNG_SEED").map_or(1, |seed| seed.parse().unwrap());
            try_all(seed.., Some(minutes.parse().unwrap()), history(8..40, 0.1))
        }
        Err(_) => try_all(1..3, None, history(7..8, 0.0)),
    };
    assert!(done.updated > done.steps && done.published > done.steps / 2, "{done:?}");
}
