-- closed_suspense: what waits of the period that closes, and of those before it.
--
-- grain:  landing_sequence
-- reads:  suspense, closed_period, period_end, closed_suspense
-- rule:   usage that began before the period is over; what waited already when an
--         earlier one closed is kept there

with last_closed as (
    select max(closed_period.close_number) as close_number
    from closed_period
)

select
    suspense.landing_sequence,
    suspense.usage_type,
    suspense.unit,
    suspense.record_quantity,
    suspense.suspense_reason,
    closed_period.billing_period as closed_in
from suspense
cross join last_closed
inner join closed_period
    on last_closed.close_number = closed_period.close_number
inner join period_end
    on closed_period.billing_period = period_end.billing_period
    and suspense.usage_start < period_end.ends_at
where not exists (
    select 1
    from closed_suspense
    where closed_suspense.landing_sequence = suspense.landing_sequence
)
