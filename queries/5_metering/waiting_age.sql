-- waiting_age: how long has the oldest usage in suspense waited, as
-- `close_limit` measures it?
--
-- grain:  limit_name
-- reads:  suspense

select
    'suspense_days' as limit_name,
    min(suspense.usage_start) as oldest_start,
    cast(
        (
            cast($as_of as bigint)
            - cast(min(suspense.usage_start) as bigint)
        ) / 86400000000 as bigint -- whole days
    ) as found
from suspense
