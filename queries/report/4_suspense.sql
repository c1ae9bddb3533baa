-- suspense: what waits to be guided or rated, by reason
select
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit,
    count(*) as records,
    sum(suspense.record_quantity) as quantity
from suspense
group by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
order by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
