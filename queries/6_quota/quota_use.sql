-- quota_use: how much of a quota does its owner use in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  priced_cycle, metered_usage
-- rule:   contracts that join or leave within a cycle share the pool of the whole
--         cycle

select
    priced_cycle.quota_id,
    priced_cycle.quota_scope,
    priced_cycle.quota_owner_id as owner_id,
    priced_cycle.full_start as cycle_start,
    max(priced_cycle.full_end) as cycle_end,
    min(priced_cycle.cycle_start) as used_from,
    max(priced_cycle.cycle_end) as used_to,
    priced_cycle.customer_id,
    sum(metered_usage.quantity) as used_quantity,
    max(priced_cycle.billing_period) as billing_period
from priced_cycle
inner join metered_usage
    on priced_cycle.contract_item_id = metered_usage.contract_item_id
    and priced_cycle.cycle_start = metered_usage.cycle_start
    and priced_cycle.price_id = metered_usage.price_id
where priced_cycle.quota_id is not null
group by
    priced_cycle.quota_id,
    priced_cycle.quota_scope,
    priced_cycle.quota_owner_id,
    priced_cycle.full_start,
    priced_cycle.customer_id
