-- unused_quota: quotas not in force when records draw from them, or that no item names
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

found as (
    select
        drawn.quota_id,
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
        quota.quota_id,
        'no contract item names it' as finding
    from quota
    where not exists (
        select 1
        from contract_item
        where contract_item.quota_id = quota.quota_id
    )
)

select
    found.quota_id,
    found.finding
from found
order by
    found.quota_id,
    found.finding
