-- entitlement: how far are the quotas of a contract or a customer used, in the
-- cycles that hold an instant?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  entitlement_status, contract
-- rule:   a contract has its own and those that its customer's contracts share, a
--         customer those of all its contracts; nothing is used in percent of zero

with asked_contract as (
    select
        contract.contract_id,
        contract.customer_id
    from contract
    where contract.contract_id = cast($contract_id as varchar)
)

select
    entitlement_status.quota_id,
    entitlement_status.quota_scope,
    entitlement_status.owner_id,
    entitlement_status.customer_id,
    entitlement_status.cycle_start,
    entitlement_status.cycle_end,
    entitlement_status.included_quantity,
    entitlement_status.used_quantity,
    entitlement_status.remaining_quantity,
    entitlement_status.goodwill_quantity,
    entitlement_status.overage_quantity,
    case
        when entitlement_status.included_quantity > 0
            then round_ratio(
                entitlement_status.used_quantity,
                100,
                entitlement_status.included_quantity,
                2,
                'half_up'
            )
    end as used_percent,
    entitlement_status.limit_type,
    entitlement_status.state,
    entitlement_status.has_access,
    entitlement_status.billing_period
from entitlement_status
left join asked_contract
    on entitlement_status.customer_id = asked_contract.customer_id
where
    entitlement_status.cycle_start <= $as_of
    and entitlement_status.cycle_end > $as_of
    and (
        entitlement_status.customer_id = cast($customer_id as varchar)
        or (
            entitlement_status.quota_scope = 'contract'
            and entitlement_status.owner_id = asked_contract.contract_id
        )
        or (
            entitlement_status.quota_scope = 'customer'
            and entitlement_status.owner_id = asked_contract.customer_id
        )
    )
order by
    entitlement_status.quota_id,
    entitlement_status.quota_scope,
    entitlement_status.owner_id,
    entitlement_status.cycle_start
