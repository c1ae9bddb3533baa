-- suspense: what waits in suspense, and what it would cost at its usual price
with waiting as (
    select
        waiting_usage.usage_type,
        sum(waiting_usage.records) as records,
        min(waiting_usage.oldest_start) as oldest
    from waiting_usage
    group by waiting_usage.usage_type
)

select
    waiting.usage_type,
    waiting.records,
    waiting.oldest,
    cast(
        try_prorate(usual_price.amount, waiting.records, usual_price.records)
        as decimal(38, 2)
    ) as at_risk,
    usual_price.currency
from waiting
left join usual_price
    on waiting.usage_type = usual_price.usage_type
order by waiting.usage_type
