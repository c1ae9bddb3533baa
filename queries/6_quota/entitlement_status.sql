-- entitlement_status: how far is a quota used in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  quota_status, grant_status
-- rule:   where the owner has an account of grants, they are the quota, else what
--         is declared; goodwill is what is used beyond the one and not overage

with status as (
    select
        quota_status.quota_id,
        quota_status.quota_scope,
        quota_status.owner_id,
        quota_status.cycle_start,
        quota_status.cycle_end,
        quota_status.customer_id,
        quota_status.included_quantity,
        quota_status.used_quantity,
        quota_status.remaining_quantity,
        quota_status.overage_quantity,
        quota_status.used_quantity
        + quota_status.remaining_quantity
        - quota_status.overage_quantity as covered_quantity,
        quota_status.limit_type,
        quota_status.state,
        quota_status.has_access,
        quota_status.billing_period
    from quota_status

    union all

    select
        grant_status.quota_id,
        grant_status.quota_scope,
        grant_status.owner_id,
        grant_status.cycle_start,
        grant_status.cycle_end,
        grant_status.customer_id,
        grant_status.included_quantity,
        grant_status.used_quantity,
        grant_status.remaining_quantity,
        grant_status.overage_quantity,
        grant_status.covered_quantity,
        grant_status.limit_type,
        grant_status.state,
        grant_status.has_access,
        grant_status.billing_period
    from grant_status
)

select
    status.quota_id,
    status.quota_scope,
    status.owner_id,
    status.cycle_start,
    status.cycle_end,
    status.customer_id,
    status.included_quantity,
    status.used_quantity,
    status.remaining_quantity,
    status.used_quantity
    + status.remaining_quantity
    - status.included_quantity
    - status.overage_quantity as goodwill_quantity,
    status.overage_quantity,
    status.covered_quantity,
    status.limit_type,
    status.state,
    status.has_access,
    status.billing_period
from status
