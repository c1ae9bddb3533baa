-- suspense_over_limit: does more usage wait than `close_limit` allows?
--
-- grain:  event_key
-- reads:  waiting_amount, close_limit
-- rule:   how long it may wait is a matter of the clock, see suspense_too_old

select
    make_array(
        close_limit.limit_name,
        waiting_amount.unit,
        cast(close_limit.limit_value as varchar)
    ) as event_key,
    close_limit.limit_name,
    close_limit.limit_value,
    waiting_amount.found,
    waiting_amount.unit
from waiting_amount
inner join close_limit
    on waiting_amount.limit_name = close_limit.limit_name
    and coalesce(close_limit.unit, waiting_amount.unit) = waiting_amount.unit
    and waiting_amount.found > close_limit.limit_value
