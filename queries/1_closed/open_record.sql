-- open_record: which records of a landing that closed books have reached are not in
-- the books?
--
-- grain:  landing_sequence
-- reads:  closed_period, left_record, reopened_usage, booked_usage, left_usage
-- rule:   what the last closing left out, and what was taken out since to be rated
--         again

with last_closed as (
    select max(closed_period.close_number) as close_number
    from closed_period
),

open_now as (
    select left_record.landing_sequence
    from last_closed
    inner join closed_period
        on last_closed.close_number = closed_period.close_number
    inner join left_record
        on closed_period.billing_period = left_record.closed_in

    union

    select reopened_usage.landing_sequence
    from reopened_usage
    where not exists (
        select 1
        from booked_usage
        where booked_usage.landing_sequence = reopened_usage.landing_sequence
    )
)

select
    open_now.landing_sequence,
    left_usage.landing_sequence is not null as is_copied
from open_now
left join left_usage
    on open_now.landing_sequence = left_usage.landing_sequence
