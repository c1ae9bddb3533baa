-- pooled_quota_cycles: contracts that share a quota have the same cycles.
--
-- With different cycles each would be granted the whole quota.

select
    entitlement_status.customer_id,
    entitlement_status.quota_id,
    entitlement_status.cycle_start,
    later.cycle_start as overlapping_cycle_start
from entitlement_status
inner join entitlement_status as later
    on entitlement_status.quota_id = later.quota_id
    and entitlement_status.owner_id = later.owner_id
    and entitlement_status.cycle_start < later.cycle_start
    and later.cycle_start < entitlement_status.cycle_end
