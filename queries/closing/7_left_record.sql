-- left_record: which records of the landings that closed books have reached does the
-- closing leave out?
--
-- grain:  landing_sequence, closed_in
-- reads:  closed_period, closed_total, billed_usage, usage_record, left_record
-- rule:   of a landing that it is the first to reach all that it does not take, of
--         the others what the closing before it had left

with closing as (
    select
        closed_period.billing_period,
        max(closed_period.close_number) over () - closed_period.close_number as age
    from closed_period
),

reached as (
    select
        closed_total.landing_id,
        max(closing.age) = 0 as is_first
    from closed_total
    inner join closing
        on closed_total.closed_in = closing.billing_period
    group by closed_total.landing_id
    having min(closing.age) = 0
),

open_before as (
    select usage_record.landing_sequence
    from reached
    inner join usage_record
        on reached.landing_id = usage_record.landing_id
    where reached.is_first

    union all

    select left_record.landing_sequence
    from closing
    inner join left_record
        on closing.billing_period = left_record.closed_in
    where closing.age = 1
),

taken as (
    select distinct billed_usage.landing_sequence
    from closing
    inner join billed_usage
        on closing.billing_period = billed_usage.closed_in
    where closing.age = 0
)

select
    open_before.landing_sequence,
    closing.billing_period as closed_in
from open_before
cross join closing
where
    closing.age = 0
    and not exists (
        select 1
        from taken
        where taken.landing_sequence = open_before.landing_sequence
    )
