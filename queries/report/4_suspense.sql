-- suspense: what waits to be guided or rated, by reason
select
    waiting_usage.suspense_reason,
    waiting_usage.usage_type,
    waiting_usage.product_id,
    waiting_usage.unit,
    waiting_usage.contracts,
    waiting_usage.records,
    waiting_usage.quantity
from waiting_usage
order by
    waiting_usage.suspense_reason,
    waiting_usage.usage_type,
    waiting_usage.product_id,
    waiting_usage.unit
