-- quota_reached: which quotas are used as far as somebody wants to be told?
--
-- grain:  event_key
-- reads:  entitlement_status, quota_threshold
-- rule:   once for each percentage and cycle; a correction may take it back

select
    make_array(
        entitlement_status.quota_id,
        entitlement_status.quota_scope,
        entitlement_status.owner_id,
        to_char(entitlement_status.cycle_start, '%Y-%m-%dT%H:%M:%SZ'),
        lpad(cast(quota_threshold.used_percent as varchar), 6, '0')
    ) as event_key,
    entitlement_status.customer_id,
    entitlement_status.quota_id,
    entitlement_status.quota_scope,
    entitlement_status.owner_id,
    entitlement_status.cycle_start,
    entitlement_status.cycle_end,
    quota_threshold.used_percent,
    entitlement_status.included_quantity,
    entitlement_status.used_quantity,
    entitlement_status.remaining_quantity,
    entitlement_status.limit_type,
    entitlement_status.state,
    entitlement_status.has_access,
    entitlement_status.billing_period
from entitlement_status
inner join quota_threshold
    on entitlement_status.quota_id = quota_threshold.quota_id
where
    entitlement_status.used_quantity > 0
    and entitlement_status.used_quantity >= prorate(
        entitlement_status.included_quantity, quota_threshold.used_percent, 100
    )
