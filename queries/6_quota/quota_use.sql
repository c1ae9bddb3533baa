-- quota_use: how much of a quota does its owner use in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  item_cycle, metered_usage
-- rule:   contracts that join or leave within a cycle share the pool of the whole
--         cycle

select
    item_cycle.quota_id,
    item_cycle.quota_scope,
    item_cycle.quota_owner_id as owner_id,
    item_cycle.full_start as cycle_start,
    max(item_cycle.full_end) as cycle_end,
    min(item_cycle.cycle_start) as used_from,
    max(item_cycle.cycle_end) as used_to,
    item_cycle.customer_id,
    sum(metered_usage.quantity) as used_quantity,
    max(item_cycle.billing_period) as billing_period
from item_cycle
inner join metered_usage
    on item_cycle.contract_item_id = metered_usage.contract_item_id
    and item_cycle.cycle_start = metered_usage.cycle_start
    and item_cycle.price_id = metered_usage.price_id
where item_cycle.quota_id is not null
group by
    item_cycle.quota_id,
    item_cycle.quota_scope,
    item_cycle.quota_owner_id,
    item_cycle.full_start,
    item_cycle.customer_id
