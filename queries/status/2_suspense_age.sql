-- suspense_age: what waits to be guided or rated, since when, and its usual price
with waiting as (
    select
        waiting_usage.suspense_reason,
        waiting_usage.usage_type,
        waiting_usage.unit,
        sum(waiting_usage.records) as records,
        sum(waiting_usage.quantity) as quantity,
        landing_of(min(waiting_usage.first_sequence)) as first_landing,
        cast(
            (
                cast($as_of as bigint)
                - cast(min(waiting_usage.oldest_start) as bigint)
            ) / 86400000000 as bigint
        ) as oldest_days
    from waiting_usage
    group by
        waiting_usage.suspense_reason,
        waiting_usage.usage_type,
        waiting_usage.unit
)

select
    waiting.suspense_reason,
    waiting.usage_type,
    waiting.records,
    waiting.quantity,
    waiting.unit,
    waiting.first_landing,
    waiting.oldest_days,
    cast(
        try_prorate(usual_price.amount, waiting.records, usual_price.records)
        as decimal(38, 2)
    ) as at_risk,
    usual_price.currency
from waiting
left join usual_price
    on waiting.usage_type = usual_price.usage_type
order by
    waiting.suspense_reason,
    waiting.usage_type,
    waiting.unit
