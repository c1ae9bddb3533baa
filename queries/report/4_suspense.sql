-- suspense: what waits to be guided or rated, by reason
select
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.product_id,
    suspense.unit,
    count(distinct suspense.contract_id) as contracts,
    count(*) as records,
    sum(coalesce(suspense.quantity, suspense.record_quantity)) as quantity
from suspense
group by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.product_id,
    suspense.unit
order by
    suspense.suspense_reason,
    suspense.usage_type,
    suspense.product_id,
    suspense.unit
