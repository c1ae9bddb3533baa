-- closed_suspense: what waits when the period closes.
--
-- grain:  landing_sequence, closed_in
-- reads:  suspense, closed_period

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
