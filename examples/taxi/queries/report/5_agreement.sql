-- agreement: the tariff against what the cabs took, and which share agrees
with compared as (
    select
        1 as part_number,
        'flat fare to JFK' as part,
        trip_amount.fare as amount,
        trip_amount.true_fare as true_amount,
        trip_amount.fare = trip_amount.true_fare as agrees
    from trip_amount
    where trip_amount.usage_type = 'trip/jfk'

    union all

    select
        2 as part_number,
        'extra: night and peak' as part,
        trip_amount.extra as amount,
        trip_amount.true_extra as true_amount,
        trip_amount.extra = trip_amount.true_extra as agrees
    from trip_amount

    union all

    select
        3 as part_number,
        'state tax' as part,
        trip_amount.state_tax as amount,
        trip_amount.true_state_tax as true_amount,
        trip_amount.state_tax = trip_amount.true_state_tax as agrees
    from trip_amount

    union all

    select
        4 as part_number,
        'improvement surcharge' as part,
        trip_amount.improvement as amount,
        trip_amount.true_improvement as true_amount,
        trip_amount.improvement = trip_amount.true_improvement as agrees
    from trip_amount

    union all

    select
        5 as part_number,
        'congestion surcharge, from 2019-02-01' as part,
        trip_amount.congestion as amount,
        trip_amount.true_congestion as true_amount,
        trip_amount.congestion = trip_amount.true_congestion as agrees
    from trip_amount
    where trip_amount.usage_start >= '2019-02-01T05:00:00Z'

    union all

    select
        6 as part_number,
        'extra, tax and surcharges together' as part,
        trip_amount.extra
        + trip_amount.state_tax
        + trip_amount.improvement
        + trip_amount.congestion as amount,
        trip_amount.true_extra
        + trip_amount.true_state_tax
        + trip_amount.true_improvement
        + trip_amount.true_congestion as true_amount,
        trip_amount.extra = trip_amount.true_extra
        and trip_amount.state_tax = trip_amount.true_state_tax
        and trip_amount.improvement = trip_amount.true_improvement
        and trip_amount.congestion = trip_amount.true_congestion as agrees
    from trip_amount

    union all

    select
        7 as part_number,
        concat('metered fare within its bounds, ', trip_amount.usage_type)
            as part,
        trip_amount.fare as amount,
        trip_amount.true_fare as true_amount,
        trip_amount.true_fare >= trip_amount.fare_from
        and trip_amount.true_fare <= trip_amount.fare_to as agrees
    from trip_amount
    where trip_amount.fare_from <> trip_amount.fare_to
)

select
    compared.part,
    count(*) as trips,
    sum(compared.amount) as amount,
    sum(compared.true_amount) as true_amount,
    sum(case when compared.agrees then 1 else 0 end) as trips_that_agree,
    cast(
        cast(
            100 * sum(case when compared.agrees then 1 else 0 end)
            as decimal(38, 12)
        ) / count(*) as decimal(9, 3)
    ) as percent_that_agrees
from compared
group by
    compared.part_number,
    compared.part
order by
    compared.part_number,
    compared.part
