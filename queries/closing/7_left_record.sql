-- left_record: which records of the landings that the closing is the first to reach
-- does it leave out, and which that were left out does it take in?
--
-- grain:  landing_sequence, closed_in
-- reads:  closed_period, closed_total, billed_usage, usage_record, left_record

with last_closed as (
    select max(closed_period.close_number) as close_number
    from closed_period
),

closing_period as (
    select closed_period.billing_period
    from closed_period
    inner join last_closed
        on closed_period.close_number = last_closed.close_number
),

reached as (
    select
        closed_total.landing_id,
        max(closed_total.closed_in) as closed_in
    from closed_total
    left join closing_period
        on closed_total.closed_in = closing_period.billing_period
    group by closed_total.landing_id
    having count(closing_period.billing_period) = count(*)
),

taken as (
    select distinct
        billed_usage.landing_sequence,
        billed_usage.closed_in
    from closing_period
    inner join billed_usage
        on closing_period.billing_period = billed_usage.closed_in
)

select
    usage_record.landing_sequence,
    true as is_left,
    reached.closed_in
from reached
inner join usage_record
    on reached.landing_id = usage_record.landing_id
where not exists (
    select 1
    from taken
    where taken.landing_sequence = usage_record.landing_sequence
)

union all

select
    left_record.landing_sequence,
    false as is_left,
    taken.closed_in
from left_record
inner join taken
    on left_record.landing_sequence = taken.landing_sequence
where left_record.is_left
