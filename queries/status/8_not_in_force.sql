-- not_in_force: rows that are not in force when their contract asks for them
with dated as (
    select
        'contract_item' as table_name,
        contract_item.contract_item_id as row_id,
        contract_item.contract_id,
        contract_item.valid_from,
        contract_item.valid_to
    from contract_item

    union all

    select
        'contract_identifier' as table_name,
        concat(
            contract_identifier.identifier_kind, ' ',
            contract_identifier.identifier
        ) as row_id,
        contract_identifier.contract_id,
        contract_identifier.valid_from,
        contract_identifier.valid_to
    from contract_identifier

    union all

    select
        'minimum_fee' as table_name,
        minimum_fee.contract_id as row_id,
        minimum_fee.contract_id,
        minimum_fee.valid_from,
        minimum_fee.valid_to
    from minimum_fee

    union all

    select
        'quota_grant' as table_name,
        quota_grant.grant_id as row_id,
        quota_grant.contract_id,
        quota_grant.effective_at as valid_from,
        quota_grant.expires_at as valid_to
    from quota_grant
),

found as (
    select
        'minimum_fee' as table_name,
        minimum_fee.contract_id as row_id,
        concat(
            'ends within the cycle of ', billing_cycle.billing_period,
            ', which owes the minimum in force at its end: none'
        ) as finding
    from minimum_fee
    inner join billing_cycle
        on minimum_fee.contract_id = billing_cycle.contract_id
        and minimum_fee.valid_to > billing_cycle.cycle_start
        and minimum_fee.valid_to < billing_cycle.cycle_end
    where not exists (
        select 1
        from minimum_fee as later
        where
            later.contract_id = billing_cycle.contract_id
            and later.valid_from < billing_cycle.cycle_end
            and (
                later.valid_to is null
                or later.valid_to >= billing_cycle.cycle_end
            )
    )

    union all

    select
        dated.table_name,
        dated.row_id,
        concat('never in force while contract ', contract.contract_id, ' is')
            as finding
    from dated
    inner join contract
        on dated.contract_id = contract.contract_id
    where
        dated.valid_from >= contract.valid_to
        or dated.valid_to <= contract.valid_from
)

select
    found.table_name,
    found.row_id,
    found.finding
from found
order by
    found.table_name,
    found.row_id,
    found.finding
