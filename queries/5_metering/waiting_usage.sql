-- waiting_usage: how much waits in suspense, by reason, and since when?
--
-- grain:  suspense_reason, usage_type, product_id, unit
-- reads:  suspense

select
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.product_id,
    suspense.unit,
    count(distinct suspense.contract_id) as contracts,
    count(*) as records,
    sum(coalesce(suspense.quantity, suspense.record_quantity)) as quantity,
    min(suspense.landing_sequence) as first_sequence,
    min(suspense.usage_start) as oldest_start
from suspense
group by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.product_id,
    suspense.unit
