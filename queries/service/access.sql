-- access: may a contract go on with a usage type, from when to when, and by which
-- quotas?
--
-- grain:  contract_id, usage_type, usage_tag, quota_id, quota_scope, in_force_from
-- reads:  contract, contract_item, entitlement_status, quota_account
-- rule:   as long as an item meters it; by the status of its quota in the cycle;
--         from the end of the last cycle that was counted on, until a run counts
--         the next, a declared quota is full again and grants are as they were;
--         what is not metered by a quota may go on

with metered_item as (
    select
        contract.contract_id,
        contract.customer_id,
        contract_item.usage_type,
        contract_item.usage_tag,
        contract_item.quota_id,
        contract_item.quota_scope,
        case contract_item.quota_scope
            when 'customer' then contract.customer_id
            else contract.contract_id
        end as owner_id,
        greatest(contract.valid_from, contract_item.valid_from) as valid_from,
        least(contract.valid_to, contract_item.valid_to) as valid_to
    from contract
    inner join contract_item
        on contract.contract_id = contract_item.contract_id
    where contract_item.usage_type is not null
),

ordered as (
    select
        entitlement_status.quota_id,
        entitlement_status.quota_scope,
        entitlement_status.owner_id,
        entitlement_status.cycle_end,
        entitlement_status.included_quantity,
        entitlement_status.limit_type,
        entitlement_status.has_access,
        row_number() over (
            partition by
                entitlement_status.quota_id,
                entitlement_status.quota_scope,
                entitlement_status.owner_id
            order by entitlement_status.cycle_start desc
        ) as cycles_ago
    from entitlement_status
),

access as (
    select
        metered_item.*,
        greatest(metered_item.valid_from, entitlement_status.cycle_start)
            as in_force_from,
        least(metered_item.valid_to, entitlement_status.cycle_end) as in_force_to,
        entitlement_status.cycle_start,
        entitlement_status.cycle_end,
        entitlement_status.included_quantity,
        entitlement_status.used_quantity,
        entitlement_status.remaining_quantity,
        entitlement_status.limit_type,
        entitlement_status.state,
        entitlement_status.has_access
    from metered_item
    inner join entitlement_status
        on metered_item.quota_id = entitlement_status.quota_id
        and metered_item.quota_scope = entitlement_status.quota_scope
        and metered_item.owner_id = entitlement_status.owner_id

    union all

    select
        metered_item.*,
        greatest(metered_item.valid_from, ordered.cycle_end) as in_force_from,
        metered_item.valid_to as in_force_to,
        null as cycle_start,
        null as cycle_end,
        null as included_quantity,
        null as used_quantity,
        null as remaining_quantity,
        ordered.limit_type,
        case when metered_item.quota_id is not null then 'uncounted' end as state,
        case
            when quota_account.quota_id is not null
                then coalesce(ordered.has_access, true)
            else
                coalesce(
                    ordered.limit_type = 'soft' or ordered.included_quantity > 0,
                    true
                )
        end as has_access
    from metered_item
    left join ordered
        on metered_item.quota_id = ordered.quota_id
        and metered_item.quota_scope = ordered.quota_scope
        and metered_item.owner_id = ordered.owner_id
        and ordered.cycles_ago = 1
    left join quota_account
        on metered_item.quota_id = quota_account.quota_id
        and metered_item.quota_scope = quota_account.quota_scope
        and metered_item.owner_id = quota_account.owner_id
)

select distinct
    access.contract_id,
    access.customer_id,
    access.usage_type,
    access.in_force_from,
    access.in_force_to,
    access.quota_id,
    access.quota_scope,
    access.owner_id,
    access.usage_tag,
    access.cycle_start,
    access.cycle_end,
    access.included_quantity,
    access.used_quantity,
    access.remaining_quantity,
    access.limit_type,
    access.state,
    access.has_access
from access
where
    access.in_force_to is null
    or (
        access.in_force_to > $as_of
        and access.in_force_to > access.in_force_from
    )
