-- period_closed: which billing periods are closed?
--
-- grain:  event_key
-- reads:  closed_period

select
    make_array(closed_period.billing_period) as event_key,
    closed_period.billing_period,
    closed_period.close_number,
    closed_period.closed_as_of,
    closed_period.closed_by,
    closed_period.accepted
from closed_period
