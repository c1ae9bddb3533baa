//! Eighteen months of yellow cabs: what `examples/taxi` bills by the tariff, against what the cabs took.
//!
//! Runs where the data is, and has to where METERHOUSE_REQUIRE_DATA is set. The shares that agree are pinned to the trip;
//! the example's README says what the others are.

use crate::real_data::RealData;
use crate::sample::{project, repository};

/// The true amounts are for comparison: no query that rates may read them.
#[test]
fn no_rating_reads_the_true_amounts() {
    let project = project(&repository().join("examples/taxi"));
    let readers: Vec<&str> = project
        .queries
        .values()
        .filter(|query| query.text.contains("true_"))
        .map(|query| query.name.as_str())
        .collect();
    assert_eq!(readers, ["trip_amount"]);
    let who_reads_it = project.queries.values().filter(|query| query.reads.contains_key("trip_amount"));
    assert_eq!(who_reads_it.count(), 0);
}

#[test]
fn taxi() {
    let Some(trips) = RealData::new("taxi", "nyc_tlc_yellow", "2019-07-01T12:00:00Z") else { return };
    every_trip_is_in_one_place(&trips);
    shares_that_agree(&trips);
    surcharges_follow_local_clocks(&trips);
    the_tariff_changes_on_the_first_of_february(&trips);
    // What is compared is what is billed.
    assert_eq!(
        trips.rows("select sum(amount) from invoice_line"),
        trips.rows("select sum(fare + extra + state_tax + improvement + congestion) from trip_amount")
    );
}

fn every_trip_is_in_one_place(trips: &RealData) {
    assert_eq!(
        trips.rows("select place, sum(record_count) from control_total group by place order by place"),
        ["filtered,161", "guided,179828", "received,180000", "rejected,2", "suspended,9"]
    );
    assert_eq!(
        trips.rows("select filter_rule, count(*) from usage_filtered group by filter_rule"),
        ["void,161"]
    );
    assert_eq!(
        trips.rows("select usage_type, count(*) from suspense group by usage_type order by usage_type"),
        ["trip/rate code 6,2", "trip/rate code 99,7"]
    );
    // In the hour that clocks repeat, a drop-off seems to be before its pick-up.
    assert_eq!(
        trips.rows(
            "select reject_reason, count(*) from usage_rejected
            where raw_text like '%2018-11-04 01:%,2018-11-04 01:%' group by reject_reason"
        ),
        ["`usage_end` is before `usage_start`,2"]
    );
    assert!(
        trips.report().contains(
            "file_period,billing_period,trips\n\
             2018-11,2018-10,3\n2018-12,2018-11,2\n2019-03,2019-04,1\n2019-05,2019-04,1\n"
        ),
        "{}",
        trips.report()
    );
}

fn shares_that_agree(trips: &RealData) {
    let printed: Vec<&str> = trips
        .report()
        .lines()
        .skip_while(|line| !line.starts_with("part,trips,"))
        .skip(1)
        .take_while(|line| line.split(',').next_back().is_some_and(|percent| percent.parse::<f64>().is_ok()))
        .collect();
    let shares: Vec<(String, String, String)> = printed
        .iter()
        .map(|line| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let row = reader.records().next().unwrap().unwrap();
            (row[0].to_string(), row[1].to_string(), row[4].to_string())
        })
        .collect();
    let expected = [
        ("flat fare to JFK", "4258", "4257"),
        ("extra: night and peak", "179828", "177825"),
        ("state tax", "179828", "179340"),
        ("improvement surcharge", "179828", "179766"),
        ("congestion surcharge, from 2019-02-01", "49924", "48703"),
        ("extra, tax and surcharges together", "179828", "176241"),
        ("metered fare within its bounds, trip/nassau_westchester", "144", "76"),
        ("metered fare within its bounds, trip/newark", "382", "376"),
        ("metered fare within its bounds, trip/standard", "174193", "173362"),
    ];
    assert_eq!(
        shares,
        expected.map(|(part, trips, agree)| (part.into(), trips.into(), agree.into())),
        "{printed:?}"
    );
}

fn surcharges_follow_local_clocks(trips: &RealData) {
    let rows = trips.rows(
        "select
            min(extract(hour from local_time(usage_start, 'America/New_York'))),
            max(extract(hour from local_time(usage_start, 'America/New_York'))),
            max(extract(isodow from local_time(usage_start, 'America/New_York')))
        from guided_usage where product_id = 'peak'",
    );
    assert_eq!(rows, ["16,19,5"]);
    let holidays = trips.rows(
        "select count(*) from guided_usage
        inner join holiday
            on local_date(guided_usage.usage_start, 'America/New_York') = holiday.holiday_date
        where guided_usage.product_id in ('peak', 'jfk_peak')",
    );
    assert_eq!(holidays, ["0"]);
}

fn the_tariff_changes_on_the_first_of_february(trips: &RealData) {
    let rows = trips.rows(
        "select min(billing_period), count(*), sum(amount) = 2.5 * sum(record_count)
        from invoice_line where price_id = 'congestion'",
    );
    assert!(rows[0].starts_with("2019-02,") && rows[0].ends_with(",true"), "{rows:?}");
    let first_day = trips.rows(
        "select count(*), sum(case when congestion = true_congestion then 1 else 0 end)
        from trip_amount where local_date(usage_start, 'America/New_York') = date '2019-02-01'",
    );
    assert_eq!(first_day, ["409,47"]);
}

/// Four trips of one vendor, two of them taken back: one before and one after its void.
#[test]
fn a_void_takes_its_trip_back_in_whatever_order() {
    let data = tempfile::TempDir::new().unwrap();
    let head = "vendor_id,pickup_datetime,dropoff_datetime,passenger_count,trip_distance,rate_code_id,\
                store_and_fwd_flag,pickup_location_id,dropoff_location_id,payment_type,fare_amount,extra,mta_tax,\
                tip_amount,tolls_amount,improvement_surcharge,total_amount,congestion_surcharge";
    let trip = |day: u32, total: &str| {
        let sign = if total.starts_with('-') { "-" } else { "" };
        format!(
            "2,2018-01-{day:02} 11:24:44,2018-01-{day:02} 11:35:02,1,1.65,1,N,230,237,1,{sign}8.5,0.0,{sign}0.5,0.0,0.0,\
             {sign}0.3,{total},"
        )
    };
    let rows =
        [trip(8, "9.3"), trip(9, "9.3"), trip(9, "-9.3"), trip(10, "-9.3"), trip(10, "9.3"), trip(11, "9.3")];
    std::fs::create_dir(data.path().join("nyc_tlc_yellow")).unwrap();
    let file = std::fs::File::create(data.path().join("nyc_tlc_yellow/trips.csv.gz")).unwrap();
    let mut file = flate2::write::GzEncoder::new(file, Default::default());
    std::io::Write::write_all(&mut file, format!("{head}\n{}\n", rows.join("\n")).as_bytes()).unwrap();
    file.finish().unwrap();
    let trips = RealData::of("taxi", data.path().to_path_buf(), "2018-03-01T12:00:00Z");
    assert_eq!(
        trips.rows("select place, sum(record_count) from control_total group by place order by place"),
        ["filtered,2", "guided,2", "received,6", "void,2"]
    );
    assert_eq!(
        trips.rows("select distinct cast(usage_start as date) from guided_usage order by 1"),
        ["2018-01-08", "2018-01-11"]
    );
}
