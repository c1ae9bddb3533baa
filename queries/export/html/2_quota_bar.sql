-- quota_bar: each quota with the part of it that is used, as a bar shows it.
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  entitlement_status, contract, contract_item

with quota_user as (
    select
        contract.customer_id,
        contract_item.quota_id,
        min(contract_item.unit) as unit,
        min(contract.time_zone) as time_zone
    from contract_item
    inner join contract
        on contract_item.contract_id = contract.contract_id
    group by
        contract.customer_id,
        contract_item.quota_id
)

select
    entitlement_status.customer_id,
    entitlement_status.billing_period,
    entitlement_status.quota_id,
    entitlement_status.quota_scope,
    entitlement_status.owner_id,
    entitlement_status.cycle_start,
    local_date(entitlement_status.cycle_start, quota_user.time_zone)
        as first_day,
    entitlement_status.included_quantity,
    entitlement_status.used_quantity,
    entitlement_status.remaining_quantity,
    entitlement_status.goodwill_quantity + entitlement_status.overage_quantity
        as beyond_quantity,
    quota_user.unit,
    cast(
        case
            when entitlement_status.used_quantity <= 0 then 0
            else prorate(
                100,
                least(
                    entitlement_status.used_quantity,
                    entitlement_status.included_quantity
                ),
                greatest(
                    entitlement_status.used_quantity,
                    entitlement_status.included_quantity
                )
            )
        end as integer
    ) as included_percent,
    entitlement_status.goodwill_quantity + entitlement_status.overage_quantity > 0
        as is_used_up
from entitlement_status
left join quota_user
    on entitlement_status.customer_id = quota_user.customer_id
    and entitlement_status.quota_id = quota_user.quota_id
