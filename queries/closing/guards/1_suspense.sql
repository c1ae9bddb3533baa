-- suspense: more usage waits, or has waited longer, than `close_limit` allows.
with waiting as (
    select
        'suspense_records' as limit_name,
        '' as unit,
        cast(sum(waiting_usage.records) as decimal(38, 12)) as found
    from waiting_usage

    union all

    select
        'suspense_days' as limit_name,
        '' as unit,
        cast(
            cast(
                (
                    cast($as_of as bigint)
                    - cast(min(waiting_usage.oldest_start) as bigint)
                ) / 86400000000 as bigint -- whole days
            ) as decimal(38, 12)
        ) as found
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
    close_limit.limit_name,
    close_limit.limit_value,
    waiting.found,
    waiting.unit
from waiting
inner join close_limit
    on waiting.limit_name = close_limit.limit_name
    and coalesce(close_limit.unit, waiting.unit) = waiting.unit
    and waiting.found > close_limit.limit_value
