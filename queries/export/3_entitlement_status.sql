-- entitlement_status: how far the quotas of a customer are used.
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  entitlement_status

select
    entitlement_status.customer_id,
    entitlement_status.billing_period,
    entitlement_status.quota_id,
    entitlement_status.quota_scope,
    entitlement_status.owner_id,
    entitlement_status.cycle_start,
    entitlement_status.cycle_end,
    entitlement_status.included_quantity,
    entitlement_status.used_quantity,
    entitlement_status.remaining_quantity,
    entitlement_status.goodwill_quantity,
    entitlement_status.overage_quantity,
    entitlement_status.state,
    entitlement_status.has_access
from entitlement_status
