-- suspense_too_old: has usage waited longer than `close_limit` allows?
--
-- grain:  event_key
-- reads:  waiting_usage, close_limit

with waiting as (
    select
        min(waiting_usage.oldest_start) as oldest_start,
        cast(
            (
                cast($as_of as bigint)
                - cast(min(waiting_usage.oldest_start) as bigint)
            ) / 86400000000 as bigint -- whole days
        ) as days
    from waiting_usage
)

select
    make_array(
        close_limit.limit_name, cast(close_limit.limit_value as varchar)
    ) as event_key,
    close_limit.limit_name,
    close_limit.limit_value,
    waiting.days,
    waiting.oldest_start
from waiting
inner join close_limit
    on close_limit.limit_name = 'suspense_days'
    and waiting.days > close_limit.limit_value
