-- waiting_reason: what waits, why, and since when?
--
-- reads: suspense

select
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit,
    count(*) as records,
    count(distinct suspense.contract_id) as contracts,
    sum(suspense.record_quantity) as quantity,
    min(suspense.usage_start) as oldest_start,
    max(suspense.usage_start) as newest_start
from suspense
group by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
order by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.unit
