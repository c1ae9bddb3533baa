-- suspense: more usage waits, or has waited longer, than `close_limit` allows.
with waiting as (
    select
        waiting_amount.limit_name,
        waiting_amount.unit,
        waiting_amount.found
    from waiting_amount

    union all

    select
        waiting_age.limit_name,
        '' as unit,
        cast(waiting_age.found as decimal(38, 12)) as found
    from waiting_age
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
