-- suspense_age: what waits to be guided or rated, by reason and age of the usage
select
    suspense.suspense_reason,
    suspense.usage_type,
    count(*) as records,
    sum(suspense.record_quantity) as quantity,
    suspense.unit,
    (cast($as_of as bigint) - cast(min(suspense.usage_start) as bigint))
    / 86400000000 as oldest_days
from suspense
group by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
order by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
