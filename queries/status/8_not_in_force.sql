-- not_in_force: rows not in force when they are asked for, or that nothing asks for
with drawn as (
    select
        priced_cycle.contract_item_id,
        priced_cycle.quota_id,
        priced_cycle.billing_period,
        sum(metered_usage.record_count) as record_count
    from priced_cycle
    inner join metered_usage
        on priced_cycle.contract_item_id = metered_usage.contract_item_id
        and priced_cycle.cycle_start = metered_usage.cycle_start
        and priced_cycle.price_id = metered_usage.price_id
    where
        priced_cycle.quota_id is not null
        and metered_usage.record_count > 0
        and not exists (
            select 1
            from quota
            where
                quota.quota_id = priced_cycle.quota_id
                and quota.valid_from < priced_cycle.cycle_end
                and (
                    quota.valid_to is null
                    or quota.valid_to > priced_cycle.cycle_start
                )
        )
        and not exists (
            select 1
            from grant_account
            where grant_account.quota_id = priced_cycle.quota_id
        )
    group by
        priced_cycle.contract_item_id,
        priced_cycle.quota_id,
        priced_cycle.billing_period
),

dated as (
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
        'quota' as table_name,
        drawn.quota_id as row_id,
        concat(
            'not in force in ', drawn.billing_period, ', when records drew from it: ',
            sum(drawn.record_count), ', of item ', min(drawn.contract_item_id)
        ) as finding
    from drawn
    group by
        drawn.quota_id,
        drawn.billing_period

    union all

    select distinct
        'quota' as table_name,
        quota.quota_id as row_id,
        'no contract item names it' as finding
    from quota
    where not exists (
        select 1
        from contract_item
        where contract_item.quota_id = quota.quota_id
    )

    union all

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
