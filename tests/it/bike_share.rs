//! A year of bike-share trips: what `examples/bike_share` bills is what the operator's rule says, trip by trip.
//!
//! Runs where the data is, and has to where METERHOUSE_REQUIRE_DATA is set. The rule is computed here a second time, from
//! the seconds that landed, in whole numbers; its sum over all trips was known before.

use std::collections::BTreeMap;

use crate::real_data::RealData;

/// Trips in the file.
const TRIPS: usize = 326_339;

/// What a trip costs by the operator's rule [USD].
fn overtime(seconds: u64) -> u64 {
    match seconds.div_ceil(1800) {
        0 | 1 => 0,
        half_hours => (4 + 7 * (half_hours - 2)).min(150),
    }
}

#[test]
fn the_rule() {
    let costs = [(60, 0), (1800, 0), (1801, 4), (3600, 4), (3601, 11), (39_600, 144), (39_601, 150)];
    for (seconds, cost) in costs {
        assert_eq!(overtime(seconds), cost, "{seconds} s");
    }
}

#[test]
fn bike_share() {
    let Some(trips) = RealData::new("bike_share", "babs_2014", "2015-01-02T00:00:00Z") else { return };
    every_trip_costs_what_the_rule_says(&trips);
    months_are_local(&trips);
    nights_in_which_clocks_change(&trips);
    // Every record is in one place.
    assert_eq!(
        trips.rows("select place, sum(record_count) from control_total group by place order by place"),
        [format!("guided,{TRIPS}"), format!("received,{TRIPS}")]
    );
    // What a run says at its end.
    assert!(
        trips.report().contains(
            "plan,trips,with_overtime,at_the_limit,amount,amount_by_rule,percent_that_agrees\n\
             subscriber,277763,1883,113,56461,56461,100\n\
             visitor,48576,15041,548,413697,413697,100\n"
        ),
        "{}",
        trips.report()
    );
}

fn every_trip_costs_what_the_rule_says(trips: &RealData) {
    let rows = trips.fields(
        "select
            cast(usage_record.quantity as bigint),
            cast(usage_statement.amount as decimal(18, 2)),
            usage_statement.transaction_id
        from usage_statement
        inner join usage_record
            on usage_statement.landing_sequence = usage_record.landing_sequence",
    );
    assert_eq!(rows.len(), TRIPS);
    let mut total = 0;
    let mut with_overtime = 0;
    for row in rows {
        let amount = overtime(row[0].parse().unwrap());
        assert_eq!(row[1], amount.to_string(), "trip {}, {} s", row[2], row[0]);
        total += amount;
        with_overtime += u64::from(amount > 0);
    }
    assert_eq!((total, with_overtime), (470_158, 16_924));
}

fn months_are_local(trips: &RealData) {
    let cycles = trips.rows(
        "select billing_period, cycle_start, cycle_end from billing_cycle
        where contract_id = 'visitor' and billing_period in ('2014-03', '2014-11')
        order by cycle_start",
    );
    assert_eq!(
        cycles,
        [
            "2014-03,2014-03-01T08:00:00Z,2014-04-01T07:00:00Z",
            "2014-11,2014-11-01T07:00:00Z,2014-12-01T08:00:00Z",
        ]
    );
    let moved = trips.rows(
        "select count(*) from guided_usage
        where billing_period <> local_period(usage_start, 'UTC')",
    );
    assert_eq!(moved, ["3053"]);
    let by_month: BTreeMap<String, String> = trips
        .fields(
            "select billing_period, cast(sum(amount) as bigint) from invoice_line group by billing_period",
        )
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(by_month.len(), 12, "{by_month:?}");
    assert_eq!((by_month["2014-03"].as_str(), by_month["2014-11"].as_str()), ("37784", "24703"));
}

/// Two trips of that night have clock times an hour off their `duration`, which is what counts.
fn nights_in_which_clocks_change(trips: &RealData) {
    let rows = trips.rows(
        "select
            usage_statement.transaction_id,
            cast(usage_record.quantity as bigint),
            cast(usage_statement.amount as bigint)
        from usage_statement
        inner join usage_record
            on usage_statement.landing_sequence = usage_record.landing_sequence
        where usage_statement.usage_start >= '2014-11-02T07:00:00Z'
            and usage_statement.usage_start < '2014-11-02T10:00:00Z'
            and abs(
                (cast(usage_record.usage_end as bigint) - cast(usage_record.usage_start as bigint))
                / 1000000 - cast(usage_record.quantity as bigint)
            ) > 60
        order by usage_statement.usage_start",
    );
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].ends_with(",4735,11"), "{rows:?}");
    assert!(rows[1].ends_with(",241,0"), "{rows:?}");
}
