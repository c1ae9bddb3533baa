-- suspense_over_limit: does more usage wait than `close_limit` allows?
--
-- grain:  event_key
-- reads:  waiting_usage, close_limit
-- rule:   how long it may wait is a matter of the clock, see suspense_too_old

with waiting as (
    select
        'suspense_records' as limit_name,
        '' as unit,
        cast(sum(waiting_usage.records) as decimal(38, 12)) as found
    from waiting_usage

    union all

    select
        'suspense_quantity' as limit_name,
        waiting_usage.unit,
        sum(waiting_usage.quantity) as found
    from waiting_usage
    group by waiting_usage.unit
)

select
    make_array(
        close_limit.limit_name,
        waiting.unit,
        cast(close_limit.limit_value as varchar)
    ) as event_key,
    close_limit.limit_name,
    close_limit.limit_value,
    waiting.found,
    waiting.unit
from waiting
inner join close_limit
    on waiting.limit_name = close_limit.limit_name
    and coalesce(close_limit.unit, waiting.unit) = waiting.unit
    and waiting.found > close_limit.limit_value
