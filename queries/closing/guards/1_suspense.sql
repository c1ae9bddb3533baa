-- suspense: more usage waits, or has waited longer, than `close_limit` allows.
with waiting as (
    select
        count(*) as records,
        (cast($as_of as bigint) - cast(min(suspense.usage_start) as bigint))
        / 86400000000 as oldest_days
    from suspense
)

select
    close_limit.limit_name,
    close_limit.limit_value,
    waiting.records,
    waiting.oldest_days
from waiting
inner join close_limit
    on (
        close_limit.limit_name = 'suspense_records'
        and waiting.records > close_limit.limit_value
    )
    or (
        close_limit.limit_name = 'suspense_days'
        and waiting.oldest_days > close_limit.limit_value
    )
